// What a push goes through, and what it hands to the next: the pieces that need no server.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { source } from "./source.mjs";

const { extentsOf, rowsBetween, windows } = await source("push/windows");
const { read, write } = await source("push/checkpoint");
const { targetOf } = await source("push/target");
const { push } = await source("push/push");

describe("windows", () => {
  const extents = [
    { start: 5, end: 27, rows: 23 },
    { start: 12, end: 14, rows: 3 },
    { start: 95, end: 95, rows: 1 },
    { start: 101, end: 120, rows: 40 },
  ];
  const of = (start, end) => [...windows(extents, start, end, 10)].map(({ start, end }) => [start, end]);

  it("end with multiples of the unit, skip what is empty, and do not overlap", () => {
    assert.deepEqual(of(-Infinity, 200), [
      [5, 9],
      [10, 19],
      [20, 29],
      [95, 99],
      [101, 109],
      [110, 119],
      [120, 129],
    ]);
    assert.deepEqual(of(13, 104), [
      [13, 19],
      [20, 29],
      [95, 99],
      [101, 104],
    ]);
    assert.deepEqual(of(28, 94), []);
    assert.deepEqual(of(130, 200), []);
  });

  it("of another try are the same from any of them on", () => {
    const all = of(-Infinity, 200);
    for (let at = 1; at < all.length; at++) assert.deepEqual(of(all[at - 1][1] + 1, 200), all.slice(at));
  });

  it("tell about how much is in them", () => {
    assert.equal(rowsBetween(extents, 0, 200), 67);
    assert.equal(rowsBetween(extents, 111, 200), 20);
    assert.equal(rowsBetween(extents, 28, 94), 0);
  });

  it("come from the parts of all months", () => {
    const part = (minTimestamp, maxTimestamp, rows) => ({ minTimestamp, maxTimestamp, rows });
    const partitions = [{ parts: [part(7, 9, 3), part(1, 2, 4)] }, { parts: [part(5, 6, 1)] }, { parts: [] }];
    assert.deepEqual(
      extentsOf({ partitions }).map(({ start }) => start),
      [1, 5, 7],
    );
  });
});

describe("a checkpoint", () => {
  it("is read as it was written", () => {
    const whole = { selector: "{a}", sent: 5, window: { start: 6, end: 9, from: "6d01.7" }, late: { start: 1, end: 2 }, isUnsure: true };
    for (const isUnsure of [true, false]) assert.deepEqual(read(write({ ...whole, isUnsure }), "{a}"), { ...whole, isUnsure });
    const empty = read(undefined, undefined);
    assert.deepEqual(read(write(empty), undefined), empty);
  });

  it("that is anything else is refused", () => {
    const good = JSON.parse(write({ selector: undefined, sent: 5 }));
    for (const wrong of ["", "x", "null", "[]", "{}", 7, null])
      assert.throws(() => read(wrong, undefined), { code: "invalid" }, String(wrong));
    for (const wrong of [
      { version: 2 },
      { sent: "5" },
      { sent: 1.5 },
      { window: { start: 1, end: 2 } },
      { window: 1 },
      { late: {} },
      { isUnsure: 1 },
    ])
      assert.throws(() => read(JSON.stringify({ ...good, ...wrong }), undefined), { code: "invalid" }, JSON.stringify(wrong));
  });
});

it("an address is that of a server, of a tenant, or whole", () => {
  for (const [url, protocol, target] of [
    ["http://host:8428", "native", "http://host:8428/api/v1/import/native"],
    ["http://host:9090/", "remote_write", "http://host:9090/api/v1/write"],
    ["https://host/vm/?a=b#c", "native", "https://host/vm/api/v1/import/native?a=b"],
    ["http://host/insert/3:4", "remote_write", "http://host/insert/3:4/prometheus/api/v1/write"],
    ["http://host/insert/0/prometheus", "native", "http://host/insert/0/prometheus/api/v1/import/native"],
    ["http://host/api/v1/push", "remote_write", "http://host/api/v1/push"],
  ])
    assert.equal(targetOf(url, protocol).href, target);
});

/** An engine with samples in one part, that answers requests as the functions named after their kinds do. */
const portOf = (part, answers) => ({
  role: "writer",
  now: () => part.maxTimestamp,
  inspect: async () => ({ partitions: [{ parts: [part] }] }),
  ask: async (request) => answers[request.kind](request),
});

