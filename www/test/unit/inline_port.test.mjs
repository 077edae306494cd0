// What happens when the engine fails where it must not, shown with a port that does so when told.
import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { source } from "./source.mjs";

const GLUE = `
const trap = () => Object.assign(new WebAssembly.RuntimeError("unreachable"), { stack: "RuntimeError: unreachable\\n    at wasm-function[7]:0x1f\\n    at pump" });
export function createGlue() {
  const memory = new WebAssembly.Memory({ initial: 32 });
  class EnginePort {
    static stagedSamples() { return 1024; }
    static openMemory() { return new EnginePort(); }
    static async openIndexedDb(_name, notify) { globalThis.notify = notify; return new EnginePort(); }
    done = []; freed = false; tickets = 1;
    #ticket() { this.done.push(++this.tickets); return this.tickets; }
    opening() { this.done.push(1); return 1; }
    stagedTimestamps() { return 0; }
    stagedValues() { return 8192; }
    stagedSeries() { return 16384; }
    series(labels) {
      if (labels.length === 0) throw Object.assign(new Error("no labels"), { code: globalThis.refusal });
      return 0;
    }
    append(series, count) {
      globalThis.staged = new Float64Array(memory.buffer, 0, count).slice();
      if (globalThis.fault === "append") { globalThis.fault = ""; throw trap(); }
      if (globalThis.grow) { memory.grow(1); globalThis.grow = false; }
      return this.#piece();
    }
    appendRow() { return this.#piece(); }
    refused = new Set();
    #piece() {
      const outcome = globalThis.pieces.shift() ?? "taken";
      if (outcome === "refused") throw this.#full();
      if (outcome === "taken") return 0;
      const ticket = this.#ticket();
      if (outcome === "refused later") this.refused.add(ticket);
      return ticket;
    }
    #full() { return Object.assign(new Error("the storage is full"), { code: "quota" }); }
    pump() { if (globalThis.fault === "pump") throw trap(); return Infinity; }
    spent() { return 0; }
    wantsRoom() { return false; }
    hint() { return undefined; }
    completed() { return Uint32Array.from(this.done.splice(0)); }
    take(ticket) { if (this.refused.has(ticket)) throw this.#full(); if (globalThis.fault === "take") throw new RangeError("Array buffer allocation failed"); }
    stopped() { return globalThis.stopped && Object.assign(new Error("it was taken over"), { code: globalThis.stopped }); }
    submit({ kind }) { globalThis.asked.push(kind); return globalThis.fault === "never" ? 99999 : this.#ticket(); }
    leave() { globalThis.asked.push("leave"); }
    close() { return this.#ticket(); }
    free() { globalThis.freed = true; }
  }
  return { instantiate: async () => memory, abandon() { globalThis.abandoned = true; }, EnginePort };
}`;
const { InlinePort } = await source("engine/inline_port", { "./glue.js": GLUE });
const { startEngine } = await source("engine/start", { "./glue.js": GLUE });
const start = (ended) => InlinePort.start({}, { kind: "memory" }, { manualClock: false }, ended);
beforeEach(() =>
  Object.assign(globalThis, { fault: "", stopped: undefined, refusal: "invalid", freed: false, abandoned: false, asked: [], pieces: [] }),
);

for (const where of ["append", "pump", "take"]) {
  it(`a fault in ${where} fails all that waits and all that comes, and tells where in the code it was`, async () => {
    globalThis.fault = "never";
    const words = where === "take" ? /allocation failed; what was/ : /unreachable < wasm-function\[7\]:0x1f; what was/;
    const ends = [];
    const port = await start((reason) => ends.push(reason));
    const waiting = port.ask({ kind: "flush" });
    globalThis.fault = where;
    const failing = where === "append" ? port.append(0, [1], [1]) : port.ask({ kind: "flush" });
    for (const one of [failing, waiting]) await assert.rejects(one, { code: "internal", message: words });
    globalThis.fault = "";
    await assert.rejects(port.append(0, [1], [1]), { code: "internal" });
    await assert.rejects(port.ask({ kind: "flush" }), { code: "internal" });
    assert.throws(() => port.series(["a", "b"]), { code: "internal" });
    await assert.rejects(port.close(), { code: "internal" });
    assert.deepEqual([globalThis.freed, globalThis.abandoned], [false, true], "what has failed is not touched again");
    assert.deepEqual(
      ends.map(({ code, message }) => [code, words.test(message)]),
      [["internal", true]],
      "who has the lock is told, once",
    );
    assert.equal(port.memory, undefined, "the memory is let go of");
  });

  it(`after a fault in ${where} another one gets the lock at once`, async () => {
    globalThis.fault = "never";
    const held = new Set();
    const request = async (name, _, held_) => {
      held.add(name);
      await held_();
      held.delete(name);
    };
    Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
    const ends = [];
    const options = { manualClock: false, readOnly: false };
    const port = await startEngine(
      { code: {}, storage: { kind: "indexeddb", name: "x" }, options, lock: { ifLocked: "fail", timeoutMs: 0 } },
      undefined,
      ({ code }) => ends.push(code),
    );
    assert.deepEqual([...held], ["sandglass/x"]);
    globalThis.fault = where;
    await assert.rejects(where === "append" ? port.append(0, [1], [1]) : port.ask({ kind: "flush" }), { code: "internal" });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([[...held], ends], [[], ["internal"]]);
  });
}

