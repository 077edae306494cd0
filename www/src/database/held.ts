// Answers that move on with the clock: what is held of the one before, and what was evaluated since, become the next.

import type { RangeResult, RangeSeries } from "../api/queries.js";

/** An answer, with what tells the engine of which moment it is and how far that holds. Another engine knows nothing of it. */
export interface HeldRange {
  result: RangeResult;
  standing: readonly number[];
}

/**
 * The series over `timestamps`: the first `kept` instants as they are in `held`, all others from `fresh`. Undefined if a series came that is
 * not held, whose place among the others the engine knows alone, and if the instants don't fit.
 */
export function joined(
  held: RangeResult,
  fresh: readonly RangeSeries[],
  timestamps: Float64Array,
  kept: number,
): RangeSeries[] | undefined {
  const moved = held.timestamps.indexOf(timestamps[0]!);
  if (moved < 0 || moved + kept > held.timestamps.length || fresh.some(({ values }) => kept + values.length !== timestamps.length)) return;
  const byLabels = new Map(fresh.map((series) => [JSON.stringify(series.labels), series]));
  const series: RangeSeries[] = [];
  for (const old of held.series) {
    const key = JSON.stringify(old.labels);
    const next = byLabels.get(key);
    byLabels.delete(key);
    const values = new Float64Array(timestamps.length).fill(Number.NaN);
    values.set(old.values.subarray(moved, moved + kept));
    if (next) values.set(next.values, kept);
    const hasValue = (at: number) => (at < kept ? isPresent(old, moved + at) : next !== undefined && isPresent(next, at - kept));
    if (!values.some((_, at) => hasValue(at))) continue;
    // Bits are there where a value is a real NaN.
    const needsBits = (old.present ?? next?.present) !== undefined && values.some((value, at) => Number.isNaN(value) && hasValue(at));
    series.push({ labels: old.labels, values, ...(needsBits && { present: bitsOf(timestamps.length, hasValue) }) });
  }
  return byLabels.size === 0 ? series : undefined;
}

function isPresent({ values, present }: RangeSeries, at: number): boolean {
  return present ? (present[at >> 3]! & (1 << (at & 7))) !== 0 : !Number.isNaN(values[at]);
}

function bitsOf(length: number, hasValue: (at: number) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(length / 8));
  for (let at = 0; at < length; at++) if (hasValue(at)) bits[at >> 3]! |= 1 << (at & 7);
  return bits;
}
