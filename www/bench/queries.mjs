// The questions that are asked of a day of `cpu-only`, and how long each contestant takes to answer. Runs in Node and in browsers.
import { HOUR } from "./data.mjs";

const MINUTE = 60_000;
/** The instants of the answers begin one step behind the first sample, so that every window is whole. */
const START = Date.UTC(2016, 0, 1);

/** How often each question is asked; the median is reported, the first time is not counted. */
export const ASKED = 7;

/** SQL for the end of the window of `ms` that a sample is in: windows leave out their beginning and hold their end, as in MetricsQL. */
const windowEnd = (ms) => `((time + ${ms - 1}) // ${ms}) * ${ms}`;
/** Samples before the first instant belong to no window. */
const inWindows = (from, ms, to) => `time > ${from - ms} AND time <= ${to}`;

/**
 * The questions. `sql` is of tables `samples (time, series, value)` and `series (id, name, hostname)` and gives the column `value`.
 *
 * @param {number} hours of samples
 * @returns {{ name: string, title: string, expression?: string, selector?: string, start: number, end: number, step: number, sql?: string }[]}
 */
export function questions(hours) {
  const end = START + hours * HOUR - MINUTE;
  const range = (step, from = START + step, to = end) => ({ start: from, end: from + Math.floor((to - from) / step) * step, step });
  const hour = range(MINUTE, START + MINUTE, START + HOUR);
  const minutes = range(MINUTE);
  const fives = range(5 * MINUTE);
  const hourly = range(HOUR);
  const ofSeries = (where) => `series IN (SELECT id FROM series WHERE ${where})`;
  return [
    {
      name: "rate",
      title: 'sum(rate({__name__=~"cpu_.*"}[5m])) by (region)',
      expression: 'sum(rate({__name__=~"cpu_.*"}[5m])) by (region)',
      ...range(MINUTE, START + 10 * MINUTE),
    },
    { name: "quantile", title: "quantile(0.99, all)", expression: 'quantile(0.99, {__name__=~"cpu_.*"})', ...minutes },
    {
      name: "topk",
      title: "topk(5, avg_over_time(x[1h]))",
      expression: "topk(5, avg_over_time(cpu_usage_user[1h]))",
      ...range(MINUTE, START + HOUR),
    },
    { name: "maxByHost", title: "max by (hostname) (all)", expression: 'max({__name__=~"cpu_.*"}) by (hostname)', ...minutes },
    {
      name: "average",
      title: "avg_over_time(one series[1h])",
      expression: 'avg_over_time(cpu_usage_user{hostname="host_42"}[1h])',
      ...range(MINUTE, START + HOUR),
    },
    {
      name: "b",
      title: "b: max of one series a minute, 1 h",
      expression: 'max_over_time(cpu_usage_user{hostname="host_42"}[1m])',
      ...hour,
      sql: `SELECT max(value) AS value FROM samples WHERE ${ofSeries("name = 'cpu_usage_user' AND hostname = 'host_42'")} AND ${inWindows(hour.start, MINUTE, hour.end)} GROUP BY ${windowEnd(MINUTE)}`,
    },
    {
      name: "c",
      title: "c: max over 100 hosts a minute, 24 h",
      expression: "max(max_over_time(cpu_usage_user[1m]))",
      ...minutes,
      sql: `SELECT max(value) AS value FROM samples WHERE ${ofSeries("name = 'cpu_usage_user'")} AND ${inWindows(minutes.start, MINUTE, minutes.end)} GROUP BY ${windowEnd(MINUTE)}`,
    },
    {
      name: "d",
      title: "d: 5-minute means of 100 hosts, 24 h",
      expression: "avg_over_time(cpu_usage_user[5m])",
      ...fives,
      sql: `SELECT avg(value) AS value FROM samples WHERE ${ofSeries("name = 'cpu_usage_user'")} AND ${inWindows(fives.start, 5 * MINUTE, fives.end)} GROUP BY series, ${windowEnd(5 * MINUTE)}`,
    },
    {
      name: "e",
      title: "e: sum an hour of everything",
      expression: 'sum(sum_over_time({__name__=~"cpu_.*"}[1h]))',
      ...hourly,
      sql: `SELECT sum(value) AS value FROM samples WHERE ${inWindows(hourly.start, HOUR, hourly.end)} GROUP BY ${windowEnd(HOUR)}`,
    },
    {
      name: "raw",
      title: "raw samples of one series, 24 h",
      selector: 'cpu_usage_user{hostname="host_42"}',
      start: START,
      end: START + hours * HOUR,
      step: 0,
      sql: `SELECT time, value FROM samples WHERE ${ofSeries("name = 'cpu_usage_user' AND hostname = 'host_42'")} ORDER BY time`,
    },
  ];
}

/**
 * Asks one question several times.
 *
 * @param {() => Promise<{ points: number, sum: number }>} ask
 * @returns {Promise<{ ms: number, points: number, sum: number }>} the median of the times, and what the answers are compared by
 */
export async function timed(ask) {
  const answer = await ask();
  const times = [];
  for (let n = 0; n < ASKED; n++) {
    const begin = performance.now();
    await ask();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return { ms: times[ASKED >> 1], ...answer };
}

/** Points and their sum of columns in which a hole is NaN. */
export function summed(columns) {
  let points = 0;
  let sum = 0;
  for (const column of columns) {
    for (const value of column) {
      if (Number.isNaN(value)) continue;
      points++;
      sum += value;
    }
  }
  return { points, sum };
}

/** Whether two answers are of the same points; sums are of floats in another order. */
export const areEqual = (a, b) => a.points === b.points && Math.abs(a.sum - b.sum) <= 1e-9 * Math.max(Math.abs(a.sum), Math.abs(b.sum), 1);
