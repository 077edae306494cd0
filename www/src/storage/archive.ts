// Ranges of what a snapshot is opened in: files that a page was handed, or one at a URL.

import { checkAborted, offAbort, onAbort, SandglassError } from "../base/shared.js";

/** Something to be read; the path is empty for a tar. It can be sent to a worker. */
export type ArchiveFile = { path: string; content: Blob } | { path: string; url: string; size: number };

/** A server that sends nothing for so long is not waited for any more: queries would hang with it. */
const SILENCE_MS = 30_000;

export const sizeOf = (file: ArchiveFile): number => ("url" in file ? file.size : file.content.size);

/** Exactly so many bytes. */
export async function read(file: ArchiveFile, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  if (!("url" in file)) return new Uint8Array(await file.content.slice(offset, offset + length).arrayBuffer());
  return askRange(file.url, offset, length, signal, async (reply, heard) => {
    if (reply.status === 206) return bytesOf(reply, length, heard);
    await reply.body?.cancel().catch(() => {});
    throw new SandglassError("storage", `${file.url} was answered with ${reply.status} where a range of it was asked for`);
  });
}

/** Asks for a range of what is at a URL. `use` tells by `heard` that something of the reply has come. */
export async function askRange<T>(
  url: string,
  offset: number,
  length: number,
  signal: AbortSignal | undefined,
  use: (reply: Response, heard: () => void) => Promise<T>,
): Promise<T> {
  checkAborted("openSnapshot", signal);
  const control = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isSilent = false;
  const giveUp = () => control.abort();
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      isSilent = true;
      giveUp();
    }, SILENCE_MS);
  };
  onAbort(signal, giveUp);
  heard();
  const range = `bytes=${offset}-${offset + length - 1}`;
  try {
    return await use(await fetch(url, { headers: { Range: range }, signal: control.signal }), heard);
  } catch (cause) {
    if (cause instanceof SandglassError) throw cause;
    checkAborted("openSnapshot", signal);
    const what = isSilent ? `its server has sent nothing for ${SILENCE_MS / 1000} seconds` : String(cause);
    throw new SandglassError("storage", `${url} cannot be fetched (${range}): ${what}`, { cause });
  } finally {
    clearTimeout(timer);
    offAbort(signal, giveUp);
  }
}

async function bytesOf(reply: Response, length: number, heard: () => void): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  if (reply.body === null) return bytes.subarray(0, 0);
  const reader = reply.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    heard();
    if (filled + value.length > length) {
      await reader.cancel().catch(() => {});
      throw new SandglassError("storage", `${reply.url} was answered with more than the ${length} bytes that were asked for`);
    }
    bytes.set(value, filled);
    filled += value.length;
  }
  return bytes.subarray(0, filled);
}
