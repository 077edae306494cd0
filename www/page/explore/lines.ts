// From answers to the lines of a chart: one axis of time, and for each series a name, figures and what stands for it in an address.

import type { RangeResult, SeriesData } from "sandglass";
import { type AlignedData, toAlignedData } from "sandglass/uplot";
import { PLAIN_NAME } from "../model/selector";
import { decimate, type Unit, unitOf } from "../model/chart";
import type { SortKey, View } from "./address";
import type { Answer } from "./explorer";

export interface Line {
  /** What stands for it in an address: its query and its labels, shortened. */
  key: string;
  query: number;
  labels: Record<string, string>;
  name: string;
  /** Place among all lines, which gives the colour: it stays when others are not drawn. */
  place: number;
  /** A value or a hole at each instant of the table. */
  column: (number | null)[];
  min: number;
  max: number;
  mean: number;
  last: number;
}

export interface Lines {
  /** Seconds. */
  times: number[];
  lines: Line[];
  /** Series of all answers; more than there are lines, perhaps. */
  total: number;
  unit: Unit;
  /** What all series of a query share, by query. */
  common: { query: number; labels: Record<string, string> }[];
}

/** More lines say nothing, and cost much. */
export const MOST_LINES = 120;

/** A, B, C */
export const letter = (query: number): string => String.fromCharCode(65 + query);

export function linesOf(answers: readonly (Answer | undefined)[]): Lines {
  const tables: { query: number; labels: Record<string, string>[]; table: AlignedData; total: number }[] = [];
  let room = MOST_LINES;
  answers.forEach((answer, query) => {
    const found = answer?.range ?? answer?.raw?.found;
    if (!found) return;
    const series = "timestamps" in found ? found.series : found;
    const kept = series.slice(0, room);
    room -= kept.length;
    const table = toAlignedData("timestamps" in found ? ({ ...found, series: kept } as RangeResult) : (kept as SeriesData[]).map(thinned));
    tables.push({ query, labels: kept.map(({ labels }) => labels), table, total: Math.max(series.length, answer?.raw?.matched ?? 0) });
  });
  const times = timesOf(tables.map(({ table }) => table[0]));
  const lines: Line[] = [];
  const common: Lines["common"] = [];
  for (const { query, labels: sets, table } of tables) {
    const shared = sharedOf(sets);
    if (Object.keys(shared).length > 0 && sets.length > 1) common.push({ query, labels: shared });
    sets.forEach((labels, i) => {
      const column = laidOut(table[0], table[i + 1] as (number | null)[], times);
      const told = sets.length > 1 ? Object.fromEntries(Object.entries(labels).filter(([name]) => !(name in shared))) : labels;
      const prefix = tables.length > 1 ? `${letter(query)} ` : "";
      lines.push({
        key: keyOf(query, labels),
        query,
        labels,
        name: prefix + seriesText(told, Object.keys(told).length === 0 && sets.length === 1 ? answers[query]?.expression : undefined),
        place: lines.length,
        column,
        ...figuresOf(column),
      });
    });
  }
  const units = new Set(lines.map(({ labels }) => unitOf(labels.__name__ ?? "", false)));
  const [unit = "plain"] = units;
  return { times, lines, total: tables.reduce((sum, { total }) => sum + total, 0), unit: units.size === 1 ? unit : "plain", common };
}

/** Of a piece of this width a picture shows the first, last, least and greatest sample. */
const PIECES = 2000;

function thinned(series: SeriesData): SeriesData {
  const { timestamps } = series;
  const { timestamps: kept, values } = decimate(series, timestamps[0] ?? 0, (timestamps.at(-1) ?? 0) + 1, PIECES);
  return { labels: series.labels, timestamps: kept, values };
}

function timesOf(axes: readonly ArrayLike<number>[]): number[] {
  const [first] = axes;
  if (!first) return [];
  const isOne = axes.every(
    (axis) => axis.length === first.length && axis[0] === first[0] && axis[axis.length - 1] === first[first.length - 1],
  );
  if (isOne) return Array.from(first);
  return [...new Set(axes.flatMap((axis) => Array.from(axis)))].sort((a, b) => a - b);
}

/** A column at the instants of the common axis. What has no place on an axis of numbers is a hole. */
function laidOut(axis: ArrayLike<number>, column: readonly (number | null)[], times: readonly number[]): (number | null)[] {
  const drawn = (value: number | null | undefined) => (value != null && Number.isFinite(value) ? value : null);
  if (axis.length === times.length) return column.map(drawn);
  const places = new Map(Array.from(axis, (time, place) => [time, place]));
  return times.map((time) => drawn(column[places.get(time) ?? -1]));
}

function figuresOf(column: readonly (number | null)[]): Pick<Line, "min" | "max" | "mean" | "last"> {
  let [min, max, sum, count, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, Number.NaN];
  for (const value of column) {
    if (value === null) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    count++;
    last = value;
  }
  return count === 0 ? { min: Number.NaN, max: Number.NaN, mean: Number.NaN, last } : { min, max, mean: sum / count, last };
}

function sharedOf(sets: readonly Record<string, string>[]): Record<string, string> {
  const [first = {}, ...others] = sets;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((labels) => Object.hasOwn(labels, name) && labels[name] === value)),
  );
}

/** name{label="value"}, as it can be asked for. */
export function seriesText(labels: Record<string, string>, unlabelled = "{}"): string {
  const { __name__: name = "", ...others } = labels;
  const conditions = Object.entries(others).map(
    ([label, value]) => `${PLAIN_NAME.test(label) ? label : JSON.stringify(label)}=${JSON.stringify(value)}`,
  );
  if (name !== "" && !PLAIN_NAME.test(name)) return `{${[JSON.stringify(name), ...conditions].join(",")}}`;
  if (conditions.length === 0) return name || unlabelled;
  return `${name}{${conditions.join(",")}}`;
}

/** FNV-1a of the query and the labels: short, and the same for everybody. */
export function keyOf(query: number, labels: Record<string, string>): string {
  const text = JSON.stringify([query, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

const NATURAL = new Intl.Collator("en", { numeric: true });

export function sorted(lines: readonly Line[], { sort, isDescending }: Pick<View, "sort" | "isDescending">): Line[] {
  const by = (key: SortKey) => (a: Line, b: Line) => {
    if (key === "name") return a.query - b.query || NATURAL.compare(a.name, b.name);
    // What has no figure comes last, whichever way.
    const [left, right] = [a[key], b[key]];
    if (Number.isNaN(left) || Number.isNaN(right)) return (Number.isNaN(left) ? 1 : 0) - (Number.isNaN(right) ? 1 : 0) || a.place - b.place;
    return (isDescending ? right - left : left - right) || a.place - b.place;
  };
  const found = [...lines].sort(by(sort));
  return sort === "name" && isDescending ? found.reverse() : found;
}

/** Lines that are drawn: all, or those that were chosen. A choice that fits none is none. */
export function litOf(lines: readonly Line[], lit: readonly string[]): Set<string> {
  const chosen = lines.filter(({ key }) => lit.includes(key));
  return new Set((chosen.length > 0 ? chosen : lines).map(({ key }) => key));
}
