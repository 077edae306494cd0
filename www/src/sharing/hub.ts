// The ports of this page that work with one database, and the engine they work with: that of this page, or another page's. When it
// goes, the hub finds another one, or starts its own.

import { SandglassError } from "../api/errors.js";
import type { Opened } from "../api/options.js";
import { offAbort, onAbort } from "../base/abort.js";
import { randomName } from "../base/random_name.js";
import { sleep } from "../base/timer.js";
import { type LockOptions, lockName, refusalOfLock } from "../storage/lock.js";
import type { LocalEngine } from "../worker/local_engine.js";
import { type Call, channelOf, lockOfNext, type Shared } from "../worker/meeting.js";
import { UNSURE } from "../worker/messages.js";
import { type Host, type PortOptions, WorkerPort } from "../worker/worker_port.js";
import { isInOpfs, REMOVED } from "../storage/opfs.js";
import { guestWire } from "./guest_wire.js";
import { type Here, heard, type Link } from "./heard.js";
import { onLeaving } from "./leaving.js";

/** Starts an engine in this page, once it has the database's lock. */
export type StartEngine = (lock: LockOptions, term: string, signal: AbortSignal) => Promise<LocalEngine>;

/** How often the page with the engine is asked whether it is there. */
const ASK_MS = 250;
/** A timer that comes so late was held up together with the whole page, and so were the answers. */
const LATE_MS = 1_000;
/** Who has the lock and has not answered so many questions sleeps. The next in line is the first to act on it. */
const SILENT_ASKS = 20;
/** Others were faster so often: then something else stands in the way. */
const MAX_LOST_RACES = 5;

/** Who waits so long for files makes the hub look whether they are there. */
const LOOK_MS = 2_000;

/** Who has the database answers so soon. */
const ANSWER_MS = 150;
/** Who gets the lock though another page has the database looks again so much later. */
const APART_MS = 1_000;
/** A database of this page was taken away, which may have happened to its locks as well. */
let mayBeApart = false;

/** The hubs of this page that others may join. */
const hubs = new Map<string, Hub>();

export class Hub implements Host {
  readonly #shared: Shared;
  readonly #startEngine: StartEngine;
  readonly #ports = new Set<WorkerPort>();
  /** Of this page. */
  #engine: LocalEngine | undefined;
  /** Of another page. */
  #link: Link | undefined;
  #channel: BroadcastChannel | undefined;
  /** Aborted when the page goes, or when nothing needs to be looked for any more. */
  #awake: AbortController | undefined;
  #starting: AbortController | undefined;
  #ownTerm = "";
  #isNext = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #unanswered = 0;
  #answers = 0;
  #lostRaces = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #isOver = false;
  #ready = deferred();
  readonly #stopListening: () => void;

  /** The hub of this page for the database. */
  static of(shared: Shared, startEngine: StartEngine): Hub {
    const known = hubs.get(channelOf(shared));
    if (known !== undefined) return known;
    const hub = new Hub(shared, startEngine);
    hubs.set(channelOf(shared), hub);
    hub.#seek();
    return hub;
  }

  /** A hub with an engine that runs already. */
  static with(shared: Shared, engine: LocalEngine, startEngine: StartEngine): Hub {
    const hub = new Hub(shared, startEngine);
    if (!hubs.has(channelOf(shared))) hubs.set(channelOf(shared), hub);
    hub.#hold(engine);
    return hub;
  }

