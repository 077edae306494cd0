// The yardstick itself: a comparison that cannot fail proves nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertSameExport, differences, readExport, sampleCount } from "./exports.mjs";

const line = (metric, values, timestamps) => `{"metric":${JSON.stringify(metric)},"values":[${values}],"timestamps":[${timestamps}]}\n`;

test("reads bare and quoted infinities, NaN, null and text that looks like the arrays", async () => {
  const labels = { __name__: "m", note: '"values":[Inf],"timestamps":[1]' };
  const [series] = (await readExport(line(labels, 'NaN,+Inf,-Inf,Inf,"Infinity","-Infinity",null,1e-320', "0,1,2,3,4,5,6,7"))).values();
  assert.deepEqual(series.labels, labels);
  assert.deepEqual([...series.values], [NaN, Infinity, -Infinity, Infinity, Infinity, -Infinity, NaN, 1e-320]);
});

test("a series spread over lines, with keys and equal times in any order, is the same series", async () => {
  const one = await readExport(line({ __name__: "m", a: "1", b: "2" }, "1,2,3,4", "10,20,20,30"));
  const other = await readExport(
    line({ b: "2", __name__: "m", a: "1" }, "4,3", "30,20") + line({ a: "1", b: "2", __name__: "m" }, "2,1", "20,10"),
  );
  assert.deepEqual(differences(one, other), []);
  assert.equal(sampleCount(other), 4);
});

test("every kind of difference is found", async () => {
  const base = await readExport(line({ __name__: "m" }, "0,1", "1,2"));
  for (const [body, message] of [
    [line({ __name__: "m" }, "-0,1", "1,2"), /at 1: -0 .*expected 0/],
    [line({ __name__: "m" }, "0,1.0000000000000002", "1,2"), /at 2/],
    [line({ __name__: "m" }, "0,null", "1,2"), /at 2: NaN/],
    [line({ __name__: "m" }, "0,1", "1,3"), /timestamp 3, expected 2/],
    [line({ __name__: "m" }, "0,1,1", "1,2,2"), /has 3 samples, expected 2/],
    [line({ __name__: "n" }, "0,1", "1,2"), /is missing/],
    [line({ __name__: "m" }, "0,1", "1,2") + line({ __name__: "n" }, "0", "1"), /is not expected/],
  ]) {
    const other = await readExport(body);
    assert.throws(() => assertSameExport(base, other, "test"), message);
  }
});

test("characters cut by the stream's chunks are put together again", async () => {
  const bytes = new TextEncoder().encode(line({ __name__: "m", city: "東京🚀" }, "1", "1"));
  const stream = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const [series] = (await readExport(stream)).values();
  assert.equal(series.labels.city, "東京🚀");
});
