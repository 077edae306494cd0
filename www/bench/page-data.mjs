// In the page: a data set by its name.
import { cpuOnly, fromExport } from "./data.mjs";

export async function loadInPage(name, hours) {
  if (name === "cpu-only") return cpuOnly(100, hours);
  return fromExport(name, (await fetch(`/fixtures/snapshots/${name}.export.jsonl.gz`)).body);
}
