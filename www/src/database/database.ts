// The public face: looks at arguments, knows handles and listeners, and hands everything else to a port.

import { type Bounds, bounds, checkOptions, flatten, invalid, optionalText, text } from "../base/arguments.js";
import { exportStream, snapshotStream } from "../stream/download.js";
import { SandglassError } from "../api/errors.js";
import type { Body } from "../stream/body.js";
import { onDemand } from "../base/on_demand.js";
import type { Port } from "../port/port.js";
import { copied, copiedInPieces, numberColumn, timestampColumn } from "../base/realms.js";
import { askedFresh, wantsFresh } from "./fresh.js";
import { readLabelSets } from "../port/series.js";
import type { BlockDetails, BlockRange, IndexBlockDetails, PartDetails } from "../api/blocks.js";
import type { Closed, Database } from "../api/database.js";
import type { EngineEvent } from "../api/events.js";
import type { Opened } from "../api/options.js";
import type { PushOptions, PushResult } from "../api/push.js";
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
} from "../api/queries.js";
import type { Abortable, IngestOptions, IngestResult, Labels, ReadOptions, SeriesData, SeriesHandle } from "../api/samples.js";
import type { DownloadOptions, Snapshots } from "../api/snapshots.js";
import type { EngineState, PartId } from "../api/state.js";
import type { Checkpoint } from "../api/teaching.js";

// All there are, so that another one is a slip. Calls that take a signal alone are not looked at: they are handed to others as
// callbacks, such as a click's, which bring arguments of their own.
const READ_OPTIONS: Record<keyof ReadOptions, true> = { start: true, end: true, fresh: true, signal: true };
const DOWNLOAD_OPTIONS: Record<keyof (DownloadOptions & Abortable), true> = { layout: true, signal: true };

class Handle implements SeriesHandle {
  constructor(
    readonly labels: Readonly<Labels>,
    /** The mark of the database it belongs to, and its number there. */
    readonly owner: symbol,
    readonly id: number,
  ) {
    // Only the labels are of interest to those who print it.
    Object.defineProperty(this, "owner", { enumerable: false });
    Object.defineProperty(this, "id", { enumerable: false });
  }

  // Frameworks wrap what looks like plain data into proxies.
  get [Symbol.toStringTag](): string {
    return "SandglassSeries";
  }
}

export class OpenDatabase implements Database {
  readonly name: string;
  readonly opened: Opened;
  readonly snapshots: Snapshots;
  readonly #port: Port;
  /** Called once when the database is no longer in use. */
  readonly #release: () => void;
  readonly #handles: Handle[] = [];
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #closing: Promise<void> | undefined;
  /** Handles carry it. A proxy round a handle, or round this object, leaves it as it is. */
  readonly #mark = Symbol("database");
  readonly closed: Promise<Closed>;

