// A stay with a database for as long as somebody asks: with the engine of a page that has it, else with one of this thread, which makes
// room as soon as anybody else wants the database. A Service Worker visits; it may be ended at any moment, so that it should hold nothing.

import { SandglassError } from "../api/errors.js";
import { sleep } from "../base/timer.js";
import type { Port } from "../port/port.js";
import { lockName, readersLock } from "../storage/lock.js";
import { beginAlone, placesOf } from "../storage/places.js";
import type { LocalEngine } from "../worker/local_engine.js";
import { type Call, channelOf, type Shared } from "../worker/meeting.js";
import { UNSURE } from "../worker/messages.js";
import { type Host, WorkerPort } from "../worker/worker_port.js";
import { guestWire } from "./guest_wire.js";
import { type Here, heard, type Link } from "./heard.js";

type Kind = Shared["kind"];

/** Starts an engine in this thread, for nobody else. */
export type StartVisitor = (shared: Shared, signal: AbortSignal) => Promise<LocalEngine>;

/** How often it is looked who has the database, or wants it. */
const LOOK_MS = 100;
/** So long after the last request the database is left. */
const IDLE_MS = 10_000;
/** A page that is just being loaded has so long to come and open a database that does not exist, or that it alone can open. */
const ARRIVAL_MS = 2_000;
/** Who has the database and has not said a word for so long sleeps. */
const SILENT_MS = 4_000;
/** Requests under way hold up who wants the database no longer than this. */
const FAREWELL_MS = 500;
/** Who was made room for has so long to come. */
const ROOM_MS = 1_000;

const KINDS: readonly Kind[] = ["opfs", "indexeddb"];

export class Visit implements Host {
  readonly #name: string;
  readonly #startEngine: StartVisitor;
  readonly #port: WorkerPort;
  readonly #channels: ReadonlyMap<Kind, BroadcastChannel>;
  /** Requests that an engine has. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** Of another page. */
  #link: Link | undefined;
  /** Of this thread. */
  #engine: { kind: Kind; local: LocalEngine } | undefined;
  #starting: AbortController | undefined;
  /** While the engine of this thread makes room. */
  #leaving: Promise<void> | undefined;
  #seeking: Promise<void> | undefined;
  /** Requests that have no answer yet, those included that wait for an engine. */
  #asking = 0;
  /** When room was made for somebody. */
  #leftAt = 0;
  /** Whoever has the database can't be spoken with. */
  #mismatch: SandglassError | undefined;
  /** Somebody has said that he has the database. */
  #wasAnswered = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #reason: string;
  #isOver = false;
  readonly #ended: () => void;

