// The engine that is shown: a real one, in memory, on a clock that is moved by hand. It does what its history says and nothing
// else, so that it can be run again from the start and will be the same.

import { type Checkpoint, type Database, type EngineEvent, type EngineState, open, type SeriesHandle } from "sandglass/inline";
import type { Action, History } from "../model/history";
import { OWN_LABELS, OWN_SERIES } from "../model/own";
import { rowsInParts, waitingRows } from "../model/rows";
import { type Random, seeded } from "./random";
import { type Situation, situationOf } from "./situations";

/** What the page itself did, beside what the engine tells. */
export type Deed =
  /** Samples were handed to the engine; `series` tells whose, for up to `GRAINS` of them. */
  | { type: "sent"; partition: string; rows: number; series: number[] }
  | { type: "asked"; samples: number }
  | { type: "refused"; what: string; message: string }
  /**
   * The engine was dropped and another one opened on its files. It found `loggedRows` in the log that no part on disk had; a tab that has
   * survived sends rows again that were not found.
   */
  | { type: "crashed"; lostRows: number; loggedRows: number; sentAgain: number; state: EngineState };

/** Something that happened, so many milliseconds after the history began. */
export interface Happening {
  at: number;
  what: EngineEvent | Deed;
}

/** How many rows of one call are shown one by one. */
const GRAINS = 64;

/** The last minute of February, which the situations look back at. */
const FEBRUARY = Date.UTC(2024, 1, 29, 23, 59, 20);

const partitionOf = (time: number): string => new Date(time).toISOString().slice(0, 7).replace("-", "_");

/** A checkpoint is made whenever so much has been worked since the last one: what it takes to live through that again. */
const KEEP_EVERY_MS = 100;
/** What all checkpoints may take; when it is more, every other one goes. */
const KEPT_BYTES = 256 * 1024 * 1024;
/** An engine's memory never shrinks, and what is lived through again may take more of it: from here on another engine is better. */
const MOST_MEMORY_BYTES = 768 * 1024 * 1024;

/** All that belongs to an instant: to come back to it is to be there. */
interface Kept {
  at: number;
  /** What had been done by then, as text. */
  past: string;
  engine: Checkpoint;
  /** Gives back what is beside the engine. */
  restore: () => void;
}

export class World {
  readonly situation: Situation;
  /** Milliseconds since the history began. */
  at = 0;
  readonly happened: Happening[] = [];
  /** Rows that were handed over, and calls that did so. */
  calls = 0;
  #database: Database;
  #history: History;
  #writer: Writer;
  #scrapes = 0;
  #done = 0;
  #stop: () => void;
  #closed = false;
  /** Oldest first. */
  #kept: Kept[] = [];
  /** Work since the last checkpoint, in milliseconds. */
  #worked = 0;
  /** None is between a checkpoint and what goes back to it. */
  #crashes = 0;
  /** Merges that were asked for and are not over. */
  readonly #merging = new Set<object>();
  /** Questions that were not answered yet. */
  readonly #asked = new Set<Promise<unknown>>();
  /** The last of those that let time pass: they do so one after the other. */
  #advancing: Promise<void> = Promise.resolve();
  /** Counts the halts: who was called before one does not go on. */
  #halts = 0;

  static async open(history: History): Promise<World> {
    const situation = situationOf(history.situation);
    const database = await open({ storage: "memory", clock: "manual", startTime: situation.startTime, ...situation.options });
    return new World(database, history, situation);
  }

  private constructor(database: Database, history: History, situation: Situation) {
    this.#database = database;
    this.#history = history;
    this.situation = situation;
    this.#writer = new Writer(situation, history.seed);
    this.#stop = this.#observe();
  }

