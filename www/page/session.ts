// One visit: opens the database, fills it the first time, scrapes on, and keeps the model beside the engine.

import { signal } from "@preact/signals";
import { type Database, destroy, type EngineEvent, type EngineState, type Opened, open, type SeriesHandle } from "sandglass";
import { EngineModel } from "./model/engine";
import { Lingering } from "./model/lingering";
import { type Trouble, troubleOf, troubleOfRemoving } from "./model/trouble";
import { append, describe, type Keeper, type Line } from "./model/words";
import { parseExposition } from "./replay/exposition";
import { instants, live, store } from "./replay/history";
import { Machine } from "./replay/machine";
import { type Pace, Scraper } from "./replay/scraper";
import { Snapshots } from "./snapshots";

/** How long samples can be kept. */
export const RETENTIONS = [
  ["7d", "7 days"],
  ["31d", "31 days"],
  ["90d", "90 days"],
  ["1y", "a year"],
  ["100y", "everything"],
] as const;
const RETENTION = "sandglass.retention";

export type Phase = "opening" | "running" | "troubled";

export interface Filling {
  done: number;
  total: number;
}

/** The database of the room Live. */
export const OWN_DATABASE = "sandglass";
/** Where the scrape comes from, as a server would label it. */
const TARGET = { instance: "node-a:9100", job: "node" };
/** Whose tab has it scrapes; the others look on. */
const SCRAPE_LOCK = "sandglass page: scrape";
/** What whoever scrapes writes beside the answer: that there was one. */
const UP = "# TYPE up gauge\nup 1\n";
const TARGET_SELECTOR = '{instance="node-a:9100",job="node"}';
const SEED = 20261122;
const INSPECT_MS = 1000;
const GRACE_MS = 800;
/** The drawing is brought up to date so often, in milliseconds; its movements are smooth by themselves. */
const FRAME_MS = 80;
const LOG_LINES = 200;
/** From this interval on there is no log. */
const UNLOGGED_FROM_MS = 5_000;
export const hasLog = (state: EngineState | undefined): boolean => state !== undefined && state.config.durableWithinMs < UNLOGGED_FROM_MS;
/** Where the last answer of the machine is looked for when the database is opened again: ever further back. */
const LOOK_BACK_MS = [2 * 60e3, 3600e3, 24 * 3600e3, 400 * 24 * 3600e3];

export class Session {
  readonly phase = signal<Phase>("opening");
  readonly trouble = signal<Trouble | undefined>(undefined);
  readonly filling = signal<Filling | undefined>(undefined);
  readonly state = signal<EngineState | undefined>(undefined);
  /** Grows when the drawing should be made anew. */
  readonly frame = signal(0);
  /** What happened in words, newest first. */
  readonly lines = signal<readonly Line[]>([]);
  readonly pace = signal<Pace>(1);
  readonly paused = signal(false);
  /** What was asked of the engine and is not done yet: "flush", "merge", "snapshot". */
  readonly busy = signal<ReadonlySet<string>>(new Set());
  /** Where the samples are kept. */
  readonly storage = signal<Opened["storage"] | undefined>(undefined);
  /** Another tab scrapes into the same database, and this one looks on until it goes. */
  readonly looksOn = signal(false);
  readonly database = signal<Database | undefined>(undefined);
  readonly model = new EngineModel();
  readonly lingering = new Lingering();
  readonly snapshots = new Snapshots();
  readonly retention = signal<string>(RETENTIONS.find(([value]) => value === remembered())?.[0] ?? "1y");

  #scraper: Scraper | undefined;
  /** Aborted when this tab scrapes no more, and need not wait for its turn. */
  #turn: AbortController | undefined;
  #stopObserving: () => void = () => {};
  #inspectTimer: ReturnType<typeof setTimeout> | undefined;
  #drawnVersion = -1;
  #drawnAt = 0;
  #drawing = false;
  /** Newest last. */
  readonly #lines: Line[] = [];
  #linesChanged = false;

  #begun = false;

