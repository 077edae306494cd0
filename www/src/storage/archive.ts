// Ranges of what a snapshot is opened in: files that a page was handed, or one at a URL.

import { SandglassError } from "../api/errors.js";

/** Something to be read; the path is empty for a tar. It can be sent to a worker. */
export type ArchiveFile = { path: string; content: Blob } | { path: string; url: string; size: number };

export const sizeOf = (file: ArchiveFile): number => ("url" in file ? file.size : file.content.size);

/** Exactly so many bytes. */
export async function read(file: ArchiveFile, offset: number, length: number): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  if (!("url" in file)) return new Uint8Array(await file.content.slice(offset, offset + length).arrayBuffer());
  const reply = await fetch(file.url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
  if (reply.status === 206) return new Uint8Array(await reply.arrayBuffer());
  await reply.body?.cancel().catch(() => {});
  throw new SandglassError("storage", `${file.url} was answered with ${reply.status} where a range of it was asked for`);
}
