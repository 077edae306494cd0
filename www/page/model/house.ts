// What the room Inside tells of an engine: the engine as it is, and what of its history can still be seen. The happenings of the
// history are taken in one after the other; it knows no browser and no clock, so the same happenings make the same house.

import type { EngineEvent } from "sandglass/inline";
import type { Deed, Happening } from "../replay/world";
import { EngineModel } from "./engine";
import type { Merge, Part } from "./parts";
import { type StepName, stepsOf } from "./steps";

export interface HouseSnapshot {
  name: string;
  at: number;
  parts: number;
  bytes: number;
  /** Data parts that it links; those that a crash has found merged away have numbers below zero. */
  linked: Part[];
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

const MOST_GRAINS = 420;
/** Merges that are remembered. */
const MOST_MERGES = 60;
const MOST_TROUBLES = 50;

export class House {
  readonly engine = new EngineModel();
  /** Merges that run and that are over, newest last. */
  readonly merges: Merge[] = [];
  readonly snapshots: HouseSnapshot[] = [];
  readonly crashes: Crash[] = [];
  readonly steps = new Map<StepName, StepCount>();
  /** Messages of what went wrong, newest last. */
  readonly troubles: { at: number; message: string }[] = [];
  version = 0;
  /** Of each month, the series of the rows that wait in the order of their arrival, or of an even choice of them. */
  readonly #grains = new Map<string, number[]>();
  /** Numbers of parts that are in snapshots alone since a crash, by their names. */
  readonly #lost = new Map<string, number>();

  apply({ at, what }: Happening): void {
    this.version++;
    switch (what.type) {
      case "sent":
        this.#count("call", at);
        this.#sent(what);
        break;
      case "asked":
        this.#count("select", at);
        break;
      case "crashed":
        this.#crashed(what, at);
        break;
      case "refused":
        this.#trouble(at, `${what.what}: ${what.message}`);
        break;
      default:
        this.#told(what, at);
    }
  }

  /** A select that nothing of the history has asked: a visitor's, at this instant. */
  searched(at: number): void {
    this.version++;
    this.#count("select", at);
  }

  /** The merge that is under way or was the last one; flushes to disk are not looked at. */
  get lastMerge(): Merge | undefined {
    return this.merges.findLast(({ reason }) => reason !== "flush");
  }

  parts(): Part[] {
    return this.engine.parts();
  }

  grainsOf(partition: string): readonly number[] {
    return this.#grains.get(partition) ?? [];
  }

  /** What the engine tells: it goes into its model, and what it adds to the story is kept here. */
  #told(event: EngineEvent, at: number): void {
    const change = this.engine.apply(event, at);
    for (const [step, times] of stepsOf(event, change)) this.#count(step, at, times);
    if (change?.type === "started") {
      this.merges.push(change.merge);
      if (this.merges.length > MOST_MERGES) this.merges.shift();
    }
    switch (event.type) {
      case "rawRowsFlushed":
      case "partitionDropped":
        this.#grains.delete(event.partition);
        break;
      case "snapshotCreated": {
        const linked = this.parts().filter((part) => part.class !== "inmemory");
        this.snapshots.push({ name: event.name, at, parts: event.parts, bytes: event.linkedBytes, linked });
        break;
      }
      case "degraded":
        this.#trouble(at, event.message);
        break;
    }
  }

  #sent({ partition, rows, series }: Deed & { type: "sent" }): void {
    const grains = [...this.grainsOf(partition), ...series.slice(0, rows)];
    this.#grains.set(partition, grains.length > MOST_GRAINS ? grains.filter((_, i) => i % 2 === 0) : grains);
  }

  /** What was only in memory is gone; parts are numbered anew. */
  #crashed({ state, lostRows, loggedRows, sentAgain }: Deed & { type: "crashed" }, at: number): void {
    this.engine.reopened(state, at);
    this.#grains.clear();
    this.crashes.push({ at, lostRows, loggedRows, sentAgain });
    this.#relink();
  }

  /** What a snapshot links is the same files after a crash, but parts have other numbers: they are found by their names. */
  #relink(): void {
    const present = new Map(this.parts().map((part) => [`${part.partition}/${part.name}`, part]));
    for (const snapshot of this.snapshots) {
      snapshot.linked = snapshot.linked.map((part) => {
        const name = `${part.partition}/${part.name}`;
        const id = this.#lost.get(name) ?? -1 - this.#lost.size;
        const found = present.get(name);
        if (!found) this.#lost.set(name, id);
        return found ?? { ...part, id };
      });
    }
  }

  #trouble(at: number, message: string): void {
    this.troubles.push({ at, message });
    if (this.troubles.length > MOST_TROUBLES) this.troubles.shift();
  }

  #count(step: StepName, at: number, times = 1): void {
    const count = this.steps.get(step) ?? { times: 0, last: 0 };
    this.steps.set(step, { times: count.times + times, last: at });
  }
}
