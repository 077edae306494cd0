// Calls that their caller may take back.

import { SandglassError } from "./errors.js";

function aborted(what: string, signal: AbortSignal): SandglassError {
  return new SandglassError("aborted", `${what} was given up by its caller`, { cause: signal.reason });
}

/** Throws when the call has been taken back. */
export function checkAborted(what: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(what, signal);
}

/** The promise, or a rejection as soon as the call is taken back. */
export function abortable<T>(what: string, signal: AbortSignal | undefined, begin: () => Promise<T>): Promise<T> {
  if (signal === undefined) return begin();
  if (signal.aborted) return Promise.reject(aborted(what, signal));
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(what, signal));
    signal.addEventListener("abort", abort, { once: true });
    begin()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
