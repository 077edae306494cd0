// The entry `sandglass`: the engine in a worker of its own wherever there are workers, else in the calling thread.

import { startInWorker } from "./in_worker.js";
import { onDemand } from "./on_demand.js";
import { openDatabase } from "./core.js";
import type { Database, OpenOptions } from "./types.js";

export { type ErrorCode, SandglassError } from "./errors.js";
export type * from "./types.js";

/**
 * Opens a database, or makes a new one. The engine runs in a worker that belongs to this database alone; where there is none
 * (in Node), and where none can be started, it runs in the calling thread, and `opened.thread` of the database tells so.
 *
 * Rejects with an `Error` whose `code` is one of `locked`, `quota`, `corrupt`, `unsupported`, `invalid`, `aborted`.
 *
 * @example
 * ```ts
 * const db = await open({ name: "greenhouse", retention: "5y" });
 * ```
 */
export function open(options?: OpenOptions): Promise<Database> {
  return openDatabase(options, startInWorker);
}

/**
 * Names of the databases that are stored in this origin, sorted. Databases in memory are not among them: they are known to the
 * object that `open` returned alone.
 */
export async function databases(): Promise<string[]> {
  return (await onDemand(import("./databases.js"))).databases();
}

/**
 * Removes a stored database with all its samples and snapshots, in each storage that has one of this name. One that does not exist
 * is no error; one that is open, here or in another tab, is refused with the code `locked`. Databases in memory end by `close()`.
 */
export async function destroy(name: string): Promise<void> {
  return (await onDemand(import("./databases.js"))).destroy(name);
}
