// Same address, same state: of chapters, of what a visitor does, and over the browser's way back; and the speed of time.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ids, visitInside } from "./inside_page.mjs";

let inside;
let page;
before(async () => {
  inside = await visitInside();
  page = inside.page;
});
after(() => inside?.close());

describe("of every chapter", async () => {
  for (const id of await ids("inside/chapters.ts")) {
    test(`${id}: played, by its address, and in the room Inside`, async () => {
      await inside.open(`#chapters/${id}`);
      await page.waitForSelector('[data-play][aria-label="Pause"]');
      await page.selectOption("[data-transport] select", "30");
      await page.waitForSelector('[data-play][aria-label="Play"]', { timeout: 60_000 });
      const { at, print } = await inside.rest();
      await page.waitForFunction((seconds) => new RegExp(`at=${seconds}(&|$)`).test(location.hash), Number(at) / 1000);
      const address = await page.evaluate(() => location.hash);
      await inside.open(address);
      assert.equal(await inside.atRest(Number(at)), print, "by its address");
      await inside.open(address.replace(/^#chapters\/[\w-]+/, "#inside"));
      assert.equal(await inside.atRest(Number(at)), print, "in the room Inside");
      assert.deepEqual(inside.complaints(), []);
    });
  }
});

test("an address is followed to the same state after a chapter was played", async () => {
  await inside.open("#inside?s=steady&at=60");
  const print = await inside.atRest(60_000);
  await inside.open("#chapters/why-merge");
  await page.waitForSelector('[data-play][aria-label="Pause"]');
  await inside.played(61_000);
  await page.evaluate(() => (location.hash = "#inside?s=steady&at=60"));
  assert.equal(await inside.atRest(60_000), print);
  await inside.open("#inside?s=steady&at=1");
  await inside.atRest(1000);
  for (let second = 2; second <= 60; second++) {
    await inside.press("ArrowRight");
    await inside.atRest(second * 1000);
  }
  assert.equal(await inside.atRest(60_000), print);
  assert.deepEqual(inside.complaints(), []);
});

test("a crash by its button loses what the same crash by its address loses", async () => {
  for (const wait of [7000, 11_300, 13_900]) {
    await inside.open("#inside?s=steady&at=5");
    await inside.atRest(5000);
    await page.selectOption("[data-transport] select", "8");
    await page.click("[data-play]");
    await inside.played(wait);
    await page.getByRole("button", { name: "Crash", exact: true }).click();
    await page.waitForSelector("[data-troubles] p");
    const told = await page.textContent("[data-troubles]");
    const { at, print } = await inside.playPast(wait + 3000, "4");
    await page.waitForFunction((seconds) => location.hash.endsWith(`at=${seconds}`), Number(at) / 1000);
    const address = await page.evaluate(() => location.hash);
    assert.match(address, /do=[\d.]+~crash/);
    await inside.open(address);
    assert.equal(await inside.atRest(Number(at)), print);
    assert.equal(await page.textContent("[data-troubles]"), told);
  }
  assert.deepEqual(inside.complaints(), []);
});

test("the way back leads to what an address said before something was done", async () => {
  await inside.open("#inside?s=steady&at=8");
  const print = await inside.atRest(8000);
  await inside.press("x");
  await page.waitForSelector("[data-troubles] p");
  await page.goBack();
  assert.equal(await inside.atRest(8000), print);
  assert.equal(await page.locator("[data-troubles] p").count(), 0);
  assert.deepEqual(inside.complaints(), []);
});

test("time runs at the speed that is chosen", async () => {
  // Flushes alone happen until then; a merge would make time stand still.
  for (const [speed, ms] of [
    [0.1, 250],
    [1, 2500],
    [8, 16_000],
  ]) {
    await inside.open("#inside?s=steady&at=2");
    await inside.atRest(2000);
    await page.selectOption("[data-transport] select", String(speed));
    // The visitor's time passes in steps of this test, so that it is the same on any machine; the engine takes what it needs.
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.click("[data-play]");
    let passedMs = 0;
    const reached = async () => Number(await page.getAttribute("[data-at]", "data-at")) - 2000;
    const pass = async (frames) => {
      passedMs += 16 * frames;
      await page.clock.runFor(16 * frames);
    };
    for (let at = 0; at < ms && passedMs * speed < 2 * ms; at = await reached()) {
      await pass(5);
      // It is at most some frames behind, once it has answered.
      for (let waits = 0; waits < 20 && (await reached()) < speed * (passedMs - 64); waits++) {
        await sleep(50);
        await pass(1);
      }
      assert.ok((await reached()) <= speed * passedMs, "never ahead");
    }
    const factor = (await reached()) / passedMs;
    assert.ok(factor > 0.93 * speed && factor <= speed, `${factor} in place of ${speed}`);
    await page.clock.resume();
  }
  assert.deepEqual(inside.complaints(), []);
});
