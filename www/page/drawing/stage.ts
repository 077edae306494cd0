// Draws the scene on a canvas, and lets what moves arrive. What is where is decided in glass.ts; here is only the way there.

import { bytes, compact, many, month as monthName } from "../model/format";
import type { House } from "../model/house";
import { OWN_SERIES } from "../model/own";
import type { Part } from "../model/parts";
import { type Brick, fallenTo, type Glass, halfAt, heapPlaces, layOut, type Rect, type Scene } from "./glass";
import { partColour, type Palette, seriesColour } from "./palette";

/** Series of a part in its order, with their share of its rows. */
export type Composition = readonly (readonly [series: number, share: number])[];

export interface Drawn {
  house: House;
  focus: string | undefined;
  selected: number | undefined;
  /** Parts that the snapshot pointed at has linked. */
  linked: ReadonlySet<number>;
  /** A merge that is being shown, and how far it is. */
  merging: { sources: readonly Part[]; progress: number } | undefined;
  compositions: ReadonlyMap<number, Composition>;
  capacity: number;
  /** Results of merges that are larger than this are big parts. */
  bigFrom: number;
  /** Milliseconds until rows leave the shards, and until in-memory parts go to disk. */
  nextFlush: { rawRows: number; disk: number } | undefined;
  reducedMotion: boolean;
}

interface Moving {
  part: Part;
  /** Where it is, where it goes. */
  now: Rect;
  goal: Rect;
  alpha: number;
  goalAlpha: number;
}

/** Of what is left of the way, so much remains after 100 ms. */
const REMAINS = 0.12;
const FALL_MS = 320;

export class Stage {
  #moving = new Map<number, Moving>();
  #grainsSeen = new Map<string, { count: number; bornAt: number[] }>();
  #lastAt = 0;
  #scene: Scene = { glasses: [], hidden: 0, margin: 0 };
  #streamUntil = new Map<string, number>();
  #laidOut = { version: -1, width: 0, height: 0, focus: "" as string | undefined, house: undefined as House | undefined };

  get scene(): Scene {
    return this.#scene;
  }

