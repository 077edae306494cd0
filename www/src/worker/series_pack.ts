// Series on their way out of a worker.

import type { SeriesPiece } from "../port/series.js";

/** From so many samples on a series travels in its own buffers; a buffer costs more to hand over than a few samples to copy. */
const LONG_SAMPLES = 4_096;

/**
 * Some series, with their label sets as the engine has written them. Of each series `lengths` has the number of samples; the columns
 * of short ones lie in `columns` one after the other, those of long ones are in `long`.
 */
export interface PackedSeries {
  labels: SeriesPiece["labels"];
  lengths: Uint32Array<ArrayBuffer>;
  columns: Float64Array<ArrayBuffer>;
  long: Float64Array[];
}

export function packSeries({ labels, columns }: SeriesPiece): PackedSeries {
  const lengths = Uint32Array.from({ length: columns.length / 2 }, (_, i) => columns[2 * i]!.length);
  const short = new Float64Array(lengths.reduce((sum, length) => (length < LONG_SAMPLES ? sum + 2 * length : sum), 0));
  const long: Float64Array[] = [];
  let at = 0;
  for (const column of columns) {
    if (column.length >= LONG_SAMPLES) {
      long.push(column);
      continue;
    }
    short.set(column, at);
    at += column.length;
  }
  return { labels, lengths, columns: short, long };
}

export function buffersOfSeries({ lengths, columns, long }: PackedSeries): Transferable[] {
  return [lengths, columns, ...long].map(({ buffer }) => buffer as ArrayBuffer);
}

/** Every column has a buffer of its own again. */
export function unpackSeries({ labels, lengths, columns, long }: PackedSeries): SeriesPiece {
  let [at, longAt] = [0, 0];
  const own: Float64Array[] = [];
  for (const length of lengths) {
    // Timestamps, then values.
    for (let half = 0; half < 2; half++) own.push(length >= LONG_SAMPLES ? long[longAt++]! : columns.slice(at, (at += length)));
  }
  return { labels, columns: own };
}
