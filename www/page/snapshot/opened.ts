// What was opened to be looked at: a snapshot where it lies, or, when it is compressed, unpacked
// into memory; samples as text, read into such a one; a database that was kept.

import { signal } from "@preact/signals";
import { type Database, type EngineState, open, openSnapshot, type Progress } from "sandglass";
import { ChartFeed, MOST_LINES } from "../chart_feed";
import { exactly, PLAIN_NAME } from "../model/selector";
import type { Source } from "../explore/address";
import { HEADERS_AT_ONCE, PartZoom } from "../inside/part_zoom";
import { messageOf } from "../model/trouble";
import { type Labels, type MetricWeight, Scales } from "./cardinality";
import { type Given, sourceOf, fileOf } from "./files";
import { fill, openSamples, type Samples, samplesIn } from "./samples";

/** A part that could not be read. */
export interface BadPart {
  path: string;
  message: string;
}

/** Where what is shown is read from. */
export type Whereabouts = "in place" | "unpacked" | "samples" | "kept";

const PART = /(?:data\/(?:small|big)\/\d{4}_\d\d|indexdb\/[0-9A-F]{16})\/[^/\s:]+/g;
/** Metrics that an exporter has of itself, or whose lines say little: nobody opens a snapshot for them. */
const OF_ITSELF = /^(go|process|promhttp|scrape)_|^up$|_(info|created|bucket)$/;
/** Blocks whose headers are weighed: of a huge snapshot the first ones of each part tell enough. */
const MOST_WEIGHED = 200_000;

export class OpenedSnapshot {
  readonly state = signal<EngineState | undefined>(undefined);
  readonly database = signal<Database | undefined>(undefined);
  readonly series = signal(0);
  /** The labels of all series. */
  readonly sets = signal<readonly Labels[]>([]);
  /** The metrics, the heaviest first, as far as they were weighed. */
  readonly metrics = signal<readonly MetricWeight[]>([]);
  /** Blocks whose headers were weighed, of those that are to be. */
  readonly weighed = signal({ done: 0, total: 0 });
  /** Labels whose values were chosen to look for series. */
  readonly chosen = signal<readonly (readonly [name: string, value: string])[]>([]);
  readonly bad = signal<readonly BadPart[]>([]);
  /** How far the reading of every block is. */
  readonly checking = signal<{ done: number; total: number } | undefined>(undefined);
  readonly checked = signal(false);
  /** The part and the block that are looked into. */
  readonly look = new PartZoom((question) => {
    const database = this.database.peek();
    return database && question(database);
  });
  /** Lines and samples of a text that were not taken: how many, and what is known of the first ones. */
  refused: { count: number; lines: readonly { line: number | undefined; message: string }[] } = { count: 0, lines: [] };
  readonly feed = new ChartFeed();
  /** Where in the page it is shown. */
  address = "";
  /** How the addresses of the room Explore name it. */
  source: Source = { of: "snapshot", name: "" };

  private constructor(
    readonly name: string,
    /** Where it comes from, in a sentence that goes on with how large it is. */
    readonly origin: string,
    /** Fills an empty database with it; nothing of one that was kept. */
    readonly fill: ((database: Database, onProgress: (progress: Progress) => void) => Promise<{ samples: number }>) | undefined,
    readonly whereabouts: Whereabouts,
    /** Bytes of the files that were given; nothing of a database that was kept, which says itself. */
    readonly givenBytes?: number,
  ) {}

  /** Opens what was given. A part that can't be read is left out and named; all that can is shown. */
  static async open(given: readonly Given[]): Promise<OpenedSnapshot> {
    const name = given[0]?.path.split("/")[0] ?? "";
    const file = fileOf(given);
    const samples = file && (await samplesIn(file));
    if (samples) return OpenedSnapshot.#ofSamples(name, samples, sizeOf(given));
    const database = await openSnapshot(sourceOf(given));
    const opened = new OpenedSnapshot(
      name,
      `Written by ${database.snapshot.format}`,
      (database, onProgress) => database.snapshots.restore(sourceOf(given), onProgress),
      database.snapshot.isUnpacked ? "unpacked" : "in place",
      sizeOf(given),
    );
    opened.bad.value = database.snapshot.leftOut;
    await opened.#use(database);
    return opened;
  }

