// The pump, driving something that only pretends to be an engine.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTask, setTimeout as pause } from "node:timers/promises";
import { source } from "./source.mjs";

const { Pump } = await source("engine/pump");

class Fault extends Error {}

function fake({ unitsPerMs = 100_000, work = 0 } = {}) {
  const driven = {
    work,
    pumps: [],
    done: [],
    due: Number.POSITIVE_INFINITY,
    spentLast: 0,
    pump(_now, budget) {
      const units = Math.min(budget, driven.work);
      driven.work -= units;
      driven.spentLast = units;
      const end = performance.now() + units / unitsPerMs;
      while (performance.now() < end);
      driven.pumps.push(budget);
      return driven.work > 0 ? 0 : driven.due;
    },
    spent: () => driven.spentLast,
    completed: () => Uint32Array.from(driven.done.splice(0)),
    afterSlice() {},
  };
  driven.pumper = new Pump(driven, (thrown) => new Fault(String(thrown)));
  return driven;
}

describe("the pump", () => {
  it("is idle until it is asked, and many requests are one", async () => {
    const driven = fake();
    await pause(20);
    assert.equal(driven.pumps.length, 0);
    for (let i = 0; i < 100; i++) driven.pumper.request();
    await pause(20);
    assert.equal(driven.pumps.length, 1);
  });

  it("works on in tasks of its own until nothing is left, and learns how much fits", async () => {
    for (const unitsPerMs of [5_000, 400_000]) {
      const driven = fake({ unitsPerMs, work: unitsPerMs * 300 });
      let turns = 0;
      driven.pumper.request();
      while (driven.work > 0) {
        await nextTask();
        turns++;
      }
      assert.ok(turns >= 20, `others ran ${turns} times in 300 ms of work`);
      // On a busy machine some steps take longer than their work.
      const learnt = driven.pumps.slice(20, -1).sort((a, b) => a - b)[Math.floor((driven.pumps.length - 21) / 2)] / unitsPerMs;
      assert.ok(learnt > 0.2 && learnt < 2, `a step of ${learnt} ms`);
      assert.ok(driven.pumper.slices.longestMs > 1);
    }
  });

  it("wakes when something falls due", async () => {
    const driven = fake();
    driven.due = Date.now() + 50;
    driven.pumper.request();
    await pause(25);
    assert.equal(driven.pumps.length, 1);
    driven.due = Number.POSITIVE_INFINITY;
    await pause(60);
    assert.equal(driven.pumps.length, 2);
  });

  it("settles those who wait with what was taken", async () => {
    const driven = fake();
    const answers = [driven.pumper.answer(1, () => "one"), driven.pumper.answer(2, () => Promise.reject(new Error("two")))];
    await pause(10);
    driven.done.push(2, 1, 77);
    driven.pumper.request();
    assert.equal(await answers[0], "one");
    await assert.rejects(answers[1], /two/);
  });

  it("lets those who go on from promise to promise breathe", async () => {
    const driven = fake();
    let beats = 0;
    const timer = setInterval(() => beats++, 1);
    const deadline = performance.now() + 10_000;
    while (beats < 10 && performance.now() < deadline) await driven.pumper.breathe();
    clearInterval(timer);
    assert.equal(beats, 10, "timers fire beside it");
  });

  it("tells all who wait when the engine has failed, and does nothing more", async () => {
    const driven = fake();
    const waiting = [driven.pumper.answer(1, () => {}), driven.pumper.answer(2, () => {})];
    driven.pump = () => {
      throw new WebAssembly.RuntimeError("unreachable");
    };
    for (const one of waiting) await assert.rejects(one, Fault);
    await assert.rejects(
      driven.pumper.answer(3, () => {}),
      Fault,
    );
    assert.ok(driven.pumper.stopped instanceof Fault);
  });

  it("reports a stop to those who wait and for good", async () => {
    const driven = fake({ work: 1e9 });
    const waiting = driven.pumper.answer(1, () => {});
    driven.pumper.stop(new Fault("closed"));
    await assert.rejects(waiting, /closed/);
    await pause(20);
    assert.equal(driven.pumps.length, 0);
  });

  it("runs what is due once when a timer comes late, and is not held up by a clock that was set back", async () => {
    const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };
    const HOUR = 3_600_000;
    let clock = 1_710_000_000_000;
    let timers = [];
    Date.now = () => clock;
    globalThis.setTimeout = (run, ms) => {
      const timer = { run, ms };
      timers.push(timer);
      return timer;
    };
    globalThis.clearTimeout = (timer) => (timers = timers.filter((other) => other !== timer));
    const asleep = async () => {
      for (let turn = 0; turn < 5; turn++) await nextTask();
      return timers.map(({ ms }) => ms);
    };
    try {
      const driven = fake();
      const seen = [];
      const { pump } = driven;
      driven.pump = (now, budget) => (seen.push(now), pump(now, budget));
      driven.due = clock + 5_000;
      driven.pumper.request();
      assert.deepEqual(await asleep(), [5_000]);

      // The laptop has slept, or the tab was hidden: much is to be done, once, and in slices.
      clock += 10 * HOUR;
      driven.work = 3_000_000;
      driven.due = Number.POSITIVE_INFINITY;
      timers.pop().run();
      assert.ok(driven.work > 0, "not all in one slice");
      while (driven.work > 0) await nextTask();
      assert.deepEqual(await asleep(), []);
      assert.ok(seen.slice(1).every((now) => now === clock));

      // Set back while the timer runs: the engine counts from the new time on.
      driven.due = clock + 5_000;
      driven.pumper.request();
      assert.deepEqual(await asleep(), [5_000]);
      clock -= 3 * HOUR;
      driven.due = clock + 4_000;
      timers.pop().run();
      assert.deepEqual(await asleep(), [4_000]);

      // What is far away is looked at once a minute, since nobody knows what the clock does until then.
      driven.due = clock + 3 * HOUR;
      timers.pop().run();
      assert.deepEqual(await asleep(), [60_000]);
      driven.pumper.stop(new Fault("over"));
      assert.deepEqual(timers, []);
    } finally {
      globalThis.setTimeout = real.setTimeout;
      globalThis.clearTimeout = real.clearTimeout;
      Date.now = real.now;
    }
  });
});
