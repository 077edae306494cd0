// A block as people look at it: the engine's pieces, with the sizes of each stage and the places of the header's fields.

import type { BlockPieces } from "../port/requests.js";
import type { BlockDetails, ColumnDetails, Course, HeaderField, MarshalType } from "../api/blocks.js";
import type { PartId } from "../api/state.js";

const MARSHAL_TYPES: readonly MarshalType[] = [
  "undefined",
  "zstdNearestDelta2",
  "deltaConst",
  "const",
  "zstdNearestDelta",
  "nearestDelta2",
  "nearestDelta",
];

/** A payload that is shorter is never compressed. */
const LEAST_COMPRESSED = 128;

/** The header's fields in their order, with their lengths in bytes. */
const FIELDS: readonly [HeaderField["name"], number][] = [
  ["metricGroupId", 8],
  ["jobId", 4],
  ["instanceId", 4],
  ["metricId", 8],
  ["minTimestamp", 8],
  ["maxTimestamp", 8],
  ["firstValue", 8],
  ["timestampsBlockOffset", 8],
  ["valuesBlockOffset", 8],
  ["timestampsBlockSize", 4],
  ["valuesBlockSize", 4],
  ["rowsCount", 4],
  ["scale", 2],
  ["timestampsMarshalType", 1],
  ["valuesMarshalType", 1],
  ["precisionBits", 1],
];

export function blockDetails(part: PartId, block: number, pieces: BlockPieces): BlockDetails {
  const [
    { header, timestampsCourse, valuesCourse },
    bytes,
    timestamps,
    mantissas,
    values,
    timestampVarints,
    timestampBytes,
    valueVarints,
    valueBytes,
  ] = pieces;
  let offset = 0;
  const fields = FIELDS.map(([name, length]): HeaderField => ({ name, offset: (offset += length) - length, length }));
  return {
    part,
    block,
    header,
    headerBytes: bytes,
    headerFields: fields,
    values,
    timestamps: column(
      "timestamps.bin",
      header.timestampsOffset,
      header.timestampsType,
      timestampsCourse,
      timestamps,
      timestampVarints,
      timestampBytes,
    ),
    mantissas: column("values.bin", header.valuesOffset, header.valuesType, valuesCourse, mantissas, valueVarints, valueBytes),
  };
}

function column(
  file: ColumnDetails["file"],
  offset: number,
  type: number,
  course: Course,
  integers: BigInt64Array,
  varints: Uint8Array,
  bytes: Uint8Array,
): ColumnDetails {
  const marshalType = MARSHAL_TYPES[type] ?? "undefined";
  const isCompressed = marshalType.startsWith("zstd");
  return {
    file,
    offset,
    marshalType,
    course,
    zstd: isCompressed ? "kept" : varints.length < LEAST_COMPRESSED ? "tooShort" : "notWorth",
    integers,
    varints,
    bytes,
    sizes: { integers: integers.byteLength, varints: varints.length, stored: bytes.length },
  };
}
