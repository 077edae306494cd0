// A snapshot that is opened where it lies, to be looked at.

import { abortable, checkAborted, checkOptions, invalid, SandglassError } from "../base/shared.js";
import { OpenDatabase } from "../database/database.js";
import type { OpenedSnapshot, OpenSnapshotOptions, SnapshotPlace } from "../api/looking.js";
import { type ArchiveFile, askRange, read, sizeOf, versionOf } from "../storage/archive.js";
import { engineOptionsOf, type Starter } from "./open.js";

/** How many bytes tell how a file is packed. */
const FIRST_BYTES = 4;

/** All there are, so that another one is a slip. */
const OPTIONS: Record<keyof OpenSnapshotOptions, true> = { cacheBytes: true, wasm: true, signal: true };

/** Opens a snapshot on an engine that `start` brings up. */
export async function openSnapshotWith(place: SnapshotPlace, options: OpenSnapshotOptions = {}, start: Starter): Promise<OpenedSnapshot> {
  checkOptions(options, OPTIONS, "openSnapshot()");
  const { signal, wasm, cacheBytes } = options;
  checkAborted("openSnapshot", signal);
  const files = await abortable("openSnapshot", signal, () => filesAt(place, signal));
  const wish = {
    storage: { kind: "archive" as const, files },
    // Nothing is too old to be looked at, and time stands still.
    options: engineOptionsOf({ retention: "100y", clock: "manual", ...(cacheBytes !== undefined && { cacheBytes }) }, "memory"),
    lock: { ifLocked: "fail" as const, timeoutMs: 0 },
  };
  const begin = async (): Promise<OpenedSnapshot> => {
    const { port, thread } = await start(wish, wasm, signal);
    try {
      const snapshot = await port.ask({ kind: "origin" });
      const database = new OpenDatabase("snapshot", { storage: "memory", role: "reader", thread, persistence: "none" }, port, () => {});
      return Object.assign(database, { snapshot });
    } catch (error) {
      await port.close().catch(() => {});
      throw error;
    }
  };
  return abortable("openSnapshot", signal, begin, undefined, (late) => void late.close().catch(() => {}));
}

/** What is to be read, once it is known how much there is of it. */
async function filesAt(place: SnapshotPlace, signal: AbortSignal | undefined): Promise<ArchiveFile[]> {
  if (place instanceof URL || typeof place === "string") return [await plain(await remote(addressOf(place), signal), signal)];
  if (place instanceof ArrayBuffer) return [await plain({ path: "", content: new Blob([place]) })];
  if (place instanceof Uint8Array || isBlob(place)) return [await plain({ path: "", content: blobOf(place) })];
  if (typeof place !== "object" || place === null || !(Symbol.iterator in place)) throw notAPlace();
  return Array.from(place as Iterable<unknown>, (file) => {
    if (!Array.isArray(file) || typeof file[0] !== "string" || file[0] === "") throw notAPlace();
    const [path, content] = file as [string, unknown];
    if (content instanceof Uint8Array || isBlob(content)) return { path, content: blobOf(content) };
    throw notAPlace();
  });
}

function addressOf(place: URL | string): string {
  try {
    return new URL(place, globalThis.location?.href).href;
  } catch (cause) {
    throw new SandglassError("invalid", `the place of the snapshot, ${JSON.stringify(String(place))}, is no URL`, { cause });
  }
}

function notAPlace(): SandglassError {
  return invalid("a snapshot is looked at in a Blob, bytes, at a URL, or in pairs of a path and a Blob or bytes");
}

const isBlob = (value: unknown): value is Blob => typeof Blob === "function" && value instanceof Blob;
const blobOf = (content: Blob | Uint8Array): Blob =>
  content instanceof Uint8Array ? new Blob([content as Uint8Array<ArrayBuffer>]) : content;

/** A file at a URL, whose server hands out ranges. */
async function remote(url: string, signal: AbortSignal | undefined): Promise<ArchiveFile> {
  const reply = await askRange(url, 0, 1, signal, async (reply) => {
    await reply.body?.cancel().catch(() => {});
    return reply;
  });
  const size = /^bytes 0-0\/(\d+)$/.exec(reply.headers.get("Content-Range") ?? "")?.[1];
  if (reply.status === 206 && size !== undefined) return { path: "", url, size: Number(size), version: versionOf(reply) };
  const isGone = reply.status === 404 || reply.status === 410;
  throw new SandglassError(
    reply.ok || reply.status === 416 ? "unsupported" : isGone ? "not_found" : "storage",
    reply.ok
      ? `the server of ${url} hands out no ranges of a file (or does not let Content-Range be seen by other origins): fetch it as a whole and open the Blob`
      : `${url} was answered with ${reply.status} ${reply.statusText}`,
  );
}

/** Ranges of what is compressed can't be read. */
async function plain(file: ArchiveFile, signal?: AbortSignal): Promise<ArchiveFile> {
  const first = await read(file, 0, Math.min(FIRST_BYTES, sizeOf(file)), signal);
  const packing = first[0] === 0x1f && first[1] === 0x8b ? "gzip" : first[0] === 0x28 && first[1] === 0xb5 ? "zstd" : undefined;
  if (packing === undefined) return file;
  throw new SandglassError(
    "unsupported",
    `the snapshot is compressed by ${packing}, so that nothing in it can be read before all of it is unpacked: unpack it first, or restore() it into a database`,
  );
}
