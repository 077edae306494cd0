// Drives an engine on the calling thread: lets it work in slices of a few milliseconds, each in a task of the event loop of its
// own, wakes it when something falls due, and settles promises when it has answered.

import type { SandglassError } from "../api/errors.js";
import { Macrotask } from "../base/macrotask.js";

/** What is driven. Every call may throw; one that was no refusal with a code means that the engine can't go on. */
export interface Driven {
  /** Works for about `budget` units. 0: it could go on at once; else the instant at which it wants to be called again. */
  pump(wallNow: number, budget: number): number;
  /** Units of work that the last pump did. */
  spent(): number;
  /** Tickets that were answered since the last call. */
  completed(): Uint32Array;
  /** Called after each slice, to hand out what else has come up. */
  afterSlice(): void;
}

/** How long the engine works without a break. */
const SLICE_MS = 4;
/** After so long without a break of the event loop, those who append in a loop have to wait for one. */
const TURN_MS = 8;
/** A slice longer than this is counted. */
const LONG_SLICE_MS = 8;
/** A slice is made of steps of about this length, with a look at the clock after each: what a unit costs differs by the kind of work. */
const STEP_MS = 1;
/** Units of the first step, whose code is not compiled well yet, and the least and most of any. */
const FIRST_BUDGET = 5_000;
const MIN_BUDGET = 2_000;
const MAX_BUDGET = 500_000;
/** Timers beyond this are set in steps. */
const MAX_SLEEP_MS = 60_000;

type Timer = ReturnType<typeof setTimeout> & { ref?: () => void; unref?: () => void };

interface Waiting {
  answered(): void;
  failed(error: SandglassError): void;
}

export interface Slices {
  longestMs: number;
  over8Ms: number;
}

/** What calls answer that were done at once: one promise, resolved already. */
export const ACCEPTED = Promise.resolve();

export class Pump {
  readonly slices: Slices = { longestMs: 0, over8Ms: 0 };
  readonly #driven: Driven;
  readonly #macrotask = new Macrotask(() => this.#run());
  readonly #waiting = new Map<number, Waiting>();
  /** What makes a fault of the engine an error. */
  readonly #fault: (thrown: unknown) => SandglassError;
  #timer: Timer | undefined;
  /** When the timer ends, by the clock that pumps get. */
  #timerAt = 0;
  #budget = FIRST_BUDGET;
  #unitsPerMs = FIRST_BUDGET / STEP_MS;
  /** When the present turn of the event loop began, as far as is known; 0 when nothing has run in it yet. */
  #turnBegan = 0;
  #nextTurn: Promise<void> | undefined;
  #beginNextTurn: (() => void) | undefined;
  #stopped: SandglassError | undefined;

  constructor(driven: Driven, fault: (thrown: unknown) => SandglassError) {
    this.#driven = driven;
    this.#fault = fault;
  }

  /** Why nothing runs any more. */
  get stopped(): SandglassError | undefined {
    return this.#stopped;
  }

