// The engine in a worker of its own, where there are workers.

import { abortable } from "../base/abort.js";
import { onDemand } from "../base/on_demand.js";
import type { Starter } from "./open.js";
import { spawn } from "../worker/spawn.js";
import { loadEngine } from "../engine/code.js";
import { engineInWorker } from "../worker/local_engine.js";
import { WorkerPort } from "../worker/worker_port.js";

export const startInWorker: Starter = async (wish, wasm, signal) => {
  const spawning = spawn();
  try {
    // The code is compiled here, where it can be handed in, and once for all databases; the worker gets it compiled.
    const [worker, code] = await abortable("open", signal, () => Promise.all([spawning, loadEngine(wasm)]));
    if (worker !== undefined) return engineInWorker(await WorkerPort.start(worker, { ...wish, code }, signal));
  } catch (error) {
    void spawning.then((worker) => worker?.terminate());
    throw error;
  }
  const { startHere } = await onDemand(import("./in_caller.js"), 'import "sandglass/inline" there, ');
  return startHere(wish, wasm, signal);
};
