// Pieces that are handed over while those before them are worked on.

export class Ahead {
  readonly #limitBytes: number;
  readonly #underWay: { answer: Promise<unknown>; bytes: number }[] = [];
  #bytes = 0;

  /** With up to `limitBytes` under way. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Hands over a piece of so many bytes as soon as there is room for it. Rejects when one before it has failed. */
  async handOver(bytes: number, ask: () => Promise<unknown>): Promise<void> {
    while (this.#underWay.length > 0 && this.#bytes + bytes > this.#limitBytes) await this.#next();
    const answer = ask();
    // A failure is heard of when its turn has come.
    answer.catch(() => {});
    this.#underWay.push({ answer, bytes });
    this.#bytes += bytes;
  }

  /** Waits for all that is under way. */
  async end(): Promise<void> {
    while (this.#underWay.length > 0) await this.#next();
  }

  async #next(): Promise<void> {
    const { answer, bytes } = this.#underWay.shift()!;
    this.#bytes -= bytes;
    await answer;
  }
}
