// Appends on their way to a worker: the calls of one task of the page become the columns of one message.

import { copyNumbers } from "../base/numbers.js";

/** Samples of one message; a call with more has a message of its own. */
export const BATCH_SAMPLES = 16_384;

/**
 * Calls in a row. A call is three entries of `calls`: its kind, the handle of its series, and how many samples it has. The samples
 * of all calls lie one after the other in `values`; so do their `timestamps`, of which a row has one alone, and the `series` of
 * rows. Timestamps of calls that came with big integers are the bits of these.
 */
export interface Packed {
  calls: Uint32Array<ArrayBuffer>;
  timestamps: Float64Array<ArrayBuffer>;
  values: Float64Array<ArrayBuffer>;
  series: Uint32Array<ArrayBuffer>;
}

export type Timestamps = Float64Array | BigInt64Array | readonly number[];
export type Values = Float64Array | readonly number[];

const NUMBERS = 0;
const BIG_INTEGERS = 1;
const ROW = 2;

/** Collects calls. What the caller hands in is copied at once. */
export class Batch {
  readonly #columns = columns(BATCH_SAMPLES);
  #calls: number[] = [];
  #timestamps = 0;
  #values = 0;
  #series = 0;

  /** Whether a call of so many samples can be added. */
  hasRoom(samples: number): boolean {
    // A row has a timestamp even when it has no sample.
    return Math.max(this.#values, this.#timestamps) + Math.max(samples, 1) <= BATCH_SAMPLES;
  }

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  add(series: number, timestamps: Timestamps, values: Values): void {
    const { length } = timestamps;
    const isBig = copyTimestamps(this.#columns.timestamps, this.#timestamps, timestamps);
    copy(this.#columns.values, this.#values, values);
    this.#calls.push(isBig ? BIG_INTEGERS : NUMBERS, series, length);
    this.#timestamps += length;
    this.#values += length;
  }

  addRow(fill: (target: Uint32Array, from: number, count: number) => void, timestamp: number, values: Values): void {
    const { length } = values;
    fill(this.#columns.series.subarray(this.#series, this.#series + length), 0, length);
    copy(this.#columns.values, this.#values, values);
    this.#columns.timestamps[this.#timestamps++] = timestamp;
    this.#calls.push(ROW, 0, length);
    this.#values += length;
    this.#series += length;
  }

  /** What was collected, in buffers of its own. */
  take(): Packed {
    const { timestamps, values, series } = this.#columns;
    const packed = {
      calls: Uint32Array.from(this.#calls),
      timestamps: timestamps.slice(0, this.#timestamps),
      values: values.slice(0, this.#values),
      series: series.slice(0, this.#series),
    };
    this.#calls = [];
    this.#timestamps = this.#values = this.#series = 0;
    return packed;
  }
}

/** One long call by itself. */
export function packLong(series: number, timestamps: Timestamps, values: Values): Packed {
  const packed = columns(values.length, 0);
  const isBig = copyTimestamps(packed.timestamps, 0, timestamps);
  copy(packed.values, 0, values);
  return { ...packed, calls: Uint32Array.of(isBig ? BIG_INTEGERS : NUMBERS, series, values.length) };
}

/** One long row by itself. */
export function packLongRow(fill: (target: Uint32Array, from: number, count: number) => void, timestamp: number, values: Values): Packed {
  const packed = { ...columns(values.length), timestamps: Float64Array.of(timestamp) };
  fill(packed.series, 0, values.length);
  copy(packed.values, 0, values);
  return { ...packed, calls: Uint32Array.of(ROW, 0, values.length) };
}

/** Carries out the calls one by one, on whoever takes them. */
export function unpack(
  { calls, timestamps, values, series }: Packed,
  append: (series: number, timestamps: Float64Array | BigInt64Array, values: Float64Array) => void,
  appendRow: (series: Uint32Array, timestamp: number, values: Float64Array) => void,
): void {
  let [timestampsAt, valuesAt, seriesAt] = [0, 0, 0];
  for (let at = 0; at < calls.length; at += 3) {
    const [kind, handle, count] = [calls[at]!, calls[at + 1]!, calls[at + 2]!];
    const own = values.subarray(valuesAt, (valuesAt += count));
    if (kind === ROW) {
      appendRow(series.subarray(seriesAt, (seriesAt += count)), timestamps[timestampsAt++]!, own);
      continue;
    }
    const times = timestamps.subarray(timestampsAt, (timestampsAt += count));
    append(handle, kind === BIG_INTEGERS ? new BigInt64Array(times.buffer, times.byteOffset, count) : times, own);
  }
}

function columns(samples: number, seriesOf = samples): Omit<Packed, "calls"> {
  return { timestamps: new Float64Array(samples), values: new Float64Array(samples), series: new Uint32Array(seriesOf) };
}

function copy(target: Float64Array, at: number, source: Values): void {
  copyNumbers(target, at, source, 0, source.length);
}

/** Tells whether they are big integers, whose bits lie in the column then. */
function copyTimestamps(target: Float64Array<ArrayBuffer>, at: number, source: Timestamps): boolean {
  const isBig = source instanceof BigInt64Array;
  if (isBig) new BigInt64Array(target.buffer).set(source, at);
  else copy(target, at, source);
  return isBig;
}
