// What is drawn of the engine: the happenings of a history, folded one after the other. Knows no browser and no clock, so the
// same happenings make the same house.

import type { EngineEvent, MergeChoice, MergeReason, PartClass } from "sandglass/inline";
import type { Deed, Happening } from "../replay/world";

export interface HousePart {
  id: number;
  month: string;
  class: PartClass;
  name: string;
  rows: number;
  blocks: number;
  bytes: number;
  minTimestamp: number;
  maxTimestamp: number;
  /** How often its rows have been written: 0 in memory, 1 when they went to disk, one more with each merge. */
  generation: number;
  /** The merge that made it. */
  madeBy?: number | undefined;
  /** The merge that reads it. */
  readBy?: number | undefined;
  bornAt: number;
}

export interface HouseMerge {
  id: number;
  month: string;
  reason: MergeReason;
  sources: HousePart[];
  rows: number;
  bytes: number;
  outputClass: PartClass;
  choice: MergeChoice | null;
  startedAt: number;
  finishedAt?: number;
  output?: HousePart | undefined;
  rowsDropped: number;
}

export interface HouseMonth {
  name: string;
  /** Rows in shards. */
  waiting: number;
  /** Series of these rows in the order of their arrival, or of an even choice of them. */
  grains: number[];
  parts: Map<number, HousePart>;
}

export interface HouseSnapshot {
  name: string;
  at: number;
  parts: number;
  bytes: number;
  /** Data parts that it links; those that a crash has found merged away have numbers below zero. */
  linked: HousePart[];
}

export interface Crash {
  at: number;
  lostRows: number;
  /** Rows that were found in the log and in no part on disk. */
  loggedRows: number;
  /** Rows that a tab which survived has sent again. */
  sentAgain: number;
}

/** How often each step of a sample's walk was taken, and when last. */
export interface StepCount {
  times: number;
  last: number;
}

export type StepName =
  | "call"
  | "register"
  | "partition"
  | "shard"
  | "overflow"
  | "flush"
  | "inmemory"
  | "block"
  | "disk"
  | "choose"
  | "streams"
  | "swap"
  | "big"
  | "remove"
  | "retention"
  | "snapshot"
  | "index"
  | "select";

const MOST_GRAINS = 420;
/** Merges that are remembered. */
const MOST_MERGES = 60;

export class House {
  readonly months = new Map<string, HouseMonth>();
  readonly snapshots: HouseSnapshot[] = [];
  /** Newest last. */
  readonly merges: HouseMerge[] = [];
  readonly steps = new Map<StepName, StepCount>();
  /** Messages of what went wrong, newest last. */
  readonly troubles: { at: number; message: string }[] = [];
  crashes: Crash[] = [];
  /** Parts of each month whose bytes went to disk by a flush, and by merges. */
  written = { flushed: 0, merged: 0 };
  version = 0;
  #generations = new Map<string, number>();
  /** Numbers of parts that are in snapshots alone since a crash, by their names. */
  #lost = new Map<string, number>();

  apply({ at, what }: Happening): void {
    this.version++;
    switch (what.type) {
      case "sent":
        this.#count("call", at);
        this.#sent(what);
        break;
      case "rowsAdded": {
        this.#count("shard", at);
        const month = this.#month(what.partition);
        if (what.pendingRows < what.rows || (what.pendingRows === 0 && what.rows > 0)) this.#count("overflow", at);
        month.waiting = what.pendingRows;
        break;
      }
      case "rawRowsFlushed": {
        this.#count("flush", at);
        const month = this.#month(what.partition);
        month.waiting = Math.max(0, month.waiting - what.rows);
        month.grains = [];
        break;
      }
      case "partCreated":
        this.#created(what, at);
        break;
      case "mergeStarted":
        this.#started(what, at);
        break;
      case "mergeFinished": {
        this.#count("streams", at);
        const merge = this.merges.findLast(({ id }) => id === what.merge);
        if (!merge) break;
        merge.finishedAt = at;
        merge.output = what.output === null ? undefined : this.#month(what.partition).parts.get(what.output);
        merge.rowsDropped = what.rowsDeleted + what.rowsDeduplicated;
        break;
      }
      case "mergeAborted": {
        const merge = this.merges.findLast(({ id }) => id === what.merge);
        if (merge) {
          merge.finishedAt = at;
          for (const part of merge.sources) part.readBy = undefined;
        }
        break;
      }
      case "partRetired":
        this.#count("swap", at);
        this.#month(what.partition).parts.delete(what.part);
        break;
      case "partRemoved":
        this.#count("remove", at);
        break;
      case "partitionCreated":
        this.#count("partition", at);
        this.#month(what.partition);
        break;
      case "partitionDropped":
        this.#count("retention", at);
        this.months.delete(what.partition);
        break;
      case "seriesRegistered":
        this.#count("register", at, what.series);
        break;
      case "indexFlushed":
      case "indexMerged":
        this.#count("index", at);
        break;
      case "snapshotCreated": {
        this.#count("snapshot", at);
        const linked = [...this.months.values()].flatMap(({ parts }) => [...parts.values()].filter((part) => part.class !== "inmemory"));
        this.snapshots.push({ name: what.name, at, parts: what.parts, bytes: what.linkedBytes, linked });
        break;
      }
      case "asked":
        this.#count("select", at);
        break;
      case "crashed":
        this.#crashed(what, at);
        break;
      case "refused":
        this.#trouble(at, `${what.what}: ${what.message}`);
        break;
      case "degraded":
        this.#trouble(at, what.message);
        break;
    }
  }

