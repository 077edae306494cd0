// The engine in the calling thread.

import { createGlue, type EngineOptions, type EnginePort, type Glue } from "./glue.js";
import { abortable, checkAborted } from "../base/abort.js";
import { SandglassError } from "../api/errors.js";
import { copyNumbers } from "../base/numbers.js";
import { directoryOf } from "../storage/opfs.js";
import { type Answer, type Command, type HttpReply, type Kind, latecomer, nameOf, type Port } from "../port/port.js";
import { ACCEPTED, Pump } from "./pump.js";
import { FreeRoom } from "../storage/free_room.js";
import type { EngineEvent } from "../api/events.js";
import type { Labels, SeriesData } from "../api/samples.js";
import type { EngineState } from "../api/state.js";

/** Where the files of a database live. */
export type Storage = { kind: "memory"; files?: (readonly [string, Uint8Array])[] | undefined } | { kind: "indexeddb" | "opfs"; name: string };

/** Samples that are turned into typed arrays in one go. */
const SERIES_PIECE_SAMPLES = 250_000;
/** Work of accepted appends, in samples, between two looks at the clock. */
const CREDIT = 8_192;
/** A call costs as much as so many samples. */
const CALL_COST = 16;

export class InlinePort implements Port {
  readonly role: Port["role"];
  readonly #options: EngineOptions;
  readonly #manualClock: boolean;
  #holdsHandles = false;
  /** Whether others may take what is stored away from the engine. */
  #isStored = false;
  #isClosing = false;
  readonly #pump: Pump;
  readonly #staged: number;
  // These three hold the instance with all its memory, and what it has open; they are gone once it was closed or has failed.
  #glue: Glue | undefined;
  #engine: EnginePort | undefined;
  #memory: WebAssembly.Memory | undefined;
  #listener: ((events: EngineEvent[]) => void) | undefined;
  /** Called once with the reason when nothing can be done any more. */
  #ended: ((reason: SandglassError) => void) | undefined;
  /** Absent where there is no end of room, in memory. */
  #room: FreeRoom | undefined;
  #credit = CREDIT;
  /** When the engine wants to be called again, as it has said last. */
  #due = 0;
  // Views of the staging columns; of length 0 after the memory has grown.
  #timestamps = new Float64Array(0);
  #timestampBits = new BigInt64Array(0);
  #values = new Float64Array(0);
  #series = new Uint32Array(0);

  /**
   * Starts an engine of its own from the compiled code, so that closing it gives its memory back. `ended` is called once with
   * the reason when the open database can do nothing any more.
   */
  static async start(code: WebAssembly.Module, storage: Storage, options: EngineOptions, ended?: (reason: SandglassError) => void): Promise<InlinePort> {
    const glue = createGlue();
    const memory = await glue.instantiate(code);
    const port = new InlinePort(glue, memory, options);
    port.#holdsHandles = storage.kind === "opfs";
    port.#isStored = storage.kind !== "memory";
    await port.#start(glue, storage, options);
    port.#ended = ended;
    return port;
  }

  private constructor(glue: Glue, memory: WebAssembly.Memory, options: EngineOptions) {
    this.#glue = glue;
    this.#options = options;
    this.#memory = memory;
    this.role = options.readOnly ? "reader" : "writer";
    this.#manualClock = options.manualClock;
    this.#staged = glue.EnginePort.stagedSamples();
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
      this.#engine = await openEngine(EnginePort, storage, () => this.#pump.request(), options);
    } catch (thrown) {
      const error = this.#understand(thrown);
      this.#free(error);
      throw error;
    }
    this.#watchRoom(storage);
    await this.#opened();
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
    if (kind === "memory" && quota === 0) return;
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