  get script(): readonly Action[] {
    return script(this.situation, this.#history);
  }

  /** Whether it may go on with another future: all that it has done so far belongs to both. */
  canBecome(history: History): boolean {
    if (history.situation !== this.#history.situation || history.seed !== this.#history.seed) return false;
    const other = script(this.situation, history);
    return (
      pastOf(this.script, this.#done) === pastOf(other, this.#done) &&
      !(other.length > this.#done && (other[this.#done] as Action).at < this.at)
    );
  }

  become(history: History): void {
    this.#history = history;
  }

  /** Lets time pass until `to`, in whole milliseconds. Who writes, writes; what is due, happens. */
  advance(to: number): Promise<void> {
    const before = this.#advancing;
    const halts = this.#halts;
    this.#advancing = (async () => {
      await before.catch(() => {});
      await this.#advance(to, halts);
    })();
    return this.#advancing;
  }

  /** Whoever lets time pass stops soon. */
  halt(): void {
    this.#halts++;
  }

  /** Time stands still, at `at`. */
  async standStill(): Promise<void> {
    this.halt();
    await this.#advancing.catch(() => {});
  }

  async #advance(to: number, halts: number): Promise<void> {
    const script = this.script;
    let began = performance.now();
    while (!this.#closed && halts === this.#halts) {
      const scrape = this.#scrapes * this.situation.everyMs;
      const action = script[this.#done];
      const next = Math.min(scrape, action?.at ?? Number.POSITIVE_INFINITY);
      const target = Math.min(next, to);
      if (target > this.at) {
        await this.#database.tick(target - this.at);
        this.at = target;
      }
      if (this.#closed || next > to) return;
      if (scrape <= next) {
        this.#scrapes++;
        await this.#write(() => this.#writer.scrape(this.#database, this.#now()));
        await this.#settle();
      } else if (action) {
        this.#done++;
        await this.#perform(action);
        // Those of one instant happen at once: a merge that has begun is still under way.
        if (script[this.#done]?.at === action.at) continue;
        await this.#settle();
      }
      const now = performance.now();
      this.#worked += now - began;
      began = now;
      if (this.#worked >= KEEP_EVERY_MS && this.#merging.size === 0 && this.#asked.size === 0) await this.#keep();
    }
  }

  /**
   * Goes back to the latest instant it knows that is not after `to` and belongs to this history; whether there is one. Where it is
   * already is one, too.
   */
  async rewind(to: number, history: History): Promise<boolean> {
    await this.standStill();
    if (this.#closed || history.situation !== this.#history.situation || history.seed !== this.#history.seed) return false;
    const future = script(this.situation, history);
    const belongs = ({ at, past }: Kept) => past === pastOf(future, countOf(past)) && at <= to && !((future[countOf(past)]?.at ?? at) < at);
    const best = this.#kept.findLast(belongs);
    if (this.at <= to && this.canBecome(history) && !(best && best.at > this.at)) {
      this.become(history);
      return true;
    }
    if (!best || (await this.state()).memory.wasmBytes > MOST_MEMORY_BYTES) return false;
    // Nothing may be under way: an answer of another time would never come.
    while (this.#asked.size > 0) await Promise.allSettled([...this.#asked]);
    best.engine.rewind();
    best.restore();
    this.at = best.at;
    this.#done = countOf(best.past);
    this.#worked = 0;
    this.#merging.clear();
    this.become(history);
    return true;
  }

  async #keep(): Promise<void> {
    this.#worked = 0;
    const at = this.at;
    if (this.#kept.some((kept) => kept.at === at)) return;
    const engine = await this.#database.checkpoint();
    if (this.#asked.size > 0) return;
    const [happened, calls, scrapes, writer] = [this.happened.slice(), this.calls, this.#scrapes, this.#writer.hold()];
    const restore = () => {
      this.happened.length = 0;
      for (const happening of happened) this.happened.push(happening);
      [this.calls, this.#scrapes] = [calls, scrapes];
      writer();
    };
    this.#kept.push({ at, past: pastOf(this.script, this.#done), engine, restore });
    this.#kept.sort((a, b) => a.at - b.at);
    while (this.#kept.length > 2 && this.#kept.reduce((sum, kept) => sum + kept.engine.bytes, 0) > KEPT_BYTES)
      this.#kept = this.#kept.filter((_, i) => i % 2 === 1);
  }

  async state(): Promise<EngineState> {
    return this.#database.inspect();
  }

  /** Asks the engine something that changes nothing. */
  ask<T>(question: (database: Database) => Promise<T>): Promise<T> {
    const asked = question(this.#database);
    this.#asked.add(asked);
    return asked.finally(() => this.#asked.delete(asked));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.length = 0;
    this.#stop();
    // To crash is quicker than to close: nothing of it is needed any more. A second engine on its files is closed at once.
    await this.#database.close().catch(() => {});
  }

  /** All that can go on at this instant has gone on: what comes next meets the same engine on any machine. */
  async #settle(): Promise<void> {
    await this.#database.tick(0).catch(() => {});
  }

  #now(): number {
    return this.situation.startTime + this.at;
  }

  #observe(): () => void {
    return this.#database.observe((event) => this.happened.push({ at: event.time - this.situation.startTime, what: event }));
  }

  async #write(work: () => Promise<Sent[]>): Promise<void> {
    try {
      for (const { partition, rows, series } of await work()) {
        this.calls++;
        this.happened.push({ at: this.at, what: { type: "sent", partition, rows, series } });
      }
    } catch (error) {
      this.#refused("write", error);
    }
  }

  async #perform({ kind, numbers = [] }: Action): Promise<void> {
    try {
      switch (kind) {
        case "late":
          return await this.#write(() => this.#writer.late(this.#database, this.#now()));
        case "burst":
          return await this.#write(() => this.#writer.burst(this.#database, this.#now()));
        case "own":
          return await this.#write(() => this.#writer.own(this.#database, this.#now(), numbers));
        case "import":
          return await this.#write(() => this.#writer.month(this.#database));
        case "flushes":
          for (let i = 0; i < 257; i++) {
            await this.#write(() => this.#writer.one(this.#database, this.#now() - 257 + i));
            await this.#database.flush();
            await this.#settle();
          }
          return;
        case "flush":
          return await this.#database.flush();
        case "merge":
          // Not waited for: whatever comes next happens while it runs.
          this.#mergeAll();
          return;
        case "snapshot":
          await this.#database.snapshots.create();
          return;
        case "ask": {
          const found = await this.#database.select('{__name__!=""}', { start: this.#now() - 10_000 });
          const samples = found.reduce((sum, series) => sum + series.timestamps.length, 0);
          this.happened.push({ at: this.at, what: { type: "asked", samples } });
          return;
        }
        case "crash":
          return await this.#crash();
      }
    } catch (error) {
      this.#refused(kind, error);
    }
  }

  async #crash(): Promise<void> {
    const before = rowsOf((await this.#database.inspect()).partitions);
    this.#stop();
    // What was before is in an engine that is no more.
    this.#kept.length = 0;
    this.#merging.clear();
    this.#database = await this.#database.crash();
    this.#stop = this.#observe();
    this.#writer.forgetHandles();
    const state = await this.#database.inspect();
    const loggedRows = rowsOf(
      state.partitions.map((partition) => ({ ...partition, parts: partition.parts.filter((part) => part.class === "inmemory") })),
    );
    this.#crashes++;
    const unsure = this.situation.hasTabs ? await this.#writer.missing(this.#database, holderAfter(this.#crashes)) : [];
    const sentAgain = unsure.reduce((sum, { values }) => sum + values.length, 0);
    const lostRows = before - rowsOf(state.partitions) - sentAgain;
    this.happened.push({ at: this.at, what: { type: "crashed", lostRows, loggedRows, sentAgain, state } });
    for (const scrape of unsure) await this.#write(() => this.#writer.sendAgain(this.#database, scrape));
  }

  #mergeAll(): void {
    const merge = {};
    this.#merging.add(merge);
    this.#database
      .forceMerge()
      .catch((error) => this.#refused("merge", error))
      .finally(() => this.#merging.delete(merge));
  }

  #refused(what: string, error: unknown): void {
    if (this.#closed) return;
    this.happened.push({ at: this.at, what: { type: "refused", what, message: error instanceof Error ? error.message : String(error) } });
  }
}

/** So many actions as text, and how many a text has. */
const pastOf = (actions: readonly Action[], count: number): string => JSON.stringify(actions.slice(0, count));
const countOf = (past: string): number => (JSON.parse(past) as Action[]).length;

/** What happens by the situation and by the visitor, in order of time. */
function script(situation: Situation, history: History): Action[] {
  return [...situation.script, ...history.actions].sort((a, b) => a.at - b.at);
}

const rowsOf = (partitions: EngineState["partitions"]): number =>
  partitions.reduce((sum, partition) => sum + waitingRows(partition) + rowsInParts(partition.parts), 0);

/** Two tabs take turns: the one that was killed is loaded again, and works through the other. Which of them, 0 or 1, holds the engine. */
export const holderAfter = (crashes: number): number => crashes % 2;

// ---- who writes -----------------------------------------------------------------------------------------------------

interface Sent {
  partition: string;
  rows: number;
  series: number[];
}

interface Metric {
  name: string;
  next(random: Random, before: number): number;
  first: number;
}

const tenths = (value: number): number => Math.round(value * 10) / 10;

const METRICS: readonly Metric[] = [
  { name: "http_requests_total", first: 1200, next: (random, before) => before + Math.floor(random.uniform() * 9) },
  { name: "room_temperature_celsius", first: 21.4, next: (random, before) => tenths(before + random.normal() * 0.15) },
  {
    name: "node_load1",
    first: 0.7,
    next: (random, before) => Math.max(0, Math.round((before * 0.97 + 0.02 + random.normal() * 0.05) * 100) / 100),
  },
  { name: "up", first: 1, next: () => 1 },
  { name: "process_cpu_seconds_total", first: 83.5, next: (random, before) => Math.round((before + random.uniform() * 0.3) * 100) / 100 },
  {
    name: "node_memory_free_bytes",
    first: 1.6e9,
    next: (random, before) => Math.max(4096, before + Math.round(random.normal() * 40) * 4096),
  },
];

const KINDS: readonly Metric[] = [
  { name: "a_counter_total", first: 1000, next: (random, before) => before + 40 + Math.floor(random.uniform() * 5) },
  { name: "b_gauge", first: 20, next: (random, before) => tenths(before * 0.9 + 2 + random.normal()) },
  { name: "c_constant", first: 42, next: () => 42 },
  { name: "d_noise", first: 0.5, next: (random) => random.uniform() },
];

const NOISE: readonly Metric[] = [{ name: "noise", first: 0.5, next: (random) => random.uniform() }];

/** A scrape as one tab has sent it. */
interface Scrape {
  time: number;
  /** Place of the first series among all. */
  first: number;
  values: Float64Array;
}

/** Scrapes that a tab remembers: more than a second has. */
const SCRAPES_KEPT = 5;
/** So far back the newest sample of a tab is looked for. */
const LOOK_BACK_MS = 60_000;

class Writer {
  readonly #situation: Situation;
  readonly #random: Random;
  readonly #values: Float64Array;
  #handles: SeriesHandle[] = [];
  #generation = -1;
  #scrapes = 0;
  /** Newest last. */
  #recent: { time: number; values: Float64Array }[] = [];

  constructor(situation: Situation, seed: number) {
    this.#situation = situation;
    this.#random = seeded(seed);
    this.#values = Float64Array.from({ length: situation.series }, (_, i) => {
      const { first } = this.#metric(i);
      return Number.isInteger(first) && first > 1 ? first + i * 7 : first;
    });
  }

  /** As it is now; whoever calls what is answered has it so again. */
  hold(): () => void {
    const [values, handles, generation, scrapes, recent, random] = [
      this.#values.slice(),
      this.#handles,
      this.#generation,
      this.#scrapes,
      this.#recent,
      this.#random.hold(),
    ];
    return () => {
      this.#values.set(values);
      [this.#handles, this.#generation, this.#scrapes, this.#recent] = [handles, generation, scrapes, recent];
      random();
    };
  }

  forgetHandles(): void {
    this.#handles = [];
    this.#generation = -1;
  }

  async scrape(database: Database, time: number): Promise<Sent[]> {
    const { series, writer } = this.#situation;
    this.#prepare(database);
    for (let i = 0; i < series; i++) this.#values[i] = this.#metric(i).next(this.#random, this.#values[i] as number);
    this.#scrapes++;
    this.#recent = [...this.#recent.slice(1 - SCRAPES_KEPT), { time, values: this.#values.slice() }];
    await database.appendRow(this.#handles, time, this.#values);
    const partition = partitionOf(time);
    const sent = [{ partition, rows: series, series: some(series) }];
    if (writer === "replicas") {
      // The other replica comes a moment later, with the same values.
      await database.tick(0);
      await database.appendRow(this.#handles, time + 400, this.#values);
      sent.push({ partition, rows: series, series: some(series) });
    }
    return sent;
  }

  /** What a tab has sent of its instance and the database does not have. */
  async missing(database: Database, tab: number): Promise<Scrape[]> {
    const newest = this.#recent.at(-1)?.time ?? 0;
    const found = await database.select(`{instance="host-${tab}"}`, { start: newest - LOOK_BACK_MS, end: newest });
    const last = Math.max(0, ...found.map(({ timestamps }) => timestamps.at(-1) ?? 0));
    const first = tab * METRICS.length;
    return this.#recent
      .filter(({ time }) => time > last)
      .map(({ time, values }) => ({ time, first, values: values.slice(first, first + METRICS.length) }));
  }

  async sendAgain(database: Database, { time, first, values }: Scrape): Promise<Sent[]> {
    this.#prepare(database);
    await database.appendRow(this.#handles.slice(first, first + values.length), time, values);
    return [{ partition: partitionOf(time), rows: values.length, series: Array.from(values, (_, i) => first + i) }];
  }

  async late(database: Database, time: number): Promise<Sent[]> {
    this.#prepare(database);
    const sent: Sent[] = [];
    for (const from of this.#situation.options.retention === "1d" ? [FEBRUARY] : [time - 2 * 3600_000, FEBRUARY]) {
      const count = Math.min(4, this.#handles.length);
      for (let i = 0; i < count; i++) {
        const times = Float64Array.from({ length: 30 }, (_, n) => from + n * 1000);
        await database.append(
          this.#handles[i] as SeriesHandle,
          times,
          Float64Array.from(times, (_, n) => n + i),
        );
        await database.tick(0);
      }
      sent.push({ partition: partitionOf(from), rows: count * 30, series: Array.from({ length: count * 8 }, (_, n) => Math.floor(n / 8)) });
    }
    return sent;
  }

  async burst(database: Database, time: number): Promise<Sent[]> {
    this.#prepare(database);
    const each = 1100;
    for (const handle of this.#handles) {
      const times = Float64Array.from({ length: each }, (_, n) => time - each + n);
      await database.append(
        handle,
        times,
        Float64Array.from(times, () => Math.floor(this.#random.uniform() * 1000)),
      );
      await database.tick(0);
    }
    return [{ partition: partitionOf(time), rows: each * this.#handles.length, series: some(this.#handles.length) }];
  }

  /** One sample a second, the last one now. */
  async own(database: Database, time: number, numbers: readonly number[]): Promise<Sent[]> {
    await database.append(
      OWN_LABELS,
      numbers.map((_, i) => time - (numbers.length - 1 - i) * 1000),
      numbers,
    );
    const series = Array.from({ length: Math.min(GRAINS, numbers.length) }, () => OWN_SERIES);
    return [{ partition: partitionOf(time), rows: numbers.length, series }];
  }

  /** A million and a half samples of February that nothing can compress. */
  async month(database: Database): Promise<Sent[]> {
    this.#prepare(database);
    const [each, times] = [10_000, 150];
    const from = Date.UTC(2024, 1, 1);
    for (let i = 0; i < times; i++) {
      const begin = from + i * each * 1000;
      await database.append(
        this.#handles[i % this.#handles.length] as SeriesHandle,
        Float64Array.from({ length: each }, (_, n) => begin + n * 1000),
        Float64Array.from({ length: each }, () => this.#random.uniform() + this.#random.uniform() * 2 ** -30),
      );
      await database.tick(0);
    }
    return [{ partition: partitionOf(from), rows: each * times, series: some(this.#handles.length) }];
  }

  async one(database: Database, time: number): Promise<Sent[]> {
    this.#prepare(database);
    await database.append(this.#handles[0] as SeriesHandle, [time], [this.#random.uniform()]);
    return [{ partition: partitionOf(time), rows: 1, series: [0] }];
  }

  #metric(series: number): Metric {
    const { writer } = this.#situation;
    const metrics = writer === "kinds" ? KINDS : writer === "noise" ? NOISE : METRICS;
    return metrics[series % metrics.length] as Metric;
  }

  #prepare(database: Database): void {
    const { writer, series, everyMs } = this.#situation;
    const generation = writer === "churn" ? Math.floor((this.#scrapes * everyMs) / 4000) : 0;
    if (generation === this.#generation) return;
    this.#generation = generation;
    const metrics = writer === "kinds" ? KINDS.length : writer === "noise" ? NOISE.length : METRICS.length;
    this.#handles = Array.from({ length: series }, (_, i) => {
      const number = Math.floor(i / metrics);
      const where: Record<string, string> = writer === "churn" ? { pod: `web-${generation}-${number}` } : { instance: `host-${number}` };
      return database.series({ __name__: this.#metric(i).name, job: "demo", ...where });
    });
  }
}

/** Evenly spread ones of so many. */
function some(count: number): number[] {
  if (count <= GRAINS) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: GRAINS }, (_, i) => Math.floor((i * count) / GRAINS));
}

/** The place of a series in the palette: by its labels, whatever wrote it. */
export function colourKey(labels: Record<string, string> | null): string {
  if (labels === null) return "";
  return `${labels.__name__} ${labels.instance ?? labels.pod ?? ""}`;
}

/** The keys of a situation's series in the order in which they are written. */
export function seriesKeys(situation: Situation): string[] {
  const metrics = situation.writer === "kinds" ? KINDS : situation.writer === "noise" ? NOISE : METRICS;
  return Array.from(
    { length: situation.series },
    (_, i) => `${(metrics[i % metrics.length] as Metric).name} host-${Math.floor(i / metrics.length)}`,
  );
}
