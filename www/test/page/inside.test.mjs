// The rooms Inside and Chapters in a real browser: every situation and chapter to its end, and time back and forth.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ids, source, visitInside } from "./inside_page.mjs";

let visit;
let page;
before(async () => {
  visit = await visitInside();
  page = visit.page;
});
after(() => visit?.close());

const open = (hash) => visit.open(hash);
const rest = () => visit.rest();
const seek = (ms) => visit.seek(ms);
const atRest = (ms) => visit.atRest(ms);
const complaints = () => visit.complaints();
const counter = (name) =>
  page.evaluate(
    (name) =>
      [...document.querySelectorAll("[data-counters] > div")]
        .find((item) => item.querySelector("dt").textContent === name)
        ?.querySelector("dd").textContent,
    name,
  );

describe("situations", async () => {
  for (const id of await ids("replay/situations.ts")) {
    test(`${id} plays to its end`, async () => {
      await open(`#inside?s=${id}`);
      await page.selectOption("[data-transport] select", "1000");
      await rest();
      const { at } = await rest();
      assert.equal(at, await page.getAttribute("[data-transport] input", "max"));
      assert.equal(await page.locator(".reading.problem").count(), 0);
      if (id === "late")
        assert.equal(
          await page.evaluate(() => document.querySelector("[data-picture] canvas").getAttribute("aria-label").includes("2 months")),
          true,
        );
      if (id === "crash") assert.match(await page.textContent("[data-troubles]"), /rows that were in memory are gone/);
      if (id === "full") assert.match(await page.textContent("[data-troubles]"), /needs \d+ bytes, and the storage has \d+ left/);
      if (id === "snapshot") assert.equal(await page.locator("[aria-label=Snapshots] button").count(), 2);
      if (id === "retention")
        assert.match(await page.textContent("[aria-labelledby=pipeline-title]"), /drop a month.*src\/storage\/retention\.rs1/);
      if (id === "flood") assert.ok(Number(await counter("merges")) >= 1);
      assert.deepEqual(complaints(), []);
    });
  }
});

test("each situation says what it leaves out, and is silent about it until it is asked", async () => {
  await open("#inside?s=steady&at=1");
  await atRest(1000);
  const note = page.locator("[aria-labelledby=scene-title] details", { hasText: "What this leaves out" });
  const told = new Set();
  for (const id of await ids("replay/situations.ts")) {
    await page.evaluate((id) => (location.hash = `#inside?s=${id}&at=1`), id);
    await page.waitForFunction((id) => location.hash.includes(`s=${id}&`), id);
    await page.waitForFunction(() => !document.querySelector("[aria-labelledby=scene-title] details").open);
    await note.locator("summary").click();
    const text = await note.locator("p").innerText();
    assert.match(text, /1\.72/, id);
    told.add(text);
  }
  assert.equal(told.size, (await ids("replay/situations.ts")).length, "each says its own");
  assert.deepEqual(complaints(), []);
});

test("a tab that is killed costs its own rows of the last second at most, and the other goes on", async () => {
  await open("#inside?s=tabs&at=41.2");
  await rest();
  const tabs = () => page.locator('[aria-label="The two tabs"] > ul > li').allTextContents();
  const before = await tabs();
  assert.match(before[0], /^Tab Aholds the engine/);
  assert.match(before[1], /through tab A/);
  const rows = async () => Number((await page.textContent('[aria-label="The two tabs"] > p')).match(/^[\d,]+/)[0].replaceAll(",", ""));
  assert.ok((await rows()) > 0);
  // The script's own, and then one by the button, which ends the other tab.
  await open("#inside?s=tabs&at=42.5");
  await rest();
  const after = await tabs();
  assert.match(after[0], /through tab B/);
  assert.match(after[1], /^Tab Bholds the engine/);
  const told = await page.textContent("[data-troubles]");
  assert.match(told, /Tab A was killed at 41\.3 s, and tab B took over\./);
  assert.match(
    told,
    /The log gave back \d+ rows that no part on disk had\. 6 rows that tab A had appended since the log was written last are gone/,
  );
  assert.match(told, /Tab B had kept its 6 rows of that moment, and sent them again/);
  await page.getByRole("button", { name: "Crash", exact: true }).click();
  await page.waitForFunction(() => /Tab B was killed/.test(document.querySelector("[data-troubles]").textContent));
  assert.deepEqual(complaints(), []);
});

