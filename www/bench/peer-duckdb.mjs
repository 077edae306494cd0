// DuckDB-wasm in a page: the same typed arrays as a table of (time, series, value), through Arrow IPC. Runs in the browser;
// `apache-arrow` and the like come through the page's import map.
import * as duckdb from "/modules/@duckdb/duckdb-wasm/dist/duckdb-browser.mjs";
import * as arrow from "apache-arrow";
import { questions, timed } from "./queries.mjs";

/** Rows of one insert; the fastest of 100 thousand, 1 million and 4 million. */
const ROWS = 1_000_000;

async function openDatabase(config) {
  const worker = new Worker("/modules/@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js");
  const database = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), worker);
  await database.instantiate("/modules/@duckdb/duckdb-wasm/dist/duckdb-eh.wasm");
  await database.open(config);
  return database;
}

/** The timestamps as Arrow wants them, made before the clock runs: an application would have them so from the start. */
function prepare(dataSet) {
  const times = new Map();
  for (const { timestamps } of dataSet.series) {
    if (!times.has(timestamps)) times.set(timestamps, BigInt64Array.from(timestamps, BigInt));
  }
  return { ...dataSet, times };
}

/** Inserts all samples; the time includes the making of Arrow's batches from the typed arrays. */
async function insertAll(connection, { series, samples, times }, rows) {
  await connection.query("CREATE TABLE samples (time BIGINT, series INTEGER, value DOUBLE)");
  const time = new BigInt64Array(rows);
  const id = new Int32Array(rows);
  const value = new Float64Array(rows);
  let filled = 0;
  const flush = async () => {
    const table = new arrow.Table({
      time: arrow.makeVector(time.subarray(0, filled)),
      series: arrow.makeVector(id.subarray(0, filled)),
      value: arrow.makeVector(value.subarray(0, filled)),
    });
    await connection.insertArrowFromIPCStream(arrow.tableToIPC(table, "stream"), { name: "samples", create: false });
    filled = 0;
  };
  for (const [s, { timestamps, values }] of series.entries()) {
    for (let from = 0; from < timestamps.length; ) {
      const count = Math.min(timestamps.length - from, rows - filled);
      time.set(times.get(timestamps).subarray(from, from + count), filled);
      id.fill(s, filled, filled + count);
      value.set(values.subarray(from, from + count), filled);
      filled += count;
      from += count;
      if (filled === rows) await flush();
    }
  }
  if (filled > 0) await flush();
  const count = Number((await connection.query("SELECT count(*) AS n FROM samples")).get(0).n);
  if (count !== samples) throw new Error(`DuckDB holds ${count} samples of ${samples}`);
}

/** A tenth to warm up with, as the engine it is compared with gets some too. */
async function warmUp(connection, prepared, rows) {
  const series = prepared.series.slice(0, Math.ceil(prepared.series.length / 10));
  const samples = series.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  await insertAll(connection, { ...prepared, series, samples }, rows);
  await connection.query("DROP TABLE samples");
  // As long as the engine it is compared with has for what is compiled in the background.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
}

/** @returns samples a second into a database in memory */
export async function measureInsert(dataSet, rows = ROWS) {
  const database = await openDatabase({ path: ":memory:" });
  try {
    const connection = await database.connect();
    const prepared = prepare(dataSet);
    await warmUp(connection, prepared, rows);
    const begin = performance.now();
    await insertAll(connection, prepared, rows);
    return { importRate: (dataSet.samples / (performance.now() - begin)) * 1000 };
  } finally {
    await database.terminate();
  }
}

/** @returns bytes a sample in the origin private file system after a checkpoint */
export async function measureStored(dataSet) {
  const root = await navigator.storage.getDirectory();
  const name = "bench.db";
  const database = await openDatabase({ path: `opfs://${name}`, accessMode: duckdb.DuckDBAccessMode.READ_WRITE });
  try {
    const connection = await database.connect();
    await insertAll(connection, prepare(dataSet), ROWS);
    await connection.query("CHECKPOINT");
    await connection.close();
  } finally {
    await database.terminate();
  }
  const { size } = await (await root.getFileHandle(name)).getFile();
  return { dataBytes: size / dataSet.samples };
}

/** @returns samples a second until they are in the origin private file system, which a checkpoint sees to */
export async function measureDurable(dataSet) {
  const database = await openDatabase({ path: "opfs://durable.db", accessMode: duckdb.DuckDBAccessMode.READ_WRITE });
  try {
    const connection = await database.connect();
    const prepared = prepare(dataSet);
    await warmUp(connection, prepared, ROWS);
    await connection.query("CHECKPOINT");
    const begin = performance.now();
    await insertAll(connection, prepared, ROWS);
    await connection.query("CHECKPOINT");
    const took = performance.now() - begin;
    await connection.close();
    return { durableRate: (dataSet.samples / took) * 1000 };
  } finally {
    await database.terminate();
  }
}

/** @returns each question of queries.mjs that has an SQL form, by name, of a database in the origin private file system */
export async function measureQueries(dataSet, hours) {
  const database = await openDatabase({ path: "opfs://queries.db", accessMode: duckdb.DuckDBAccessMode.READ_WRITE });
  try {
    const connection = await database.connect();
    await insertAll(connection, prepare(dataSet), ROWS);
    const column = (of) => arrow.vectorFromArray(dataSet.series.map(of), new arrow.Utf8());
    const series = new arrow.Table({
      id: arrow.makeVector(Int32Array.from(dataSet.series.keys())),
      name: column(({ labels }) => labels.__name__),
      hostname: column(({ labels }) => labels.hostname),
    });
    await connection.insertArrowFromIPCStream(arrow.tableToIPC(series, "stream"), { name: "series", create: true });
    await connection.query("CHECKPOINT");
    const found = {};
    for (const { name, sql } of questions(hours)) {
      if (sql === undefined) continue;
      found[name] = await timed(async () => {
        const values = (await connection.query(sql)).getChild("value").toArray();
        return { points: values.length, sum: values.reduce((sum, value) => sum + value, 0) };
      });
    }
    await connection.close();
    return found;
  } finally {
    await database.terminate();
  }
}
