// What a push goes through, and what it hands to the next: the pieces that need no server.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { source } from "./source.mjs";

const { extentsOf, rowsBetween, windows } = await source("push/windows");
const { read, write } = await source("push/checkpoint");
const { targetOf } = await source("push/target");

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