describe("chapters", async () => {
  const chapters = await ids("inside/chapters.ts");
  assert.ok(chapters.length >= 8 && chapters.length <= 12);
  for (const id of chapters) {
    test(`${id} plays to its end`, async () => {
      await open(`#chapters/${id}`);
      await page.waitForSelector('[data-play][aria-label="Pause"]');
      await page.selectOption("[data-transport] select", "30");
      await page.waitForSelector('[data-play][aria-label="Play"]', { timeout: 60_000 });
      if (id === "what-a-block-is") await page.waitForSelector('[aria-label^="Blocks of part"] button');
      if (id === "how-numbers-shrink") await page.waitForSelector('[aria-label$="stages of the encoding"]');
      assert.deepEqual(complaints(), []);
    });
  }

  test("read in their order by Next, each plays to its end and complains of nothing", async () => {
    await open("#chapters");
    for (const [i, id] of chapters.entries()) {
      await page.waitForSelector(`[aria-label=Chapters] [aria-current][href="#chapters/${id}"]`);
      await page.selectOption("[data-transport] select", "30");
      await page.waitForFunction(
        () =>
          document.querySelector("[data-play]").getAttribute("aria-label") === "Play" && document.querySelector("[data-at]").dataset.print,
        null,
        { timeout: 60_000 },
      );
      if (id === "what-a-block-is") await page.waitForSelector('[aria-label^="Blocks of part"] button');
      if (id === "how-numbers-shrink") await page.waitForSelector('[aria-label$="stages of the encoding"]');
      assert.equal(await page.locator("[aria-labelledby=scene-title] .reading").count(), 0, id);
      if (i + 1 < chapters.length) await page.getByRole("button", { name: "Next" }).click();
    }
    assert.deepEqual(complaints(), []);
  });

  test("one that is not there is the first, and the address says so", async () => {
    await open("#chapters/nope");
    await page.waitForFunction((id) => location.hash.startsWith(`#chapters/${id}`), chapters[0]);
    await page.evaluate(() => (location.hash = "#chapters/nope-either"));
    await page.waitForFunction((id) => location.hash.startsWith(`#chapters/${id}`), chapters[0]);
    assert.deepEqual(complaints(), []);
  });

  test("a chapter can be left for the next one, and for another room", async () => {
    await open("#chapters");
    await page.getByRole("button", { name: "Next" }).click();
    await page.waitForFunction(() => location.hash.startsWith("#chapters/one-second-later"));
    await page.getByRole("link", { name: "Inside" }).click();
    await page.getByRole("heading", { name: "Situations" }).waitFor();
    assert.deepEqual(complaints(), []);
  });
});

describe("time", () => {
  test("back and forth leads to the same state, here and on another visit", async () => {
    const address = "#inside?s=steady&do=20.5~burst,31~snapshot,33.3~crash&at=50";
    await open(address);
    const first = await atRest(50_000);
    await seek(12_000);
    const early = await atRest(12_000);
    assert.notEqual(early, first);
    await seek(50_000);
    assert.equal(await atRest(50_000), first);
    await seek(30_000);
    await atRest(30_000);
    await seek(12_000);
    assert.equal(await atRest(12_000), early);
    // In many small steps, and in one.
    for (let at = 13_000; at <= 16_000; at += 500) {
      await seek(at);
      await atRest(at);
    }
    await seek(50_000);
    assert.equal(await atRest(50_000), first);
    await open(address);
    assert.equal(await atRest(50_000), first);
    await open(`${address}&seed=8`);
    assert.notEqual(await atRest(50_000), first);
    assert.deepEqual(complaints(), []);
  });

  test("back and forth over a million samples leads to the same state, too", async () => {
    await open("#inside?s=import&at=14");
    const prints = [await atRest(14_000)];
    for (const at of [13_000, 12_000, 4_000, 14_000]) {
      await seek(at);
      prints.push(await atRest(at));
    }
    assert.equal(prints.at(-1), prints[0]);
    await open("#inside?s=import&at=12");
    assert.equal(await atRest(12_000), prints[2]);
    assert.deepEqual(complaints(), []);
  });

  test("one event, one second, and a fork that the way back undoes", async () => {
    await open("#inside?s=steady&at=6.5");
    await atRest(6_500);
    await page.keyboard.press(".");
    await page.waitForFunction(() => Number(document.querySelector("[data-at]").dataset.at) > 6_500);
    await seek(8_000);
    await atRest(8_000);
    await page.keyboard.press("ArrowRight");
    await atRest(9_000);
    await page.keyboard.press("ArrowLeft");
    await atRest(8_000);
    await page.waitForFunction(() => location.hash.includes("at=8"));
    await page.keyboard.press("s");
    await page.waitForFunction(() => location.hash.includes("do=8~snapshot"));
    await page.waitForSelector("[aria-label=Snapshots] button");
    await page.goBack();
    await page.waitForFunction(() => document.querySelector("[aria-label=Snapshots]") === null);
    assert.deepEqual(complaints(), []);
  });
});

