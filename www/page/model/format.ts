// Numbers and times as people read them.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 12,345,678 */
export const grouped = (count: number): string => GROUPED.format(count);

/** 783, 3.9 k, 12.4 M */
export function compact(count: number): string {
  const size = Math.abs(count);
  if (size < 1000) return String(Math.round(count * 100) / 100);
  for (const [unit, factor] of [
    ["k", 1e3],
    ["M", 1e6],
    ["G", 1e9],
    ["T", 1e12],
  ] as const) {
    if (size < factor * 999.5) return `${significant(count / factor)} ${unit}`;
  }
  return `${significant(count / 1e15)} P`;
}

/** 812 B, 3.2 kB, 1.46 MB */
export function bytes(count: number): string {
  if (Math.abs(count) < 1000) return `${Math.round(count)} B`;
  return `${compact(count)}B`;
}

/** Three digits, no more. */
export function significant(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, "");
  if (size >= 1) return value.toFixed(2).replace(/\.?0+$/, "");
  return Number(value.toPrecision(3)).toString();
}

/** 0.41 */
export const perSample = (value: number): string => (Number.isFinite(value) && value > 0 ? value.toFixed(2) : "–");

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** 14:03:05, in the reader's time zone. */
export function clock(time: number): string {
  const date = new Date(time);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** 22 Nov */
export function day(time: number): string {
  const date = new Date(time);
  return `${date.getDate()} ${MONTHS[date.getMonth()]?.slice(0, 3)}`;
}

/** 22 Nov 14:03:05 */
export function moment(time: number): string {
  return `${day(time)} ${clock(time)}`;
}

/** A partition's name, `2026_11`, as a month. */
export function month(partition: string): { month: string; year: string } {
  const [year = "", number = ""] = partition.split("_");
  return { month: MONTHS[Number(number) - 1] ?? partition, year };
}

/** 4 s, 3 min, 2 h, 5 d */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

const TIME_SCALES = [
  { seconds: 86_400, name: "d" },
  { seconds: 3600, name: "h" },
  { seconds: 60, name: "min" },
  { seconds: 1, name: "s" },
] as const;

/** What a number of seconds is best told in. With a step: such that its multiples are told with two digits behind the point. */
export const timeScale = (size: number, step = 0): (typeof TIME_SCALES)[number] =>
  TIME_SCALES.find(({ seconds }) => size >= seconds && isRound((100 * step) / seconds)) ?? TIME_SCALES[3];

const isRound = (value: number): boolean => Math.abs(value - Math.round(value)) < 1e-6;

/** Steps between the labels of an axis of seconds, in seconds. */
export const TIME_STEPS: number[] = [
  ...Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((digit) => digit * 10 ** (i - 10))).flat(),
  ...[1, 2, 5, 10, 15, 30].flatMap((count) => [count, count * 60]),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3600),
  ...Array.from({ length: 9 }, (_, i) => [1, 2, 5].map((digit) => digit * 10 ** i * 86_400)).flat(),
].sort((a, b) => a - b);

export const plural = (count: number, one: string, many = `${one}s`): string => `${grouped(count)} ${count === 1 ? one : many}`;

/** 1 sample, 3.9 k samples */
export const many = (count: number, one: string, more = `${one}s`): string => `${compact(count)} ${count === 1 ? one : more}`;
