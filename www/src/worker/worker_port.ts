// The engine in a worker of its own.

import { abortable } from "../base/abort.js";
import { AppendWindow } from "./append_window.js";
import { BATCH_SAMPLES, Batch, type Packed, packLong, packLongRow, type Timestamps, type Values } from "./append_batch.js";
import type { EngineStart } from "../engine/start.js";
import { checkTimestamp, checkTimestamps } from "../base/arguments.js";
import { SandglassError } from "../api/errors.js";
import { Macrotask } from "../base/macrotask.js";
import { latecomer, type Port } from "../port/port.js";
import { type AnswerTo, bodyOf, type EngineRequest, type Kind, nameOf, type RequestOf, withBody } from "../port/requests.js";
import { seriesOf } from "../port/series.js";
import { type Reply, type Request, toError } from "./messages.js";
import { unpackSeries } from "./series_pack.js";
import type { EngineEvent } from "../api/events.js";
import type { SeriesData } from "../api/samples.js";
import type { EngineState } from "../api/state.js";
import { linger } from "../base/linger.js";
import { Liveness } from "./liveness.js";

/** A page that has handed nothing over for so long has nothing to lose when it goes away. */
const DURABLE_AFTER_MS = 15_000;

interface Call {
  resolve(value: unknown): void;
  reject(error: SandglassError): void;
  /** The part of an answer that has come already. */
  found?: SeriesData[];
}

/** Samples that the engine has not taken, and the first reason that it gave. */
interface Refused {
  samples: number;
  reason: SandglassError;
}

