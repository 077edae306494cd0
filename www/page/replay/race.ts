// Two engines with the same samples, one of which has had its parts merged, and the same select asked of both: what a merge is worth.

import { type Database, open, type ReadCounters } from "sandglass/inline";
import { seeded } from "./random";

const PARTS = 40;
/** Scrapes that each part holds. */
const SCRAPES = 25;
const SERIES = 12;
const START = Date.UTC(2024, 2, 10, 12);
const END = START + PARTS * SCRAPES * 1000;
const SELECTOR = '{__name__="room_temperature_celsius",room="3"}';

/** One of the two, and what it has done so far. */
export interface Runner {
  parts: number;
  bytes: number;
  selects: number;
  /** Time that its selects took, in milliseconds. */
  spentMs: number;
  /** What each of its selects reads. */
  read: ReadCounters;
}

export class Race {
  readonly selector = SELECTOR;
  readonly small: Runner;
  readonly merged: Runner;
  /** What the merges have read and written, in bytes. */
  readonly moved: { read: number; written: number };
  readonly #databases: readonly [Database, Database];

  static async prepare(): Promise<Race> {
    const [small, merged] = [await opened(), await opened()];
    try {
      await fill(small);
      await fill(merged);
      const moved = { read: 0, written: 0 };
      const stop = merged.observe((event) => {
        if (event.type === "mergeStarted") moved.read += event.bytes;
        if (event.type === "partCreated") moved.written += event.bytes;
      });
      await merged.forceMerge();
      stop();
      return new Race([small, merged], await runnerOf(small), await runnerOf(merged), moved);
    } catch (error) {
      await closeAll([small, merged]);
      throw error;
    }
  }

  private constructor(databases: readonly [Database, Database], small: Runner, merged: Runner, moved: Race["moved"]) {
    this.#databases = databases;
    this.small = small;
    this.merged = merged;
    this.moved = moved;
  }

  /** Bytes of blocks that the selects of the merged one did not have to read. */
  get saved(): number {
    return this.merged.selects * Math.max(0, this.small.read.bytes - this.merged.read.bytes);
  }

  /** Both select for so many milliseconds, one after the other. */
  async turn(ms: number): Promise<void> {
    for (const [i, runner] of [this.small, this.merged].entries()) {
      const began = performance.now();
      do {
        await select(this.#databases[i] as Database);
        runner.selects++;
      } while (performance.now() - began < ms);
      runner.spentMs += performance.now() - began;
    }
  }

  async close(): Promise<void> {
    await closeAll(this.#databases);
  }
}

const select = (database: Database) => database.select(SELECTOR, { start: START, end: END });

const opened = () => open({ storage: "memory", clock: "manual", startTime: END, retention: "90d" });

async function closeAll(databases: readonly Database[]): Promise<void> {
  await Promise.all(databases.map((database) => database.close().catch(() => {})));
}

/** Forty small parts, which nothing merges as no time passes. */
async function fill(database: Database): Promise<void> {
  const random = seeded(7);
  const handles = Array.from({ length: SERIES }, (_, room) =>
    database.series({ __name__: "room_temperature_celsius", room: String(room) }),
  );
  const values = Float64Array.from(handles, () => 21.4);
  for (let scrape = 0; scrape < PARTS * SCRAPES; scrape++) {
    values.forEach((value, i) => (values[i] = Math.round((value + random.normal() * 0.15) * 10) / 10));
    await database.appendRow(handles, START + scrape * 1000, values);
    if (scrape % SCRAPES === SCRAPES - 1) {
      await database.flush();
      await database.sync();
    }
  }
}

async function runnerOf(database: Database): Promise<Runner> {
  await select(database);
  const { partitions, lastRead } = await database.inspect();
  const parts = partitions.flatMap((partition) => partition.parts);
  return {
    parts: parts.length,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    selects: 0,
    spentMs: 0,
    read: lastRead as ReadCounters,
  };
}
