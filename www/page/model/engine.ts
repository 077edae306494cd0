// The one model of the engine: partitions with their raw rows, their parts and the merges that run, kept by the engine's events and
// put right by what it says of itself. Knows no browser and no clock, so the same events make the same model. What comes and what
// is over is handed out; a room that shows more than what is there keeps it by itself (`lingering.ts`, `house.ts`).

import type { EngineEvent, EngineState, PartitionState, PartState } from "sandglass";
import {
  begin,
  beginAll,
  emptyPartition,
  firstGeneration,
  type Merge,
  namesOf,
  newPart,
  type Part,
  type Partition,
  type Shard,
} from "./parts";
import { waitingRows } from "./rows";

/** What an event or an inspection has done to a part or a merge. */
export type Change =
  | { type: "born"; part: Part; by: Merge | undefined }
  | { type: "retired"; part: Part }
  | { type: "started" | "finished" | "aborted"; merge: Merge };

export class EngineModel {
  readonly partitions = new Map<string, Partition>();
  /** Grows with every change. */
  version = 0;
  /** Engine time of the last inspection. Events may come after it that happened before. */
  #inspectedAt = Number.NEGATIVE_INFINITY;
  /** Merges that the last inspection did not name, though no event has told of their end. */
  #missed = new Set<Merge>();

  parts(): Part[] {
    return [...this.partitions.values()].flatMap(({ parts }) => [...parts.values()]);
  }

  /** Nothing is known any more: another engine numbers its parts anew. */
  forget(): void {
    this.partitions.clear();
    this.#missed.clear();
    this.#inspectedAt = Number.NEGATIVE_INFINITY;
    this.version++;
  }

  /** Takes in one event; twice the same changes nothing. `at` is an instant of whoever keeps the model. */
  apply(event: EngineEvent, at: number): Change | undefined {
    this.version++;
    switch (event.type) {
      case "partitionCreated":
        this.#partition(event.partition);
        return undefined;
      case "partitionDropped":
        this.partitions.delete(event.partition);
        return undefined;
      case "rowsAdded":
        this.#added(event);
        return undefined;
      case "rawRowsFlushed":
        this.#flushed(event);
        return undefined;
      case "partCreated":
        return this.#created(event, at);
      case "partRetired": {
        const part = this.partitions.get(event.partition)?.parts.get(event.part);
        return part && this.#retire(part, at);
      }
      case "mergeStarted": {
        const partition = this.#partition(event.partition);
        if (partition.merges.has(event.merge)) return undefined;
        return { type: "started", merge: begin(partition, { ...event, id: event.merge, rowsDone: 0 }, at) };
      }
      case "mergeProgressed": {
        const merge = this.#running(event);
        if (merge) merge.rowsDone = event.rowsDone;
        return undefined;
      }
      case "mergeFinished": {
        const merge = this.#running(event);
        if (!merge) return undefined;
        merge.rowsDone = merge.rows;
        if (event.output !== null) merge.output ??= this.#partition(event.partition).parts.get(event.output);
        return this.#end(merge, "finished", at);
      }
      case "mergeAborted": {
        const merge = this.#running(event);
        return merge && this.#end(merge, "aborted", at);
      }
      default:
        return undefined;
    }
  }

