// Series on their way out of a worker.

import type { Labels, SeriesData } from "../api/samples.js";

/** From so many samples on a series travels in its own buffers; a buffer costs more to hand over than a few samples to copy. */
const LONG_SAMPLES = 4_096;

/**
 * Some series. `labels` are their label sets as JSON text, which is read faster than objects are cloned. Of each series `lengths`
 * has the number of samples; the columns of short ones lie in `columns` one after the other, those of long ones are in `long`.
 */
export interface PackedSeries {
  labels: string;
  lengths: Uint32Array<ArrayBuffer>;
  columns: Float64Array<ArrayBuffer>;
  long: Float64Array[];
}

export function packSeries(series: SeriesData[]): PackedSeries {
  const lengths = Uint32Array.from(series, ({ values }) => values.length);
  const columns = new Float64Array(lengths.reduce((sum, length) => (length < LONG_SAMPLES ? sum + 2 * length : sum), 0));
  const long: Float64Array[] = [];
  let at = 0;
  for (const { timestamps, values } of series) {
    if (values.length >= LONG_SAMPLES) {
      long.push(timestamps, values);
      continue;
    }
    columns.set(timestamps, at);
    columns.set(values, at + values.length);
    at += 2 * values.length;
  }
  return { labels: JSON.stringify(series.map(({ labels }) => labels)), lengths, columns, long };
}

export function buffersOfSeries({ lengths, columns, long }: PackedSeries): Transferable[] {
  return [lengths, columns, ...long].map(({ buffer }) => buffer as ArrayBuffer);
}

/** Every column has a buffer of its own again. */
export function unpackSeries({ labels, lengths, columns, long }: PackedSeries): SeriesData[] {
  let [at, longAt] = [0, 0];
  return (JSON.parse(labels) as Labels[]).map((labels, i) => {
    const length = lengths[i]!;
    if (length >= LONG_SAMPLES) return { labels, timestamps: long[longAt++]!, values: long[longAt++]! };
    return { labels, timestamps: columns.slice(at, (at += length)), values: columns.slice(at, (at += length)) };
  });
}
