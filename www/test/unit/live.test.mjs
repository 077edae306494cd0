// When a live query tells of its result, shown with a port that answers what the test gives it.
import assert from "node:assert/strict";
import { it, mock } from "node:test";
import { source } from "./source.mjs";

const { live } = await source("database/live");
const { rangeAfter } = await source("database/queries");
const { OpenDatabase } = await source("database/database");

/** An answer as the engine gives it: rows of labels, values and, where they have holes, bits. */
function answer(rows) {
  const points = rows[0]?.[1].length ?? 0;
  const series = rows.map(([labels, , present]) => ({ labels, ...(present && { present }) }));
  const names = { type: "matrix", series, start: 0, step: 1_000, points, warnings: [], stats: {}, standing: [], kept: 0 };
  return [JSON.stringify(names), Float64Array.from(rows.flatMap(([, values]) => [...values]))];
}

/** How often the listener is called when these are the answers, one after the other. */
async function tellings(answers) {
  const told = [];
  await new Promise((resolve, reject) => {
    let asked = 0;
    const ask = async () => {
      if (asked === answers.length) resolve();
      return answer(answers[Math.min(asked++, answers.length - 1)]);
    };
    const stop = live(
      { now: () => 0, ended: new Promise(() => {}), ask },
      "x",
      { range: 0, step: 1_000, every: 1 },
      (result) => told.push(result),
      reject,
    );
    setTimeout(stop, 300);
  });
  return told.length;
}

const row = (at, value, points = 65) => Float64Array.from({ length: points }, (_, n) => (n === at ? value : 0));
const A = { host: "a" };

it("tells nothing when the answer is the same", async () => {
  assert.equal(await tellings([[[A, [1, Number.NaN]]], [[A, [1, Number.NaN]]], [[A, [1, Number.NaN]]]]), 1);
});

it("tells each change, wherever it is", async () => {
  const swapped = [row(0, 1), row(64, 1)];
  assert.equal(await tellings(swapped.map((values) => [[A, values]])), 2, "a value that has moved far");
  assert.equal(await tellings([[[A, [0]]], [[A, [-0]]]]), 2, "a sign");
  assert.equal(await tellings([[[A, [1]]], [[{ host: "b" }, [1]]]]), 2, "a label");
  assert.equal(await tellings([[[A, [1]]], []]), 2, "a series that has gone");
  const holes = [[1], [3], undefined].map((present) => [[A, [Number.NaN, Number.NaN], present]]);
  assert.equal(await tellings(holes), 3, "which NaN is a value");
});

it("what was said of instants that are kept is told with what is said of the new ones", async () => {
  const names = {
    type: "matrix",
    series: [{ labels: A }],
    start: 2_000,
    step: 1_000,
    points: 1,
    warnings: ["new", "old"],
    stats: {},
    standing: [1],
    kept: 1,
  };
  const port = { ask: async () => [JSON.stringify(names), Float64Array.of(2)] };
  const result = {
    timestamps: Float64Array.of(0, 1_000),
    series: [{ labels: A, values: Float64Array.of(0, 1) }],
    warnings: ["old"],
    stats: {},
  };
  const after = await rangeAfter(port, "x", { start: 1_000, end: 2_000, step: 1_000 }, { standing: [0], result });
  assert.deepEqual([...after.result.series[0].values], [1, 2]);
  assert.deepEqual(after.result.warnings, ["old", "new"]);
});

it("a mistake that nobody listens for is told in the console, once", async (t) => {
  const error = mock.method(console, "error", () => {});
  t.after(() => error.mock.restore());
  const port = { now: () => 0, ended: new Promise(() => {}), ask: () => assert.fail("nothing is asked") };
  const db = new OpenDatabase("x", {}, port, () => {});
  db.live("x", { range: "1m", step: "1s", evrey: 1 }, () => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    error.mock.calls.map((call) => [call.arguments.length, /^sandglass: .*"evrey"; did you mean every\?$/.test(call.arguments[0])]),
    [[1, true]],
  );
  const failure = await new Promise((resolve) => db.live("x", { range: "1m", step: "1s", evrey: 1 }, () => {}, resolve));
  assert.equal(failure.code, "invalid");
  assert.equal(error.mock.callCount(), 1, "who listens tells it himself");
});

it("a live query ends with its database, whatever that has ended by, and tells it once", async (t) => {
  let end;
  const port = { now: () => 0, ended: new Promise((resolve) => (end = resolve)), ask: async () => answer([[A, [1]]]) };
  const errors = [];
  live(
    port,
    "x",
    { range: 0, step: 1_000, every: "1h" },
    () => {},
    (error) => errors.push(error.code),
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  const cleared = t.mock.method(globalThis, "clearTimeout");
  end(Object.assign(new Error("taken over"), { code: "locked" }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(errors, ["locked"]);
  assert.ok(cleared.mock.callCount() > 0, "no timer is left");
  // One that comes later learns of it, too.
  live(
    port,
    "x",
    { range: 0, step: 1_000 },
    () => {},
    (error) => errors.push(error.code),
  );
  assert.deepEqual(errors, ["locked", "locked"]);
});

it("what a listener throws is reported, and the query goes on", async (t) => {
  const thrown = [];
  t.mock.method(globalThis, "queueMicrotask", (work) => {
    try {
      work();
    } catch (error) {
      thrown.push(error.message);
    }
  });
  const port = { now: () => 0, ended: new Promise(() => {}), ask: async () => answer([[A, [thrown.length]]]) };
  let told = 0;
  const failed = [];
  const stop = live(
    port,
    "x",
    { range: 0, step: 1_000, every: 1 },
    () => {
      if (told++ === 0) throw Object.assign(new Error("the page's own"), { code: "invalid" });
    },
    (error) => failed.push(error),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  stop();
  assert.deepEqual([thrown, failed, told > 1], [["the page's own"], [], true]);
});
