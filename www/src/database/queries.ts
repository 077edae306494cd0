// Queries: options into requests, and the names and numbers of answers into results.

import { checkOptions, durationMs, invalid, text } from "../base/shared.js";
import type { Port } from "../port/port.js";
import type { NamedNumbers, RequestOf } from "../port/requests.js";
import type { Labels } from "../api/samples.js";
import type {
  EnvelopeOptions,
  EnvelopeResult,
  InstantResult,
  LatestOptions,
  LatestSample,
  LiveOptions,
  QueryOptions,
  QueryStats,
  QueryTrace,
  RangeOptions,
  RangeResult,
} from "../api/queries.js";
import { askedFresh } from "./fresh.js";
import { type HeldRange, joined } from "./held.js";

interface Names {
  type: "vector" | "matrix" | "scalar" | "string";
  series: { labels: Labels; length?: number; present?: number[] }[];
  text?: string;
  start: number;
  step: number;
  points: number;
  warnings: string[];
  stats: Omit<QueryStats, "milliseconds">;
  trace?: QueryTrace;
  standing: number[];
  /** How many instants, from the first one on, are as they are held. The numbers are those of all others. */
  kept: number;
}

type Asked = Omit<RequestOf<"query">, "time" | "start" | "end" | "step" | "follow" | "held">;

const OPTIONS: Record<keyof QueryOptions, true> = {
  dialect: true,
  lookback: true,
  fresh: true,
  trace: true,
  maxSeries: true,
  maxSamples: true,
  timeout: true,
  signal: true,
};
const INSTANT_OPTIONS = { ...OPTIONS, time: true } as const;
const RANGE_OPTIONS: Record<keyof RangeOptions, true> = { ...OPTIONS, start: true, end: true, step: true };
const LATEST_OPTIONS: Record<keyof LatestOptions, true> = { within: true, fresh: true, signal: true };
const ENVELOPE_OPTIONS: Record<keyof EnvelopeOptions, true> = { start: true, end: true, columns: true, fresh: true, signal: true };
/** Those of queries that follow the clock. */
export const LIVE_OPTIONS: Record<keyof LiveOptions, true> = { ...OPTIONS, range: true, step: true, every: true };

const DEFAULT_WITHIN_MS = 5 * 60_000;

export async function query(
  port: Port,
  expression: string,
  options: (QueryOptions & { time?: number }) | undefined,
): Promise<InstantResult> {
  const began = performance.now();
  checkOptions(options, INSTANT_OPTIONS, "query()");
  const time = instant(options?.time ?? port.now(), "time");
  const answer = await port.ask({ ...asked(expression, options), time, follow: false }, options?.signal);
  const { names, numbers } = read(answer);
  const common = commonOf(names, began);
  switch (names.type) {
    case "string":
      return { type: "string", timestamp: time, value: names.text ?? "", ...common };
    case "scalar":
      return { type: "scalar", timestamp: time, value: numbers[0] ?? Number.NaN, ...common };
    case "matrix":
      return { type: "matrix", series: samplesOf(names, numbers), ...common };
    default: {
      const series = names.series.map(({ labels }, at) => ({ labels, timestamp: time, value: numbers[at] ?? Number.NaN }));
      return { type: "vector", series, ...common };
    }
  }
}

/** Of each kind, warnings and infos, ten, and how many more there are. */
const MAX_WARNINGS = 22;
/** How the engine says that there are more of them. */
const LEFT_OUT = / more (warning|info) annotations omitted$/;

export async function queryRange(port: Port, expression: string, options: RangeOptions): Promise<RangeResult> {
  checkOptions(options, RANGE_OPTIONS, "queryRange()");
  hintAtStep(options);
  return (await askedRange(port, expression, options, false, undefined)).result;
}

/** More instants than a Prometheus gives, of a step below a second, are likely meant as seconds. */
const MANY_POINTS = 11_000;
let hasHinted = false;

/** Prometheus' steps are seconds, and so are the habits of people who come from there. Said once, as it may be meant. */
function hintAtStep({ start, end, step }: RangeOptions): void {
  if (hasHinted || typeof step !== "number" || step >= 1000 || !((Number(end) - Number(start)) / step > MANY_POINTS)) return;
  hasHinted = true;
  console.warn(`sandglass: step: ${step} is ${step} milliseconds; write "${step}s" if seconds are meant`);
}

/** As {@link queryRange}, of which `held` has a part. The result is that of `held` itself if it has not changed. */
export function rangeAfter(port: Port, expression: string, options: RangeOptions, held: HeldRange | undefined): Promise<HeldRange> {
  return askedRange(port, expression, options, true, held);
}

