// The entry `sandglass/arrow`: results as tables of Apache Arrow, one row for each sample.

import {
  Dictionary,
  Field,
  Float64,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
  type Data,
} from "apache-arrow";
import type { InstantResult, RangeResult } from "./api/queries.js";
import type { Labels, SeriesData } from "./api/samples.js";

/** Some rows of one series. */
interface Run {
  labels: Labels;
  timestamps: ArrayLike<number>;
  values: ArrayLike<number>;
}

/**
 * A table with one row for each sample: `time` (timestamp in milliseconds), `value` (float64; text for a result that is one), and one
 * column for each label (text, dictionary-encoded), in the order of their names; it is null where a series has no such label. A label called `time` or
 * `value` is the column `label_time` or `label_value`, with another `label_` before it where there is a label of that name. Rows are in the order of the result: series after series, by time. An
 * instant of a range at which a series has no value has no row.
 *
 * @example
 * ```ts
 * const table = toArrowTable(await db.queryRange("rate(requests_total[1m])", { start, end, step: "15s" }));
 * await connection.insertArrowFromIPCStream(tableToIPC(table), { name: "rates" }); // DuckDB: select avg(value) from rates group by instance
 * ```
 */
export function toArrowTable(result: RangeResult | readonly SeriesData[] | InstantResult): Table {
  if (!("type" in result)) return tableOf("timestamps" in result ? ofRange(result) : result);
  switch (result.type) {
    case "vector":
      return tableOf(result.series.map(({ labels, timestamp, value }) => ({ labels, timestamps: [timestamp], values: [value] })));
    case "matrix":
      return tableOf(result.series);
    case "scalar":
      return tableOf([{ labels: {}, timestamps: [result.timestamp], values: [result.value] }]);
    default:
      return assembled(1, [
        ["time", times([result.timestamp])],
        ["value", vectorFromArray([result.value], new Utf8()).data[0]!],
      ]);
  }
}

/** The instants at which each series has a value. NaN is none, unless it says that it is one. */
function ofRange({ timestamps, series }: RangeResult): Run[] {
  return series.map(({ labels, values, present }) => {
    const isThere = (at: number) => (present === undefined ? !Number.isNaN(values[at]!) : ((present[at >> 3]! >> (at & 7)) & 1) === 1);
    if (present === undefined && !values.some(Number.isNaN)) return { labels, timestamps, values };
    return { labels, timestamps: timestamps.filter((_, at) => isThere(at)), values: values.filter((_, at) => isThere(at)) };
  });
}

function tableOf(runs: readonly Run[]): Table {
  const rows = runs.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  const [instants, values] = [new BigInt64Array(rows), new Float64Array(rows)];
  let at = 0;
  for (const run of runs) {
    for (let i = 0; i < run.timestamps.length; i++) instants[at + i] = BigInt(run.timestamps[i]!);
    values.set(run.values, at);
    at += run.timestamps.length;
  }
  const names = new Set(runs.flatMap(({ labels }) => Object.keys(labels)));
  return assembled(rows, [
    ["time", timesOf(instants)],
    ["value", makeData({ type: new Float64(), data: values, length: rows, nullCount: 0 })],
    ...[...names].sort().map((name): Column => [columnOf(name, names), labelColumn(name, runs, rows)]),
  ]);
}

type Column = [name: string, data: Data];

/** What the column of a label is called: by its name, unless that is a column of every table. */
function columnOf(label: string, labels: ReadonlySet<string>): string {
  if (label !== "time" && label !== "value") return label;
  let column = `label_${label}`;
  while (labels.has(column)) column = `label_${column}`;
  return column;
}

function times(timestamps: readonly number[]): Data {
  return timesOf(BigInt64Array.from(timestamps, BigInt));
}

function timesOf(instants: BigInt64Array): Data {
  return makeData({ type: new TimestampMillisecond(), data: instants, length: instants.length, nullCount: 0 });
}

/** The values of a label, each once, and for each row which it is. */
function labelColumn(name: string, runs: readonly Run[], rows: number): Data {
  const positions = new Map<string, number>();
  const indices = new Int32Array(rows);
  const isThere = new Uint8Array(Math.ceil(rows / 64) * 8);
  let [at, nullCount] = [0, 0];
  for (const { labels, timestamps } of runs) {
    const value = Object.hasOwn(labels, name) ? labels[name] : undefined;
    const end = at + timestamps.length;
    if (value === undefined) {
      nullCount += end - at;
      at = end;
      continue;
    }
    const position = positions.get(value) ?? positions.size;
    positions.set(value, position);
    indices.fill(position, at, end);
    for (; at < end; at++) isThere[at >> 3]! |= 1 << (at & 7);
  }
  return makeData({
    type: new Dictionary(new Utf8(), new Int32()),
    data: indices,
    dictionary: vectorFromArray([...positions.keys()], new Utf8()),
    nullBitmap: nullCount === 0 ? null : isThere,
    nullCount,
    length: rows,
  });
}

function assembled(rows: number, columns: readonly Column[]): Table {
  const fields = columns.map(([name, { type, nullCount }]) => new Field(name, type, nullCount > 0));
  const children = columns.map(([, data]) => data);
  const struct = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  return new Table(new Schema(fields), new RecordBatch(new Schema(fields), struct));
}
