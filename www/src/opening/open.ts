// From options to an open database: storage, lock, engine, and what happens when the page goes away.

import { abortable, checkAborted, offAbort, onAbort } from "../base/abort.js";
import { durationMs, invalid, onlyKnown, record, text } from "../base/arguments.js";
import { OpenDatabase } from "../database/database.js";
import type { EngineStart } from "../engine/start.js";
import { SandglassError } from "../api/errors.js";
import { indexedDb } from "../base/indexed_db.js";
import { onDemand } from "../base/on_demand.js";
import { randomName } from "../base/random_name.js";
import { Hub } from "../sharing/hub.js";
import { onLeaving } from "../sharing/leaving.js";
import { grantOf } from "../storage/grant.js";
import { beginAlone, placeForNew, placesOf } from "../storage/places.js";
import type { LocalEngine } from "../worker/local_engine.js";
import type { Port } from "../port/port.js";
import type { Database } from "../api/database.js";
import type { AuthKeys, OpenOptions, Opened, WasmSource } from "../api/options.js";

export const DEFAULT_NAME = "sandglass";
export const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;
const DEFAULT_LOCK_TIMEOUT_MS = 60_000;

/** All there are, so that another one is a slip. */
const OPTIONS: Record<keyof OpenOptions, true> = {
  name: true,
  storage: true,
  durableWithin: true,
  dialect: true,
  retention: true,
  dedupInterval: true,
  clock: true,
  startTime: true,
  cacheBytes: true,
  ifLocked: true,
  lockTimeout: true,
  precisionBits: true,
  memoryBytes: true,
  quotaBytes: true,
  files: true,
  authKeys: true,
  wasm: true,
  signal: true,
};
const AUTH_KEYS: Record<keyof AuthKeys, true> = { snapshot: true, forceFlush: true, forceMerge: true };

/** What an engine is to be started with, when its code is there. */
export type EngineWish = Omit<EngineStart, "code">;

/** Starts an engine, in one thread or another. */
export type Starter = (wish: EngineWish, wasm: WasmSource | undefined, signal: AbortSignal | undefined) => Promise<LocalEngine>;

/** Opens a database on an engine that `start` brings up, or on one that is there. `reachesOpfs` tells whether such an engine may find OPFS where it runs. */
export async function openDatabase(options: OpenOptions = {}, start: Starter, reachesOpfs: () => boolean): Promise<Database> {
  record(options, "options");
  onlyKnown(options, OPTIONS, "open()");
  for (const [name, value] of Object.entries(options))
    if (value === null && name !== "signal") throw invalid(`${name} is null; leave it out, or give it a value`);
  const { signal } = options;
  return abortable(
    "open",
    signal,
    () => openUntil(options, start, reachesOpfs, signal ?? undefined),
    undefined,
    (late) => void late.close().catch(() => {}),
  );
}

async function openUntil(
  options: OpenOptions,
  start: Starter,
  reachesOpfs: () => boolean,
  signal: AbortSignal | undefined,
): Promise<Database> {
  const name = nameOf(options);
  if (options.storage !== undefined || (options.files ?? options.quotaBytes) !== undefined) return openIn(options, name, start, signal);
  const [place] = await placesOf(name);
  if (place !== undefined) return openIn({ ...options, storage: place }, name, start, signal);
  const opened = await beginAlone(name, true, async () => {
    // Somebody else may have begun it meanwhile.
    const [place] = await placesOf(name);
    const storage = place ?? (await placeForNew(reachesOpfs()));
    try {
      return await openIn({ ...options, storage }, name, start, signal);
    } catch (error) {
      // Only now is it known that no worker can be started, or that it has no such files. A database that is there is not left behind.
      if (place !== undefined || storage !== "opfs" || !indexedDb() || (error as SandglassError).code !== "unsupported") throw error;
      return openIn({ ...options, storage: "indexeddb" }, name, start, signal);
    }
  });
  return opened!;
}

