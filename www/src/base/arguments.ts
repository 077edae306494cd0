// Arguments that come from outside are looked at once, here, and refused with words that say what was expected.

import { SandglassError } from "../api/errors.js";
import { notANumber } from "./numbers.js";
import type { Labels, TimeRange } from "../api/samples.js";

/** Whole milliseconds; infinities are the ends of time. */
export interface Bounds {
  start: number;
  end: number;
}

export function invalid(message: string): SandglassError {
  return new SandglassError("invalid", message);
}

/** What was handed in to be read has failed, for a reason of its own. */
export function unreadable(what: string, cause: unknown): SandglassError {
  return new SandglassError("invalid", `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

/** Names and values in turn. */
export function flatten(labels: Labels, what: string): string[] {
  record(labels, what);
  const flat: string[] = [];
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value !== "string")
      throw invalid(`${what}: the label ${JSON.stringify(name)} is of type ${typeof value}; write its value as a string`);
    flat.push(name, value);
  }
  return flat;
}

export function record(value: unknown, what: string): void {
  if (kindOf(value) !== "object") throw invalid(`${what} must be an object, not ${kindOf(value)}`);
}

/** Refuses options that are there and no object, and names among them that mean nothing. */
export function checkOptions(options: unknown, known: Record<string, true>, what: string): void {
  if (options === undefined || options === null) return;
  record(options, `the options of ${what}`);
  onlyKnown(options, known, what);
}

/** Refuses names that mean nothing: a slip in a name would be a default in silence. */
export function onlyKnown(options: object, known: Record<string, true>, what: string): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const nearest = names.sort((a, b) => distance(name, a) - distance(name, b))[0]!;
    const hint = distance(name, nearest) <= 1 + name.length / 3 ? `did you mean ${nearest}?` : `there are ${names.sort().join(", ")}`;
    throw invalid(`${what} has no option ${JSON.stringify(name.slice(0, 100))}; ${hint}`);
  }
}

/** How many letters have to be left out, added, replaced, or exchanged with their neighbour. Capitals do not count. */
function distance(from: string, to: string): number {
  const [a, b] = [from.slice(0, 100).toLowerCase(), to.toLowerCase()];
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

/** Both bounds are included, so fractions are rounded inwards. */
export function bounds(range: TimeRange | undefined): Bounds {
  if (range != null) record(range, "the range");
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = range ?? {};
  for (const [name, bound] of [
    ["start", start],
    ["end", end],
  ] as const) {
    if (typeof bound !== "number" || Number.isNaN(bound))
      throw invalid(`${name} is ${String(bound)}; milliseconds since the epoch are expected`);
  }
  return { start: Math.ceil(start), end: Math.floor(end) };
}

export function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw invalid(`${what} must be a string, not ${kindOf(value)}`);
  return value;
}

/** What dates of JavaScript reach to, in milliseconds. */
const FARTHEST_MS = 8.64e15;

export function checkTimestamp(timestamp: number, what: string): void {
  if (!(Math.abs(timestamp) <= FARTHEST_MS))
    throw invalid(`${what} is ${timestamp}; milliseconds since the epoch are expected, between -8.64e15 and 8.64e15`);
}

export function checkTimestamps(timestamps: Float64Array | BigInt64Array | readonly number[]): void {
  if (timestamps instanceof BigInt64Array) return;
  for (let i = 0; i < timestamps.length; i++) {
    const timestamp: unknown = timestamps[i];
    if (typeof timestamp !== "number") throw notANumber(timestamp, `timestamps[${i}]`);
    if (!(Math.abs(timestamp) <= FARTHEST_MS)) checkTimestamp(timestamp, `timestamps[${i}]`);
  }
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

export function optionalText(value: unknown, what: string): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : text(value, what);
}

const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000, y: 365 * 86_400_000 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+$/;

/** A length of time: milliseconds, infinity among them, or a text such as "90s", "1h30m" or "1w", with the units of the query languages. */
export function durationMs(value: unknown, what: string): number {
  const ms = typeof value === "number" ? value : typeof value === "string" && DURATION.test(value) ? sumMs(value) : NaN;
  if (!(ms >= 0)) throw invalid(`${what} is ${String(value)}; write milliseconds or a text such as "90s" or "1h30m"`);
  return ms;
}

function sumMs(duration: string): number {
  let ms = 0;
  for (const [, count, unit] of duration.matchAll(/([\d.]+)([a-z]+)/g)) ms += Number(count) * UNITS_MS[unit!]!;
  return ms;
}