  constructor(name: string, opened: Opened, port: Port, release: () => void) {
    this.name = name;
    this.opened = Object.freeze(opened);
    this.#port = port;
    this.#release = release;
    this.snapshots = snapshotsOf(port);
    this.closed = port.ended.then((error) => this.#howEnded(error));
    bindMethods(this, OpenDatabase.prototype);
  }

  // Frameworks wrap what looks like plain data into proxies.
  get [Symbol.toStringTag](): string {
    return "SandglassDatabase";
  }

  get storage(): Opened["storage"] {
    return this.opened.storage;
  }

  // ---- ingest -----------------------------------------------------------------------------------------------------------

  series(labels: Labels): SeriesHandle {
    return this.#handle(labels);
  }

  #handle(labels: Labels): Handle {
    const id = this.#port.series(flatten(labels, "labels"));
    return (this.#handles[id] ??= new Handle(Object.freeze({ ...labels }), this.#mark, id));
  }

  append(
    series: SeriesHandle | Labels,
    timestamps: Float64Array | BigInt64Array | readonly number[],
    values: Float64Array | readonly number[],
  ): Promise<void> {
    try {
      const handle = series instanceof Handle ? this.#own(series) : this.#handle(series as Labels);
      const times = timestampColumn(timestamps);
      if (times === undefined) throw invalid("timestamps must be a Float64Array, a BigInt64Array or an array of numbers");
      const column = numberColumn(values);
      if (column === undefined) throw invalid("values must be a Float64Array or an array of numbers");
      if (times.length !== column.length)
        throw invalid(`${times.length} timestamps came with ${column.length} values; one value for each timestamp is expected`);
      return this.#port.append(handle.id, times, column);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  appendRow(series: readonly SeriesHandle[], timestamp: number, values: Float64Array | readonly number[]): Promise<void> {
    try {
      if (!Array.isArray(series)) throw invalid("series must be an array of handles");
      if (typeof timestamp !== "number")
        throw invalid(`the timestamp is of type ${typeof timestamp}; milliseconds since the epoch are expected`);
      const column = numberColumn(values);
      if (column === undefined) throw invalid("values must be a Float64Array or an array of numbers");
      if (series.length !== column.length)
        throw invalid(`${series.length} series came with ${column.length} values; one value for each series is expected`);
      const handles = series as Handle[];
      return this.#port.appendRow(
        (target, from, count) => {
          for (let i = 0; i < count; i++) {
            const handle = handles[from + i]!;
            if (handle?.owner !== this.#mark) this.#own(handle);
            target[i] = handle.id;
          }
        },
        timestamp,
        column,
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #own(handle: SeriesHandle): Handle {
    if (!(handle instanceof Handle)) throw invalid("a handle from this database's series() is expected");
    if (handle.owner !== this.#mark) throw invalid("the handle belongs to another database; ask this one for its own with series()");
    return handle;
  }

  async ingest(body: Body, options: IngestOptions & Abortable): Promise<IngestResult> {
    const own = copiedInPieces(body);
    // Those who append columns read no texts.
    const { ingest } = await onDemand(import("../stream/ingest.js"));
    return ingest(this.#port, own, options);
  }

  // ---- time -------------------------------------------------------------------------------------------------------------

  async tick(ms: number, options?: Abortable): Promise<void> {
    if (typeof ms !== "number" || !(Math.abs(ms) <= 8.64e15)) throw invalid(`tick needs a number of milliseconds, not ${String(ms)}`);
    return this.#port.ask({ kind: "tick", ms }, options?.signal);
  }

  now(): number {
    return this.#port.now();
  }

  async flush(options?: Abortable): Promise<void> {
    return this.#port.ask({ kind: "flush" }, options?.signal);
  }

  async sync(options?: Abortable): Promise<void> {
    return this.#port.ask({ kind: "sync" }, options?.signal);
  }

  async forceMerge(partitionPrefix = "", options?: Abortable): Promise<void> {
    return this.#port.ask({ kind: "forceMerge", partitionPrefix: text(partitionPrefix, "partitionPrefix") }, options?.signal);
  }

  // ---- reading ------------------------------------------------------------------------------------------------------------

  async select(selector: string, options?: ReadOptions): Promise<SeriesData[]> {
    return askedFresh(this.#port, { kind: "select", selector: text(selector, "selector"), ...rangeOf(options, "select()") }, options);
  }

  async labels(selector?: string, options?: ReadOptions): Promise<Labels[]> {
    const request = { kind: "labels", selector: optionalText(selector, "selector"), ...rangeOf(options, "labels()") } as const;
    return readLabelSets(await askedFresh(this.#port, request, options));
  }

  async labelNames(selector?: string, options?: ReadOptions): Promise<string[]> {
    return askedFresh(
      this.#port,
      { kind: "labelNames", selector: optionalText(selector, "selector"), ...rangeOf(options, "labelNames()") },
      options,
    );
  }

  async labelValues(name: string, selector?: string, options?: ReadOptions): Promise<string[]> {
    return askedFresh(
      this.#port,
      {
        kind: "labelValues",
        name: text(name, "name"),
        selector: optionalText(selector, "selector"),
        ...rangeOf(options, "labelValues()"),
      },
      options,
    );
  }

  export(selector?: string, options?: ReadOptions): ReadableStream<Uint8Array> {
    const range = rangeOf(options, "export()");
    const prepare = wantsFresh(this.#port, options) ? (signal: AbortSignal) => this.flush({ signal }) : undefined;
    return exportStream(this.#port, optionalText(selector, "selector"), range, options?.signal, prepare);
  }

  async deleteSeries(selector: string, options?: Abortable): Promise<number> {
    return this.#port.ask({ kind: "deleteSeries", selector: text(selector, "selector") }, options?.signal);
  }

  // ---- queries ------------------------------------------------------------------------------------------------------------

  async query(expression: string, options?: QueryOptions & { time?: number }): Promise<InstantResult> {
    return (await queries()).query(this.#port, expression, options);
  }

  async queryRange(expression: string, options: RangeOptions): Promise<RangeResult> {
    return (await queries()).queryRange(this.#port, expression, options);
  }

  live(expression: string, options: LiveOptions, listener: (result: RangeResult) => void, onError?: (error: Error) => void): () => void {
    if (typeof listener !== "function") throw invalid("live needs a function");
    if (onError !== undefined && typeof onError !== "function") throw invalid("live's onError must be a function");
    let stop = () => {
      isStopped = true;
    };
    let isStopped = false;
    const begin = async () => {
      const { live } = await onDemand(import("./live.js"));
      if (!isStopped) stop = live(this.#port, expression, options, listener, onError);
    };
    begin().catch((error: Error) => onError?.(error));
    return () => stop();
  }

  async latest(selector: string, options?: LatestOptions): Promise<LatestSample[]> {
    return (await queries()).latest(this.#port, selector, options);
  }

  async envelope(selector: string, options: EnvelopeOptions): Promise<EnvelopeResult> {
    return (await queries()).envelope(this.#port, selector, options);
  }

  async count(selector?: string, options?: ReadOptions): Promise<number> {
    return askedFresh(this.#port, { kind: "count", selector: optionalText(selector, "selector"), ...rangeOf(options, "count()") }, options);
  }

  // ---- seeing inside --------------------------------------------------------------------------------------------------------

  async inspect(options?: Abortable): Promise<EngineState> {
    return this.#port.inspect(options?.signal);
  }

  observe(listener: (event: EngineEvent) => void): () => void {
    if (typeof listener !== "function") throw invalid("observe needs a function");
    // The same function may listen twice.
    const own = (event: EngineEvent) => listener(event);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#port.observe((events) => this.#handOut(events));
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0 && this.#closing === undefined) this.#port.observe(undefined);
    };
  }

  #handOut(events: EngineEvent[]): void {
    for (const event of events) {
      for (const listener of this.#listeners) {
        try {
          listener(event);
        } catch (error) {
          // A listener's fault is the page's, not the engine's: it is reported as every uncaught error is.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }

  async inspectPart(part: PartId, blocks?: BlockRange & Abortable): Promise<PartDetails> {
    return (await lookInside()).inspectPart(this.#port, part, blocks ?? {});
  }

  async inspectBlock(part: PartId, block: number, options?: Abortable): Promise<BlockDetails> {
    return (await lookInside()).inspectBlock(this.#port, part, block, options?.signal);
  }

  async inspectIndexBlock(table: number, part: number, block: number, options?: Abortable): Promise<IndexBlockDetails> {
    return (await lookInside()).inspectIndexBlock(this.#port, table, part, block, options?.signal);
  }

  async checkpoint(): Promise<Checkpoint> {
    const port = this.#ofMemory();
    const { checkpoint } = await onDemand(import("./checkpoint.js"));
    return checkpoint(port, this.#handles);
  }

  /** The port of a database whose end can be played, and whose past. */
  #ofMemory(): Port & Required<Pick<Port, "crash">> {
    if (this.storage === "memory" && this.#port.crash) return this.#port as Port & Required<Pick<Port, "crash">>;
    throw new SandglassError(
      "unsupported",
      'only a database in memory with its engine in the calling thread can do this; import "sandglass/inline" for one',
    );
  }

  async crash(): Promise<Database> {
    const port = await this.#ofMemory().crash();
    this.#listeners.clear();
    this.#handles.length = 0;
    this.#closing = Promise.resolve();
    return new OpenDatabase(this.name, this.opened, port, this.#release);
  }

  // ---- HTTP -------------------------------------------------------------------------------------------------------------------

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const { fetchFrom } = await onDemand(import("./http.js"));
    return fetchFrom(this.#port, input, init);
  }

  async push(url: string | URL, options?: PushOptions): Promise<PushResult> {
    const { push } = await onDemand(import("../push/push.js"));
    return push(this.#port, url, options);
  }

  #howEnded(error: SandglassError): Closed {
    if (this.#closing !== undefined) return { reason: "closed" };
    this.#release();
    return { reason: error.code === "internal" || error.code === "corrupt" ? "failed" : "lost", error };
  }

  // ---- the end ------------------------------------------------------------------------------------------------------------------

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#port.close();
    } finally {
      this.#listeners.clear();
      this.#handles.length = 0;
      this.#release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The range of what is read. */
function rangeOf(options: ReadOptions | undefined, what: string): Bounds {
  const range = bounds(options);
  checkOptions(options, READ_OPTIONS, what);
  return range;
}

/** Not everybody asks. */
const queries = () => onDemand(import("./queries.js"));

/** Few look there. */
const lookInside = () => onDemand(import("./blocks.js"));

/** Ties each method to its object, so that it works behind whatever proxy it is called through, and by itself. */
function bindMethods(object: object, prototype: object): void {
  for (const key of Reflect.ownKeys(prototype)) {
    const method: unknown = Object.getOwnPropertyDescriptor(prototype, key)!.value;
    if (typeof method !== "function" || key === "constructor") continue;
    Object.defineProperty(object, key, { value: method.bind(object), writable: true, configurable: true });
  }
}

function snapshotsOf(port: Port): Snapshots {
  return {
    create: async (options?: Abortable) => port.ask({ kind: "snapshotCreate" }, options?.signal),
    list: async (options?: Abortable) => port.ask({ kind: "snapshotList" }, options?.signal),
    delete: async (name, options?: Abortable) => port.ask({ kind: "snapshotDelete", name: text(name, "name") }, options?.signal),
    deleteAll: async (options?: Abortable) => port.ask({ kind: "snapshotDeleteAll" }, options?.signal),
    download(name, options?: DownloadOptions & Abortable) {
      checkOptions(options, DOWNLOAD_OPTIONS, "download()");
      const layout = options?.layout ?? "v1.72";
      if (!["v1.72", "v1.93", "v1.150"].includes(layout))
        throw invalid(`there is no layout ${JSON.stringify(layout)}; write "v1.72", which every server opens, "v1.93" or "v1.150"`);
      return snapshotStream(port, text(name, "name"), layout, options?.signal);
    },
    async restore(snapshot, options) {
      const own = copied(snapshot);
      const { restore } = await onDemand(import("../stream/restore.js"));
      return restore(port, own, options);
    },
  };
}
