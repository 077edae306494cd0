// A snapshot that was opened to be looked at: a database in memory whose clock stands still, so that nothing of it is merged.

import { signal } from "@preact/signals";
import { type BlockDetails, type Database, type EngineState, open, type PartDetails } from "sandglass";
import { ChartFeed, MOST_LINES } from "../chart_feed";
import { exactly, PLAIN_NAME } from "../model/selector";
import { messageOf } from "../model/trouble";
import { colourKey } from "../replay/world";
import { type Archive, type Given, read } from "./files";

/** A part that could not be read. */
export interface BadPart {
  path: string;
  message: string;
}

/** Parts that are left out before a snapshot counts as broken beyond looking at. */
const MOST_BAD_PARTS = 200;
const PART = /(?:data\/(?:small|big)\/\d{4}_\d\d|indexdb\/[0-9A-F]{16})\/[^/\s:]+/g;
/** Headers that are asked for at a time. */
const HEADERS_AT_ONCE = 5000;

export class OpenedSnapshot {
  readonly state = signal<EngineState | undefined>(undefined);
  readonly database = signal<Database | undefined>(undefined);
  readonly series = signal(0);
  readonly bad = signal<readonly BadPart[]>([]);
  /** How far the reading of every block is. */
  readonly checking = signal<{ done: number; total: number } | undefined>(undefined);
  readonly checked = signal(false);
  readonly zoom = signal<readonly string[]>([]);
  readonly part = signal<PartDetails | undefined>(undefined);
  readonly block = signal<BlockDetails | undefined>(undefined);
  readonly gone = signal("");
  readonly feed = new ChartFeed();
  zoomFrom = { x: 0.5, y: 0 };
  #colours = new Map<string, number>();

  private constructor(
    readonly name: string,
    readonly layout: Archive["layout"],
    readonly bytes: number,
  ) {}

  /** Opens what was given. A part that can't be read is left out and named; all that can is shown. */
  static async open(given: readonly Given[]): Promise<OpenedSnapshot> {
    const { layout, files } = await read(given);
    const name = given[0]?.path.split("/")[0] ?? "";
    const opened = new OpenedSnapshot(name, layout, [...files.values()].reduce((sum, { length }) => sum + length, 0));
    const bad: BadPart[] = [];
    for (;;) {
      try {
        const database = await open({ storage: "memory", clock: "manual", retention: "100y", files });
        opened.bad.value = bad;
        await opened.#use(database);
        return opened;
      } catch (error) {
        const message = messageOf(error);
        const path = message.match(PART)?.find((part) => [...files.keys()].some((file) => file.startsWith(`${part}/`)));
        if ((error as { code?: unknown }).code !== "corrupt" || path === undefined || bad.length >= MOST_BAD_PARTS) throw error;
        bad.push({ path, message });
        for (const file of files.keys()) if (file.startsWith(`${path}/`)) files.delete(file);
      }
    }
  }

  async #use(database: Database): Promise<void> {
    const state = await database.inspect();
    const labels = await database.labels();
    this.state.value = state;
    this.series.value = labels.length;
    const parts = state.partitions.flatMap((partition) => partition.parts);
    if (parts.length > 0) {
      this.feed.fixed.value = this.whole();
      const first = labels[0];
      // All series of one name, if they can be told apart in a picture.
      const counts = new Map<string, number>();
      for (const { __name__: name = "" } of labels) counts.set(name, (counts.get(name) ?? 0) + 1);
      const name = [...counts].find(([name, count]) => PLAIN_NAME.test(name) && count > 1 && count <= MOST_LINES)?.[0];
      if (first) this.feed.selector.value = name ?? exactly(first);
    }
    this.database.value = database;
    this.feed.use(database);
  }

  whole(): { start: number; end: number } {
    const parts = this.state.peek()?.partitions.flatMap((partition) => partition.parts) ?? [];
    const start = Math.min(...parts.map((part) => part.minTimestamp));
    const end = Math.max(...parts.map((part) => part.maxTimestamp));
    return { start, end: Math.max(end, start + 1000) };
  }

  /** Reads every block of every part, as a select of all would, and names the parts that have a bad one. */
  async check(): Promise<void> {
    const database = this.database.peek();
    const parts = this.state.peek()?.partitions.flatMap(({ parts }) => parts) ?? [];
    if (!database || this.checking.peek()) return;
    const total = parts.reduce((sum, part) => sum + part.blocks, 0);
    let done = 0;
    const bad = new Map(this.bad.peek().map((part) => [part.path, part]));
    for (const part of parts) {
      for (let block = 0; block < part.blocks; block++) {
        if (block % 50 === 0) this.checking.value = { done: done + block, total };
        try {
          await database.inspectBlock(part.id, block);
        } catch (error) {
          if (this.database.peek() !== database) return;
          const message = messageOf(error);
          const path = message.match(PART)?.[0] ?? part.name;
          if (!bad.has(path)) bad.set(path, { path, message: `block ${block}: ${message}` });
          // The others of this part may be whole, but it is known by now not to be.
          break;
        }
      }
      done += part.blocks;
    }
    this.bad.value = [...bad.values()];
    this.checking.value = undefined;
    this.checked.value = true;
  }

  async zoomTo(path: readonly string[]): Promise<void> {
    this.gone.value = "";
    this.zoom.value = path;
    const [, part, block] = path;
    const database = this.database.peek();
    if (part === undefined || !database) {
      this.part.value = this.block.value = undefined;
      return;
    }
    try {
      const details = this.part.peek() && block !== undefined ? this.part.peek() : await database.inspectPart(Number(part), { count: HEADERS_AT_ONCE });
      const decoded = block === undefined ? undefined : await database.inspectBlock(Number(part), Number(block));
      if (this.zoom.peek() !== path) return;
      this.part.value = details;
      this.block.value = decoded;
    } catch (error) {
      this.gone.value = messageOf(error);
      this.block.value = undefined;
      if (block === undefined) this.zoom.value = [];
      else this.zoom.value = path.slice(0, 2);
    }
  }

  seriesNumber(labels: Record<string, string> | null): number {
    const key = `${colourKey(labels)} ${labels ? exactly(labels) : ""}`;
    const number = this.#colours.get(key) ?? this.#colours.size;
    this.#colours.set(key, number);
    return number;
  }

  async close(): Promise<void> {
    const database = this.database.peek();
    this.feed.use(undefined);
    this.database.value = undefined;
    await database?.close().catch(() => {});
  }
}
