// In the page: one measurement of Sandglass.
import { loadInPage } from "./page-data.mjs";
import { TASKS, warmUp } from "./sandglass.mjs";

export async function run({ entry, task, data, hours, storage }) {
  const sandglass = await import(entry);
  const dataSet = await loadInPage(data, hours);
  await warmUp(sandglass);
  globalThis.gc?.();
  return TASKS[task](sandglass, dataSet, storage);
}
