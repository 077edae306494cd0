// The state of an engine: the engine's own records. src/engine/state.rs and the `state` modules are their source, and a test holds them equal.
// An integer beyond 2^53, which no number holds exactly, is decimal text: a foreign part can have such a timestamp.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { ErrorCode } from "./errors.js";

/** Names a part for the lifetime of the database object, whatever its class. */
export type PartId = number;

/** How a part is treated; its bytes are the same in all three: only in memory, below `data/small`, below `data/big`. */
export type PartClass = "inmemory" | "small" | "big";

/**
 * Why parts are merged: in-memory parts go to disk; a merger found a good choice; above 256 small parts the writer helps;
 * somebody asked; final de-duplication of a past month.
 */
export type MergeReason = "flush" | "background" | "assisted" | "forced" | "deduplication";

/** The whole state of the engine at one instant. */
export interface EngineState {
  /** The engine's time. */
  now: number;
  clock: "real" | "manual";
  config: EngineConfig;
  /** One for each month, oldest first. */
  partitions: PartitionState[];
  /** The inverted index. */
  index: IndexState | null;
  /** What ingestion knows of series. */
  series: SeriesState | null;
  /** What ingestion has counted since the database was opened. */
  ingested: IngestCounters;
  /** What the last reading of samples has cost: by `select`, an export, a query, `latest` or `envelope`; `null` before the first one. */
  lastRead: ReadCounters | null;
  scheduler: SchedulerState;
  /** What lies in the storage, and the traffic with it. */
  fileSystem: FileSystemState;
  /** How the storage takes what is written. */
  storage: StorageState;
  memory: MemoryState;
  /** Events that were dropped, since they came faster than they could be handed out. */
  eventsDropped: number;
}

/** How the database was opened. */
export interface EngineConfig {
  retentionMs: number;
  dedupIntervalMs: number;
  clock: "real" | "manual";
  startTime: number;
  cacheBytes: number;
  /** Memory the sizing formulas count with. */
  memoryBytes: number;
  precisionBits: number;
  finalMergeDelayMs: number;
  /** Which language requests speak that don't say. */
  dialect: "metricsql" | "promql";
  /** For which requests a key is asked; the keys are not shown. */
  auth: { snapshot: boolean; forceFlush: boolean; forceMerge: boolean };
  /** So long after it was accepted a sample is durable at the latest. From 5,000 on, whatever the value: after about eleven seconds, in the server's rhythm. */
  durableWithinMs: number;
  /** Another tab writes the database: nothing is changed here, and what it commits is followed. */
  readOnly: boolean;
  /** Of a snapshot that is looked at where it lies: which servers write so, and what was left out, each with where it was and why. */
  origin: { format: string; leftOut: [place: string, reason: string][] } | null;
}

/** One month of data. */
export interface PartitionState {
  /** `YYYY_MM`. */
  name: string;
  /** First instant of the month. */
  minTimestamp: number;
  /** Last instant of the month. */
  maxTimestamp: number;
  /** Raw rows that wait. Not yet visible to queries. */
  shards: ShardState[];
  /** Rows that have left their shards and are being made into parts. */
  pendingConversionRows: number;
  /** All parts, in-memory and small ones first. */
  parts: PartState[];
  /** Merges under way. */
  merges: MergeState[];
  /** When the shards are emptied next, if rows wait in them. */
  nextRawRowsFlush: number;
  /** When in-memory parts that are five seconds old go to disk next, if there are any. */
  nextDiskFlush: number;
  /** What the mergers of small and of big parts found when they looked last. */
  looks: MergeLook[];
  /** What flushes and merges have written since the partition was opened. */
  merged: MergeCounters;
}

/** What a merger found when it looked for something to merge. */
export interface MergeLook {
  /** `"small"` stands for in-memory and small parts. */
  class: PartClass;
  /** When it looked. */
  time: number;
  /** Parts that were in no merge. */
  freeParts: number;
  /** Parts it chose; 0 when nothing was worth merging. */
  chosenParts: number;
  /** How many times larger than its largest source the best result would be; 0 when no parts were balanced enough. */
  gain: number;
  /** The least gain that is worth a merge. */
  minGain: number;
}

/** What flushes and merges have written. Their rows divided by the rows on disk tell how often a row was written. */
export interface MergeCounters {
  /** In-memory parts that went to disk. */
  flushes: WriteCounters;
  /** Merges of all other reasons. */
  merges: WriteCounters;
  /** Looks for something to merge that found nothing worth it. */
  putOff: number;
  /** Merges that gave up. */
  aborted: number;
}

/** What was written to disk as parts. */
export interface WriteCounters {
  /** Merges. */
  done: number;
  rows: number;
  /** Bytes of the parts. */
  bytes: number;
}

/** A shard of raw rows. */
export interface ShardState {
  /** Rows that wait in it. */
  rows: number;
  /** Rows it holds before it is emptied at once. */
  capacity: number;
}

/** A part. */
export interface PartState {
  id: PartId;
  class: PartClass;
  /** Its directory's name; empty for in-memory parts. */
  name: string;
  rows: number;
  blocks: number;
  /** Sum of its four files' sizes. */
  bytes: number;
  minTimestamp: number;
  maxTimestamp: number;
  /** When it was made or found. */
  created: number;
  state: "live" | "merging";
}

/** A merge under way. */
export interface MergeState {
  id: number;
  reason: MergeReason;
  /** The parts it reads. */
  sources: PartId[];
  /** Class of the part it makes. */
  outputClass: PartClass;
  rowsDone: number;
  rowsTotal: number;
  /** Bytes of the sources. */
  bytesTotal: number;
}

