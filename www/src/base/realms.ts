// Built-in objects of whichever realm: a frame, node:vm and jsdom have constructors of their own, which `instanceof` does not know.

import { SandglassError } from "../api/errors.js";

/** What a value is built as, such as `"Float64Array"` or `"Blob"`. */
export function builtAs(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** A column of numbers, as an array of this realm over the same memory; nothing when it is none. */
export function numberColumn(column: unknown): Float64Array | readonly number[] | undefined {
  if (column instanceof Float64Array) return attached(column);
  if (Array.isArray(column)) return column;
  if (!ArrayBuffer.isView(column) || builtAs(column) !== "Float64Array") return undefined;
  return new Float64Array(column.buffer, column.byteOffset, column.byteLength / Float64Array.BYTES_PER_ELEMENT);
}

/** A column whose buffer was given away looks empty, and would be taken for one. */
function attached<T extends Float64Array | BigInt64Array>(column: T): T {
  if (column.length > 0) return column;
  try {
    new Uint8Array(column.buffer);
    return column;
  } catch (cause) {
    throw new SandglassError("invalid", "a column is in a buffer that was given away (it is detached)", { cause });
  }
}

/** The same for columns that may be big integers. */
export function timestampColumn(column: unknown): Float64Array | BigInt64Array | readonly number[] | undefined {
  if (column instanceof BigInt64Array) return attached(column);
  if (!ArrayBuffer.isView(column) || builtAs(column) !== "BigInt64Array") return numberColumn(column);
  return new BigInt64Array(column.buffer, column.byteOffset, column.byteLength / BigInt64Array.BYTES_PER_ELEMENT);
}

/** The bytes of a buffer or of any view on one; nothing when it is neither. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  try {
    // Of the plain class: a Buffer of Node is a Uint8Array too, and its slice() is no copy.
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const kind = builtAs(value);
    return kind === "ArrayBuffer" || kind === "SharedArrayBuffer" ? new Uint8Array(value as ArrayBuffer) : undefined;
  } catch (cause) {
    throw new SandglassError("invalid", "the bytes are in a buffer that was given away (it is detached)", { cause });
  }
}

/** The largest piece of what goes to the engine one after the other: so many bytes, or units of a text. */
export const PIECE_BYTES = 256 * 1024;

/** Bytes that were copied, in pieces that can be given away one by one. */
export class Pieces {
  constructor(readonly pieces: readonly Uint8Array[]) {}
}

/** A copy of bytes, and anything else as it is: what is handed in may be written to, or given away, as soon as the call has returned. */
export function copied<T>(body: T): T {
  return (bytesOf(body)?.slice() as T | undefined) ?? body;
}

/** The same, in pieces. */
export function copiedInPieces<T>(body: T): T | Pieces {
  const bytes = bytesOf(body);
  return bytes === undefined ? body : new Pieces([...piecesOf(bytes)]);
}

/** Copies of the pieces of bytes, each made when it is asked for. */
export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) yield bytes.slice(from, from + PIECE_BYTES);
}
