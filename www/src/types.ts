// The public types. Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.
/// <reference lib="esnext.disposable" preserve="true" />

import type { ErrorCode } from "./errors.js";

// ---- opening ----------------------------------------------------------------------------------------------------------

/** How {@link open} opens a database. */
export interface OpenOptions {
  /** Name of the database within this origin. Default `"sandglass"`. */
  name?: string;
  /**
   * Where parts live, and what that promises. Default: `"indexeddb"` where it exists, else `"memory"`.
   *
   * Durable is what was accepted before a `sync()`, `snapshots.create()` or `close()` that has resolved. Without them samples become
   * durable five to eleven seconds after they were appended, so that an end without a word costs the last twelve at most; half a
   * part is never left.
   *
   * - `"memory"`: in this object alone, so that nothing outlives `close()` or the page. It is in no list, and several of one name do
   *   not know each other.
   * - `"indexeddb"`: in the browser; what is durable outlives a killed tab and a killed browser, and a power cut as far as the
   *   browser keeps the word `strict` that every commit asks for.
   * - `"opfs"`: in the browser's origin private file system, which is faster; what is durable outlives a killed tab and a killed
   *   browser, too, but a power cut may cost files of the last moments, which the next `open` tells with the code `corrupt`. It needs
   *   the engine in a worker, which `sandglass` starts, and is refused with the code `unsupported` where there is none.
   *
   * Unless the origin is persistent, the browser may remove all of it when the disk runs short, see {@link Opened.persistence}.
   */
  storage?: "memory" | "indexeddb" | "opfs";
  /** Data older than this is dropped: `"30d"`, `"12h"`, `"1y"` or milliseconds; `"100y"` keeps all. Default `"1y"`. */
  retention?: string | number;
  /**
   * Of the samples of one series in one such interval only the last is kept: `"15s"` or milliseconds.
   * Default 0: exact duplicates alone are removed as the format's rules say.
   */
  dedupInterval?: string | number;
  /** `"real"`: the scheduler follows the wall clock by itself. `"manual"`: time moves only in {@link Database.tick}. Default `"real"`. */
  clock?: "real" | "manual";
  /** First instant of a manual clock, in milliseconds since the epoch. Default: the wall clock's now. */
  startTime?: number;
  /** Upper bound in bytes for caches of cold data. Default 64 MiB. */
  cacheBytes?: number;
  /**
   * What happens when another tab or worker holds the database:
   *
   * - `"fail"` (default): `open` rejects with the code `locked`.
   * - `"wait"`: it waits until the database is free, see {@link lockTimeout}.
   * - `"readonly"`: the database is opened for reading, and {@link Opened.role} is `"reader"`; it is `"writer"` when nobody else
   *   has it. A reader sees what the writer has made durable, and looks for news before each call, at most five times a second: it is
   *   five to eleven seconds behind, or as far as the writer's last `sync()`. Queries, exports, `inspect` and the list and the download
   *   of snapshots work; whatever would change something is refused with the code `locked`. A reader stays one when the writer is
   *   gone: to write, `close()` it and `open` again.
   */
  ifLocked?: "fail" | "wait" | "readonly";
  /**
   * How long `ifLocked: "wait"` waits before it gives up with the code `locked`: milliseconds, which may be `Infinity`, or a text
   * such as `"90s"`. Default `"60s"`. Less than 750 ms count as these, which a browser may take to give out a lock that is free.
   */
  lockTimeout?: number | string;
  /** Significant bits kept of each value, 1 to 64. Default 64: what the format's decimal numbers keep, 12 to 15 digits. */
  precisionBits?: number;
  /**
   * Memory the server's sizing formulas count with, as `-memory.allowedBytes` does for 60 % of it: how many rows a shard holds, and
   * from which size on a part is a big one. Default 4 GiB.
   */
  memoryBytes?: number;
  /** For `"memory"` alone, others refuse it: how many bytes the files may take, so that a full disk can be tried. Default: any number. */
  quotaBytes?: number;
  /**
   * For `"memory"` alone: files that the database is opened with, by their paths below the data directory, such as
   * `data/small/2024_03/…/index.bin` and `indexdb/…/metaindex.bin`: a server's stopped data directory, or an unpacked snapshot.
   * Mind {@link retention}: months that are older than it are dropped. A part that can't be read rejects with the code `corrupt`
   * and its path.
   */
  files?: Iterable<readonly [path: string, content: Uint8Array]>;
  /** Keys that requests to {@link Database.fetch} must carry in the argument `authKey`, as the server's flags ask for them. */
  authKeys?: AuthKeys;
  /**
   * The engine's code, for those who load it themselves: the file `sandglass/wasm`. Default: the file `sandglass.wasm` beside this
   * module.
   */
  wasm?: WasmSource;
  /** Gives up opening, with the code `aborted`, at once; what has been opened nevertheless is closed again. */
  signal?: AbortSignal;
}