  /** Starts when the room is entered for the first time. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    addEventListener("storage", ({ key, newValue }) => {
      if (key === RETENTION && newValue !== null && this.looksOn.peek()) void this.#reopen(newValue);
    });
    void this.start();
  }

  /** `ifLocked` is what to do when another tab has the database: work through it, or wait until it is free. */
  async start(storage?: "memory", ifLocked: "share" | "wait" = "share"): Promise<void> {
    this.phase.value = "opening";
    try {
      const database = await open({ name: OWN_DATABASE, ...(storage && { storage }), ifLocked, retention: this.retention.peek() });
      this.storage.value = database.opened.storage;
      this.#stopObserving = database.observe((event) => this.#take(event));
      this.database.value = database;
      await this.#inspect();
      await this.snapshots.refresh(database);
      this.phase.value = "running";
      this.trouble.value = undefined;
      this.#wantDrawing();
      document.addEventListener("visibilitychange", this.#leave);
      await this.#takeTurn(database);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Scrapes once no other tab does. */
  #takeTurn(database: Database): Promise<void> | undefined {
    // Memory is this tab's own.
    if (this.storage.peek() === "memory" || navigator.locks === undefined) return this.#scrape(database);
    const turn = (this.#turn = new AbortController());
    const { signal } = turn;
    // On a reload the page before this one may take a moment to let go.
    const waiting = setTimeout(() => (this.looksOn.value = !signal.aborted), GRACE_MS);
    const scrape = async () => {
      clearTimeout(waiting);
      this.looksOn.value = false;
      await this.#scrape(database);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    };
    navigator.locks.request(SCRAPE_LOCK, { signal }, scrape).catch((error) => {
      if (!signal.aborted) this.#fail(error);
    });
  }

  flush(): Promise<void> {
    return this.#ask("flush", (database) => database.flush());
  }

  mergeAll(): Promise<void> {
    return this.#ask("merge", (database) => database.forceMerge());
  }

  snapshot(): Promise<void> {
    return this.#ask("snapshot", async (database) => {
      await database.snapshots.create();
      await this.snapshots.refresh(database);
    });
  }

  async deleteSnapshot(name: string): Promise<void> {
    await this.#ask("snapshot", async (database) => {
      await database.snapshots.delete(name);
      await this.snapshots.refresh(database);
    });
  }

  setPace(pace: Pace): void {
    this.pace.value = pace;
    this.#scraper?.setPace(pace);
  }

  setPaused(paused: boolean): void {
    this.paused.value = paused;
    this.#scraper?.setPaused(paused);
  }

  /** Opens the database again with another retention, which is fixed while it is open, as on the server. Tabs that look on do the same. */
  setRetention(retention: string): Promise<void> {
    try {
      localStorage.setItem(RETENTION, retention);
    } catch {
      // Then it holds until the page is loaded again.
    }
    return this.#reopen(retention);
  }

