// Copies columns of samples between the caller's arrays and memory of our own.

import { SandglassError } from "../api/errors.js";

/**
 * Copies `count` numbers from `from` on. Plain loops beat `set` for short columns; but what goes through a variable may lose the
 * bits of a NaN (it does in Firefox), and with them a staleness marker.
 */
export function copyNumbers(target: Float64Array, at: number, source: Float64Array | readonly number[], from: number, count: number): void {
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
    if (typeof value !== "number") throw notANumber(value, from + i);
    target[at + i] = value;
  }
}

/** What is said of a value at that place of a column. */
export function notANumber(value: unknown, at: number): SandglassError {
  return new SandglassError("invalid", `${String(value)} at ${at} is no number; leave it out, and use a BigInt64Array for big integers`);
}
