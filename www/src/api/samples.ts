// What goes into a database and comes out of it.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import "./web.js";

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

/** For calls that read. */
export interface Fresh {
  /**
   * Finds what was accepted before the call, too, which is searchable a second later otherwise: as a `flush()` before it. A reader
   * still sees what its writer has made durable. Default `false`.
   */
  fresh?: boolean;
}

/** A range of time, whether the newest is wanted, and a way to give up. */
export type ReadOptions = TimeRange & Fresh & Abortable;

/** Samples of one series, sorted by time; the columns have one length. */
export interface SeriesData {
  labels: Labels;
  /** Milliseconds since the epoch. */
  timestamps: Float64Array;
  /** One for each timestamp. A staleness marker is a NaN with the bits 0x7FF0000000000002. */
  values: Float64Array;
}

/** How a body is written. A body may be compressed by gzip or zstd, one of remote write by snappy: its first bytes tell. */
export interface IngestOptions {
  /**
   * `"prometheus"` (text exposition), `"jsonl"` (one JSON object a line: `{"metric":{…},"values":[…],"timestamps":[…]}`), `"influx"` (line
   * protocol), `"csv"`, `"native"` (a server's native export), `"remote_write"` (Prometheus remote write), `"otlp"` (OpenTelemetry metrics,
   * protobuf or JSON), `"graphite"` (plaintext).
   */
  format: "prometheus" | "influx" | "jsonl" | "csv" | "native" | "remote_write" | "otlp" | "graphite";
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
  /**
   * Of the malformed lines the first ten, counted from 1. One without a line says why samples were dropped for their value or their
   * time.
   */
  errors: { line?: number; message: string }[];
}
