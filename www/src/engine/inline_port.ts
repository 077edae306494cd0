// The engine in the calling thread.

import { createGlue, type EngineOptions, type EnginePort, type Glue } from "./glue.js";
import { forCaller } from "../base/caller.js";
import { abortable, checkAborted } from "../base/abort.js";
import { LINGER_MS, linger, outlivesPage } from "../base/linger.js";
import { SandglassError } from "../api/errors.js";
import { onDemand } from "../base/on_demand.js";
import { readersLock } from "../storage/lock.js";
import { directoryOf } from "../storage/opfs.js";
import { latecomer, type Port } from "../port/port.js";
import { type AnswerTo, bodyOf, type EngineRequest, type Kind, nameOf, type RequestOf, withBody } from "../port/requests.js";
import { type SeriesPiece, seriesOf } from "../port/series.js";
import { faultOf, refusalOf } from "./fault.js";
import { ACCEPTED, Pump } from "./pump.js";
import { Staging } from "./staging.js";
import type { ArchiveFile } from "../storage/archive.js";
import { FreeRoom } from "../storage/free_room.js";
import type { EngineEvent } from "../api/events.js";
import type { SeriesData } from "../api/samples.js";
import type { EngineState } from "../api/state.js";

/** Where the files of a database live. */
export type Storage =
  | { kind: "memory"; files?: (readonly [string, Uint8Array])[] | undefined }
  | { kind: "indexeddb" | "opfs"; name: string }
  /** A snapshot that is looked at where it lies. Who reads files at URLs keeps up to `cacheBytes` of them. */
  | { kind: "archive"; files: ArchiveFile[]; cacheBytes: number };

/** Samples that are turned into typed arrays in one go. */
const SERIES_PIECE_SAMPLES = 250_000;
/** Work of accepted appends, in samples, between two looks at the clock. */
const CREDIT = 8_192;
/** A call costs as much as so many samples. */
const CALL_COST = 16;

export class InlinePort implements Port {
  readonly role: Port["role"];
  /** It is at hand as soon as it has answered. */
  readonly aheadBytes = 0;
  readonly #options: EngineOptions;
  readonly #manualClock: boolean;
  #holdsHandles = false;
  /** Whether others may take what is stored away from the engine. */
  #isStored = false;
  #isClosing = false;
  /** Gives up reads of a snapshot's server that may never answer. */
  readonly #reading = new AbortController();
  readonly #pump: Pump;
  // These four hold the instance with all its memory, and what it has open; they are gone once it was closed or has failed.
  #glue: Glue | undefined;
  #engine: EnginePort | undefined;
  #memory: WebAssembly.Memory | undefined;
  #staging: Staging | undefined;
  #listener: ((events: EngineEvent[]) => void) | undefined;
  readonly ended: Promise<SandglassError>;
  #tellEnd!: (reason: SandglassError) => void;
  /** Called once with the reason when nothing can be done any more. */
  #ended: ((reason: SandglassError) => void) | undefined;
  /** Absent where there is no end of room, in memory. */
  #room: FreeRoom | undefined;
  #credit = CREDIT;
  /** When the engine wants to be called again, as it has said last. */
  #due = 0;

  /**
   * Starts an engine of its own from the compiled code, so that closing it gives its memory back. `ended` is called once with
   * the reason when the open database can do nothing any more.
   */
  static async start(
    code: WebAssembly.Module,
    storage: Storage,
    options: EngineOptions,
    ended?: (reason: SandglassError) => void,
  ): Promise<InlinePort> {
    const glue = createGlue();
    const memory = await glue.instantiate(code);
    const port = new InlinePort(glue, memory, options);
    port.#holdsHandles = storage.kind === "opfs";
    port.#isStored = storage.kind === "indexeddb" || storage.kind === "opfs";
    await port.#start(glue, storage, options);
    port.#ended = ended;
    return port;
  }