  /** `ended` is called when the visit is over: another one has to begin. */
  constructor(name: string, startEngine: StartVisitor, ended: () => void) {
    this.#name = name;
    this.#startEngine = startEngine;
    this.#ended = ended;
    this.#reason = `the database "${name}" was not opened in time`;
    this.#port = new WorkerPort({ manualClock: false, startTime: Date.now() }, this);
    const listen = (kind: Kind) => {
      const channel = new BroadcastChannel(channelOf({ kind, name }));
      channel.onmessage = ({ data }: MessageEvent<Call>) => {
        if (data.kind === "here") this.#hear(kind, data);
        else if (data.kind === "who" && this.#engine !== undefined) void this.#leave();
      };
      return [kind, channel] as const;
    };
    this.#channels = new Map(KINDS.map(listen));
  }

  /** What holds up an answer, as far as it is known. */
  get reason(): string {
    return this.#reason;
  }

  /** Whether the engine is this thread's own, so that it ends with the thread. */
  get isOwn(): boolean {
    return this.#engine !== undefined;
  }

  /** Keeps the visit from ending until what is given back is called: somebody reads a reply that is long. */
  hold(): () => void {
    this.#asking++;
    clearTimeout(this.#idle);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.#asking === 0) this.#idle = setTimeout(() => void this.#end(), IDLE_MS);
    };
  }

  /** Asks the database, once an engine is found. */
  async ask<T>(work: (port: Port) => Promise<T>): Promise<T> {
    const release = this.hold();
    try {
      do {
        await this.#leaving;
        await this.#seek();
      } while (this.#leaving !== undefined);
      const working = work(this.#port);
      this.#underWay.add(working);
      return await working.finally(() => this.#underWay.delete(working));
    } finally {
      release();
    }
  }

  // ---- looking for an engine --------------------------------------------------------------------------------------------------

  /** Resolves when there is an engine, and rejects with the reason when there is none. */
  #seek(): Promise<void> {
    return (this.#seeking ??= this.#find().finally(() => (this.#seeking = undefined)));
  }

  /** For those who wait already, and are told by the port. */
  #seekAgain(): void {
    if (this.#asking > 0) this.#seek().catch(() => {});
  }

  async #find(): Promise<void> {
    const began = Date.now();
    this.#wasAnswered = false;
    this.#mismatch = undefined;
    try {
      while (!this.#isOver && this.#link === undefined && this.#engine === undefined) {
        for (const channel of this.#channels.values()) channel.postMessage({ kind: "who" } satisfies Call);
        await this.#look(Date.now() - began);
        if (this.#mismatch !== undefined && this.#link === undefined) throw this.#mismatch;
        if (this.#link === undefined && this.#engine === undefined) await sleep(LOOK_MS);
      }
      this.#reason = `the database "${this.#name}" is open, and the work is not done`;
    } catch (error) {
      // Who waits since an engine has gone is told, too.
      this.#port.refuse(error instanceof SandglassError ? error : new SandglassError("storage", String(error), { cause: error }));
      throw error;
    }
  }

  /** Opens the database where nobody has it; whoever has it answers soon. */
  async #look(waitedMs: number): Promise<void> {
    const name = this.#name;
    const holder = await this.#holder();
    if (holder !== undefined) {
      this.#reason = `the database "${name}" is open in a tab that does not answer: it is busy, asleep, or has a clock that moves by hand; go to that tab, or close it`;
      if (waitedMs > SILENT_MS && !this.#wasAnswered) throw new SandglassError("locked", this.#reason);
      return;
    }
    const places = await placesOf(name);
    if (places.length === 0 && waitedMs < ARRIVAL_MS) return;
    if (places.includes("opfs") && !places.includes("indexeddb")) {
      this.#reason = `the database "${name}" lies in the origin private file system, which Service Workers cannot open, and no tab has it open; open it in a tab`;
      if (waitedMs > ARRIVAL_MS) throw new SandglassError("unsupported", this.#reason);
      return;
    }
    if (this.#link !== undefined || Date.now() - this.#leftAt <= ROOM_MS) return;
    const start = () => this.#start({ kind: "indexeddb", name });
    if (places.length > 0) return start();
    // A page that begins it just now may begin it elsewhere.
    await beginAlone(name, false, async () => {
      if ((await placesOf(name)).length === 0) await start();
    });
  }

  async #holder(): Promise<Kind | undefined> {
    const { held = [] } = await navigator.locks.query();
    return KINDS.find((kind) => held.some((lock) => lock.name === lockName(this.#name, kind)));
  }

  async #start(shared: Shared): Promise<void> {
    const starting = (this.#starting = new AbortController());
    try {
      const local = await this.#startEngine(shared, starting.signal);
      if (starting.signal.aborted || this.#isOver) return void local.close().catch(() => {});
      this.#engine = { kind: shared.kind, local };
      void local.port.ended.then(() => {
        if (this.#engine?.local === local) this.#lose();
      });
      this.#watch = setInterval(() => void this.#lookWhoWaits(), LOOK_MS);
      this.#port.link(local.connect());
    } catch (error) {
      // Somebody else was faster, and says so in a moment.
      if (!starting.signal.aborted && (error as SandglassError).code !== "locked") throw error;
    } finally {
      this.#starting = undefined;
    }
  }

  #hear(kind: Kind, here: Here): void {
    if (this.#isOver || this.#engine !== undefined || this.#leaving !== undefined) return;
    this.#wasAnswered = true;
    const link = heard(here, this.#name, this.#link);
    if (link instanceof SandglassError) return void (this.#mismatch = link);
    if (link === undefined) return;
    this.#starting?.abort();
    this.#unlink();
    this.#link = link;
    this.#port.link(
      guestWire({ kind, name: this.#name }, link.term, this.#port.name, (call) => this.#channels.get(kind)?.postMessage(call)),
    );
  }

  /** The engine has gone without a word. */
  #unlink(): void {
    this.#link = undefined;
    this.#port.unlink(UNSURE);
  }

  #lose(): void {
    clearInterval(this.#watch);
    this.#engine = undefined;
    this.#unlink();
    this.#seekAgain();
  }

  // ---- making room ------------------------------------------------------------------------------------------------------------

  /** Not everybody who wants the database asks aloud. */
  async #lookWhoWaits(): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    const { held = [], pending = [] } = await navigator.locks.query();
    const wanted = [lockName(this.#name, engine.kind), readersLock(this.#name, engine.kind)];
    const isWanted = pending.some(({ name }) => wanted.includes(name!));
    // A page has begun a database of this name elsewhere.
    const isElsewhere = KINDS.some((kind) => kind !== engine.kind && held.some(({ name }) => name === lockName(this.#name, kind)));
    if ((isWanted || isElsewhere) && engine === this.#engine) await this.#leave();
  }

  /** Gives the database up, once what is under way has ended; what is asked from now on waits for the next engine. */
  #leave(): Promise<void> {
    this.#leaving ??= this.#part().finally(() => {
      this.#leaving = undefined;
      this.#leftAt = Date.now();
      this.#seekAgain();
    });
    return this.#leaving;
  }

  async #part(): Promise<void> {
    clearInterval(this.#watch);
    await Promise.race([Promise.allSettled([...this.#underWay]), sleep(FAREWELL_MS)]);
    const engine = this.#engine?.local;
    this.#engine = undefined;
    await engine?.close().catch(() => {});
    this.#port.unlink({ isSafe: true, isSettled: false });
  }

  async #end(): Promise<void> {
    if (this.#isOver || this.#asking > 0) return;
    this.#isOver = true;
    this.#ended();
    await this.#leave();
    for (const channel of this.#channels.values()) channel.close();
    this.#port.end(new SandglassError("closed", "nobody has asked for a while"));
  }

  // ---- what the port tells ----------------------------------------------------------------------------------------------------

  lost(): void {
    if (this.#link === undefined) return;
    this.#unlink();
    this.#seekAgain();
  }

  moving(): void {
    this.#link = undefined;
    this.#seekAgain();
  }

  flush(): void {
    this.#port.flush();
  }

  async verify(): Promise<void> {}

  isLast(): boolean {
    return false;
  }

  async leave(): Promise<void> {}
}
