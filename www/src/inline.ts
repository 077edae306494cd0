// The entry `sandglass/inline`: the engine in the calling thread, everywhere.

import { hasSyncAccess, startHere } from "./opening/in_caller.js";
import { onDemand } from "./base/on_demand.js";
import { openDatabase } from "./opening/open.js";
import type { Database } from "./api/database.js";
import type { OpenOptions } from "./api/options.js";
import type { OpenedSnapshot, OpenSnapshotOptions, SnapshotPlace } from "./api/looking.js";

export { type ErrorCode, SandglassError } from "./api/errors.js";
export type * from "./api/index.js";

/**
 * Opens a database, or makes a new one. The engine runs in the calling thread, which may be that of a worker.
 *
 * In a browser what was accepted before a `sync()` or `close()` that has resolved outlives the page; the rest is durable within
 * a second, see {@link OpenOptions.durableWithin}. What each storage makes of that is said at {@link OpenOptions.storage}.
 *
 * Rejects with an `Error` whose `code` is one of `locked`, `quota`, `corrupt`, `unsupported`, `storage`, `invalid`, `aborted`,
 * `internal`, or `closed` when the browser puts the page away meanwhile.
 *
 * @example
 * ```ts
 * const db = await open({ name: "greenhouse", retention: "5y" });
 * ```
 */
export function open(options?: OpenOptions): Promise<Database> {
  return openDatabase(options, startHere, hasSyncAccess);
}

/**
 * Opens a snapshot, or a data directory, of a server of any version from 1.72 up to 1.150 where it lies: in a tar, in the files of a
 * folder, or at a URL whose server hands out ranges. The lists of parts are read at once, samples when they are asked for, so that
 * gigabytes open in a moment. It is only to be looked at: all calls that write are refused with the code `locked`. A part that is broken
 * is left out and named in `snapshot.leftOut`.
 *
 * A compressed tar, and the data of a Prometheus, can't be read in place: all of it is read and unpacked into memory first, which
 * `snapshot.isUnpacked` tells. One that is too large for that is restored into a database on a disk.
 *
 * @example
 * ```ts
 * const db = await openSnapshot(file);
 * console.log(db.snapshot.format, await db.labelValues("__name__"));
 * ```
 */
export async function openSnapshot(place: SnapshotPlace, options?: OpenSnapshotOptions): Promise<OpenedSnapshot> {
  return (await onDemand(import("./opening/snapshot.js"))).openSnapshotWith(place, options, startHere);
}

/**
 * Names of the databases that are stored in this origin, sorted. Databases in memory are not among them: they are known to the
 * object that `open` returned alone. It takes as long as the browser takes to list them.
 */
export async function databases(): Promise<string[]> {
  return (await onDemand(import("./storage/databases.js"))).databases();
}

/**
 * Removes a stored database with all its samples and snapshots, in each storage that has one of this name. One that does not exist
 * is no error; one that is open, here or in another tab, is refused with the code `locked`. Databases in memory end by `close()`.
 * It waits 0.75 seconds for each lock, and up to ten seconds for a connection that something else than this package keeps.
 */
export async function destroy(name: string): Promise<void> {
  return (await onDemand(import("./storage/databases.js"))).destroy(name);
}