  /** Draws one frame; whether anything still moves. */
  draw(context: CanvasRenderingContext2D, width: number, height: number, drawn: Drawn, palette: Palette, at: number): boolean {
    const passed = Math.min(100, at - this.#lastAt);
    this.#lastAt = at;
    const { house, focus } = drawn;
    const laid = this.#laidOut;
    const jump = laid.width !== width || laid.height !== height || laid.house !== house || drawn.reducedMotion;
    if (jump || laid.version !== house.version || laid.focus !== focus) {
      this.#scene = layOut(house, width, height, focus);
      this.#laidOut = { version: house.version, width, height, focus, house };
      this.#aim(drawn, at, jump && laid.house !== house);
    }
    const moves = this.#move(passed, jump);
    context.clearRect(0, 0, width, height);
    const { glasses, margin } = this.#scene;
    if (margin > 0 && glasses[0]) captions(context, glasses[0], width, drawn.bigFrom, palette);
    const last = glasses.at(-1);
    if (last && drawn.nextFlush && width - last.x - last.half > 100) countdowns(context, last, width, drawn.nextFlush, palette);
    let falls = false;
    for (const glass of glasses) {
      drawGlass(context, glass, palette);
      falls = this.#grains(context, glass, drawn, palette, at) || falls;
      falls = this.#stream(context, glass, palette, at, drawn.reducedMotion) || falls;
      title(context, glass, drawn, palette);
    }
    const merging = new Set(drawn.merging?.sources.map(({ id }) => id));
    for (const brick of this.#moving.values()) {
      drawBrick(
        context,
        brick,
        drawn,
        palette,
        merging.has(brick.part.id) || (brick.part.readBy !== undefined && drawn.merging === undefined),
      );
    }
    const { merging: shown } = drawn;
    const where = shown && glasses.find(({ month }) => month === shown.sources[0]?.partition);
    if (shown && where) flows(context, this.#moving, shown, where, palette, at);
    return moves || falls || (drawn.merging !== undefined && drawn.merging.progress < 1);
  }

  /** What lies at a place. */
  hit(x: number, y: number): { part?: Part; month?: string } {
    for (const glass of this.#scene.glasses) {
      // Bricks can be thin: the nearest within a few pixels counts.
      let best: Brick | undefined;
      let nearest = 5;
      for (const brick of glass.bricks) {
        const dx = Math.max(brick.x - x, 0, x - brick.x - brick.width);
        const dy = Math.max(brick.y - y, 0, y - brick.y - brick.height);
        const away = Math.hypot(dx, dy);
        if (away < nearest) {
          nearest = away;
          best = brick;
        }
      }
      if (best) return { part: best.part, month: glass.month };
      if (Math.abs(x - glass.x) <= glass.half + 8) return { month: glass.month };
    }
    return {};
  }

  /** Where a part stands now, for a zoom to begin at. */
  placeOf(part: number): Rect | undefined {
    return this.#moving.get(part)?.goal;
  }

  #aim({ house }: Drawn, at: number, anew: boolean): void {
    const present = new Set<number>();
    if (anew) this.#moving.clear();
    for (const glass of this.#scene.glasses) {
      for (const brick of glass.bricks) {
        present.add(brick.part.id);
        const moving = this.#moving.get(brick.part.id);
        if (moving && moving.part === brick.part) {
          moving.goal = brick;
          moving.goalAlpha = 1;
          continue;
        }
        const merge = brick.part.madeBy === undefined ? undefined : house.merges.findLast(({ id }) => id === brick.part.madeBy);
        const from = merge?.sources.map(({ id }) => this.#moving.get(id)?.now).find((rect) => rect !== undefined);
        if (merge?.reason === "flush") this.#streamUntil.set(glass.month, at + 700);
        const start = anew
          ? brick
          : (from ?? { x: glass.x - 4, y: brick.part.class === "inmemory" ? glass.heap.y : glass.neck, width: 8, height: 4 });
        this.#moving.set(brick.part.id, { part: brick.part, now: { ...start }, goal: brick, alpha: anew ? 1 : 0.2, goalAlpha: 1 });
      }
    }
    for (const [id, moving] of this.#moving) {
      if (present.has(id) || moving.goalAlpha === 0) continue;
      moving.goalAlpha = 0;
      const merge = house.merges.findLast(({ sources }) => sources.some((source) => source.id === id));
      const into = merge?.output && this.#moving.get(merge.output.id)?.goal;
      moving.goal = into
        ? { x: into.x + into.width * 0.3, y: into.y, width: into.width * 0.4, height: into.height }
        : { ...moving.now, y: moving.now.y + 30 };
    }
  }

  #move(passed: number, jump: boolean): boolean {
    const kept = jump ? 0 : REMAINS ** (passed / 100);
    let moves = false;
    for (const [id, moving] of this.#moving) {
      const { now, goal } = moving;
      let away = 0;
      for (const side of ["x", "y", "width", "height"] as const) {
        now[side] = goal[side] + (now[side] - goal[side]) * kept;
        away = Math.max(away, Math.abs(now[side] - goal[side]));
      }
      moving.alpha = moving.goalAlpha + (moving.alpha - moving.goalAlpha) * kept;
      if (moving.goalAlpha === 0 && moving.alpha < 0.03) this.#moving.delete(id);
      else if (away > 0.3 || Math.abs(moving.alpha - moving.goalAlpha) > 0.02) moves = true;
    }
    return moves;
  }

  #grains(context: CanvasRenderingContext2D, glass: Glass, drawn: Drawn, palette: Palette, at: number): boolean {
    let seen = this.#grainsSeen.get(glass.month);
    if (!seen || seen.count > glass.grains.length) seen = { count: 0, bornAt: [] };
    for (let i = seen.count; i < glass.grains.length; i++)
      seen.bornAt[i] = drawn.reducedMotion ? 0 : at + Math.min(160, (i - seen.count) * 4);
    seen.count = glass.grains.length;
    seen.bornAt.length = seen.count;
    this.#grainsSeen.set(glass.month, seen);
    const { heap, x } = glass;
    // The shard: a tray that the rows lie in.
    context.strokeStyle = palette.muted;
    context.globalAlpha = 0.65;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - heap.half - 7, heap.y - 12);
    context.lineTo(x - heap.half - 3, heap.y + 4);
    context.lineTo(x + heap.half + 3, heap.y + 4);
    context.lineTo(x + heap.half + 7, heap.y - 12);
    context.stroke();
    context.globalAlpha = 1;
    const { places, size } = heapPlaces(heap, x, glass.grains.length);
    const radius = Math.max(1, size * 0.4);
    let falls = false;
    places.forEach(([px, py], i) => {
      const share = Math.min(1, Math.max(0, (at - (seen.bornAt[i] ?? 0)) / FALL_MS));
      if (share < 1) falls = true;
      const y = fallenTo(glass, py, share);
      context.fillStyle = seriesColour(palette, glass.grains[i] as number);
      context.globalAlpha = share === 0 ? 0 : 1;
      context.beginPath();
      // One's own are known by their shape, too.
      if (glass.grains[i] === OWN_SERIES) context.rect(px - radius, y - radius, 2 * radius, 2 * radius);
      else context.arc(px, y, radius, 0, 7);
      context.fill();
    });
    context.globalAlpha = 1;
    return falls;
  }

  /** Grains that run through the neck after a flush to disk. */
  #stream(context: CanvasRenderingContext2D, glass: Glass, palette: Palette, at: number, still: boolean): boolean {
    const until = this.#streamUntil.get(glass.month) ?? 0;
    if (at > until || still) return false;
    context.fillStyle = palette.inmemory;
    const length = 70;
    for (let i = 0; i < 9; i++) {
      const share = ((at / 260 + i / 9) % 1) ** 1.6;
      context.beginPath();
      context.arc(glass.x + ((i * 7) % 5) - 2, glass.neck - 8 + share * length, 1.6, 0, 7);
      context.fill();
    }
    return true;
  }
}

