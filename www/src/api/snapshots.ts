// Snapshots: copies of a database that share its files.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { Abortable } from "./samples.js";
import "./web.js";

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
  /**
   * Fills an empty database from such a tar, or from that of a real server's snapshot or data directory, of any version from 1.72 up
   * to 1.150: plain, or compressed by gzip or zstd; or from the files of such a folder. The blocks of a
   * Prometheus, and its write-ahead log, are written anew: their float samples are, native histograms are counted in the result. What comes is written as it comes, and becomes
   * the database all at once when it is whole, so that nothing is left of a restore that fails or is given up. Until then nothing else
   * may be written. Afterwards it is a database like any other.
   *
   * A part that is broken is left out and named in the result. Samples that are older than the database's retention go at once, which
   * the result tells as well: a database for an old snapshot is opened with `retention: "100y"`.
   *
   * @example
   * ```ts
   * const { series, samples, leftOut } = await db.snapshots.restore(file, ({ done, total }) => (bar.value = done / total));
   * ```
   */
  restore(snapshot: SnapshotSource, options?: ((progress: Progress) => void) | (RestoreOptions & Abortable)): Promise<RestoreResult>;
}

/** A layout of a server's data directory, by a version that writes it. */
export type Layout = "v1.72" | "v1.93" | "v1.150";

/** How a snapshot is written. */
export interface DownloadOptions {
  /**
   * Which servers' layout. Default `"v1.72"`, which all servers up to 1.150 open. `"v1.93"` has the names and lists of parts that
   * servers write from 1.90 on, and `"v1.150"` those from 1.133 on: as after an upgrade, the index of all months stands beside one of each
   * month, which is empty until the server writes there.
   */
  layout?: Layout;
}

/** How far a long call has come. */
export interface Progress {
  done: number;
  total: number;
  unit: "bytes";
}

/** A tar of a snapshot or a data directory, or its files with their paths. */
export type SnapshotSource =
  | Blob
  | Uint8Array
  | ArrayBuffer
  | ReadableStream<Uint8Array>
  | Iterable<readonly [path: string, content: Blob | Uint8Array]>;

/** How a snapshot is restored. */
export interface RestoreOptions {
  /** Told after each piece how much of what was handed in has been read; `total` grows with it where nobody knows how much there is. */
  onProgress?: (progress: Progress) => void;
}

/** What was restored. */
export interface RestoreResult {
  /** Which servers write so, such as `"VictoriaMetrics up to 1.89"`. */
  format: string;
  /** Parts with samples. */
  parts: number;
  /** Series that can be found. */
  series: number;
  /** Samples in the parts, those of deleted series included until they are merged. */
  samples: number;
  /** What was not taken over, or does not do what one would expect. */
  leftOut: LeftOut[];
}

/** A part or a directory that was not taken over as it is. */
export interface LeftOut {
  /** Where it is in the snapshot. */
  path: string;
  /** Why. */
  message: string;
}
