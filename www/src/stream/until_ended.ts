// A source that brings nothing must not keep a call waiting whose database was closed.

import { onAbort } from "../base/shared.js";
import type { Port } from "../port/port.js";

/** Fires with the caller's signal, and with the reason when nothing is possible any more. */
export function untilEnded(port: Port, signal: AbortSignal | null | undefined): AbortSignal {
  const both = new AbortController();
  onAbort(signal, () => both.abort(signal?.reason));
  void port.ended.then((reason) => both.abort(reason));
  return both.signal;
}