function drawGlass(context: CanvasRenderingContext2D, glass: Glass, palette: Palette): void {
  const { x, top, bottom } = glass;
  const steps = 46;
  context.beginPath();
  for (let i = 0; i <= steps; i++) {
    const y = top + ((bottom - top) * i) / steps;
    context.lineTo(x + halfAt(glass, y), y);
  }
  for (let i = steps; i >= 0; i--) {
    const y = top + ((bottom - top) * i) / steps;
    context.lineTo(x - halfAt(glass, y), y);
  }
  context.closePath();
  context.fillStyle = palette.sunk;
  context.globalAlpha = 0.6;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = palette.muted;
  context.globalAlpha = 0.75;
  context.lineWidth = 1.5;
  context.stroke();
  // The plates that hold it.
  context.strokeStyle = palette.ink;
  context.globalAlpha = 0.75;
  context.lineWidth = 3;
  context.lineCap = "round";
  context.beginPath();
  for (const y of [top - 2, bottom + 2]) {
    context.moveTo(x - glass.half - 7, y);
    context.lineTo(x + glass.half + 7, y);
  }
  context.stroke();
  context.globalAlpha = 1;
}

function captions(context: CanvasRenderingContext2D, glass: Glass, width: number, bigFrom: number, palette: Palette): void {
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  const say = (y: number, head: string, text: string, colour: string) => {
    context.fillStyle = colour;
    context.fillRect(0, y - 10, 3, 27);
    context.fillStyle = palette.ink;
    context.font = `620 13.5px ${palette.font}`;
    context.fillText(head, 11, y);
    context.fillStyle = palette.muted;
    context.font = `12px ${palette.font}`;
    context.fillText(text, 11, y + 15);
  };
  say(glass.heap.y - 14, "Raw rows", "wait up to a second", palette.raw);
  say(glass.neck - 58, "In-memory parts", "searchable", palette.inmemory);
  // Each stands beside what it names: the largest parts lie lowest.
  if (glass.bricks.some(({ part }) => part.class === "big")) {
    say(glass.neck + 78, "Small parts", "durable", palette.small);
    say(glass.bottom - 40, "Big parts", `above ${bytes(bigFrom)}`, palette.big);
  } else say(glass.bottom - 40, "Small parts", `durable; big: ${bytes(bigFrom)} on`, palette.small);
  context.strokeStyle = palette.muted;
  context.globalAlpha = 0.55;
  context.setLineDash([2, 5]);
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, glass.neck + 0.5);
  context.lineTo(width, glass.neck + 0.5);
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
  context.fillStyle = palette.muted;
  context.font = `12px ${palette.font}`;
  context.fillText("memory ↑", 0, glass.neck - 7);
  context.fillText("disk ↓", 0, glass.neck + 17);
}

