// The databases in the origin private file system, each of which is a directory. Nothing here needs the engine or a worker.

import { SandglassError } from "../api/errors.js";
import { sleep } from "../base/timer.js";

/** All databases lie below it (src/fs/opfs.rs). */
export const PARENT = "sandglass";
const PATIENCE_MS = 750;
const PAUSE_MS = 50;

/**
 * The directory of a database. Some systems tell no capitals from small letters and none allows every character, so all others
 * than these are written as their UTF-8 bytes.
 */
export function directoryOf(name: string): string {
  return name.replace(/[^a-z0-9_-]/gu, (character) =>
    [...new TextEncoder().encode(character)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** Names of the databases, in no order; none where there is no such file system. */
export async function opfsDatabases(): Promise<string[]> {
  const directories: string[] = [];
  try {
    for await (const directory of (await parent())?.keys() ?? []) directories.push(directory);
  } catch (cause) {
    throw new SandglassError(
      "storage",
      `the browser does not tell which databases there are in the origin private file system: ${(cause as Error).message}`,
      { cause },
    );
  }
  return directories.flatMap((directory) => {
    try {
      const name = decodeURIComponent(directory);
      return directoryOf(name) === directory ? [name] : [];
    } catch {
      // Not ours.
      return [];
    }
  });
}

/** Whether there is a directory of this database; also when the browser can't tell. */
export async function isInOpfs(name: string): Promise<boolean> {
  try {
    const root = await globalThis.navigator.storage.getDirectory();
    await (await root.getDirectoryHandle(PARENT)).getDirectoryHandle(directoryOf(name));
    return true;
  } catch (cause) {
    return (cause as DOMException).name !== "NotFoundError";
  }
}

/** What is told when a database is not there any more while it is open. */
export const REMOVED =
  "the browser has removed the database, at the user's wish or the site's, and what was stored in it is gone; open it again to begin a new one, and reload the page where that is refused";

/** Removes a database. One that is not there is no error. The handles of one that has just been closed may still be open for a moment. */
export async function destroyInOpfs(name: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
    try {
      return await (await parent())?.removeEntry(directoryOf(name), { recursive: true });
    } catch (cause) {
      const reason = cause as DOMException;
      if (reason.name === "NotFoundError") return;
      const isOpen = reason.name === "NoModificationAllowedError";
      if (isOpen && waitedMs < PATIENCE_MS) await sleep(PAUSE_MS);
      else if (isOpen)
        throw new SandglassError("locked", `the database "${name}" is still open in another tab or worker; close it there and try again`, {
          cause,
        });
      else throw new SandglassError("storage", `the database "${name}" cannot be removed: ${reason.message}`, { cause });
    }
  }
}

/** Nothing where there is no such file system, as in some private windows and in insecure contexts. */
export async function opfsRoot(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await globalThis.navigator?.storage?.getDirectory?.();
  } catch {
    return undefined;
  }
}

/** Nothing where it does not exist yet or can't be looked into. */
async function parent(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await (await opfsRoot())?.getDirectoryHandle(PARENT);
  } catch {
    return undefined;
  }
}
