// From the buckets of a histogram to a map: times to the right, buckets upwards, how many observations as heat.

import type { RangeResult } from "sandglass";

export interface Heat {
  /** Milliseconds. */
  times: Float64Array;
  /** From the lowest bucket up; each a text and a count at every time, NaN where there is none. */
  rows: { low: number; high: number; counts: Float64Array }[];
  max: number;
  /** Histograms that were added up: more than one when other labels than the bucket's tell series apart. */
  histograms: number;
}

/** Buckets with `le`, each of which holds those below it, or with `vmrange`; undefined for what is no histogram. */
export function heatOf({ timestamps, series }: RangeResult): Heat | undefined {
  const histograms = new Set<string>();
  const cumulative = new Map<number, Float64Array>();
  const ranges = new Map<string, { low: number; high: number; counts: Float64Array }>();
  for (const { labels, values } of series) {
    const { le, vmrange, ...others } = labels;
    const bound = le === undefined ? Number.NaN : Number(le.replace(/^\+?Inf$/i, "Infinity"));
    const [low = Number.NaN, high = Number.NaN] = vmrange?.split("...").map(Number) ?? [];
    if (!Number.isNaN(bound)) {
      cumulative.set(bound, added(cumulative.get(bound), values));
    } else if (low < high || (low === high && !Number.isNaN(low))) {
      const known = ranges.get(vmrange ?? "");
      ranges.set(vmrange ?? "", { low, high, counts: added(known?.counts, values) });
    } else {
      continue;
    }
    histograms.add(JSON.stringify(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1))));
  }
  const rows = [...ranges.values()];
  let below: { bound: number; counts: Float64Array } | undefined;
  for (const [bound, counts] of [...cumulative].sort(([a], [b]) => a - b)) {
    const lower = below;
    rows.push({
      low: lower?.bound ?? Number.NEGATIVE_INFINITY,
      high: bound,
      // Servers are scraped bucket by bucket, so that one may be behind the one below it.
      counts: lower ? counts.map((count, i) => Math.max(0, count - (lower.counts[i] as number))) : counts,
    });
    below = { bound, counts };
  }
  if (rows.length === 0) return undefined;
  rows.sort((a, b) => a.high - b.high || a.low - b.low);
  let max = 0;
  for (const { counts } of rows) for (const count of counts) if (count > max) max = count;
  return { times: timestamps, rows, max, histograms: histograms.size };
}

function added(sum: Float64Array | undefined, values: Float64Array): Float64Array {
  if (!sum) return values.slice();
  return sum.map((count, i) => {
    const value = values[i] as number;
    return Number.isNaN(count) ? value : Number.isNaN(value) ? count : count + value;
  });
}
