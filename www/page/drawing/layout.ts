// Where everything in a partition's lane stands: from the model to rectangles and curves, with no DOM.

import type { PartClass } from "sandglass";
import type { Over } from "../model/lingering";
import type { Merge, Part, Partition } from "../model/parts";

export type ZoneName = "raw" | PartClass;

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Zone extends Box {
  name: ZoneName;
  empty: boolean;
}

export interface Block extends Box {
  part: Part;
  /** Shown above it when there is room. */
  labelled: boolean;
  /** It was merged away and is on its way to where its rows are now. */
  leaving: boolean;
  /** Where it comes from when it is born, relative to where it stands. */
  fromX: number;
  fromY: number;
}

export interface Forming extends Box {
  merge: Merge;
}

export interface Flow {
  key: string;
  path: string;
  running: boolean;
  into: PartClass;
}

export interface Lane {
  width: number;
  height: number;
  stacked: boolean;
  zones: Zone[];
  shards: (Box & { rows: number; capacity: number })[];
  blocks: Block[];
  forming: Forming[];
  flows: Flow[];
}

export const ZONES: readonly ZoneName[] = ["raw", "inmemory", "small", "big"];

/** Share of the lane's width, side by side. */
const SHARES: Record<ZoneName, number> = { raw: 0.13, inmemory: 0.25, small: 0.38, big: 0.24 };
const ZONE_GAP = 28;
const PADDING = 12;
/** Room above blocks for their labels and for the curves. */
const HEADROOM = 26;
const WIDE_HEIGHT = 148;
/** On a phone: two rows of two zones, each with its caption inside. */
const STACKED_ZONE_HEIGHT = 124;
const STACKED_HEADROOM = 46;
const STACKED_GAP = 8;
const STACKED_SHARES: Record<ZoneName, number> = { raw: 0.34, inmemory: 0.66, small: 0.66, big: 0.34 };
const BLOCK_WIDTH = 34;
const BLOCK_GAP = 6;
const LABEL_WIDTH = 30;
/** Bytes that stand for the lowest and the highest block. */
const LEAST_BYTES = 500;
const MOST_BYTES = 20e6;
const LEAST_HEIGHT = 10;

/** Heights are logarithmic: each step up is a part ten times the size. */
export function blockHeight(bytes: number, most: number): number {
  const share = Math.log(Math.max(bytes, LEAST_BYTES) / LEAST_BYTES) / Math.log(MOST_BYTES / LEAST_BYTES);
  return Math.round(LEAST_HEIGHT + (most - LEAST_HEIGHT) * Math.min(1, share));
}

/** A part that was merged away stands so long, in milliseconds, with a curve to where its rows went, before it follows them. */
const STAND_MS = 600;

/** Of a partition of which nothing is over. */
export const NOTHING: Over = { parts: [], merges: [] };

