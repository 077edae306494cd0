// What the room shows, as it stands behind the # of the address: the same address gives the same view.

import type { Dialect } from "sandglass";

export const SHAPES = ["chart", "table", "heatmap", "raw"] as const;
export type Shape = (typeof SHAPES)[number];

export interface Asked {
  expression: string;
  isHidden: boolean;
}

export const SORTS = ["name", "last", "min", "mean", "max"] as const;
export type SortKey = (typeof SORTS)[number];

export const SOURCES = ["own", "snapshot", "example", "kept"] as const;

/** Which database is asked. */
export interface Source {
  /** The page's own one; what was opened from a file, whose bytes are in no address; the example; or one that was kept. */
  of: (typeof SOURCES)[number];
  /** Of one that was kept. */
  name: string;
}

export interface View extends Source {
  queries: readonly Asked[];
  dialect: Dialect;
  /** As they were written; empty for what the database suggests. */
  from: string;
  to: string;
  /** A duration; empty for the one that fits the range. */
  step: string;
  /** A duration between two questions, "live", or empty. */
  refresh: string;
  shape: Shape;
  /** Series that are drawn alone, by what stands for them in an address; none for all. */
  lit: readonly string[];
  sort: SortKey;
  isDescending: boolean;
  /** The column that tables are sorted by, a label or "value"; with a minus before it from the greatest down. Empty for the engine's own order. */
  order: string;
  /** What the names of metrics are searched for; undefined while their list is closed. */
  browse: string | undefined;
  /** What series are counted, and the label whose values are; undefined while the view of cardinality is closed. */
  counted: { selector: string; focus: string } | undefined;
  /** Whether it is shown what was done for the answers. */
  isTraced: boolean;
}

export const EMPTY: View = {
  of: "own",
  name: "",
  queries: [],
  dialect: "metricsql",
  from: "",
  to: "",
  step: "",
  refresh: "",
  shape: "chart",
  lit: [],
  sort: "name",
  isDescending: false,
  order: "",
  browse: undefined,
  counted: undefined,
  isTraced: false,
};

/** An address is written by anybody. */
export const MOST_QUERIES = 8;
const MOST_LIT = 100;
const LONGEST = 8 * 1024;

export function viewOf(hash: string): View {
  const [, query = ""] = hash.split(/\?(.*)/s);
  const read = new URLSearchParams(query);
  const text = (name: string) => (read.get(name) ?? "").slice(0, LONGEST);
  const hidden = new Set(text("hide").split("."));
  const sort = text("sort");
  const shape = text("as");
  const of = SOURCES.find((one) => one === text("of")) ?? "own";
  return {
    of,
    name: of === "kept" ? text("name") : "",
    queries: read
      .getAll("q")
      .slice(0, MOST_QUERIES)
      .map((expression, i) => ({ expression: expression.slice(0, LONGEST), isHidden: hidden.has(String(i)) })),
    dialect: text("dialect") === "promql" ? "promql" : "metricsql",
    from: text("from"),
    to: text("to"),
    step: text("step"),
    refresh: text("refresh"),
    shape: SHAPES.find((one) => one === shape) ?? "chart",
    lit: text("lit").split(".").filter(Boolean).slice(0, MOST_LIT),
    sort: SORTS.find((key) => key === sort.replace(/^-/, "")) ?? "name",
    isDescending: sort.startsWith("-"),
    order: text("order"),
    browse: read.has("browse") ? text("browse") : undefined,
    counted: read.has("count") ? { selector: text("count"), focus: text("focus") } : undefined,
    isTraced: read.has("trace"),
  };
}

/** Whether a view is of this database. */
export const isOf = (view: Source, source: Source): boolean => view.of === source.of && view.name === source.name;

export function hashOf(view: View): string {
  const parts: [string, string][] = [];
  if (view.of !== "own") parts.push(["of", view.of]);
  if (view.of === "kept") parts.push(["name", view.name]);
  for (const { expression } of view.queries) parts.push(["q", expression]);
  const hidden = view.queries.flatMap(({ isHidden }, i) => (isHidden ? [i] : []));
  if (hidden.length > 0) parts.push(["hide", hidden.join(".")]);
  if (view.dialect !== "metricsql") parts.push(["dialect", view.dialect]);
  for (const name of ["from", "to", "step", "refresh"] as const) if (view[name] !== "") parts.push([name, view[name]]);
  if (view.shape !== "chart") parts.push(["as", view.shape]);
  if (view.lit.length > 0) parts.push(["lit", view.lit.join(".")]);
  if (view.sort !== "name" || view.isDescending) parts.push(["sort", `${view.isDescending ? "-" : ""}${view.sort}`]);
  if (view.order !== "") parts.push(["order", view.order]);
  if (view.browse !== undefined) parts.push(["browse", view.browse]);
  if (view.counted) {
    parts.push(["count", view.counted.selector]);
    if (view.counted.focus) parts.push(["focus", view.counted.focus]);
  }
  if (view.isTraced) parts.push(["trace", ""]);
  return parts.length === 0 ? "#explore" : `#explore?${new URLSearchParams(parts)}`;
}