async function openIn(options: OpenOptions, name: string, start: Starter, signal: AbortSignal | undefined): Promise<Database> {
  const storage = await storageOf(options, name);
  // It may have been taken back in the same task.
  checkAborted("open", signal);
  const engineOptions = engineOptionsOf(options, storage.kind);
  const ifLocked = ifLockedOf(options);
  const timeoutMs = durationMs(options.lockTimeout ?? DEFAULT_LOCK_TIMEOUT_MS, "lockTimeout");
  const wish = { storage, options: engineOptions };
  const startHere = async (lock: EngineWish["lock"], term: string | undefined, signal: AbortSignal) => {
    const engine = await start({ ...wish, lock, term }, options.wasm, signal);
    if (storage.kind !== "memory" && engine.port.role === "writer") noteOpen(nameOfStored(storage), engine);
    return engine;
  };
  // Time that moves by hand is no one else's.
  const shared = storage.kind === "memory" || engineOptions.manualClock || !canShare() ? undefined : storage;
  const database = async (port: Port, thread: Opened["thread"], release = () => {}) =>
    new OpenDatabase(name, await grantOf({ storage: storage.kind, role: port.role, thread }), port, release);

  if (shared !== undefined && ifLocked === "share") {
    const { port, thread } = await Hub.of(shared, startHere).open(engineOptions, signal);
    return database(port, thread);
  }
  const lock = { ifLocked: ifLocked === "share" ? "fail" : ifLocked, timeoutMs } as const;
  const opening = new AbortController();
  const giveUp = () => opening.abort();
  onAbort(signal, giveUp);
  let engine: LocalEngine | undefined;
  let isPutAway = false;
  const putAway = () => {
    isPutAway = true;
    if (engine === undefined) giveUp();
    else engine.suspend();
  };
  const stopListening = storage.kind === "memory" ? () => {} : onLeaving({ putAway, back: () => {}, hidden: () => engine?.port.hidden() });
  try {
    const begin = () => startHere(lock, shared && randomName(), opening.signal);
    const started = await abortable("open", opening.signal, begin, undefined, (late) => void late.close().catch(() => {}));
    if (shared !== undefined && started.port.role === "writer") {
      stopListening();
      const { port, thread } = await Hub.with(shared, started, startHere).open(engineOptions, signal);
      return await database(port, thread);
    }
    engine = started;
    return await database(started.port, started.thread, stopListening);
  } catch (error) {
    stopListening();
    if (isPutAway)
      throw new SandglassError("closed", "the browser has put the page away while the database was being opened; open it again", {
        cause: error,
      });
    const isOpenHere = storage.kind !== "memory" && openHere.has(nameOfStored(storage));
    throw isOpenHere && (error as SandglassError).code === "locked" ? lockedHere(name, lock, error) : error;
  } finally {
    offAbort(signal, giveUp);
  }
}

/** Databases whose engines this page has started, and that are open. */
const openHere = new Set<string>();

function noteOpen(name: string, { port }: LocalEngine): void {
  openHere.add(name);
  void port.ended.then(() => openHere.delete(name));
}

const nameOfStored = ({ kind, name }: { kind: string; name: string }): string => `${kind} ${name}`;

/** Whether pages can find each other. */
function canShare(): boolean {
  return globalThis.navigator?.locks !== undefined && typeof BroadcastChannel === "function";
}

function lockedHere(name: string, { ifLocked, timeoutMs }: EngineWish["lock"], cause: unknown): SandglassError {
  const waited = ifLocked === "wait" ? ` after the ${timeoutMs} ms of lockTimeout` : "";
  return new SandglassError(
    "locked",
    `the database "${name}" was opened before in this page and is still open${waited}; close() it there, or leave ifLocked and clock out, so that both work with it`,
    { cause },
  );
}

function nameOf({ name = DEFAULT_NAME }: OpenOptions): string {
  if (text(name, "name") === "") throw invalid("name is empty; leave it out for the default, or name the database");
  return name;
}