/** When time will move something on. */
function countdowns(
  context: CanvasRenderingContext2D,
  glass: Glass,
  width: number,
  { rawRows, disk }: { rawRows: number; disk: number },
  palette: Palette,
): void {
  const seconds = (ms: number) => `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.font = `11.5px ${palette.font}`;
  context.fillStyle = palette.muted;
  // Whole, also where there is little room beside the glass, and without moving as the seconds pass.
  const left = Math.min(glass.x + glass.half + 12, width - context.measureText("emptied in 0.0 s").width);
  context.fillText(`emptied in ${seconds(rawRows)}`, left, glass.heap.y - 4);
  context.fillText(`to disk in ${seconds(disk)}`, left, glass.neck - 7);
}

function title(context: CanvasRenderingContext2D, glass: Glass, drawn: Drawn, palette: Palette): void {
  const { month, year } = monthName(glass.month);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillStyle = palette.ink;
  context.font = `640 14px ${palette.font}`;
  context.fillText(`${month} ${year}`, glass.x, 16);
  context.fillStyle = palette.muted;
  context.font = `12px ${palette.font}`;
  const parts = glass.bricks.length;
  const size = glass.bricks.reduce((sum, { part }) => sum + part.bytes, 0);
  context.fillText(`${many(parts, "part")} · ${bytes(size)}`, glass.x, 33);
  if (glass.waiting > 0 || glass.grains.length > 0) {
    context.textAlign = "center";
    context.font = `11.5px ${palette.font}`;
    const text = drawn.capacity > 0 ? `${compact(glass.waiting)} of ${compact(drawn.capacity)} rows` : many(glass.waiting, "row");
    context.fillText(text, glass.x, glass.heap.y + 19);
  }
}

/** From so many series on a part's stripe is drawn once, as a picture of so many pixels: hundreds of stripes a frame are too many. */
const FINE_FROM = 30;
const STRIP_PIXELS = 128;
const strips = new WeakMap<Composition, { palette: Palette; strip: HTMLCanvasElement }>();

function fineStrip(composition: Composition, palette: Palette): HTMLCanvasElement {
  const known = strips.get(composition);
  if (known?.palette === palette) return known.strip;
  const strip = document.createElement("canvas");
  strip.width = STRIP_PIXELS;
  strip.height = 1;
  const context = strip.getContext("2d");
  let from = 0;
  for (const [series, share] of composition) {
    // A pixel has the colour of the series in its middle.
    const to = from + share * STRIP_PIXELS;
    if (context && Math.round(to) > Math.round(from)) {
      context.fillStyle = seriesColour(palette, series);
      context.fillRect(Math.round(from), 0, Math.round(to) - Math.round(from), 1);
    }
    from = to;
  }
  strips.set(composition, { palette, strip });
  return strip;
}

function drawBrick(
  context: CanvasRenderingContext2D,
  { part, now, alpha }: Moving,
  drawn: Drawn,
  palette: Palette,
  merging: boolean,
): void {
  const { x, y, width, height } = now;
  context.globalAlpha = alpha;
  context.fillStyle = partColour(palette, part);
  const radius = Math.min(3, height / 3, width / 3);
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
  context.fill();
  const composition = drawn.compositions.get(part.id);
  if (composition && width >= 8 && height >= 5) {
    const band = Math.max(2, Math.min(7, height * 0.32));
    const inset = Math.min(3, width * 0.08);
    const top = y + height - band - Math.min(3, height * 0.15);
    const long = width - 2 * inset;
    // The stripe lies on the card's colour: from that every series' colour stands out, from a part's not each does.
    const edge = height >= 14 ? 1 : 0;
    context.fillStyle = palette.card;
    context.fillRect(x + inset - edge, top - edge, long + 2 * edge, band + 2 * edge);
    if (composition.length >= FINE_FROM) {
      context.imageSmoothingEnabled = false;
      context.drawImage(fineStrip(composition, palette), x + inset, top, long, band);
    } else {
      let from = x + inset;
      for (const [series, share] of composition) {
        context.fillStyle = seriesColour(palette, series);
        context.fillRect(from, top, Math.max(0.6, share * long - 0.7), band);
        from += share * long;
      }
    }
  }
  if (width > 62 && height > 15) {
    context.font = `600 11px ${palette.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = palette.onStage;
    const text = width > 128 ? `${many(part.rows, "row")} · ${bytes(part.bytes)}` : compact(part.rows);
    context.fillText(text, x + width / 2, y + (height - Math.min(9, height * 0.34)) / 2 + 0.5);
    context.textBaseline = "alphabetic";
  }
  const linked = drawn.linked.has(part.id);
  if (merging || linked || drawn.selected === part.id) {
    context.lineWidth = drawn.selected === part.id ? 2.5 : 1.75;
    context.strokeStyle = linked || drawn.selected === part.id ? palette.accent : palette.ink;
    if (linked && drawn.selected !== part.id) context.setLineDash([4, 3]);
    context.beginPath();
    context.roundRect(x - 2.5, y - 2.5, width + 5, height + 5, radius + 2);
    context.stroke();
    context.setLineDash([]);
  }
  context.globalAlpha = 1;
}

