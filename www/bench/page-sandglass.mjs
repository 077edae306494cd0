// In the page: one measurement of Sandglass.
import { loadInPage } from "./page-data.mjs";
import { TASKS, warmUp } from "./sandglass.mjs";

export async function run({ entry, task, data, hours, storage, thread }) {
  const sandglass = await import(entry);
  // Where no worker can be started the package runs in the page's thread, and the figures would be of something else.
  const probe = await sandglass.open({ storage: "memory", name: "probe" });
  const { thread: actual } = probe.opened;
  await probe.close();
  if (thread !== undefined && actual !== thread) throw new Error(`the engine runs in the thread '${actual}', not '${thread}'`);
  const dataSet = await loadInPage(data, hours);
  await warmUp(sandglass);
  globalThis.gc?.();
  return TASKS[task](sandglass, dataSet, storage);
}
