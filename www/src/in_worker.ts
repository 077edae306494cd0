// The engine in a worker of its own, where there are workers.

import { abortable } from "./abort.js";
import type { Starter } from "./open.js";
import { spawn } from "./spawn.js";
import { loadModule } from "./wasm_module.js";
import { WorkerPort } from "./worker_port.js";

export const startInWorker: Starter = async (wish, wasm, signal) => {
  const spawning = spawn();
  let module: WebAssembly.Module;
  try {
    // The code is compiled here, where it can be handed in, and once for all databases; the worker gets it compiled.
    const [worker, compiled] = await abortable("open", signal, () => Promise.all([spawning, loadModule(wasm)]));
    module = compiled;
    if (worker !== undefined) return { port: await WorkerPort.start(worker, { ...wish, module }, signal), thread: "worker" };
  } catch (error) {
    void spawning.then((worker) => worker?.terminate());
    throw error;
  }
  const { startHere } = await import("./here.js");
  return startHere(wish, module, signal);
};
