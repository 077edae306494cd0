// One writer for a database: a Web Lock, which the browser gives back by itself when the page is gone. Readers share another one,
// so that nobody removes the database beside them.

import { SandglassError } from "../api/errors.js";
import { offAbort, onAbort } from "../base/abort.js";
import { MAX_TIMER_MS } from "../base/timer.js";

/** A page that is being reloaded gives its lock back a moment after the new one has begun. */
const PATIENCE_MS = 750;

/** Holds a lock until it is called. */
export type Release = () => void;

/** What one may do with a database, until `release` is called. */
export interface Lock {
  role: "writer" | "reader";
  release: Release;
}

/** What happens when somebody else has the lock. */
export interface LockOptions {
  /** "fail" gives up after a moment, "wait" after `timeoutMs`, which may be infinite, and not before that moment; "readonly" is content with reading after a moment; "steal" takes the lock from who has it and does not answer. */
  ifLocked: "fail" | "wait" | "readonly" | "steal";
  timeoutMs: number;
}

/**
 * Takes the lock of a database.
 *
 * `stolen` is called when another page has taken it away, since this one did not answer. Fails with `locked` when somebody else has it, with `aborted` through the signal, and with `unsupported` where the browser
 * has no locks.
 */
export async function acquire(
  name: string,
  storage: string,
  { ifLocked, timeoutMs }: LockOptions,
  signal?: AbortSignal,
  stolen?: () => void,
): Promise<Lock> {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (locks === undefined) {
    throw new SandglassError(
      "unsupported",
      `storage "${storage}" needs the Web Locks of a secure context, so that two tabs can't write at once; serve the page from https or localhost, or use storage: "memory"`,
    );
  }
  // The browser takes a moment to give out a lock that is free.
  const patienceMs = ifLocked === "wait" ? Math.max(timeoutMs, PATIENCE_MS) : PATIENCE_MS;
  const release = await request(locks, name, lockName(name, storage), { mode: "exclusive", patienceMs, signal, stolen, ifLocked });
  if (release !== undefined) return { role: "writer", release };
  if (ifLocked === "readonly") {
    const shared = await request(locks, name, readersLock(name, storage), { mode: "shared", patienceMs, signal });
    if (shared !== undefined) return { role: "reader", release: shared };
  }
  const advice =
    ifLocked === "wait" ? `or wait longer than the ${timeoutMs} ms of lockTimeout` : 'or open it with ifLocked: "wait" or "readonly"';
  throw new SandglassError("locked", `the database "${name}" is open in another tab or worker; close it there, ${advice}`);
}

/** Takes what nobody shares, neither a writer nor readers; `undefined` when somebody has the database open. */
export async function acquireAlone(name: string, storage: string): Promise<Release | undefined> {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  if (locks === undefined) return () => {};
  const releases: Release[] = [];
  const release = () => releases.forEach((release) => release());
  for (const lock of [lockName(name, storage), readersLock(name, storage)]) {
    const held = await request(locks, name, lock, { mode: "exclusive", patienceMs: PATIENCE_MS, signal: undefined });
    if (held === undefined) return (release(), undefined);
    releases.push(held);
  }
  return release;
}

interface RequestOptions {
  mode: LockMode;
  patienceMs: number;
  signal: AbortSignal | undefined;
  stolen?: (() => void) | undefined;
  ifLocked?: LockOptions["ifLocked"];
}

/** The lock, or `undefined` when somebody keeps it for so long. */
async function request(
  locks: LockManager,
  name: string,
  lock: string,
  { mode, patienceMs, signal, stolen, ifLocked }: RequestOptions,
): Promise<Release | undefined> {
  const giveUp = new AbortController();
  const aborted = () => giveUp.abort();
  onAbort(signal, aborted);
  if (signal?.aborted) giveUp.abort();
  const timer = patienceMs <= MAX_TIMER_MS ? setTimeout(aborted, patienceMs) : undefined;
  try {
    return await new Promise<Release>((resolve, reject) => {
      let isHeld = false;
      const held = () => {
        isHeld = true;
        return new Promise<void>((release) => resolve(release));
      };
      const refused = (reason: unknown) => {
        if (isHeld) stolen?.();
        else reject(reason);
      };
      // Who takes it away waits for nothing.
      locks.request(lock, ifLocked === "steal" ? { mode, steal: true } : { mode, signal: giveUp.signal }, held).catch(refused);
    });
  } catch (cause) {
    if (signal?.aborted) throw new SandglassError("aborted", `opening the database "${name}" was given up`, { cause });
    if (giveUp.signal.aborted) return undefined;
    throw refusalOfLock(name, cause);
  } finally {
    clearTimeout(timer);
    offAbort(signal, aborted);
  }
}

/** Why the browser gives out no lock. */
export function refusalOfLock(name: string, cause: unknown): SandglassError {
  if ((cause as Error).name === "SecurityError") {
    return new SandglassError(
      "unsupported",
      'the browser keeps no data for this page, which is sandboxed, or blocked by its user; use storage: "memory"',
      { cause },
    );
  }
  return new SandglassError("storage", `the lock of the database "${name}" cannot be taken: ${String(cause)}`, { cause });
}

/** Databases of one name in different storages are different databases. */
export function lockName(name: string, storage: string): string {
  return storage === "indexeddb" ? `sandglass/${name}` : `sandglass-${storage}/${name}`;
}

/** Readers share it, and tell the writer by it that they are there. */
export function readersLock(name: string, storage: string): string {
  return `readers of ${lockName(name, storage)}`;
}