  append(series: number, timestamps: Float64Array | BigInt64Array | readonly number[], values: Float64Array | readonly number[]): Promise<void> {
    const count = timestamps.length;
    if (count > this.#staged) return this.#appendLong(series, timestamps, values);
    try {
      const engine = this.#open();
      this.#stage(timestamps, values, 0, count);
      return this.#appended(timestamps instanceof BigInt64Array ? engine.appendBigInt(series, count) : engine.append(series, count), count);
    } catch (thrown) {
      return Promise.reject(this.#understand(thrown));
    }
  }

  async #appendLong(series: number, timestamps: Float64Array | BigInt64Array | readonly number[], values: Float64Array | readonly number[]): Promise<void> {
    for (let from = 0; from < timestamps.length; from += this.#staged) {
      const count = Math.min(this.#staged, timestamps.length - from);
      let appended: Promise<void>;
      try {
        const engine = this.#open();
        const began = performance.now();
        this.#stage(timestamps, values, from, count);
        const ticket = timestamps instanceof BigInt64Array ? engine.appendBigInt(series, count) : engine.append(series, count);
        this.#pump.measure(began);
        appended = this.#appended(ticket, count);
      } catch (thrown) {
        const error = this.#understand(thrown);
        if (from === 0) throw error;
        if (error.code === "invalid") throw new SandglassError(error.code, `in samples ${from} to ${from + count}: ${error.message}`);
        throw new SandglassError(error.code, `the first ${from} of ${timestamps.length} samples were accepted, then: ${error.message}`);
      }
      await appended;
    }
  }

  appendRow(
    fill: (target: Uint32Array, from: number, count: number) => void,
    timestamp: number,
    values: Float64Array | readonly number[],
  ): Promise<void> {
    const total = values.length;
    let result: Promise<void> | undefined;
    try {
      for (let from = 0; from === 0 || from < total; from += this.#staged) {
        const engine = this.#open();
        const count = Math.min(this.#staged, total - from);
        this.#refreshViews();
        fill(this.#series, from, count);
        copyNumbers(this.#values, 0, values, from, count);
        const appended = this.#appended(engine.appendRow(count, timestamp), count);
        result = result === undefined ? appended : Promise.all([result, appended]).then(() => {});
      }
      return result as Promise<void>;
    } catch (thrown) {
      return Promise.reject(this.#understand(thrown));
    }
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

  #stage(timestamps: Float64Array | BigInt64Array | readonly number[], values: Float64Array | readonly number[], from: number, count: number): void {
    this.#refreshViews();
    if (timestamps instanceof BigInt64Array) {
      this.#timestampBits.set(count === timestamps.length ? timestamps : timestamps.subarray(from, from + count));
    } else {
      copyNumbers(this.#timestamps, 0, timestamps, from, count);
    }
    copyNumbers(this.#values, 0, values, from, count);
  }

  #refreshViews(): void {
    if (this.#values.length !== 0) return;
    const engine = this.#open();
    const { buffer } = this.#memory!;
    this.#timestamps = new Float64Array(buffer, engine.stagedTimestamps(), this.#staged);
    this.#timestampBits = new BigInt64Array(buffer, engine.stagedTimestamps(), this.#staged);
    this.#values = new Float64Array(buffer, engine.stagedValues(), this.#staged);
    this.#series = new Uint32Array(buffer, engine.stagedSeries(), this.#staged);
  }

  // ---- commands -----------------------------------------------------------------------------------------------------------

  async ask<K extends Kind>(command: Extract<Command, { kind: K }>, signal?: AbortSignal): Promise<Answer<K>> {
    const asked = command as Command;
    if (asked.kind !== "select") return this.#ask(asked, signal, (answer) => (asked.kind === "http" ? toReply(answer as HttpAnswer) : answer) as Answer<K>);
    const found: SeriesData[] = [];
    await this.select(asked, signal, (piece) => found.push(...piece));
    return found as Answer<K>;
  }

  /** A `select` whose answer is handed out piece by piece. */
  select(command: Extract<Command, { kind: "select" }>, signal: AbortSignal | undefined, take: (piece: SeriesData[]) => void): Promise<void> {
    return this.#ask(command, signal, (_, ticket) => this.#handOutSeries(ticket, signal, take));
  }

  async #ask<T>(command: Command, signal: AbortSignal | undefined, understand: (answer: unknown, ticket: number) => T | Promise<T>): Promise<T> {
    let ticket: number;
    return abortable(
      nameOf(command),
      signal,
      async () => {
        ticket = this.#call((engine) => submit(engine, command));
        return understand(await this.#answer(ticket), ticket);
      },
      () => this.#engine?.cancel(ticket) && this.#pump.forget(ticket),
      latecomer(this, command),
    );
  }

  /** Turns the answer to a `select` into typed arrays, piece by piece. */
  async #handOutSeries(ticket: number, signal: AbortSignal | undefined, take: (piece: SeriesData[]) => void): Promise<void> {
    for (;;) {
      checkAborted("select", signal);
      const began = performance.now();
      const piece = this.#call((engine) => engine.takeSeries(ticket, SERIES_PIECE_SAMPLES));
      if (piece === undefined) return;
      take((piece[0] as Labels[]).map((labels, i) => ({ labels, timestamps: piece[2 * i + 1] as Float64Array, values: piece[2 * i + 2] as Float64Array })));
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
    if (this.#listener !== undefined) {
      const events = this.#open().events() as EngineEvent[];
      if (events.length !== 0) this.#listener(events);
    }
    if (this.#isStored && this.#due === Number.POSITIVE_INFINITY) this.#lookWhetherStopped();
  }

  /** An engine that has lost its storage to another one does nothing any more, and tells only those who ask for something. */
  #lookWhetherStopped(): void {
    if (this.#isClosing || this.#engine === undefined) return;
    try {
      // There is no series without labels, so this is refused whatever happens; the reason is what counts.
      this.series([]);
    } catch (refused) {
      const reason = refused as SandglassError;
      // A reader is refused with "locked" as long as it lives.
      if (reason.code === "closed" || (reason.code === "locked" && this.role === "writer")) this.#free(reason);
    }
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
    port.#engine = this.#call((ended) => ended.crash(options));
    this.#end(new SandglassError("closed", "this engine was made to crash; go on with the database that crash() has answered"));
    engine.free();
    port.#watchRoom({ kind: "memory" });
    await port.#opened();
    return port;
  }

  suspend(): void {
    if (this.#engine === undefined) return;
    try {
      this.#engine.sync();
      this.#pump.workNow();
    } catch {
      // Nobody is there any more to be told; what was not durable is lost, as in a crash.
    }
    const reason = new SandglassError("closed", "the browser has put the page away, and the database was closed with it; open it again");
    // What IndexedDB was asked for goes on by itself when nobody cuts the connection; open handles would lock others out.
    if (this.#holdsHandles) this.#free(reason);
    else this.#end(reason);
  }

  get isOpen(): boolean {
    return this.#engine !== undefined;
  }

  async close(): Promise<void> {
    if (this.#pump.stopped?.code === "closed") return;
    const closed = new SandglassError("closed", "the database is closed; open it again");
    this.#isClosing = true;
    try {
      await this.#answer(this.#call((engine) => engine.close()));
    } finally {
      this.#free(closed);
    }
  }

  /** The instance's memory goes when nobody refers to it any more; freeing the engine ends what it has open in the browser. */
  #free(reason: SandglassError): void {
    const engine = this.#engine;
    this.#end(reason);
    engine?.free();
  }

  #end(reason: SandglassError): void {
    this.#pump.stop(reason);
    this.#ended?.(reason);
    this.#ended = undefined;
    this.#engine = undefined;
    this.#glue = undefined;
    this.#memory = undefined;
    this.#listener = undefined;
    this.#room = undefined;
    this.#timestamps = this.#values = new Float64Array(0);
    this.#timestampBits = new BigInt64Array(0);
    this.#series = new Uint32Array(0);
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
    if (thrown instanceof SandglassError) return thrown;
    const { code, message } = thrown as { code?: unknown; message?: unknown };
    if (thrown instanceof Error && typeof code === "string") return new SandglassError(code as SandglassError["code"], String(message));
    return this.#fail(thrown);
  }

  /** The engine can't go on. Answers what everybody is told. */
  #fail(thrown: unknown): SandglassError {
    const fault = thrown instanceof SandglassError ? thrown : this.#fault(thrown);
    this.#end(fault);
    return fault;
  }

  #fault(thrown: unknown): SandglassError {
    const words = wordsOf(thrown, this.#glue);
    // What is left behind must not be freed when it is collected: its state is not to be trusted.
    (this.#engine as { __destroy_into_raw?: () => void } | undefined)?.__destroy_into_raw?.();
    return new SandglassError(
      "internal",
      `the engine has stopped: ${words}; what was durable is untouched: open the database again, and please report this message with what the page did`,
      { cause: thrown },
    );
  }
}

/**
 * What went wrong, and where: the words of the engine's panic, or what was thrown, and the numbers of the innermost functions, whose
 * names are in the file `sandglass.debug.wasm` of the release.
 */
function wordsOf(thrown: unknown, glue: Glue | undefined): string {
  const { message, stack } = thrown as Partial<Error>;
  let panic: string | undefined;
  try {
    panic = glue?.lastPanic();
  } catch {
    // The instance is past telling; the trap itself has to do.
  }
  return [panic ?? message ?? thrown, ...(stack?.match(/wasm-function\[\d+\]:0x\w+/g) ?? [])].slice(0, 6).join(" < ");
}

type HttpAnswer = [status: number, contentType: string, body: Uint8Array];

function toReply([status, contentType, body]: HttpAnswer): HttpReply {
  return { status, contentType, body };
}

function openEngine(ports: Glue["EnginePort"], storage: Storage, notify: () => void, options: EngineOptions): EnginePort | Promise<EnginePort> {
  switch (storage.kind) {
    case "memory":
      return openMemory(ports, storage.files, options);
    case "indexeddb":
      return ports.openIndexedDb(storage.name, notify, options);
    case "opfs":
      return ports.openOpfs(directoryOf(storage.name), notify, options);
  }
}

function openMemory(ports: Glue["EnginePort"], files: (readonly [string, Uint8Array])[] | undefined, options: EngineOptions): EnginePort {
  const holder = ports.openMemory(options);
  if (files === undefined) return holder;
  // It has not begun to open, and only holds the files for the next one; its instance goes with it when one of them is refused.
  for (const [path, content] of files) holder.putFile(path, content);
  const engine = holder.crash(options);
  holder.free();
  return engine;
}

type Fields<K extends Kind> = Omit<Extract<Command, { kind: K }>, "kind">;
/** For each parameter the name of a field that fits. */
type Names<Parameters extends unknown[], Fields> = { readonly [I in keyof Parameters]: { [N in keyof Fields]: Fields[N] extends Parameters[I] ? N : never }[keyof Fields] };

const RANGE = ["start", "end"] as const;
/** The fields of each command in the order in which the engine's method of that name takes them. */
const FIELDS: { [K in Kind]: Names<Parameters<EnginePort[K]>, Fields<K>> } = {
  flush: [],
  sync: [],
  forceMerge: ["partitionPrefix"],
  tick: ["ms"],
  ingest: ["format", "body", "timestamp", "extraLabels", "firstLine", "bodyNumber"],
  select: ["selector", ...RANGE],
  labels: ["selector", ...RANGE],
  labelNames: ["selector", ...RANGE],
  labelValues: ["name", "selector", ...RANGE],
  exportOpen: ["selector", ...RANGE],
  exportNext: ["cursor"],
  exportClose: ["cursor"],
  snapshotCreate: [],
  snapshotList: [],
  snapshotDelete: ["name"],
  snapshotDeleteAll: [],
  snapshotFiles: ["name"],
  snapshotRead: ["source", "offset", "length"],
  inspectPart: ["part", "from", "count"],
  inspectBlock: ["part", "block"],
  inspectIndexBlock: ["table", "part", "block"],
  http: ["method", "uri", "contentType", "body"],
};

function submit(engine: EnginePort, command: Command): number {
  const methods = engine as unknown as Record<Kind, (...values: unknown[]) => number>;
  const fields: readonly string[] = FIELDS[command.kind];
  return methods[command.kind](...fields.map((field) => (command as unknown as Record<string, unknown>)[field]));
}
