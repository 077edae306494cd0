// Plays a history: lets the engine's time pass, folds what happens into the house, goes back by living through it again from a
// checkpoint.

import { signal } from "@preact/signals";
import type { BlockDetails, EngineState, IndexBlockDetails, PartDetails } from "sandglass/inline";
import type { Composition } from "../drawing/stage";
import { type ActionKind, fingerprint, fork, type History, hashOf, type Place } from "../model/history";
import { House, type HouseMerge } from "../model/house";
import { messageOf } from "../model/trouble";
import { type Situation, situationOf } from "../replay/situations";
import { colourKey, seriesKeys, World } from "../replay/world";
import type { IndexPart } from "./index_view";

export const SPEEDS = [0.1, 0.5, 1, 2, 4, 8, 30, 100, 1000] as const;

/** Time stands still for the engine while it merges; the page lets the eye follow. */
const MERGE_MS = 1100;
/** Faster than this nobody could follow anyway. */
const SHOW_MERGES_UP_TO = 16;
const STATE_MS = 90;
const ADDRESS_MS = 400;
const RERUN_AFTER_MS = 40;
/** Parts whose blocks are asked for at a time. */
const LOOKS_AT_ONCE = 8;
/** Blocks of the index that are looked at. */
const MOST_INDEX_BLOCKS = 40;
/** How far a step looks for the next event. */
const STEP_LOOK_MS = 60_000;

export class Player {
  readonly history = signal<History>({ situation: "steady", seed: 7, actions: [] });
  readonly situation = signal<Situation>(situationOf("steady"));
  /** Milliseconds since the history began. */
  readonly at = signal(0);
  readonly playing = signal(false);
  readonly speed = signal(1);
  readonly state = signal<EngineState | undefined>(undefined);
  /** The fingerprint of the state, while nothing moves. */
  readonly print = signal("");
  readonly zoom = signal<readonly string[]>([]);
  readonly part = signal<PartDetails | undefined>(undefined);
  readonly block = signal<BlockDetails | undefined>(undefined);
  /** Why the zoom has nothing to show any more. */
  readonly gone = signal("");
  /** Where in the picture the zoom began, in shares of its width and height. */
  zoomFrom = { x: 0.5, y: 0.5 };
  readonly trouble = signal("");
  readonly ready = signal(false);
  /** Grows when the house has changed. */
  readonly version = signal(0);
  /** Grows a few times a second while something changes: for what need not be brought up to date with each frame. */
  readonly beat = signal(0);
  /** The merge that is being shown while time stands still. */
  readonly shown = signal<HouseMerge | undefined>(undefined);
  house = new House();
  readonly compositions = new Map<number, Composition>();
  /** Where the present play is to end; the situation's end when nothing else was said. */
  until: number | undefined;
  chapter = "";
  room: Place["room"] = "inside";
  embedded = false;

  #world: World | undefined;
  /** The one that a rerun lets time pass in. */
  #underway: World | undefined;
  /** The history that the known parts belong to. */
  #shownHistory: History | undefined;
  /** Counts histories that were begun: what belongs to an older one is not taken any more. */
  #run = 0;
  #cursor = 0;
  #target = 0;
  #advancing = false;
  #rerunTimer: ReturnType<typeof setTimeout> | undefined;
  #rerunning: Promise<void> | undefined;
  #frame = 0;
  #lastFrame = 0;
  #lastState = 0;
  #shownFrom = 0;
  #looking = 0;
  #keys = new Map<string, number>();
  readonly #headers = new Map<number, PartDetails["headers"]>();
  #addressTimer: ReturnType<typeof setTimeout> | undefined;
  #stepEvent = false;

  get end(): number {
    const last = this.history.value.actions.at(-1)?.at ?? 0;
    return Math.max(this.situation.value.lengthMs, last + 20_000);
  }

  get script() {
    return this.#world?.script ?? [];
  }

