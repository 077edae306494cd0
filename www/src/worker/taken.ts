// What has become of the batches of one port, should it send them once more since no answer has reached it.

import type { RefusedBatch } from "./messages.js";

/** So many of the last refusals are remembered; a port that sends older ones once more is told that they were taken. */
const MAX_REFUSED = 1_000;

export class Taken {
  #lastId = 0;
  /** What is not decided yet. */
  readonly #arriving = new Map<number, Promise<RefusedBatch | undefined>>();
  readonly #refused = new Map<number, RefusedBatch>();

  /** The last batch that has come. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Of all that is not decided yet, whichever service has it. */
  get arriving(): Promise<unknown>[] {
    return [...this.#arriving.values()];
  }

  /** What becomes of a batch; `carryOut` is called for one that comes for the first time. */
  outcome(id: number, carryOut: () => Promise<RefusedBatch | undefined>): Promise<RefusedBatch | undefined> {
    if (id <= this.#lastId) return this.#arriving.get(id) ?? Promise.resolve(this.#refused.get(id));
    this.#lastId = id;
    const outcome = carryOut();
    this.#arriving.set(id, outcome);
    outcome.then(
      (refused) => this.#decided(id, refused),
      () => {},
    );
    return outcome;
  }

  #decided(id: number, refused: RefusedBatch | undefined): void {
    this.#arriving.delete(id);
    if (refused === undefined) return;
    this.#refused.set(id, refused);
    if (this.#refused.size > MAX_REFUSED) this.#refused.delete(this.#refused.keys().next().value!);
  }
}