/** A port of what is stored, and the codes that it has ended with. */
async function startStored(readOnly = false) {
  const ends = [];
  const port = await InlinePort.start({}, { kind: "indexeddb", name: "x" }, { manualClock: false, readOnly }, ({ code }) =>
    ends.push(code),
  );
  return { port, ends };
}
const slices = async () => {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
};

for (const code of ["locked", "closed"]) {
  it(`an engine that has stopped for good (${code}) ends its port, though nobody has asked it for anything`, async () => {
    const { port, ends } = await startStored();
    globalThis.notify();
    await slices();
    assert.deepEqual(ends, [], "a healthy one goes on");
    globalThis.stopped = code;
    globalThis.notify();
    await slices();
    assert.deepEqual([ends, globalThis.freed], [[code], true]);
    await assert.rejects(port.ask({ kind: "flush" }), { code, message: "it was taken over" });
  });
}

it("a reader, which may add no series, does not take that for its end", async () => {
  globalThis.refusal = "locked";
  const { port, ends } = await startStored(true);
  globalThis.notify();
  await slices();
  assert.deepEqual(ends, []);
  await port.close();
  assert.deepEqual(ends, ["closed"]);
});

it("a database that is being closed is not taken for one that has stopped", async () => {
  const { port, ends } = await startStored();
  const closing = port.close();
  globalThis.stopped = "closed";
  await closing;
  assert.deepEqual(ends, ["closed"]);
});

it("columns are staged anew after the memory has grown", async () => {
  const port = await start();
  await port.append(0, [1, 2], [1, 2]);
  globalThis.grow = true;
  await port.append(0, [3], [1]);
  await port.append(
    0,
    Float64Array.from({ length: 100 }, (_, i) => i),
    new Float64Array(100),
  );
  assert.deepEqual(
    globalThis.staged,
    Float64Array.from({ length: 100 }, (_, i) => i),
  );
  await port.close();
  assert.ok(globalThis.freed);
});

// Of three pieces of at most 1,024 samples. A column goes no further than to one that is refused; of a row none waits for the one before.
for (const [pieces, ofColumn, ofRow = ofColumn] of [
  [["refused"], 3000],
  [["refused later"], 3000, 1024],
  [["taken", "refused"], 1976],
  [["taken", "refused later"], 1976, 1024],
  [["taken later", "taken", "refused"], 952],
  [["refused later", "refused"], 3000],
  [["taken", "refused later", "refused later"], 1976],
]) {
  for (const [call, refused] of [
    ["append", ofColumn],
    ["appendRow", ofRow],
  ])
    it(`${call} of more than fits at once, whose pieces are ${pieces.join(" and ")}, rejects once and tells how much was accepted`, async () => {
      const port = await start();
      const column = new Float64Array(3000);
      globalThis.pieces = [...pieces];
      const appended = call === "append" ? port.append(0, column, column) : port.appendRow(() => {}, 0, column);
      const words = {
        3000: "",
        1976: "the first 1024 of 3000 samples were accepted, then: ",
        1024: "1024 of 3000 samples were refused: ",
        952: "the first 2048 of 3000 samples were accepted, then: ",
      };
      const samples = refused === 3000 ? undefined : refused;
      await assert.rejects(appended, (error) => {
        assert.deepEqual([error.code, error.message, error.samples], ["quota", `${words[refused]}the storage is full`, samples]);
        return true;
      });
      await slices();
      await port.close();
    });
}

it("who is put away by the browser has written what there was, and is closed", async () => {
  const port = await start();
  port.suspend();
  assert.deepEqual(globalThis.asked, ["leave", "sync"], "the storage knows that this is the last moment before it is asked");
  await assert.rejects(port.ask({ kind: "flush" }), { code: "closed", message: /page away/ });
});

it("in a worker the end waits until all is written", async () => {
  const { port, ends } = await startStored();
  await port.leave(60_000);
  assert.deepEqual([globalThis.asked, ends, globalThis.freed], [["leave", "sync"], ["closed"], true]);
});

it("in a worker the end does not wait for ever", async () => {
  const { port, ends } = await startStored();
  globalThis.fault = "never";
  await port.leave(10);
  assert.deepEqual([ends, globalThis.freed], [["closed"], true]);
});
