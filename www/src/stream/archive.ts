// What people hand in as a snapshot, as the bytes of a tar that the engine reads: a tar, packed or plain, or the files of a folder.

import { createTarPacker } from "modern-tar";
import { invalid, offAbort, onAbort, SandglassError, unreadable } from "../base/shared.js";
import type { SnapshotSource } from "../api/snapshots.js";

/** A piece that is handed to the engine at once. */
const PIECE_BYTES = 1024 * 1024;
const GZIP = [0x1f, 0x8b];

/** A tar, plain or compressed by zstd. */
export interface Archive {
  pieces: AsyncGenerator<Uint8Array>;
  /** Bytes of what was handed in that have been read. */
  done(): number;
  /** How many there are; 0 when nobody knows. */
  total: number;
}

/** The tar in what was handed in. */
export function archiveOf(source: SnapshotSource, signal: AbortSignal | undefined): Archive {
  let done = 0;
  const count = (chunk: Uint8Array) => {
    done += chunk.length;
    return chunk;
  };
  const found = (pieces: AsyncGenerator<Uint8Array>, total: number) => ({ pieces, done: () => done, total });
  const ofStream = (stream: ReadableStream<Uint8Array>) => pieces(unzipped(chunksOf(stream, signal, count)));
  if (source instanceof Uint8Array || isBlob(source)) return found(ofWhole(source, count, ofStream), sizeOf(source));
  if (source instanceof ArrayBuffer) return archiveOf(new Uint8Array(source), signal);
  if (source instanceof ReadableStream) return found(ofStream(source), 0);
  const files = filesOf(source);
  return found(
    ofStream(packed(files)),
    files.reduce((sum, [, content]) => sum + sizeOf(content), 0),
  );
}

/** What is there as a whole is cut where it lies, and passes through a stream only to be unpacked. */
async function* ofWhole(
  whole: Blob | Uint8Array,
  count: (piece: Uint8Array) => Uint8Array,
  ofStream: (stream: ReadableStream<Uint8Array>) => AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (isGzip(await bytesOf(whole, 0, GZIP.length))) {
    return yield* ofStream(whole instanceof Uint8Array ? ofBytes(whole) : (whole.stream() as ReadableStream<Uint8Array>));
  }
  for (let from = 0; from < sizeOf(whole); from += PIECE_BYTES) {
    const piece = await bytesOf(whole, from, from + PIECE_BYTES);
    yield count(whole instanceof Uint8Array ? piece.slice() : piece);
  }
}

/** The files of a folder, once each was looked at. */
export function filesOf(source: unknown): (readonly [string, Blob | Uint8Array])[] {
  const what = "a snapshot is a Blob, bytes, a stream of bytes, or pairs of a path and a Blob or bytes";
  if (typeof source !== "object" || source === null || !(Symbol.iterator in source)) throw invalid(what);
  const files = [...(source as Iterable<unknown>)];
  for (const file of files)
    if (!Array.isArray(file) || typeof file[0] !== "string" || !(file[1] instanceof Uint8Array || isBlob(file[1]))) throw invalid(what);
  return files as (readonly [string, Blob | Uint8Array])[];
}

export function isBlob(value: unknown): value is Blob {
  return typeof Blob === "function" && value instanceof Blob;
}

export const sizeOf = (content: Blob | Uint8Array): number => (content instanceof Uint8Array ? content.length : content.size);

function ofBytes(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let from = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (from >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(from, (from += PIECE_BYTES)));
      },
    },
    { highWaterMark: 0 },
  );
}

/** Files as a tar, which is written as it is read. */
function packed(files: readonly (readonly [string, Blob | Uint8Array])[]): ReadableStream<Uint8Array> {
  const { readable, controller: packer } = createTarPacker();
  const pack = async () => {
    for (const [path, content] of files) {
      const writer = packer.add({ name: path.replace(/^\/+/, ""), size: sizeOf(content), type: "file", mode: 0o644 }).getWriter();
      for (let from = 0; from < sizeOf(content); from += PIECE_BYTES) await writer.write(await bytesOf(content, from, from + PIECE_BYTES));
      await writer.close();
    }
    packer.finalize();
  };
  pack().catch((error: unknown) => packer.error(error));
  return readable;
}

async function bytesOf(content: Blob | Uint8Array, from: number, to: number): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content.subarray(from, to);
  const bytes = await content
    .slice(from, to)
    .arrayBuffer()
    .catch((cause: unknown) => {
      throw unreadable("the snapshot cannot be read", cause);
    });
  return new Uint8Array(bytes);
}

/** The chunks of a stream. The signal ends them, even when the stream brings no more. */
async function* chunksOf(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
  count: (chunk: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const abort = () => void reader.cancel(signal?.reason).catch(() => {});
  onAbort(signal, abort);
  if (signal?.aborted) abort();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!ArrayBuffer.isView(value)) throw invalid(`the snapshot is a stream of ${typeof value}s; bytes are expected`);
      yield count(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
    ended = true;
  } finally {
    offAbort(signal, abort);
    if (!ended) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

/** Chunks without the compression that browsers undo themselves. */
async function* unzipped(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const first = await firstBytes(chunks);
  const all = async function* () {
    if (first.length > 0) yield first;
    yield* chunks;
  };
  if (!isGzip(first)) return yield* all();
  const packedChunks = all();
  const source = new ReadableStream<BufferSource>({
    async pull(controller) {
      const { done, value } = await packedChunks.next();
      if (done) controller.close();
      else controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
    cancel: async () => void (await packedChunks.return(undefined)),
  });
  const reader = source.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new SandglassError(
          "corrupt",
          `the snapshot's gzip compression cannot be undone (${messageOf(cause)}): it is damaged or was cut off`,
          { cause },
        );
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function isGzip(first: Uint8Array): boolean {
  return GZIP.every((byte, i) => first[i] === byte);
}

/** As many bytes as tell how a file is compressed. */
async function firstBytes(chunks: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let first = new Uint8Array(0);
  while (first.length < GZIP.length) {
    const { done, value } = await chunks.next();
    if (done) break;
    first = joined([first, value]);
  }
  return first;
}

/** Chunks of any size as pieces of one, each with a buffer of its own. */
async function* pieces(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; ) {
      const some = chunk.subarray(from, from + PIECE_BYTES - filled);
      piece.set(some, filled);
      from += some.length;
      filled += some.length;
      if (filled < PIECE_BYTES) continue;
      yield piece;
      piece = new Uint8Array(PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.slice(0, filled);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, "");
