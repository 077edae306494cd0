// Snapshots: copies of a database that share its files.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { Abortable } from "./samples.js";

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