export class WorkerPort implements Port {
  role: Port["role"] = "writer";
  readonly #worker: Worker;
  readonly #manualClock: boolean;
  #now: number;
  /** When all that was handed over is durable by itself, in the server's rhythm, too. */
  #durableAt = 0;
  #lastId = 0;
  readonly #calls = new Map<number, Call>();
  /** How many samples each message had that the worker has not answered. */
  readonly #appends = new Map<number, number>();
  readonly #window = new AppendWindow();
  /** What the next append, and what the next flush or its like, has to tell. */
  #untoldToAppend: Refused | undefined;
  #untoldToFlush: Refused | undefined;
  /** Handles of series by their labels in canonical form. */
  readonly #handles = new Map<string, number>();
  /** What the next message has to tell before anything else. */
  #newSeries: string[][] = [];
  readonly #batch = new Batch();
  /** Sends what the task that is running now has appended. */
  readonly #flushTask = new Macrotask(() => {
    this.#flush();
    this.#window.endTurn();
  });
  #listener: ((events: EngineEvent[]) => void) | undefined;
  readonly #liveness: Liveness;
  /** Takes back the request for the lock that tells of the worker's end. */
  readonly #mourning = new AbortController();
  #ended: SandglassError | undefined;

  /** Opens a database in a worker that has said hello. */
  static async start(worker: Worker, start: EngineStart, signal?: AbortSignal): Promise<WorkerPort> {
    const port = new WorkerPort(worker, start);
    const alive = globalThis.navigator?.locks === undefined ? undefined : `sandglass alive ${randomName()}`;
    try {
      port.role = await abortable("open", signal, () => port.#call<Port["role"]>((id) => ({ kind: "start", id, start, alive })));
      return port;
    } catch (error) {
      port.#end(error as SandglassError);
      throw error;
    }

    function randomName(): string {
      return Array.from(crypto.getRandomValues(new Uint32Array(4)), (number) => number.toString(36)).join("-");
    }
  }

  private constructor(worker: Worker, { options }: EngineStart) {
    this.#worker = worker;
    this.#manualClock = options.manualClock;
    this.#now = options.startTime;
    this.#liveness = new Liveness({
      isAwaited: () => this.#calls.size + this.#appends.size > 0,
      ping: () => this.#post({ kind: "ping" }),
      lost: () => this.#lose("has not answered for a long time"),
    });
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#take(data);
    worker.onmessageerror = () => this.#lose("has sent what cannot be read");
    worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(`has failed: ${event.message}`);
    };
  }

  // ---- ingestion --------------------------------------------------------------------------------------------------------

  series(labels: string[]): number {
    this.#check();
    const key = canonical(labels);
    let handle = this.#handles.get(key);
    if (handle === undefined) {
      handle = this.#handles.size;
      this.#handles.set(key, handle);
      this.#newSeries.push(labels);
      this.#flushSoon();
    }
    return handle;
  }

  append(series: number, timestamps: Timestamps, values: Values): Promise<void> {
    try {
      this.#checkAppend();
      checkTimestamps(timestamps);
      if (this.#makeRoom(values.length)) this.#batch.add(series, timestamps, values);
      else this.#sendAppends(packLong(series, timestamps, values));
      return this.#onItsWay(values.length);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  appendRow(fill: (target: Uint32Array, from: number, count: number) => void, timestamp: number, values: Values): Promise<void> {
    try {
      this.#checkAppend();
      checkTimestamp(timestamp, "the timestamp");
      if (this.#makeRoom(values.length)) this.#batch.addRow(fill, timestamp, values);
      else this.#sendAppends(packLongRow(fill, timestamp, values));
      return this.#onItsWay(values.length);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Throws what has become of earlier appends, once; this one is not carried out then. */
  #checkAppend(): void {
    this.#check();
    if (this.role === "reader")
      throw new SandglassError(
        "locked",
        "the database was opened for reading only, since another tab or worker writes it; open it again when that is closed",
      );
    const refused = this.#untoldToAppend;
    this.#untoldToAppend = undefined;
    if (refused !== undefined) throw told(refused);
  }

  /** Whether a call of so many samples goes with others; there is room for it then. */
  #makeRoom(samples: number): boolean {
    if (samples > BATCH_SAMPLES) {
      this.#flush();
      return false;
    }
    if (!this.#batch.hasRoom(samples)) this.#flush();
    return true;
  }

  #onItsWay(samples: number): Promise<void> {
    this.#flushSoon();
    return this.#window.add(samples);
  }

  /** All calls of one task go together. */
  #flushSoon(): void {
    if (this.#flushTask.requested) return;
    this.#flushTask.request();
    this.#window.beginTurn();
  }

  #flush(): void {
    if (this.#newSeries.length > 0) {
      this.#worker.postMessage({ kind: "series", labels: this.#newSeries } satisfies Request);
      this.#newSeries = [];
    }
    if (!this.#batch.isEmpty) this.#sendAppends(this.#batch.take());
  }

  #sendAppends(batch: Packed): void {
    const id = ++this.#lastId;
    this.#mayLose();
    this.#liveness.begin();
    this.#appends.set(id, batch.values.length);
    const buffers = [batch.calls, batch.timestamps, batch.values, batch.series].map(({ buffer }) => buffer);
    this.#worker.postMessage({ kind: "append", id, batch } satisfies Request, buffers);
  }

  /** Something was handed over that is not durable for some time. */
  #mayLose(): void {
    this.#durableAt = performance.now() + DURABLE_AFTER_MS;
  }

  // ---- requests -----------------------------------------------------------------------------------------------------------

  async ask<K extends Kind>(request: RequestOf<K>, signal?: AbortSignal): Promise<AnswerTo<K>> {
    const asked = request as EngineRequest;
    // The caller keeps what he has handed in.
    const body = bodyOf(asked)?.slice();
    const sent = withBody(asked, body);
    if (asked.kind === "ingest") this.#mayLose();
    const answer = await this.#abortable(
      nameOf(asked),
      signal,
      (id) => ({ kind: "ask", id, command: sent }),
      body && [body.buffer],
      latecomer(this, asked),
    );
    if (asked.kind === "flush" || asked.kind === "sync") this.#tellFlush();
    return answer as AnswerTo<K>;
  }

  /** Throws what has become of appends since the last call of its kind. */
  #tellFlush(): void {
    const refused = this.#untoldToFlush;
    this.#untoldToFlush = undefined;
    if (refused !== undefined) throw told(refused);
  }

  async inspect(signal?: AbortSignal): Promise<EngineState> {
    return this.#abortable("inspect", signal, (id) => ({ kind: "inspect", id }));
  }

  #abortable<T>(
    what: string,
    signal: AbortSignal | undefined,
    request: (id: number) => Request,
    transfer?: Transferable[],
    late?: (value: T) => void,
  ): Promise<T> {
    let id: number;
    return abortable(
      what,
      signal,
      () => this.#call((given) => request((id = given)), transfer),
      () => {
        if (this.#ended === undefined) this.#post({ kind: "cancel", id });
      },
      late,
    );
  }

  #call<T>(request: (id: number) => Request, transfer?: Transferable[]): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#check();
      const id = ++this.#lastId;
      this.#liveness.begin();
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#post(request(id), transfer);
    });
  }

  /** After all that was asked for before. */
  #post(request: Request, transfer: Transferable[] = []): void {
    this.#flush();
    this.#worker.postMessage(request, transfer);
  }

  now(): number {
    this.#check();
    return this.#manualClock ? this.#now : Date.now();
  }

  observe(listener: ((events: EngineEvent[]) => void) | undefined): void {
    if ((listener === undefined) !== (this.#listener === undefined)) {
      this.#check();
      this.#post({ kind: "observe", observed: listener !== undefined });
    }
    this.#listener = listener;
  }

  // ---- answers --------------------------------------------------------------------------------------------------------------

  #take(reply: Reply): void {
    this.#liveness.heard();
    switch (reply.kind) {
      case "answer": {
        if (this.#manualClock && reply.now > this.#now) this.#now = reply.now;
        const call = this.#calls.get(reply.id);
        this.#calls.delete(reply.id);
        call?.resolve(call.found ?? reply.value);
        break;
      }
      case "failed": {
        const call = this.#calls.get(reply.id);
        this.#calls.delete(reply.id);
        call?.reject(toError(reply.failure));
        break;
      }
      case "piece": {
        const call = this.#calls.get(reply.id);
        if (call !== undefined) for (const one of seriesOf(unpackSeries(reply.series))) (call.found ??= []).push(one);
        break;
      }
      case "appended":
        this.#window.give(this.#appends.get(reply.id) ?? 0);
        this.#appends.delete(reply.id);
        if (reply.refused !== undefined) this.#refused(reply.refused.samples, toError(reply.refused.failure));
        break;
      case "events":
        this.#listener?.(reply.events);
        break;
      case "alive":
        this.#mourn(reply.name);
        break;
      case "ended":
        this.#end(toError(reply.failure));
        break;
    }
  }

  #refused(samples: number, reason: SandglassError): void {
    this.#untoldToAppend = add(this.#untoldToAppend);
    this.#untoldToFlush = add(this.#untoldToFlush);

    function add(earlier: Refused | undefined): Refused {
      return { samples: (earlier?.samples ?? 0) + samples, reason: earlier?.reason ?? reason };
    }
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------

  hidden(): void {
    // What the storage refuses to take stays where it is; the state and the events tell.
    if (this.#ended === undefined) this.#call((id) => ({ kind: "ask", id, command: { kind: "sync" } })).catch(() => {});
  }

  suspend(): void {
    if (this.#ended !== undefined) return;
    this.#post({ kind: "suspend" });
    // The worker gets little time once the page is gone.
    if (performance.now() < this.#durableAt) linger();
    // It ends by itself, when it has handed to the storage what it can.
    this.#end(new SandglassError("closed", "the browser has put the page away, and the database was closed with it; open it again"), false);
  }

  async close(): Promise<void> {
    if (this.#ended?.code === "closed") return;
    try {
      await this.#call((id) => ({ kind: "close", id }));
      this.#tellFlush();
    } finally {
      this.#end(new SandglassError("closed", "the database is closed; open it again"));
    }
  }

  /** The lock that the worker holds for as long as it lives will be given to this page when it is gone. */
  #mourn(alive: string): void {
    this.#liveness.relax();
    navigator.locks
      .request(alive, { signal: this.#mourning.signal }, () => this.#lose("is gone"))
      .catch(() => {
        // Taken back, since the end has come in another way.
      });
  }

  #lose(what: string): void {
    this.#end(
      new SandglassError(
        "closed",
        `the worker of the database ${what}, and the database is closed with it; what was durable is untouched, open it again`,
      ),
    );
  }

  #end(reason: SandglassError, terminate = true): void {
    if (this.#ended !== undefined) return;
    this.#flushTask.stop();
    const inDoubt = this.#window.samples;
    if (inDoubt > 0 && reason.samples === undefined) {
      reason = new SandglassError(reason.code, `${reason.message}; ${inDoubt} samples were on their way, and may be lost`, {
        cause: reason,
        samples: inDoubt,
      });
    }
    this.#ended = reason;
    this.#window.end(reason);
    if (terminate) this.#worker.terminate();
    this.#worker.onmessage = this.#worker.onmessageerror = this.#worker.onerror = null;
    this.#liveness.stop();
    this.#mourning.abort();
    for (const call of this.#calls.values()) call.reject(reason);
    this.#calls.clear();
    this.#appends.clear();
    this.#handles.clear();
    this.#newSeries = [];
    this.#listener = undefined;
  }

  #check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }
}

/** How appends that were not taken are told to who comes next. */
function told({ samples, reason }: Refused): SandglassError {
  return new SandglassError(reason.code, `${samples} samples that were appended before were not taken: ${reason.message}`, {
    cause: reason,
    samples,
  });
}

/** Labels, names and values in turn, as the engine understands them: without empty ones, in one order. */
function canonical(flat: string[]): string {
  const labels = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i + 1] !== "") labels.set(flat[i] || "__name__", flat[i + 1]!);
  }
  if (labels.size === 0) throw new SandglassError("invalid", "a series needs at least one label with a value, such as __name__");
  return JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
}
