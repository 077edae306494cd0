// The databases of this origin: each is an IndexedDB database of its own, or a directory in the origin private file system.
// Nothing here needs the engine.

import { indexedDb, SandglassError } from "../base/shared.js";
import { acquireAlone, type Release } from "./lock.js";
import { destroyInOpfs, opfsDatabases } from "./opfs.js";
import { INDEXED_DB_PREFIX } from "./places.js";

/** How long a connection that is just being closed may hold up a deletion. */
const PATIENCE_MS = 10_000;
/** How long a deletion may take of which the browser says nothing. */
const LONGEST_MS = 300_000;

/**
 * Names of the databases that are stored in this origin, sorted. Databases in memory are not among them: they are known to the
 * object that `open` returned alone. It takes as long as the browser takes to list them.
 */
export async function databases(): Promise<string[]> {
  const [found = [], inOpfs] = await Promise.all([inIndexedDb(), opfsDatabases()]);
  const names = found.flatMap(({ name }) => (name?.startsWith(INDEXED_DB_PREFIX) ? [name.slice(INDEXED_DB_PREFIX.length)] : []));
  return [...new Set([...names, ...inOpfs])].sort();
}

async function inIndexedDb(): Promise<IDBDatabaseInfo[] | undefined> {
  try {
    return await indexedDb()?.databases?.();
  } catch (cause) {
    if (cause instanceof SandglassError) throw cause;
    throw new SandglassError("unsupported", `the browser does not tell which databases there are: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Removes a stored database with all its samples and snapshots, in each storage that has one of this name. One that does not exist
 * is no error; one that is open, here or in another tab, is refused with the code `locked`. Databases in memory end by `close()`.
 * It waits 0.75 seconds for each lock, and up to ten seconds for a connection that something else than this package keeps.
 */
export async function destroy(name: string): Promise<void> {
  if (typeof name !== "string" || name === "") throw new SandglassError("invalid", "destroy needs the name of a database");
  const factory = indexedDb();
  const isInOpfs = (await opfsDatabases()).includes(name);
  const releases: Release[] = [];
  try {
    // Both locks come before either is removed.
    for (const [storage, isThere] of [
      ["indexeddb", factory !== undefined],
      ["opfs", isInOpfs],
    ] as const) {
      if (!isThere) continue;
      const release = await acquireAlone(name, storage);
      if (release === undefined)
        throw new SandglassError("locked", `the database "${name}" is open in another tab or worker; close it there and try again`);
      releases.push(release);
    }
    if (factory !== undefined) await destroyInIndexedDb(factory, name);
    if (isInOpfs) await destroyInOpfs(name);
  } finally {
    for (const release of releases) release();
  }
}

function destroyInIndexedDb(factory: IDBFactory, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (cause: unknown) => {
      const reason = (cause as Error | null)?.message ?? "the browser gives no reason";
      reject(new SandglassError("storage", `the database "${name}" cannot be removed: ${reason}`, { cause }));
    };
    let request: IDBOpenDBRequest;
    try {
      request = factory.deleteDatabase(INDEXED_DB_PREFIX + name);
    } catch (cause) {
      return refused(cause);
    }
    // The browser takes no deletion back.
    const giveUp = () =>
      reject(
        new SandglassError(
          "locked",
          `something else than this package still has the database "${name}" open in IndexedDB; it is removed as soon as that is closed`,
        ),
      );
    // To remove a large database takes a while by itself: one that somebody has open is given up much sooner.
    let timer = setTimeout(giveUp, LONGEST_MS);
    request.onblocked = () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, PATIENCE_MS);
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      resolve();
    };
    request.onerror = () => {
      clearTimeout(timer);
      refused(request.error);
    };
  });
}
