// When the differential tests ask: seconds since the epoch, as requests have them.
import { DENSE_END, DENSE_START, SPARSE_END, SPARSE_START } from "./data.mjs";

const HOUR = 3600;
const [start, end] = [DENSE_START / 1000, DENSE_END / 1000];

/**
 * @param {boolean} offEdges a quarter of a second later, where no sample and no multiple of a second lies
 * @returns {{ instants: { time: number }[], ranges: { start: number, end: number, step: number }[] }}
 */
export function queryTimes(offEdges = false) {
  const late = offEdges ? 0.25 : 0;
  /** In the midst of the scrapes, on no edge, and where most series have ended. */
  const instants = [start + 2.1 * HOUR, start + 4 * HOUR + 7.5, end + 200].map((time) => ({ time: time + late }));
  /** Step by step, finer than the scrapes, coarse across the month's end, beyond both ends, and over months. */
  const ranges = [
    { start: start + 2 * HOUR, end: start + 2.5 * HOUR, step: 60 },
    { start: start + 3 * HOUR + 3, end: start + 3 * HOUR + 200, step: 7 },
    { start: start + 0.25, end, step: 613 },
    { start: start - HOUR, end: end + HOUR, step: 600 },
    { start: SPARSE_START / 1000 - 86_400, end: SPARSE_END / 1000, step: 2 * 86_400 },
  ].map((range) => ({ ...range, start: range.start + late }));
  return { instants, ranges };
}
