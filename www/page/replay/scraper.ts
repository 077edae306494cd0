// The live end of the replay: asks the machine at every full interval and stores the answer.

import type { Database, SeriesHandle } from "sandglass";
import type { Machine } from "./machine";

/** Scrapes a second that can be chosen. */
export const PACES = [1, 10, 100] as const;
export type Pace = (typeof PACES)[number];

/** Scrapes missed while the tab slept are made up for up to so long ago; before that there is a gap, as on a server. */
const MAKE_UP_MS = 15 * 60 * 1000;
/** How often due scrapes are looked for, at most. */
const WAKE_MS = 100;

export class Scraper {
  readonly #database: Database;
  readonly #machine: Machine;
  readonly #handles: SeriesHandle[];
  readonly #failed: (error: unknown) => void;
  #pace: Pace = 1;
  #paused = false;
  #stopped = false;
  #busy = false;
  /** Time of the last scrape, in milliseconds. */
  #last: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(database: Database, machine: Machine, handles: SeriesHandle[], last: number, failed: (error: unknown) => void) {
    this.#database = database;
    this.#machine = machine;
    this.#handles = handles;
    this.#last = last;
    this.#failed = failed;
  }

  start(): void {
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  setPace(pace: Pace): void {
    this.#pace = pace;
    this.#wake();
  }

  setPaused(paused: boolean): void {
    const resumed = this.#paused && !paused;
    this.#paused = paused;
    if (resumed) {
      // A pause is a gap, not something to make up for.
      this.#last = Math.max(this.#last, Date.now() - this.#interval());
      this.#wake();
    }
  }

  #interval(): number {
    return 1000 / this.#pace;
  }

  #wake(): void {
    clearTimeout(this.#timer);
    if (this.#busy || this.#stopped || this.#paused) return;
    this.#busy = true;
    this.#scrapeDue()
      .catch(this.#failed)
      .finally(() => {
        this.#busy = false;
        if (this.#stopped || this.#paused) return;
        const next = (Math.floor(this.#last / this.#interval()) + 1) * this.#interval();
        this.#timer = setTimeout(() => this.#wake(), Math.max(next - Date.now(), Math.min(WAKE_MS, this.#interval())));
      });
  }

  async #scrapeDue(): Promise<void> {
    for (;;) {
      const interval = this.#interval();
      const from = Math.max(this.#last, Date.now() - MAKE_UP_MS);
      const due = (Math.floor(from / interval) + 1) * interval;
      if (due > Date.now() || this.#paused || this.#stopped) return;
      this.#machine.advance((due - this.#last) / 1000, due / 1000);
      this.#last = due;
      await this.#database.appendRow(this.#handles, due, this.#machine.values);
    }
  }
}
