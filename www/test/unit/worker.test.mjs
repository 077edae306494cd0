// What runs in the worker, shown with an engine that fails when told: whatever happens, the page hears of it.
import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { source } from "./source.mjs";

const GLUE = `
export function createGlue() {
  class EnginePort {
    static stagedSamples() { return 1024; }
    static openMemory() { return new EnginePort(); }
    done = []; tickets = 1;
    #ticket() { this.done.push(++this.tickets); return this.tickets; }
    opening() { this.done.push(1); return 1; }
    now() { return 7; }
    pump() { if (globalThis.fault === "pump") throw new WebAssembly.RuntimeError("unreachable"); return Infinity; }
    spent() { return 0; }
    hint() { return undefined; }
    completed() { return Uint32Array.from(this.done.splice(0)); }
    take() { return globalThis.taken; }
    submit({ kind }) { globalThis.asked.push(kind); return this.#ticket(); }
    stagedTimestamps() { return 0; }
    stagedValues() { return 8192; }
    stagedSeries() { return 16384; }
    series() { return 0; }
    append() { return 0; }
    takeSeries() { return globalThis.series.shift(); }
    close() { return this.#ticket(); }
    free() {}
  }
  return { abandon() {}, instantiate: async () => new WebAssembly.Memory({ initial: 1 }), EnginePort };
}`;

/** What the worker has said, and what it has handed over with it. */
let said;
let refuse;

/** Starts a worker, and returns the function that says something to it and waits for what it says then. */
async function start() {
  said = [];
  refuse = () => {};
  globalThis.postMessage = (reply, transfer) => {
    refuse(reply);
    said.push({ ...reply, transfer });
  };
  await source("worker/worker", {
    "./glue.js": GLUE,
    "../base/build_name.js": `export const BUILD = ${JSON.stringify(String(Math.random()))};`,
  });
  const { onmessage, onmessageerror } = globalThis;
  const tell = async (request) => {
    said = [];
    if (request === undefined) onmessageerror({});
    else onmessage({ data: request });
    for (const deadline = Date.now() + 5_000; said.length === 0 && Date.now() < deadline; )
      await new Promise((resolve) => setTimeout(resolve, 1));
    return said;
  };
  const start = { code: {}, storage: { kind: "memory" }, options: { manualClock: false, readOnly: false, quotaBytes: 0 }, lock: {} };
  const [answer] = await tell({ kind: "start", id: 1, start, alive: undefined });
  assert.deepEqual([answer.kind, answer.value], ["answer", "writer"]);
  return tell;
}

beforeEach(() => Object.assign(globalThis, { fault: "", taken: undefined, asked: [] }));

it("an answer that cannot be handed over is a failure of that call", async () => {
  const tell = await start();
  refuse = ({ kind }) => {
    if (kind === "answer") throw new DOMException("Data cannot be cloned, out of memory.", "DataCloneError");
  };
  const replies = await tell({ kind: "ask", id: 2, command: { kind: "flush" } });
  assert.deepEqual(
    replies.map(({ kind, id }) => [kind, id]),
    [["failed", 2]],
  );
  const [
    {
      failure: [code, message],
    },
  ] = replies;
  assert.equal(code, "internal");
  assert.match(message, /out of memory/);
});

it("a message that cannot be read ends it, and the page is told", async () => {
  const tell = await start();
  const replies = await tell(undefined);
  assert.deepEqual(
    replies.map(({ kind, failure: [code] }) => [kind, code]),
    [["ended", "internal"]],
  );
});

it("appends that cannot be unpacked end it, and the page is told", async () => {
  const tell = await start();
  const replies = await tell({ kind: "append", id: 2, batch: null });
  assert.deepEqual(
    replies.map(({ kind }) => kind),
    ["ended"],
  );
});

it("an engine that has failed is told of once, and a call that was under way is answered", async () => {
  const tell = await start();
  globalThis.fault = "pump";
  await tell({ kind: "ask", id: 2, command: { kind: "flush" } });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(
    said.map(({ kind, id, failure: [code] }) => [kind, id, code]),
    [
      ["ended", undefined, "internal"],
      ["failed", 2, "internal"],
    ],
  );
  assert.match(said[0].failure[1], /unreachable/);
});

it("an end that the page has asked for is no news", async () => {
  const tell = await start();
  const replies = await tell({ kind: "close", id: 2 });
  assert.deepEqual(
    replies.map(({ kind, id }) => [kind, id]),
    [["answer", 2]],
  );
});

it("bytes are handed over and not cloned", async () => {
  const tell = await start();
  globalThis.taken = new Uint8Array(5);
  const [{ value, transfer }] = await tell({ kind: "ask", id: 2, command: { kind: "snapshotRead", source: "x", offset: 0, length: 5 } });
  assert.equal(value, globalThis.taken);
  assert.deepEqual(transfer, [globalThis.taken.buffer]);
  globalThis.taken = 2;
  const [short, long] = [new Float64Array(3), new Float64Array(5_000)];
  const longTimes = new Float64Array(5_000);
  globalThis.series = [['[{"a":"1"},{"a":"2"}]', short, short, longTimes, long]];
  await tell({ kind: "ask", id: 4, command: { kind: "select", selector: "x", start: 0, end: 1 } });
  while (said.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  const [piece, { kind }] = said;
  assert.deepEqual([piece.kind, kind], ["piece", "answer"]);
  // Short series lie together in one column.
  assert.deepEqual(piece.transfer, [piece.series.lengths.buffer, piece.series.columns.buffer, longTimes.buffer, long.buffer]);
  globalThis.taken = [200, "text/plain", new Uint8Array(3)];
  const [reply] = await tell({
    kind: "ask",
    id: 3,
    command: { kind: "http", method: "GET", uri: "/", contentType: "", body: new Uint8Array() },
  });
  assert.deepEqual(reply.transfer, [globalThis.taken[2].buffer]);
});

it("of a session whose port has gone nothing stays", async () => {
  const tell = await start();
  const inSession = (request) => tell({ kind: "session", session: 1, request });
  const batch = { calls: Uint32Array.of(0, 0, 1), timestamps: Float64Array.of(1), values: Float64Array.of(1), series: new Uint32Array() };
  globalThis.taken = 4;
  globalThis.onmessage({ data: { kind: "session", session: 1, request: { kind: "series", labels: [["a", "b"]] } } });
  await inSession({ kind: "ask", id: 1, command: { kind: "exportOpen", selector: "x" } });
  const [{ reply: taken }] = await inSession({ kind: "append", id: 2, batch });
  assert.equal(taken.refused, undefined, "its handles are known");
  globalThis.onmessage({ data: { kind: "part", session: 1 } });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(globalThis.asked, ["exportOpen", "exportClose"]);
  const [{ reply: refused }] = await inSession({ kind: "append", id: 3, batch });
  assert.equal(refused.refused.samples, 1, "and are not any more");
});
