// What happens in an engine. src/trace/event.rs is the source, and a test holds them equal.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { ErrorCode } from "./errors.js";
import type { MergeReason, PartClass, PartId } from "./state.js";

/** Something that has happened in the engine. `type` tells which. */
export type EngineEvent = Stamp &
  (
    | RowsAdded
    | RawRowsFlushed
    | PartCreated
    | MergeStarted
    | MergeProgressed
    | MergeFinished
    | MergeAborted
    | PartRetired
    | PartRemoved
    | PartitionCreated
    | PartitionDropped
    | SeriesRegistered
    | IndexFlushed
    | IndexMerged
    | IndexRotated
    | SnapshotStarted
    | SnapshotCreated
    | SnapshotDeleted
    | MergePutOff
    | IndexMergePutOff
    | Degraded
    | SamplesDropped
    | LabelsCut
    | LabelsNotUtf8
    | RetentionShortened
    | Restored
  );

/** The place of an event in the engine's history. */
export interface Stamp {
  /** Position in the history, counted from 0 without gaps (dropped events included). */
  sequence: number;
  /** The engine's time when it happened. */
  time: number;
}

/** Rows were appended to a raw-rows shard. Not yet visible to queries. */
export interface RowsAdded {
  type: "rowsAdded";
  /** `YYYY_MM`. */
  partition: string;
  /** Index of the shard within the partition. */
  shard: number;
  /** Rows added by this call. */
  rows: number;
  /** Rows that now wait in the shard. */
  pendingRows: number;
}

/** A partition's raw rows were taken out of its shards and became in-memory parts. */
export interface RawRowsFlushed {
  type: "rawRowsFlushed";
  partition: string;
  /** Rows that left the shards. */
  rows: number;
  /** In-memory parts made of them. */
  parts: PartId[];
}

/** A part joined its partition's list and can be searched. */
export interface PartCreated {
  type: "partCreated";
  part: PartId;
  partition: string;
  class: PartClass;
  /** Its directory's name; empty for in-memory parts. */
  name: string;
  rows: number;
  blocks: number;
  /** Sum of its four files' sizes. */
  bytes: number;
  minTimestamp: number;
  maxTimestamp: number;
  /** The merge that made it; `null` for parts made from raw rows or found when the database was opened. */
  merge: number | null;
}

/** A merge has leased its sources. */
export interface MergeStarted {
  type: "mergeStarted";
  merge: number;
  partition: string;
  reason: MergeReason;
  /** The parts it reads. */
  sources: PartId[];
  /** Rows in the sources. */
  rows: number;
  /** Bytes of the sources. */
  bytes: number;
  /** Class of the part it makes. */
  outputClass: PartClass;
  /** How the sources were chosen; `null` when they were not: all of an age, or all there are, were taken. */
  choice: MergeChoice | null;
}

/** Why a merger took just these parts. */
export interface MergeChoice {
  /** The parts that were in no merge and could have been taken, by size, the smallest first. */
  considered: PartId[];
  /** Their sizes. */
  consideredBytes: number[];
  /** How many times larger than its largest source the result is. */
  gain: number;
  /** The least gain that is worth a merge. */
  minGain: number;
  /** The largest result that was allowed. */
  maxOutputBytes: number;
}

/** A merge is under way; at most one such event for each slice of work. */
export interface MergeProgressed {
  type: "mergeProgressed";
  merge: number;
  partition: string;
  rowsDone: number;
  rowsTotal: number;
}

/** A merge's output took its sources' place, in one atomic step. */
export interface MergeFinished {
  type: "mergeFinished";
  merge: number;
  partition: string;
  /** The new part; `null` when no row was left. */
  output: PartId | null;
  /** Rows written. */
  rowsMerged: number;
  /** Rows dropped, since their series was deleted or their time has passed. */
  rowsDeleted: number;
  /** Rows dropped by de-duplication. */
  rowsDeduplicated: number;
}

/** A merge gave up and released its sources, which are untouched. */
export interface MergeAborted {
  type: "mergeAborted";
  merge: number;
  partition: string;
  message: string;
}

/** A part left its partition's list. Readers that hold it go on reading. */
export interface PartRetired {
  type: "partRetired";
  part: PartId;
  partition: string;
}

/** A retired part's last reader is gone, and so are its files. */
export interface PartRemoved {
  type: "partRemoved";
  part: PartId;
  partition: string;
}

/** A month got its partition. */
export interface PartitionCreated {
  type: "partitionCreated";
  partition: string;
}

