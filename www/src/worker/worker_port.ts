// The engine behind messages: in a worker of this page, or with another page that has the database.

import { forCaller } from "../base/caller.js";
import { abortable } from "../base/abort.js";
import { unreadable } from "../base/arguments.js";
import type { Timestamps, Values } from "./append_batch.js";
import type { EngineStart } from "../engine/start.js";
import { SandglassError } from "../api/errors.js";
import { latecomer, type Port } from "../port/port.js";
import {
  type AnswerTo,
  bodyOf,
  type EngineRequest,
  goesOn,
  inDialect,
  isRepeatable,
  type Kind,
  nameOf,
  type RequestOf,
  withBody,
  takesIn,
} from "../port/requests.js";
import { seriesOf } from "../port/series.js";
import { mayBeLost, type Parting, type Reply, type Request, toError } from "./messages.js";
import { Outbox } from "./outbox.js";
import { unpackSeries } from "./series_pack.js";
import { randomName } from "../base/random_name.js";
import { type Wire, workerWire } from "./wire.js";
import type { EngineEvent } from "../api/events.js";
import type { SeriesData } from "../api/samples.js";
import type { EngineState } from "../api/state.js";
import { linger, outlivesPage, WORKER_LINGER_MS } from "../base/linger.js";
import { Liveness } from "./liveness.js";

/** A page that has handed nothing over for so long has nothing to lose when it goes away. */
const DURABLE_AFTER_MS = 15_000;

interface Call {
  readonly request: Request;
  resolve(value: unknown): void;
  reject(error: SandglassError): void;
  /** The part of an answer that has come already. */
  found?: SeriesData[];
  readonly began: number;
  /** The batch of samples that it comes behind. */
  readonly batch: number;
  /** How many engines were asked. */
  sendings: number;
  /** Nobody waits for it any more, but the engine that was asked. */
  isGivenUp: boolean;
}

/** A call that has met so many ends may be what causes them. */
const MAX_SENDINGS = 3;

/** Who finds another engine for a port when the one it works with has gone. */
export interface Host {
  /** The engine does not answer any more. */
  lost(port: WorkerPort): void;
  /** The engine leaves its page. */
  moving(): void;
  /** Somebody asks for something: what other ports have appended before goes before. */
  flush(): void;
  /** A call has failed by its storage: looks whether that is still there. */
  verify(): Promise<void>;
  /** Whether the engine ends with this port. */
  isLast(port: WorkerPort): boolean;
  /** The port has been closed by its user; `isStored`: what it had handed over is durable. */
  leave(port: WorkerPort, isStored?: boolean): Promise<void>;
}

/** What is the port's own, whichever engine it works with. `dialect`: nothing for that of the engine. */
export type PortOptions = Pick<EngineStart["options"], "manualClock" | "startTime"> & { dialect?: string | undefined };