/** The keys of the server's flags of these names; one that is left out or empty asks for none. */
export interface AuthKeys {
  /** For all snapshot requests: `-snapshotAuthKey`. */
  snapshot?: string;
  /** For `/internal/force_flush`: `-forceFlushAuthKey`. */
  forceFlush?: string;
  /** For `/internal/force_merge`: `-forceMergeAuthKey`. */
  forceMerge?: string;
}

/** Where the engine's code comes from: bytes, a compiled module, or where to fetch it. */
export type WasmSource = ArrayBuffer | ArrayBufferView | WebAssembly.Module | URL | string | Response;

// ---- database ---------------------------------------------------------------------------------------------------------

/** The labels of a series by name, `__name__` (the metric's name) among them. */
export type Labels = Record<string, string>;

/** A handle for one series of one database, from {@link Database.series}. */
export interface SeriesHandle {
  /** The labels it was asked for with. */
  readonly labels: Readonly<Labels>;
}

/** Both bounds are included, in milliseconds since the epoch. A bound that is left out is none. */
export interface TimeRange {
  start?: number;
  end?: number;
}

/** For calls that can take long. */
export interface Abortable {
  /**
   * Rejects the call with the code `aborted`. A call that only reads ends then, and its work with it. A call that changes
   * something is merely not waited for any more: what it has begun goes on, and what it has changed stays.
   */
  signal?: AbortSignal;
}

/** What {@link open} really got. */
export interface Opened {
  /** Where the files are. */
  readonly storage: "memory" | "indexeddb" | "opfs";
  /** Whether this database object may write. */
  readonly role: "writer" | "reader";
  /** Where the engine runs: in a worker of its own, or in the thread that has called `open`. */
  readonly thread: "worker" | "caller";
  /**
   * What the browser promises for what is stored: nothing is (`"none"`), it may be evicted when the disk runs full
   * (`"best-effort"`), or it stays until its user removes it (`"persistent"`, after `navigator.storage.persist()`).
   */
  readonly persistence: "none" | "best-effort" | "persistent";
  /** Bytes that the browser grants to this origin, at most, as it says itself. */
  readonly quotaBytes?: number;
  /** Bytes of these that are in use, by everything of this origin. */
  readonly usageBytes?: number;
}

/** A range of time, and a way to give up. */
export type ReadOptions = TimeRange & Abortable;

/**
 * A time-series database.
 *
 * @example
 * ```ts
 * import { open } from "sandglass";
 *
 * const db = await open({ name: "greenhouse" });
 * const attic = db.series({ __name__: "temperature", room: "attic" });
 * await db.append(attic, [Date.now() - 1000, Date.now()], [19.5, 19.75]);
 * await db.sync(); // durable from here on
 * for (const { labels, timestamps, values } of await db.select('temperature{room=~"a.*"}')) {
 *   console.log(labels.room, new Date(timestamps[0]), values[0]);
 * }
 * await db.close();
 * ```
 */
export interface Database extends AsyncDisposable {
  /** Its name, which is {@link OpenOptions.name} or the default. */
  readonly name: string;
  /** Where it really lives, which tells what `open` has chosen when it was left to choose. */
  readonly storage: "memory" | "indexeddb" | "opfs";
  /**
   * What `open` has really got.
   *
   * @example
   * ```ts
   * const { storage, persistence, quotaBytes = Infinity, usageBytes = 0 } = db.opened;
   * if (persistence === "best-effort" && quotaBytes - usageBytes < 100e6) await navigator.storage.persist();
   * ```
   */
  readonly opened: Opened;

