// Blocks of parts and of the index, for those who look inside.

import { checkOptions, invalid } from "../base/shared.js";
import { blockDetails } from "./block_details.js";
import type { Port } from "../port/port.js";
import type { BlockDetails, BlockRange, IndexBlockDetails, PartDetails } from "../api/blocks.js";
import type { Abortable } from "../api/samples.js";
import type { PartId } from "../api/state.js";

const RANGE_OPTIONS: Record<keyof (BlockRange & Abortable), true> = { from: true, count: true, signal: true };

export function inspectPart(port: Port, part: PartId, blocks: BlockRange & Abortable): Promise<PartDetails> {
  checkOptions(blocks, RANGE_OPTIONS, "inspectPart()");
  const { from = 0, count = 1000, signal } = blocks;
  return port.ask(
    { kind: "inspectPart", part: position(part, "part"), from: position(from, "from"), count: position(count, "count") },
    signal,
  );
}

export async function inspectBlock(port: Port, part: PartId, block: number, signal: AbortSignal | undefined): Promise<BlockDetails> {
  return blockDetails(
    part,
    block,
    await port.ask({ kind: "inspectBlock", part: position(part, "part"), block: position(block, "block") }, signal),
  );
}

export function inspectIndexBlock(
  port: Port,
  table: number,
  part: number,
  block: number,
  signal: AbortSignal | undefined,
): Promise<IndexBlockDetails> {
  return port.ask(
    { kind: "inspectIndexBlock", table: position(table, "table"), part: position(part, "part"), block: position(block, "block") },
    signal,
  );
}

function position(number: unknown, what: string): number {
  if (typeof number === "number" && Number.isInteger(number) && number >= 0) return number;
  throw invalid(`${what} is ${String(number)}; a whole number from 0 on is expected`);
}
