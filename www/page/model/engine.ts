// What the page knows of the engine: partitions with their raw rows, parts and merges, kept by the engine's events and put
// right by its inspections. Things that are over stay for a moment, so that the eye can follow where they went.

import type { EngineEvent, EngineState } from "sandglass";

/** From which size on the result of a merge is a big part: a fifteenth of the memory that caches leave, 10 MB at least. */
export const bigPartBytes = (memoryBytes: number): number => Math.max(1e7, Math.floor((Math.floor(memoryBytes / 100) * 40) / 15));

export type PartClass = "inmemory" | "small" | "big";

export interface Part {
  id: number;
  partition: string;
  class: PartClass;
  /** Its directory; empty for parts in memory. */
  name: string;
  rows: number;
  blocks: number;
  bytes: number;
  minTimestamp: number;
  maxTimestamp: number;
  /** The merge that made it. */
  madeBy?: number;
  /** The merge that reads it now, or that it went into. */
  mergedBy?: number;
  retired: boolean;
  /** Page time at which it came and went; 0 for parts that were there before the page looked. */
  bornAt: number;
  retiredAt: number;
  /** Acceptance time of its first row, as far as the page saw it; parts in memory are lost by a crash. */
  acceptedSince: number;
}

export interface Merge {
  id: number;
  partition: string;
  reason: string;
  sources: number[];
  rows: number;
  bytes: number;
  outputClass: PartClass;
  rowsDone: number;
  rowsTotal: number;
  output?: number;
  /** Page time; 0 while it runs. */
  finishedAt: number;
}

export interface Shard {
  rows: number;
  capacity: number;
}

export interface Partition {
  name: string;
  shards: Shard[];
  parts: Map<number, Part>;
  merges: Map<number, Merge>;
  /** Rows that have left the shards and are not in parts yet. */
  converting: number;
  /** Engine time at which the first of the rows now waiting in the shards was accepted; 0 when none waits. */
  waitingSince: number;
}

/** How long a retired part and a finished merge are still shown, in milliseconds of page time. */
export const LINGER_MS = 1400;

export class EngineModel {
  readonly partitions = new Map<string, Partition>();
  /** Grows with every change. */
  version = 0;
  /** Engine time of the last inspection. Events may come after it that happened before. */
  #inspectedAt = Number.NEGATIVE_INFINITY;

  /** Nothing is known any more: another engine numbers its parts anew. */
  forget(): void {
    this.partitions.clear();
    this.#inspectedAt = Number.NEGATIVE_INFINITY;
    this.version++;
  }

