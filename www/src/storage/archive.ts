// Ranges of what a snapshot is opened in: files that a page was handed, or one at a URL.

import { checkAborted, offAbort, onAbort, SandglassError } from "../base/shared.js";
import { ReadAhead } from "./read_ahead.js";

/** Something to be read; the path is empty for a tar. It can be sent to a worker. */
export type ArchiveFile = { path: string; content: Blob } | RemoteFile;

/** A file at a URL, with its first bytes, which came along when it was asked for its size. */
export interface RemoteFile {
  path: string;
  url: string;
  size: number;
  version: Version;
  beginning: Uint8Array;
}

/** What tells one content of a URL from the next; `null` where a server does not say it, or not to other origins. */
export interface Version {
  tag: string | null;
  modified: string | null;
}

/** Most that is kept in memory of a file at a URL. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;
/** A server that sends nothing for so long is not waited for any more: queries would hang with it. */
const SILENCE_MS = 30_000;

export const sizeOf = (file: ArchiveFile): number => ("url" in file ? file.size : file.content.size);

/** Reads ranges of a file; of one at a URL it keeps up to `cacheBytes` of what lies round them. */
export function readerOf(
  file: ArchiveFile,
  cacheBytes: number,
  signal: AbortSignal,
): (offset: number, length: number) => Promise<Uint8Array> {
  const ask = (offset: number, length: number) => read(file, offset, length, signal);
  if (!("url" in file)) return ask;
  const ahead = new ReadAhead(file.size, file.beginning, Math.min(cacheBytes, READ_AHEAD_BYTES), ask);
  return (offset, length) => ahead.read(offset, length);
}

/** Exactly so many bytes. */
export async function read(file: ArchiveFile, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  if (!("url" in file)) return new Uint8Array(await file.content.slice(offset, offset + length).arrayBuffer());
  return askRange(file.url, offset, length, signal, async (reply, heard) => {
    const why = refusalOf(reply, file, offset, length);
    if (why === undefined) return bytesOf(reply, length, heard);
    await reply.body?.cancel().catch(() => {});
    throw new SandglassError("storage", `${file.url} ${why}`);
  });
}

export const versionOf = ({ headers }: Response): Version => ({ tag: headers.get("ETag"), modified: headers.get("Last-Modified") });

/** Like is compared with like. Servers of one file may give it different tags, but not other times as well. */
function isOther(one: Version, other: Version): boolean {
  const [hasTags, haveTimes] = [one.tag !== null && other.tag !== null, one.modified !== null && other.modified !== null];
  return (hasTags || haveTimes) && !(hasTags && one.tag === other.tag) && !(haveTimes && one.modified === other.modified);
}

/** What a reply is that is not the range that was asked for. */
function refusalOf(reply: Response, file: { size: number; version: Version }, offset: number, length: number): string | undefined {
  if (reply.status !== 206) return `was answered with ${reply.status} where a range of it was asked for`;
  const range = reply.headers.get("Content-Range") ?? "";
  if (isOther(versionOf(reply), file.version) || Number(/\/(\d+)$/.exec(range)?.[1] ?? file.size) !== file.size)
    return "has changed since the snapshot was opened; open it again";
  return range.startsWith(`bytes ${offset}-${offset + length - 1}/`)
    ? undefined
    : `was answered with the range ${JSON.stringify(range)} where the bytes ${offset}-${offset + length - 1} were asked for`;
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
    const what = isSilent ? `its server has sent nothing for ${SILENCE_MS / 1000} seconds` : reasonOf(cause);
    throw new SandglassError("storage", `${url} cannot be fetched (${range}): ${what}`, { cause });
  } finally {
    clearTimeout(timer);
    offAbort(signal, giveUp);
  }
}

/** In Node the reason lies behind "fetch failed". */
function reasonOf(error: unknown): string {
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
  return reason === "" ? String(error) : `${String(error)}: ${reason}`;
}

/** The bytes of a reply, which are so many. */
export async function bytesOf(reply: Response, length: number, heard: () => void): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  const reader = reply.body?.getReader();
  while (reader !== undefined) {
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
  if (filled === length) return bytes;
  throw new SandglassError("storage", `${reply.url} was answered with ${filled} of the ${length} bytes that were asked for`);
}
