// The entry `sandglass/uplot`: results as uPlot takes them.

import type { RangeResult } from "./api/queries.js";
import type { SeriesData } from "./api/samples.js";

/** One column of seconds, then one of values for each series; `null` where there is no value, which breaks the line. */
export type AlignedData = [number[] | Float64Array, ...(number | null)[][]];

/**
 * The columns that `new uPlot(options, data)` and `setData` take.
 *
 * @example
 * ```ts
 * const plot = new uPlot(options, toAlignedData(await db.queryRange("rate(requests_total[1m])", { start, end, step: "15s" })));
 * ```
 */
export function toAlignedData(result: RangeResult | readonly SeriesData[]): AlignedData {
  return "timestamps" in result ? ofRange(result) : ofSeries(result);
}

function ofRange({ timestamps, series }: RangeResult): AlignedData {
  const columns = series.map(({ values }) => Array.from(values, (value) => (Number.isNaN(value) ? null : value)));
  return [Array.from(timestamps, (timestamp) => timestamp / 1000), ...columns];
}

function ofSeries(series: readonly SeriesData[]): AlignedData {
  const instants = Float64Array.from(new Set(series.flatMap(({ timestamps }) => Array.from(timestamps)))).sort();
  const places = new Map(Array.from(instants, (instant, place) => [instant, place]));
  const columns = series.map(({ timestamps, values }) => {
    const column = new Array<number | null>(instants.length).fill(null);
    for (let at = 0; at < timestamps.length; at++) {
      const value = values[at]!;
      if (!Number.isNaN(value)) column[places.get(timestamps[at]!)!] = value;
    }
    return column;
  });
  return [Array.from(instants, (instant) => instant / 1000), ...columns];
}
