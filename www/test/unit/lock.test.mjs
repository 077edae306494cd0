// The lock of a database, on locks that the test gives out when it likes.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { acquire } = await source("storage/lock");

/** Locks of which each is granted so many milliseconds after it was asked for, or never. */
function grantAfter(ms) {
  const request = (_, { signal }, held) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      if (ms !== undefined) setTimeout(() => signal.aborted || resolve(held()), ms);
    });
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
}

it("who waits for next to no time gets a lock that is free all the same", async () => {
  grantAfter(200);
  for (const timeoutMs of [0, 1]) {
    const { role } = await acquire("x", "indexeddb", { ifLocked: "wait", timeoutMs });
    assert.equal(role, "writer");
  }
});

it("who waits in vain is told how long that was to be", async () => {
  grantAfter(undefined);
  await assert.rejects(acquire("x", "indexeddb", { ifLocked: "wait", timeoutMs: 1 }), { code: "locked", message: /longer than the 1 ms/ });
});

it("who gives up hears of it at once", async () => {
  grantAfter(undefined);
  const given = new AbortController();
  const waiting = acquire("x", "indexeddb", { ifLocked: "wait", timeoutMs: Infinity }, given.signal);
  given.abort();
  await assert.rejects(waiting, { code: "aborted" });
});