/** From the sources of a merge to where they meet. */
function flows(
  context: CanvasRenderingContext2D,
  moving: ReadonlyMap<number, Moving>,
  merging: { sources: readonly Part[]; progress: number },
  glass: Glass,
  palette: Palette,
  at: number,
): void {
  const rects = merging.sources.flatMap(({ id }) => moving.get(id)?.now ?? []);
  if (rects.length === 0) return;
  const { x } = glass;
  const y = glass.neck + (glass.bottom - glass.neck) * 0.34;
  context.strokeStyle = palette.small;
  context.lineWidth = 1.4;
  context.setLineDash([4, 4]);
  context.lineDashOffset = -at / 24;
  context.globalAlpha = 0.85;
  for (const rect of rects) {
    const from = rect.x + rect.width / 2;
    const above = rect.y < y;
    context.beginPath();
    context.moveTo(from, above ? rect.y + rect.height : rect.y);
    context.quadraticCurveTo(from, above ? y - 50 : y + 40, x, above ? y - 9 : y + 11);
    context.stroke();
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
  const width = 120;
  context.fillStyle = palette.card;
  context.strokeStyle = palette.small;
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(x - width / 2, y - 8, width, 18, 4);
  context.fill();
  context.stroke();
  context.fillStyle = palette.small;
  context.beginPath();
  context.roundRect(x - width / 2 + 2, y - 6, Math.max(0, (width - 4) * merging.progress), 14, 3);
  context.fill();
}
