// The engine's side of a line: carries out what one port asks for.

import type { InlinePort } from "../engine/inline_port.js";
import { ACCEPTED } from "../engine/pump.js";
import { SandglassError } from "../api/errors.js";
import { deletes, type EngineRequest, goesOn, nameOf, takesIn } from "../port/requests.js";
import { cursorOf } from "../port/port.js";
import type { EngineEvent } from "../api/events.js";
import { type Packed, unpack } from "./append_batch.js";
import type { Audience } from "./audience.js";
import { type Failure, mayBeLost, type RefusedBatch, type Reply, type Request, toError, toFailure } from "./messages.js";
import { buffersOfSeries, packSeries } from "./series_pack.js";
import { Taken } from "./taken.js";

/** An engine that several work with. */
export interface Desk {
  readonly port: InlinePort;
  readonly audience: Audience;
  /** The engine can't be trusted any more. */
  readonly failed: (reason: unknown) => void;
}

/** What another page appends becomes durable so long after it came: that page keeps it until then. */
const DURABLE_WITHIN_MS = 900;

/** What writes piece by piece. */
const PIECEWISE = /^(ingest|restore)[A-Z]/;
const ENDING = /(Close|Abort|End|Unwatch)$/;
/** There is one at a time. */
const RESTORATION = "restore";

export interface ServiceOptions {
  /** The port is another page's, which wants to know what is durable. */
  isRemote: boolean;
  /** What was taken from it before. */
  taken?: Taken;
  /** Looks whether the storage is there, and ends the engine when it is not. */
  verify?: () => Promise<void>;
}

