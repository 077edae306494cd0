// Where everything stands in the picture: a glass for each month, raw rows and in-memory parts above its neck, parts on disk
// below. Geometry alone; the same house makes the same picture.

import type { House } from "../model/house";
import type { Part } from "../model/parts";
import { rowsInShards } from "../model/rows";

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Brick extends Rect {
  part: Part;
}

export interface Glass {
  month: string;
  /** The middle. */
  x: number;
  top: number;
  neck: number;
  bottom: number;
  /** Half of the inner width at the widest place. */
  half: number;
  /** Where the heap of raw rows lies: its lower edge and half of its width. */
  heap: { y: number; half: number; height: number };
  bricks: Brick[];
  waiting: number;
  grains: readonly number[];
}

export interface Scene {
  glasses: Glass[];
  /** Months that found no room, oldest ones. */
  hidden: number;
  /** Room for the captions on the left; 0 when there is none. */
  margin: number;
}

export const NECK_HALF = 9;
const CAPTIONS_FROM = 700;
const CAPTIONS = 150;
const LEAST_GLASS = 150;
/** Half of the width of a glass to its height, at the most: it is to look like one. */
const WIDEST_SHARE = 0.445;
const GAP = 3;

/** Half of the inner width of a glass at a height. */
export function halfAt(glass: Pick<Glass, "top" | "neck" | "bottom" | "half">, y: number): number {
  const from = y < glass.neck ? (glass.neck - y) / (glass.neck - glass.top) : (y - glass.neck) / (glass.bottom - glass.neck);
  const bulb = Math.min(1, Math.max(0, from) / 0.78);
  // A tube at the neck, round shoulders, straight walls.
  const soft = bulb * bulb * (3 - 2 * bulb);
  const round = 1 - (1 - bulb) ** 2.2;
  return NECK_HALF + (glass.half - NECK_HALF) * (0.45 * soft + 0.55 * round);
}

