// What a body is read from, and how it comes.

import {
  builtAs,
  bytesOf,
  copiedInPieces,
  invalid,
  offAbort,
  onAbort,
  PIECE_BYTES,
  Pieces,
  piecesOf,
  SandglassError,
  unreadable,
} from "../base/shared.js";

export type Body = string | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | Blob;

/** A body once it was looked at: bytes are copies, which are nobody else's. */
type Source = string | Pieces | ReadableStream<Uint8Array> | Blob;

/** A body as it comes, in chunks that nobody else writes to. The signal ends them, even when a stream brings no more. */
export async function* chunks(source: Source, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (typeof source === "string") {
    yield* textChunks(source);
    return;
  }
  if (source instanceof Pieces) {
    yield* source.pieces;
    return;
  }
  // Blobs of jsdom have no stream.
  if (!("getReader" in source) && typeof source.stream !== "function") {
    yield* piecesOf(new Uint8Array(await wholeOf(source)));
    return;
  }
  const reader = readerOf("getReader" in source ? source : (source.stream() as ReadableStream<Uint8Array>));
  const abort = () => void reader.cancel(signal?.reason).catch(() => {});
  onAbort(signal, abort);
  if (signal?.aborted) abort();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw unreadable("the body has failed behind what was ingested", cause);
      });
      if (done) break;
      yield* piecesOf(chunkOf(value));
    }
  } finally {
    offAbort(signal, abort);
    reader.cancel().catch(() => {});
  }
}

/** What a body is read from, of whichever realm it is; nothing when it is no body. */
export function sourceOf(body: unknown): Source | undefined {
  if (typeof body === "string" || body instanceof Pieces) return body;
  const own = copiedInPieces(body);
  if (own instanceof Pieces) return own;
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

/** Text as bytes, encoded bit by bit: its bytes may be three times as many. */
function* textChunks(text: string): Generator<Uint8Array> {
  if (typeof TextEncoder !== "function")
    throw new SandglassError("unsupported", "there is no TextEncoder here, which makes bytes of text; hand in bytes");
  const encoder = new TextEncoder();
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + PIECE_BYTES, text.length);
    // A character of two units is not cut.
    if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to--;
    yield encoder.encode(text.slice(from, to));
    from = to;
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
