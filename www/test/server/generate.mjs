// Generated series: every class of values, labels and clocks that the format treats differently. The same seed gives the same
// data everywhere. Runs in Node and in browsers.

/** Bits of the staleness marker. */
const STALE = 0x7ff0000000000002n;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** First instant of the data: the last days of a month, so that short series cross into the next partition. */
export const FIRST_TIME = Date.UTC(2024, 0, 29, 6, 0, 0);

/** End of the data: where the database's clock stands, for it refuses what comes from more than two days ahead. */
export const LAST_TIME = FIRST_TIME + 95 * DAY;

/** A generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  next.integer = (below) => Math.floor(next() * below);
  next.pick = (items) => items[next.integer(items.length)];
  /** A normal deviate (Box-Muller). */
  next.normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return next;
}

const sign = (next) => (next() < 0.5 ? -1 : 1);
const integers = (next, bits) => sign(next) * Math.floor(next() * 2 ** bits);

/**
 * Classes of values. `make(next, count)` returns the values; `exact` says that the store keeps them bit by bit, whatever it
 * merges them with: decimals of few digits and of nearly one size.
 */
const VALUES = {
  counter: { exact: true, make: (next, count) => walk(count, 0, (v) => (next() < 0.002 ? 0 : v + next.integer(500))) },
  counter_slow: { exact: true, make: (next, count) => walk(count, 1e6, (v) => v + (next() < 0.1 ? 1 : 0)) },
  gauge_integer: { exact: true, make: (next, count) => walk(count, 50, (v) => Math.min(100, Math.max(0, Math.round(v + next.normal())))) },
  gauge_decimal: { exact: true, make: (next, count) => Array.from({ length: count }, () => (next.integer(20_000) - 5000) / 100) },
  gauge_float: { exact: false, make: (next, count) => walk(count, 0, (v) => v + next.normal()) },
  ratio: { exact: false, make: (next, count) => Array.from({ length: count }, () => next()) },
  constant: { exact: true, make: (next, count) => new Array(count).fill(next.pick([0, 1, -1, 42, 0.5, 1e9, -273.15])) },
  linear: { exact: true, make: (next, count) => walk(count, 1000, (v) => v + 15) },
  bytes: { exact: true, make: (next, count) => Array.from({ length: count }, () => next.integer(1 << 22) * 4096) },
  wide_integer: { exact: false, make: (next, count) => Array.from({ length: count }, () => integers(next, 53)) },
  beyond_2_53: { exact: false, make: (next, count) => Array.from({ length: count }, () => integers(next, 70)) },
  powers_of_two: { exact: false, make: (next, count) => Array.from({ length: count }, () => sign(next) * 2 ** (next.integer(60) - 30)) },
  huge: { exact: false, make: (next, count) => Array.from({ length: count }, () => sign(next) * (1 + next()) * 1e307) },
  tiny: { exact: false, make: (next, count) => Array.from({ length: count }, () => sign(next) * (1 + next()) * 1e-300) },
  subnormal: { exact: false, make: (next, count) => Array.from({ length: count }, () => next.integer(1 << 30) * Number.MIN_VALUE) },
  wide_range: {
    exact: false,
    make: (next, count) => Array.from({ length: count }, () => sign(next) * next() * 10 ** (next.integer(40) - 20)),
  },
  negative_zero: { exact: false, make: (next, count) => Array.from({ length: count }, () => next.pick([0, -0, 1, -1])) },
  infinities: {
    exact: false,
    make: (next, count) => Array.from({ length: count }, () => next.pick([Infinity, -Infinity, next.integer(100)])),
  },
  only_infinity: { exact: false, make: (next, count) => new Array(count).fill(Infinity) },
  stale: { exact: false, stale: 0.05, make: (next, count) => Array.from({ length: count }, () => next.integer(1000)) },
  stale_runs: { exact: false, stale: 0.6, make: (next, count) => Array.from({ length: count }, () => next.integer(1000) / 10) },
};

function walk(count, start, step) {
  const values = new Array(count);
  let value = start;
  for (let i = 0; i < count; i++) values[i] = value = step(value);
  return values;
}

