// In the page: one measurement of DuckDB-wasm.
import { measureDurable, measureInsert, measureQueries, measureStored } from "./peer-duckdb.mjs";
import { loadInPage } from "./page-data.mjs";

export async function run({ data, what, rows, hours }) {
  const dataSet = await loadInPage(data, hours);
  globalThis.gc?.();
  if (what === "durable") return measureDurable(dataSet);
  if (what === "queries") return measureQueries(dataSet, hours);
  return what === "stored" ? measureStored(dataSet) : measureInsert(dataSet, rows);
}
