// A call must not wait for what can't come any more once its database has ended, or its caller has given it up.

import { callAll, offAbort, onAbort } from "../base/shared.js";
import type { Port } from "../port/port.js";

interface Ending {
  readonly listeners: Set<(reason: unknown) => void>;
  reason?: { is: unknown };
}

/** Who waits for the end of each port: a promise's reactions could not be taken back. */
const endings = new WeakMap<Port, Ending>();

/** Calls the listener with the reason when nothing is possible any more. The function that is returned takes that back. */
export function onEnded(port: Port, listener: (reason: unknown) => void): () => void {
  let ending = endings.get(port);
  if (ending === undefined) {
    const begun: Ending = { listeners: new Set() };
    endings.set(port, (ending = begun));
    void port.ended.then((is) => {
      begun.reason = { is };
      const listeners = [...begun.listeners];
      begun.listeners.clear();
      callAll(listeners.map((listener) => () => listener(is)));
    });
  }
  const { listeners, reason } = ending;
  if (reason !== undefined) listener(reason.is);
  else listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** A signal that fires with the caller's, and with the reason when nothing is possible any more. `release` lets go of both. */
export function untilEnded(port: Port, signal: AbortSignal | null | undefined): { signal: AbortSignal; release: () => void } {
  const both = new AbortController();
  const abort = () => both.abort(signal?.reason);
  onAbort(signal, abort);
  // It may have been given up while the call was on its way here.
  if (signal?.aborted) abort();
  const off = onEnded(port, (reason) => both.abort(reason));
  return {
    signal: both.signal,
    release() {
      offAbort(signal, abort);
      off();
    },
  };
}
