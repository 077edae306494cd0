// How much room the browser leaves to this origin: asked for when the engine wants to know, and never twice at once.

/** What is left, and what there is in all, in bytes; nothing when the browser can't tell. */
type Report = (leftBytes: number | undefined, quotaBytes: number) => void;

/** An answer that takes longer than this is none. */
const DEADLINE_MS = 5_000;

/** Asks how much is used of how much, by default the browser's storage manager, and reports what is left. */
export class FreeRoom {
  readonly #report: Report;
  readonly #estimate: () => Promise<StorageEstimate | undefined> | undefined;
  #isAsking = false;

  constructor(
    report: Report,
    estimate: () => Promise<StorageEstimate | undefined> | undefined = () => globalThis.navigator?.storage?.estimate?.(),
  ) {
    this.#report = report;
    this.#estimate = estimate;
  }

  /** Whether a question is open. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Asks, and reports the answer. */
  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { quota, usage } = (await this.#inTime().catch(() => undefined)) ?? {};
    this.#isAsking = false;
    // A browser that tells nonsense, or nothing, is one that can't tell: then its errors have to do.
    if (quota !== undefined && usage !== undefined && quota > 0) this.#report(Math.max(0, quota - usage), quota);
    else this.#report(undefined, 0);
  }

  async #inTime(): Promise<StorageEstimate | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, DEADLINE_MS)));
    try {
      return await Promise.race([this.#estimate(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