async function storageOf(
  { storage, files, quotaBytes }: OpenOptions,
  name: string,
): Promise<Exclude<EngineStart["storage"], { kind: "archive" }>> {
  const kind = storage ?? (indexedDb() ? "indexeddb" : "memory");
  if (kind !== "memory" && (files ?? quotaBytes) !== undefined) throw invalid('files and quotaBytes need storage: "memory"');
  switch (kind) {
    case "memory":
      // Few open a database with files.
      return { kind, files: files && (await onDemand(import("./files.js"))).filesOf(files) };
    case "indexeddb":
      if (indexedDb()) return { kind, name };
      throw new SandglassError("unsupported", 'there is no IndexedDB here; use storage: "memory", which keeps nothing after close()');
    case "opfs":
      if (typeof globalThis.navigator?.storage?.getDirectory === "function") return { kind, name };
      throw new SandglassError("unsupported", whyNoOpfs());
    default:
      throw invalid(`there is no storage ${JSON.stringify(storage)}; write "memory", "indexeddb" or "opfs"`);
  }
}

/** And what to do. An insecure page has no IndexedDB either that several tabs could share. */
const whyNoOpfs = (): string =>
  globalThis.isSecureContext === false
    ? 'storage "opfs" needs a secure context; serve the page from https or localhost, or use storage: "memory"'
    : `this browser, or whatever else this runs in, has no origin private file system; use storage: "${indexedDb() ? "indexeddb" : "memory"}"`;

function ifLockedOf({ ifLocked = "share" }: OpenOptions): NonNullable<OpenOptions["ifLocked"]> {
  if (ifLocked === "share" || ifLocked === "fail" || ifLocked === "wait" || ifLocked === "readonly") return ifLocked;
  throw invalid(`ifLocked is ${JSON.stringify(ifLocked)}; write "share", "fail", "wait" or "readonly"`);
}

export function dialectOf({ dialect }: Pick<OpenOptions, "dialect">): OpenOptions["dialect"] {
  if (dialect === undefined || dialect === "metricsql" || dialect === "promql") return dialect;
  throw invalid(`dialect is ${JSON.stringify(dialect)}; write "metricsql" or "promql"`);
}

export function engineOptionsOf(options: OpenOptions, storage: EngineStart["storage"]["kind"]): EngineStart["options"] {
  const {
    retention,
    dedupInterval,
    clock = "real",
    startTime = Date.now(),
    cacheBytes = DEFAULT_CACHE_BYTES,
    precisionBits = 64,
    authKeys = {},
    // Nothing outlives a database in memory, and who moves the clock by hand looks at how a server goes about it.
    durableWithin = storage === "memory" || clock === "manual" ? "5s" : "1s",
  } = options;
  record(authKeys, "authKeys");
  onlyKnown(authKeys, AUTH_KEYS, "authKeys");
  if (clock !== "real" && clock !== "manual") throw invalid(`clock is ${JSON.stringify(clock)}; write "real" or "manual"`);
  if (typeof startTime !== "number" || !Number.isFinite(startTime))
    throw invalid(`startTime is ${String(startTime)}; milliseconds since the epoch are expected`);
  if (typeof cacheBytes !== "number" || !(cacheBytes >= 0))
    throw invalid(`cacheBytes is ${String(cacheBytes)}; a number of bytes is expected`);
  if (!Number.isInteger(precisionBits) || precisionBits < 1 || precisionBits > 64)
    throw invalid(`precisionBits is ${String(precisionBits)}; a whole number from 1 to 64 is expected`);
  return {
    // The database remembers what is left out.
    retention: retention === undefined ? undefined : durationText(retention, "retention"),
    dedupInterval: dedupInterval === undefined ? undefined : durationText(dedupInterval, "dedupInterval"),
    durableWithin: durationText(durableWithin, "durableWithin"),
    dialect: dialectOf(options),
    manualClock: clock === "manual",
    startTime: clock === "manual" ? Math.trunc(startTime) : Date.now(),
    cacheBytes,
    precisionBits,
    // The lock decides.
    readOnly: false,
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