  // ---- ingest ---------------------------------------------------------------------------------------------------------

  /**
   * A handle for one series. The same labels give the same handle, whatever their order. Labels with an empty value are
   * dropped; a series that has no label left is refused with the code `invalid`. As on the server, the first 30 labels count, and
   * names and values are cut at 256 and 16,384 bytes. Nothing is stored before a sample comes.
   *
   * @example
   * ```ts
   * const up = db.series({ __name__: "up", job: "node", instance: "host-1:9100" });
   * ```
   */
  series(labels: Labels): SeriesHandle;

  /**
   * Appends samples to one series. Arrays of one length; timestamps, in milliseconds, need not be sorted, and fractions of
   * milliseconds are cut off. A timestamp that is no instant (NaN, an infinity, beyond ±8.64e15) rejects the call, with its
   * index in the message.
   *
   * Resolves when the samples are on their way to the engine and there is room for more; those who append much should wait for that.
   * With the engine in a worker no call waits for an answer of the worker's: up to 262,144 samples are on their way at once, and calls
   * travel together. Every later call sees what was appended before it. What the engine refuses (its storage is full, its database
   * lost) rejects the next append, which is not carried out then, and the next `flush()`, `sync()` or `close()`, each once; the error's
   * `samples` says how many were not taken. When the worker dies, every later call rejects, and `samples` says how many are in doubt.
   * Samples are searchable after about a second, or
   * after `flush()`, and durable after five to eleven, or after `sync()`. The arrays stay the caller's; with the engine in the calling
   * thread they must not be changed before the call resolves when they are longer than 32,768.
   *
   * Who appends faster than it can be flushed waits for that, so that no more than a part of `cacheBytes` waits in memory. No signal
   * takes a call back: what was handed in may have been accepted already. It ends when the engine has caught up or been refused by
   * the storage, and with the database.
   *
   * While the storage takes nothing (it is full, say), samples go on being accepted, wait in memory, can be searched, and are
   * tried again; from `inspect().storage.waitingLimitBytes` on the call rejects with the storage's code, mostly `quota`, and has
   * accepted nothing, or, of more than 32,768 samples, the first ones of which the message tells.
   *
   * Values: NaN is dropped, as on the server, save the staleness marker (a NaN of the bits 0x7FF0000000000002), which only a
   * `Float64Array` carries safely. Samples outside of the retention, before 1970 or more than two days ahead are dropped, as on the
   * server; `inspect().ingested` counts them. What is no number, such as `null`, rejects the call.
   *
   * @example
   * ```ts
   * await db.append(up, Float64Array.of(1732230000000, 1732230010000), Float64Array.of(1, 1));
   * ```
   */
  append(
    series: SeriesHandle | Labels,
    timestamps: Float64Array | BigInt64Array | readonly number[],
    values: Float64Array | readonly number[],
  ): Promise<void>;

  /**
   * Appends one sample to each of many series at one instant (a scrape): `values[i]` to `series[i]`.
   *
   * @example
   * ```ts
   * const rooms = ["attic", "cellar"].map((room) => db.series({ __name__: "temperature", room }));
   * await db.appendRow(rooms, Date.now(), [19.5, 11.25]);
   * ```
   */
  appendRow(series: readonly SeriesHandle[], timestamp: number, values: Float64Array | readonly number[]): Promise<void>;

  /**
   * Parses and ingests a body. A malformed line never loses its neighbours. A body that cannot be read to its end rejects the call
   * with the code `invalid` and the reader's reason; the lines before that are in.
   *
   * @example
   * ```ts
   * const scrape = await fetch("/metrics");
   * const { samples, rejected, errors } = await db.ingest(scrape.body!, { format: "prometheus", extraLabels: { job: "app" } });
   * ```
   */
  ingest(
    body: string | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | Blob,
    options: IngestOptions & Abortable,
  ): Promise<IngestResult>;

  // ---- time -----------------------------------------------------------------------------------------------------------

