// The database as its users have it in daily use.
/// <reference lib="esnext.disposable" preserve="true" />
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type {
  EnvelopeOptions,
  EnvelopeResult,
  InstantResult,
  LatestOptions,
  LatestSample,
  LiveOptions,
  QueryOptions,
  RangeOptions,
  RangeResult,
} from "./queries.js";
import type { LabelsCut } from "./events.js";
import type { Inspection } from "./inspection.js";
import type { Opened } from "./options.js";
import type { PushOptions, PushResult } from "./push.js";
import type { Abortable, IngestOptions, IngestResult, Labels, ReadOptions, SeriesData, SeriesHandle } from "./samples.js";
import type { Snapshots } from "./snapshots.js";
import type { Teaching } from "./teaching.js";
import type { WebRequest, WebRequestInit } from "./web.js";

/** How a database object has ended. */
export interface Closed {
  reason: "closed" | "lost" | "failed";
  /** Where its user has not closed it: why. */
  error?: Error;
}

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
export interface Database extends Inspection, Teaching<Database>, AsyncDisposable {
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

  /**
   * Resolves, and never rejects, when this object can be used no more: `"closed"` by `close()`; `"lost"` when the database went to
   * another tab, its worker died or the browser has removed what was stored; `"failed"` by a fault. The error says more. A database
   * that moves from tab to tab is not lost, nor is one whose page the browser puts away and shows again: only readers, databases with
   * a manual clock, and those that cannot be shared, for want of Web Locks, are lost then.
   *
   * @example
   * ```ts
   * void db.closed.then(({ reason, error }) => reason === "closed" || console.warn("reopen the database:", error));
   * ```
   */
  readonly closed: Promise<Closed>;

  // ---- ingest ---------------------------------------------------------------------------------------------------------

  /**
   * A handle for one series. The same labels give the same handle, whatever their order. Labels with an empty value are
   * dropped; a series that has no label left is refused with the code `invalid`. At most 30 labels count, the metric's name among them: of more
   * those that come last by name are left out, never the metric's name. Names and values are cut at 256 and 16,384 bytes. What is left out or cut
   * is counted in `inspect().ingested.labelsCut`, and the event {@link LabelsCut} tells of the first time. A series whose labels then take more
   * than 65,472 bytes together is refused with the code `invalid`. Nothing is stored before a sample comes.
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
   * after `flush()`, and durable within a second, or as `durableWithin` says, or after `sync()`. The arrays stay the caller's; with the engine in the calling
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
   * Appends one sample to each of many series at one instant (a scrape): `values[i]` to `series[i]`. A row of more than 32,768 that is
   * refused may have been accepted in part, as with `append`; the message tells.
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

  /**
   * Deletes the matching series with all their samples, and tells how many they were: no query finds them any more, and their bytes
   * go in the next merges, as on the server. A series that gets samples again is a new one. Await it before you append these: what comes
   * while it is under way may go, too. It can't be taken back.
   */
  deleteSeries(selector: string, options?: Abortable): Promise<number>;

  // ---- queries --------------------------------------------------------------------------------------------------------

  /**
   * The value of an expression in MetricsQL or PromQL at one instant (default: now).
   *
   * @example
   * ```ts
   * const result = await db.query("sum by (job) (rate(requests_total[5m]))");
   * ```
   */
  query(expression: string, options?: QueryOptions & { time?: number }): Promise<InstantResult>;
  /**
   * The values of an expression at start, start + step, … up to end, as columns.
   *
   * @example
   * ```ts
   * const { timestamps, series } = await db.queryRange("rate(requests_total[5m])", { start, end, step: "1m" });
   * ```
   */
  queryRange(expression: string, options: RangeOptions): Promise<RangeResult>;
  /**
   * The same over a range that ends now. `listener` gets the whole result first, and again whenever it has changed. Failures go to
   * `onError`; it goes on after those that may pass. Without `onError` the console tells of a mistake in the expression or the options,
   * which ends it. Returns the function that stops it; the signal stops it, too.
   *
   * @example
   * ```ts
   * const stop = db.live("avg(temperature)", { range: "1h", step: "10s" }, ({ timestamps, series }) => draw(timestamps, series));
   * ```
   */
  live(expression: string, options: LiveOptions, listener: (result: RangeResult) => void, onError?: (error: Error) => void): () => void;
  /** The newest sample of each matching series that is not older than `within` (default `"5m"`). A series that has ended has none. */
  latest(selector: string, options?: LatestOptions): Promise<LatestSample[]>;
  /** What a chart needs of raw samples: of equal pieces of a range the least, greatest, first and last value, with every spike kept. */
  envelope(selector: string, options: EnvelopeOptions): Promise<EnvelopeResult>;
  /** How many series match (all without a selector) and have samples on a day of the range. */
  count(selector?: string, options?: ReadOptions): Promise<number>;