/** The inverted index. */
export interface IndexState {
  /** Its generations: the current one, then the previous one. */
  tables: IndexTableState[];
  /** Items that are not in the storage yet. */
  pendingItems: number;
  /** Series, deleted ones included; `null` until those found at the start are counted. */
  series: number | null;
  /** Series that were deleted. */
  deletedSeries: number;
  /** Names of series that were asked for lately. */
  names: NameCacheState;
  /** Decoded blocks, those of the data included. */
  blocks: BlockCacheState;
  /** The next rotation of generations. */
  nextRotation: number;
}

/** Names of series that were asked for lately. */
export interface NameCacheState {
  /** Names held. */
  names: number;
  /** Bytes they take, roughly. */
  bytes: number;
  /** Bytes they may take. */
  maxBytes: number;
  hits: number;
  misses: number;
}

/** Decoded blocks that are kept. */
export interface BlockCacheState {
  /** Bytes they may take; 0 means that nothing is kept. */
  budgetBytes: number;
  bytes: number;
  blocks: number;
  hits: number;
  misses: number;
  /** Blocks that had to make room. */
  evictions: number;
}

/** One generation of the index. */
export interface IndexTableState {
  role: "current" | "previous";
  /** 16 hex digits. */
  name: string;
  parts: IndexPartState[];
  /** Items that are not in the storage yet. */
  pendingItems: number;
  /** Bytes of these items. */
  pendingBytes: number;
}

/** A part of the index. */
export interface IndexPartState {
  /** Its directory's name; empty while it is in memory alone. */
  name: string;
  items: number;
  blocks: number;
  /** Sum of its data files' sizes. */
  bytes: number;
  isMerging: boolean;
}

/** What ingestion knows of series. */
export interface SeriesState {
  /** Handles given out. */
  handles: number;
  /** Handles whose series have samples. */
  resolved: number;
  /** Texts of lines that are remembered. */
  rememberedTexts: number;
  /** Bytes that these take. */
  rememberedTextBytes: number;
  /** Days whose series are remembered. */
  rememberedDays: number;
}

/** What ingestion has counted since the database was opened. */
export interface IngestCounters {
  /** Rows accepted. */
  rows: number;
  /** Rows whose value was NaN, other than the staleness marker. */
  rejectedNan: number;
  /** Rows older than the retention. */
  rejectedTooOld: number;
  /** Rows more than two days ahead. */
  rejectedTooNew: number;
  /** Labels that were left out or shortened since a series had too many or too long ones, each time such a series came. */
  labelsCut: number;
}

/** What a reading of samples has cost. Read amplification is `rows` divided by `samples`. */
export interface ReadCounters {
  /** Series asked for. */
  series: number;
  /** Parts in which blocks were found. */
  parts: number;
  /** Blocks that were decoded. */
  blocks: number;
  /** Rows of these blocks, those outside of the range included. */
  rows: number;
  /** Bytes of these blocks' data. */
  bytes: number;
  /** Samples handed out. */
  samples: number;
}

/** The jobs of the engine, and what the calling thread saw of them. */
export interface SchedulerState {
  /** The lanes, the most urgent first. */
  lanes: LaneState[];
  /** The earliest instant for which a job waits. */
  nextDue: number | null;
  /** Whether a job waits for the storage. */
  waitsForStorage: boolean;
  /** The longest time that the engine held the thread without a break since the database was opened, in milliseconds. */
  longestSliceMs: number;
  /** How often it held the thread for more than 8 ms. */
  slicesOver8Ms: number;
}

/** One lane of jobs. */
export interface LaneState {
  lane: "query" | "flush" | "smallMerge" | "bigMerge" | "janitor";
  /** Jobs in it. */
  jobs: number;
  /** Jobs that could go on at once. */
  ready: number;
  /** Work done in it since the database was opened; a unit is roughly one row handled once. */
  units: number;
}

/** What lies in the storage, and the traffic with it. */
export interface FileSystemState {
  /** Distinct files' bytes; a hard-linked file counts once. */
  storedBytes: number;
  /** Distinct files. */
  files: number;
  /** Names of files, hard links included. */
  links: number;
  /** Bytes written since the database was opened. */
  writtenBytes: number;
  /** Bytes read since the database was opened. */
  readBytes: number;
  operations: number;
  commits: number;
}

/** How the storage takes what is written. */
export interface StorageState {
  /** Bytes it has left, as far as the browser has told; `null` when it can't tell, and in memory. */
  roomBytes: number | null;
  /** Bytes of these that are kept for deletions: 2 MiB, or a hundredth of the quota when that is less. */
  headRoomBytes: number;
  /** Bytes of samples and index entries that are not in it yet. */
  waitingBytes: number;
  /** Up to so many of them samples are accepted while it takes nothing: half of {@link OpenOptions.cacheBytes}, at least 4 MiB. */
  waitingLimitBytes: number;
  /** Merges that were not begun for want of room, since the database was opened. */
  mergesPutOff: number;
  /** Whether it refuses to take what waits. */
  isDegraded: boolean;
  /** The last write it has refused since the database was opened. */
  lastStorageError: { code: ErrorCode; message: string } | null;
}

/** Memory in use, in bytes. */
export interface MemoryState {
  /** Cached blocks of data and index. */
  cacheBytes: number;
  /** Upper bound of the above. */
  cacheLimitBytes: number;
  /** Blocks found in the cache since the database was opened. */
  cacheHits: number;
  /** Blocks that had to be read. */
  cacheMisses: number;
  /** Rows in shards. */
  rawRowsBytes: number;
  /** In-memory parts. */
  inMemoryPartBytes: number;
  /** The engine's whole memory, which never shrinks while the database is open. */
  wasmBytes: number;
}
