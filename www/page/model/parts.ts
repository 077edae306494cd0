// What the engine consists of, as the page knows it: partitions with their raw rows, parts, and merges that make parts of parts.

import type { MergeChoice, MergeReason, MergeState, PartClass, PartState } from "sandglass";

/** From which size on the result of a merge is a big part: a fifteenth of the memory that caches leave, 10 MB at least. */
export const bigPartBytes = (memoryBytes: number): number => Math.max(1e7, Math.floor((Math.floor(memoryBytes / 100) * 40) / 15));

/** What the engine itself says of a part; the rest is what was seen of it. */
type SaidOfPart = Pick<PartState, "id" | "class" | "name" | "rows" | "blocks" | "bytes" | "minTimestamp" | "maxTimestamp">;

export interface Part extends SaidOfPart {
  partition: string;
  /**
   * How often its rows have been written: 0 in memory, 1 when they went to disk, one more with each merge. Of a part on disk that was
   * there before anybody looked it is 1, the least that it can be.
   */
  generation: number;
  /** The merge that made it. */
  madeBy: number | undefined;
  /** The merge that reads it now, or that it went into. */
  readBy: Merge | undefined;
  /** An inspection found it: nobody saw it come. */
  isFound: boolean;
  /** When it came and went, by the clock of whoever keeps the model. */
  bornAt: number;
  retiredAt: number | undefined;
  /** Acceptance time of its first row, as far as it was seen; parts in memory are lost by a crash. */
  acceptedSince: number;
}

export interface Merge {
  id: number;
  partition: string;
  reason: MergeReason;
  /** The parts it reads: their numbers, and those of them that were known when it began. */
  sourceIds: readonly number[];
  sources: Part[];
  rows: number;
  rowsDone: number;
  bytes: number;
  outputClass: PartClass;
  /** Why these parts; `null` when nothing was chosen. */
  choice: MergeChoice | null;
  output: Part | undefined;
  /** By the clock of whoever keeps the model. One that was given up has finished without an output, too. */
  startedAt: number;
  finishedAt: number | undefined;
}

export interface Shard {
  rows: number;
  capacity: number;
}

export interface Partition {
  name: string;
  shards: Shard[];
  parts: Map<number, Part>;
  /** Those that run. */
  merges: Map<number, Merge>;
  /** Rows that have left the shards and are not in parts yet. */
  pendingConversionRows: number;
  /** Engine time at which the first of the rows now waiting in the shards was accepted; 0 when none waits. */
  waitingSince: number;
}

export const emptyPartition = (name: string): Partition => ({
  name,
  shards: [],
  parts: new Map(),
  merges: new Map(),
  pendingConversionRows: 0,
  waitingSince: 0,
});

type Facts = Pick<PartState, "class" | "name" | "rows" | "blocks" | "bytes" | "minTimestamp" | "maxTimestamp">;
type Origin = Pick<Part, "generation" | "madeBy" | "isFound" | "bornAt" | "acceptedSince">;

/** A part, by what an event or an inspection says of it and by what is known of where it comes from. */
export function newPart(id: number, partition: string, facts: Facts, origin: Origin): Part {
  const { class: partClass, name, rows, blocks, bytes, minTimestamp, maxTimestamp } = facts;
  return {
    id,
    partition,
    class: partClass,
    name,
    rows,
    blocks,
    bytes,
    minTimestamp,
    maxTimestamp,
    ...origin,
    readBy: undefined,
    retiredAt: undefined,
  };
}

/** The generation of a part that no known merge has made. */
export const firstGeneration = (partClass: PartClass): number => (partClass === "inmemory" ? 0 : 1);

/** Parts on disk by their names, which are the same for each engine that opens the files. */
export const namesOf = (parts: Iterable<Part>): Map<string, Part> =>
  new Map([...parts].filter(({ name }) => name !== "").map((part) => [part.name, part]));

type Beginning = Pick<Merge, "id" | "reason" | "rows" | "rowsDone" | "bytes" | "outputClass" | "choice"> & { sources: readonly number[] };

/** A merge of parts that are there begins. */
export function begin(
  partition: Partition,
  { id, reason, sources: sourceIds, rows, rowsDone, bytes, outputClass, choice }: Beginning,
  at: number,
): Merge {
  const sources = sourceIds.flatMap((source) => partition.parts.get(source) ?? []);
  const merge: Merge = {
    id,
    partition: partition.name,
    reason,
    sourceIds: [...sourceIds],
    sources,
    rows,
    rowsDone,
    bytes,
    outputClass,
    choice,
    output: undefined,
    startedAt: at,
    finishedAt: undefined,
  };
  for (const part of sources) part.readBy = merge;
  partition.merges.set(id, merge);
  return merge;
}

/** Merges that an inspection tells of and no event has told of yet. */
export function beginAll(partition: Partition, found: readonly MergeState[], at: number): void {
  for (const merge of found) {
    if (!partition.merges.has(merge.id)) begin(partition, { ...merge, rows: merge.rowsTotal, bytes: merge.bytesTotal, choice: null }, at);
  }
}
