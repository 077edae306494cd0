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
    signal.addEventListener("abort", abort, { once: true });
    begin()
      .then((value) => (signal.aborted ? late?.(value) : resolve(value)), reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
