// Reads what an exporter answers to GET /metrics: the series, their types and their values. The engine has its own parser,
// which takes in the scrape itself; the page needs to know what is a counter to let the scrape go on.

export type MetricType = "counter" | "gauge" | "histogram" | "summary" | "untyped";

export interface ScrapedSeries {
  /** `__name__` among them. */
  labels: Record<string, string>;
  /** Of the family it belongs to. */
  type: MetricType;
  value: number;
  /** The value as it was written. */
  text: string;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

export function parseExposition(text: string): ScrapedSeries[] {
  const types = new Map<string, MetricType>();
  const series: ScrapedSeries[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) {
      const [, keyword, name, type] = line.split(/\s+/);
      if (keyword === "TYPE" && name) types.set(name, (type as MetricType) ?? "untyped");
      continue;
    }
    const found = SAMPLE.exec(line);
    if (!found) continue;
    const [, name = "", inside = "", written = ""] = found;
    const labels: Record<string, string> = { __name__: name };
    for (const [, key = "", value = ""] of inside.matchAll(LABEL)) {
      labels[key] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    }
    const family = types.has(name) ? name : name.replace(/_(sum|count|bucket)$/, "");
    series.push({ labels, type: types.get(family) ?? "untyped", value: Number(written), text: written });
  }
  return series;
}
