// Why a column is encoded as it is, in words; and the numbers between the stages.

import type { BlockDetails, ColumnDetails, MarshalType } from "sandglass/inline";
import { plural, significant } from "../model/format";

export const TYPE_WORD: Record<MarshalType, string> = {
  const: "const",
  deltaConst: "delta const",
  nearestDelta: "nearest delta",
  nearestDelta2: "nearest delta2",
  zstdNearestDelta: "ZSTD nearest delta",
  zstdNearestDelta2: "ZSTD nearest delta2",
  undefined: "undefined",
};

const TYPES: readonly MarshalType[] = [
  "undefined",
  "zstdNearestDelta2",
  "deltaConst",
  "const",
  "zstdNearestDelta",
  "nearestDelta2",
  "nearestDelta",
];

/** The words for a marshal type as it stands in a header. */
export const typeWord = (type: number): string => TYPE_WORD[TYPES[type] ?? "undefined"];

const ordinal = (at: number): string => `item ${at + 1}`;

export function whyType({ course, integers }: ColumnDetails): string {
  switch (course.kind) {
    case "const":
      return integers.length === 1
        ? "A single item: the header holds it."
        : "All items are equal: the header holds the first, and nothing else is stored.";
    case "deltaConst":
      return `Each item differs from the one before it by ${(integers[1] as bigint) - (integers[0] as bigint)}: one varint holds that.`;
    case "negative":
      return `A gauge, since ${ordinal(course.at)} is negative: differences are stored.`;
    case "falls":
      return `A gauge, since ${ordinal(course.at)} fell to more than an eighth of the one before it: differences are stored.`;
    case "resets":
      return `A gauge, since ${plural(course.resets, "fall")} look like resets, more than one item in eight: differences are stored.`;
    case "counter":
      return course.resets === 0
        ? "A counter, since no item falls: differences of differences are stored."
        : `A counter with ${plural(course.resets, "fall")} that look like resets: differences of differences are stored.`;
  }
}

export function whyZstd({ zstd, sizes }: ColumnDetails): string {
  if (zstd === "kept") return `ZSTD saved ${significant(100 * (1 - sizes.stored / sizes.varints))} %.`;
  if (zstd === "notWorth") return "ZSTD would not have saved a tenth, so the varints are stored as they are.";
  return sizes.varints === 0 ? "There is nothing to compress." : "Below 128 bytes nothing is compressed.";
}

/** What the varints hold: differences, or differences of differences. */
export function deltasOf({ marshalType, integers }: ColumnDetails, most: number): bigint[] {
  const deltas: bigint[] = [];
  const at = (i: number) => integers[i] as bigint;
  const wrap = (value: bigint) => BigInt.asIntN(64, value);
  if (marshalType === "const" || integers.length < 2) return deltas;
  if (marshalType === "deltaConst") return [wrap(at(1) - at(0))];
  const second = marshalType === "nearestDelta2" || marshalType === "zstdNearestDelta2";
  for (let i = 1; i < integers.length && deltas.length < most; i++) {
    const delta = wrap(at(i) - at(i - 1));
    deltas.push(second && i > 1 ? wrap(delta - wrap(at(i - 1) - at(i - 2))) : delta);
  }
  return deltas;
}

export const FIELD_WORD: Record<BlockDetails["headerFields"][number]["name"], string> = {
  metricGroupId: "MetricGroupID: hash of the metric’s name",
  jobId: "JobID: hash of the first label’s value",
  instanceId: "InstanceID: hash of the second label’s value",
  metricId: "MetricID: the unique number of the series",
  minTimestamp: "MinTimestamp: the first one",
  maxTimestamp: "MaxTimestamp: the last one",
  firstValue: "FirstValue: the first mantissa",
  timestampsBlockOffset: "TimestampsBlockOffset in timestamps.bin",
  valuesBlockOffset: "ValuesBlockOffset in values.bin",
  timestampsBlockSize: "TimestampsBlockSize",
  valuesBlockSize: "ValuesBlockSize",
  rowsCount: "RowsCount",
  scale: "Scale: the decimal exponent of all mantissas",
  timestampsMarshalType: "TimestampsMarshalType",
  valuesMarshalType: "ValuesMarshalType",
  precisionBits: "PrecisionBits: 64 keeps all bits of the mantissas",
};

export function fieldValue({ header, headerBytes }: BlockDetails, { name, offset, length }: BlockDetails["headerFields"][number]): string {
  switch (name) {
    case "minTimestamp":
      return new Date(header.minTimestamp).toISOString();
    case "maxTimestamp":
      return new Date(header.maxTimestamp).toISOString();
    case "firstValue":
      return header.firstValue;
    case "scale":
      return String(header.scale);
    case "timestampsMarshalType":
      return `${header.timestampsType}, ${typeWord(header.timestampsType)}`;
    case "valuesMarshalType":
      return `${header.valuesType}, ${typeWord(header.valuesType)}`;
    default:
      return headerBytes
        .subarray(offset, offset + length)
        .reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
        .toString();
  }
}

/** Where each varint of a column ends. */
export function varintEnds(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  bytes.forEach((byte, i) => byte < 128 && ends.push(i + 1));
  return ends;
}

export interface VarintBits {
  /** Of each byte: whether another one follows, and its seven bits. */
  bytes: readonly { more: boolean; bits: string }[];
  /** The seven bits of all bytes as one number, the last byte’s first. */
  joined: string;
  unsigned: bigint;
  /** Zig-zag: even numbers stand for 0, 1, 2, odd ones for -1, -2, -3. */
  value: bigint;
}

/** How the bits of a varint’s bytes make its number. */
export function varintBits(run: Uint8Array): VarintBits {
  const bytes = [...run].map((byte) => ({ more: byte >= 128, bits: (byte & 127).toString(2).padStart(7, "0") }));
  const joined = bytes
    .map(({ bits }) => bits)
    .reverse()
    .join("");
  const unsigned = BigInt(`0b${joined || "0"}`);
  return { bytes, joined, unsigned, value: (unsigned >> 1n) ^ -(unsigned & 1n) };
}
