// Snapshots that are looked at where they lie.

import type { Database } from "./database.js";
import type { OpenOptions, WasmSource } from "./options.js";
import type { Abortable } from "./samples.js";
import type { RestoreResult } from "./snapshots.js";
import "./web.js";

/**
 * Where a snapshot lies that is looked at: a tar, its URL, or the files of a folder with their paths. A server
 * that sends nothing for 30 seconds makes the call that needs its bytes fail with the code `storage`.
 */
export type SnapshotPlace = Blob | Uint8Array | ArrayBuffer | URL | string | Iterable<readonly [path: string, content: Blob | Uint8Array]>;

/** How a snapshot is opened to be looked at. */
export interface OpenSnapshotOptions extends Abortable {
  /**
   * Upper bound in bytes for caches of what was read. Default 64 MiB. Of a file at a URL as much again is kept of what lies round that, but no more
   * than 8 MiB. With 0 nothing is kept, and exactly what is needed is read.
   */
  cacheBytes?: number;
  /** The engine's code, see {@link OpenOptions.wasm}. */
  wasm?: WasmSource;
}

/** A snapshot that is looked at where it lies. Nothing can be written, and its clock stands still. */
export interface OpenedSnapshot extends Database {
  /** What it is, and what of it is broken and was left out. */
  readonly snapshot: LookedAt;
}

/** What is looked at. */
export interface LookedAt extends RestoreResult {
  /** Whether all of it was read and unpacked into memory first, because it is a compressed tar or the data of a Prometheus. */
  isUnpacked: boolean;
}
