// In the page: a data set by its name.
import { cpuOnly, fromExport } from "./data.mjs";

export async function loadInPage(name) {
  if (name === "cpu-only") return cpuOnly();
  return fromExport(name, (await fetch(`/fixtures/snapshots/${name}.export.jsonl.gz`)).body);
}
