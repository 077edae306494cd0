// Reading and comparing `/api/v1/export` bodies, sample by sample and bit by bit. Runs in Node and in browsers.

/**
 * @typedef {object} Series
 * @property {Record<string, string>} labels
 * @property {Float64Array} timestamps in ascending order
 * @property {Float64Array} values of equal timestamps in the order of their bits
 */

const bits = new BigUint64Array(1);
const float = new Float64Array(bits.buffer);

/** The 64 bits of a float. Every NaN counts as one: the export prints them all as `null`. */
export function bitsOf(value) {
  if (Number.isNaN(value)) return 0x7ff8000000000000n;
  float[0] = value;
  return bits[0];
}

/** One text for one label set, whatever the order of its keys. */
export function seriesKey(labels) {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify(entries);
}

/**
 * Reads one line. The server writes bare infinities, which JSON does not know, and newer versions quote them.
 * A NaN is `null`, but a bare `NaN` where it is the first of the values.
 */
export function parseLine(line) {
  // Label values may hold any text, the arrays behind them hold numbers only: the last occurrence is the key.
  const arrays = line.lastIndexOf('"values":[');
  if (arrays < 0) throw new Error(`an export line without values: ${line.slice(0, 200)}`);
  const numbers = line
    .slice(arrays)
    .replace(/"?(?:([+-]?)Inf(?:inity)?|NaN)"?/g, (found, sign) => (found.includes("NaN") ? "null" : sign === "-" ? "-1e999" : "1e999"));
  const { metric, values, timestamps } = JSON.parse(line.slice(0, arrays) + numbers);
  if (values.length !== timestamps.length)
    throw new Error(`an export line with ${values.length} values and ${timestamps.length} timestamps`);
  return { metric, values: values.map((value) => (value === null ? NaN : value)), timestamps };
}

/** The lines of a stream of UTF-8 bytes. */
async function* linesOf(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    let from = 0;
    for (let end; (end = rest.indexOf("\n", from)) >= 0; from = end + 1) yield rest.slice(from, end);
    rest = rest.slice(from);
    if (done) break;
  }
  if (rest !== "") yield rest;
}

/**
 * Reads an export body into its canonical form: series by key, each sorted by time. A series may be spread over lines.
 *
 * @param {string | Uint8Array | ReadableStream<Uint8Array>} body
 * @returns {Promise<Map<string, Series>>}
 */
export async function readExport(body) {
  const stream = body instanceof ReadableStream ? body : new Blob([body]).stream();
  const pieces = new Map();
  for await (const line of linesOf(stream)) {
    if (line.trim() === "") continue;
    const { metric, values, timestamps } = parseLine(line);
    const key = seriesKey(metric);
    let found = pieces.get(key);
    if (found === undefined) pieces.set(key, (found = { labels: metric, timestamps: [], values: [] }));
    for (let i = 0; i < values.length; i++) {
      found.timestamps.push(timestamps[i]);
      found.values.push(values[i]);
    }
  }
  const series = new Map();
  for (const [key, { labels, timestamps, values }] of pieces) series.set(key, canonical(labels, timestamps, values));
  return series;
}

/** Sorts the samples of a series by time, those of one time by the bits of their values. */
export function canonical(labels, timestamps, values) {
  const order = Array.from(timestamps, (_, i) => i);
  order.sort((a, b) => {
    if (timestamps[a] !== timestamps[b]) return timestamps[a] - timestamps[b];
    const [x, y] = [bitsOf(values[a]), bitsOf(values[b])];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  return {
    labels,
    timestamps: Float64Array.from(order, (i) => timestamps[i]),
    values: Float64Array.from(order, (i) => values[i]),
  };
}

/** Number of samples of all series. */
export function sampleCount(series) {
  let count = 0;
  for (const { timestamps } of series.values()) count += timestamps.length;
  return count;
}

const short = (text) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/**
 * Compares two exports.
 *
 * @param {Map<string, Series>} expected
 * @param {Map<string, Series>} actual
 * @param {(a: number, b: number, series: Series) => boolean} [same] when two values are equal; default: bit by bit
 * @returns {string[]} what differs, one line a difference, at most one for a series; empty when they are equal
 */
export function differences(expected, actual, same = (a, b) => bitsOf(a) === bitsOf(b)) {
  const found = [];
  for (const [key, wanted] of expected) {
    const got = actual.get(key);
    if (got === undefined) {
      found.push(`${short(key)} is missing (${wanted.timestamps.length} samples)`);
      continue;
    }
    if (got.timestamps.length !== wanted.timestamps.length) {
      found.push(`${short(key)} has ${got.timestamps.length} samples, expected ${wanted.timestamps.length}`);
      continue;
    }
    for (let i = 0; i < wanted.timestamps.length; i++) {
      if (wanted.timestamps[i] !== got.timestamps[i]) {
        found.push(`${short(key)} sample ${i}: timestamp ${got.timestamps[i]}, expected ${wanted.timestamps[i]}`);
        break;
      }
      if (!same(wanted.values[i], got.values[i], wanted)) {
        const hex = (value) => `${Object.is(value, -0) ? "-0" : value} (0x${bitsOf(value).toString(16).padStart(16, "0")})`;
        found.push(`${short(key)} at ${wanted.timestamps[i]}: ${hex(got.values[i])}, expected ${hex(wanted.values[i])}`);
        break;
      }
    }
  }
  for (const key of actual.keys()) if (!expected.has(key)) found.push(`${short(key)} is not expected`);
  return found;
}

/** Throws with the first few differences, if there are any. */
export function assertSameExport(expected, actual, what, same) {
  const found = differences(expected, actual, same);
  if (found.length > 0) {
    throw new Error(`${what}: ${found.length} of ${expected.size} series differ\n  ${found.slice(0, 8).join("\n  ")}`);
  }
}
