// The data sets of the benchmarks. Runs in Node and in browsers; the same everywhere.
import { readExport } from "../test/server/exports.mjs";
import { random } from "../test/server/generate.mjs";

/**
 * @typedef {object} DataSet
 * @property {string} name
 * @property {{ labels: Record<string, string>, timestamps: Float64Array, values: Float64Array }[]} series each sorted by time
 * @property {number} samples
 */

export const HOUR = 3600_000;
const STEP = 10_000;
const START = Date.UTC(2016, 0, 1);

const GAUGES = ["user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"];
const REGIONS = ["us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "sa-east-1"];

/**
 * The shape of TSBS "cpu-only": hosts of ten gauges each, every ten seconds; a gauge is the integer part of a walk in 0..100
 * by normal steps. All series of all hosts have the same clock.
 *
 * @param {number} [hosts]
 * @param {number} [hours]
 * @param {number} [decimals] places behind the point that are kept
 * @returns {DataSet}
 */
export function cpuOnly(hosts = 100, hours = 24, decimals = 0) {
  const unit = 10 ** decimals;
  const next = random(123);
  const count = (hours * HOUR) / STEP;
  const timestamps = Float64Array.from({ length: count }, (_, i) => START + i * STEP);
  const series = [];
  for (let host = 0; host < hosts; host++) {
    const region = next.pick(REGIONS);
    const tags = {
      hostname: `host_${host}`,
      region,
      datacenter: region + next.pick(["a", "b", "c"]),
      rack: String(next.integer(100)),
      os: next.pick(["Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"]),
      arch: next.pick(["x64", "x86"]),
      team: next.pick(["SF", "NYC", "LON", "CHI"]),
      service: String(next.integer(20)),
      service_version: String(next.integer(2)),
      service_environment: next.pick(["production", "staging", "test"]),
    };
    for (const gauge of GAUGES) {
      const values = new Float64Array(count);
      let state = next() * 100;
      for (let i = 0; i < count; i++) {
        state = Math.min(100, Math.max(0, state + next.normal()));
        values[i] = Math.floor(state * unit) / unit;
      }
      series.push({ labels: { __name__: `cpu_usage_${gauge}`, ...tags }, timestamps, values });
    }
  }
  return { name: "cpu-only", series, samples: series.length * count };
}

/** Data sets that are exports of a real server's snapshots, and the files that hold them. */
export const RECORDED = ["node_exporter", "nab", "mixed"];

/** The bits of the staleness marker. */
const STALE = 0x7ff0000000000002n;

/**
 * @param {string} name
 * @param {ReadableStream<Uint8Array>} gzipped the recorded export
 * @returns {Promise<DataSet>}
 */
export async function fromExport(name, gzipped) {
  const recorded = [...(await readExport(gzipped.pipeThrough(new DecompressionStream("gzip")))).values()];
  // An export prints the staleness marker as `null`. It is one exact NaN, which is put back by its bits: assigned as a number it
  // might become another NaN, and the server, which holds the markers, would be measured with more samples than the others.
  for (const { values } of recorded) {
    const bits = new BigUint64Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) bits[i] = STALE;
  }
  // What has no sample cannot be put in.
  const series = recorded.filter(({ timestamps }) => timestamps.length > 0);
  return { name, series, samples: series.reduce((sum, { timestamps }) => sum + timestamps.length, 0) };
}

/** Label values as the text format escapes them. */
const escape = (text) => text.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`));

/**
 * The first hours of a data set whose series share one clock, as Prometheus text in the order of scrapes.
 *
 * @returns {{ body: Uint8Array, samples: number }}
 */
export function prometheusText({ series }, hours) {
  const { timestamps } = series[0];
  const end = timestamps[0] + hours * HOUR;
  const heads = series.map(({ labels: { __name__: name, ...rest } }) => {
    const set = Object.entries(rest).map(([label, value]) => `${label}="${escape(value)}"`);
    return `${name}{${set.join(",")}} `;
  });
  const encoder = new TextEncoder();
  const pieces = [];
  let size = 0;
  let samples = 0;
  for (let i = 0; i < timestamps.length && timestamps[i] < end; i++) {
    const tail = ` ${timestamps[i]}\n`;
    const bytes = encoder.encode(series.map(({ values }, s) => heads[s] + values[i] + tail).join(""));
    pieces.push(bytes);
    size += bytes.length;
    samples += series.length;
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return { body, samples };
}

/** The first hours of a data set whose series share one clock, as bodies that `make` makes of each scrape's samples. */
export function bodiesOf({ series }, hours, make) {
  const { timestamps } = series[0];
  const count = timestamps.findIndex((time) => time >= timestamps[0] + hours * HOUR);
  const scrapes = Array.from(timestamps.subarray(0, count < 0 ? timestamps.length : count));
  return { bodies: scrapes.map((timestamp, at) => make(timestamp, at)), samples: scrapes.length * series.length };
}

/** One hour after the other, each series' samples of that hour: `visit(series index, timestamps, values)`. */
export async function eachSeriesHour({ series }, visit) {
  const from = new Array(series.length).fill(0);
  let first = Infinity;
  let last = -Infinity;
  for (const { timestamps } of series) {
    // One without samples has no bounds, and would make the loop below endless.
    if (timestamps.length === 0) continue;
    first = Math.min(first, timestamps[0]);
    last = Math.max(last, timestamps[timestamps.length - 1]);
  }
  // Long and sparse data goes in by larger steps, so that a call has some samples to take.
  const step = Math.max(HOUR, (last - first) / 100);
  if (last === -Infinity) return;
  for (let end = first + step; ; end += step) {
    for (let s = 0; s < series.length; s++) {
      const { timestamps, values } = series[s];
      let to = from[s];
      while (to < timestamps.length && timestamps[to] < end) to++;
      if (to > from[s]) await visit(s, timestamps.subarray(from[s], to), values.subarray(from[s], to));
      from[s] = to;
    }
    if (end > last) return;
  }
}
