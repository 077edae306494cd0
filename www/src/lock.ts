// One writer for a database: a Web Lock, which the browser gives back by itself when the page is gone.

import { SandglassError } from "./errors.js";

/** A page that is being reloaded gives its lock back a moment after the new one has begun. */
const PATIENCE_MS = 750;
/** The longest that timers count, 24 days. */
const MAX_TIMER_MS = 0x7fff_ffff;

/** Holds a lock until it is called. */
export type Release = () => void;

/** What happens when somebody else has the lock. */
export interface LockOptions {
  /** "fail" gives up after a moment, "wait" after `timeoutMs`, which may be infinite. */
  ifLocked: "fail" | "wait";
  timeoutMs: number;
}

/**
 * Takes the lock of a database.
 *
 * Fails with `locked` when somebody else has it, with `aborted` through the signal, and with `unsupported` where the browser
 * has no locks.
 */
export async function acquire(name: string, storage: string, { ifLocked, timeoutMs }: LockOptions, signal?: AbortSignal): Promise<Release> {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (locks === undefined) {
    throw new SandglassError(
      "unsupported",
      `storage "${storage}" needs the Web Locks of a secure context, so that two tabs can't write at once; serve the page from https or localhost, or use storage: "memory"`,
    );
  }
  const giveUp = new AbortController();
  const aborted = () => giveUp.abort();
  signal?.addEventListener("abort", aborted);
  if (signal?.aborted) giveUp.abort();
  const patience = ifLocked === "fail" ? PATIENCE_MS : timeoutMs;
  const timer = patience <= MAX_TIMER_MS ? setTimeout(aborted, patience) : undefined;
  try {
    return await new Promise<Release>((resolve, reject) => {
      const held = () => new Promise<void>((release) => resolve(release));
      locks.request(lockName(name, storage), { signal: giveUp.signal }, held).catch(reject);
    });
  } catch (cause) {
    if (signal?.aborted) throw new SandglassError("aborted", `opening the database "${name}" was given up`, { cause });
    if (!giveUp.signal.aborted) throw new SandglassError("storage", `the lock of the database "${name}" cannot be taken: ${String(cause)}`, { cause });
    const advice = ifLocked === "fail" ? 'or open it with ifLocked: "wait"' : `or wait longer than the ${patience} ms of lockTimeout`;
    throw new SandglassError("locked", `the database "${name}" is open in another tab or worker; close it there, ${advice}`, { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  }
}

/** Databases of one name in different storages are different databases. */
function lockName(name: string, storage: string): string {
  return storage === "indexeddb" ? `sandglass/${name}` : `sandglass-${storage}/${name}`;
}
