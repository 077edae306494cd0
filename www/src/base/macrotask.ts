// A task of the event loop's own, without the delays that timers have, so that input and painting come in between.

/** Taken while the module is loaded: tests put timers of their own in the place of the real ones, which they move by hand. */
const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => unknown };

/** Runs `run` in a new task of the event loop for each `request`; requests before it runs are one. */
export class Macrotask {
  requested = false;
  readonly #post: () => void;
  #channel: MessageChannel | undefined;

  constructor(run: () => void) {
    const begin = () => {
      if (!this.requested) return;
      this.requested = false;
      run();
    };
    if (typeof setImmediate === "function") {
      this.#post = () => setImmediate(begin);
    } else {
      this.#channel = new MessageChannel();
      const { port1, port2 } = this.#channel;
      port1.onmessage = begin;
      this.#post = () => port2.postMessage(undefined);
    }
  }

  request(): void {
    if (this.requested) return;
    this.requested = true;
    this.#post();
  }

  /** Drops what was requested, for good. */
  stop(): void {
    this.requested = false;
    this.#channel?.port1.close();
  }
}
