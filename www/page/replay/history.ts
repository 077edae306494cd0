// The past of a machine that is scraped: one sample an hour for a month, one a minute for a day, one a second for the last
// quarter of an hour, as retention and down-sampling would have left it. The very first scrape is the real one.

import type { Database, SeriesHandle } from "sandglass";
import type { Machine } from "./machine";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The coarse past begins so long ago, and each step is used until the next, finer one takes over. */
const STEPS = [
  { from: 30 * DAY, every: HOUR },
  { from: DAY, every: MINUTE },
  { from: 15 * MINUTE, every: SECOND },
];

/** What a machine said between two instants: one column for each series, all with the same timestamps. */
export interface Stretch {
  timestamps: Float64Array;
  columns: Float64Array[];
}

/** The instants of the scrapes before `now`, oldest first, in stretches of one step each. */
export function instants(now: number): Float64Array[] {
  return STEPS.map(({ from, every }, index) => {
    const until = now - (STEPS[index + 1]?.from ?? 0);
    const times: number[] = [];
    for (let time = Math.ceil((now - from) / every) * every; time < until; time += every) times.push(time);
    return Float64Array.from(times);
  });
}

/** Lets the machine live through the instants; the first one is the scrape it was made from. Yields to the page now and then. */
export async function live(machine: Machine, stretches: Float64Array[], breathe: () => Promise<void>): Promise<Stretch[]> {
  const lived: Stretch[] = [];
  let last = Number.NaN;
  for (const timestamps of stretches) {
    const columns = Array.from(machine.values, () => new Float64Array(timestamps.length));
    for (let step = 0; step < timestamps.length; step++) {
      const time = timestamps[step] as number;
      if (!Number.isNaN(last)) machine.advance((time - last) / SECOND, time / SECOND);
      last = time;
      machine.values.forEach((value, series) => {
        (columns[series] as Float64Array)[step] = value;
      });
      if (step % 40 === 39) await breathe();
    }
    lived.push({ timestamps, columns });
  }
  return lived;
}

/** Stores the stretches, the newest first, so that the chart has its present before its past. */
export async function store(
  database: Database,
  handles: readonly SeriesHandle[],
  stretches: readonly Stretch[],
  progress: (samplesDone: number, samplesTotal: number) => void,
): Promise<void> {
  const total = stretches.reduce((sum, { timestamps }) => sum + timestamps.length * handles.length, 0);
  let done = 0;
  for (const { timestamps, columns } of stretches.toReversed()) {
    // What has been stored so far can be drawn while the rest is on its way.
    if (done > 0) await database.flush();
    for (const [index, handle] of handles.entries()) {
      await database.append(handle, timestamps, columns[index] as Float64Array);
      done += timestamps.length;
      progress(done, total);
    }
  }
}