  /** Something may have come up: works in a task of its own, soon. */
  request(): void {
    if (this.#macrotask.requested || this.#stopped) return;
    this.#macrotask.request();
  }

  /** Resolves with what `take` answers once the engine has answered the ticket. */
  answer<T>(ticket: number, take: () => T | Promise<T>): Promise<T> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    this.request();
    return new Promise((resolve, reject) => {
      this.#waiting.set(ticket, {
        answered: () => {
          try {
            resolve(take());
          } catch (error) {
            reject(error);
          }
        },
        failed: reject,
      });
    });
  }

  /** Nobody waits for this answer any more, and it will not come. */
  forget(ticket: number): void {
    this.#waiting.delete(ticket);
  }

  /**
   * To be returned by a call that has done its work at once. It is a promise that is resolved already, unless the caller has
   * gone on from promise to promise for so long that nothing else has had a chance to run; then it resolves in a later task.
   */
  breathe(): Promise<void> {
    this.request();
    if (this.#turnBegan === 0) {
      this.#turnBegan = performance.now();
      return ACCEPTED;
    }
    if (performance.now() - this.#turnBegan < TURN_MS) return ACCEPTED;
    return (this.#nextTurn ??= new Promise((resolve) => (this.#beginNextTurn = resolve)));
  }

  /** Takes the time of work that was done outside of a slice. */
  measure(began: number): void {
    const took = performance.now() - began;
    if (took > this.slices.longestMs) this.slices.longestMs = took;
    if (took > LONG_SLICE_MS) this.slices.over8Ms++;
  }

  /**
   * Works now, until there is nothing to do or the time is up, and hands out what was answered: for the moment before a page goes away.
   * Answers whether all was done that does not wait for the storage.
   */
  workNow(limitMs: number): boolean {
    if (this.#stopped !== undefined) return false;
    const isDone = this.#work(performance.now(), limitMs) !== 0;
    this.#settle();
    return isDone;
  }

  /** Hands out what was answered; whether anything was. */
  #settle(): boolean {
    const tickets = this.#driven.completed();
    for (const ticket of tickets) {
      // An answer that nobody waits for any more has been given up.
      this.#waiting.get(ticket)?.answered();
      this.#waiting.delete(ticket);
    }
    return tickets.length > 0;
  }

  /** Ends it: whoever waits is told why. */
  stop(reason: SandglassError): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    this.#macrotask.stop();
    this.#wake();
    for (const waiting of this.#waiting.values()) waiting.failed(reason);
    this.#waiting.clear();
    this.#endTurn();
  }

  #run(): void {
    if (this.#stopped) return;
    const began = performance.now();
    this.#turnBegan = began;
    let due: number;
    let settled = this.#endTurn();
    try {
      due = this.#work(began);
      if (this.#settle()) settled = true;
      this.#driven.afterSlice();
    } catch (thrown) {
      this.stop(this.#fault(thrown));
      return;
    }
    this.measure(began);
    if (this.#stopped) return;
    // Those who were answered go on in this same turn: it has to be known when it ends.
    if (due === 0 || settled) this.#macrotask.request();
    else this.#turnBegan = 0;
    if (due !== 0) this.#sleepUntil(due);
  }

  /** Step by step, until a slice is full or nothing is left to do. */
  #work(began: number, limitMs = SLICE_MS): number {
    for (let stepBegan = began; ; ) {
      const due = this.#driven.pump(Date.now(), this.#budget);
      const now = performance.now();
      this.#adapt(now - stepBegan, this.#driven.spent());
      if (due !== 0 || now - began >= limitMs - STEP_MS / 2) return due;
      stepBegan = now;
    }
  }

  #adapt(took: number, spent: number): void {
    // A step that ended for want of work says something only when it was long enough to be measured.
    if (spent < this.#budget * 0.9 && (spent < 1_000 || took < 0.5)) return;
    // The thread may have been taken away meanwhile, and clocks are coarse: no step changes much.
    const rate = spent / Math.max(took, 0.01);
    const believable = Math.min(this.#unitsPerMs * 2, Math.max(this.#unitsPerMs / 2, rate));
    this.#unitsPerMs += (believable - this.#unitsPerMs) / 3;
    this.#budget = Math.min(MAX_BUDGET, Math.max(MIN_BUDGET, this.#unitsPerMs * STEP_MS));
  }

  #sleepUntil(due: number): void {
    const now = Date.now();
    // One that ends earlier is good enough, and costs less than another one for each slice.
    if (this.#timer !== undefined && (this.#timerAt > due || this.#timerAt <= now)) this.#wake();
    if (this.#timer === undefined) {
      if (due === Number.POSITIVE_INFINITY) return;
      this.#timerAt = Math.min(now + MAX_SLEEP_MS, Math.max(now + 1, due));
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#run();
      }, this.#timerAt - now);
    }
    // In Node a database that nobody waits for does not keep the process alive.
    if (this.#waiting.size === 0) this.#timer.unref?.();
    else this.#timer.ref?.();
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #endTurn(): boolean {
    if (this.#beginNextTurn === undefined) return false;
    this.#beginNextTurn();
    this.#beginNextTurn = undefined;
    this.#nextTurn = undefined;
    return true;
  }
}
