// Results as Arrow tables, read back by Arrow from what DuckDB and others are handed.
import assert from "node:assert/strict";
import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { after, before, it } from "node:test";
import { tableFromIPC, tableToIPC } from "apache-arrow";
import { installPackage } from "../server/packed.mjs";

let installed;
let db;
let toArrowTable;
const NOW = 1_710_072_000_000;
const STALE = new Float64Array(new BigUint64Array([0x7ff0000000000002n]).buffer);

before(async () => {
  installed = await installPackage();
  await symlink(
    fileURLToPath(new URL("../../node_modules/apache-arrow", import.meta.url)),
    join(installed.project, "node_modules/apache-arrow"),
  );
  const load = async (name) => import(pathToFileURL(join(installed.directory, await installed.entry(name, "node"))).href);
  const { open } = await load("./inline");
  ({ toArrowTable } = await load("./arrow"));
  db = await open({ storage: "memory", clock: "manual", startTime: NOW + 10_000 });
  await db.append({ __name__: "up", job: "a", time: "day" }, [NOW, NOW + 1000, NOW + 2000], [1, 0.5, -3]);
  await db.append({ __name__: "up", job: "b", zone: "ü" }, [NOW + 1000, NOW + 2000], Float64Array.of(7, STALE[0]));
  await db.append({ __name__: "up", job: "a", zone: "x" }, [NOW + 2000], [Infinity]);
  await db.flush();
});
after(async () => {
  await db?.close();
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

/** Rows as objects, of a table that went out as a stream and came back. */
function rowsOf(table) {
  const back = tableFromIPC(tableToIPC(table, "stream"));
  assert.deepEqual(
    back.schema.fields.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`),
    table.schema.fields.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`),
  );
  return back.toArray().map((row) => row.toJSON());
}

it("raw samples: one row each, labels as dictionaries, null where a series has none", async () => {
  const table = toArrowTable(await db.select("up"));
  assert.deepEqual(
    table.schema.fields.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`),
    [
      "time Timestamp<MILLISECOND> false",
      "value Float64 false",
      "__name__ Dictionary<Int32, Utf8> false",
      "job Dictionary<Int32, Utf8> false",
      "label_time Dictionary<Int32, Utf8> true",
      "zone Dictionary<Int32, Utf8> true",
    ],
  );
  const rest = { __name__: "up", label_time: null };
  assert.deepEqual(rowsOf(table), [
    { time: NOW, value: 1, ...rest, job: "a", label_time: "day", zone: null },
    { time: NOW + 1000, value: 0.5, ...rest, job: "a", label_time: "day", zone: null },
    { time: NOW + 2000, value: -3, ...rest, job: "a", label_time: "day", zone: null },
    { time: NOW + 2000, value: Infinity, ...rest, job: "a", zone: "x" },
    { time: NOW + 1000, value: 7, ...rest, job: "b", zone: "ü" },
    { time: NOW + 2000, value: NaN, ...rest, job: "b", zone: "ü" },
  ]);
  const values = tableFromIPC(tableToIPC(table)).getChild("value").toArray();
  assert.equal(new BigUint64Array(values.slice(5).buffer)[0], 0x7ff0000000000002n, "the staleness marker keeps its bits");
});

it("a range: an instant without a value has no row, and one that is NaN has", async () => {
  const range = { start: NOW, end: NOW + 2000, step: 1000 };
  const rows = rowsOf(toArrowTable(await db.queryRange('up{job="b"} * 2', { ...range, lookback: 500 })));
  assert.deepEqual(rows, [{ time: NOW + 1000, value: 14, job: "b", zone: "ü" }]);
  const timestamps = Float64Array.of(1, 2, 3);
  const series = [{ labels: {}, values: Float64Array.of(NaN, NaN, 5), present: Uint8Array.of(0b110) }];
  assert.deepEqual(rowsOf(toArrowTable({ timestamps, series, warnings: [], stats: {} })), [
    { time: 2, value: NaN },
    { time: 3, value: 5 },
  ]);
});

it("results of an instant: vector, matrix, scalar, string and nothing", async () => {
  const at = { time: NOW + 2000 };
  const of = async (expression) => rowsOf(toArrowTable(await db.query(expression, { ...at, dialect: "promql" })));
  assert.deepEqual(await of("count by (job) (up)"), [{ time: NOW + 2000, value: 2, job: "a" }]);
  assert.equal((await of('up{job="a"}[5s]')).length, 4);
  assert.deepEqual(await of("scalar(vector(4))"), [{ time: NOW + 2000, value: 4 }]);
  assert.deepEqual(await of('"a text"'), [{ time: NOW + 2000, value: "a text" }]);
  const nothing = toArrowTable(await db.select("nothing"));
  assert.equal(nothing.numRows, 0);
  assert.deepEqual(rowsOf(nothing), []);
});

it("labels that would take the name of a column get another, which no label has", () => {
  const labels = { time: "day", value: "high", label_time: "a", label_label_time: "b", label_value: "c" };
  const table = toArrowTable([{ labels, timestamps: Float64Array.of(NOW), values: Float64Array.of(1) }]);
  assert.deepEqual(rowsOf(table), [
    {
      time: NOW,
      value: 1,
      label_label_time: "b",
      label_time: "a",
      label_value: "c",
      label_label_label_time: "day",
      label_label_value: "high",
    },
  ]);
  assert.equal(new Set(table.schema.fields.map(({ name }) => name)).size, table.schema.fields.length);
});

it("many rows are one column each", async () => {
  const length = 100_000;
  const timestamps = Float64Array.from({ length }, (_, i) => NOW - i);
  const table = toArrowTable([
    { labels: { job: "a" }, timestamps, values: timestamps },
    { labels: { job: "b", zone: "x" }, timestamps, values: timestamps },
  ]);
  assert.deepEqual([table.numRows, table.batches.length, table.getChild("zone").nullCount], [2 * length, 1, length]);
  const back = tableFromIPC(tableToIPC(table));
  assert.deepEqual([back.get(length - 1).zone, back.get(length).zone, back.get(length).job], [null, "x", "b"]);
});