  /** Takes in one event; twice the same changes nothing. `at` is page time. */
  apply(event: EngineEvent, at: number): void {
    this.version++;
    switch (event.type) {
      case "partitionCreated":
        this.#partition(event.partition);
        break;
      case "partitionDropped":
        this.partitions.delete(event.partition);
        break;
      case "rowsAdded": {
        if (event.time <= this.#inspectedAt) break;
        const partition = this.#partition(event.partition);
        const shard = (partition.shards[event.shard] ??= { rows: 0, capacity: 0 });
        // A shard that holds less than it should was emptied in between.
        partition.converting += Math.max(0, shard.rows + event.rows - event.pendingRows);
        shard.rows = event.pendingRows;
        if (partition.waitingSince === 0) partition.waitingSince = event.time;
        break;
      }
      case "rawRowsFlushed": {
        const partition = this.#partition(event.partition);
        for (const id of event.parts) {
          const part = partition.parts.get(id);
          if (part) part.acceptedSince = partition.waitingSince || event.time;
        }
        if (event.time <= this.#inspectedAt) break;
        let rows = event.rows - Math.min(partition.converting, event.rows);
        partition.converting -= event.rows - rows;
        for (const shard of partition.shards) {
          const left = Math.min(shard?.rows ?? 0, rows);
          if (shard) shard.rows -= left;
          rows -= left;
        }
        partition.waitingSince = waiting(partition) === 0 ? 0 : event.time;
        break;
      }
      case "partCreated": {
        const partition = this.#partition(event.partition);
        if (partition.parts.has(event.part)) break;
        const merge = event.merge == null ? undefined : partition.merges.get(event.merge);
        if (merge) merge.output = event.part;
        partition.parts.set(event.part, {
          id: event.part,
          partition: event.partition,
          class: event.class,
          name: event.name,
          rows: event.rows,
          blocks: event.blocks,
          bytes: event.bytes,
          minTimestamp: event.minTimestamp,
          maxTimestamp: event.maxTimestamp,
          ...(event.merge == null ? {} : { madeBy: event.merge }),
          retired: false,
          bornAt: at,
          retiredAt: 0,
          acceptedSince: partition.waitingSince || event.time,
        });
        break;
      }
      case "mergeStarted": {
        const partition = this.#partition(event.partition);
        if (partition.merges.has(event.merge)) break;
        partition.merges.set(event.merge, {
          id: event.merge,
          partition: event.partition,
          reason: event.reason,
          sources: [...event.sources],
          rows: event.rows,
          bytes: event.bytes,
          outputClass: event.outputClass,
          rowsDone: 0,
          rowsTotal: event.rows,
          finishedAt: 0,
        });
        for (const id of event.sources) {
          const part = partition.parts.get(id);
          if (part) part.mergedBy = event.merge;
        }
        break;
      }
      case "mergeProgressed": {
        const merge = this.partitions.get(event.partition)?.merges.get(event.merge);
        if (merge) {
          merge.rowsDone = event.rowsDone;
          merge.rowsTotal = event.rowsTotal;
        }
        break;
      }
      case "mergeFinished": {
        const merge = this.partitions.get(event.partition)?.merges.get(event.merge);
        if (merge) {
          merge.rowsDone = merge.rowsTotal;
          merge.finishedAt = at;
          if (event.output != null) merge.output = event.output;
        }
        break;
      }
      case "mergeAborted": {
        const partition = this.partitions.get(event.partition);
        const merge = partition?.merges.get(event.merge);
        if (!partition || !merge) break;
        partition.merges.delete(event.merge);
        for (const id of merge.sources) delete partition.parts.get(id)?.mergedBy;
        break;
      }
      case "partRetired": {
        const part = this.partitions.get(event.partition)?.parts.get(event.part);
        if (part && !part.retired) {
          part.retired = true;
          part.retiredAt = at;
        }
        break;
      }
      default:
        break;
    }
  }

  /** Puts the picture right by what the engine says of itself. */
  reconcile(state: EngineState, at: number): void {
    this.version++;
    this.#inspectedAt = state.now;
    const seen = new Set<string>();
    for (const found of state.partitions) {
      seen.add(found.name);
      const partition = this.#partition(found.name);
      partition.shards = found.shards.map((shard) => ({ rows: shard.rows, capacity: shard.capacity }));
      partition.converting = found.pendingConversionRows;
      if (waiting(partition) === 0) partition.waitingSince = 0;
      else if (partition.waitingSince === 0) partition.waitingSince = state.now;
      const alive = new Set<number>();
      for (const part of found.parts) {
        alive.add(part.id);
        const known = partition.parts.get(part.id);
        // The engine of another tab that took over numbers them anew.
        if (known !== undefined && !known.retired && known.name === part.name && known.rows === part.rows) continue;
        partition.parts.set(part.id, {
          id: part.id,
          partition: found.name,
          class: part.class,
          name: part.name,
          rows: part.rows,
          blocks: part.blocks,
          bytes: part.bytes,
          minTimestamp: part.minTimestamp,
          maxTimestamp: part.maxTimestamp,
          retired: false,
          bornAt: 0,
          retiredAt: 0,
          acceptedSince: state.now,
        });
      }
      for (const part of partition.parts.values()) {
        if (alive.has(part.id) || part.retired) continue;
        part.retired = true;
        part.retiredAt = at;
      }
    }
    for (const name of this.partitions.keys()) if (!seen.has(name)) this.partitions.delete(name);
  }

  /** Forgets what has been over for long enough. True when something went. */
  sweep(at: number): boolean {
    let changed = false;
    for (const partition of this.partitions.values()) {
      for (const part of partition.parts.values()) {
        if (part.retired && at - part.retiredAt > LINGER_MS) {
          partition.parts.delete(part.id);
          changed = true;
        }
      }
      for (const merge of partition.merges.values()) {
        if (merge.finishedAt !== 0 && at - merge.finishedAt > LINGER_MS) {
          partition.merges.delete(merge.id);
          changed = true;
        }
      }
    }
    if (changed) this.version++;
    return changed;
  }

  /** True while something that is over is still shown. */
  lingers(): boolean {
    for (const { parts, merges } of this.partitions.values()) {
      for (const part of parts.values()) if (part.retired) return true;
      for (const merge of merges.values()) if (merge.finishedAt !== 0) return true;
    }
    return false;
  }

  /** Sums over all that is stored. `hasLog`: rows are durable when they have left the shards. */
  totals(hasLog = false): Totals {
    const totals: Totals = { rows: 0, waitingRows: 0, partRows: 0, partBytes: 0, parts: 0, unsafeSince: 0 };
    const unsafe = (since: number) => {
      if (totals.unsafeSince === 0 || since < totals.unsafeSince) totals.unsafeSince = since;
    };
    for (const partition of this.partitions.values()) {
      totals.waitingRows += waiting(partition);
      if (partition.waitingSince !== 0) unsafe(partition.waitingSince);
      for (const part of partition.parts.values()) {
        if (part.retired) continue;
        totals.parts++;
        totals.partRows += part.rows;
        totals.partBytes += part.bytes;
        if (part.class === "inmemory" && !hasLog) unsafe(part.acceptedSince);
      }
    }
    totals.rows = totals.partRows + totals.waitingRows;
    return totals;
  }

  #partition(name: string): Partition {
    let partition = this.partitions.get(name);
    if (!partition) {
      partition = { name, shards: [], parts: new Map(), merges: new Map(), converting: 0, waitingSince: 0 };
      this.partitions.set(name, partition);
    }
    return partition;
  }
}

/** Rows that are not in parts yet. */
const waiting = (partition: Partition): number => partition.shards.reduce((sum, shard) => sum + (shard?.rows ?? 0), partition.converting);

export interface Totals {
  /** Samples stored, those that wait in the shards included. */
  rows: number;
  waitingRows: number;
  partRows: number;
  partBytes: number;
  parts: number;
  /** Engine time since which accepted rows are not yet durable; 0 when all are. */
  unsafeSince: number;
}
