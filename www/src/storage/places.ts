// Where databases are: which storages of this origin have one of a name, and which a new one gets.

import { indexedDb } from "../base/indexed_db.js";
import { directoryOf, PARENT } from "./opfs.js";

/** The engine puts this in front of the name (src/fs/indexed_db/mod.rs). */
export const INDEXED_DB_PREFIX = "sandglass:";

export type StoredPlace = "indexeddb" | "opfs";

/**
 * Where there is a database of this name, or may be one, since the browser does not tell. IndexedDB comes first: it was the only default
 * once.
 */
export async function placesOf(name: string): Promise<StoredPlace[]> {
  const [inIndexedDb, inOpfs] = await Promise.all([mayBeInIndexedDb(name), hasDirectory(name)]);
  return [...(inIndexedDb ? (["indexeddb"] as const) : []), ...(inOpfs ? (["opfs"] as const) : [])];
}

/** The storage of a new database for which none was chosen: of those that are here the one that loses least. */
export async function placeForNew(reachesOpfs: boolean): Promise<"memory" | StoredPlace> {
  if (reachesOpfs && (await opfsRoot()) !== undefined) return "opfs";
  return indexedDb() ? "indexeddb" : "memory";
}

async function mayBeInIndexedDb(name: string): Promise<boolean> {
  try {
    const factory = indexedDb();
    if (factory === undefined) return false;
    // Older browsers keep no list.
    if (typeof factory.databases !== "function") return true;
    return (await factory.databases()).some((database) => database.name === INDEXED_DB_PREFIX + name);
  } catch {
    return false;
  }
}

async function hasDirectory(name: string): Promise<boolean> {
  try {
    return (await (await (await opfsRoot())?.getDirectoryHandle(PARENT))?.getDirectoryHandle(directoryOf(name))) !== undefined;
  } catch {
    return false;
  }
}

/** Nothing where there is no such file system, as in some private windows and in insecure contexts. */
async function opfsRoot(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await globalThis.navigator?.storage?.getDirectory?.();
  } catch {
    return undefined;
  }
}
