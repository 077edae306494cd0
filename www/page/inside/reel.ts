// What has happened up to the instant that is shown, folded into the house that is drawn; and the merge that is shown while time stands still.

import { signal } from "@preact/signals";
import { House } from "../model/house";
import type { Merge } from "../model/parts";
import type { Happening } from "../replay/world";

/** Time stands still for the engine while it merges; the page lets the eye follow. */
const MERGE_MS = 1100;

export class Reel {
  house = new House();
  /** Grows when the house has changed. */
  readonly version = signal(0);
  readonly shown = signal<Merge | undefined>(undefined);
  readonly #onCrash: () => void;
  /** Happenings that the house has taken in. */
  #taken = 0;
  #shownFrom = 0;

  /** `onCrash` is called when parts are numbered anew. */
  constructor(onCrash: () => void) {
    this.#onCrash = onCrash;
  }

  /** Takes in what happened until `to`, or until a merge begins that is to be shown: where it came to, and whether it stopped there. */
  fold(happened: readonly Happening[], to: number, stopsAtMerges: boolean): { reached: number; isStopped: boolean; isChanged: boolean } {
    const before = this.#taken;
    let [reached, isStopped] = [to, false];
    for (let next = happened[this.#taken]; next && next.at <= to && !isStopped; next = happened[this.#taken]) {
      this.#take(next);
      if (!stopsAtMerges || next.what.type !== "mergeStarted" || next.what.reason === "flush") continue;
      this.#show(this.house.lastMerge);
      [reached, isStopped] = [next.at, true];
    }
    const isChanged = this.#taken !== before;
    if (isChanged) this.version.value++;
    return { reached, isStopped, isChanged };
  }

  /** From the beginning again, until `to`. */
  refold(happened: readonly Happening[], to: number): void {
    this.house = new House();
    this.#taken = 0;
    for (let next = happened[0]; next && next.at <= to; next = happened[this.#taken]) this.#take(next);
    this.version.value++;
  }

  /** Whether something happened that was not taken in. */
  hasNext(happened: readonly Happening[]): boolean {
    return this.#taken < happened.length;
  }

  /** Takes in one happening, and shows the merge that is under way then. */
  step(happened: readonly Happening[]): Happening | undefined {
    const next = happened[this.#taken];
    if (!next) return undefined;
    this.#take(next);
    this.version.value++;
    const merge = this.house.lastMerge;
    this.#show(merge && merge.finishedAt === undefined ? merge : undefined);
    return next;
  }

  /** How far the shown merge is, 0 to 1. */
  progress(now: number): number {
    return Math.min(1, (now - this.#shownFrom) / MERGE_MS);
  }

  /** Whether time stands still for a merge; one that was shown for long enough is not any more. */
  standsStill(now: number): boolean {
    if (this.shown.peek() && this.progress(now) >= 1) this.stopShowing();
    return this.shown.peek() !== undefined;
  }

  stopShowing(): void {
    this.shown.value = undefined;
  }

  #show(merge: Merge | undefined): void {
    this.shown.value = merge;
    this.#shownFrom = performance.now();
  }

  #take(happening: Happening): void {
    this.#taken++;
    if (happening.what.type === "crashed") this.#onCrash();
    this.house.apply(happening);
  }
}
