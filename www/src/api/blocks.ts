// Blocks of parts and of the index, as those see them who look inside.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { Labels } from "./samples.js";
import type { PartId } from "./state.js";

/** Blocks of a part by their position, counted from 0. */
export interface BlockRange {
  /** The first one. Default 0. */
  from?: number;
  /** How many at the most, up to 10,000. Default 1,000. */
  count?: number;
}

/** A part's blocks, or some of them. */
export interface PartDetails {
  /** `YYYY_MM`. */
  partition: string;
  /** Blocks of the part in all. */
  blocks: number;
  /** Index blocks of the part, each a row of its metaindex. */
  indexBlocks: number;
  /** Lengths of `timestamps.bin`, `values.bin`, `index.bin` and `metaindex.bin`. */
  fileBytes: [timestamps: number, values: number, index: number, metaindex: number];
  /** The headers of the blocks that were asked for. */
  headers: BlockHeader[];
}

/** A block of the index: up to 64 KiB of items. */
export interface IndexBlockDetails {
  /** The directory of the part it is in; where it would be, while the part is in memory alone. */
  dir: string;
  /** Whether the items are compressed by ZSTD, with what they share left out. */
  isZstd: boolean;
  /** How many bytes all its items begin with. */
  commonPrefixBytes: number;
  /** Where its items begin in `items.bin`, and how many bytes they take there. */
  itemsAt: [offset: number, bytes: number];
  /** Where the items' lengths begin in `lens.bin`, and how many bytes they take there. */
  lensAt: [offset: number, bytes: number];
  /** The items in order, as hex digits; the first byte tells what each is. */
  items: string[];
}

/** The header of a block: 81 bytes in an index block. */
export interface BlockHeader {
  /** The 24 bytes of the TSID as hex digits: metric group, job, instance and metric id. Their order is the order of series in a part. */
  tsid: string;
  /** The series' labels; `null` when the index has no name for it. */
  labels: Labels | null;
  /** Samples in the block, up to 8192. */
  rows: number;
  minTimestamp: number;
  maxTimestamp: number;
  /** The first mantissa, as decimal text. */
  firstValue: string;
  /** The decimal exponent that all mantissas share: a value is its mantissa times ten to the power of this. */
  scale: number;
  /** Significant bits that were kept; 64 keeps all bits of the mantissas. */
  precisionBits: number;
  /** The marshal types as they stand in the header, 0 to 6; see {@link MarshalType}. */
  timestampsType: number;
  valuesType: number;
  /** Where the timestamps begin in `timestamps.bin`. Adjacent blocks of equal timestamps share one place. */
  timestampsOffset: number;
  timestampsBytes: number;
  /** Where the mantissas begin in `values.bin`. */
  valuesOffset: number;
  valuesBytes: number;
}

/** A block, decoded, at all stages of its encoding. */
export interface BlockDetails {
  part: PartId;
  /** Its position in the part's order, counted from 0. */
  block: number;
  header: BlockHeader;
  /** The header as it stands in its index block, behind zstd: 81 bytes, big-endian, signed fields zig-zagged. */
  headerBytes: Uint8Array;
  /** What these bytes are, in their order. */
  headerFields: HeaderField[];
  /** The samples' values. */
  values: Float64Array;
  /** The samples' timestamps: integers of milliseconds. */
  timestamps: ColumnDetails;
  /** The values as integers, one for each. */
  mantissas: ColumnDetails;
}

/** A field of a block header. */
export interface HeaderField {
  name:
    | "metricGroupId"
    | "jobId"
    | "instanceId"
    | "metricId"
    | "minTimestamp"
    | "maxTimestamp"
    | "firstValue"
    | "timestampsBlockOffset"
    | "valuesBlockOffset"
    | "timestampsBlockSize"
    | "valuesBlockSize"
    | "rowsCount"
    | "scale"
    | "timestampsMarshalType"
    | "valuesMarshalType"
    | "precisionBits";
  /** Its first byte. */
  offset: number;
  /** Its bytes. */
  length: number;
}

/** A column of integers at all stages of its encoding. */
export interface ColumnDetails {
  /** The file of the part that holds it. */
  file: "timestamps.bin" | "values.bin";
  /** Where it begins there. Of no meaning when nothing is stored. */
  offset: number;
  marshalType: MarshalType;
  /** How the integers go, which decides between differences and differences of differences. */
  course: Course;
  /** Whether the varints are compressed: not below 128 bytes, and only when that saves a tenth. */
  zstd: "kept" | "tooShort" | "notWorth";
  integers: BigInt64Array;
  /** The differences as zig-zag varints, before zstd; empty when all integers are equal. */
  varints: Uint8Array;
  /** What is stored in the file. */
  bytes: Uint8Array;
  /** Bytes after each stage. */
  sizes: {
    /** Eight a sample. */
    integers: number;
    varints: number;
    stored: number;
  };
}

/**
 * How a column is encoded. In the header: 1 `zstdNearestDelta2`, 2 `deltaConst`, 3 `const`, 4 `zstdNearestDelta`,
 * 5 `nearestDelta2`, 6 `nearestDelta`; 0 is not written.
 */
export type MarshalType =
  | "const"
  | "deltaConst"
  | "nearestDelta"
  | "nearestDelta2"
  | "zstdNearestDelta"
  | "zstdNearestDelta2"
  | "undefined";

/**
 * How a column goes, which decides how it is encoded. All equal; a constant difference; a gauge, since item `at` is negative, since it fell to
 * more than an eighth of the one before, or since too many falls look like resets; else a counter.
 */
export type Course =
  | { kind: "const" }
  | { kind: "deltaConst" }
  | { kind: "negative"; at: number }
  | { kind: "falls"; at: number }
  | { kind: "resets"; resets: number }
  | { kind: "counter"; resets: number };