  private constructor(glue: Glue, memory: WebAssembly.Memory, options: EngineOptions) {
    this.ended = new Promise((resolve) => (this.#tellEnd = resolve));
    this.#glue = glue;
    this.#options = options;
    this.#memory = memory;
    this.role = options.readOnly ? "reader" : "writer";
    this.#manualClock = options.manualClock;
    this.#pump = new Pump(
      {
        pump: (wallNow, budget) => (this.#due = this.#open().pump(wallNow, budget)),
        spent: () => this.#open().spent(),
        completed: () => this.#open().completed(),
        afterSlice: () => this.#afterSlice(),
      },
      (thrown) => this.#fail(thrown),
    );
  }

  async #start({ EnginePort }: Glue, storage: Storage, options: EngineOptions): Promise<void> {
    try {
      this.#begin(await openEngine(EnginePort, storage, () => this.#pump.request(), options, this.#reading.signal));
    } catch (thrown) {
      const error = this.#understand(thrown);
      this.#free(error);
      throw error;
    }
    this.#watchRoom(storage);
    await this.#opened();
  }

  #begin(engine: EnginePort): void {
    this.#engine = engine;
    this.#staging = new Staging(engine, this.#memory!, this.#glue!.EnginePort.stagedSamples());
  }

  async #opened(): Promise<void> {
    try {
      await this.#answer(this.#open().opening());
    } catch (thrown) {
      const error = this.#understand(thrown);
      this.#free(error);
      throw error;
    }
  }

  /** Memory has an end only when it was given one. */
  #watchRoom({ kind }: Storage): void {
    const quota = this.#options.quotaBytes;
    if (kind === "archive" || (kind === "memory" && quota === 0)) return;
    const report = (left: number | undefined, quota: number) => {
      if (this.#engine === undefined) return;
      this.#call((engine) => engine.setRoomBytes(left, quota));
      this.#pump.request();
    };
    const ofMemory = async () => ({ quota, usage: this.#call((engine) => engine.inspect() as EngineState).fileSystem.storedBytes });
    this.#room = new FreeRoom(report, kind === "memory" ? ofMemory : undefined);
  }

  // ---- ingestion --------------------------------------------------------------------------------------------------------

  series(labels: string[]): number {
    return this.#call((engine) => engine.series(labels));
  }

  append(
    series: number,
    timestamps: Float64Array | BigInt64Array | readonly number[],
    values: Float64Array | readonly number[],
  ): Promise<void> {
    const count = timestamps.length;
    try {
      const engine = this.#open();
      const staging = this.#staging!;
      if (count > staging.length) return this.#appendLong(series, timestamps, values, staging);
      staging.stage(timestamps, values, 0, count);
      return this.#appended(timestamps instanceof BigInt64Array ? engine.appendBigInt(series, count) : engine.append(series, count), count);
    } catch (thrown) {
      return Promise.reject(this.#understand(thrown));
    }
  }

  async #appendLong(
    series: number,
    timestamps: Float64Array | BigInt64Array | readonly number[],
    values: Float64Array | readonly number[],
    staging: Staging,
  ): Promise<void> {
    const total = timestamps.length;
    for (let from = 0; from < total; from += staging.length) {
      const count = Math.min(staging.length, total - from);
      try {
        const engine = this.#open();
        const began = performance.now();
        staging.stage(timestamps, values, from, count);
        const ticket = timestamps instanceof BigInt64Array ? engine.appendBigInt(series, count) : engine.append(series, count);
        this.#pump.measure(began);
        await this.#appended(ticket, count);
      } catch (thrown) {
        throw behind(from, count, total, this.#understand(thrown));
      }
    }
  }

  appendRow(
    fill: (target: Uint32Array, from: number, count: number) => void,
    timestamp: number,
    values: Float64Array | readonly number[],
  ): Promise<void> {
    const total = values.length;
    const pieces: Promise<void>[] = [];
    let length = total;
    try {
      for (let from = 0; from === 0 || from < total; from += length) {
        const engine = this.#open();
        const staging = this.#staging!;
        length = staging.length;
        const count = Math.min(length, total - from);
        staging.stageRow(fill, values, from, count);
        const appended = this.#appended(engine.appendRow(count, timestamp), count);
        if (count === total) return appended;
        pieces.push(appended);
      }
    } catch (thrown) {
      pieces.push(Promise.reject(this.#understand(thrown)));
    }
    return this.#appendedAll(pieces, length, total);
  }

  /** Pieces of a row, of `length` samples each but the last. None waits for the one before: values may change as soon as the call has returned. */
  async #appendedAll(pieces: Promise<void>[], length: number, total: number): Promise<void> {
    const outcomes = await Promise.allSettled(pieces);
    const first = outcomes.findIndex(({ status }) => status === "rejected");
    if (first < 0) return;
    const from = first * length;
    const countOf = (at: number) => Math.min(length, total - at * length);
    const accepted = outcomes.reduce((sum, { status }, at) => sum + (status === "fulfilled" ? countOf(at) : 0), 0);
    throw behind(from, countOf(first), total, (outcomes[first] as PromiseRejectedResult).reason as SandglassError, total - accepted);
  }

  /** What an append came to: 0 for accepted, a ticket, or a refusal. */
  #appended(outcome: number, count: number): Promise<void> {
    if (outcome === 0) {
      this.#credit -= count + CALL_COST;
      if (this.#credit > 0) {
        this.#pump.request();
        return ACCEPTED;
      }
      this.#credit = CREDIT;
      return this.#pump.breathe();
    }
    if (outcome < 0) this.#open().lastError();
    return this.#answer(outcome);
  }

  // ---- requests -----------------------------------------------------------------------------------------------------------

  async ask<K extends Kind>(request: RequestOf<K>, signal?: AbortSignal): Promise<AnswerTo<K>> {
    const asked = request as EngineRequest;
    if (asked.kind !== "select") return forCaller(this.#ask(asked, signal, (answer) => answer as AnswerTo<K>));
    const found: SeriesData[] = [];
    await forCaller(this.select(asked, signal, (piece) => found.push(...seriesOf(piece))));
    return found as AnswerTo<K>;
  }

  /** A `select` whose answer is handed out piece by piece. */
  select(request: RequestOf<"select">, signal: AbortSignal | undefined, take: (piece: SeriesPiece) => void): Promise<void> {
    return this.#ask(request, signal, (_, ticket) => this.#handOutSeries(ticket, signal, take));
  }

  async #ask<T>(
    request: EngineRequest,
    signal: AbortSignal | undefined,
    understand: (answer: unknown, ticket: number) => T | Promise<T>,
  ): Promise<T> {
    let ticket: number;
    return abortable(
      nameOf(request),
      signal,
      async () => {
        ticket = this.#call((engine) => engine.submit(withBody(request, undefined), bodyOf(request)));
        return understand(await this.#answer(ticket), ticket);
      },
      () => this.#engine?.cancel(ticket) && this.#pump.forget(ticket),
      latecomer(this, request),
    );
  }

  /** The answer to a `select` as typed arrays, piece by piece. */
  async #handOutSeries(ticket: number, signal: AbortSignal | undefined, take: (piece: SeriesPiece) => void): Promise<void> {
    for (;;) {
      checkAborted("select", signal);
      const began = performance.now();
      const piece = this.#call((engine) => engine.takeSeries(ticket, SERIES_PIECE_SAMPLES));
      if (piece === undefined) return;
      const [labels, ...columns] = piece as [string, ...Float64Array[]];
      take({ labels, columns });
      this.#pump.measure(began);
      await this.#pump.breathe();
    }
  }

  now(): number {
    const engine = this.#open();
    return this.#manualClock ? engine.now() : Date.now();
  }

  inspect(signal?: AbortSignal): Promise<EngineState> {
    return abortable("inspect", signal, async () => this.#inspect());
  }

  #inspect(): EngineState {
    const state = this.#call((engine) => engine.inspect()) as EngineState;
    const { longestMs, over8Ms } = this.#pump.slices;
    Object.assign(state.scheduler, {
      waitsForStorage: this.#call((engine) => engine.waitsForStorage()),
      longestSliceMs: longestMs,
      slicesOver8Ms: over8Ms,
    });
    state.memory.wasmBytes = this.#memory?.buffer.byteLength ?? 0;
    return state;
  }

  observe(listener: ((events: EngineEvent[]) => void) | undefined): void {
    if ((listener === undefined) !== (this.#listener === undefined)) this.#call((engine) => engine.setObserved(listener !== undefined));
    this.#listener = listener;
  }

  #afterSlice(): void {
    if (this.#room !== undefined && !this.#room.isAsking && this.#open().wantsRoom(Date.now())) this.#room.ask().catch(() => {});
    for (let hint = this.#open().hint(); hint !== undefined; hint = this.#open().hint()) console.warn(`sandglass: ${hint}`);
    if (this.#listener !== undefined) {
      const events = this.#open().events() as EngineEvent[];
      if (events.length !== 0) this.#listener(events);
    }
    if (this.#isStored && this.#due === Number.POSITIVE_INFINITY) this.#lookWhetherStopped();
  }

  /** An engine that has lost its storage to another one does nothing any more, and tells only those who ask for something. */
  #lookWhetherStopped(): void {
    if (this.#isClosing || this.#engine === undefined) return;
    const reason = this.#call((engine) => engine.stopped());
    if (reason !== undefined) this.#free(this.#understand(reason));
  }

  hidden(): void {
    // What the storage refuses to take stays where it is; the state and the events tell.
    this.ask({ kind: "sync" }).catch(() => {});
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------

  get memory(): WebAssembly.Memory | undefined {
    return this.#memory;
  }

  async crash(): Promise<InlinePort> {
    const engine = this.#open();
    const options = { ...this.#options, startTime: this.now() };
    const port = new InlinePort(this.#glue!, this.#memory!, options);
    port.#begin(this.#call((ended) => ended.crash(options)));
    this.#end(new SandglassError("closed", "this engine was made to crash; go on with the database that crash() has answered"));
    engine.free();
    port.#watchRoom({ kind: "memory" });
    await port.#opened();
    return port;
  }

  suspend(handedOver?: (isAll: boolean) => void): void {
    const engine = this.#engine;
    if (engine === undefined) return;
    const { isAll, isStored } = this.#handOver();
    try {
      engine.logWaitingRows();
      handedOver?.(isAll);
      // What has been handed to the browser gets through when this thread does not go at once.
      if (!isStored) linger(LINGER_MS);
    } catch {
      // Nobody is there any more to be told; what was not durable is lost, as in a crash.
    }
    // What IndexedDB was asked for goes on by itself when nobody cuts the connection; open handles would lock others out, and so does WebKit's
    // connection of a page that has gone.
    if (this.#holdsHandles || !outlivesPage()) this.#free(putAway());
    else this.#end(putAway());
  }

  /**
   * For a thread that may get no other turn, or a few: hands the storage all rows that were taken, and answers whether all of them get
   * through whatever becomes of the thread.
   */
  storeNow(): boolean {
    return this.#engine !== undefined && this.#handOver().isAll;
  }

  /** `isStored`: the storage has said that it has them. `isAll`: none is lost when the thread goes now. */
  #handOver(): { isStored: boolean; isAll: boolean } {
    let outcome: "open" | "stored" | "refused" = "open";
    try {
      const hasLog = this.#open().leave();
      const ticket = this.#call((engine) => engine.submit({ kind: "sync" }));
      const answered = this.#pump.answer(ticket, () => {
        outcome = "refused";
        this.#call((engine) => engine.take(ticket));
        outcome = "stored";
      });
      answered.catch(() => {});
      const isDone = this.#pump.workNow(LINGER_MS);
      const isStored = (outcome as string) === "stored";
      // IndexedDB goes on with what it was asked for, which is all where there is a log; a file is written by this thread alone.
      return { isStored, isAll: isStored || (isDone && hasLog && outcome === "open" && !this.#holdsHandles && outlivesPage()) };
    } catch {
      return { isStored: false, isAll: false };
    }
  }

  /** As `suspend`, in a thread that gets more turns: resolves when all is written, or when that takes too long. */
  async leave(limitMs: number, stored?: () => void): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    this.#isClosing = true;
    const written = async () => {
      engine.leave();
      const ticket = engine.submit({ kind: "sync" });
      const answered = this.#answer(ticket);
      this.#pump.workNow(LINGER_MS);
      await answered;
      stored?.();
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([written().catch(() => {}), new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))]);
    clearTimeout(timer);
    this.#free(putAway());
  }

  get isOpen(): boolean {
    return this.#engine !== undefined;
  }

  /** `stored` is called when all is durable, before somebody else can open the database. */
  async close(stored?: () => void): Promise<void> {
    if (this.#pump.stopped?.code === "closed") return;
    const closed = new SandglassError("closed", "the database is closed; open it again");
    this.#isClosing = true;
    this.#reading.abort(closed);
    try {
      await this.#answer(this.#call((engine) => engine.close()));
      stored?.();
    } finally {
      this.#free(closed);
    }
  }

  /** Somebody else has what this engine works with. */
  lose(reason: SandglassError): void {
    if (this.#engine !== undefined) this.#free(reason);
  }

  /** The instance's memory goes when nobody refers to it any more; freeing the engine ends what it has open in the browser. */
  #free(reason: SandglassError): void {
    const engine = this.#engine;
    this.#end(reason);
    engine?.free();
  }

  #end(reason: SandglassError): void {
    this.#pump.stop(reason);
    this.#tellEnd(reason);
    this.#ended?.(reason);
    this.#ended = undefined;
    this.#engine = undefined;
    this.#glue = undefined;
    this.#memory = undefined;
    this.#listener = undefined;
    this.#room = undefined;
    this.#staging = undefined;
  }

  // ---- errors ---------------------------------------------------------------------------------------------------------------

  #open(): EnginePort {
    if (this.#engine === undefined) throw this.#pump.stopped ?? new SandglassError("closed", "the database is closed; open it again");
    return this.#engine;
  }

  #call<T>(work: (engine: EnginePort) => T): T {
    const engine = this.#open();
    try {
      return work(engine);
    } catch (thrown) {
      throw this.#understand(thrown);
    }
  }

  #answer<T = void>(ticket: number): Promise<T> {
    return this.#pump.answer(ticket, () => this.#call((engine) => engine.take(ticket)) as T);
  }

  /** A refusal with a code is passed on; whatever else a call has thrown means that the engine can't go on. */
  #understand(thrown: unknown): SandglassError {
    return refusalOf(thrown) ?? this.#fail(thrown);
  }

  /** The engine can't go on. Answers what everybody is told. */
  #fail(thrown: unknown): SandglassError {
    const fault = thrown instanceof SandglassError ? thrown : faultOf(thrown, this.#glue);
    // What is left behind must not be freed when it is collected: its state is not to be trusted.
    if (this.#engine !== undefined && fault !== thrown) this.#glue?.abandon(this.#engine);
    this.#end(fault);
    return fault;
  }
}

/**
 * What a call of `total` samples is told of which `count` from `from` on were refused: those before them were accepted. `refused` are all that
 * were not.
 */
function behind(from: number, count: number, total: number, error: SandglassError, refused = total - from): SandglassError {
  if (refused === total) return error;
  const { code, message } = error;
  const what = code === "invalid" ? `in samples ${from} to ${from + count}: ${message}` : message;
  const accepted =
    refused === total - from ? `the first ${from} of ${total} samples were accepted, then` : `${refused} of ${total} samples were refused`;
  return new SandglassError(code, `${accepted}: ${what}`, { samples: refused });
}

function putAway(): SandglassError {
  return new SandglassError("closed", "the browser has put the page away, and the database was closed with it; open it again");
}

function openEngine(
  ports: Glue["EnginePort"],
  storage: Storage,
  notify: () => void,
  options: EngineOptions,
  reading: AbortSignal,
): EnginePort | Promise<EnginePort> {
  switch (storage.kind) {
    case "memory":
      return ports.openMemory(options, storage.files);
    case "archive":
      return openArchive(ports, storage, notify, options, reading);
    case "indexeddb":
      return ports.openIndexedDb(storage.name, notify, options);
    case "opfs":
      return ports.openOpfs(directoryOf(storage.name), readersLock(storage.name, storage.kind), notify, options);
  }
}

async function openArchive(
  ports: Glue["EnginePort"],
  { files, cacheBytes }: { files: ArchiveFile[]; cacheBytes: number },
  notify: () => void,
  options: EngineOptions,
  reading: AbortSignal,
): Promise<EnginePort> {
  // Few look at snapshots.
  const { readerOf, sizeOf } = await onDemand(import("../storage/archive.js"));
  const readers = files.map((file) => readerOf(file, cacheBytes, reading));
  const readRange = (file: number, offset: number, length: number) =>
    readers[file]!(offset, length).catch((error: unknown) => {
      throw reading.aborted ? reading.reason : error;
    });
  return ports.openArchive(
    files.map((file) => [file.path, sizeOf(file)]),
    readRange,
    notify,
    options,
  );
}