  /** How far the shown merge is, 0 to 1. */
  progress(at: number): number {
    return Math.min(1, (at - this.#shownFrom) / MERGE_MS);
  }

  /** Goes to a place: another history, or another instant of this one. */
  async go(place: Pick<Place, "history" | "at" | "zoom">, play: boolean): Promise<void> {
    const situation = situationOf(place.history.situation);
    this.history.value = place.history;
    this.print.value = "";
    if (this.situation.value !== situation || !this.ready.value) this.speed.value = situation.speed;
    this.situation.value = situation;
    this.until = undefined;
    this.playing.value = false;
    this.zoom.value = [];
    this.part.value = this.block.value = undefined;
    await this.#rerun(place.at);
    if (place.zoom.length > 0) await this.zoomTo(place.zoom);
    if (play) this.play();
    this.#startFrames();
  }

  play(until?: number): void {
    if (until !== undefined) this.until = until;
    const end = this.until ?? this.end;
    if (this.at.value >= end) {
      if (this.until !== undefined) this.until = undefined;
      else {
        void this.seek(0).then(() => this.play());
        return;
      }
    }
    this.playing.value = true;
    this.print.value = "";
    this.#startFrames();
  }

  pause(): void {
    this.playing.value = false;
    void this.#rest();
  }

  /** Shows the instant `at`. What has been lived through is shown at once; the engine is run again to there behind it. */
  async seek(at: number): Promise<void> {
    const to = Math.round(Math.min(Math.max(0, at), this.end));
    this.print.value = "";
    this.#stopShowing();
    const world = this.#world;
    if (world && to >= world.at && !this.#rerunning) {
      this.#target = to;
      await this.#catchUp();
      this.#fold(to, false);
      await this.#rest();
      return;
    }
    if (world) this.#refold(world, to);
    this.at.value = to;
    clearTimeout(this.#rerunTimer);
    const wasPlaying = this.playing.value;
    this.playing.value = false;
    await new Promise<void>((resolve) => {
      this.#rerunTimer = setTimeout(() => void this.#rerun(to).then(resolve), RERUN_AFTER_MS);
    });
    if (wasPlaying && this.at.value === to) this.play();
  }

  /** One event further, or so many milliseconds. */
  async step(by: "event" | number): Promise<void> {
    this.playing.value = false;
    if (this.#rerunning) await this.#rerunning;
    if (by !== "event") return this.seek(this.at.value + by);
    const world = this.#world;
    if (!world || this.#stepEvent) return;
    this.#stepEvent = true;
    this.print.value = "";
    try {
      const limit = Math.min(this.at.value + STEP_LOOK_MS, this.end);
      while (this.#cursor >= world.happened.length && world.at < limit) {
        this.#target = Math.min(limit, world.at + 100);
        await this.#catchUp();
      }
      const next = world.happened[this.#cursor];
      if (next) {
        this.#cursor++;
        this.#apply(next);
        this.at.value = Math.max(this.at.value, next.at);
        this.version.value = this.house.version;
        const merge = this.house.lastMerge;
        this.shown.value = merge && merge.finishedAt === undefined ? merge : undefined;
        this.#shownFrom = performance.now();
      } else this.at.value = world.at;
      await this.#inspect();
      this.#look();
    } finally {
      this.#stepEvent = false;
    }
  }

  /** Something the visitor does, at the instant that is shown. What came later is another future. */
  async act(kind: ActionKind): Promise<void> {
    const history = fork(this.history.value, { at: Math.round(this.at.value), kind });
    const world = this.#world;
    this.history.value = history;
    this.print.value = "";
    this.#address(true);
    if (world && !this.#rerunning && world.canBecome(history) && world.at <= this.at.value) {
      world.become(history);
      await this.#catchUp(true);
      if (!this.playing.value) this.#fold(this.at.value, false);
    } else {
      const playing = this.playing.value;
      await this.#rerun(this.at.value);
      if (playing) this.play();
    }
    if (!this.playing.value) this.play();
  }

  setSpeed(speed: number): void {
    this.speed.value = speed;
  }

  // ---- zoom -----------------------------------------------------------------------------------------------------------

  /** Looks into a month, a part of it, a block of that. */
  async zoomTo(path: readonly string[]): Promise<void> {
    this.gone.value = "";
    const [, part, block] = path;
    if (part !== undefined) this.playing.value = false;
    this.zoom.value = path;
    const world = this.#world;
    this.#address(false);
    if (!world) return;
    try {
      if (part === undefined) this.part.value = this.block.value = undefined;
      else {
        const details = await world.ask((database) => database.inspectPart(Number(part), { count: 2000 }));
        const decoded = block === undefined ? undefined : await world.ask((database) => database.inspectBlock(Number(part), Number(block)));
        if (this.zoom.value !== path) return;
        this.part.value = details;
        this.block.value = decoded;
      }
    } catch (error) {
      this.part.value = this.block.value = undefined;
      this.gone.value = messageOf(error);
      this.zoom.value = path.slice(0, 1);
    }
  }

  /** The place of a series in the palette. */
  seriesNumber(labels: Record<string, string> | null): number {
    const key = colourKey(labels);
    let number = this.#keys.get(key);
    if (number === undefined) {
      number = this.#keys.size;
      this.#keys.set(key, number);
    }
    return number;
  }

  /** The blocks of a part that was seen, though it may be merged away since. */
  headersOf(part: number): PartDetails["headers"] {
    return this.#headers.get(part) ?? [];
  }

  /** The parts of the index with their blocks, as many as can be looked at. */
  async indexParts(): Promise<IndexPart[]> {
    const world = this.#world;
    if (!world) return [];
    return world.ask(async (database) => {
      const { index } = await database.inspect();
      const found: IndexPart[] = [];
      let left = MOST_INDEX_BLOCKS;
      for (const [table, { parts }] of (index?.tables ?? []).entries()) {
        for (const [part, { name, items, bytes, blocks: count }] of parts.entries()) {
          const blocks: IndexBlockDetails[] = [];
          for (; blocks.length < count && left > 0; left--) blocks.push(await database.inspectIndexBlock(table, part, blocks.length));
          found.push({ table, part, name, items, bytes, blocks });
        }
      }
      return found;
    });
  }

  /** Another block of the part that is looked into, for comparing. */
  async blockOf(part: number, block: number): Promise<BlockDetails | undefined> {
    return this.#world?.ask((database) => database.inspectBlock(part, block)).catch(() => undefined);
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  /** Nothing is played while the room is not seen. */
  leave(): void {
    this.playing.value = false;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #startFrames(): void {
    if (this.#frame !== 0) return;
    this.#lastFrame = performance.now();
    this.#frame = requestAnimationFrame(this.#onFrame);
  }

  #onFrame = (now: number): void => {
    this.#frame = 0;
    const passed = Math.min(100, Math.max(0, now - this.#lastFrame));
    this.#lastFrame = now;
    if (!this.playing.value) return;
    this.#frame = requestAnimationFrame(this.#onFrame);
    const world = this.#world;
    if (!world || this.#rerunning) return;
    if (this.shown.value) {
      if (now - this.#shownFrom < MERGE_MS) return;
      this.#stopShowing();
    }
    const end = this.until ?? this.end;
    const speed = this.speed.value;
    // The picture does not run ahead of an engine that has much to do.
    this.#target = Math.min(end, Math.max(this.at.value, Math.min(this.at.value + passed * speed, world.at + 250 * speed)));
    void this.#catchUp();
    this.#fold(Math.min(this.#target, world.at), speed <= SHOW_MERGES_UP_TO);
    if (this.at.value >= end && !this.shown.value) this.pause();
  };

  /** Lets the engine's time pass to the target. `again`: also when it is there already, since there is something new to do. */
  async #catchUp(again = false): Promise<void> {
    const world = this.#world;
    if (!world || this.#advancing || (!again && world.at >= this.#target)) return;
    this.#advancing = true;
    try {
      await world.advance(Math.max(this.#target, world.at));
      if (performance.now() - this.#lastState > STATE_MS) await this.#inspect();
    } catch (error) {
      if (this.#world === world) this.#fail(error);
    } finally {
      this.#advancing = false;
    }
  }

  #fold(to: number, stopAtMerges: boolean): void {
    const world = this.#world;
    if (!world) return;
    const { happened } = world;
    const before = this.#cursor;
    let reached = to;
    while (this.#cursor < happened.length) {
      const next = happened[this.#cursor] as World["happened"][number];
      if (next.at > to) break;
      this.#cursor++;
      this.#apply(next);
      if (stopAtMerges && next.what.type === "mergeStarted" && next.what.reason !== "flush") {
        this.shown.value = this.house.lastMerge;
        this.#shownFrom = performance.now();
        reached = next.at;
        break;
      }
    }
    this.at.value = Math.max(this.at.value, reached);
    if (this.#cursor !== before) {
      this.version.value = this.house.version;
      this.#look();
    }
  }

  #refold(world: World, to: number): void {
    this.house = new House();
    this.#cursor = 0;
    this.at.value = 0;
    const { happened } = world;
    while (this.#cursor < happened.length && (happened[this.#cursor] as World["happened"][number]).at <= to) {
      this.#apply(happened[this.#cursor] as World["happened"][number]);
      this.#cursor++;
    }
    this.at.value = to;
    this.version.value++;
  }

  #apply(happening: World["happened"][number]): void {
    // Parts are numbered anew after a crash.
    if (happening.what.type === "crashed") {
      this.compositions.clear();
      this.#headers.clear();
    }
    this.house.apply(happening);
  }

  /** Lives through the history to an instant, from the nearest instant before it that the engine can go back to. */
  #rerun(to: number): Promise<void> {
    const run = ++this.#run;
    this.#stopShowing();
    this.#underway?.halt();
    const before = this.#rerunning;
    const rerunning = (async () => {
      await before;
      if (run !== this.#run) return;
      try {
        const history = this.history.value;
        const old = this.#world;
        const isSame = this.#shownHistory === history;
        let world = old && (await old.rewind(to, history)) ? old : undefined;
        if (run !== this.#run) return;
        world ??= await World.open(history);
        this.#underway = world;
        this.#world = world;
        if (old !== world) void old?.close();
        // Another target may have come up while it was opened.
        if (run === this.#run) await world.advance(to);
        if (run !== this.#run) return;
        this.#shownHistory = history;
        this.#target = to;
        if (old !== world || !isSame) {
          this.compositions.clear();
          this.#headers.clear();
          this.#keys = new Map(seriesKeys(world.situation).map((key, i) => [key, i]));
        }
        this.#refold(world, to);
        this.trouble.value = "";
        this.ready.value = true;
        await this.#rest();
      } catch (error) {
        if (run === this.#run) this.#fail(error);
      }
    })();
    this.#rerunning = rerunning;
    return rerunning.finally(() => {
      if (this.#rerunning === rerunning) this.#rerunning = undefined;
    });
  }

  /** Nothing moves: the exact state, its fingerprint, and the address. */
  async #rest(): Promise<void> {
    await this.#inspect();
    const state = this.state.value;
    const world = this.#world;
    if (state && world && !this.playing.value && world.at === Math.round(this.at.value)) this.print.value = fingerprint(state);
    this.#look();
    this.#address(false);
  }

  async #inspect(): Promise<void> {
    const world = this.#world;
    if (!world) return;
    this.#lastState = performance.now();
    try {
      const state = await world.state();
      if (world === this.#world) this.state.value = state;
    } catch (error) {
      if (world === this.#world) this.#fail(error);
    }
    this.beat.value++;
    if (this.playing.value) this.#address(false);
  }

  /** Asks for the series of parts that are drawn and not known yet. */
  #look(): void {
    const world = this.#world;
    if (!world) return;
    for (const part of this.house.parts()) {
      if (this.#looking >= LOOKS_AT_ONCE) return;
      if (this.compositions.has(part.id)) continue;
      this.compositions.set(part.id, []);
      this.#looking++;
      world
        .ask((database) => database.inspectPart(part.id, { count: 1200 }))
        .then(({ headers }) => {
          if (world !== this.#world) return;
          this.compositions.set(part.id, this.#compose(headers));
          this.#headers.set(part.id, headers);
        })
        // Merged away meanwhile.
        .catch(() => {})
        .finally(() => {
          this.#looking--;
          this.version.value++;
          if (this.#looking === 0) this.#look();
        });
    }
  }

  #compose(headers: PartDetails["headers"]): Composition {
    const rows = headers.reduce((sum, header) => sum + header.rows, 0);
    const found: [number, number][] = [];
    for (const header of headers) {
      const series = this.seriesNumber(header.labels);
      const last = found.at(-1);
      if (last && last[0] === series) last[1] += header.rows / rows;
      else found.push([series, header.rows / rows]);
    }
    return found;
  }

  #stopShowing(): void {
    this.shown.value = undefined;
  }

  #address(newPlace: boolean): void {
    if (this.room === "live") return;
    const write = () => {
      const hash = hashOf({ room: this.room, history: this.history.value, at: this.at.value, zoom: this.zoom.value, chapter: this.chapter, embedded: this.embedded });
      if (hash === location.hash) return;
      if (newPlace) history.pushState(null, "", hash);
      else history.replaceState(null, "", hash);
    };
    clearTimeout(this.#addressTimer);
    if (newPlace) write();
    else this.#addressTimer = setTimeout(write, ADDRESS_MS);
  }

  #fail(error: unknown): void {
    this.playing.value = false;
    this.trouble.value = messageOf(error);
  }
}
