// Sums over all that is stored.

import type { EngineModel } from "./engine";
import { waitingRows } from "./rows";

export interface Totals {
  /** Samples stored, those that wait in the shards included. */
  rows: number;
  waitingRows: number;
  partRows: number;
  partBytes: number;
  parts: number;
  /** Engine time since which accepted rows are not yet durable; 0 when all are. */
  unsafeSince: number;
}

/** `hasLog`: rows are durable when they have left the shards. */
export function totalsOf(model: EngineModel, hasLog = false): Totals {
  const totals: Totals = { rows: 0, waitingRows: 0, partRows: 0, partBytes: 0, parts: 0, unsafeSince: 0 };
  const unsafe = (since: number) => {
    if (totals.unsafeSince === 0 || since < totals.unsafeSince) totals.unsafeSince = since;
  };
  for (const partition of model.partitions.values()) {
    totals.waitingRows += waitingRows(partition);
    if (partition.waitingSince !== 0) unsafe(partition.waitingSince);
    for (const part of partition.parts.values()) {
      totals.parts++;
      totals.partRows += part.rows;
      totals.partBytes += part.bytes;
      if (part.class === "inmemory" && !hasLog) unsafe(part.acceptedSince);
    }
  }
  totals.rows = totals.partRows + totals.waitingRows;
  return totals;
}