  /** The merge that is under way or was the last one; flushes to disk are not looked at. */
  get lastMerge(): HouseMerge | undefined {
    return this.merges.findLast(({ reason }) => reason !== "flush");
  }

  parts(): HousePart[] {
    return [...this.months.values()].flatMap(({ parts }) => [...parts.values()]);
  }

  #month(name: string): HouseMonth {
    let month = this.months.get(name);
    if (!month) {
      month = { name, waiting: 0, grains: [], parts: new Map() };
      this.months.set(name, month);
    }
    return month;
  }

  #sent({ partition, rows, series }: Deed & { type: "sent" }): void {
    const month = this.#month(partition);
    month.grains.push(...series.slice(0, rows));
    if (month.grains.length > MOST_GRAINS) month.grains = month.grains.filter((_, i) => i % 2 === 0);
  }

  #created(event: EngineEvent & { type: "partCreated" }, at: number): void {
    const merge = event.merge === null ? undefined : this.merges.findLast(({ id }) => id === event.merge);
    const before = merge ? Math.max(...merge.sources.map(({ generation }) => generation)) : -1;
    const part: HousePart = {
      id: event.part,
      month: event.partition,
      class: event.class,
      name: event.name,
      rows: event.rows,
      blocks: event.blocks,
      bytes: event.bytes,
      minTimestamp: event.minTimestamp,
      maxTimestamp: event.maxTimestamp,
      generation: before + 1,
      madeBy: event.merge ?? undefined,
      bornAt: at,
    };
    if (part.name) this.#generations.set(part.name, part.generation);
    this.#month(event.partition).parts.set(part.id, part);
    this.#count("block", at, event.blocks);
    if (event.class === "inmemory") this.#count("inmemory", at);
    else if (merge?.reason === "flush") {
      this.#count("disk", at);
      this.written.flushed += event.bytes;
    } else this.written.merged += event.bytes;
    if (event.class === "big") this.#count("big", at);
  }

  #started(event: EngineEvent & { type: "mergeStarted" }, at: number): void {
    const { parts } = this.#month(event.partition);
    const sources = event.sources.flatMap((id) => parts.get(id) ?? []);
    for (const part of sources) part.readBy = event.merge;
    if (event.reason !== "flush") this.#count("choose", at);
    this.merges.push({
      id: event.merge,
      month: event.partition,
      reason: event.reason,
      sources,
      rows: event.rows,
      bytes: event.bytes,
      outputClass: event.outputClass,
      choice: event.choice,
      startedAt: at,
      rowsDropped: 0,
    });
    if (this.merges.length > MOST_MERGES) this.merges.shift();
  }

  /** A select that nothing of the history has asked: a visitor's, at this instant. */
  searched(at: number): void {
    this.version++;
    this.#count("select", at);
  }

  /** What was only in memory is gone; parts are numbered anew. */
  #crashed({ state, lostRows, loggedRows, sentAgain }: Deed & { type: "crashed" }, at: number): void {
    this.months.clear();
    this.crashes.push({ at, lostRows, loggedRows, sentAgain });
    for (const { name, parts } of state.partitions) {
      const month = this.#month(name);
      for (const part of parts) {
        month.parts.set(part.id, {
          ...part,
          month: name,
          generation: this.#generations.get(part.name) ?? (part.class === "inmemory" ? 0 : 1),
          bornAt: at,
        });
      }
    }
    this.#relink();
  }

  /** What a snapshot links is the same files after a crash, but parts have other numbers: they are found by their names. */
  #relink(): void {
    const present = new Map(this.parts().map((part) => [`${part.month}/${part.name}`, part]));
    for (const snapshot of this.snapshots) {
      snapshot.linked = snapshot.linked.map((part) => {
        const name = `${part.month}/${part.name}`;
        const id = this.#lost.get(name) ?? -1 - this.#lost.size;
        const found = present.get(name);
        if (!found) this.#lost.set(name, id);
        return found ?? { ...part, id };
      });
    }
  }

  #trouble(at: number, message: string): void {
    this.troubles.push({ at, message });
    if (this.troubles.length > 50) this.troubles.shift();
  }

  #count(step: StepName, at: number, times = 1): void {
    const count = this.steps.get(step) ?? { times: 0, last: 0 };
    this.steps.set(step, { times: count.times + times, last: at });
  }
}
