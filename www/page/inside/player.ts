// Lives through a history: lets the engine's time pass, as fast as it is played, and goes back by living through it again from a
// checkpoint. All instants are whole milliseconds, so that the way to an instant changes nothing of what is found there.

import { signal } from "@preact/signals";
import type { EngineState } from "sandglass/inline";
import { type Doing, fingerprint, fork, type History, type Place, tooLong } from "../model/history";
import { messageOf } from "../model/trouble";
import { type Situation, situationOf } from "../replay/situations";
import { World } from "../replay/world";
import { Address } from "./address";
import { Inspection } from "./inspection";
import { PartZoom } from "./part_zoom";
import { Playback } from "./playback";
import { Reel } from "./reel";

/** Faster than this nobody could follow a merge anyway. */
const SHOW_MERGES_UP_TO = 16;
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
  readonly playback = new Playback((passed, now) => this.#onFrame(passed, now));
  /** Parts are numbered anew after a crash. */
  readonly reel = new Reel(() => this.inspection.forgetParts());
  /** Time stands still while one looks into a part. */
  readonly look = new PartZoom((question) => this.#world?.ask(question), {
    before: (path) => {
      this.address.write(false);
      return path[1] !== undefined && this.playback.playing.value ? this.pause() : undefined;
    },
    seriesNumber: (labels) => this.seriesNumber(labels),
  });
  readonly state = signal<EngineState | undefined>(undefined);
  /** As it was before the visitor's last deed. */
  before: EngineState | undefined;
  /** The fingerprint of the state, while nothing moves and the state is that of the instant that is shown. */
  readonly print = signal("");
  readonly trouble = signal("");
  readonly ready = signal(false);
  /** Grows a few times a second while something changes: for what need not be brought up to date with each frame. */
  readonly beat = signal(0);
  readonly inspection = new Inspection(
    () => this.#world,
    () => this.house.parts(),
    () => this.reel.version.value++,
  );
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
  #advancing = false;
  #rerunTimer: ReturnType<typeof setTimeout> | undefined;
  #rerunning: Promise<void> | undefined;
  #lastState = 0;
  #isStepping = false;
  readonly address = new Address(() => ({
    room: this.room,
    history: this.history.value,
    at: this.at.value,
    zoom: this.look.zoom.value,
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

  get house() {
    return this.reel.house;
  }

  /** The place of a series in the palette. */
  seriesNumber(labels: Record<string, string> | null): number {
    return this.inspection.seriesNumber(labels);
  }

  /** Whether it shows this place already. */
  isAt({ history, at, zoom }: Pick<Place, "history" | "at" | "zoom">): boolean {
    const of = (place: Pick<Place, "history" | "at" | "zoom">) => JSON.stringify([place.history, place.at, place.zoom]);
    return (
      this.ready.value && of({ history, at, zoom }) === of({ history: this.history.value, at: this.at.value, zoom: this.look.zoom.value })
    );
  }

  /** Goes to a place: another history, or another instant of this one. Whether it got there: not when it was called elsewhere meanwhile. */
  async go(place: Pick<Place, "history" | "at" | "zoom">): Promise<boolean> {
    const situation = situationOf(place.history.situation);
    // What the address asked for may not be there; what it says from now on is.
    this.history.value = situation.id === place.history.situation ? place.history : { ...place.history, situation: situation.id };
    this.print.value = "";
    if (this.situation.value !== situation || !this.ready.value) this.playback.speed.value = situation.speed;
    this.situation.value = situation;
    this.before = undefined;
    this.playback.until = undefined;
    this.playback.stop();
    this.look.leave();
    this.address.stop();
    const arriving = this.#rerun(place.at);
    const run = this.#run;
    await arriving;
    if (run !== this.#run) return false;
    if (place.zoom.length > 0) await this.look.zoomTo(place.zoom);
    return run === this.#run;
  }

  play(until?: number): void {
    const { playback } = this;
    if (until !== undefined) playback.until = until;
    const end = playback.until ?? this.end;
    if (this.at.value >= end) {
      if (playback.until !== undefined) playback.until = undefined;
      else {
        void this.seek(0).then(() => this.play());
        return;
      }
    }
    this.print.value = "";
    playback.start(this.at.value);
  }

  /** Stops where the engine is, which can be a frame further than what was drawn last; within a merge that is shown, there. */
  async pause(): Promise<void> {
    this.playback.stop();
    const [world, run] = [this.#world, this.#run];
    if (!world || this.#rerunning) return;
    await world.standStill();
    if (run !== this.#run || this.playback.playing.value) return;
    if (!this.reel.shown.value) this.#fold(world.at, false);
    await this.#rest();
  }

  /** Shows the instant `at`. What has been lived through is shown at once; the engine is run again to there behind it. */
  async seek(at: number): Promise<void> {
    const to = Math.round(Math.min(Math.max(0, at), this.end));
    this.print.value = "";
    this.reel.stopShowing();
    const [world, run] = [this.#world, this.#run];
    if (world && to >= world.at && !this.#rerunning) {
      try {
        await world.advance(to);
      } catch (error) {
        if (run === this.#run) this.#fail(error);
        return;
      }
      if (run !== this.#run) return;
      this.playback.set(Math.max(to, world.at));
      this.#fold(to, false);
      await this.#rest();
      return;
    }
    if (world) this.#refold(world, to);
    this.at.value = to;
    clearTimeout(this.#rerunTimer);
    const wasPlaying = this.playback.playing.value;
    this.playback.stop();
    await new Promise<void>((resolve) => {
      this.#rerunTimer = setTimeout(() => void this.#rerun(to).then(resolve), RERUN_AFTER_MS);
    });
    if (wasPlaying && this.at.value === to) this.play();
  }

  /** One event further, or so many milliseconds. */
  async step(by: "event" | number): Promise<void> {
    this.playback.stop();
    if (this.#rerunning) await this.#rerunning;
    if (by !== "event") return this.seek(this.at.value + by);
    const [world, run] = [this.#world, this.#run];
    if (!world || this.#isStepping) return;
    this.#isStepping = true;
    this.print.value = "";
    try {
      await world.standStill();
      const limit = Math.min(this.at.value + STEP_LOOK_MS, this.end);
      while (!this.reel.hasNext(world.happened) && world.at < limit && run === this.#run)
        await world.advance(Math.min(limit, world.at + STEP_MS));
      if (run !== this.#run) return;
      const next = this.reel.step(world.happened);
      this.at.value = next ? Math.max(this.at.value, next.at) : world.at;
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
  async act(doing: Doing): Promise<void> {
    const [world, run] = [this.#world, this.#run];
    if (world && !this.#rerunning) await world.standStill();
    if (run !== this.#run) return;
    const { playback } = this;
    if (world && playback.playing.value && !this.reel.shown.value) this.#fold(world.at, false);
    const at = this.at.value;
    const end = at + AFTER_DEED_MS;
    const history = fork(this.history.value, { at, ...doing });
    this.trouble.value = tooLong(history);
    if (this.trouble.value) return;
    this.before = this.state.value;
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
      if (!playback.playing.value) this.#fold(at, false);
    } else {
      await this.#rerun(at);
    }
    if (!playback.playing.value) this.play(end);
    else if (playback.until !== undefined) playback.until = Math.max(playback.until, end);
  }

  /** Nothing is played while the room is not seen, and the address is another room's. */
  leave(): void {
    this.playback.leave();
    this.address.stop();
  }

  // ---- inside ---------------------------------------------------------------------------------------------------------

  #onFrame(passed: number, now: number): void {
    const world = this.#world;
    if (!world || this.#rerunning || this.reel.standsStill(now)) return;
    const { playback } = this;
    const end = playback.until ?? this.end;
    const target = playback.pass(passed, end, world.at);
    void this.#catchUp(world, target);
    this.#fold(Math.min(target, world.at), playback.speed.value <= SHOW_MERGES_UP_TO);
    if (this.at.value >= end && !this.reel.shown.value) void this.pause();
  }

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

  #fold(to: number, stopsAtMerges: boolean): void {
    const world = this.#world;
    if (!world) return;
    const { reached, isStopped, isChanged } = this.reel.fold(world.happened, to, stopsAtMerges);
    if (isStopped) this.playback.set(reached);
    this.at.value = Math.max(this.at.value, reached);
    if (isChanged) this.inspection.look();
  }

  #refold(world: World, to: number): void {
    this.reel.refold(world.happened, to);
    this.at.value = to;
    this.playback.set(to);
  }

  /** Lives through the history to an instant, from the nearest instant before it that the engine can go back to. */
  #rerun(to: number): Promise<void> {
    const run = ++this.#run;
    this.reel.stopShowing();
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
    if (isExact && !this.playback.playing.value && !this.reel.shown.value) this.print.value = fingerprint(state);
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
    if (this.playback.playing.value) this.address.write(false);
  }

  #fail(error: unknown): void {
    this.playback.stop();
    this.trouble.value = messageOf(error);
  }
}
