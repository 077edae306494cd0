// Which part came from which: the parts on disk with the merges that made them, as a tree that grows to the right with time.

import type { House } from "./house";
import type { Merge, Part } from "./parts";

export interface LineagePart {
  part: Part;
  /** Milliseconds since the history began: when it came, and when it was merged away or, while it is there, now. */
  from: number;
  to: number;
  /** Its place between 0 and 1, from above. */
  y: number;
  isAlive: boolean;
}

export interface LineageMerge {
  merge: Merge;
  at: number;
  y: number;
  /** Places of its sources. */
  sources: number[];
}

export interface Lineage {
  parts: LineagePart[];
  merges: LineageMerge[];
  /** The instant that the line begins at. */
  from: number;
}

/** More parts than these cannot be told apart: the newest are shown. */
const MOST_ROOTS = 120;

/** In-memory parts are shown only where a merge has taken them; a crash numbers parts anew, so the line begins there. */
export function lineageOf(house: House, now: number): Lineage {
  const since = house.crashes.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  const merges = house.merges.filter(({ reason, startedAt, output }) => reason !== "flush" && startedAt >= since && output !== undefined);
  const makers = new Map(merges.map((merge) => [merge.output, merge]));
  const roots = house
    .parts()
    .filter((part) => part.class !== "inmemory")
    .sort((a, b) => firstOf(a, makers) - firstOf(b, makers) || a.id - b.id);
  const found: Lineage = { parts: [], merges: [], from: now };
  let leaves = 0;
  const place = (part: Part, to: number, isAlive: boolean): number => {
    const merge = makers.get(part);
    let y: number;
    if (merge === undefined) y = leaves++;
    else {
      const sources = merge.sources
        .toSorted((a, b) => a.bornAt - b.bornAt || a.id - b.id)
        .map((source) => place(source, merge.finishedAt ?? merge.startedAt, false));
      y = sources.reduce((sum, at) => sum + at, 0) / Math.max(1, sources.length);
      found.merges.push({ merge, at: merge.finishedAt ?? merge.startedAt, y, sources });
    }
    found.parts.push({ part, from: part.bornAt, to, y, isAlive });
    found.from = Math.min(found.from, part.bornAt);
    return y;
  };
  for (const root of roots.slice(-MOST_ROOTS)) place(root, now, true);
  const whole = Math.max(1, leaves);
  for (const part of found.parts) part.y = (part.y + 0.5) / whole;
  for (const merge of found.merges) {
    merge.y = (merge.y + 0.5) / whole;
    merge.sources = merge.sources.map((y) => (y + 0.5) / whole);
  }
  return found;
}

function firstOf(part: Part, makers: ReadonlyMap<Part | undefined, Merge>): number {
  const merge = makers.get(part);
  return merge === undefined ? part.bornAt : Math.min(...merge.sources.map((source) => firstOf(source, makers)));
}