  /** Manual clock only: moves time on by `ms` and runs all that falls due, in order. Resolves when it has run. */
  tick(ms: number, options?: Abortable): Promise<void>;
  /** The engine's time, in milliseconds since the epoch. */
  now(): number;
  /** Raw rows -> searchable parts, as `/internal/force_flush`. */
  flush(options?: Abortable): Promise<void>;
  /**
   * All that was accepted before the call is durable in the chosen storage when it resolves. Rejects with the storage's code,
   * `quota` when it is full; what it did not take stays in memory, can be searched, and is tried again.
   */
  sync(options?: Abortable): Promise<void>;
  /**
   * As `/internal/force_merge`: every partition whose name (such as `2024_03`) starts with the prefix ends with one part.
   * Resolves when the merges have run. Rejects with the code `quota` when the result would not fit, and nothing has changed then.
   */
  forceMerge(partitionPrefix?: string, options?: Abortable): Promise<void>;

  // ---- reading --------------------------------------------------------------------------------------------------------

  /**
   * Raw samples of the series that match a selector such as `{job="node",instance=~"a|b"}`, sorted by labels; inclusive bounds.
   * Selectors take `=`, `!=`, `=~` and `!~`. The columns are the caller's own.
   *
   * @example
   * ```ts
   * const lastHour = { start: Date.now() - 3600_000 };
   * const found = await db.select('node_load1{instance!~"test-.*"}', lastHour);
   * ```
   */
  select(selector: string, options?: ReadOptions): Promise<SeriesData[]>;
  /** Label sets of the matching series (of all without a selector), sorted. A range is taken to whole days, as on the server. */
  labels(selector?: string, options?: ReadOptions): Promise<Labels[]>;
  /** Names of the matching series' labels, sorted. */
  labelNames(selector?: string, options?: ReadOptions): Promise<string[]>;
  /** Values of one label over the matching series, sorted; `"__name__"` for the metrics' names. */
  labelValues(name: string, selector?: string, options?: ReadOptions): Promise<string[]>;
  /**
   * Every matching series as JSON lines, as the server's `/api/v1/export`. Nothing is read before somebody reads the stream,
   * and cancelling it frees what it holds.
   *
   * @example
   * ```ts
   * const text = await new Response(db.export('{job="node"}')).text();
   * ```
   */
  export(selector?: string, options?: ReadOptions): ReadableStream<Uint8Array>;

  // ---- snapshots, seeing inside, HTTP -----------------------------------------------------------------------------------

  /** Instant, consistent copies of the database that share its files. */
  readonly snapshots: Snapshots;

  /** The whole state: partitions, raw-row shards, parts, merges, index, scheduler, storage and memory in use. */
  inspect(options?: Abortable): Promise<EngineState>;

  /**
   * Every step of the engine as it happens. Costs nothing measurable while nobody listens. Returns the function that stops it.
   *
   * @example
   * ```ts
   * const stop = db.observe((event) => {
   *   if (event.type === "mergeFinished") console.log(event.partition, event.rowsMerged);
   * });
   * ```
   */
  observe(listener: (event: EngineEvent) => void): () => void;

  /**
   * The blocks of one part by their headers, in the part's order: by TSID, and by time within a series. A part that was merged
   * or dropped meanwhile rejects with the code `not_found`.
   *
   * @example
   * ```ts
   * const { blocks, headers } = await db.inspectPart(state.partitions[0].parts[0].id, { count: 100 });
   * ```
   */
  inspectPart(part: PartId, blocks?: BlockRange & Abortable): Promise<PartDetails>;

  /**
   * One block of one part, decoded, with how each stage of the encoding was chosen and what it saved. `block` is its position in
   * the part's order, counted from 0. A part that was merged or dropped meanwhile rejects with the code `not_found`.
   *
   * @example
   * ```ts
   * const { header, mantissas, values } = await db.inspectBlock(part, 0);
   * console.log(header.labels, mantissas.marshalType, mantissas.sizes.stored / header.rows, "bytes a value");
   * ```
   */
  inspectBlock(part: PartId, block: number, options?: Abortable): Promise<BlockDetails>;

  /**
   * One block of the index: items in their order. `table` and `part` are positions in {@link EngineState.index}, `block` is one in
   * the part, all counted from 0. What is not there (any more) rejects with the code `not_found`.
   *
   * @example
   * ```ts
   * const { items } = await db.inspectIndexBlock(0, 0, 0);
   * console.log(items.filter((item) => item.startsWith("01")).length, "rows lead from labels to series"); // index-format §5
   * ```
   */
  inspectIndexBlock(table: number, part: number, block: number, options?: Abortable): Promise<IndexBlockDetails>;

