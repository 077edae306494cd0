// What of a block's bytes stands for one row: the varint of its difference from the row before, or the header.

import type { ColumnDetails } from "sandglass";
import { deltasOf, varintEnds } from "../inside/explain";
import { bytes, grouped, plural } from "../model/format";

export interface StoredRow {
  /** The number that is stored, in words. */
  says: string;
  /** Its bytes. */
  bytes: Uint8Array;
  /** Where they lie, in words. */
  where: string;
}

export function storedRow(column: ColumnDetails, row: number): StoredRow {
  const { marshalType, varints, zstd, offset, file, bytes: stored } = column;
  const none = new Uint8Array();
  if (marshalType === "const") return { says: "all items are equal: the header has the first", bytes: none, where: "the block’s header" };
  if (row === 0) return { says: "the first item stands in the header", bytes: none, where: "the block’s header" };
  const [begin, end] = marshalType === "deltaConst" ? [0, varints.length] : varintOf(varints, row - 1);
  const delta = deltasOf(column, row).at(-1);
  const isSecond = row > 1 && marshalType.endsWith("Delta2");
  return {
    says:
      marshalType === "deltaConst"
        ? `all differences are ${delta}: one varint holds that`
        : `${isSecond ? "difference of differences" : "difference from the row before"}: ${delta}`,
    bytes: varints.slice(begin, end),
    where:
      zstd === "kept"
        ? `byte ${grouped(begin)} of ${plural(varints.length, "byte")} behind ZSTD, whose frame of ${bytes(stored.length)} begins at ${grouped(offset)} of ${file}`
        : `byte ${grouped(offset + begin)} of ${file}`,
  };
}

function varintOf(varints: Uint8Array, at: number): [begin: number, end: number] {
  const ends = varintEnds(varints);
  return [ends[at - 1] ?? 0, ends[at] ?? varints.length];
}
