// Starts the engine of a database in this thread: its lock, then the engine. The two end together.

import type { EngineOptions } from "./glue.js";
import { InlinePort, type Storage } from "./inline_port.js";
import { acquire, type LockOptions } from "../storage/lock.js";
import { SandglassError } from "../api/errors.js";
import { sleep } from "../base/timer.js";

/** Nobody else knows of a database in memory. */
const ALONE = { role: "writer", release: () => {} } as const;
/** A reader waits so long for a database whose writer is just about to create it. */
const CREATION_MS = 3_000;

/** All that it takes, in a form that can be sent to a worker. */
export interface EngineStart {
  /** The compiled engine. */
  code: WebAssembly.Module;
  storage: Storage;
  options: EngineOptions;
  lock: LockOptions;
  /** Names the engine among those that other pages may work with; absent when none may. */
  term?: string | undefined;
}

/**
 * Takes the lock and opens the database. `acquired` is called in between when it may write, `stolen` when another page takes the lock
 * away, `ended` once with the reason when the open database can do nothing any more.
 */
export async function startEngine(
  { code, storage, options, lock }: EngineStart,
  signal?: AbortSignal,
  ended?: (reason: SandglassError) => void,
  acquired?: () => void,
  stolen?: () => void,
): Promise<InlinePort> {
  if (storage.kind === "archive") return InlinePort.start(code, storage, { ...options, readOnly: true }, ended);
  const { role, release } = storage.kind === "memory" ? ALONE : await acquire(storage.name, storage.kind, lock, signal, stolen);
  if (role === "writer") acquired?.();
  const start = () =>
    InlinePort.start(code, storage, { ...options, readOnly: role === "reader" }, (reason) => {
      release();
      ended?.(reason);
    });
  try {
    return await (role === "reader" ? onceCreated(start) : start());
  } catch (error) {
    release();
    throw error;
  }
}

/** The writer has its lock a moment before its database is there. */
async function onceCreated<T>(start: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + CREATION_MS; ; ) {
    try {
      return await start();
    } catch (cause) {
      if ((cause as SandglassError).code !== "not_found") throw cause;
      if (Date.now() > deadline)
        throw new SandglassError("locked", "another tab or worker is creating the database; try again in a moment", { cause });
    }
    await sleep(100);
  }
}
