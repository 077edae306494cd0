// The entry `sandglass/uplot`: results as uPlot takes them.

import type { RangeResult } from "./api/queries.js";
import type { SeriesData } from "./api/samples.js";

/**
 * One column of seconds, then one of values for each series. `null` breaks the line: there is no value there, or none that can be drawn.
 * `undefined` does not: it is an instant that only other series have.
 */
export type AlignedData = [number[] | Float64Array, ...(number | null | undefined)[][]];

/**
 * The columns that `new uPlot(options, data)` and `setData` take.
 *
 * Of a range, a step at which a series has no value breaks its line. Of raw samples, a staleness marker does, as does an infinity;
 * instants that only other series have do not, nor does a long time without samples: ask for a range where that is to be seen.
 *
 * @example
 * ```ts
 * const plot = new uPlot(options, toAlignedData(await db.queryRange("rate(requests_total[1m])", { start, end, step: "15s" })));
 * ```
 */
export function toAlignedData(result: RangeResult | readonly SeriesData[]): AlignedData {
  return "timestamps" in result ? ofRange(result) : ofSeries(result);
}

function drawn(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function ofRange({ timestamps, series }: RangeResult): AlignedData {
  const columns = series.map(({ values }) => Array.from(values, drawn));
  return [Array.from(timestamps, (timestamp) => timestamp / 1000), ...columns];
}

function ofSeries(series: readonly SeriesData[]): AlignedData {
  const instants = Float64Array.from(new Set(series.flatMap(({ timestamps }) => Array.from(timestamps)))).sort();
  const places = new Map(Array.from(instants, (instant, place) => [instant, place]));
  const columns = series.map(({ timestamps, values }) => {
    const column = new Array<number | null | undefined>(instants.length).fill(undefined);
    for (let at = 0; at < timestamps.length; at++) {
      const place = places.get(timestamps[at]!)!;
      // Of several samples of one instant the last that can be drawn.
      column[place] = drawn(values[at]!) ?? column[place] ?? null;
    }
    return column;
  });
  return [Array.from(instants, (instant) => instant / 1000), ...columns];
}
