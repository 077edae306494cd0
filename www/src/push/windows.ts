// The windows of time that a push goes through, and how much is in them.

import type { EngineState } from "../api/state.js";
import type { Span } from "./checkpoint.js";

/** A part's rows lie in it. */
export interface Extent extends Span {
  rows: number;
}

/** Where there are samples. */
export function extentsOf({ partitions }: EngineState): Extent[] {
  return partitions
    .flatMap(({ parts }) => parts.map(({ minTimestamp, maxTimestamp, rows }) => ({ start: minTimestamp, end: maxTimestamp, rows })))
    .sort((a, b) => a.start - b.start);
}

/**
 * The windows between two instants, both included, in which there may be samples, in order. They begin and end with multiples of `unitMs`,
 * so that those of another try are the same.
 */
export function* windows(extents: readonly Extent[], start: number, end: number, unitMs: number): Generator<Span> {
  let from = start;
  for (const extent of extents) {
    from = Math.max(from, extent.start);
    const to = Math.min(extent.end, end);
    while (from <= to) {
      const window = { start: from, end: Math.min(Math.floor(from / unitMs) * unitMs + unitMs - 1, end) };
      yield window;
      from = window.end + 1;
    }
  }
}

/** About how many samples there are between two instants, all parts' samples being spread evenly. */
export function rowsBetween(extents: readonly Extent[], start: number, end: number): number {
  let sum = 0;
  for (const extent of extents) {
    const [from, to] = [Math.max(start, extent.start), Math.min(end, extent.end)];
    if (from <= to) sum += (extent.rows * (to - from + 1)) / (extent.end - extent.start + 1);
  }
  return sum;
}
