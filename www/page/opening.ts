// What was dropped into the page, or chosen, is opened beside the page's own database, in the room Open. The code for it is fetched only
// then. The example and what was kept have addresses; what was given has none but the room's, as its bytes are in this tab alone.

import { signal } from "@preact/signals";
import { hashOf, isOf, type Source, viewOf } from "./explore/address";
import { keptNames } from "./kept";
import { messageOf } from "./model/trouble";
import { goTo, place } from "./rooms";
import { hashOfSample, isOfSample, sampleOf } from "./sample/address";
import type { Given } from "./snapshot/files";
import type { OpenedSnapshot } from "./snapshot/opened";

type Loaded = typeof import("./snapshot/room");

/** The address of the room, and of what was given to it. */
const ROOM = "#open";
export const EXAMPLE_ADDRESS = `${ROOM}?example`;
export const keptAddress = (name: string): string => `${ROOM}?kept=${encodeURIComponent(name)}`;

const EXAMPLE = new URL("../../tests/golden/upgraded_1.79.5_to_v1.150.0.tar.gz", import.meta.url);

export const opened = signal<{ snapshot: OpenedSnapshot; Room: Loaded["SnapshotRoom"] } | undefined>(undefined);
/** What is being done, or why it could not be. */
export const opening = signal<{ name: string; problem: string } | undefined>(undefined);
/** Something is held above the page. */
export const hovering = signal(false);

/** A file that was given has no other address than that of the room. */
const GIVEN: Source = { of: "snapshot", name: "" };

let asked = 0;
/** The address of what is being opened. */
let underway = "";

export function openGiven(name: string, give: () => Promise<readonly Given[]>): Promise<void> {
  return openWith(name, ROOM, GIVEN, async ({ OpenedSnapshot: Opened }) => Opened.open(await give()));
}

/** Samples that are no file yet. */
export async function openPasted(text: string): Promise<void> {
  let name = "samples";
  try {
    name = (await import("./snapshot/samples")).pastedName(text, new Date());
  } catch {
    // Code that does not come is told of where it is needed next.
  }
  const file = new File([text], name, { type: "text/plain" });
  // A metric of InfluxDB may have a slash, which parts a file's path from its name.
  return openGiven(name, async () => [{ path: name.replaceAll("/", "∕"), file }]);
}

async function openWith(name: string, address: string, source: Source, open: (loaded: Loaded) => Promise<OpenedSnapshot>): Promise<void> {
  const turn = ++asked;
  opening.value = { name, problem: "" };
  underway = address;
  try {
    const loaded = await import("./snapshot/room");
    const { SnapshotRoom } = loaded;
    const snapshot = await open(loaded);
    if (turn !== asked) return void snapshot.close();
    closeOpened();
    snapshot.address = address;
    snapshot.source = source;
    opened.value = { snapshot, Room: SnapshotRoom };
    // Whoever wanted to explore something, or a sample of it, goes on with that.
    const view = viewOf(location.hash);
    const sample = isOfSample(location.hash) ? sampleOf(location.hash) : undefined;
    const isAsked = view.of !== "own" && (sample !== undefined || place.peek().room === "explore");
    if (!isAsked) goTo(address);
    else if (!isOf(view, source)) goTo(sample ? hashOfSample({ ...sample, ...source }) : hashOf({ ...view, ...source }));
    scrollTo(0, 0);
  } catch (error) {
    if (turn === asked) opening.value = { name, problem: messageOf(error) };
  } finally {
    if (turn === asked) underway = "";
  }
}

/** Opens what an address of the room names, unless it is what is open. */
export function follow(address: string): void {
  if (opened.peek()?.snapshot.address === address || underway === address) return;
  const parameters = new URLSearchParams(address.split("?")[1] ?? "");
  const name = parameters.get("kept");
  if (parameters.has("example")) void openExample(address);
  else if (name !== null) void openKept(name, address);
  else closeOpened();
}

/** Opens what a view in the room Explore, or a sample, is of, if an address can name it and it is not open. */
export function followView({ of, name }: Source): void {
  if (of === "example") follow(EXAMPLE_ADDRESS);
  else if (of === "kept") follow(keptAddress(name));
}

/** A snapshot that comes with the page: what a server of 1.79.5 wrote and one of 1.150 went on with. */
function openExample(address: string): Promise<void> {
  return openWith("example.tar.gz", address, { of: "example", name: "" }, async ({ OpenedSnapshot: Opened }) => {
    const answer = await fetch(EXAMPLE);
    if (!answer.ok) throw new Error(`the example that comes with the page could not be loaded: ${answer.status} ${answer.statusText}`);
    const snapshot = await Opened.open([{ path: "example.tar.gz", file: new File([await answer.blob()], "example.tar.gz") }]);
    snapshot.draw("temperature_celsius");
    return snapshot;
  });
}

/** Opens a database that was kept before. Anybody can write an address: a name that is not known must not become a database. */
function openKept(name: string, address: string): Promise<void> {
  return openWith(name, address, { of: "kept", name }, async ({ OpenedSnapshot: Opened }) => {
    if (!(await keptNames()).includes(name))
      throw new Error("This browser keeps no snapshot of this name: it was removed, or is in another browser.");
    return Opened.openKept(name);
  });
}

export function openFiles(list: FileList): void {
  const given = [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  if (given[0]) void openGiven(given[0].path.split("/")[0] ?? "", async () => given);
}

/** Closes what is open, and gives up what is being opened. */
export function closeOpened(): void {
  asked++;
  underway = "";
  opening.value = undefined;
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
