// A snapshot that is opened where it lies, to be looked at.

import { abortable, checkAborted, checkOptions, invalid, SandglassError } from "../base/shared.js";
import { OpenDatabase } from "../database/database.js";
import type { OpenedSnapshot, OpenSnapshotOptions, SnapshotPlace } from "../api/looking.js";
import { type ArchiveFile, askRange, bytesOf, type RemoteFile, read, sizeOf, versionOf } from "../storage/archive.js";
import { PAGE_BYTES } from "../storage/read_ahead.js";
import { DEFAULT_CACHE_BYTES, engineOptionsOf, openDatabase, type Starter } from "./open.js";
import type { RestoreResult } from "../api/snapshots.js";

/** How many bytes tell how a file is packed. */
const FIRST_BYTES = 2;
/** How much of a file at a URL is asked for at once when all of it is wanted. */
const RANGE_BYTES = 4 * 1024 * 1024;

/** All there are, so that another one is a slip. */
const OPTIONS: Record<keyof OpenSnapshotOptions, true> = { cacheBytes: true, wasm: true, signal: true };

/** Opens a snapshot on an engine that `start` brings up. */
export async function openSnapshotWith(place: SnapshotPlace, options: OpenSnapshotOptions = {}, start: Starter): Promise<OpenedSnapshot> {
  checkOptions(options, OPTIONS, "openSnapshot()");
  const { signal } = options;
  checkAborted("openSnapshot", signal);
  const begin = async () => {
    const files = await filesAt(place, signal);
    if (!(await isPacked(files, signal))) {
      try {
        return await lookAt(files, options, start);
      } catch (error) {
        if (!isOfPrometheus(error)) throw error;
      }
    }
    const { tar, found } = await unpacked(files, options, start);
    return lookAt([{ path: "", content: tar }], options, start, found);
  };
  return abortable("openSnapshot", signal, begin, undefined, (late) => void late.close().catch(() => {}));
}

/** Whether it was refused because it is the data of a Prometheus, whose samples have to be written anew. */
const isOfPrometheus = (error: unknown): boolean =>
  error instanceof SandglassError && error.code === "unsupported" && error.message.includes("the data of a Prometheus");

/** Opens what lies in files as it is. Of what was unpacked to be read so, `found` says what it was. */
async function lookAt(
  files: ArchiveFile[],
  { cacheBytes = DEFAULT_CACHE_BYTES, wasm, signal }: OpenSnapshotOptions,
  start: Starter,
  found?: RestoreResult,
): Promise<OpenedSnapshot> {
  const wish = {
    storage: { kind: "archive" as const, files, cacheBytes },
    // Nothing is too old to be looked at, and time stands still.
    options: engineOptionsOf({ retention: "100y", clock: "manual", cacheBytes }, "memory"),
    lock: { ifLocked: "fail" as const, timeoutMs: 0 },
  };
  const { port, thread } = await start(wish, wasm, signal);
  try {
    const origin = await port.ask({ kind: "origin" });
    const database = new OpenDatabase("snapshot", { storage: "memory", role: "reader", thread, persistence: "none" }, port, () => {});
    const snapshot = found ? { ...origin, format: found.format, leftOut: [...found.leftOut, ...origin.leftOut] } : origin;
    return Object.assign(database, { snapshot: { ...snapshot, isUnpacked: found !== undefined } });
  } catch (error) {
    await port.close().catch(() => {});
    throw error;
  }
}

/** What can't be read where it lies, restored in memory, as a tar that can. */
async function unpacked(
  files: ArchiveFile[],
  { wasm, signal }: OpenSnapshotOptions,
  start: Starter,
): Promise<{ tar: Blob; found: RestoreResult }> {
  const abortable = signal === undefined ? {} : { signal };
  const options = { storage: "memory", retention: "100y", clock: "manual", ...(wasm !== undefined && { wasm }), ...abortable } as const;
  const database = await openDatabase(options, start, () => false);
  try {
    const [first] = files;
    const source = first?.path === "" ? ("url" in first ? streamOf(first, signal) : first.content) : files.map(contentOf);
    const found = await database.snapshots.restore(source, abortable);
    const name = await database.snapshots.create(abortable);
    return { tar: await new Response(database.snapshots.download(name, abortable)).blob(), found };
  } finally {
    await database.close().catch(() => {});
  }
}

const contentOf = (file: ArchiveFile): [string, Blob] => [file.path, (file as { content: Blob }).content];

/** All of a file at a URL, a range at a time. */
function streamOf(file: ArchiveFile, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let from = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        const length = Math.min(RANGE_BYTES, sizeOf(file) - from);
        if (length === 0) return controller.close();
        controller.enqueue(await read(file, from, length, signal));
        from += length;
      },
    },
    { highWaterMark: 0 },
  );
}

/** What is to be read, once it is known how much there is of it. */
async function filesAt(place: SnapshotPlace, signal: AbortSignal | undefined): Promise<ArchiveFile[]> {
  if (place instanceof URL || typeof place === "string") return [await remote(addressOf(place), signal)];
  if (place instanceof ArrayBuffer) return [{ path: "", content: new Blob([place]) }];
  if (place instanceof Uint8Array || isBlob(place)) return [{ path: "", content: blobOf(place) }];
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

/** A file at a URL, whose server hands out ranges: its size, and the first bytes with it. */
async function remote(url: string, signal: AbortSignal | undefined): Promise<RemoteFile> {
  return askRange(url, 0, PAGE_BYTES, signal, async (reply, heard) => {
    const found = /^bytes 0-\d+\/(\d+)$/.exec(reply.headers.get("Content-Range") ?? "")?.[1];
    if (reply.status === 206 && found !== undefined) {
      const size = Number(found);
      return { path: "", url, size, version: versionOf(reply), beginning: await bytesOf(reply, Math.min(PAGE_BYTES, size), heard) };
    }
    await reply.body?.cancel().catch(() => {});
    const isGone = reply.status === 404 || reply.status === 410;
    throw new SandglassError(
      reply.ok || reply.status === 416 ? "unsupported" : isGone ? "not_found" : "storage",
      reply.ok
        ? `the server of ${url} hands out no ranges of a file (or does not let Content-Range be seen by other origins): fetch it as a whole and open the Blob`
        : `${url} was answered with ${reply.status} ${reply.statusText}`,
    );
  });
}

/** Whether it is a tar that is compressed, of which no range can be read. */
async function isPacked([first]: ArchiveFile[], signal: AbortSignal | undefined): Promise<boolean> {
  if (first === undefined || first.path !== "") return false;
  const [one, two] = "url" in first ? first.beginning : await read(first, 0, Math.min(FIRST_BYTES, sizeOf(first)), signal);
  return (one === 0x1f && two === 0x8b) || (one === 0x28 && two === 0xb5);
}
