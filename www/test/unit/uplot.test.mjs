// Results as uPlot takes them: what breaks a line, and what does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import uPlot from "uplot";
import { source } from "./source.mjs";

const { toAlignedData } = await source("uplot");

const MARKER = new Float64Array(new BigUint64Array([0x7ff0000000000002n]).buffer);
const series = (...pairs) => ({
  labels: {},
  timestamps: Float64Array.from(pairs, ([time]) => time),
  values: Float64Array.from(pairs, ([, value]) => value),
});

test("of a range a step without a value breaks the line, and so does what cannot be drawn", () => {
  const values = Float64Array.of(1, NaN, 3, Infinity, -Infinity, -0);
  values.set(MARKER, 1);
  const data = toAlignedData({ timestamps: Float64Array.of(0, 1000, 2000, 3000, 4000, 5500), series: [{ labels: {}, values }] });
  assert.deepEqual(data, [
    [0, 1, 2, 3, 4, 5.5],
    [1, null, 3, null, null, -0],
  ]);
  assert.deepEqual(toAlignedData({ timestamps: Float64Array.of(0, 1000), series: [] }), [[0, 1]]);
});

test("of raw samples a staleness marker breaks the line", () => {
  const one = series([1000, 1], [2000, 0], [3000, 3]);
  one.values.set(MARKER, 1);
  assert.deepEqual(toAlignedData([one]), [
    [1, 2, 3],
    [1, null, 3],
  ]);
});

test("series of different instants have one time axis, and no line breaks at the instants of the others", () => {
  const data = toAlignedData([series([1000, 1], [3000, 3]), series([2000, 20], [3000, 30], [4000, 40])]);
  assert.deepEqual(data, [
    [1, 2, 3, 4],
    [1, undefined, 3, undefined],
    [undefined, 20, 30, 40],
  ]);
  // As uPlot's own function for this has it.
  assert.deepEqual(
    data,
    uPlot.join([
      [
        [1, 3],
        [1, 3],
      ],
      [
        [2, 3, 4],
        [20, 30, 40],
      ],
    ]),
  );
});

test("a long time without samples is no break", () => {
  const data = toAlignedData([series([1000, 1], [2000, 2], [3600_000, 3]), series([1000, 1])]);
  assert.deepEqual(data, [
    [1, 2, 3600],
    [1, 2, 3],
    [1, undefined, undefined],
  ]);
});

test("of several samples of one instant one is drawn, and nothing gives nothing", () => {
  assert.deepEqual(toAlignedData([series([1000, 1], [1000, 2], [1000, NaN], [2000, NaN], [2000, 4])]), [
    [1, 2],
    [2, 4],
  ]);
  assert.deepEqual(toAlignedData([]), [[]]);
});