export class WorkerPort implements Port {
  /** By which other pages know it. */
  readonly name = randomName();
  role: Port["role"] = "writer";
  readonly aheadBytes = 1024 * 1024;
  readonly ended: Promise<SandglassError>;
  readonly #host: Host | undefined;
  #wire: Wire | undefined;
  readonly #manualClock: boolean;
  /** The language of this port's queries; the engine may have been started for one of another. */
  readonly #dialect: string | undefined;
  #now: number;
  /** When all that was handed over is durable by itself, in the server's rhythm, too. */
  #durableAt = 0;
  #lastId = 0;
  readonly #calls = new Map<number, Call>();
  #lastSession = 0;
  readonly #sessions = new Map<number, (reply: Reply) => void>();
  readonly #outbox = new Outbox(() => {
    this.#mayLose();
    this.#begin();
  });
  #listener: ((events: EngineEvent[]) => void) | undefined;
  readonly #liveness: Liveness;
  /** Since the storage has refused samples: whether it is there is being looked at. */
  #verifying: Promise<void> | undefined;
  /** Takes back the request for the lock that tells of the worker's end. */
  readonly #mourning = new AbortController();
  #reason: SandglassError | undefined;
  #tellEnd!: (reason: SandglassError) => void;
  /** Resolves once an engine takes what is sent. */
  readonly heard: Promise<void>;
  #tellHeard!: () => void;
  #tellUnheard!: (reason: SandglassError) => void;

  /** Opens a database in a worker that has said hello. */
  static async start(worker: Worker, start: EngineStart, signal?: AbortSignal): Promise<WorkerPort> {
    const port = new WorkerPort(start.options, undefined);
    port.link(workerWire(worker));
    const alive = globalThis.navigator?.locks === undefined ? undefined : `sandglass alive ${randomName()}`;
    try {
      port.role = await abortable("open", signal, () => port.#call<Port["role"]>((id) => ({ kind: "start", id, start, alive })));
      return port;
    } catch (error) {
      port.end(error as SandglassError);
      throw error;
    }
  }

  /** A port that `host` links to engines; without a host it is for one engine alone. */
  constructor({ manualClock, startTime, dialect }: PortOptions, host: Host | undefined) {
    this.#host = host;
    this.#manualClock = manualClock;
    this.#dialect = dialect;
    this.#now = startTime;
    this.ended = new Promise((resolve) => (this.#tellEnd = resolve));
    this.heard = new Promise((resolve, reject) => ([this.#tellHeard, this.#tellUnheard] = [resolve, reject]));
    // Who opens waits for it; later on nobody does.
    this.heard.catch(() => {});
    this.#liveness = new Liveness({
      isAwaited: () => this.#wire !== undefined && this.#calls.size + this.#outbox.unanswered > 0,
      ping: () => this.#wire?.post({ kind: "ping" }, []),
      lost: (what) => this.#broken(what),
    });
  }

  // ---- engines that come and go --------------------------------------------------------------------------------------------

  /** From now on this engine is asked. It gets what waits and what another one has left undone. */
  link(wire: Wire): void {
    this.#wire = wire;
    wire.listen(
      (reply) => this.#take(reply),
      (what) => this.#broken(what),
    );
    void wire.heard.then(this.#tellHeard);
    if (wire.isLocal && this.#host !== undefined) this.#liveness.relax();
    if (this.#listener !== undefined) wire.post({ kind: "observe", observed: true }, []);
    const waiting = [...this.#calls.values()];
    this.#outbox.link(wire, (batch) => {
      while (waiting.length > 0 && waiting[0]!.batch <= batch) this.#send(waiting.shift()!);
    });
    if (this.#calls.size > 0) this.#liveness.begin();
  }

  /** The engine has gone. What waits goes to the next one, or is told that nobody knows. */
  unlink(parting: Parting): void {
    this.#outbox.unlink(parting.isSafe);
    this.#detach(parting.isSettled);
  }

  /** Since when somebody waits for an answer. */
  get waitsSince(): number | undefined {
    return this.#calls.values().next().value?.began;
  }

  /** Sends what was appended. */
  flush(): void {
    this.#outbox.flush();
  }

  /** This page goes, perhaps to come back. */
  putAway(): void {
    this.#outbox.leave();
    this.#detach(false);
  }

  #detach(isSettled: boolean): void {
    if (this.#wire === undefined) return;
    this.#wire.end();
    this.#wire = undefined;
    for (const [id, call] of this.#calls) {
      delete call.found;
      if (call.isGivenUp) this.#calls.delete(id);
      if (call.isGivenUp || call.sendings === 0) continue;
      const asked = call.request.kind === "ask" ? call.request.command : undefined;
      if (isSettled && !(asked && goesOn(asked))) {
        call.sendings = 0;
        continue;
      }
      if (call.sendings < MAX_SENDINGS && (asked === undefined || isRepeatable(asked))) continue;
      this.#calls.delete(id);
      const what = asked === undefined ? call.request.kind : nameOf(asked);
      call.reject(
        new SandglassError(
          "interrupted",
          `the page with the database went away during ${what}, and nobody knows whether it took effect; look, and try again`,
          {
            tookEffect: "unknown",
          },
        ),
      );
    }
  }

  /** Nobody answers at the moment: those who wait are told so. Later calls try again. */
  refuse(reason: SandglassError): void {
    for (const call of this.#calls.values()) call.reject(reason);
    this.#calls.clear();
    this.#tellUnheard(reason);
  }

  // ---- ingestion --------------------------------------------------------------------------------------------------------

  series(labels: string[]): number {
    this.#check();
    return this.#outbox.series(labels);
  }

  append(series: number, timestamps: Timestamps, values: Values): Promise<void> {
    try {
      this.#checkAppend();
      return this.#outbox.append(series, timestamps, values);
    } catch (error) {
      return Promise.reject(error instanceof SandglassError ? error : unreadable("the samples cannot be read", error));
    }
  }

  appendRow(fill: (target: Uint32Array, from: number, count: number) => void, timestamp: number, values: Values): Promise<void> {
    try {
      this.#checkAppend();
      return this.#outbox.appendRow(fill, timestamp, values);
    } catch (error) {
      return Promise.reject(error instanceof SandglassError ? error : unreadable("the samples cannot be read", error));
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
    this.#outbox.refusals.tellAppend();
  }

  /** Something was handed over that is not durable for some time. */
  #mayLose(): void {
    this.#durableAt = performance.now() + DURABLE_AFTER_MS;
  }

  // ---- requests -----------------------------------------------------------------------------------------------------------

  async ask<K extends Kind>(request: RequestOf<K>, signal?: AbortSignal): Promise<AnswerTo<K>> {
    const asked = this.#dialect === undefined ? (request as EngineRequest) : inDialect(request as EngineRequest, this.#dialect);
    // The caller of a request keeps what he has handed in; pieces were made for this.
    const sent = asked.kind === "http" ? withBody(asked, asked.body.slice()) : asked;
    if (takesIn(asked)) this.#mayLose();
    const answering = this.#abortable(nameOf(asked), signal, (id) => ({ kind: "ask", id, command: sent }), latecomer(this, asked));
    const answer = await forCaller(answering);
    if (asked.kind === "flush" || asked.kind === "sync") {
      await this.#verifying;
      // The journal's handles are good even when the browser has removed its files.
      if (asked.kind === "sync") await this.#host?.verify();
      this.#check();
      if (asked.kind === "sync" || !asked.isQuiet) this.#outbox.refusals.tellFlush();
    }
    return answer as AnswerTo<K>;
  }

  async inspect(signal?: AbortSignal): Promise<EngineState> {
    return this.#abortable("inspect", signal, (id) => ({ kind: "inspect", id }));
  }

  #abortable<T>(what: string, signal: AbortSignal | undefined, request: (id: number) => Request, late?: (value: T) => void): Promise<T> {
    let id: number;
    return abortable(
      what,
      signal,
      () => this.#call((given) => request((id = given))),
      () => {
        const call = this.#calls.get(id);
        if (call === undefined) return;
        call.isGivenUp = true;
        // The next engine is not asked.
        if (this.#wire === undefined) this.#calls.delete(id);
        else this.#post({ kind: "cancel", id });
      },
      late,
    );
  }

  #call<T>(request: (id: number) => Request): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#check();
      const id = ++this.#lastId;
      this.#begin();
      if (this.#host === undefined) this.#outbox.flush();
      else this.#host.flush();
      const call = {
        request: request(id),
        resolve: resolve as (value: unknown) => void,
        reject,
        began: Date.now(),
        batch: this.#outbox.lastId,
        sendings: 0,
        isGivenUp: false,
      };
      this.#calls.set(id, call);
      this.#send(call);
    });
  }

  #send(call: Call): void {
    if (this.#wire === undefined) return;
    call.sendings++;
    // What may have to go to another engine stays here.
    const asked = call.request.kind === "ask" ? call.request.command : undefined;
    const isGivenAway = asked !== undefined && (this.#host === undefined || (this.#wire.isLocal && goesOn(asked)));
    const body = isGivenAway ? bodyOf(asked) : undefined;
    this.#wire.post(call.request, body === undefined ? [] : [body.buffer as ArrayBuffer]);
  }

  /** Somebody is about to wait for an answer. */
  #begin(): void {
    if (this.#wire !== undefined) this.#liveness.begin();
  }

  /** After all that was asked for before. */
  #post(request: Request, transfer: Transferable[] = []): void {
    this.#outbox.flush();
    this.#wire?.post(request, transfer);
  }

  /** Another line to this worker's engine, with answers, events and refusals of its own. What is sent on either keeps its order. */
  connect(): Wire {
    this.#check();
    const session = ++this.#lastSession;
    return {
      isLocal: true,
      heard: Promise.resolve(),
      post: (request, transfer) => {
        if (request.kind === "append" || (request.kind === "ask" && takesIn(request.command))) this.#mayLose();
        this.#wire?.post({ kind: "session", session, request }, transfer);
      },
      listen: (take) => void this.#sessions.set(session, take),
      end: () => {
        this.#sessions.delete(session);
        this.#wire?.post({ kind: "part", session }, []);
      },
    };
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
        void this.#failed(reply.id, toError(reply.failure));
        break;
      }
      case "piece": {
        const call = this.#calls.get(reply.id);
        if (call !== undefined) for (const one of seriesOf(unpackSeries(reply.series))) (call.found ??= []).push(one);
        break;
      }
      case "appended": {
        const { id, refused } = reply;
        if (refused !== undefined && mayBeLost(refused.failure[0])) this.#verifying = this.#host?.verify();
        this.#outbox.answered(id, refused && { samples: refused.samples, reason: toError(refused.failure) });
        break;
      }
      case "durable":
        this.#outbox.durable(reply.id);
        break;
      case "moving":
        this.unlink(reply.parting);
        this.#host?.moving();
        break;
      case "session":
        this.#sessions.get(reply.session)?.(reply.reply);
        break;
      case "events":
        this.#listener?.(reply.events);
        break;
      case "alive":
        this.#mourn(reply.name);
        break;
      case "ended":
        this.end(toError(reply.failure));
        break;
    }
  }

  async #failed(id: number, error: SandglassError): Promise<void> {
    // When all is gone the end tells it.
    if (mayBeLost(error.code)) await this.#host?.verify();
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.reject(error);
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------

  hidden(): void {
    // What the storage refuses to take stays where it is; the state and the events tell.
    if (this.#reason === undefined) this.store().catch(() => {});
  }

  /** What the engine has becomes durable. What was refused before is left to be told to those who have appended it. */
  async store(): Promise<void> {
    await this.#call((id) => ({ kind: "ask", id, command: { kind: "sync" } }));
  }

  suspend(): void {
    if (this.#reason !== undefined) return;
    this.#post({ kind: "suspend" });
    // The worker gets little time once the page is gone.
    if (performance.now() < this.#durableAt) linger(WORKER_LINGER_MS);
    // The worker ends by itself, when it has handed to the storage what it can. WebKit lets it sleep with the page, and hold the database's lock: there
    // it is ended.
    const reason = "the browser has put the page away, and the database was closed with it; open it again";
    this.end(new SandglassError("closed", reason), !outlivesPage());
  }

  async close(): Promise<void> {
    if (this.#reason?.code === "closed") return;
    const host = this.#host;
    const stays = host?.isLast(this) === false;
    try {
      try {
        await this.#call((id) => ({ kind: "close", id, stays }));
      } finally {
        await host?.leave(this, stays);
      }
      this.#outbox.refusals.tellFlush();
    } finally {
      this.end(new SandglassError("closed", "the database is closed; open it again"));
    }
  }

  /** The lock that the worker holds for as long as it lives will be given to this page when it is gone, or when the site's data are cleared. */
  #mourn(alive: string): void {
    this.#liveness.relax();
    navigator.locks
      .request(alive, { signal: this.#mourning.signal }, () => this.#liveness.suspect())
      .catch(() => {
        // Taken back, since the end has come in another way.
      });
  }

  #broken(what: string): void {
    if (this.#host !== undefined) return this.#host.lost(this);
    this.end(
      new SandglassError(
        "closed",
        `the worker of the database ${what}, and the database is closed with it; what was durable is untouched, open it again`,
      ),
    );
  }

  /** Nothing is possible any more. A worker of this port's own ends, unless it is still to do something. */
  end(reason: SandglassError, terminate = true): void {
    if (this.#reason !== undefined) return;
    const inDoubt = this.#outbox.samples;
    if (inDoubt > 0 && reason.samples === undefined) {
      reason = new SandglassError(reason.code, `${reason.message}; ${inDoubt} samples were on their way, and may be lost`, {
        cause: reason,
        samples: inDoubt,
      });
    }
    this.#reason = reason;
    this.#outbox.end(reason);
    if (terminate) this.#wire?.end();
    else
      this.#wire?.listen(
        () => {},
        () => {},
      );
    this.#wire = undefined;
    this.#liveness.stop();
    this.#mourning.abort();
    for (const call of this.#calls.values()) call.reject(reason);
    this.#calls.clear();
    this.#listener = undefined;
    this.#tellEnd(reason);
    this.#tellUnheard(reason);
  }

  #check(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }
}
