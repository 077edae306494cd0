// Databases of this browser beside the page's own: snapshots that were kept.

import { signal } from "@preact/signals";
import { databases, destroy } from "sandglass";
import { OWN_DATABASE } from "./session";

/** Their names. */
export const kept = signal<readonly string[]>([]);

export async function refreshKept(): Promise<void> {
  kept.value = (await databases()).filter((name) => name !== OWN_DATABASE);
}

export async function removeKept(name: string): Promise<void> {
  await destroy(name);
  await refreshKept();
}