  // ---- snapshots, HTTP ------------------------------------------------------------------------------------------------

  /** Instant, consistent copies of the database that share its files. */
  readonly snapshots: Snapshots;

  /**
   * Answers a request of the HTTP API of VictoriaMetrics and Prometheus as the server would, with its statuses and words: queries
   * (`/api/v1/query`, `/api/v1/query_range`, `/api/v1/series`, `/api/v1/labels`, `/federate`, …), imports and exports of each format
   * (`/api/v1/import/…`, `/api/v1/export/…`, `/write`, `/api/v1/write`, `/opentelemetry/v1/metrics`, …), `/api/v1/admin/tsdb/…`, `/api/v1/status/…`,
   * `/metrics`, `/snapshot/…` and `/internal/…`. The prefixes of servers and clusters, such as `/prometheus`, are taken. Host and scheme are
   * not looked at. `docs/HTTP.md` lists the paths, and what differs from a server.
   *
   * @example
   * ```ts
   * const { data } = await (await db.fetch("/api/v1/query?query=sum(up)")).json();
   * const { snapshot } = await (await db.fetch("/snapshot/create")).json();
   * ```
   */
  fetch(input: string | URL | WebRequest, init?: WebRequestInit): Promise<Response>;

  /**
   * Sends what is stored on to a VictoriaMetrics server, single (`http://host:8428`) or a cluster's (`http://host:8480/insert/0/prometheus`),
   * or to any receiver of Prometheus remote write. A URL whose path has `/api/` in it is taken as it is. In a browser the server must
   * allow the page's origin (CORS).
   *
   * It goes piece by piece, in bounded memory. What cannot be reached, and answers of 408, 429 and 5xx, are tried again with growing
   * pauses, or as `Retry-After` says; any other refusal rejects with the code `refused`, the server's words and its `status`. Every error has the
   * `checkpoint` for the next try.
   *
   * A piece whose answer was lost is sent again. VictoriaMetrics removes the duplicates when its `-dedup.minScrapeInterval` is set, `1ms` is enough;
   * Prometheus refuses such a piece as a whole, which is known then to have arrived.
   *
   * With `live` it goes on until the signal fires. While the server cannot be reached the samples stay where they are, in the database,
   * and are sent afterwards, also by the next page, which is given the checkpoint. Promised is this: samples that are appended no later than
   * `delay` after their timestamp are sent once. Older ones, out of order or of a whole import, are noticed when they are appended while a live push of
   * this database runs, and with `late` they are sent as well; a series' samples between its first and its last late one may then be sent
   * twice. Samples that are appended out of order while no live push runs, and before the checkpoint, are not sent: push without the
   * checkpoint, or from `start` on, for those.
   *
   * @example
   * ```ts
   * const { samples } = await db.push("https://metrics.example.com", { headers: { Authorization: `Bearer ${token}` } });
   * ```
   *
   * @example
   * ```ts
   * const stop = new AbortController();
   * await db.push("/victoriametrics", {
   *   live: true,
   *   checkpoint: localStorage.getItem("pushed") ?? undefined,
   *   onProgress: ({ checkpoint }) => localStorage.setItem("pushed", checkpoint),
   *   signal: stop.signal,
   * });
   * ```
   */
  push(url: string | URL, options?: PushOptions): Promise<PushResult>;

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