test("from the picture down to the bytes, by keys", async () => {
  await open("#inside?s=steady&at=30");
  await atRest(30_000);
  await page.focus("[data-picture] canvas");
  await page.keyboard.press("ArrowRight");
  assert.match(await page.textContent("[data-bubble]"), /part \d+/);
  await page.keyboard.press("Enter");
  await page.locator('[aria-label^="Blocks of part"] button').first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForSelector('[aria-label="The bytes"]');
  const header = await page.evaluate(
    () =>
      [...document.querySelectorAll('[aria-label="The bytes"] button[data-run]')]
        .map((run) => run.textContent)
        .join(" ")
        .split(" ").length,
  );
  assert.equal(header, 81);
  await page.waitForFunction(() => /zoom=2024_03\.\d+\.1/.test(location.hash));
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector("[data-zoom]") === null);
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(complaints(), []);
});

test("a varint is shown down to its bits", async () => {
  await open("#chapters/how-numbers-shrink?s=kinds&do=50.3~merge&at=51.5");
  const own = page.getByRole("region", { name: "Numbers of your own" });
  const bits = (file) => own.getByRole("group", { name: `A varint of ${file}, down to its bits` });
  await own.getByRole("textbox").fill("100 150 151");
  await bits("values.bin").getByText("varint 1 of 2:").waitFor();
  assert.match(await bits("values.bin").textContent(), /: 01100100 the first bit says .* the rest is 100, even, so half of it: 50$/);
  await bits("values.bin").getByRole("button", { name: "One varint on" }).click();
  assert.match(await bits("values.bin").textContent(), /varint 2 of 2: 01100001 .* 97, odd, so below zero: -49$/);
  // They are a second apart, which one varint of two bytes holds.
  assert.match(
    await bits("timestamps.bin").textContent(),
    /1 of 1: 11010000 00001111 .* is 11111010000 = 2000, even, so half of it: 1000$/,
  );
  assert.deepEqual(complaints(), []);
});

test("the index is shown with its items, and how a selector finds a series in it", async () => {
  await open("#inside?s=steady&at=12");
  await atRest(12_000);
  await page.locator("summary", { hasText: "The index" }).click();
  await page.waitForSelector("[aria-labelledby=index-walk] ul > li");
  const walk = await page.locator("[aria-labelledby=index-walk] ul > li").allTextContents();
  assert.deepEqual(
    walk.map((item) => item.slice(0, 2)),
    ["06", "02", "03"],
  );
  const [row, tsid, name] = walk;
  const id = /metric id …([0-9a-f]{6})/.exec(row)[1];
  assert.ok(tsid.includes(id) && name.includes(id));
  await page.getByRole("button", { name: "metric id → name", exact: true }).click();
  const names = await page.locator('[aria-label="Items of the block"]').locator("> li").allTextContents();
  assert.equal(names.length, 12);
  assert.ok(names.every((item) => item.startsWith("03")));
  assert.deepEqual(complaints(), []);
});

test("what the engine says of itself is listed as it is, and copied as JSON", async () => {
  await open("#inside?s=steady&at=47.3");
  await atRest(47_300);
  await page.locator("summary", { hasText: "The engine’s state" }).click();
  const all = page.getByRole("list", { name: "What the engine says of itself" }).first();
  const branch = (name) => all.locator("summary", { hasText: new RegExp(`^${name}( |$)`) }).first();
  await all.getByText("1710072047300", { exact: true }).waitFor();
  for (const name of ["partitions", "0", "parts", "ingested"]) await branch(name).click();
  await all.getByText("id 35, class small").waitFor();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByText(/^Copied: .* of JSON/).waitFor();
  const state = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(state.now, 1710072047300);
  assert.equal(String(state.ingested.rows), (await counter("samples in")).replaceAll(",", ""));
  // What is open stays open while time goes on, and what is said goes on with it.
  assert.equal(await page.locator("[aria-label$=', 0, parts'] > li").count(), state.partitions[0].parts.length);
  await visit.playPast(53_000, "8");
  const rows = () => page.locator("[aria-label$=', ingested'] > li").first().innerText();
  assert.equal((await rows()).replace(/^rows /, ""), (await counter("samples in")).replaceAll(",", ""));
  assert.ok((await page.locator("[aria-label$=', 0, parts'] > li").count()) > 0);
  await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("no"))));
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  const written = await page.getByRole("textbox", { name: "The state as JSON" }).inputValue();
  assert.ok(JSON.parse(written).now >= 1710072053000);
  assert.deepEqual(complaints(), []);
});

