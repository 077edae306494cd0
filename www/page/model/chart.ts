// From samples to what a chart can draw: one time axis for all series, gaps, decimation.

export interface Column {
  timestamps: Float64Array;
  values: Float64Array;
  /** Instants inside of the holes, where a line must break. */
  breaks?: readonly number[];
}

/** One time axis and, for each series, a value or null (nothing there) at each of its instants. */
export interface Table {
  times: number[];
  columns: (number | null)[][];
}

/** Time between samples above which two neighbours are no longer one line: several times the step on either side. */
const GAP_STEPS = 5;
const GAP_LEAST_MS = 5000;

/**
 * Cuts columns down to what `pixels` columns of a screen can show: of every pixel column each series keeps its first,
 * lowest, highest and last sample, so no spike is lost. Few enough samples stay as they are.
 */
export function decimate(column: Column, start: number, end: number, pixels: number): Column {
  const { timestamps, values, breaks = [] } = column;
  if (timestamps.length <= pixels * 4) return column;
  const kept: number[] = [];
  const width = (end - start) / pixels;
  let index = 0;
  while (index < timestamps.length) {
    const limit = start + (Math.floor(((timestamps[index] as number) - start) / width) + 1) * width;
    const first = index;
    let low = index;
    let high = index;
    for (; index < timestamps.length && (timestamps[index] as number) < limit; index++) {
      const value = values[index] as number;
      if (value < (values[low] as number) || Number.isNaN(values[low] as number)) low = index;
      if (value > (values[high] as number) || Number.isNaN(values[high] as number)) high = index;
    }
    // Rounding may leave a sample on the border of its own column.
    if (index === first) index++;
    for (const chosen of [...new Set([first, low, high, index - 1])].sort((a, b) => a - b)) kept.push(chosen);
  }
  return {
    timestamps: Float64Array.from(kept, (chosen) => timestamps[chosen] as number),
    values: Float64Array.from(kept, (chosen) => values[chosen] as number),
    breaks,
  };
}

/** Puts the columns on one time axis and breaks the lines where samples are missing. Times come out in seconds. */
export function align(columns: readonly Column[]): Table {
  const instants = new Set<number>();
  for (const { timestamps } of columns) for (const time of timestamps) instants.add(time);
  for (const { breaks = [] } of columns) for (const time of breaks) instants.add(time);
  const times = Float64Array.from(instants).sort();
  const aligned = columns.map(({ timestamps, values, breaks: holes = [] }) => {
    const column: (number | null | undefined)[] = new Array(times.length);
    const breaks = new Set(holes);
    let next = 0;
    for (let row = 0; row < times.length; row++) {
      const time = times[row] as number;
      while (next < timestamps.length && (timestamps[next] as number) < time) next++;
      if (next < timestamps.length && timestamps[next] === time) {
        const value = values[next] as number;
        column[row] = Number.isFinite(value) ? value : null;
      } else {
        // undefined: no sample here, the line goes on; null: a gap.
        column[row] = breaks.has(time) ? null : undefined;
      }
    }
    return column as (number | null)[];
  });
  return { times: Array.from(times, (time) => time / 1000), columns: aligned };
}

/** An instant inside of every hole: where the step is several times longer than the steps before and after it. Before decimation, which makes holes of its own. */
export function gaps(timestamps: Float64Array): number[] {
  const found: number[] = [];
  for (let i = 1; i + 1 < timestamps.length; i++) {
    const step = (timestamps[i + 1] as number) - (timestamps[i] as number);
    const before = (timestamps[i] as number) - (timestamps[i - 1] as number);
    const after = i + 2 < timestamps.length ? (timestamps[i + 2] as number) - (timestamps[i + 1] as number) : before;
    if (step > GAP_LEAST_MS && step > GAP_STEPS * Math.max(before, after)) found.push((timestamps[i] as number) + 1);
  }
  return found;
}

/** What tells the series apart: the labels that differ among them, and their name when that differs or nothing else does. */
export function distinguish(sets: readonly Record<string, string>[]): string[] {
  const keys = [...new Set(sets.flatMap((labels) => Object.keys(labels)))];
  const differing = keys.filter((key) => new Set(sets.map((labels) => labels[key] ?? "")).size > 1);
  return sets.map((labels) => {
    const name = labels.__name__ ?? "";
    const told = differing.filter((key) => key !== "__name__" && labels[key] !== undefined).map((key) => spoken(key, labels[key] ?? ""));
    if (differing.includes("__name__") || told.length === 0) told.unshift(name);
    return told.join(" · ");
  });
}

/** A number says little without what it numbers. */
const spoken = (key: string, value: string): string => (/^\d*$/.test(value) ? `${key} ${value}` : value);

export type Unit = "bytes" | "seconds" | "share" | "plain";

/** What the values are counted in, by the exporter's naming rules. */
export function unitOf(name: string, rate: boolean): Unit {
  if (/_bytes(_total)?$|_bytes_|Octets$/.test(name)) return "bytes";
  // Seconds a second are a share of one processor.
  if (/_seconds(_total)?$/.test(name)) return rate ? "share" : "seconds";
  return "plain";
}
