// Databases of this browser beside the page's own: snapshots that were kept. Others of the origin may be anybody's, so that only those
// are shown, and can be removed, that the page has written down.

import { signal } from "@preact/signals";
import { type Database, databases, destroy, open } from "sandglass";
import { recallList, rememberList } from "./remembered";
import { OWN_DATABASE } from "./session";

const REMEMBERED = "sandglass.kept";

/** Their names. */
export const kept = signal<readonly string[]>([]);

export async function refreshKept(): Promise<void> {
  kept.value = await keptNames();
  // One that is gone is forgotten: a later one of its name is somebody else's.
  remember(kept.value);
}

/** Those of the page's writing that are still there. */
export async function keptNames(): Promise<string[]> {
  const existing = await databases();
  return remembered().filter((name) => existing.includes(name));
}

/** Makes a database of that name and has it filled. Of a try that fails nothing is left. */
export async function keepAs<T>(name: string, fill: (database: Database) => Promise<T>): Promise<T> {
  // Even to open one would change what it remembers of its settings.
  if (name === OWN_DATABASE || (await databases()).includes(name))
    throw new Error(`This browser has a database “${name}” already. Choose another name.`);
  const database = await open({ name, retention: "100y", ifLocked: "fail" });
  // Before it is filled, so that one can remove what a tab leaves that ends in the midst of it.
  remember([...remembered(), name]);
  try {
    const filled = await fill(database);
    await database.close();
    return filled;
  } catch (error) {
    // The first mistake is the one to tell of. What cannot be removed now is in the list.
    await database.close().catch(() => {});
    await destroy(name).catch(() => {});
    throw error;
  } finally {
    await refreshKept().catch(() => {});
  }
}

export async function removeKept(name: string): Promise<void> {
  await destroy(name);
  await refreshKept();
}

const remembered = (): string[] =>
  recallList(REMEMBERED).filter((name): name is string => typeof name === "string" && name !== OWN_DATABASE);

const remember = (names: readonly string[]): void => rememberList(REMEMBERED, [...new Set(names)]);
