// Cuts a body into pieces that end at line feeds.

import { builtAs, bytesOf, invalid, offAbort, onAbort, SandglassError, unreadable } from "../base/shared.js";
import { Utf8Reader } from "./utf8.js";

/** A piece is about so long; longer only when a line is. */
const PIECE_BYTES = 64 * 1024;
/** A line beyond this is given up. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const LINE_FEED = 10;
const BYTE_ORDER_MARK = "\ufeff";

export type Body = string | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | Blob;

/** A body once it was looked at: bytes are views of this realm. */
type Source = string | Uint8Array | ReadableStream<Uint8Array> | Blob;

/** Whole lines; or a line that was too long to be looked at, without its bytes. */
export interface Piece {
  bytes: Uint8Array;
  /** Line feeds in the piece. */
  lines: number;
  tooLong?: true;
}

/** The pieces of a body in order, which nobody else writes to. The signal ends them, even when a stream brings no more. */
export async function* pieces(source: Source, signal?: AbortSignal): AsyncGenerator<Piece> {
  if (typeof source === "string") yield* textPieces(source);
  else if (source instanceof Uint8Array) yield* wholePieces(source);
  else if ("getReader" in source) yield* streamPieces(source, signal);
  // Blobs of jsdom have no stream.
  else if (typeof source.stream === "function") yield* streamPieces(source.stream() as ReadableStream<Uint8Array>, signal);
  else yield* wholePieces(new Uint8Array(await wholeOf(source)));
}

/** A body as it comes, in chunks that nobody else writes to. The signal ends them, even when a stream brings no more. */
export async function* chunks(source: Source, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (typeof source === "string") {
    for (const { bytes } of textPieces(source)) yield bytes;
    return;
  }
  // Not every body is text: what looks like a mark of its byte order may be anything.
  if (source instanceof Uint8Array) {
    for (const { bytes } of bytePieces(source)) yield bytes;
    return;
  }
  if (!("getReader" in source) && typeof source.stream !== "function") {
    yield new Uint8Array(await wholeOf(source));
    return;
  }
  const reader = readerOf("getReader" in source ? source : (source.stream() as ReadableStream<Uint8Array>));
  const abort = () => void reader.cancel(signal?.reason).catch(() => {});
  onAbort(signal, abort);
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw unreadable("the body has failed behind what was ingested", cause);
      });
      if (done) break;
      yield chunkOf(value).slice();
    }
  } finally {
    offAbort(signal, abort);
    reader.cancel().catch(() => {});
  }
}

/** What a body is read from, of whichever realm it is; nothing when it is no body. */
export function sourceOf(body: unknown): Source | undefined {
  if (typeof body === "string") return body;
  const bytes = bytesOf(body);
  if (bytes !== undefined) return bytes;
  const kind = builtAs(body);
  if (kind === "Blob" || kind === "File") return body as Blob;
  return typeof (body as Partial<ReadableStream> | null)?.getReader === "function" ? (body as ReadableStream<Uint8Array>) : undefined;
}

/** All of a blob, by whatever way it can be read. */
async function wholeOf(blob: Blob): Promise<ArrayBuffer> {
  if (typeof blob.arrayBuffer === "function") return blob.arrayBuffer();
  const { FileReader } = globalThis as { FileReader?: new () => FileReader };
  if (FileReader === undefined) throw invalid("the blob to ingest has neither stream() nor arrayBuffer(); hand in its bytes");
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(reader.result as ArrayBuffer);
    reader.onerror = () => reject(unreadable("the blob cannot be read", reader.error));
    reader.readAsArrayBuffer(blob);
  });
}

