// Plays a history: lets the engine's time pass, folds what happens into the house, goes back by living through it again from a
// checkpoint. All instants are whole milliseconds, so that the way to an instant changes nothing of what is found there.

import { signal } from "@preact/signals";
import type { BlockDetails, EngineState, PartDetails } from "sandglass/inline";
import { type ActionKind, fingerprint, fork, type History, type Place } from "../model/history";
import { House, type HouseMerge } from "../model/house";
import { messageOf } from "../model/trouble";
import { type Situation, situationOf } from "../replay/situations";
import { World } from "../replay/world";
import { Address } from "./address";
import { Inspection } from "./inspection";

export const SPEEDS = [0.1, 0.5, 1, 2, 4, 8, 30, 100, 1000] as const;

/** Time stands still for the engine while it merges; the page lets the eye follow. */
const MERGE_MS = 1100;
/** Faster than this nobody could follow anyway. */
const SHOW_MERGES_UP_TO = 16;
/** A frame that took longer was no frame: the page was not seen. */
const LONGEST_FRAME_MS = 250;
/** How far the clock may run ahead of an engine that has much to do, in milliseconds of the visitor's time. */
const AHEAD_MS = 250;
const STATE_MS = 90;
const RERUN_AFTER_MS = 40;
/** How far a step looks for the next event, and in which steps. */
const STEP_LOOK_MS = 60_000;
const STEP_MS = 100;
/** After something the visitor has done time runs on for so long at least, and no longer where it stood still. */
export const AFTER_DEED_MS = 6000;

export class Player {
  readonly history = signal<History>({ situation: "steady", seed: 7, actions: [] });
  readonly situation = signal<Situation>(situationOf("steady"));
  /** Whole milliseconds since the history began. */
  readonly at = signal(0);
  readonly playing = signal(false);
  readonly speed = signal(1);
  readonly state = signal<EngineState | undefined>(undefined);
  /** As it was before the visitor's last deed. */
  before: EngineState | undefined;
  /** The fingerprint of the state, while nothing moves and the state is that of the instant that is shown. */
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
  readonly inspection = new Inspection(
    () => this.#world,
    () => this.house.parts(),
    () => this.version.value++,
  );
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
  /** The visitor's clock in milliseconds since the history began, with the fractions that the engine's time has not. */
  #clock = 0;
  #advancing = false;
  #rerunTimer: ReturnType<typeof setTimeout> | undefined;
  #rerunning: Promise<void> | undefined;
  #frame = 0;
  #lastFrame = 0;
  #lastState = 0;
  #shownFrom = 0;
  #isStepping = false;
  readonly address = new Address(() => ({
    room: this.room,
    history: this.history.value,
    at: this.at.value,
    zoom: this.zoom.value,
    chapter: this.chapter,
    embedded: this.embedded,
  }));

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

  /** The place of a series in the palette. */
  seriesNumber(labels: Record<string, string> | null): number {
    return this.inspection.seriesNumber(labels);
  }

  /** Whether it shows this place already. */
  isAt({ history, at, zoom }: Pick<Place, "history" | "at" | "zoom">): boolean {
    const of = (place: Pick<Place, "history" | "at" | "zoom">) => JSON.stringify([place.history, place.at, place.zoom]);
    return this.ready.value && of({ history, at, zoom }) === of({ history: this.history.value, at: this.at.value, zoom: this.zoom.value });
  }