  /**
   * For tests and teaching: holds all that this engine is at this instant, to come back to. Nothing may be under way, neither now nor
   * when it comes back. Calls on this object alone can be taken back: not `crash()` and `close()`, nor what listeners were told.
   * Where {@link crash} works; elsewhere it rejects with the code `unsupported`. It compares and copies the engine's whole memory in one go,
   * which is all that it waits for.
   *
   * @example
   * ```ts
   * const before = await db.checkpoint();
   * await db.tick(60_000);
   * before.rewind(); // as if that minute had not been
   * ```
   */
  checkpoint(): Promise<Checkpoint>;

  /**
   * For tests and teaching: ends the engine as `kill -9` ends a server, and opens what it leaves in its storage. Rows in shards and
   * in-memory parts are lost, as on the server. This object and its handles are of no use from then on; the answer takes its place.
   * Only for databases in memory whose engine runs in the calling thread (`sandglass/inline`); others reject with the code
   * `unsupported`.
   *
   * @example
   * ```ts
   * db = await db.crash(); // what sync() had confirmed is still there
   * ```
   */
  crash(): Promise<Database>;

  /**
   * Answers as the server would: `/snapshot/create`, `/snapshot/list`, `/snapshot/delete`, `/snapshot/delete_all`,
   * `/internal/force_flush`, `/internal/force_merge`, with the server's statuses and words. Host and scheme are not looked at.
   *
   * @example
   * ```ts
   * const { snapshot } = await (await db.fetch("/snapshot/create")).json();
   * ```
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;

  /**
   * Flushes, makes durable, releases the lock and all memory. Later calls reject with the code `closed`; closing again resolves.
   * Also called by `await using`.
   *
   * When the storage does not take what waits, it rejects with the storage's code and tells how many samples were not stored; the
   * database is closed all the same, and they are lost. Who would rather keep it open calls `sync()` first.
   *
   * It waits for the calls that are under way, merges among them, and for what has to be written; abort those that are not worth it.
   * There is no signal for the end itself. A worker that falls silent meanwhile is ended after half a minute.
   */
  close(): Promise<void>;
}

/** Instant, consistent copies of the database that share its files. */
export interface Snapshots {
  /** Instant, consistent, and shares the immutable part files. Returns the name, e.g. `"20261122061500-17A3…"`. */
  create(options?: Abortable): Promise<string>;
  /** Names of the snapshots, sorted. */
  list(options?: Abortable): Promise<string[]>;
  /** Deletes one snapshot. A name that does not exist is no error. */
  delete(name: string, options?: Abortable): Promise<void>;
  /** Deletes all snapshots. */
  deleteAll(options?: Abortable): Promise<void>;
  /**
   * A tar stream holding the directory a real VictoriaMetrics server can be started on (`-storageDataPath`): `data/`,
   * `indexdb/` and `metadata/`. Nothing is read before somebody reads the stream.
   *
   * @example
   * ```ts
   * const name = await db.snapshots.create();
   * const blob = await new Response(db.snapshots.download(name)).blob(); // then: tar -xf … -C data && victoria-metrics -storageDataPath=data
   * ```
   */
  download(name: string, options?: DownloadOptions & Abortable): ReadableStream<Uint8Array>;
  /** Fills an empty database from such a tar, or from the tar of a real server's snapshot or data directory. Not built yet: rejects with the code `unsupported`. */
  restore(tar: Blob | Uint8Array | ReadableStream<Uint8Array>, onProgress?: (progress: Progress) => void): Promise<RestoreResult>;
}

/** How a snapshot is written. */
export interface DownloadOptions {
  /**
   * Which server's layout. Default `"v1.72"`, which every later server opens as well; the others are not built yet and are
   * refused with the code `unsupported`.
   */
  layout?: "v1.72" | "v1.93" | "v1.150";
}

