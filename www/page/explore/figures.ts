// Values and times as the room writes them.

import type { Unit } from "../model/chart";
import { clock, day } from "../model/format";

export function valueText(value: number | null | undefined, unit: Unit): string {
  if (value == null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const { factor, letter } = scaleOf(Math.abs(value));
  const digits = Number((value / factor).toPrecision(letter === "" ? 4 : 5));
  return `${digits}${suffix(letter, unit)}`;
}

const SCALES = [
  { factor: 1e15, letter: "P" },
  { factor: 1e12, letter: "T" },
  { factor: 1e9, letter: "G" },
  { factor: 1e6, letter: "M" },
  { factor: 1e3, letter: "k" },
] as const;

const scaleOf = (size: number) => SCALES.find(({ factor }) => size >= factor) ?? { factor: 1, letter: "" };

function suffix(letter: string, unit: Unit): string {
  // A thousand seconds are no kilosecond to anybody.
  const name = { bytes: `${letter}B`, seconds: `${letter} s`.trim(), share: letter, plain: letter }[unit];
  return name === "" ? "" : ` ${name}`;
}

/** Labels of an axis of values: all on one scale, with the digits that tell neighbours apart. */
export function axisValues(values: readonly number[], step: number, unit: Unit): string[] {
  const { factor, letter } = scaleOf(Math.max(...values.map(Math.abs)));
  const decimals = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step / factor) - 1e-9)));
  return values.map((value) => (value === 0 ? "0" : `${(value / factor).toFixed(decimals)}${suffix(letter, unit)}`));
}

/** With its year when that is not this one, and with milliseconds when it has some. */
export function instantText(time: number): string {
  const date = new Date(time);
  const year = date.getFullYear() === new Date().getFullYear() ? "" : ` ${date.getFullYear()}`;
  const ms = date.getMilliseconds();
  return `${day(time)}${year} ${clock(time)}${ms ? `.${String(ms).padStart(3, "0")}` : ""}`;
}

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** Labels of an axis of time: the date where a new day begins. */
export function axisTime(seconds: number, stepSeconds: number): string {
  const date = new Date(seconds * 1000);
  const isMidnight = date.getHours() + date.getMinutes() + date.getSeconds() === 0;
  if (stepSeconds >= 28 * 86_400 && date.getMonth() === 0) return String(date.getFullYear());
  if (stepSeconds >= 86_400 || isMidnight) return day(seconds * 1000);
  const minutes = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  if (stepSeconds < 1) return `${minutes}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
  return stepSeconds < 60 ? `${minutes}:${pad(date.getSeconds())}` : minutes;
}

/** Line colours are eight; those that come again are dashed. */
export const colourOf = (place: number): string => `--line-${(place % 8) + 1}`;
export const dashOf = (place: number): number[] => [[], [7, 4], [2, 3]][Math.floor(place / 8) % 3] ?? [];
