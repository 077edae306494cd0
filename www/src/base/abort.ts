// Calls that their caller may take back.

import { SandglassError } from "../api/errors.js";

/** Refuses what is no signal. */
export function checkSignal(signal: AbortSignal | null | undefined): void {
  if (signal != null && typeof signal.addEventListener !== "function") throw new SandglassError("invalid", "signal is not an AbortSignal");
}

function aborted(what: string, signal: AbortSignal): SandglassError {
  return new SandglassError("aborted", `${what} was given up by its caller`, { cause: signal.reason });
}

/** Throws when the call has been taken back, or never could be. */
export function checkAborted(what: string, signal: AbortSignal | null | undefined): void {
  checkSignal(signal);
  if (signal?.aborted) throw aborted(what, signal);
}

/** Who waits for each signal. Node warns of more than ten listeners of one, and all calls of a page may share one signal. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls a listener when the signal is aborted, once. As with an event's listeners, one that was aborted before calls none. */
export function onAbort(signal: AbortSignal | null | undefined, listener: () => void): void {
  if (signal == null) return;
  let listeners = waiting.get(signal);
  if (listeners === undefined) {
    const all = new Set<() => void>();
    signal.addEventListener("abort", () => callAll([...all]), { once: true });
    waiting.set(signal, (listeners = all));
  }
  listeners.add(listener);
}

/** As with an event's listeners, one that throws keeps none of the others from being called, and is reported. */
export function callAll(listeners: (() => void)[]): void {
  for (const listener of listeners) {
    try {
      listener();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** Takes that back. */
export function offAbort(signal: AbortSignal | null | undefined, listener: () => void): void {
  if (signal != null) waiting.get(signal)?.delete(listener);
}

/**
 * The promise, or a rejection as soon as the call is taken back. `givenUp` is told of that at once, and `late` gets the value
 * that has come nevertheless.
 */
export async function abortable<T>(
  what: string,
  signal: AbortSignal | null | undefined,
  begin: () => Promise<T>,
  givenUp?: () => void,
  late?: (value: T) => void,
): Promise<T> {
  checkAborted(what, signal);
  if (signal == null) return begin();
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(aborted(what, signal));
      givenUp?.();
    };
    onAbort(signal, abort);
    begin()
      .then((value) => (signal.aborted ? late?.(value) : resolve(value)), reject)
      .finally(() => offAbort(signal, abort));
  });
}
