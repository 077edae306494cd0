// In the page: one measurement of DuckDB-wasm.
import { measureInsert, measureStored } from "./peer-duckdb.mjs";
import { loadInPage } from "./page-data.mjs";

export async function run({ data, what, rows }) {
  const dataSet = await loadInPage(data);
  globalThis.gc?.();
  return what === "stored" ? measureStored(dataSet) : measureInsert(dataSet, rows);
}
