// The engine in a worker of its own, where there are workers.

import { abortable } from "./abort.js";
import { onDemand } from "./on_demand.js";
import type { Starter } from "./open.js";
import { spawn } from "./spawn.js";
import { loadEngine } from "./wasm_module.js";
import { WorkerPort } from "./worker_port.js";

export const startInWorker: Starter = async (wish, wasm, signal) => {
  const spawning = spawn();
  try {
    // The code is compiled here, where it can be handed in, and once for all databases; the worker gets it compiled.
    const [worker, code] = await abortable("open", signal, () => Promise.all([spawning, loadEngine(wasm)]));
    if (worker !== undefined) return { port: await WorkerPort.start(worker, { ...wish, code }, signal), thread: "worker" };
  } catch (error) {
    void spawning.then((worker) => worker?.terminate());
    throw error;
  }
  const { startHere } = await onDemand(import("./here.js"));
  return startHere(wish, wasm, signal);
};