  async #reopen(retention: string): Promise<void> {
    this.retention.value = retention;
    this.#stop();
    const database = this.database.value;
    this.database.value = undefined;
    this.phase.value = "opening";
    await database?.close().catch(() => {});
    this.model.forget();
    this.lingering.forget();
    await this.start(this.storage.peek() === "memory" ? "memory" : undefined);
  }

  /** Removes the database and begins anew. */
  async startOver(): Promise<void> {
    this.#stop();
    try {
      await this.database.value?.close();
    } catch {
      // A database that cannot be closed properly can still be removed.
    }
    try {
      await destroy(OWN_DATABASE);
      location.reload();
    } catch (error) {
      this.phase.value = "troubled";
      this.trouble.value = troubleOfRemoving(error);
    }
  }

  async #ask(what: string, action: (database: Database) => Promise<void>): Promise<void> {
    const database = this.database.value;
    if (!database || this.busy.value.has(what)) return;
    this.busy.value = new Set([...this.busy.value, what]);
    try {
      await action(database);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.busy.value = new Set([...this.busy.value].filter((other) => other !== what));
    }
  }

  /** Goes on with the scrape where it was left, or begins it with a past. */
  async #scrape(database: Database): Promise<void> {
    const answer = await fetch(new URL("node_exporter.prom", document.baseURI));
    if (!answer.ok) throw new Error(`the scrape that comes with the page could not be loaded: ${answer.status} ${answer.statusText}`);
    const text = (await answer.text()) + UP;
    const scrape = parseExposition(text).map((series) => ({ ...series, labels: { ...series.labels, ...TARGET } }));
    const machine = new Machine(scrape, SEED);
    const handles = scrape.map((series) => database.series(series.labels));

    const now = Math.floor(Date.now() / 1000) * 1000;
    let last = await this.#resume(
      database,
      machine,
      scrape.map((series) => series.labels),
    );
    const begun = last === undefined;
    const stretches = begun ? instants(now) : [];
    if (begun) {
      last = now - 1000;
      this.filling.value = { done: 0, total: stretches.reduce((sum, times) => sum + times.length * handles.length, 0) };
      // The first scrape is taken in as it came from the exporter, by the engine's own parser.
      const first = stretches[0]?.[0] ?? now;
      await database.ingest(text, { format: "prometheus", timestamp: first, extraLabels: TARGET });
      const past = await live(machine, stretches, breathe);
      const oldest = past[0];
      if (oldest) past[0] = { timestamps: oldest.timestamps.subarray(1), columns: oldest.columns.map((column) => column.subarray(1)) };
      await this.#fill(database, handles, past);
    }
    this.#scraper = new Scraper(database, machine, handles, last ?? now, (error) => this.#fail(error));
    this.#scraper.setPace(this.pace.value);
    this.#scraper.setPaused(this.paused.value);
    this.#scraper.start();
  }

  async #fill(database: Database, handles: SeriesHandle[], past: Awaited<ReturnType<typeof live>>): Promise<void> {
    let shown = 0;
    await store(database, handles, past, (done, total) => {
      const at = performance.now();
      if (at - shown < FRAME_MS && done < total) return;
      shown = at;
      this.filling.value = { done, total };
    });
    // A page that is left now must not come back to half a past.
    await database.sync();
    this.filling.value = undefined;
  }

  /** Puts the machine where it was when the database was last written to; the time of that, if ever. */
  async #resume(database: Database, machine: Machine, labels: Record<string, string>[]): Promise<number | undefined> {
    const now = Date.now();
    for (const back of LOOK_BACK_MS) {
      const found = await database.select(TARGET_SELECTOR, { start: now - back, end: now, fresh: true });
      if (found.length === 0) continue;
      const lastValues = new Map<string, number>();
      let last = 0;
      for (const series of found) {
        lastValues.set(identity(series.labels), series.values.at(-1) ?? Number.NaN);
        last = Math.max(last, series.timestamps.at(-1) ?? 0);
      }
      machine.resume(
        labels.map((set) => lastValues.get(identity(set)) ?? Number.NaN),
        SEED + Math.floor(last / 1000),
      );
      return last;
    }
    return undefined;
  }

  #take(event: EngineEvent): void {
    const change = this.model.apply(event, performance.now());
    this.lingering.take(change);
    this.snapshots.take(event);
    this.#wantDrawing();
    const line = describe(event, change, this.#keeper);
    if (!line) return;
    append(this.#lines, line);
    if (this.#lines.length > 2 * LOG_LINES) this.#lines.splice(0, LOG_LINES);
    this.#linesChanged = true;
  }

  get #keeper(): Keeper {
    if (this.storage.peek() === "memory") return "nothing";
    return hasLog(this.state.peek()) ? "log" : "parts";
  }

  #inspect = async (): Promise<void> => {
    clearTimeout(this.#inspectTimer);
    const database = this.database.value;
    if (!database) return;
    try {
      const state = await database.inspect();
      for (const change of this.model.reconcile(state, performance.now())) this.lingering.take(change);
      this.state.value = state;
      this.#wantDrawing();
    } catch (error) {
      if (this.phase.value === "running") this.#fail(error);
      else throw error;
      return;
    }
    this.#inspectTimer = setTimeout(this.#inspect, INSPECT_MS);
  };

  /** Has the drawing brought up to date, soon and not too often; where nothing happens, no frame is asked for. */
  #wantDrawing(): void {
    if (this.#drawing || this.phase.value !== "running") return;
    this.#drawing = true;
    setTimeout(() => requestAnimationFrame(this.#draw), Math.max(0, FRAME_MS - (performance.now() - this.#drawnAt)));
  }

  #draw = (): void => {
    this.#drawing = false;
    const at = performance.now();
    this.#drawnAt = at;
    const isSwept = this.lingering.sweep(at);
    const lingers = !this.lingering.isEmpty;
    if (this.model.version !== this.#drawnVersion || isSwept || lingers) {
      this.#drawnVersion = this.model.version;
      this.frame.value++;
    }
    if (this.#linesChanged) {
      this.#linesChanged = false;
      this.lines.value = this.#lines.slice(-LOG_LINES).reverse();
    }
    if (lingers) this.#wantDrawing();
  };

  /** A hidden tab may never be shown again: what was accepted is made durable. */
  #leave = (): void => {
    if (document.visibilityState === "hidden") this.database.value?.sync().catch(() => {});
  };

  #stop(): void {
    this.#scraper?.stop();
    this.#turn?.abort();
    this.#stopObserving();
    clearTimeout(this.#inspectTimer);
    document.removeEventListener("visibilitychange", this.#leave);
  }

  #fail(error: unknown): void {
    this.#stop();
    this.filling.value = undefined;
    const trouble = troubleOf(error);
    if (trouble.remedy === "waits") {
      // On a reload the page before this one may take a moment to let go.
      setTimeout(() => {
        if (this.phase.value === "opening") this.trouble.value = trouble;
      }, GRACE_MS);
      void this.start(undefined, "wait");
      return;
    }
    this.phase.value = "troubled";
    this.trouble.value = trouble;
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(RETENTION);
  } catch {
    return null;
  }
}

const identity = (labels: Record<string, string>): string => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Lets the browser draw and answer before work goes on. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
