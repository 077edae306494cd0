// What is said of arguments that mean nothing, and what they may look like.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { checkTimestamps, durationMs } = await source("base/arguments");
const { copyNumbers } = await source("base/numbers");
const refusalOf = (call) => {
  try {
    call();
  } catch (error) {
    return error.message;
  }
  return "it was taken";
};

it("a duration has the units of the query languages, and several of them", () => {
  const [second, hour, day] = [1000, 3_600_000, 86_400_000];
  for (const [text, ms] of [
    ["5ms", 5],
    ["90s", 90 * second],
    ["1.5h", 1.5 * hour],
    ["1h30m", 1.5 * hour],
    ["1w2d", 9 * day],
    ["1y", 365 * day],
  ])
    assert.equal(durationMs(text, "step"), ms, text);
  assert.equal(durationMs(Number.POSITIVE_INFINITY, "step"), Number.POSITIVE_INFINITY);
});

it("what is no duration is refused by its name, however long it is", () => {
  for (const value of ["", "90", "-5m", "1M", "5 m", "m", "1h30", "1..5s", Number.NaN, -1, null, undefined, ["5m"], {}])
    assert.match(
      refusalOf(() => durationMs(value, "step")),
      /^step is .*; write milliseconds or a text such as "90s" or "1h30m"$/,
    );
  const began = performance.now();
  refusalOf(() => durationMs("1m1s".repeat(100_000).concat("!"), "step"));
  assert.ok(performance.now() - began < 1000);
});

it("a column that holds something else says where, what, and what to write", () => {
  for (const [value, words] of [
    ["7", /^values\[1\] is the text "7"; a number is expected/],
    [null, /^values\[1\] is null; .*leave out what has none/],
    [undefined, /^values\[1\] is undefined; /],
    [7n, /^values\[1\] is a BigInt; numbers are expected/],
    [{}, /^values\[1\] is an object; /],
  ])
    assert.match(
      refusalOf(() => copyNumbers(new Float64Array(2), 0, [1, value], 0, 2)),
      words,
    );
  const date = /^timestamps\[0\] is a Date; a number of milliseconds is expected, such as date\.getTime\(\)$/;
  assert.match(
    refusalOf(() => checkTimestamps([new Date(0)])),
    date,
  );
});
