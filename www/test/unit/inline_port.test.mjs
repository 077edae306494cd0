// What happens when the engine fails where it must not, shown with a port that does so when told.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const GLUE = `
export function createGlue() {
  const memory = new WebAssembly.Memory({ initial: 32 });
  class EnginePort {
    static stagedSamples() { return 1024; }
    static openMemory() { return new EnginePort(); }
    done = []; freed = false; tickets = 1;
    #ticket() { this.done.push(++this.tickets); return this.tickets; }
    opening() { this.done.push(1); return 1; }
    stagedTimestamps() { return 0; }
    stagedValues() { return 8192; }
    stagedSeries() { return 16384; }
    series() { return 0; }
    append(series, count) {
      globalThis.staged = new Float64Array(memory.buffer, 0, count).slice();
      if (globalThis.fault === "append") { globalThis.fault = ""; throw new WebAssembly.RuntimeError("unreachable"); }
      if (globalThis.grow) { memory.grow(1); globalThis.grow = false; }
      return 0;
    }
    pump() { if (globalThis.fault === "pump") throw new WebAssembly.RuntimeError("unreachable"); return Infinity; }
    spent() { return 0; }
    wantsRoom() { return false; }
    completed() { return Uint32Array.from(this.done.splice(0)); }
    take(ticket) { if (globalThis.fault === "take") throw new RangeError("Array buffer allocation failed"); }
    flush() { return globalThis.fault === "never" ? 99999 : this.#ticket(); }
    close() { return this.#ticket(); }
    free() { globalThis.freed = true; }
    __destroy_into_raw() { globalThis.abandoned = true; }
  }
  return { instantiate: async () => memory, EnginePort };
}`;
const { InlinePort } = await source("inline_port", { "./glue.js": GLUE });
const start = () => InlinePort.start(undefined, { kind: "memory" }, { manualClock: false });

for (const where of ["append", "pump", "take"]) {
  it(`a fault in ${where} fails all that waits and all that comes, with the engine's last words`, async () => {
    Object.assign(globalThis, { fault: "never", freed: false, abandoned: false, panicked: "panicked at src/part/merge.rs:7: oh" });
    const port = await start();
    const waiting = port.ask({ kind: "flush" });
    globalThis.fault = where;
    const failing = where === "append" ? port.append(0, [1], [1]) : port.ask({ kind: "flush" });
    for (const one of [failing, waiting]) await assert.rejects(one, { code: "internal", message: /oh/ });
    globalThis.fault = "";
    await assert.rejects(port.append(0, [1], [1]), { code: "internal" });
    await assert.rejects(port.ask({ kind: "flush" }), { code: "internal" });
    assert.throws(() => port.series(["a", "b"]), { code: "internal" });
    await assert.rejects(port.close(), { code: "internal" });
    assert.deepEqual([globalThis.freed, globalThis.abandoned], [false, true], "what has failed is not touched again");
  });
}

it("columns are staged anew after the memory has grown", async () => {
  globalThis.fault = "";
  const port = await start();
  await port.append(0, [1, 2], [1, 2]);
  globalThis.grow = true;
  await port.append(0, [3], [1]);
  await port.append(0, Float64Array.from({ length: 100 }, (_, i) => i), new Float64Array(100));
  assert.deepEqual(globalThis.staged, Float64Array.from({ length: 100 }, (_, i) => i));
  await port.close();
  assert.ok(globalThis.freed);
});

it("who is put away by the browser is closed", async () => {
  globalThis.fault = "";
  const port = await start();
  port.suspend();
  await assert.rejects(port.ask({ kind: "flush" }), { code: "closed", message: /page away/ });
});
