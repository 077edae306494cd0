// How a database is opened, and what that has got.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { RetentionShortened } from "./events.js";
import type { Dialect } from "./queries.js";
import "./web.js";

/** How {@link open} opens a database. */
export interface OpenOptions {
  /** Name of the database within this origin. Default `"sandglass"`. */
  name?: string;
  /**
   * Where parts live, and what that promises. Default: where a database of this name is already; else `"opfs"` where the engine runs in a
   * worker that has it, else `"indexeddb"`, else `"memory"`. `storage` of the opened database tells which.
   *
   * Durable is what was accepted before a `sync()`, `snapshots.create()` or `close()` that has resolved, and without them what was
   * accepted longer ago than {@link durableWithin} says: a second. An end without a word costs what came since, and nothing is
   * ever left half. What was appended before the page's `pagehide` is written as the page goes, but not in WebKit, which undoes that.
   *
   * - `"memory"`: in this object alone, so that nothing outlives `close()` or the page. It is in no list, and several of one name do
   *   not know each other.
   * - `"indexeddb"`: in the browser; what is durable outlives a killed tab, and a power cut as far as the browser keeps the word
   *   `strict` that every commit asks for. A whole Chromium that is killed while it writes may lose all of the origin's IndexedDB.
   * - `"opfs"`: in the browser's origin private file system, which is faster; what is durable outlives a killed tab and a killed
   *   browser, too, but a power cut may cost files of the last moments, which the next `open` tells with the code `corrupt`. It needs
   *   the engine in a worker, which `sandglass` starts, and is refused with the code `unsupported` where there is none.
   *
   * Unless the origin is persistent, the browser may remove all of it when the disk runs short, see {@link Opened.persistence}.
   */
  storage?: "memory" | "indexeddb" | "opfs";
  /**
   * So long after it was accepted a sample is durable by itself: `"1s"` or milliseconds, up to `"5s"`. Default `"1s"`.
   *
   * Samples are written to a log as they come, and as parts every half a minute, or when they are many. From `"5s"` on there is no
   * log: parts are written in a server's rhythm, five to eleven seconds after their samples came, and larger values change nothing. Databases in memory and those
   * with a manual clock go by that, unless told otherwise.
   */
  durableWithin?: string | number;
  /**
   * Data older than this is dropped: `"30d"`, `"12h"`, `"1y"` or milliseconds; `"100y"` keeps all. The database remembers it. Left
   * out, a new one gets `"1y"`, an existing one keeps what it has, and one that a server has written, which says nothing of it, keeps
   * all. Given, it takes the place of what was remembered; when it is shorter, the event {@link RetentionShortened} tells so before
   * anything is removed: older samples go with the next merges, whole months a minute after `open` at the earliest.
   */
  retention?: string | number;
  /**
   * Of the samples of one series in one such interval only the last is kept, and of several of one instant the
   * largest: `"15s"` or milliseconds; 1 removes no more than several samples of one instant. 0 removes nothing, duplicates
   * included, as a server without `-dedup.minScrapeInterval`. Remembered as {@link retention} is; a new database gets 0.
   */
  dedupInterval?: string | number;
  /** Which language `query`, `queryRange`, `live` and `fetch` speak unless a call says otherwise. Default `"metricsql"`. */
  dialect?: Dialect;
  /** `"real"`: the scheduler follows the wall clock by itself. `"manual"`: time moves only in {@link Database.tick}. Default `"real"`. */
  clock?: "real" | "manual";
  /** First instant of a manual clock, in milliseconds since the epoch. Default: the wall clock's now. */
  startTime?: number;
  /** Upper bound in bytes for caches of cold data. Default 64 MiB. */
  cacheBytes?: number;
  /**
   * What happens when somebody else has the database: another tab or worker, or another part of this page.
   *
   * - `"share"` (default): this object works through the one that has it, reads and writes, and takes the database over when that one
   *   goes. Options that concern the engine (`retention`, `cacheBytes` and so on) are those of the one that has it. With a manual clock
   *   it is `"fail"`.
   * - `"fail"`: `open` rejects with the code `locked`.
   * - `"wait"`: it waits until the database is free, see {@link lockTimeout}.
   * - `"readonly"`: the database is opened for reading, and {@link Opened.role} is `"reader"`; it is `"writer"` when nobody else
   *   has it. A reader sees what the writer has made durable, and looks for news before each call, at most five times a second: it is
   *   as far behind as the writer's {@link durableWithin} says. Queries, exports, `inspect` and the list and the download
   *   of snapshots work; whatever would change something is refused with the code `locked`. A reader stays one when the writer is
   *   gone: to write, `close()` it and `open` again.
   */
  ifLocked?: "share" | "fail" | "wait" | "readonly";
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
   * Unless {@link retention} is given, nothing of them is too old. Files that lie elsewhere are refused with the code `invalid`, and
   * a part that can't be read with the code `corrupt` and its path.
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