  static async #ofSamples(name: string, samples: Samples, size: number): Promise<OpenedSnapshot> {
    const { database, result } = await openSamples(samples);
    const opened = new OpenedSnapshot(name, `Read as ${samples.format}`, (database) => fill(database, samples), "samples", size);
    opened.refused = {
      count: result.rejected,
      lines: result.errors.map(({ line, message }) => ({ line: line === undefined ? undefined : line + samples.linesBefore, message })),
    };
    await opened.#use(database);
    return opened;
  }

  /** Opens a database of this browser that was kept. */
  static async openKept(name: string): Promise<OpenedSnapshot> {
    const opened = new OpenedSnapshot(name, "Kept in this browser", undefined, "kept");
    await opened.#use(await open({ name }));
    return opened;
  }

  /** Narrows its series down to those with these values, and draws them. */
  choose(chosen: readonly (readonly [name: string, value: string])[]): void {
    this.chosen.value = chosen;
    if (chosen.length > 0) this.draw(exactly(Object.fromEntries(chosen)));
  }

  draw(selector: string): void {
    this.feed.selector.value = selector;
  }

  /** What was opened takes so much where it came from. */
  get bytes(): number {
    return this.givenBytes ?? this.state.peek()?.fileSystem.storedBytes ?? 0;
  }

  async #use(database: Database): Promise<void> {
    const [state, labels] = await Promise.all([database.inspect(), database.labels()]).catch(async (error) => {
      // Nobody else has it to close it.
      await database.close().catch(() => {});
      throw error;
    });
    this.state.value = state;
    this.series.value = labels.length;
    this.sets.value = labels;
    const parts = state.partitions.flatMap((partition) => partition.parts);
    if (parts.length > 0) {
      this.feed.fixed.value = this.whole();
      const first = labels[0];
      // All series of one name, if they can be told apart in a picture.
      const counts = new Map<string, number>();
      for (const { __name__: name = "" } of labels) counts.set(name, (counts.get(name) ?? 0) + 1);
      const few = [...counts].filter(([name, count]) => PLAIN_NAME.test(name) && count <= MOST_LINES);
      const told = few.filter(([name]) => !OF_ITSELF.test(name));
      const name = (told.find(([, count]) => count > 1) ?? told[0] ?? few.find(([, count]) => count > 1))?.[0];
      if (first) this.feed.selector.value = name ?? exactly(first);
    }
    this.database.value = database;
    this.feed.use(database);
    void this.#weigh(database, labels);
  }

  /** Reads headers, part by part, and adds up what they tell of each metric. */
  async #weigh(database: Database, labels: readonly Labels[]): Promise<void> {
    const parts = this.state.peek()?.partitions.flatMap(({ parts }) => parts) ?? [];
    const most = Math.ceil(MOST_WEIGHED / Math.max(1, parts.length));
    const scales = new Scales(labels);
    this.metrics.value = scales.metrics;
    let done = 0;
    const total = parts.reduce((sum, part) => sum + Math.min(most, part.blocks), 0);
    this.weighed.value = { done, total };
    for (const part of parts) {
      const end = Math.min(most, part.blocks);
      for (let from = 0; from < end; from += HEADERS_AT_ONCE) {
        try {
          const { headers } = await database.inspectPart(part.id, { from, count: Math.min(HEADERS_AT_ONCE, end - from) });
          scales.add(headers);
        } catch {
          // A bad part is named where blocks are read; one that was merged away is not there to be weighed.
          break;
        }
        if (this.database.peek() !== database) return;
        this.weighed.value = { done: done + Math.min(from + HEADERS_AT_ONCE, end), total };
        this.metrics.value = scales.metrics;
      }
      done += end;
    }
    this.weighed.value = { done: total, total };
  }

  whole(): { start: number; end: number } {
    const parts = this.state.peek()?.partitions.flatMap((partition) => partition.parts) ?? [];
    const start = parts.reduce((least, part) => Math.min(least, part.minTimestamp), Number.POSITIVE_INFINITY);
    const end = parts.reduce((most, part) => Math.max(most, part.maxTimestamp), Number.NEGATIVE_INFINITY);
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

  async close(): Promise<void> {
    const database = this.database.peek();
    this.feed.use(undefined);
    this.database.value = undefined;
    await database?.close().catch(() => {});
  }
}

const sizeOf = (given: readonly Given[]): number => given.reduce((sum, { file }) => sum + file.size, 0);