export function layOut(house: House, width: number, height: number, focus: string | undefined): Scene {
  const margin = width >= CAPTIONS_FROM ? CAPTIONS : 0;
  const { partitions } = house.engine;
  const names = [...partitions.keys()].sort();
  let shown = focus !== undefined && partitions.has(focus) ? [focus] : names;
  const fitting = Math.max(1, Math.floor((width - margin) / LEAST_GLASS));
  const hidden = focus === undefined ? Math.max(0, names.length - fitting) : 0;
  shown = shown.slice(-fitting);
  // A month with more in it gets more room, yet the smallest can still be seen.
  const weights = shown.map(
    (name) => 1 + Math.log2(1 + [...(partitions.get(name)?.parts.values() ?? [])].reduce((sum, part) => sum + part.bytes, 0)) / 6,
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const top = 46;
  const bottom = height - 22;
  let x = margin;
  const glasses = shown.map((name, i): Glass => {
    const partition = partitions.get(name);
    const waiting = partition ? rowsInShards(partition) : 0;
    const room = ((width - margin) * (weights[i] as number)) / sum;
    const glass: Glass = {
      month: name,
      x: x + room / 2,
      top,
      neck: top + (bottom - top) * 0.42,
      bottom,
      half: Math.min(height * WIDEST_SHARE, room / 2 - 14),
      heap: { y: 0, half: 0, height: 0 },
      bricks: [],
      waiting,
      grains: waiting > 0 ? house.grainsOf(name) : [],
    };
    x += room;
    const bulb = glass.neck - glass.top;
    const heapY = glass.top + bulb * 0.4;
    glass.heap = { y: heapY, half: halfAt(glass, heapY) * 0.5, height: bulb * 0.34 };
    const parts = [...(partition?.parts.values() ?? [])];
    const above = parts.filter((part) => part.class === "inmemory").sort((a, b) => a.id - b.id);
    const below = parts.filter((part) => part.class !== "inmemory").sort((a, b) => b.bytes - a.bytes || a.id - b.id);
    glass.bricks = [
      ...pack(glass, above, glass.neck - 10, heapY + 26),
      ...pack(glass, below, glass.bottom - 6, glass.neck + (glass.bottom - glass.neck) * 0.2),
    ];
    return glass;
  });
  return { glasses, hidden, margin };
}

/** Rows of bricks from `from` upward, as large as they can be and end below `to`. */
function pack(glass: Glass, parts: readonly Part[], from: number, to: number): Brick[] {
  for (let scale = 4; ; scale *= 0.84) {
    const bricks = packed(glass, parts, from, scale);
    const highest = bricks.at(-1)?.y ?? from;
    if (highest >= to || scale < 0.05) return bricks;
  }
}

function packed(glass: Glass, parts: readonly Part[], from: number, scale: number): Brick[] {
  const bricks: Brick[] = [];
  let bottom = from;
  for (let next = 0; next < parts.length; ) {
    const first = parts[next] as Part;
    const height = Math.max(2.5, Math.min(34, (4 + 2.2 * Math.log2(1 + first.bytes / 200)) * scale));
    const y = bottom - height;
    const room = Math.max(10, 2 * Math.min(halfAt(glass, y), halfAt(glass, bottom)) - 14);
    const row: [Part, number][] = [];
    let used = 0;
    for (; next < parts.length; next++) {
      const part = parts[next] as Part;
      const width = Math.min(room, Math.max(3, Math.sqrt(part.bytes) * 1.15 * scale));
      if (row.length > 0 && used + GAP + width > room) break;
      used += (row.length > 0 ? GAP : 0) + width;
      row.push([part, width]);
    }
    let x = glass.x - used / 2;
    for (const [part, width] of row) {
      bricks.push({ part, x, y, width, height });
      x += width + GAP;
    }
    bottom = y - GAP;
  }
  return bricks;
}

/** Places for so many grains in a heap, the first ones lowest. `size` is how far they lie apart. */
export function heapPlaces(heap: Glass["heap"], x: number, count: number): { places: [number, number][]; size: number } {
  for (let size = 9; ; size *= 0.86) {
    const places: [number, number][] = [];
    const rows = Math.floor(heap.height / (size * 0.87));
    for (let row = 0; row < rows && places.length < count; row++) {
      const half = heap.half * (1 - (row / (rows + 2)) * 0.8);
      const fits = Math.max(1, Math.floor((2 * half) / size));
      const here = Math.min(fits, count - places.length);
      // From the middle outward, as sand falls.
      for (let i = 0; i < here; i++) {
        const side = i % 2 === 0 ? i / 2 : -(i + 1) / 2;
        places.push([x + side * size + (row % 2) * (size / 2), heap.y - (row + 0.5) * size * 0.87]);
      }
    }
    if (places.length >= count || size < 2) return { places, size };
  }
}

/** How far a grain has fallen to its place at `y`: from the upper edge of the glass, below the month's name, ever faster. */
export function fallenTo(glass: Pick<Glass, "top">, y: number, share: number): number {
  return glass.top + (y - glass.top) * Math.min(1, share) ** 2;
}

export interface Cell extends Rect {
  block: number;
}

/** A grid of so many cells in a rectangle. */
export function grid(count: number, within: Rect): Cell[] {
  if (count === 0) return [];
  const aspect = count <= 24 ? 2.2 : 1.2;
  let columns = Math.max(1, Math.ceil(Math.sqrt((count * within.width) / (within.height * aspect))));
  columns = Math.min(columns, count);
  const rows = Math.ceil(count / columns);
  const gap = count > 400 ? 1 : count > 60 ? 2 : 6;
  const width = (within.width - gap * (columns - 1)) / columns;
  const height = Math.min(120, (within.height - gap * (rows - 1)) / rows);
  return Array.from({ length: count }, (_, block) => ({
    block,
    x: within.x + (block % columns) * (width + gap),
    y: within.y + Math.floor(block / columns) * (height + gap),
    width,
    height,
  }));
}
