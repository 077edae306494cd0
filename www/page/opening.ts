// What was dropped into the page, or chosen, is opened beside the page's own database. The code for it is fetched only then.

import { signal } from "@preact/signals";
import { messageOf } from "./model/trouble";
import type { Given } from "./snapshot/files";
import type { OpenedSnapshot } from "./snapshot/opened";

type Loaded = typeof import("./snapshot/room");

const EXAMPLE = new URL("../../tests/golden/upgraded_1.79.5_to_v1.150.0.tar.gz", import.meta.url);

export const opened = signal<{ snapshot: OpenedSnapshot; Room: Loaded["SnapshotRoom"] } | undefined>(undefined);
/** What is being done, or why it could not be. */
export const opening = signal<{ name: string; problem: string } | undefined>(undefined);
/** Something is held above the page. */
export const hovering = signal(false);

let asked = 0;

export function openGiven(name: string, give: () => Promise<readonly Given[]>): Promise<void> {
  return openWith(name, async ({ OpenedSnapshot: Opened }) => Opened.open(await give()));
}

async function openWith(name: string, open: (loaded: Loaded) => Promise<OpenedSnapshot>): Promise<void> {
  const turn = ++asked;
  opening.value = { name, problem: "" };
  try {
    const loaded = await import("./snapshot/room");
    const { SnapshotRoom } = loaded;
    const snapshot = await open(loaded);
    if (turn !== asked) return void snapshot.close();
    closeOpened();
    opened.value = { snapshot, Room: SnapshotRoom };
    opening.value = undefined;
    scrollTo(0, 0);
  } catch (error) {
    if (turn === asked) opening.value = { name, problem: messageOf(error) };
  }
}

/** A snapshot that comes with the page: what a server of 1.79.5 wrote and one of 1.150 went on with. */
export function openExample(): void {
  void openWith("example.tar.gz", async ({ OpenedSnapshot: Opened }) => {
    const answer = await fetch(EXAMPLE);
    if (!answer.ok) throw new Error(`the example that comes with the page could not be loaded: ${answer.status} ${answer.statusText}`);
    const snapshot = await Opened.open([{ path: "example.tar.gz", file: new File([await answer.blob()], "example.tar.gz") }]);
    snapshot.draw("temperature_celsius");
    return snapshot;
  });
}

/** Opens a database that was kept before. */
export function openKept(name: string): Promise<void> {
  return openWith(name, async ({ OpenedSnapshot: Opened }) => Opened.openKept(name));
}

export function openFiles(list: FileList): void {
  const given = [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  if (given[0]) void openGiven(given[0].path.split("/")[0] ?? "", async () => given);
}

export function closeOpened(): void {
  void opened.value?.snapshot.close();
  opened.value = undefined;
}

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

/** A snapshot can be dropped anywhere. */
export function listen(): void {
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    hovering.value = true;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) hovering.value = false;
  });
  addEventListener("drop", (event) => {
    const transfer = event.dataTransfer;
    hovering.value = false;
    if (!transfer || !hasFiles(event)) return;
    event.preventDefault();
    const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
    // What comes from a program and not from a disk is no entry of one.
    if (entries.length === 0) openFiles(transfer.files);
    else void openGiven(entries[0]?.name ?? "", async () => (await import("./snapshot/files")).below(entries));
  });
}
