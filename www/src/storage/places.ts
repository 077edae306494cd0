// Where databases are: which storages of this origin have one of a name, and which a new one gets.

import { SandglassError } from "../api/errors.js";
import { indexedDb } from "../base/indexed_db.js";
import { directoryOf, opfsRoot, PARENT } from "./opfs.js";

/** The engine puts this in front of the name (src/fs/indexed_db/mod.rs). */
export const INDEXED_DB_PREFIX = "sandglass:";

export type StoredPlace = "indexeddb" | "opfs";

/**
 * Where there is a database of this name, or may be one, since the browser does not tell. IndexedDB comes first where it certainly has one:
 * a database that was begun without OPFS stays where it is.
 */
export async function placesOf(name: string): Promise<StoredPlace[]> {
  const [inIndexedDb, inOpfs] = await Promise.all([isInIndexedDb(name), hasDirectory(name)]);
  const places: StoredPlace[] = inOpfs ? ["opfs"] : [];
  if (inIndexedDb === true) return ["indexeddb", ...places];
  return inIndexedDb === undefined ? [...places, "indexeddb"] : places;
}

/**
 * Does what may begin a database while nobody else of this origin does so, lest one begins it in one storage and one in another.
 * `isPatient`: waits for others; without that nothing is done, and nothing given, while somebody is at it.
 */
export async function beginAlone<T>(name: string, isPatient: boolean, work: () => Promise<T>): Promise<T | undefined> {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return work();
  return locks.request(`sandglass-begin/${name}`, { ifAvailable: !isPatient }, async (lock) => (lock === null ? undefined : work()));
}

/** The storage of a new database for which none was chosen: of those that are here the one that loses least. */
export async function placeForNew(reachesOpfs: boolean): Promise<"memory" | StoredPlace> {
  if (reachesOpfs && (await opfsRoot()) !== undefined) return "opfs";
  return indexedDb() ? "indexeddb" : "memory";
}

/** Nothing where the browser does not tell: older ones keep no list. */
async function isInIndexedDb(name: string): Promise<boolean | undefined> {
  const factory = indexedDb();
  if (factory === undefined) return false;
  try {
    return (await factory.databases()).some((database) => database.name === INDEXED_DB_PREFIX + name);
  } catch {
    return undefined;
  }
}

async function hasDirectory(name: string): Promise<boolean> {
  const root = await opfsRoot();
  if (root === undefined) return false;
  try {
    await (await root.getDirectoryHandle(PARENT)).getDirectoryHandle(directoryOf(name));
    return true;
  } catch (cause) {
    const reason = cause as DOMException;
    if (reason.name === "NotFoundError" || reason.name === "TypeMismatchError") return false;
    // A new database beside one that can't be seen just now would hide it.
    throw new SandglassError(
      "storage",
      `the browser does not tell whether the database "${name}" is in its file system: ${reason.message}`,
      {
        cause,
      },
    );
  }
}
