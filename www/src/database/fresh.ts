// Answers that may have to have what was accepted a moment ago.

import { invalid } from "../base/shared.js";
import type { Abortable, Fresh } from "../api/samples.js";
import type { Port } from "../port/port.js";
import type { AnswerTo, Kind, RequestOf } from "../port/requests.js";

/** Whether what waits is to be made searchable first. A reader has nothing of its own to flush. */
export function wantsFresh(port: Port, options: Fresh | undefined): boolean {
  const fresh: unknown = options?.fresh ?? false;
  if (typeof fresh !== "boolean") throw invalid(`fresh is ${String(fresh)}; true or false is expected`);
  return fresh && port.role === "writer";
}

/** The answer to a request that reads, of all that was accepted before when that is wanted. */
export async function askedFresh<K extends Kind>(
  port: Port,
  request: RequestOf<K>,
  options: (Fresh & Abortable) | undefined,
): Promise<AnswerTo<K>> {
  if (wantsFresh(port, options)) await port.ask({ kind: "flush" }, options?.signal);
  return port.ask(request, options?.signal);
}
