// Pieces of a body that are handed over while those before them are still being worked on, so that the engine never waits for the next.

export class Ahead<Answer> {
  readonly #limitBytes: number;
  readonly #take: (answer: Answer) => void;
  readonly #underWay: { answer: Promise<Answer>; bytes: number }[] = [];
  #bytes = 0;

  /** With up to `limitBytes` under way; `take` gets the answers in the order of the pieces. */
  constructor(limitBytes: number, take: (answer: Answer) => void) {
    this.#limitBytes = limitBytes;
    this.#take = take;
  }

  /** Hands over a piece of so many bytes as soon as there is room for it. Rejects when one before it has failed. */
  async handOver(bytes: number, ask: () => Promise<Answer>): Promise<void> {
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
    this.#take(await answer);
  }
}
