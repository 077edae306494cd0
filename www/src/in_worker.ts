// The engine in a worker of its own, where there are workers.

import { abortable } from "./abort.js";
import type { Starter } from "./open.js";
import { spawn } from "./spawn.js";
import { loadCore, loadRest, restUrl } from "./wasm_module.js";
import { WorkerPort } from "./worker_port.js";

export const startInWorker: Starter = async (wish, wasm, signal) => {
  const spawning = spawn();
  // The core is enough to write and read what is in IndexedDB; the rest comes behind it.
  const url = wish.storage.kind === "indexeddb" && wish.lock.ifLocked !== "readonly" ? restUrl(wasm) : undefined;
  let core: WebAssembly.Module;
  try {
    // The code is compiled here, where it can be handed in, and once for all databases; the worker gets it compiled.
    const rest = url === undefined ? loadRest(wasm) : undefined;
    const [worker, first, early] = await abortable("open", signal, () => Promise.all([spawning, loadCore(wasm), rest]));
    core = first;
    if (worker !== undefined) {
      const starting = WorkerPort.start(worker, { ...wish, code: { core, rest: early, restUrl: url } }, signal);
      // The worker fetches it by itself, when it needs what could not be loaded here.
      if (url !== undefined) void loadRest(wasm).then((late) => WorkerPort.attach(worker, late)).catch(() => {});
      return { port: await starting, thread: "worker" };
    }
  } catch (error) {
    void spawning.then((worker) => worker?.terminate());
    throw error;
  }
  const { startHere } = await import("./here.js");
  return startHere(wish, { core, rest: await loadRest(wasm) }, signal);
};