/** Clocks: `make(next)` returns the ascending timestamps of one series. */
const CLOCKS = {
  scrape_15s: (next) => regular(next, FIRST_TIME + next.integer(80 * DAY), 15 * SECOND, 200 + next.integer(1500)),
  scrape_jitter: (next) => regular(next, FIRST_TIME + next.integer(80 * DAY), 10 * SECOND, 200 + next.integer(800), 40),
  hourly: (next) => regular(next, FIRST_TIME + next.integer(HOUR), HOUR, 24 * 94),
  half_daily: (next) => regular(next, FIRST_TIME + next.integer(HOUR), 12 * HOUR, 188, 5000),
  across_month: (next) => regular(next, Date.UTC(2024, 1, 29, 23, 0, 0), 20 * SECOND, 360 + next.integer(200)),
  gaps: (next) => {
    let time = FIRST_TIME + next.integer(40 * DAY);
    return Array.from({ length: 400 }, () => (time += next() < 0.02 ? next.integer(20 * HOUR) : 30 * SECOND));
  },
  random_milliseconds: (next) => {
    let time = FIRST_TIME + next.integer(60 * DAY);
    return Array.from({ length: 300 }, () => (time += 1 + next.integer(10_000)));
  },
  burst: (next) => regular(next, FIRST_TIME + next.integer(90 * DAY), 1, 500),
  midnights: () => regular(undefined, Date.UTC(2024, 1, 1), DAY, 60),
  single: (next) => [FIRST_TIME + next.integer(90 * DAY)],
  two_far: (next) => [FIRST_TIME + next.integer(DAY), LAST_TIME - next.integer(DAY)],
};

function regular(next, start, step, count, jitter = 0) {
  return Array.from({ length: count }, (_, i) => start + i * step + (jitter > 0 ? next.integer(jitter) : 0));
}

/** Values that a label may have and that a careless writer, parser or index trips over. */
export const ODD_LABELS = [
  { uni: "日本語 – ünïcödé 🚀", ключ: "значение" },
  { quotes: "say \"hi\" and 'bye'", back: "C:\\path\\new", ticks: "`raw`" },
  { ctl: "\u0000\u0001\u0002mid\u0001\u0002end\u0000" },
  { zero: "\u0000" },
  { one: "\u0001", two: "\u0002" },
  { lines: "first\nsecond\r\n\tthird" },
  { punctuation: "b,c=d", braces: '{f="g"}', regexp: "a|b.*[c](d)+?^$" },
  { empty: "", beside: "an empty label" },
  { long: "L".repeat(10_000) },
  { long: `${"L".repeat(9_999)}M` },
  { le: "+Inf", quantile: "0.99" },
  { le: "0.005" },
  { space: " leading and trailing ", tab: "\t" },
  { a: "x" },
  { a: "x", b: "x" },
  { b: "x" },
  { ab: "x" },
  { "label.with.dots": "1", "label-with-dashes": "2", "label with spaces": "3" },
  Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`l${String(i).padStart(2, "0")}`, `v${i}`])),
  { high: "\u{10ffff}\uffff\ufffd" },
];

/**
 * @typedef {object} GeneratedSeries
 * @property {Record<string, string>} labels
 * @property {Float64Array} timestamps ascending; equal ones in a few series
 * @property {Float64Array} values
 * @property {boolean} exact whether the store keeps the values bit by bit
 * @property {boolean} plain whether the values are finite numbers, as text formats take them
 */

