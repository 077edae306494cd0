// What makes a database heavy: which labels have many values, which values many series, which metrics many samples.

import type { BlockHeader } from "sandglass";

export type Labels = Readonly<Record<string, string>>;

export interface LabelWeight {
  name: string;
  /** Different values it has. */
  values: number;
  /** Series that carry it. */
  series: number;
}

export interface ValueWeight {
  value: string;
  series: number;
}

export interface MetricWeight {
  name: string;
  series: number;
  samples: number;
  /** Data and headers of its blocks, before the headers are compressed. */
  bytes: number;
}

/** The labels of these series, those with the most values first; the metrics' name is one of them. */
export function labelWeights(sets: readonly Labels[]): LabelWeight[] {
  const found = new Map<string, { values: Set<string>; series: number }>();
  for (const labels of sets) {
    for (const [name, value] of Object.entries(labels)) {
      let label = found.get(name);
      if (!label) found.set(name, (label = { values: new Set(), series: 0 }));
      label.values.add(value);
      label.series++;
    }
  }
  return [...found]
    .map(([name, { values, series }]) => ({ name, values: values.size, series }))
    .sort((a, b) => b.values - a.values || b.series - a.series || (a.name < b.name ? -1 : 1));
}

/** The values of one label, those of the most series first. */
export function valueWeights(sets: readonly Labels[], name: string): ValueWeight[] {
  const found = new Map<string, number>();
  for (const labels of sets) {
    const value = labels[name];
    if (value !== undefined) found.set(value, (found.get(value) ?? 0) + 1);
  }
  return [...found].map(([value, series]) => ({ value, series })).sort((a, b) => b.series - a.series || (a.value < b.value ? -1 : 1));
}

/** The series that have all these values. */
export function narrowed(sets: readonly Labels[], chosen: readonly (readonly [name: string, value: string])[]): readonly Labels[] {
  return chosen.length === 0 ? sets : sets.filter((labels) => chosen.every(([name, value]) => labels[name] === value));
}

const HEADER_BYTES = 81;

/** Adds up blocks by the metric that they are of. */
export class Scales {
  readonly #metrics = new Map<string, MetricWeight>();

  /** Every metric has its series, whether any block of it comes or not. */
  constructor(sets: readonly Labels[]) {
    for (const { value: name, series } of valueWeights(sets, "__name__")) this.#metrics.set(name, { name, series, samples: 0, bytes: 0 });
  }

  /** Blocks of a part in their order: neighbours with the same timestamps share one copy of them. */
  add(headers: readonly BlockHeader[]): void {
    let shared = -1;
    for (const { labels, rows, timestampsBytes, timestampsOffset, valuesBytes } of headers) {
      const metric = this.#metrics.get(labels?.__name__ ?? "");
      const times = timestampsOffset === shared ? 0 : timestampsBytes;
      shared = timestampsOffset;
      if (!metric) continue;
      metric.samples += rows;
      metric.bytes += times + valuesBytes + HEADER_BYTES;
    }
  }

  /** The heaviest first. */
  get metrics(): MetricWeight[] {
    return [...this.#metrics.values()].sort((a, b) => b.bytes - a.bytes || b.series - a.series || (a.name < b.name ? -1 : 1));
  }
}
