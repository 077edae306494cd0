// Instants and durations as people write them: `now-1h`, a date, a number of seconds; and back.

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60e3, h: 3600e3, d: 86_400e3, w: 7 * 86_400e3 };

/** What cannot be read as an instant, and what could. */
export class NotAnInstant extends Error {
  constructor(text: string) {
    super(`“${text}” is no time. Write now-1h, now-7d/d, 2026-11-29, 2026-11-29 14:03:05, 2026-11-29T13:03:05Z or seconds since 1970.`);
  }
}

/** Follows the clock: what it means changes by itself. */
export const isRelative = (text: string): boolean => /^\s*now/.test(text);

/**
 * Milliseconds since the epoch. `now` may be followed by steps such as `-1h`, `+30m`, and by `/d`, which goes to the beginning of the day,
 * or, as an end, to the end of it. What has no time zone is of the reader's. A date alone is its beginning, or, as an end, its end.
 */
export function instantOf(text: string, now: number, isEnd = false): number {
  const trimmed = text.trim();
  if (isRelative(trimmed)) return relative(trimmed, now, isEnd);
  if (/^\d{9,13}(\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    // Seconds have ten digits for the next centuries, milliseconds thirteen.
    return Math.round(number < 1e11 ? number * 1000 : number);
  }
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(trimmed);
  const [, date, time, zone = ""] = found ?? [];
  const instant = date === undefined ? Number.NaN : Date.parse(`${date}T${time ?? "00:00"}${zone}`);
  if (!Number.isFinite(instant)) throw new NotAnInstant(trimmed);
  return isEnd && time === undefined ? snapped(instant, "d", true) : instant;
}

function relative(text: string, now: number, isEnd: boolean): number {
  let instant = now;
  let rest = text.slice("now".length);
  while (rest !== "") {
    const step = /^\s*([+-])\s*(\d+(?:\.\d+)?)(ms|[smhdwMy])/.exec(rest);
    const snap = /^\s*\/\s*([smhdwMy])/.exec(rest);
    if (step) {
      const [, sign, count = "", unit = ""] = step;
      const by = (sign === "-" ? -1 : 1) * Number(count);
      instant = unit === "M" || unit === "y" ? months(instant, by * (unit === "y" ? 12 : 1)) : instant + by * (UNIT_MS[unit] ?? 0);
    } else if (snap) {
      instant = snapped(instant, snap[1] ?? "", isEnd);
    } else {
      throw new NotAnInstant(text);
    }
    rest = rest.slice((step ?? snap)?.[0].length);
  }
  if (!(Math.abs(instant) <= 8.64e15)) throw new NotAnInstant(text);
  return Math.round(instant);
}

/** The same day of another month, or its last one. */
function months(instant: number, by: number): number {
  const date = new Date(instant);
  const day = date.getDate();
  date.setDate(1);
  date.setMonth(date.getMonth() + Math.round(by));
  date.setDate(Math.min(day, new Date(date.getFullYear(), date.getMonth() + 1, 0).getDate()));
  return date.getTime();
}

/** The beginning of the unit that an instant is in, or its last millisecond. */
function snapped(instant: number, unit: string, isEnd: boolean): number {
  const date = new Date(instant);
  if (unit === "s") date.setMilliseconds(0);
  if (unit === "m") date.setSeconds(0, 0);
  if (unit === "h") date.setMinutes(0, 0, 0);
  if ("dwMy".includes(unit)) date.setHours(0, 0, 0, 0);
  // Weeks begin on Mondays.
  if (unit === "w") date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  if (unit === "M" || unit === "y") date.setDate(1);
  if (unit === "y") date.setMonth(0);
  if (!isEnd) return date.getTime();
  if (unit === "d") date.setDate(date.getDate() + 1);
  else if (unit === "w") date.setDate(date.getDate() + 7);
  else if (unit === "M") date.setMonth(date.getMonth() + 1);
  else if (unit === "y") date.setFullYear(date.getFullYear() + 1);
  else date.setTime(date.getTime() + (UNIT_MS[unit] ?? 1));
  return date.getTime() - 1;
}

/** An instant that means the same to every reader. */
export const written = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

/** What was typed, such that it means the same in another time zone: what is relative stays so. */
export const settled = (text: string, now: number, isEnd: boolean): string =>
  isRelative(text) ? text.trim() : written(instantOf(text, now, isEnd));

const NICE_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60e3),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3600e3),
  ...[1, 2, 7, 14, 30, 90, 365].map((days) => days * 86_400e3),
];
/** Instants that a picture has at most when nobody says how many. It does not follow the window's width: the same address gives the same picture. */
const INSTANTS = 360;

/** The step of a range that nobody has given one for: the least round one that gives no more pieces than `most`. */
export const stepFor = (rangeMs: number, most = INSTANTS): number =>
  NICE_MS.find((step) => step * most >= rangeMs) ?? Math.ceil(rangeMs / most);

/** Milliseconds of a duration such as `1h30m`, or of a number of seconds; undefined for what is none. */
export function durationOf(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000 || undefined;
  if (!/^(\d+(\.\d+)?(ms|[smhdwy]))+$/.test(trimmed)) return undefined;
  let sum = 0;
  for (const [, count, unit = ""] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g))
    sum += Number(count) * (unit === "y" ? 365 * 86_400e3 : (UNIT_MS[unit] ?? 0));
  return sum || undefined;
}

/** 15s, 1h30m: as a query has it. */
export function shortly(ms: number): string {
  let rest = ms;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = Math.floor(rest / (UNIT_MS[unit] as number));
    if (count > 0) text += `${count}${unit}`;
    rest -= count * (UNIT_MS[unit] as number);
  }
  return text || "0s";
}