async function askedRange(
  port: Port,
  expression: string,
  options: RangeOptions,
  follow: boolean,
  held: HeldRange | undefined,
): Promise<HeldRange> {
  const began = performance.now();
  const start = instant(options?.start, "start");
  const end = instant(options?.end, "end");
  // As the engine has it: instants are whole milliseconds.
  const step = Math.trunc(durationMs(options?.step, "step"));
  const request = { ...asked(expression, options), start, end, step, follow };
  const { timestamps } = held?.result ?? {};
  const isHeld = held !== undefined && timestamps !== undefined && timestamps.length > 0;
  const answer = await port.ask(
    isHeld ? { ...request, held: { standing: held.standing, start: timestamps[0]!, points: timestamps.length } } : request,
    options?.signal,
  );
  const { names, numbers } = read(answer);
  const { points, standing, kept } = names;
  const fresh = names.series.map(({ labels, present }, at) => ({
    labels,
    values: numbers.subarray(at * points, (at + 1) * points),
    ...(present !== undefined && { present: Uint8Array.from(present) }),
  }));
  if (kept === 0 || !isHeld) {
    return { result: { timestamps: instants(names.start, names.step, points), series: fresh, ...commonOf(names, began) }, standing };
  }
  const all = instants(start, step, Math.floor((end - start) / step) + 1);
  if (kept === all.length && all[0] === timestamps[0] && all.length === timestamps.length) return { ...held, standing };
  const series = joined(held.result, fresh, all, kept);
  if (series === undefined) return askedRange(port, expression, options, follow, undefined);
  // The engine does not say again what it has said of the instants that are kept; how many it has left out, it says anew.
  const before = held.result.warnings.filter((warning) => !LEFT_OUT.test(warning));
  const warnings = [...new Set([...before, ...names.warnings])].slice(-MAX_WARNINGS);
  return { result: { timestamps: all, series, ...commonOf({ ...names, warnings }, began) }, standing };
}

function instants(start: number, step: number, points: number): Float64Array {
  return Float64Array.from({ length: points }, (_, at) => start + at * step);
}

/** What all results have. */
function commonOf({ warnings, stats, trace }: Names, began: number) {
  return { warnings, stats: { ...stats, milliseconds: performance.now() - began }, ...(trace && { trace }) };
}

export async function latest(port: Port, selector: string, options: LatestOptions | undefined): Promise<LatestSample[]> {
  checkOptions(options, LATEST_OPTIONS, "latest()");
  const within = options?.within === undefined ? DEFAULT_WITHIN_MS : durationMs(options.within, "within");
  const request = { kind: "latest", selector: text(selector, "selector"), within } as const;
  const answer = await askedFresh(port, request, options);
  const [series, numbers] = [JSON.parse(answer[0]) as Names["series"], answer[1]];
  return series.map(({ labels }, at) => ({ labels, timestamp: numbers[2 * at]!, value: numbers[2 * at + 1]! }));
}

export async function envelope(port: Port, selector: string, options: EnvelopeOptions): Promise<EnvelopeResult> {
  checkOptions(options, ENVELOPE_OPTIONS, "envelope()");
  const [start, end] = [instant(options?.start, "start"), instant(options?.end, "end")];
  const { columns } = options;
  if (!Number.isInteger(columns) || columns < 1) throw invalid(`columns is ${String(columns)}; a whole number from 1 on is expected`);
  const request = { kind: "envelope", selector: text(selector, "selector"), start, end, columns } as const;
  const answer = await askedFresh(port, request, options);
  const [series, numbers] = [JSON.parse(answer[0]) as Names["series"], answer[1]];
  const column = (at: number) => numbers.subarray(at * columns, (at + 1) * columns);
  return {
    timestamps: Float64Array.from({ length: columns }, (_, at) => start + ((end - start) * at) / columns),
    series: series.map(({ labels }, at) => ({
      labels,
      min: column(4 * at),
      max: column(4 * at + 1),
      first: column(4 * at + 2),
      last: column(4 * at + 3),
    })),
  };
}

/** What all queries ask alike. */
function asked(expression: string, options: QueryOptions | undefined): Asked {
  const { dialect, lookback, fresh = false, trace = false, maxSeries, maxSamples, timeout } = options ?? {};
  if (dialect !== undefined && dialect !== "metricsql" && dialect !== "promql")
    throw invalid(`dialect is ${JSON.stringify(dialect)}; write "metricsql" or "promql"`);
  for (const [name, flag] of Object.entries({ fresh, trace })) {
    if (typeof flag !== "boolean") throw invalid(`${name} is ${String(flag)}; true or false is expected`);
  }
  for (const [name, limit] of Object.entries({ maxSeries, maxSamples })) {
    if (limit !== undefined && !(typeof limit === "number" && limit >= 0))
      throw invalid(`${name} is ${typeof limit === "string" ? JSON.stringify(limit) : String(limit)}; a number from 0 on is expected`);
  }
  return {
    kind: "query",
    expression: text(expression, "the expression"),
    dialect,
    lookback: lookback === undefined ? undefined : durationMs(lookback, "lookback"),
    fresh,
    maxSeries,
    maxSamples,
    timeout: timeout === undefined ? undefined : durationMs(timeout, "timeout"),
    trace,
  };
}

function instant(time: unknown, what: string): number {
  if (typeof time !== "number" || !(Math.abs(time) <= 8.64e15))
    throw invalid(`${what} is ${String(time)}; milliseconds since the epoch are expected`);
  return Math.trunc(time);
}

function read([names, numbers]: NamedNumbers): { names: Names; numbers: Float64Array } {
  return { names: JSON.parse(names) as Names, numbers };
}

function samplesOf(names: Names, numbers: Float64Array) {
  let at = 0;
  return names.series.map(({ labels, length = 0 }) => {
    const timestamps = numbers.subarray(at, (at += length));
    return { labels, timestamps, values: numbers.subarray(at, (at += length)) };
  });
}