test("a long list of the state is shown in part, until all of it is asked for", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open("#inside?s=many&at=3");
  await rest();
  await page.locator("summary", { hasText: "The engine’s state" }).click();
  await page.evaluate(() => (location.hash = "#inside?s=flood&do=5~flushes&at=5"));
  await atRest(5000);
  const all = page.getByRole("list", { name: "What the engine says of itself" }).first();
  for (const name of ["partitions", "0", "parts"])
    await all
      .locator("summary", { hasText: new RegExp(`^${name} `) })
      .first()
      .click();
  const parts = page.locator("[aria-label$=', 0, parts'] > li");
  await parts.nth(50).waitFor();
  assert.equal(await parts.count(), 51);
  await page.getByRole("button", { name: /^Show all \d+$/ }).click();
  await parts.nth(200).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "nothing of it widens a phone");
  await page.setViewportSize({ width: 1280, height: 720 });
  assert.deepEqual(complaints(), []);
});

test("stands within another page, small and without the rooms' doors", async () => {
  await page.goto(`${visit.url}/blank.html`);
  await page.evaluate((src) => {
    const frame = Object.assign(document.createElement("iframe"), { src, width: 800, height: 700 });
    document.body.append(frame);
  }, `${visit.url}/page/index.html#inside?s=late&embed`);
  const frame = page.frameLocator("iframe");
  await frame.locator("[data-picture] canvas").waitFor();
  assert.equal(await frame.locator("[aria-label=Rooms]").count(), 0);
  assert.equal(await frame.locator("h1").textContent(), "Late samples");
  // From there to the whole page, at the same instant.
  await frame.getByRole("button", { name: "Pause" }).click();
  const whole = frame.getByRole("link", { name: "Open all of it in Sandglass" });
  const [opened] = await Promise.all([page.context().waitForEvent("page"), whole.click()]);
  await opened.locator("[data-transport]").waitFor();
  const shown = new URL(opened.url());
  assert.match(shown.hash, /^#inside\?s=late/);
  assert.doesNotMatch(shown.hash, /embed/);
  assert.equal(await opened.getByRole("banner").count(), 1);
  await opened.close();
  assert.deepEqual(complaints(), []);
});

test("tells what has to be written into another page for what it shows", async () => {
  await open("#inside?s=late&at=24");
  const { print } = await rest();
  await page.getByRole("button", { name: "Embed this" }).click();
  const code = await page.getByRole("textbox", { name: "To be put into a page" }).inputValue();
  await page.goto(`${visit.url}/blank.html`);
  await page.evaluate((code) => (document.body.innerHTML = code), code);
  const frame = page.frameLocator("iframe");
  await frame.locator(`[data-print="${print}"]`).waitFor();
  assert.equal(await frame.getByRole("banner").count(), 0);
  assert.deepEqual(complaints(), []);
});

test("fits a phone without scrolling sideways, and every control has a name", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const hash of [
    "#inside?s=late&at=24",
    "#chapters/why-merge?s=steady&at=75",
    "#chapters/what-a-merge-saves?s=steady&at=75",
    "#chapters/a-querys-walk?s=steady&at=98",
    "#chapters/how-numbers-shrink?s=kinds&at=40",
  ]) {
    await open(hash);
    await rest();
    await page.waitForTimeout(300);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.equal(content, window, hash);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button,a,input,select,textarea,canvas")]
        .filter((control) => !(control.getAttribute("aria-label") || control.textContent.trim() || control.labels?.[0]?.textContent.trim()))
        .map((control) => control.outerHTML),
    );
    assert.deepEqual(nameless, []);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  assert.deepEqual(complaints(), []);
});

test("the call path names files that are there", async () => {
  const named = [
    ...(await source("inside/steps.ts")).matchAll(/file: "([^"]+)"/g),
    ...(await source("inside/chapters.ts")).matchAll(/"(src\/[^"]+)"/g),
  ].map(([, file]) => file);
  assert.ok(named.length > 20);
  for (const file of named) assert.ok(existsSync(new URL(`../../../${file}`, import.meta.url)), file);
});