/** Samples of one series, sorted by time; the columns have one length. */
export interface SeriesData {
  labels: Labels;
  /** Milliseconds since the epoch. */
  timestamps: Float64Array;
  /** One for each timestamp. A staleness marker is a NaN with the bits 0x7FF0000000000002. */
  values: Float64Array;
}

/** How a body is written. `"influx"`, `"csv"`, `"native"` and `"remote_write"` are not built yet and are refused with the code `unsupported`. */
export interface IngestOptions {
  /**
   * `"prometheus"` (text exposition), `"influx"` (line protocol), `"jsonl"` (one JSON object a line:
   * `{"metric":{…},"values":[…],"timestamps":[…]}`), `"csv"`, `"native"`, `"remote_write"`.
   */
  format: "prometheus" | "influx" | "jsonl" | "csv" | "native" | "remote_write";
  /** For samples without one. Default: now. */
  timestamp?: number;
  /** For `"csv"`: as the server's import/csv `format` argument. */
  csvFormat?: string;
  /** Added to every series; they replace labels of the same name. */
  extraLabels?: Labels;
}

/** A malformed line or record never loses its neighbours: it is counted and the first few are reported. */
export interface IngestResult {
  /** Distinct series that got samples. */
  series: number;
  /** Samples accepted. */
  samples: number;
  /** Lines and samples that were not: malformed, NaN, outside of the retention. */
  rejected: number;
  /** Of the malformed lines the first ten, counted from 1. What was dropped for its value or its time is in `rejected` alone. */
  errors: { line?: number; message: string }[];
}

/** How far a long call has come. */
export interface Progress {
  done: number;
  total: number;
  unit: "bytes";
}

/** What was restored. */
export interface RestoreResult {
  format: string;
  parts: number;
  series: number;
  samples: number;
}

/** Names a part for the lifetime of the database object, whatever its class. */
export type PartId = number;

/** Blocks of a part by their position, counted from 0. */
export interface BlockRange {
  /** The first one. Default 0. */
  from?: number;
  /** How many at the most, up to 10,000. Default 1,000. */
  count?: number;
}

/** A part's blocks, or some of them. */
export interface PartDetails {
  /** `YYYY_MM`. */
  partition: string;
  /** Blocks of the part in all. */
  blocks: number;
  /** Index blocks of the part, each a row of its metaindex. */
  indexBlocks: number;
  /** Lengths of `timestamps.bin`, `values.bin`, `index.bin` and `metaindex.bin`. */
  fileBytes: [timestamps: number, values: number, index: number, metaindex: number];
  /** The headers of the blocks that were asked for. */
  headers: BlockHeader[];
}

/** An engine as it was at one instant, see {@link Database.checkpoint}. */
export interface Checkpoint {
  /** Memory that this one takes beside the one before it. */
  readonly bytes: number;
  /** Lets the engine be as it was. Handles of series that were new since are of no use any more. */
  rewind(): void;
}

/** A block of the index: up to 64 KiB of items. */
export interface IndexBlockDetails {
  /** The directory of the part it is in; where it would be, while the part is in memory alone. */
  dir: string;
  /** Whether the items are compressed by ZSTD, with what they share left out. */
  isZstd: boolean;
  /** How many bytes all its items begin with. */
  commonPrefixBytes: number;
  /** Where its items begin in `items.bin`, and how many bytes they take there. */
  itemsAt: [offset: number, bytes: number];
  /** Where the items' lengths begin in `lens.bin`, and how many bytes they take there. */
  lensAt: [offset: number, bytes: number];
  /** The items in order, as hex digits; the first byte tells what each is. */
  items: string[];
}

/** The header of a block: 81 bytes in an index block. */
export interface BlockHeader {
  /** The 24 bytes of the TSID as hex digits: metric group, job, instance and metric id. Their order is the order of series in a part. */
  tsid: string;
  /** The series' labels; `null` when the index has no name for it. */
  labels: Labels | null;
  /** Samples in the block, up to 8192. */
  rows: number;
  minTimestamp: number;
  maxTimestamp: number;
  /** The first mantissa, as decimal text. */
  firstValue: string;
  /** The decimal exponent that all mantissas share: a value is its mantissa times ten to the power of this. */
  scale: number;
  /** Significant bits that were kept; 64 is lossless. */
  precisionBits: number;
  /** The marshal types as they stand in the header, 0 to 6; see {@link MarshalType}. */
  timestampsType: number;
  valuesType: number;
  /** Where the timestamps begin in `timestamps.bin`. Adjacent blocks of equal timestamps share one place. */
  timestampsOffset: number;
  timestampsBytes: number;
  /** Where the mantissas begin in `values.bin`. */
  valuesOffset: number;
  valuesBytes: number;
}

