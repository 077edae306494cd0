// Databases that the components of this page have in common: one object for each name, from the first component that wants it until
// a moment after the last one has gone.

import { startInWorker } from "../opening/in_worker.js";
import { hasWorkers } from "../worker/spawn.js";
import { openDatabase } from "../opening/open.js";
import { SandglassError } from "../api/errors.js";
import type { Database } from "../api/database.js";
import type { OpenOptions } from "../api/options.js";

/** How far a database is. */
export interface DatabaseState {
  /** `"failed"`: it could not be opened, or was lost later; {@link error} says why. */
  readonly status: "opening" | "open" | "failed";
  /** While it is open. It is shared by all components that use its name, and closed by the hook: don't `close()` it. */
  readonly database: Database | undefined;
  readonly error: Error | undefined;
  /** Tries again after a failure; does nothing otherwise. */
  readonly reopen: () => void;
}

/** How a component opens a database: as `open` does, without a signal, since the component's own end is one. */
export type DatabaseOptions = Omit<OpenOptions, "signal">;

/** The next screen, or the next version of a component's code, mostly wants the same database: it stays open for so long. */
const LINGER_MS = 1_000;

const opening = (reopen: () => void): DatabaseState => ({ status: "opening", database: undefined, error: undefined, reopen });

/** What is known before anybody has asked for it. */
export const NOT_BEGUN: DatabaseState = opening(() => {});

const known = new Map<string, SharedDatabase>();

/** Components with equal keys have one database. */
export function keyOf({ name, storage }: DatabaseOptions): string {
  return JSON.stringify([name ?? null, storage ?? null]);
}

export function stateOf(key: string): DatabaseState {
  return known.get(key)?.state ?? NOT_BEGUN;
}

/** Joins those who use a database, until the function that is returned is called; `changed` is told whenever its state is another one. */
export function join(key: string, options: DatabaseOptions, changed: () => void): () => void {
  let shared = known.get(key);
  if (shared === undefined) known.set(key, (shared = new SharedDatabase(key, options)));
  return shared.join(changed);
}

class SharedDatabase {
  readonly #key: string;
  readonly #options: DatabaseOptions;
  readonly #users = new Set<() => void>();
  /** Ended when nobody is left, or when it is opened anew. */
  #life: AbortController | undefined;
  /** Resolves when what was opened before is closed. */
  #before: Promise<void> = Promise.resolve();
  #linger: ReturnType<typeof setTimeout> | undefined;
  state: DatabaseState;

  constructor(key: string, options: DatabaseOptions) {
    this.#key = key;
    this.#options = options;
    this.state = opening(this.#reopen);
  }

  join(changed: () => void): () => void {
    clearTimeout(this.#linger);
    // The same function may be handed in twice, and be taken back twice.
    const user = () => changed();
    this.#users.add(user);
    if (this.#life === undefined) this.#begin();
    return () => {
      this.#users.delete(user);
      clearTimeout(this.#linger);
      if (this.#users.size === 0) this.#linger = setTimeout(() => this.#end(), LINGER_MS);
    };
  }

  #begin(): void {
    const life = (this.#life = new AbortController());
    this.#show(opening(this.#reopen));
    this.#before = this.#before.then(() => this.#live(life.signal));
  }

  /** From opening to closed. */
  async #live(signal: AbortSignal): Promise<void> {
    let database: Database;
    try {
      database = await openDatabase({ ...this.#options, signal }, startInWorker, hasWorkers);
    } catch (error) {
      if (!signal.aborted) this.#fail(error as Error);
      return;
    }
    if (!signal.aborted) this.#show({ status: "open", database, error: undefined, reopen: this.#reopen });
    const ended = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const lost = await Promise.race([ended, database.closed]);
    if (lost !== undefined) {
      const message = `the database "${database.name}" was closed by somebody else than the hook; leave closing it to useDatabase`;
      return this.#fail(lost.error ?? new SandglassError("closed", message));
    }
    // Nobody is left to whom it could be said that the storage did not take the last samples; the page is told.
    await database.close().catch((error) => reportError(error));
  }

  #end(): void {
    this.#life?.abort();
    this.#life = undefined;
    this.state = opening(this.#reopen);
    void this.#before.then(() => {
      if (this.#users.size === 0 && this.#life === undefined && known.get(this.#key) === this) known.delete(this.#key);
    });
  }

  #fail(error: Error): void {
    this.#show({ status: "failed", database: undefined, error, reopen: this.#reopen });
  }

  readonly #reopen = (): void => {
    if (this.state.status === "failed" && this.#users.size > 0) this.#begin();
  };

  #show(state: DatabaseState): void {
    this.state = state;
    for (const user of [...this.#users]) user();
  }
}
