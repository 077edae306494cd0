// Durations that are longer than timers count, 24 days: a timer that is set for them would fire at once.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { it } from "node:test";
import { source } from "./source.mjs";

const LONG = "30d";
const LONG_MS = 30 * 86_400_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What timers are set for from now on; none of them fires. */
const timersOf = (t) => {
  const set = t.mock.method(globalThis, "setTimeout", () => 0);
  return () => set.mock.calls.map(({ arguments: [, ms] }) => ms);
};

it("a live query waits, and does not ask at once", async (t) => {
  const { live } = await source("database/live");
  const timers = timersOf(t);
  let stop;
  await new Promise((resolve) => {
    const port = { now: () => 0, ended: new Promise(() => {}), ask: () => Promise.reject(new Error("busy")) };
    stop = live(port, "up", { range: "1m", step: "1s", every: LONG }, () => {}, resolve);
  });
  assert.deepEqual(timers(), [MAX_TIMER_MS]);
  stop();
});

it("an instant that a component follows waits as well, for as long as a text or milliseconds say", async (t) => {
  const { follow } = await source("react/follow");
  const timers = timersOf(t);
  const database = { query: async () => ({ type: "vector", series: [] }) };
  for (const every of [LONG_MS, LONG, "5s", Infinity]) {
    const stop = await new Promise((resolve) => {
      const end = follow(database, "up", { every }, () => resolve(end), assert.ifError);
    });
    stop();
  }
  assert.deepEqual(timers(), [MAX_TIMER_MS, MAX_TIMER_MS, 5_000], "one that never comes is not waited for");
});

it("an instant that a component follows is not asked for where nobody can tell how often", async () => {
  const { follow } = await source("react/follow");
  const database = { query: () => assert.fail("it was asked") };
  const error = await new Promise((resolve) => follow(database, "up", { every: "5 sec" }, assert.fail, resolve));
  assert.equal(error.code, "invalid");
  assert.match(error.message, /every is 5 sec/);
});

it("a push that has all the time waits for its server", async () => {
  const { Sender } = await source("push/sender");
  // Later than a timer that fires at once.
  const server = createServer((request, answer) => request.resume().on("end", () => setTimeout(() => answer.writeHead(204).end(), 50)));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { signal } = new AbortController();
    const options = { headers: new Headers(), timeoutMs: Infinity, retryForMs: 0, refusesDuplicates: false, signal };
    await new Sender(new URL(`http://127.0.0.1:${server.address().port}/`), options).send(Uint8Array.of(1), false);
  } finally {
    server.close();
  }
});
