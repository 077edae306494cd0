// Selectors as they are typed: where the cursor stands and what could follow; and selectors made from labels.

export type Place =
  | { kind: "metric"; typed: string; from: number; to: number }
  | { kind: "label"; typed: string; from: number; to: number; metric: string }
  | { kind: "value"; typed: string; from: number; to: number; metric: string; label: string }
  | { kind: "none" };

/** A name that is a selector as it stands. */
export const PLAIN_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** What the cursor is in: the metric's name, a label's name or a label's value. */
export function placeOf(text: string, cursor: number): Place {
  const before = text.slice(0, cursor);
  const brace = before.indexOf("{");
  if (brace < 0) return { kind: "metric", typed: before.trimStart(), from: 0, to: text.includes("{") ? text.indexOf("{") : text.length };
  const metric = before.slice(0, brace).trim();
  const inside = before.slice(brace + 1);
  const value = /([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)$/.exec(inside);
  if (value) {
    const typed = value[2] ?? "";
    const rest = /^(?:[^"\\]|\\.)*"?/.exec(text.slice(cursor))?.[0] ?? "";
    // A value that was never closed ends at the brace.
    const length = rest.endsWith('"') ? rest.length : 0;
    return { kind: "value", label: value[1] ?? "", typed, metric, from: cursor - typed.length, to: cursor + length };
  }
  const label = /(?:^|,)\s*([a-zA-Z_][a-zA-Z0-9_]*)?$/.exec(inside);
  if (label) {
    const typed = label[1] ?? "";
    return { kind: "label", typed, metric, from: cursor - typed.length, to: cursor };
  }
  return { kind: "none" };
}

/** Those that begin with what was typed, then those that hold it. */
export function matching(candidates: readonly string[], typed: string, most: number): string[] {
  const wanted = typed.toLowerCase();
  const first: string[] = [];
  const then: string[] = [];
  for (const candidate of candidates) {
    const at = candidate.toLowerCase().indexOf(wanted);
    if (at === 0) first.push(candidate);
    else if (at > 0) then.push(candidate);
  }
  return [...first, ...then].slice(0, most);
}

/** The text after a candidate was chosen, and where the cursor then stands. */
export function complete(text: string, place: Place, chosen: string): { text: string; cursor: number } {
  if (place.kind === "none") return { text, cursor: text.length };
  const before = text.slice(0, place.from);
  const after = text.slice(place.to);
  if (place.kind === "metric") {
    if (PLAIN_NAME.test(chosen)) return { text: chosen + after, cursor: chosen.length };
    // A name of other characters can be asked for as a label alone.
    const named = `{__name__="${escaped(chosen)}"`;
    return { text: named + (after.startsWith("{") && !/^\{\s*\}/.test(after) ? `,${after.slice(1)}` : "}"), cursor: named.length };
  }
  if (place.kind === "label") {
    const inserted = `${chosen}="`;
    return { text: `${before}${inserted}${after.startsWith("=") ? after.slice(1) : after}`, cursor: before.length + inserted.length };
  }
  const inserted = `${escaped(chosen)}"`;
  const closed = after.startsWith("}") || after.startsWith(",") ? after : `}${after}`;
  return { text: before + inserted + closed, cursor: before.length + inserted.length };
}

/** The selector of exactly one series. */
export function exactly(labels: Record<string, string>): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",")}}`;
}

const escaped = (value: string): string => value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
