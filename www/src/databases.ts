// The databases of this origin: each is an IndexedDB database of its own, or a directory in the origin private file system.
// Nothing here needs the engine.

import { SandglassError } from "./errors.js";
import { acquire } from "./lock.js";
import { destroyInOpfs, opfsDatabases } from "./opfs.js";

/** The engine puts this in front of the name (src/fs/indexed_db.rs). */
const PREFIX = "sandglass:";
/** How long a connection that is just being closed may hold up a deletion. */
const PATIENCE_MS = 10_000;

/**
 * Names of the databases that are stored in this origin, sorted. Databases in memory are not among them: they are known to the
 * object that `open` returned alone.
 */
export async function databases(): Promise<string[]> {
  const [found = [], inOpfs] = await Promise.all([globalThis.indexedDB?.databases?.(), opfsDatabases()]);
  const names = found.flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : []));
  return [...new Set([...names, ...inOpfs])].sort();
}

/**
 * Removes a stored database with all its samples and snapshots. One that does not exist is no error; one that is open, here or
 * in another tab, is refused with the code `locked`. Databases in memory end by `close()`.
 */
export async function destroy(name: string): Promise<void> {
  if (typeof name !== "string" || name === "") throw new SandglassError("invalid", "destroy needs the name of a database");
  if (globalThis.indexedDB === undefined) return;
  const release = await acquire(name, "indexeddb", { ifLocked: "fail", timeoutMs: 0 });
  try {
    await destroyInIndexedDb(name);
    await destroyInOpfs(name);
  } finally {
    release();
  }
}

function destroyInIndexedDb(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(PREFIX + name);
    const timer = setTimeout(
      () => reject(new SandglassError("locked", `the database "${name}" is still open in another tab or worker; close it there and try again`)),
      PATIENCE_MS,
    );
    request.onsuccess = () => {
      clearTimeout(timer);
      resolve();
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(new SandglassError("storage", `the database "${name}" cannot be removed: ${request.error?.message ?? "the browser gives no reason"}`, { cause: request.error }));
    };
  });
}