  /** Goes to a place: another history, or another instant of this one. Whether it got there: not when it was called elsewhere meanwhile. */
  async go(place: Pick<Place, "history" | "at" | "zoom">): Promise<boolean> {
    const situation = situationOf(place.history.situation);
    // What the address asked for may not be there; what it says from now on is.
    this.history.value = situation.id === place.history.situation ? place.history : { ...place.history, situation: situation.id };
    this.print.value = "";
    if (this.situation.value !== situation || !this.ready.value) this.speed.value = situation.speed;
    this.situation.value = situation;
    this.until = undefined;
    this.before = undefined;
    this.playing.value = false;
    this.zoom.value = [];
    this.part.value = this.block.value = undefined;
    this.gone.value = "";
    this.address.stop();
    const arriving = this.#rerun(place.at);
    const run = this.#run;
    await arriving;
    if (run !== this.#run) return false;
    if (place.zoom.length > 0) await this.zoomTo(place.zoom);
    return run === this.#run;
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
    this.#clock = this.at.value;
    this.#startFrames();
  }

  /** Stops where the engine is, which can be a frame further than what was drawn last; within a merge that is shown, there. */
  async pause(): Promise<void> {
    this.playing.value = false;
    const [world, run] = [this.#world, this.#run];
    if (!world || this.#rerunning) return;
    await world.standStill();
    if (run !== this.#run || this.playing.value) return;
    if (!this.shown.value) this.#fold(world.at, false);
    await this.#rest();
  }

  /** Shows the instant `at`. What has been lived through is shown at once; the engine is run again to there behind it. */
  async seek(at: number): Promise<void> {
    const to = Math.round(Math.min(Math.max(0, at), this.end));
    this.print.value = "";
    this.#stopShowing();
    const [world, run] = [this.#world, this.#run];
    if (world && to >= world.at && !this.#rerunning) {
      try {
        await world.advance(to);
      } catch (error) {
        if (run === this.#run) this.#fail(error);
        return;
      }
      if (run !== this.#run) return;
      this.#clock = Math.max(to, world.at);
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
    const [world, run] = [this.#world, this.#run];
    if (!world || this.#isStepping) return;
    this.#isStepping = true;
    this.print.value = "";
    try {
      await world.standStill();
      const limit = Math.min(this.at.value + STEP_LOOK_MS, this.end);
      while (this.#cursor >= world.happened.length && world.at < limit && run === this.#run)
        await world.advance(Math.min(limit, world.at + STEP_MS));
      if (run !== this.#run) return;
      const next = world.happened[this.#cursor];
      if (next) {
        this.#cursor++;
        this.#apply(next);
        this.at.value = Math.max(this.at.value, next.at);
        this.version.value++;
        const merge = this.house.lastMerge;
        this.shown.value = merge && merge.finishedAt === undefined ? merge : undefined;
        this.#shownFrom = performance.now();
      } else this.at.value = world.at;
      await this.#inspect();
      this.inspection.look();
    } catch (error) {
      if (run === this.#run) this.#fail(error);
    } finally {
      this.#isStepping = false;
    }
  }

  /**
   * Something the visitor does now: at the instant that is shown, or while time runs where the engine is, which is a frame further.
   * What came later is another future. Of time that stood still so much runs on as shows what has come of it.
   */
  async act(kind: ActionKind): Promise<void> {
    const [world, run] = [this.#world, this.#run];
    if (world && !this.#rerunning) await world.standStill();
    if (run !== this.#run) return;
    if (world && this.playing.value && !this.shown.value) this.#fold(world.at, false);
    const at = this.at.value;
    const end = at + AFTER_DEED_MS;
    this.before = this.state.value;
    const history = fork(this.history.value, { at, kind });
    this.history.value = history;
    this.print.value = "";
    this.address.write(true);
    if (world && !this.#rerunning && world.at === at && world.canBecome(history)) {
      try {
        world.become(history);
        await world.advance(at);
      } catch (error) {
        if (run === this.#run) this.#fail(error);
        return;
      }
      if (run !== this.#run) return;
      if (!this.playing.value) this.#fold(at, false);
    } else {
      await this.#rerun(at);
    }
    if (!this.playing.value) this.play(end);
    else if (this.until !== undefined) this.until = Math.max(this.until, end);
  }

  setSpeed(speed: number): void {
    this.speed.value = speed;
  }

  /** Looks into a month, a part of it, a block of that. */
  async zoomTo(path: readonly string[]): Promise<void> {
    this.gone.value = "";
    const [, part, block] = path;
    if (part !== undefined && this.playing.value) await this.pause();
    this.zoom.value = path;
    const world = this.#world;
    this.address.write(false);
    if (!world) return;
    try {
      if (part === undefined) this.part.value = this.block.value = undefined;
      else {
        const [partId, blockIndex] = [idOf("part", part), block === undefined ? undefined : idOf("block", block)];
        const details = await world.ask((database) => database.inspectPart(partId, { count: 2000 }));
        const decoded = blockIndex === undefined ? undefined : await world.ask((database) => database.inspectBlock(partId, blockIndex));
        if (this.zoom.value !== path) return;
        this.part.value = details;
        this.block.value = decoded;
      }
    } catch (error) {
      if (this.zoom.value !== path) return;
      this.part.value = this.block.value = undefined;
      this.gone.value = messageOf(error);
      this.zoom.value = path.slice(0, 1);
    }
  }

  /** Nothing is played while the room is not seen, and the address is another room's. */
  leave(): void {
    this.playing.value = false;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.address.stop();
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #startFrames(): void {
    if (this.#frame !== 0) return;
    this.#lastFrame = performance.now();
    this.#frame = requestAnimationFrame(this.#onFrame);
  }

  #onFrame = (now: number): void => {
    this.#frame = 0;
    if (!this.playing.value) return;
    this.#frame = requestAnimationFrame(this.#onFrame);
    const passed = Math.min(LONGEST_FRAME_MS, Math.max(0, now - this.#lastFrame));
    this.#lastFrame = now;
    const world = this.#world;
    if (!world || this.#rerunning) return;
    if (this.shown.value) {
      if (now - this.#shownFrom < MERGE_MS) return;
      this.#stopShowing();
    }
    const end = this.until ?? this.end;
    const speed = this.speed.value;
    this.#clock = Math.min(end, this.#clock + passed * speed, world.at + AHEAD_MS * speed);
    const target = Math.floor(this.#clock);
    void this.#catchUp(world, target);
    this.#fold(Math.min(target, world.at), speed <= SHOW_MERGES_UP_TO);
    if (this.at.value >= end && !this.shown.value) void this.pause();
  };

  /** Lets the engine's time pass to where the clock is, unless it is at that already. */
  async #catchUp(world: World, target: number): Promise<void> {
    if (this.#advancing || world.at >= target) return;
    this.#advancing = true;
    try {
      await world.advance(target);
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
        reached = this.#clock = next.at;
        break;
      }
    }
    this.at.value = Math.max(this.at.value, reached);
    if (this.#cursor !== before) {
      this.version.value++;
      this.inspection.look();
    }
  }

  #refold(world: World, to: number): void {
    this.house = new House();
    this.#cursor = 0;
    const { happened } = world;
    while (this.#cursor < happened.length && (happened[this.#cursor] as World["happened"][number]).at <= to) {
      this.#apply(happened[this.#cursor] as World["happened"][number]);
      this.#cursor++;
    }
    this.at.value = this.#clock = to;
    this.version.value++;
  }

  #apply(happening: World["happened"][number]): void {
    // Parts are numbered anew after a crash.
    if (happening.what.type === "crashed") this.inspection.forgetParts();
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
        if (old !== world || !isSame) this.inspection.begin(world.situation);
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
    const run = this.#run;
    await this.#inspect();
    if (run !== this.#run) return;
    const state = this.state.value;
    const isExact = state !== undefined && state.now - this.situation.value.startTime === this.at.value;
    if (isExact && !this.playing.value && !this.shown.value) this.print.value = fingerprint(state);
    this.inspection.look();
    this.address.write(false);
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
    if (this.playing.value) this.address.write(false);
  }

  #stopShowing(): void {
    this.shown.value = undefined;
  }

  #fail(error: unknown): void {
    this.playing.value = false;
    this.trouble.value = messageOf(error);
  }
}

/** The number of a part or a block, as addresses have it. */
function idOf(what: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`there is no ${what} "${text}"; they have numbers`);
  return Number(text);
}
