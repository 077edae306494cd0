// Gets a worker to run, whatever a bundler or a server has made of the package's files.

import type { Reply } from "./messages.js";
import { BUILD } from "../base/build_name.js";

/** A worker that has not said a word by then is given up. */
const HELLO_MS = 15_000;

type Way = () => Worker | Promise<Worker>;

/** The file beside this module: plain scripts, Vite and webpack find it by exactly this expression. */
const fromFile: Way = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "sandglass" });

/** The same code out of a module that nobody loads otherwise; pages whose policy forbids workers from blobs refuse it. */
const fromSource: Way = async () => {
  const { default: source } = await import("./worker_source.js");
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  // The browser reads it while it makes the worker, and not later.
  setTimeout(() => URL.revokeObjectURL(url), HELLO_MS);
  return new Worker(url, { name: "sandglass" });
};

/** The one that has worked last comes first: the others would only cost time again. */
let ways = [fromFile, fromSource];

/** Whether there are workers that end with who has started them. Those of Bun and Deno keep a script from its end, as Node's would. */
export function hasWorkers(): boolean {
  return typeof Worker === "function" && (typeof document !== "undefined" || "WorkerGlobalScope" in globalThis);
}

/** A worker that runs the package's code, or none where there can be none. */
export async function spawn(): Promise<Worker | undefined> {
  if (!hasWorkers()) return undefined;
  for (const way of ways) {
    try {
      const worker = await greeted(await way());
      ways = [way, ...ways.filter((other) => other !== way)];
      return worker;
    } catch {
      // The next way.
    }
  }
  return undefined;
}

/** The worker, once it has said the right hello. */
function greeted(worker: Worker): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const fail = () => {
      clearTimeout(timer);
      worker.terminate();
      reject();
    };
    const timer = setTimeout(fail, HELLO_MS);
    worker.onerror = (event) => {
      event.preventDefault();
      fail();
    };
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      // A server may still hand out the file of another build.
      if (data?.kind !== "hello" || data.build !== BUILD) return fail();
      clearTimeout(timer);
      worker.onerror = worker.onmessage = null;
      resolve(worker);
    };
  });
}
