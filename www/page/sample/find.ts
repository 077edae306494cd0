// In which parts and blocks of a database a sample lies. Every part of its month that spans its time is looked through by the headers of its
// blocks; those of its series that span its time are decoded.

import type { BlockDetails, BlockHeader, Database, EngineState, PartState } from "sandglass";
import { waitingRows } from "../model/rows";
import type { SamplePlace } from "./address";

/** A place that holds the sample. */
export interface Lying {
  partition: string;
  part: PartState;
  /** The block that holds it, decoded. */
  block: BlockDetails;
  /** Its row within the block, counted from 0. */
  row: number;
}

export interface Search {
  /** Mostly one: a sample that was written twice lies in two places until their parts are merged. */
  lying: readonly Lying[];
  /** Rows of its month that are in no part yet, so that no query finds them. */
  waiting: number;
  state: EngineState;
}

/** Headers that are asked for at a time. */
const HEADERS_AT_ONCE = 10_000;
/** Parts are merged while they are looked through. More often in a row than this they are not. */
const MOST_TRIES = 5;

export async function findSample(database: Database, sample: Pick<SamplePlace, "labels" | "time">, signal: AbortSignal): Promise<Search> {
  for (let tries = 1; ; tries++) {
    try {
      return await searchOnce(database, sample, signal);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "not_found" || tries === MOST_TRIES) throw error;
    }
  }
}

const spans = ({ minTimestamp, maxTimestamp }: Pick<PartState, "minTimestamp" | "maxTimestamp">, time: number): boolean =>
  minTimestamp <= time && time <= maxTimestamp;

async function searchOnce(
  database: Database,
  { labels, time }: Pick<SamplePlace, "labels" | "time">,
  signal: AbortSignal,
): Promise<Search> {
  const state = await database.inspect({ signal });
  const month = state.partitions.find((partition) => spans(partition, time));
  const lying: Lying[] = [];
  for (const part of month?.parts ?? []) {
    if (!spans(part, time)) continue;
    for (const at of await blocksOf(database, part, (header) => isOf(header, labels) && spans(header, time), signal)) {
      const block = await database.inspectBlock(part.id, at, { signal });
      const row = block.timestamps.integers.lastIndexOf(BigInt(time));
      if (row >= 0) lying.push({ partition: month?.name ?? "", part, block, row });
    }
  }
  return { lying, waiting: month ? waitingRows(month) : 0, state };
}

/** The places of the blocks whose headers are wanted. */
async function blocksOf(
  database: Database,
  part: PartState,
  isWanted: (header: BlockHeader) => boolean,
  signal: AbortSignal,
): Promise<number[]> {
  const found: number[] = [];
  for (let from = 0; from < part.blocks; from += HEADERS_AT_ONCE) {
    const { headers } = await database.inspectPart(part.id, { from, count: HEADERS_AT_ONCE, signal });
    headers.forEach((header, i) => isWanted(header) && found.push(from + i));
  }
  return found;
}

function isOf({ labels: of }: BlockHeader, labels: SamplePlace["labels"]): boolean {
  if (of === null) return false;
  const names = Object.keys(of);
  return names.length === Object.keys(labels).length && names.every((name) => of[name] === labels[name]);
}

/** How an address calls the part; one that is in memory alone has no name yet. */
export const IN_MEMORY = "memory";
export const nameOf = (part: PartState): string => part.name || IN_MEMORY;