  /**
   * Puts the model right by what the engine says of itself. Parts on disk that another engine has numbered anew are known by their
   * names.
   */
  reconcile(state: EngineState, at: number): Change[] {
    this.version++;
    this.#inspectedAt = state.now;
    const changes: Change[] = [];
    const missed = new Set<Merge>();
    for (const found of state.partitions) {
      const partition = this.#partition(found.name);
      changes.push(...this.#take(found, namesOf(partition.parts.values()), state.now, at));
      // The end of a merge that is not named may be told by an event that is still on its way; that of one whose engine is no more is
      // never told.
      const named = new Set(found.merges.map(({ id }) => id));
      for (const merge of partition.merges.values()) {
        if (named.has(merge.id)) continue;
        if (this.#missed.has(merge)) changes.push(this.#end(merge, "aborted", at));
        else missed.add(merge);
      }
    }
    this.#missed = missed;
    const names = new Set(state.partitions.map(({ name }) => name));
    for (const name of this.partitions.keys()) if (!names.has(name)) this.partitions.delete(name);
    return changes;
  }

  /** Another engine has opened the same files after a crash, and tells from here on: what was in memory is gone, parts have new numbers. */
  reopened(state: EngineState, at: number): void {
    const before = new Map([...this.partitions].map(([name, { parts }]) => [name, namesOf(parts.values())]));
    this.forget();
    for (const found of state.partitions) this.#take(found, before.get(found.name) ?? new Map(), state.now, at);
  }

  #added(event: EngineEvent & { type: "rowsAdded" }): void {
    if (event.time <= this.#inspectedAt) return;
    const partition = this.#partition(event.partition);
    while (partition.shards.length <= event.shard) partition.shards.push({ rows: 0, capacity: 0 });
    const shard = partition.shards[event.shard] as Shard;
    // A shard that holds less than it should was emptied in between.
    partition.pendingConversionRows += Math.max(0, shard.rows + event.rows - event.pendingRows);
    shard.rows = event.pendingRows;
    if (partition.waitingSince === 0) partition.waitingSince = event.time;
  }

  #flushed(event: EngineEvent & { type: "rawRowsFlushed" }): void {
    const partition = this.#partition(event.partition);
    for (const id of event.parts) {
      const part = partition.parts.get(id);
      if (part) part.acceptedSince = partition.waitingSince || event.time;
    }
    if (event.time <= this.#inspectedAt) return;
    let rows = event.rows - Math.min(partition.pendingConversionRows, event.rows);
    partition.pendingConversionRows -= event.rows - rows;
    for (const shard of partition.shards) {
      const left = Math.min(shard.rows, rows);
      shard.rows -= left;
      rows -= left;
    }
    partition.waitingSince = waitingRows(partition) === 0 ? 0 : event.time;
  }

  #created(event: EngineEvent & { type: "partCreated" }, at: number): Change | undefined {
    const partition = this.#partition(event.partition);
    const merge = event.merge === null ? undefined : partition.merges.get(event.merge);
    const known = partition.parts.get(event.part);
    if (known) {
      // An inspection has found it before the event came that tells who made it.
      known.madeBy ??= event.merge ?? undefined;
      if (merge) merge.output ??= known;
      return undefined;
    }
    const part = newPart(event.part, event.partition, event, {
      generation: merge ? 1 + Math.max(0, ...merge.sources.map(({ generation }) => generation)) : firstGeneration(event.class),
      madeBy: event.merge ?? undefined,
      isFound: false,
      bornAt: at,
      acceptedSince: partition.waitingSince || event.time,
    });
    partition.parts.set(part.id, part);
    if (merge) merge.output = part;
    return { type: "born", part, by: merge };
  }

  #retire(part: Part, at: number): Change {
    part.retiredAt = at;
    this.partitions.get(part.partition)?.parts.delete(part.id);
    return { type: "retired", part };
  }

  #running({ partition, merge }: { partition: string; merge: number }): Merge | undefined {
    return this.partitions.get(partition)?.merges.get(merge);
  }

  #end(merge: Merge, type: "finished" | "aborted", at: number): Change {
    merge.finishedAt = at;
    this.partitions.get(merge.partition)?.merges.delete(merge.id);
    if (type === "aborted") for (const part of merge.sources) part.readBy = undefined;
    return { type, merge };
  }

  /** What an inspection says of a partition. `known` are its parts by their names. */
  #take(found: PartitionState, known: ReadonlyMap<string, Part>, now: number, at: number): Change[] {
    const partition = this.#partition(found.name);
    partition.shards = found.shards.map(({ rows, capacity }) => ({ rows, capacity }));
    partition.pendingConversionRows = found.pendingConversionRows;
    if (waitingRows(partition) === 0) partition.waitingSince = 0;
    else if (partition.waitingSince === 0) partition.waitingSince = now;
    const changes = this.#dropMissing(partition, found.parts, at);
    for (const part of found.parts) {
      const same = partition.parts.get(part.id);
      // Another tab's engine that took over numbers them anew.
      if (same && same.name === part.name && same.rows === part.rows) continue;
      const generation = known.get(part.name)?.generation ?? firstGeneration(part.class);
      const origin = { generation, madeBy: undefined, isFound: true, bornAt: at, acceptedSince: now };
      partition.parts.set(part.id, newPart(part.id, found.name, part, origin));
    }
    beginAll(partition, found.merges, at);
    return changes;
  }

  #dropMissing({ parts }: Partition, found: readonly PartState[], at: number): Change[] {
    const ids = new Set(found.map(({ id }) => id));
    const names = new Set(found.map(({ name }) => name));
    const changes: Change[] = [];
    for (const part of [...parts.values()]) {
      if (ids.has(part.id)) continue;
      // What has another number now is still there.
      if (part.name !== "" && names.has(part.name)) parts.delete(part.id);
      else changes.push(this.#retire(part, at));
    }
    return changes;
  }

  #partition(name: string): Partition {
    let partition = this.partitions.get(name);
    if (!partition) {
      partition = emptyPartition(name);
      this.partitions.set(name, partition);
    }
    return partition;
  }
}
