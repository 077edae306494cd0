// What the series are made of: which metrics, labels and values there are most series of.

import type { Database } from "sandglass";
import type { Range } from "./explorer";

export interface Heaviest {
  name: string;
  count: number;
}

export interface Counted {
  series: number;
  /** Different metrics, labels and pairs, of which the lists hold the heaviest. */
  metrics: number;
  labels: number;
  pairs: number;
  byMetric: Heaviest[];
  byLabel: Heaviest[];
  byPair: (Heaviest & { label: string; value: string })[];
  /** Different values of each label. */
  valuesOfLabel: Heaviest[];
  /** Series of each value of the label that is looked at. */
  byFocus: Heaviest[];
}

/** Names of more series are not worth the wait. */
const MOST_SERIES = 300_000;
const LISTED = 15;

/** Counts the series that exist on the days of a range. */
export async function countSeries(
  database: Database,
  selector: string,
  focus: string,
  range: Pick<Range, "start" | "end">,
  signal: AbortSignal,
): Promise<Counted> {
  const within = { start: range.start, end: range.end, signal };
  const series = await database.count(selector || undefined, within);
  if (series > MOST_SERIES)
    throw new Error(`${series} series match, and up to ${MOST_SERIES} are counted here. Narrow the selector or the range.`);
  return counted(await database.labels(selector || undefined, within), focus);
}

export function counted(sets: readonly Record<string, string>[], focus: string): Counted {
  const metrics = new Map<string, number>();
  const labels = new Map<string, number>();
  const focused = new Map<string, number>();
  const values = new Map<string, Map<string, number>>();
  const add = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  for (const set of sets) {
    add(metrics, set.__name__ ?? "");
    for (const [label, value] of Object.entries(set)) {
      add(labels, label);
      const known = values.get(label) ?? new Map<string, number>();
      add(known, value);
      values.set(label, known);
      if (label === focus) add(focused, value);
    }
  }
  const pairs = [...values].flatMap(([label, found]) =>
    [...found].map(([value, count]) => ({ label, value, name: `${label}=${JSON.stringify(value)}`, count })),
  );
  return {
    series: sets.length,
    metrics: metrics.size,
    labels: labels.size,
    pairs: pairs.length,
    byMetric: heaviest(metrics),
    byLabel: heaviest(labels),
    byPair: pairs.sort(heavier).slice(0, LISTED),
    valuesOfLabel: heaviest(new Map([...values].map(([label, found]) => [label, found.size]))),
    byFocus: heaviest(focused),
  };
}

const heavier = (a: Heaviest, b: Heaviest): number => b.count - a.count || (a.name < b.name ? -1 : 1);

const heaviest = (counts: ReadonlyMap<string, number>): Heaviest[] =>
  [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort(heavier)
    .slice(0, LISTED);