/** `over` is what of the partition is over and still shown. */
export function layOut(partition: Partition, over: Over, width: number, stacked: boolean, at: number): Lane {
  const zones = placeZones(width, stacked);
  const zone = (name: ZoneName) => zones.find((found) => found.name === name) as Zone;
  const raw = zone("raw");
  const headroom = stacked ? STACKED_HEADROOM : HEADROOM;

  const shards = partition.shards.map((shard, index) => {
    const gap = 8;
    const room = raw.width - 2 * PADDING;
    const each = Math.min(64, (room - gap * (partition.shards.length - 1)) / Math.max(1, partition.shards.length));
    const all = each * partition.shards.length + gap * (partition.shards.length - 1);
    return {
      x: raw.x + (raw.width - all) / 2 + index * (each + gap),
      y: raw.y + headroom,
      width: each,
      height: raw.height - headroom - PADDING,
      ...shard,
    };
  });

  const blocks: Block[] = [];
  const forming: Forming[] = [];
  const standing = new Map<Part, Box>();
  const [parts, merges] = [
    [...partition.parts.values(), ...over.parts],
    [...partition.merges.values(), ...over.merges],
  ];
  for (const name of ["inmemory", "small", "big"] as const) {
    const { x, y, width: zoneWidth, height } = zone(name);
    const here = parts.filter((part) => part.class === name && !gone(part, at));
    here.sort((a, b) => a.id - b.id);
    const coming = [...partition.merges.values()].filter((merge) => merge.outputClass === name);
    const count = here.length + coming.length;
    zone(name).empty = count === 0;
    const room = zoneWidth - 2 * PADDING;
    const pitch = Math.min(BLOCK_WIDTH + BLOCK_GAP, room / Math.max(1, count));
    const blockWidth = Math.max(2, Math.min(BLOCK_WIDTH, pitch - Math.min(BLOCK_GAP, pitch * 0.2)));
    const most = height - headroom - PADDING;
    const place = (index: number, bytes: number): Box => {
      const blockHigh = blockHeight(bytes, most);
      return { x: x + PADDING + index * pitch, y: y + height - PADDING - blockHigh, width: blockWidth, height: blockHigh };
    };
    here.forEach((part, index) => {
      const box = place(index, part.bytes);
      standing.set(part, box);
      blocks.push({ part, ...box, labelled: blockWidth >= LABEL_WIDTH, leaving: false, fromX: 0, fromY: 0 });
    });
    coming.forEach((merge, index) => forming.push({ merge, ...place(here.length + index, merge.bytes) }));
  }

  // A new part comes out of the raw rows; one that was merged comes up where it stands, while its sources fly into it.
  const mouth = shards[0] ?? raw;
  for (const block of blocks) {
    if (block.part.madeBy === undefined && block.part.class === "inmemory") {
      block.fromX = mouth.x + mouth.width / 2 - (block.x + block.width / 2);
      block.fromY = mouth.y + mouth.height / 2 - (block.y + block.height / 2);
    } else {
      block.fromY = block.height / 2;
    }
  }

  // What was merged away goes to where its rows are now.
  const destination = (merge: Merge | undefined): Box | undefined => {
    if (!merge) return undefined;
    return (merge.output && standing.get(merge.output)) ?? forming.find((found) => found.merge === merge);
  };
  for (const part of over.parts) {
    if (!gone(part, at)) continue;
    const goal = destination(part.readBy) ?? centre(zone(part.class));
    blocks.push({ part, ...goal, labelled: false, leaving: true, fromX: 0, fromY: 0 });
  }

  const flows: Flow[] = [];
  for (const merge of merges) {
    const goal = destination(merge);
    if (!goal) continue;
    for (const part of merge.sources) {
      const source = standing.get(part);
      if (!source || source === goal) continue;
      const running = merge.finishedAt === undefined;
      flows.push({ key: `${merge.id}-${part.id}`, path: curve(source, goal), running, into: merge.outputClass });
    }
  }

  const last = zones.at(-1) as Zone;
  return { width, height: stacked ? last.y + last.height : WIDE_HEIGHT, stacked, zones, shards, blocks, forming, flows };
}

const gone = ({ retiredAt }: Part, at: number): boolean => retiredAt !== undefined && at - retiredAt > STAND_MS;

function placeZones(width: number, stacked: boolean): Zone[] {
  if (stacked) {
    const room = width - STACKED_GAP;
    return ZONES.map((name, index) => {
      const second = index % 2 === 1;
      const zoneWidth = room * STACKED_SHARES[name];
      return {
        name,
        x: second ? width - zoneWidth : 0,
        y: index < 2 ? 0 : STACKED_ZONE_HEIGHT + STACKED_GAP,
        width: zoneWidth,
        height: STACKED_ZONE_HEIGHT,
        empty: false,
      };
    });
  }
  const room = width - ZONE_GAP * (ZONES.length - 1);
  let x = 0;
  return ZONES.map((name) => {
    const zone = { name, x, y: 0, width: room * SHARES[name], height: WIDE_HEIGHT, empty: false };
    x += zone.width + ZONE_GAP;
    return zone;
  });
}

function centre(zone: Zone): Box {
  return { x: zone.x + zone.width / 2, y: zone.y + zone.height / 2, width: 8, height: 8 };
}

/** From the top of a block in an arc to the top of another. */
function curve(from: Box, to: Box): string {
  const x1 = (from.x + from.width / 2).toFixed(1);
  const x2 = (to.x + to.width / 2).toFixed(1);
  const lift = (Math.min(from.y, to.y) - 18).toFixed(1);
  return `M${x1} ${from.y.toFixed(1)}C${x1} ${lift} ${x2} ${lift} ${x2} ${to.y.toFixed(1)}`;
}
