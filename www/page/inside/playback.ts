// The visitor's clock: it runs while the history is played, at a speed, a frame at a time.

import { signal } from "@preact/signals";

export const SPEEDS = [0.1, 0.5, 1, 2, 4, 8, 30, 100, 1000] as const;

/** A frame that took longer was no frame: the page was not seen. */
const LONGEST_FRAME_MS = 250;
/** How far the clock may run ahead of an engine that has much to do, in milliseconds of the visitor's time. */
const AHEAD_MS = 250;

export class Playback {
  readonly playing = signal(false);
  readonly speed = signal(1);
  /** Where the present play is to end; the situation's end when nothing else was said. */
  until: number | undefined;
  readonly #onFrame: (passed: number, now: number) => void;
  /** Milliseconds since the history began, with the fractions that the engine's time has not. */
  #clock = 0;
  #frame = 0;
  #lastFrame = 0;

  /** `onFrame` is called with the visitor's milliseconds since the frame before. */
  constructor(onFrame: (passed: number, now: number) => void) {
    this.#onFrame = onFrame;
  }

  start(at: number): void {
    this.playing.value = true;
    this.set(at);
    if (this.#frame !== 0) return;
    this.#lastFrame = performance.now();
    this.#frame = requestAnimationFrame(this.#draw);
  }

  stop(): void {
    this.playing.value = false;
  }

  /** The clock stands at `at`. */
  set(at: number): void {
    this.#clock = at;
  }

  /** Lets time pass, not beyond `end` nor far ahead of the engine: the whole millisecond that it comes to. */
  pass(passed: number, end: number, engineAt: number): number {
    const speed = this.speed.peek();
    this.#clock = Math.min(end, this.#clock + passed * speed, engineAt + AHEAD_MS * speed);
    return Math.floor(this.#clock);
  }

  /** No frame is asked for while the room is not seen. */
  leave(): void {
    this.stop();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #draw = (now: number): void => {
    this.#frame = 0;
    if (!this.playing.peek()) return;
    this.#frame = requestAnimationFrame(this.#draw);
    const passed = Math.min(LONGEST_FRAME_MS, Math.max(0, now - this.#lastFrame));
    this.#lastFrame = now;
    this.#onFrame(passed, now);
  };
}
