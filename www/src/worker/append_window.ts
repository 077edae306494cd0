// How many samples may be on their way to a worker: appends go on without waiting for an answer as long as there is room.

/** Samples that were handed in and of which the worker has not said yet what became of them: 4 MiB of timestamps and values. */
const WINDOW_SAMPLES = 256 * 1024;
/** Who goes on from append to append for so long has to wait for a new task, so that input and painting come in between. */
const TURN_MS = 8;
/** Samples between two looks at the clock. */
const CREDIT = 8_192;
/** A call costs as much as so many samples. */
const CALL_COST = 16;

/** What an append answers while there is room: one promise, resolved already. */
const ON_ITS_WAY = Promise.resolve();

interface Gate {
  promise: Promise<void>;
  open(): void;
  refuse(reason: unknown): void;
}

export class AppendWindow {
  #onTheWay = 0;
  #credit = CREDIT;
  /** When the present task's first append came. */
  #turnBegan = 0;
  /** Those who wait for room, and those who wait for a new task. */
  #room: Gate | undefined;
  #turn: Gate | undefined;

  /** How many samples the worker has not answered for. */
  get samples(): number {
    return this.#onTheWay;
  }

  /** Counts what was handed in; resolves when more may follow. */
  add(samples: number): Promise<void> {
    this.#onTheWay += samples;
    if (this.#onTheWay >= WINDOW_SAMPLES) return (this.#room ??= gate()).promise;
    this.#credit -= samples + CALL_COST;
    if (this.#credit > 0) return ON_ITS_WAY;
    this.#credit = CREDIT;
    if (performance.now() - this.#turnBegan < TURN_MS) return ON_ITS_WAY;
    return (this.#turn ??= gate()).promise;
  }

  /** The worker has said what became of so many. */
  give(samples: number): void {
    this.#onTheWay -= samples;
    if (this.#onTheWay > WINDOW_SAMPLES / 2) return;
    this.#room?.open();
    this.#room = undefined;
  }

  /** A task with appends in it begins. */
  beginTurn(): void {
    this.#turnBegan = performance.now();
  }

  /** A new task has begun. */
  endTurn(): void {
    this.#turn?.open();
    this.#turn = undefined;
  }

  /** Nothing is taken any more. */
  end(reason: unknown): void {
    this.#room?.refuse(reason);
    this.#turn?.refuse(reason);
    this.#room = this.#turn = undefined;
  }
}

function gate(): Gate {
  let open!: () => void;
  let refuse!: (reason: unknown) => void;
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve;
    refuse = reject;
  });
  return { promise, open, refuse };
}
