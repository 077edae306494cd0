// Copies columns of samples between the caller's arrays and memory of our own.

import { SandglassError } from "../api/errors.js";

/**
 * Copies `count` numbers from `from` on. Plain loops beat `set` for short columns; but what goes through a variable may lose the
 * bits of a NaN (it does in Firefox), and with them a staleness marker. `column` is what errors call the source.
 */
export function copyNumbers(
  target: Float64Array,
  at: number,
  source: Float64Array | readonly number[],
  from: number,
  count: number,
  column: "timestamps" | "values" = "values",
): void {
  if (source instanceof Float64Array) {
    let copied = 0;
    if (count <= 32) {
      for (; copied < count; copied++) {
        const value = source[from + copied]!;
        if (value !== value) break;
        target[at + copied] = value;
      }
    }
    if (copied < count) target.set(source.subarray(from + copied, from + count), at + copied);
    return;
  }
  for (let i = 0; i < count; i++) {
    const value: unknown = source[from + i];
    // JavaScript would make a number of nearly everything, a zero of null.
    if (typeof value !== "number") throw notANumber(value, `${column}[${from + i}]`);
    target[at + i] = value;
  }
}

/** What is said of what stands there in the place of a number. */
export function notANumber(value: unknown, place: string): SandglassError {
  return new SandglassError("invalid", `${place} is ${kindOf(value)}; ${remedyOf(value)}`);
}

function kindOf(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 40))}`;
  if (value instanceof Date) return "a Date";
  return typeof value === "bigint" ? "a BigInt" : typeof value === "object" && value !== null ? "an object" : String(value);
}

function remedyOf(value: unknown): string {
  if (value instanceof Date) return "a number of milliseconds is expected, such as date.getTime()";
  return typeof value === "bigint"
    ? "numbers are expected, or a BigInt64Array of timestamps"
    : "a number is expected; leave out what has none";
}