export class Service {
  readonly #desk: () => Desk;
  readonly #post: (reply: Reply, transfer: Transferable[]) => void;
  readonly #isRemote: boolean;
  readonly #verify: () => Promise<void>;
  /** For the port's handles of series those of the engine, or why there is none. */
  readonly #handles: (number | Failure)[] = [];
  /** Answers that have not been sent yet. */
  readonly #answering = new Set<Promise<void>>();
  /** Appends that the engine has neither taken nor refused yet. */
  readonly #arriving = new Set<Promise<void>>();
  /** The piece of a body that the engine has last been asked to take. */
  #taking: Promise<unknown> = Promise.resolve();
  /** Calls that can be given up. */
  readonly #underWay = new Map<number, AbortController>();
  /** What has to be closed when this port goes, by its number or name, and the command for that. */
  readonly #open = new Map<number | string, EngineRequest>();
  readonly #listener = (events: EngineEvent[]) => this.#send({ kind: "events", events });
  readonly #taken: Taken;
  #storing: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(
    desk: () => Desk,
    post: (reply: Reply, transfer: Transferable[]) => void,
    { isRemote, taken = new Taken(), verify = async () => {} }: ServiceOptions,
  ) {
    this.#desk = desk;
    this.#post = post;
    this.#isRemote = isRemote;
    this.#verify = verify;
    this.#taken = taken;
  }

  take(request: Request): void {
    if (this.#isOver) return;
    switch (request.kind) {
      case "series":
        for (const labels of request.labels) this.#handles.push(this.#define(labels));
        break;
      case "append":
        this.#arrive(this.#append(request.id, request.batch).catch((reason: unknown) => this.#desk().failed(reason)));
        break;
      case "ask":
        this.answer(request.id, () => this.#ask(request.id, request.command));
        break;
      case "inspect":
        this.answer(request.id, async () => {
          await this.afterAppends();
          return this.#desk().port.inspect();
        });
        break;
      case "cancel":
        this.#underWay.get(request.id)?.abort();
        break;
      case "observe":
        if (request.observed) this.#desk().audience.add(this.#listener);
        else this.#desk().audience.delete(this.#listener);
        break;
      case "ping":
        this.#send({ kind: "pong" });
        break;
      case "close":
        this.answer(request.id, async () => {
          const before = [...this.#answering];
          await this.afterAppends();
          if (request.stays) await this.#desk().port.ask({ kind: "sync" });
          await Promise.allSettled(before);
        });
        void Promise.allSettled([...this.#answering]).then(() => this.end());
        break;
    }
  }

  /** Whatever is under way has been answered, as far as it came before. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#answering]);
  }

  /** All that was taken from this port is durable. */
  allDurable(): void {
    if (this.#isRemote) this.#send({ kind: "durable", id: this.#taken.lastId });
  }

  /** Nothing more comes from the port: what it has asked for is done, and what it has left open is closed. */
  async part(): Promise<void> {
    await this.settled();
    this.end();
  }

  /** The port is gone: what it has asked for is given up. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#storing);
    for (const control of this.#underWay.values()) control.abort();
    const { port, audience } = this.#desk();
    if (!port.isOpen) return;
    audience.delete(this.#listener);
    // Of a snapshot that is being restored the engine gives nothing up while it takes a piece.
    void this.settled().then(() => {
      for (const closing of this.#open.values()) port.ask(closing).catch(() => {});
    });
  }

  #send(reply: Reply, transfer: Transferable[] = []): void {
    if (!this.#isOver) this.#post(reply, transfer);
  }

  #keep(sent: Promise<void>): void {
    this.#answering.add(sent);
    void sent.finally(() => this.#answering.delete(sent));
  }

  #arrive(appended: Promise<void>): void {
    this.#keep(appended);
    this.#arriving.add(appended);
    void appended.finally(() => this.#arriving.delete(appended));
  }

  answer(id: number, run: () => Promise<unknown>): void {
    this.#keep(this.#outcome(id, run));
  }

  async #outcome(id: number, run: () => Promise<unknown>): Promise<void> {
    try {
      const value = await run();
      const { port } = this.#desk();
      // There may be too little memory to hand it over.
      this.#send({ kind: "answer", id, value, now: port.isOpen ? port.now() : 0 }, buffersOf(value));
    } catch (error) {
      const failure = toFailure(error);
      if (mayBeLost(failure[0])) await this.#verify();
      this.#send({ kind: "failed", id, failure });
    }
  }

  async #ask(id: number, command: EngineRequest): Promise<unknown> {
    const control = new AbortController();
    this.#underWay.set(id, control);
    const lastTaken = this.#taken.lastId;
    try {
      await this.afterAppends();
      const { port } = this.#desk();
      // Numbers of another engine may be somebody else's in this one.
      if (goesOn(command) && !this.#open.has(keyOf(command)))
        throw new SandglassError("interrupted", `the engine that had begun this ${nameOf(command)} has gone; look, and try again`);
      if (command.kind !== "select") {
        const answer: unknown = await this.#inTurn(command, () => this.#carryOut(port, command, control.signal));
        if (command.kind === "sync" && this.#isRemote) this.#send({ kind: "durable", id: lastTaken });
        if (deletes(command) && this.#isRemote) await this.#storeNow(lastTaken);
        this.#note(command, answer);
        if (takesIn(command) && this.#isRemote) this.#storeSoon();
        return answer;
      }
      await port.select(command, control.signal, (piece) => {
        const series = packSeries(piece);
        this.#send({ kind: "piece", id, series }, buffersOfSeries(series));
      });
      return [];
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** Pieces of bodies come ahead, and one of unknown series takes longer than the next: they go to the engine one after the other. */
  #inTurn<Answer>(command: EngineRequest, ask: () => Promise<Answer>): Promise<Answer> {
    if (!("ingest" in command)) return ask();
    const answer = this.#taking.then(ask, ask);
    this.#taking = answer;
    return answer;
  }

  async #carryOut(port: InlinePort, command: EngineRequest, signal: AbortSignal): Promise<unknown> {
    if (!PIECEWISE.test(command.kind)) return port.ask(command, signal);
    signal.throwIfAborted();
    // What fails the engine has given up by itself, and the next snapshot may be another port's.
    if (goesOn(command) && keyOf(command) === RESTORATION) this.#open.delete(RESTORATION);
    // The engine would go on with it though nobody waits, and what has come can be given up only then.
    return port.ask(command);
  }

  /** What has to be closed when this port goes. */
  #note(command: EngineRequest, answer: unknown): void {
    switch (command.kind) {
      case "exportOpen":
      case "pushOpen":
      case "pushLate":
      case "http": {
        const cursor = cursorOf(command.kind, answer);
        if (cursor !== undefined) this.#open.set(cursor, { kind: "exportClose", cursor });
        return;
      }
      case "pushWatch":
        this.#open.set(command.watch, { kind: "pushUnwatch", watch: command.watch });
        return;
      case "ingestOpen":
        this.#open.set(answer as number, { kind: "ingestClose", ingest: answer as number });
        return;
      case "restoreBegin":
      case "restoreFeed":
        this.#open.set(RESTORATION, { kind: "restoreAbort" });
        return;
      case "exportNext":
      case "pushNext":
        if (answer === null) this.#open.delete(command.cursor);
        return;
      default:
        if (ENDING.test(command.kind)) this.#open.delete(keyOf(command));
    }
  }

  #define(labels: string[]): number | Failure {
    try {
      return this.#desk().port.series(labels);
    } catch (error) {
      return toFailure(error);
    }
  }

  #handleOf(series: number): number {
    const handle = this.#handles[series]!;
    if (typeof handle === "number") return handle;
    throw toError(handle);
  }

  async #append(id: number, batch: Packed): Promise<void> {
    const refused = await this.#taken.outcome(id, () => this.#takeBatch(batch));
    if (refused !== undefined && mayBeLost(refused.failure[0])) await this.#verify();
    this.#send({ kind: "appended", id, refused });
    if (this.#isRemote) this.#storeSoon();
  }

  async #takeBatch(batch: Packed): Promise<RefusedBatch | undefined> {
    const { port } = this.#desk();
    let refused: RefusedBatch | undefined;
    const waiting: Promise<void>[] = [];
    const carryOut = (samples: number, call: () => Promise<void>) => {
      const refuse = (error: unknown) => {
        refused ??= { samples: 0, failure: toFailure(error) };
        // Of a long call it may be a part.
        refused.samples += (error as SandglassError).samples ?? samples;
      };
      try {
        const accepted = call();
        if (accepted !== ACCEPTED) waiting.push(accepted.catch(refuse));
      } catch (error) {
        refuse(error);
      }
    };
    unpack(
      batch,
      (series, timestamps, values) => carryOut(values.length, () => port.append(this.#handleOf(series), timestamps, values)),
      (series, timestamp, values) =>
        carryOut(values.length, () => {
          const own = series.map((handle) => this.#handleOf(handle));
          return port.appendRow((target, from, count) => target.set(own.subarray(from, from + count)), timestamp, values);
        }),
    );
    await Promise.all(waiting);
    return refused;
  }

  /** Whether the engine has something of this port that it has neither taken nor refused yet. */
  get isArriving(): boolean {
    return this.#arriving.size > 0;
  }

  /** Appends that came before this call have been taken, or refused, when it goes on: what comes behind them finds them. */
  async afterAppends(): Promise<void> {
    // Not those that come meanwhile: a stream of appends would hold up the rest for ever.
    const arriving = [...this.#arriving, ...this.#taken.arriving];
    if (arriving.length > 0) await Promise.allSettled(arriving);
  }

  /** Makes durable what was taken up to a batch: the port forgets that, and sends it to no other engine. */
  async #storeNow(id: number): Promise<void> {
    try {
      await this.#desk().port.ask({ kind: "sync" });
      this.#send({ kind: "durable", id });
    } catch {
      // The storage takes nothing at the moment; what waits is tried again with what comes next.
    }
  }

  #storeSoon(): void {
    this.#storing ??= setTimeout(() => void this.#store(), DURABLE_WITHIN_MS);
  }

  async #store(): Promise<void> {
    const id = this.#taken.lastId;
    await this.afterAppends();
    await this.#storeNow(id);
    this.#storing = undefined;
    if (this.#taken.lastId > id && !this.#isOver) this.#storeSoon();
  }
}

/** By what the engine knows what a command goes on with; bodies and exports share their numbers. */
function keyOf(command: EngineRequest): number | string {
  if ("cursor" in command) return command.cursor;
  if ("ingest" in command) return command.ingest;
  return "watch" in command ? command.watch : RESTORATION;
}

/** The columns and bytes of an answer. */
function buffersOf(value: unknown): Transferable[] {
  const pieces: unknown[] = Array.isArray(value) ? value : [value];
  return pieces.flatMap((piece) => (ArrayBuffer.isView(piece) ? [piece.buffer as ArrayBuffer] : []));
}