/** @returns {GeneratedSeries[]} several hundred series over three to four months */
export function generateSeries(seed = 1) {
  const next = random(seed);
  const series = [];
  const add = (labels, timestamps, kind) => {
    const { exact, stale = 0, make } = VALUES[kind];
    const values = Float64Array.from(make(next, timestamps.length));
    if (stale > 0) {
      // Through the bits: a NaN that passes through a variable may lose its payload.
      const bits = new BigUint64Array(values.buffer);
      for (let i = 1; i < bits.length; i++) if (next() < stale) bits[i] = STALE;
    }
    series.push({ labels, timestamps: Float64Array.from(timestamps), values, exact, plain: values.every(Number.isFinite) });
  };

  const clocks = Object.keys(CLOCKS);
  for (const kind of Object.keys(VALUES)) {
    for (const clock of clocks) {
      add(
        { __name__: `test_${kind}`, job: next.pick(["node", "api", "db"]), clock, instance: `host-${next.integer(12)}:9100` },
        CLOCKS[clock](next),
        kind,
      );
    }
  }
  // More than one block a series, and blocks whose timestamps are shared with their neighbours'.
  const shared = regular(next, FIRST_TIME + 3 * DAY, 15 * SECOND, 20_000);
  for (const kind of ["counter", "gauge_integer", "gauge_decimal", "constant"]) {
    add({ __name__: "test_long", kind, job: "node" }, shared, kind);
  }
  for (let cpu = 0; cpu < 8; cpu++) {
    for (const mode of ["idle", "user", "system", "iowait"]) {
      add(
        { __name__: "node_cpu_seconds_total", cpu: String(cpu), mode, job: "node", instance: "host-1:9100" },
        shared.slice(0, 900),
        "gauge_decimal",
      );
    }
  }
  for (const [i, labels] of ODD_LABELS.entries()) {
    const times = regular(next, FIRST_TIME + i * HOUR, MINUTE, 50);
    add({ __name__: "test_odd_labels", n: String(i), ...labels }, times, "gauge_integer");
  }
  // The same labels with and without one more, so that keys that are prefixes of others meet.
  add({ __name__: "test_odd_labels" }, regular(next, FIRST_TIME, MINUTE, 50), "counter");
  add({ __name__: "тест_имя:日本" }, regular(next, FIRST_TIME, MINUTE, 50), "counter");
  // Several samples of one instant: equal ones and different ones.
  const doubled = regular(next, FIRST_TIME + 30 * DAY, MINUTE, 200).flatMap((time) => [time, time]);
  add({ __name__: "test_duplicates", kind: "equal" }, doubled, "constant");
  add({ __name__: "test_duplicates", kind: "different" }, doubled, "counter");
  add({ __name__: "test_duplicates", kind: "one_instant" }, new Array(300).fill(FIRST_TIME + 31 * DAY), "counter");
  return series;
}

/**
 * Cuts the series into batches as they might arrive: several sources side by side, each mostly in order, some late, a few
 * samples within a batch out of order.
 *
 * @param {GeneratedSeries[]} series
 * @returns {{ series: number, timestamps: Float64Array, values: Float64Array }[]}
 */
export function batches(series, seed = 2) {
  const next = random(seed);
  const all = [];
  for (const [index, { timestamps, values }] of series.entries()) {
    const size = next.pick([50, 400, 3000]);
    for (let from = 0; from < timestamps.length; from += size) {
      const to = Math.min(from + size, timestamps.length);
      const batch = { series: index, timestamps: timestamps.slice(from, to), values: values.slice(from, to), arrival: timestamps[from] };
      if (next() < 0.2) batch.arrival += next.integer(50 * DAY);
      if (next() < 0.2) swapSome(batch, next);
      all.push(batch);
    }
  }
  return all.sort((a, b) => a.arrival - b.arrival || a.series - b.series);
}

/** Exchanges pairs of samples; the values as bits, so that a staleness marker stays one. */
function swapSome({ timestamps, values }, next) {
  const bits = new BigUint64Array(values.buffer);
  for (let n = Math.ceil(timestamps.length / 10); n > 0; n--) {
    const [i, j] = [next.integer(timestamps.length), next.integer(timestamps.length)];
    [timestamps[i], timestamps[j]] = [timestamps[j], timestamps[i]];
    [bits[i], bits[j]] = [bits[j], bits[i]];
  }
}

/** One batch as a line for `/api/v1/import`. */
export function jsonLine(labels, { timestamps, values }) {
  return `${JSON.stringify({ metric: labels, values: [...values], timestamps: [...timestamps] })}\n`;
}

/**
 * The n-th of a row of scrapes made from one: counters go on, some gauges move.
 *
 * @param {string} text one scrape in Prometheus text format
 */
export function laterScrape(text, n) {
  const next = random(1000 + n);
  return text.replace(/^([a-z_]+)(\{[^\n]*\})? (\S+)$/gim, (line, name, labels = "", value) => {
    const number = Number(value);
    if (!Number.isFinite(number)) return line;
    if (/_(total|count|sum)$/.test(name)) return `${name}${labels} ${number + n * (name.length % 7)}`;
    if (/_bytes$/.test(name) && number > 0) return `${name}${labels} ${Math.round(number / 4096 + 100 * next()) * 4096}`;
    if (/load\d+$/.test(name)) return `${name}${labels} ${(number + next()).toFixed(2)}`;
    return line;
  });
}