  private constructor(shared: Shared, startEngine: StartEngine) {
    this.#shared = shared;
    this.#startEngine = startEngine;
    this.#stopListening = onLeaving({
      putAway: () => this.#putAway(),
      back: () => this.#rouse(),
      hidden: () => this.#ports.forEach((port) => port.hidden()),
    });
  }

  /** A new port, once there is an engine to work with. */
  async open(options: PortOptions, signal: AbortSignal | undefined): Promise<{ port: WorkerPort; thread: Opened["thread"] }> {
    const port = new WorkerPort({ ...options, dialect: options.dialect ?? "metricsql" }, this);
    this.#ports.add(port);
    this.#connect(port);
    const giveUp = () => {
      port.end(new SandglassError("aborted", "opening the database was given up"));
      void this.leave(port).catch(() => {});
    };
    onAbort(signal, giveUp);
    try {
      await this.#ready.promise;
      // Until then nothing of this port outlives its page.
      await port.heard;
      return { port, thread: this.#engine?.thread ?? "worker" };
    } catch (error) {
      port.end(error as SandglassError);
      void this.leave(port, true).catch(() => {});
      throw error;
    } finally {
      offAbort(signal, giveUp);
    }
  }

  #connect(port: WorkerPort): void {
    if (this.#engine !== undefined) port.link(this.#engine.connect());
    else if (this.#link !== undefined)
      port.link(guestWire(this.#shared, this.#link.term, port.name, (call) => this.#channel?.postMessage(call)));
  }

  /** The engine has gone without a word. */
  #unlink(): void {
    this.#link = undefined;
    for (const port of this.#ports) port.unlink(UNSURE);
  }

  // ---- looking for an engine ------------------------------------------------------------------------------------------------

  #seek(): void {
    this.#awake = new AbortController();
    const { signal } = this.#awake;
    this.#channel = new BroadcastChannel(channelOf(this.#shared));
    this.#channel.onmessage = ({ data }: MessageEvent<Call>) => {
      if (data.kind === "here") this.#hear(data);
    };
    this.#askSoon(0);
    this.#succeed(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#end(error instanceof SandglassError ? error : refusalOfLock(this.#shared.name, error));
    });
  }

  #askSoon(ms: number): void {
    clearTimeout(this.#timer);
    this.#due = Date.now() + ms;
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    if (this.#isOver || this.#link !== undefined || this.#engine !== undefined || this.#channel === undefined) return;
    if (this.#starting !== undefined || Date.now() > this.#due + LATE_MS) this.#unanswered = 0;
    this.#channel.postMessage({ kind: "who" } satisfies Call);
    this.#unanswered++;
    this.#askSoon(ASK_MS);
    // Of several who wait, one acts at a time.
    const patience = this.#isNext ? SILENT_ASKS : SILENT_ASKS * (2 + Math.random());
    if (this.#unanswered <= patience) return;
    this.#unanswered = 0;
    if (await isHeld(lockName(this.#shared.name, this.#shared.kind))) await this.#silent();
  }

  #hear(here: Here): void {
    if (this.#isOver || this.#engine !== undefined || here.term === this.#ownTerm) return;
    this.#unanswered = 0;
    this.#answers++;
    const link = heard(here, this.#shared.name, this.#link);
    if (link instanceof SandglassError) return this.#refuse(link);
    if (link === undefined) return;
    this.#starting?.abort();
    if (this.#link !== undefined) this.#unlink();
    clearTimeout(this.#timer);
    this.#link = link;
    for (const port of this.#ports) this.#connect(port);
    this.#ready.resolve();
  }

  /** Waits for its turn to have the database, and takes it when nobody has it any more. */
  async #succeed(signal: AbortSignal): Promise<void> {
    const { name, kind } = this.#shared;
    await navigator.locks.request(lockOfNext(this.#shared), { signal }, async () => {
      this.#isNext = true;
      try {
        while (!signal.aborted && this.#engine === undefined) {
          await navigator.locks.request(lockName(name, kind), { signal }, () => {});
          // After the site's data were cleared the locks of this page are not those of others.
          if ((this.#link !== undefined || mayBeApart) && (await this.#isAnswered())) {
            await sleep(APART_MS);
            continue;
          }
          await this.#start({ ifLocked: "fail", timeoutMs: 0 }, signal);
        }
      } finally {
        this.#isNext = false;
      }
    });
  }

  /** Whether somebody says that he has the database. */
  async #isAnswered(): Promise<boolean> {
    const heard = this.#answers;
    this.#channel?.postMessage({ kind: "who" } satisfies Call);
    await sleep(ANSWER_MS);
    return this.#answers !== heard;
  }

  async #start(lock: LockOptions, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#engine !== undefined || this.#starting !== undefined) return;
    this.#ownTerm = randomName();
    const starting = (this.#starting = new AbortController());
    const giveUp = () => starting.abort();
    signal.addEventListener("abort", giveUp, { once: true });
    this.#askSoon(0);
    try {
      const engine = await this.#startEngine(lock, this.#ownTerm, starting.signal);
      if (starting.signal.aborted) return void engine.close().catch(() => {});
      this.#lostRaces = 0;
      this.#hold(engine);
    } catch (error) {
      if (starting.signal.aborted) return;
      // Somebody else was faster, and says so in a moment.
      if (understand(error).code !== "locked" || ++this.#lostRaces > MAX_LOST_RACES) throw error;
    } finally {
      this.#starting = undefined;
      signal.removeEventListener("abort", giveUp);
    }
  }

  #hold(engine: LocalEngine): void {
    // Until now the last words of the one that is gone may have come.
    this.#unlink();
    this.#engine = engine;
    this.#stopSeeking();
    if (this.#shared.kind === "opfs") this.#watch = setInterval(() => this.#isAwaited() && void this.#lookForFiles(), LOOK_MS);
    void engine.port.ended.then((reason) => {
      if (this.#engine === engine) this.#end(reason);
    });
    for (const port of this.#ports) this.#connect(port);
    this.#ready.resolve();
  }

  /** Open files don't tell when the browser has removed them, and may keep their worker waiting for ever. */
  async #lookForFiles(): Promise<void> {
    const engine = this.#engine;
    if ((await isInOpfs(this.#shared.name)) || engine === undefined || engine !== this.#engine) return;
    this.#end(new SandglassError("closed", REMOVED));
  }

  /** Whether a call takes long. */
  #isAwaited(): boolean {
    const since = Date.now() - LOOK_MS;
    return [...this.#ports].some(({ waitsSince }) => waitsSince !== undefined && waitsSince < since);
  }

  #stopSeeking(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#timer);
    this.#channel?.close();
    this.#channel = undefined;
    this.#awake?.abort();
  }

  /** Who has the lock does not answer. Of IndexedDB it can be taken: the one that wakes up notices by the epoch. */
  async #silent(): Promise<void> {
    const { name, kind } = this.#shared;
    const signal = this.#awake?.signal;
    if (kind !== "indexeddb" || signal === undefined)
      return this.#refuse(
        new SandglassError(
          "locked",
          `the database "${name}" is open in a tab that does not answer, since it sleeps or does not share it; go to that tab, or close it`,
        ),
      );
    try {
      await this.#start({ ifLocked: "steal", timeoutMs: 0 }, signal);
    } catch (error) {
      this.#refuse(understand(error));
    }
  }

  /** There is no engine now; there may be one later. Who opens does not wait for that. */
  #refuse(reason: SandglassError): void {
    if (!this.#ready.isResolved) return this.#end(reason);
    for (const port of this.#ports) port.refuse(reason);
  }

  // ---- the page goes and comes ----------------------------------------------------------------------------------------------

  #putAway(): void {
    if (this.#isOver || (this.#awake === undefined && this.#engine === undefined)) return;
    const engine = this.#engine;
    this.#engine = undefined;
    this.#link = undefined;
    for (const port of this.#ports) port.putAway();
    engine?.suspend();
    this.#stopSeeking();
    this.#awake = undefined;
  }

  #rouse(): void {
    if (!this.#isOver && this.#awake === undefined && this.#engine === undefined) this.#seek();
  }

  // ---- ports that go --------------------------------------------------------------------------------------------------------

  lost(port: WorkerPort): void {
    if (this.#engine !== undefined) {
      const what = "the engine has not answered for a long time, and the database is closed; what was durable is untouched, open it again";
      this.#end(new SandglassError("closed", what));
    } else if (this.#ports.has(port) && this.#link !== undefined) {
      this.#unlink();
      this.#askSoon(0);
    }
  }

  /** A call has failed by its storage, which may be gone as a whole; then it ends with the rest. */
  async verify(): Promise<void> {
    if (this.#shared.kind === "opfs") await this.#lookForFiles();
  }

  /** Each port is told on its own line, behind all that it has to know. */
  moving(): void {
    this.#link = undefined;
    this.#askSoon(0);
  }

  flush(): void {
    for (const port of this.#ports) port.flush();
  }

  isLast(port: WorkerPort): boolean {
    return this.#engine !== undefined && this.#ports.size === 1 && this.#ports.has(port);
  }

  async leave(port: WorkerPort, isStored = false): Promise<void> {
    this.#ports.delete(port);
    const [other] = this.#ports;
    // Somebody has come while the last one closed: the engine stays, and stores nothing by its own end.
    if (other !== undefined && !isStored && this.#engine !== undefined) await other.store();
    if (this.#ports.size > 0 || this.#isOver) return;
    const engine = this.#engine;
    this.#finish();
    await engine?.close();
  }

  #finish(): void {
    this.#isOver = true;
    this.#engine = undefined;
    this.#stopSeeking();
    this.#stopListening();
    if (hubs.get(channelOf(this.#shared)) === this) hubs.delete(channelOf(this.#shared));
    // Whoever still waits for an engine holds what others wait for.
    this.#ready.reject(new SandglassError("aborted", "opening the database was given up"));
  }

  /** No port is of use any more. */
  #end(reason: SandglassError): void {
    if (this.#isOver) return;
    if (this.#engine !== undefined) mayBeApart = true;
    const engine = this.#engine;
    this.#ready.reject(reason);
    this.#finish();
    for (const port of this.#ports) port.end(reason);
    this.#ports.clear();
    engine?.abandon(reason);
  }
}

async function isHeld(name: string): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return held?.some((lock) => lock.name === name) ?? false;
}

function understand(error: unknown): SandglassError {
  if (error instanceof SandglassError) return error;
  return new SandglassError("storage", `the database cannot be shared: ${String(error)}`, { cause: error });
}

function deferred() {
  let settle!: { resolve: () => void; reject: (reason: SandglassError) => void };
  const promise = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  // Who opens waits for it; later on nobody does.
  promise.catch(() => {});
  return {
    promise,
    isResolved: false,
    resolve() {
      this.isResolved = true;
      settle.resolve();
    },
    reject: (reason: SandglassError) => settle.reject(reason),
  };
}
