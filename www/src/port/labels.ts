// Label sets as names and values in turn.

import { SandglassError } from "../api/errors.js";

/** One text for each set of labels, as the engine understands them: without empty ones, in one order. */
export function canonical(flat: string[]): string {
  const labels = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i + 1] !== "") labels.set(flat[i] || "__name__", flat[i + 1]!);
  }
  if (labels.size === 0) throw new SandglassError("invalid", "a series needs at least one label with a value, such as __name__");
  return JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
}
