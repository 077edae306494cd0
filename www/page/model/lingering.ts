// What is over and still shown for a moment in the room Live, so that the eye can follow where it went.

import type { Change } from "./engine";
import type { Merge, Part } from "./parts";

/** How long a retired part and a finished merge are still shown, in milliseconds of page time. */
export const LINGER_MS = 1400;

/** What of a partition is over and still shown. */
export interface Over {
  parts: readonly Part[];
  merges: readonly Merge[];
}

export class Lingering {
  readonly #parts = new Set<Part>();
  readonly #merges = new Set<Merge>();

  take(change: Change | undefined): void {
    if (change?.type === "retired") this.#parts.add(change.part);
    else if (change?.type === "finished") this.#merges.add(change.merge);
    else if (change?.type === "started") this.#join(change.merge);
  }

  of(partition: string): Over {
    const isHere = (over: Part | Merge) => over.partition === partition;
    return { parts: [...this.#parts].filter(isHere), merges: [...this.#merges].filter(isHere) };
  }

  get isEmpty(): boolean {
    return this.#parts.size + this.#merges.size === 0;
  }

  /** Forgets what has been over for long enough. True when something went. */
  sweep(at: number): boolean {
    const before = this.#parts.size + this.#merges.size;
    for (const part of this.#parts) if (at - (part.retiredAt ?? 0) > LINGER_MS) this.#parts.delete(part);
    for (const merge of this.#merges) if (at - (merge.finishedAt ?? 0) > LINGER_MS) this.#merges.delete(merge);
    return this.#parts.size + this.#merges.size !== before;
  }

  forget(): void {
    this.#parts.clear();
    this.#merges.clear();
  }

  /** An inspection can tell that parts are gone before the events tell which merge has taken them. */
  #join(merge: Merge): void {
    for (const part of this.#parts) {
      if (part.partition !== merge.partition || part.readBy !== undefined || !merge.sourceIds.includes(part.id)) continue;
      part.readBy = merge;
      merge.sources.push(part);
    }
  }
}