/** A block, decoded, at all stages of its encoding. */
export interface BlockDetails {
  part: PartId;
  /** Its position in the part's order, counted from 0. */
  block: number;
  header: BlockHeader;
  /** The header as it stands in its index block, behind zstd: 81 bytes, big-endian, signed fields zig-zagged. */
  headerBytes: Uint8Array;
  /** What these bytes are, in their order. */
  headerFields: HeaderField[];
  /** The samples' values. */
  values: Float64Array;
  /** The samples' timestamps: integers of milliseconds. */
  timestamps: ColumnDetails;
  /** The values as integers, one for each. */
  mantissas: ColumnDetails;
}

/** A field of a block header. */
export interface HeaderField {
  name:
    | "metricGroupId"
    | "jobId"
    | "instanceId"
    | "metricId"
    | "minTimestamp"
    | "maxTimestamp"
    | "firstValue"
    | "timestampsBlockOffset"
    | "valuesBlockOffset"
    | "timestampsBlockSize"
    | "valuesBlockSize"
    | "rowsCount"
    | "scale"
    | "timestampsMarshalType"
    | "valuesMarshalType"
    | "precisionBits";
  /** Its first byte. */
  offset: number;
  /** Its bytes. */
  length: number;
}

/** A column of integers at all stages of its encoding. */
export interface ColumnDetails {
  /** The file of the part that holds it. */
  file: "timestamps.bin" | "values.bin";
  /** Where it begins there. Of no meaning when nothing is stored. */
  offset: number;
  marshalType: MarshalType;
  /** How the integers go, which decides between differences and differences of differences. */
  course: Course;
  /** Whether the varints are compressed: not below 128 bytes, and only when that saves a tenth. */
  zstd: "kept" | "tooShort" | "notWorth";
  integers: BigInt64Array;
  /** The differences as zig-zag varints, before zstd; empty when all integers are equal. */
  varints: Uint8Array;
  /** What is stored in the file. */
  bytes: Uint8Array;
  /** Bytes after each stage. */
  sizes: {
    /** Eight a sample. */
    integers: number;
    varints: number;
    stored: number;
  };
}

/**
 * How a column is encoded. In the header: 1 `zstdNearestDelta2`, 2 `deltaConst`, 3 `const`, 4 `zstdNearestDelta`,
 * 5 `nearestDelta2`, 6 `nearestDelta`; 0 is not written.
 */
export type MarshalType = "const" | "deltaConst" | "nearestDelta" | "nearestDelta2" | "zstdNearestDelta" | "zstdNearestDelta2" | "undefined";

/**
 * How a column goes, which decides how it is encoded. All equal; a constant difference; a gauge, since item `at` is negative, since it fell to
 * more than an eighth of the one before, or since too many falls look like resets; else a counter.
 */
export type Course =
  | { kind: "const" }
  | { kind: "deltaConst" }
  | { kind: "negative"; at: number }
  | { kind: "falls"; at: number }
  | { kind: "resets"; resets: number }
  | { kind: "counter"; resets: number };

// ---- state ------------------------------------------------------------------------------------------------------------
// The engine's own records; src/engine/state.rs and the `state` modules are their source, and a test holds them equal.

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
  /** What the last reading of samples has cost: by `select`, an export or the page of a chart; `null` before the first one. */
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
  auth: { snapshot: string; forceFlush: string; forceMerge: string };
  /** Another tab writes the database: nothing is changed here, and what it commits is followed. */
  readOnly: boolean;
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
  /** Bytes of these texts. */
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

// ---- events -----------------------------------------------------------------------------------------------------------
// src/trace/event.rs is their source, and a test holds them equal.

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

/** What the storage had refused to write is written. */
export interface Restored {
  type: "restored";
  /** The `code` of what is over. */
  code: ErrorCode;
}