/** A month fell out of the retention, or was removed. */
export interface PartitionDropped {
  type: "partitionDropped";
  partition: string;
}

/** New series were written into the index. */
export interface SeriesRegistered {
  type: "seriesRegistered";
  /** How many. */
  series: number;
}

/** Pending index items became a part of the index. */
export interface IndexFlushed {
  type: "indexFlushed";
  /** Generation, 16 hex digits. */
  table: string;
  /** Items in the part. */
  items: number;
  /** Its directory's name. */
  part: string;
}

/** Parts of the index were merged into one. */
export interface IndexMerged {
  type: "indexMerged";
  table: string;
  /** Names of the sources. */
  sources: string[];
  /** Name of the result. */
  part: string;
  /** Items in the result. */
  items: number;
}

/** A new index generation became current. */
export interface IndexRotated {
  type: "indexRotated";
  current: string;
  previous: string;
  /** The generation that was dropped. */
  dropped: string;
}

/** A snapshot was asked for; data and index are being flushed. */
export interface SnapshotStarted {
  type: "snapshotStarted";
  name: string;
}

/** A snapshot is complete. */
export interface SnapshotCreated {
  type: "snapshotCreated";
  name: string;
  /** Data parts linked. */
  parts: number;
  /** Files linked, those of the index included. */
  files: number;
  /** Their size; no byte of them was copied. */
  linkedBytes: number;
}

/** A snapshot was deleted. */
export interface SnapshotDeleted {
  type: "snapshotDeleted";
  name: string;
}

/**
 * A merge was not begun, since its result would not fit into the room that is left. Told once for a choice of parts; it is made
 * up for when there is room.
 */
export interface MergePutOff {
  type: "mergePutOff";
  partition: string;
  /** The parts it would have read. */
  sources: PartId[];
  /** Bytes of the sources: what the result may take at the most. */
  neededBytes: number;
  /** Bytes the storage has left, those that are kept for deleting not counted; 0 when it has refused without telling. */
  roomBytes: number;
}

/** As {@link MergePutOff}, for parts of the index. */
export interface IndexMergePutOff {
  type: "indexMergePutOff";
  /** Generation, 16 hex digits. */
  table: string;
  /** Names of the parts it would have read. */
  sources: string[];
  /** Bytes of the sources. */
  neededBytes: number;
  /** Bytes the storage has left, those that are kept for deleting not counted; 0 when it has refused without telling. */
  roomBytes: number;
}

/**
 * Something went wrong that the engine could contain; nothing that was acknowledged is lost. When the storage refuses to write,
 * this is told once, and {@link Restored} when all that waited is written.
 */
export interface Degraded {
  type: "degraded";
  /** The `code` that an error of this kind has. */
  code: ErrorCode;
  /** What, where and what follows. */
  message: string;
}

/**
 * All samples of a call were dropped, as a rule of the format wants it. Told the first time for each reason, and to a listener that
 * comes later; the console gets the words, too.
 */
export interface SamplesDropped {
  type: "samplesDropped";
  /** Older than the retention, more than two days ahead, or NaN other than the staleness marker. */
  reason: "tooOld" | "tooNew" | "notANumber";
  samples: number;
  /** What, the likely cause (seconds for milliseconds, say), and what to do. */
  message: string;
}

/**
 * A series had more labels, or longer ones, than the format's rules allow. Told the first time, and to a listener that comes later;
 * the console gets the words, too. {@link IngestCounters.labelsCut} counts them all.
 */
export interface LabelsCut {
  type: "labelsCut";
  /** Labels of this series that were left out or shortened. */
  labels: number;
  /** Which series, and by which rule. */
  message: string;
}

/**
 * An export holds labels that are not UTF-8, which JSON can't hold, so that an import of it may make one series of several. Told the
 * first time, and to a listener that comes later; the console gets the words, too.
 */
export interface LabelsNotUtf8 {
  type: "labelsNotUtf8";
  /** Series of this export that have such labels. */
  series: number;
  /** What follows from that. */
  message: string;
}

/**
 * The database was opened with a shorter retention than it had. Told before anything is removed, to a listener that comes later, too;
 * and the console gets the words.
 */
export interface RetentionShortened {
  type: "retentionShortened";
  /** The retention it had. */
  beforeMs: number;
  /** The one it has now. */
  afterMs: number;
  /** The months that go as a whole, `YYYY_MM`. */
  partitions: string[];
  /** What follows from that. */
  message: string;
}

/** What the storage had refused to write is written. */
export interface Restored {
  type: "restored";
  /** The `code` of what is over. */
  code: ErrorCode;
}