function* textPieces(text: string): Generator<Piece> {
  if (typeof TextEncoder !== "function")
    throw new SandglassError("unsupported", "there is no TextEncoder here, which makes bytes of text; hand in bytes");
  const encoder = new TextEncoder();
  for (let from = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0; from < text.length; ) {
    // Most text is of one byte a character; a piece may be three times as long at the worst.
    let to = text.length;
    if (to - from > PIECE_BYTES) {
      to = text.lastIndexOf("\n", from + PIECE_BYTES - 1) + 1;
      if (to <= from) to = text.indexOf("\n", from + PIECE_BYTES) + 1 || text.length;
    }
    yield piece(encoder.encode(text.slice(from, to)));
    from = to;
  }
}

function* wholePieces(bytes: Uint8Array): Generator<Piece> {
  const utf8 = new Utf8Reader();
  yield* bytePieces(utf8.take(bytes));
  yield* bytePieces(utf8.end());
}

function* bytePieces(bytes: Uint8Array): Generator<Piece> {
  for (let from = 0; from < bytes.length; ) {
    let to = bytes.length;
    if (to - from > PIECE_BYTES) {
      to = bytes.lastIndexOf(LINE_FEED, from + PIECE_BYTES - 1) + 1;
      if (to <= from) to = bytes.indexOf(LINE_FEED, from + PIECE_BYTES) + 1 || bytes.length;
    }
    // Whoever has handed it in may write to it again.
    yield piece(bytes.slice(from, to));
    from = to;
  }
}

async function* streamPieces(stream: ReadableStream<Uint8Array>, signal: AbortSignal | undefined): AsyncGenerator<Piece> {
  const reader = readerOf(stream);
  const utf8 = new Utf8Reader();
  // Those who wait for the next chunk are told that there is none.
  const abort = () => void reader.cancel(signal?.reason).catch(() => {});
  onAbort(signal, abort);
  /** The beginning of a line whose end has not come yet. */
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let skipping = false;
  let finished = false;
  const joined = (last: Uint8Array): Uint8Array => {
    if (pendingBytes === 0) return last;
    const whole = new Uint8Array(pendingBytes + last.length);
    let at = 0;
    for (const part of [...pending, last]) {
      whole.set(part, at);
      at += part.length;
    }
    pending = [];
    pendingBytes = 0;
    return whole;
  };
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw unreadable("the body has failed behind the lines that were ingested", cause);
      });
      let chunk = done ? utf8.end() : utf8.take(chunkOf(value));
      if (skipping) {
        const end = chunk.indexOf(LINE_FEED) + 1;
        if (end === 0 && done) break;
        if (end === 0) continue;
        skipping = false;
        yield { bytes: chunk.subarray(0, 0), lines: 1, tooLong: true };
        chunk = chunk.subarray(end);
      }
      const end = chunk.lastIndexOf(LINE_FEED) + 1;
      if (end > 0) yield* bytePieces(joined(chunk.subarray(0, end)));
      if (end < chunk.length) {
        // The source may use its memory again for the next chunk.
        pending.push(chunk.slice(end));
        pendingBytes += chunk.length - end;
      }
      if (pendingBytes > MAX_LINE_BYTES) {
        pending = [];
        pendingBytes = 0;
        skipping = true;
      }
      if (done) break;
    }
    finished = true;
    if (pendingBytes > 0) yield* bytePieces(joined(new Uint8Array(0)));
    if (skipping) yield { bytes: new Uint8Array(0), lines: 1, tooLong: true };
  } finally {
    offAbort(signal, abort);
    if (!finished) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

function readerOf(stream: ReadableStream<Uint8Array>): ReadableStreamDefaultReader<Uint8Array> {
  try {
    return stream.getReader();
  } catch (cause) {
    throw unreadable("the body cannot be read", cause);
  }
}

function chunkOf(chunk: unknown): Uint8Array {
  if (ArrayBuffer.isView(chunk)) return bytesOf(chunk)!;
  throw invalid(`the body is a stream of ${typeof chunk}s; pipe text through a TextEncoderStream to make it bytes`);
}

function piece(bytes: Uint8Array): Piece {
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === LINE_FEED) lines++;
  return { bytes, lines };
}
