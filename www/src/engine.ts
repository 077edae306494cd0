// Starts the engine of a database in this thread: its lock, then the engine. The two end together.

import type { EngineOptions } from "./glue.js";
import { InlinePort, type Storage } from "./inline_port.js";
import { acquire, type LockOptions } from "./lock.js";
import type { SandglassError } from "./errors.js";

/** All that it takes, in a form that can be sent to a worker. */
export interface EngineStart {
  module: WebAssembly.Module;
  storage: Storage;
  options: EngineOptions;
  lock: LockOptions;
}

/** Takes the lock and opens the database. `ended` is called once with the reason when the open database can do nothing any more. */
export async function startEngine(
  { module, storage, options, lock }: EngineStart,
  signal?: AbortSignal,
  ended?: (reason: SandglassError) => void,
): Promise<InlinePort> {
  const release = storage.kind === "memory" ? () => {} : await acquire(storage.name, storage.kind, lock, signal);
  try {
    return await InlinePort.start(module, storage, options, (reason) => {
      release();
      ended?.(reason);
    });
  } catch (error) {
    release();
    throw error;
  }
}