describe("the windows of a remote write", () => {
  const HOUR = 3_600_000;
  const DAYS = 100;
  const begin = Date.UTC(2024, 0, 1);
  const end = begin + DAYS * 24 * HOUR - 1;
  /** One at 8:30 on each day. */
  const daily = Array.from({ length: DAYS }, (_, day) => begin + (24 * day + 8.5) * HOUR);

  /** An engine that says how many series and rows there are, and the windows that are asked of it. */
  async function opened(t, { series, rows, options = {}, gone = false }) {
    t.mock.method(globalThis, "fetch", async () => new Response(null, { status: 204 }));
    const found = { windows: [], asked: 0 };
    const answers = {
      flush: () => undefined,
      count: () => series,
      pushWindows({ start, end, window }) {
        found.asked++;
        if (gone) throw Object.assign(new Error("the engine has gone"), { code: "interrupted" });
        const within = daily.filter((time) => time >= start && time <= end);
        return Float64Array.from(within, (time) => Math.floor(time / window) * window);
      },
      pushOpen({ start, end }) {
        found.windows.push([start, end]);
        return found.windows.length;
      },
      pushNext: () => [new Uint8Array(1), 1, ""],
      exportClose: () => undefined,
    };
    const extent = { minTimestamp: begin, maxTimestamp: end, rows };
    await push(portOf(extent, answers), "http://localhost:1/", { protocol: "remote_write", ...options });
    return found;
  }

  it("are those that have samples, where these are sparse", async (t) => {
    const { windows, asked } = await opened(t, { series: 1000, rows: 1000 * DAYS });
    assert.deepEqual(
      windows,
      daily.map((time) => [time - HOUR / 2, time + HOUR / 2 - 1]),
    );
    // A thousand at once.
    assert.equal(asked, 3);
  });

  it("begin and end with what is asked for", async (t) => {
    const options = { start: daily[1] - 5, end: daily[3] + 5 };
    const { windows } = await opened(t, { series: 1000, rows: 1000 * DAYS, options });
    assert.deepEqual(windows, [
      [daily[1] - 5, daily[1] + HOUR / 2 - 1],
      [daily[2] - HOUR / 2, daily[2] + HOUR / 2 - 1],
      [daily[3] - HOUR / 2, daily[3] + 5],
    ]);
  });

  it("are all where there is a sample of each series in each, and where the engine has gone that knows more", async (t) => {
    const options = { end: begin + 10 * 24 * HOUR - 1 };
    const dense = await opened(t, { series: 1000, rows: 1000 * 24 * DAYS, options });
    assert.deepEqual([dense.windows.length, dense.asked], [240, 0]);
    const blind = await opened(t, { series: 1000, rows: 1000 * DAYS, options, gone: true });
    assert.deepEqual(blind.windows, dense.windows);
  });
});

describe("an onProgress that throws is reported as an uncaught error is, and", () => {
  /** Pushes two windows to a server of this status; what was reported, and by which error or with which result the push has ended. */
  async function pushed(t, status, options) {
    const reported = [];
    t.mock.method(globalThis, "queueMicrotask", (report) => reported.push(report));
    t.mock.method(globalThis, "fetch", async () => new Response(null, { status }));
    const end = Date.UTC(2024, 0, 1);
    const port = portOf(
      { minTimestamp: end - 3_600_000, maxTimestamp: end, rows: 2 },
      {
        ...Object.fromEntries(["flush", "pushWatch", "pushUnwatch", "exportClose"].map((kind) => [kind, () => undefined])),
        count: () => 1,
        pushOpen: () => 1,
        pushNext: () => [new Uint8Array(1), 1, ""],
        pushLate: () => [2, end - 2, end - 1],
      },
    );
    const onProgress = () => {
      throw new Error("of the page");
    };
    const outcome = await push(port, "http://localhost:1/", { protocol: "remote_write", ...options, onProgress }).catch((error) => error);
    assert.ok(reported.length > 0);
    for (const report of reported) assert.throws(report, { message: "of the page" });
    return outcome;
  }

  it("does not end the push", async (t) => {
    const { samples, checkpoint } = await pushed(t, 204, {});
    assert.equal(samples, 2);
    assert.equal(read(checkpoint).sent, Date.UTC(2024, 0, 1));
  });

  it("does not take the place of the error that has ended it, which has the checkpoint", async (t) => {
    const { code, checkpoint } = await pushed(t, 403, { live: true, late: true });
    assert.equal(code, "refused");
    assert.deepEqual(read(checkpoint).late, { start: Date.UTC(2024, 0, 1) - 2, end: Date.UTC(2024, 0, 1) - 1 });
  });
});
