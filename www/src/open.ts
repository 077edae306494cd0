// From options to an open database: storage, lock, engine, and what happens when the page goes away.

import { checkAborted } from "./abort.js";
import { invalid, text } from "./check.js";
import { OpenDatabase } from "./database.js";
import { SandglassError } from "./errors.js";
import { InlinePort, type Storage } from "./inline_port.js";
import { acquire } from "./lock.js";
import type { Database, OpenOptions } from "./types.js";
import { loadModule } from "./wasm_module.js";

const DEFAULT_NAME = "sandglass";
const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;

/** Opens a database with its engine in the calling thread. */
export async function openInline(options: OpenOptions = {}): Promise<Database> {
  const { signal } = options;
  checkAborted("open", signal);
  const name = nameOf(options);
  const storage = storageOf(options, name);
  const ifLocked = ifLockedOf(options);
  const engineOptions = engineOptionsOf(options);
  const release = storage.kind === "indexeddb" ? await acquire(name, { ifLocked, signal }) : () => {};
  try {
    const module = await loadModule(options.wasm);
    const port = await InlinePort.start(module, storage, engineOptions);
    const stopWatching = storage.kind === "indexeddb" ? onPageHide(() => (port.suspend(), release())) : () => {};
    const done = () => {
      stopWatching();
      release();
    };
    if (signal?.aborted) {
      await port.close().finally(done);
      checkAborted("open", signal);
    }
    return new OpenDatabase(name, storage.kind, port, done);
  } catch (error) {
    release();
    throw error;
  }
}

function nameOf({ name = DEFAULT_NAME }: OpenOptions): string {
  if (text(name, "name") === "") throw invalid("name is empty; leave it out for the default, or name the database");
  return name;
}

function storageOf({ storage }: OpenOptions, name: string): Storage {
  const hasIndexedDb = globalThis.indexedDB !== undefined && globalThis.indexedDB !== null;
  switch (storage ?? (hasIndexedDb ? "indexeddb" : "memory")) {
    case "memory":
      return { kind: "memory" };
    case "indexeddb":
      if (hasIndexedDb) return { kind: "indexeddb", name };
      throw new SandglassError("unsupported", 'there is no IndexedDB here; use storage: "memory", which keeps nothing after close()');
    case "opfs":
      throw new SandglassError("unsupported", 'storage "opfs" is not built yet; use "indexeddb"');
    default:
      throw invalid(`there is no storage ${JSON.stringify(storage)}; write "memory" or "indexeddb"`);
  }
}

function ifLockedOf({ ifLocked = "fail" }: OpenOptions): "fail" | "wait" {
  if (ifLocked === "fail" || ifLocked === "wait") return ifLocked;
  if (ifLocked === "readonly") throw new SandglassError("unsupported", 'ifLocked: "readonly" is not built yet; use "fail" or "wait"');
  throw invalid(`ifLocked is ${JSON.stringify(ifLocked)}; write "fail" or "wait"`);
}

function engineOptionsOf(options: OpenOptions): Parameters<typeof InlinePort.start>[2] {
  const { retention = "1y", dedupInterval = 0, clock = "real", startTime = Date.now(), cacheBytes = DEFAULT_CACHE_BYTES, precisionBits = 64, authKeys = {} } = options;
  if (clock !== "real" && clock !== "manual") throw invalid(`clock is ${JSON.stringify(clock)}; write "real" or "manual"`);
  if (typeof startTime !== "number" || !Number.isFinite(startTime)) throw invalid(`startTime is ${String(startTime)}; milliseconds since the epoch are expected`);
  if (typeof cacheBytes !== "number" || !(cacheBytes >= 0)) throw invalid(`cacheBytes is ${String(cacheBytes)}; a number of bytes is expected`);
  if (!Number.isInteger(precisionBits) || precisionBits < 1 || precisionBits > 64) throw invalid(`precisionBits is ${String(precisionBits)}; a whole number from 1 to 64 is expected`);
  return {
    retention: durationText(retention, "retention"),
    dedupInterval: durationText(dedupInterval, "dedupInterval"),
    manualClock: clock === "manual",
    startTime: clock === "manual" ? Math.trunc(startTime) : Date.now(),
    cacheBytes,
    precisionBits,
    memoryBytes: count(options.memoryBytes, "memoryBytes"),
    quotaBytes: count(options.quotaBytes, "quotaBytes"),
    snapshotAuthKey: text(authKeys.snapshot ?? "", "authKeys.snapshot"),
    forceFlushAuthKey: text(authKeys.forceFlush ?? "", "authKeys.forceFlush"),
    forceMergeAuthKey: text(authKeys.forceMerge ?? "", "authKeys.forceMerge"),
  };
}

/** A number of bytes; 0 stands for one that is left out. */
function count(bytes: unknown, what: string): number {
  if (bytes === undefined) return 0;
  if (typeof bytes === "number" && bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER) return Math.trunc(bytes);
  throw invalid(`${what} is ${String(bytes)}; a positive number of bytes is expected`);
}

/** The engine reads durations itself. */
function durationText(duration: unknown, what: string): string {
  if (typeof duration === "string") return duration;
  if (typeof duration === "number" && duration >= 0 && duration <= Number.MAX_SAFE_INTEGER) return String(Math.trunc(duration));
  throw invalid(`${what} is ${String(duration)}; write milliseconds or a text such as "30d"`);
}

/** Calls once when the page is about to go away or to be frozen, from which it may come back. */
function onPageHide(hidden: () => void): () => void {
  const target = globalThis as { addEventListener?: typeof addEventListener; removeEventListener?: typeof removeEventListener };
  target.addEventListener?.("pagehide", hidden, { once: true });
  return () => target.removeEventListener?.("pagehide", hidden);
}
