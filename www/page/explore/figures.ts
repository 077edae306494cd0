// Values and times as the room writes them.

import type { Unit } from "../model/chart";
import { clock, day, timeScale } from "../model/format";

export function valueText(value: number | null | undefined, unit: Unit): string {
  if (value == null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const { factor, letter } = scaleOf(Math.abs(value));
  if (unit === "seconds") {
    const { seconds, name } = timeScale(Math.abs(value));
    return `${Number((value / seconds).toPrecision(4))} ${name}`;
  }
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
  const name = unit === "bytes" ? `${letter}B` : letter;
  return name === "" ? "" : ` ${name}`;
}

/** Labels of an axis of values: all on one scale, with the digits that tell neighbours apart. */
export function axisValues(values: readonly number[], step: number, unit: Unit): string[] {
  const greatest = Math.max(...values.map(Math.abs));
  if (unit === "seconds") {
    const { seconds, name } = timeScale(greatest, step);
    const decimals = decimalsOf(step / seconds);
    return values.map((value) => (value === 0 ? "0" : `${(value / seconds).toFixed(decimals)} ${name}`));
  }
  const { factor, letter } = scaleOf(greatest);
  const decimals = decimalsOf(step / factor);
  return values.map((value) => (value === 0 ? "0" : `${(value / factor).toFixed(decimals)}${suffix(letter, unit)}`));
}

/** Digits behind the point that a step has. */
function decimalsOf(step: number): number {
  const first = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  // A quarter of an hour has one digit more than its first.
  return Math.min(12, Math.abs(step * 10 ** first - Math.round(step * 10 ** first)) > 1e-6 ? first + 1 : first);
}

/** A value without the noise of its last digits: ten digits say all that a reader compares. Whole numbers have all of theirs. */
export const readable = (value: number): string => String(Number.isInteger(value) ? value : Number(value.toPrecision(10)));

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
