// The engine in the calling thread.

import { SandglassError } from "../base/shared.js";
import type { Starter } from "./open.js";
import { engineInCaller } from "../worker/local_engine.js";
import { loadEngine } from "../engine/code.js";

export const startHere: Starter = async (wish, wasm, signal) => {
  if (wish.storage.kind === "opfs" && !hasSyncAccess()) {
    throw new SandglassError(
      "unsupported",
      'storage "opfs" works in a dedicated worker alone, and the engine is in the calling thread here: import "sandglass", which starts a worker where dist/worker.js can be loaded, or import "sandglass/inline" in a worker of your own; or use storage: "indexeddb"',
    );
  }
  return engineInCaller({ ...wish, code: await loadEngine(wasm) }, signal);
};

/** Browsers show this to dedicated workers alone. */
export function hasSyncAccess(): boolean {
  return typeof FileSystemFileHandle === "function" && "createSyncAccessHandle" in FileSystemFileHandle.prototype;
}
