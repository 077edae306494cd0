// The room Live where things do not go as planned: text that nobody entered, a browser without a memory, code that does not
// come; and what it does while nothing happens.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openPage } from "../server/chromium.mjs";

let visit;
let page;
before(async () => {
  visit = await openPage({ mounts: { page: fileURLToPath(new URL("../../../dist/page", import.meta.url)) } });
  page = visit.page;
});
after(() => visit?.close());

const filled = (page) =>
  page.waitForFunction(
    () =>
      document.querySelector('[aria-label="State of the database"]') &&
      !/writing/.test(document.querySelector('[aria-label="State of the database"]').textContent) &&
      document.querySelector("[aria-label^=Partition] button"),
    null,
    { timeout: 90_000 },
  );
const selector = () => page.getByRole("combobox", { name: "Selector" });

test("never says of samples that they are of no series, nor counts one as many", async () => {
  await page.addInitScript(() => {
    globalThis.seen = new Set();
    setInterval(() => {
      const figure = (i) => document.querySelectorAll('[aria-label="State of the database"] dt + dd')[i]?.textContent;
      globalThis.seen.add(`${figure(0) === "0" ? "no samples" : "samples"} of ${figure(1)} series`);
      globalThis.seen.add(document.querySelector(".reading")?.textContent ?? "");
      globalThis.seen.add(document.querySelector('[aria-label="State of the database"]')?.textContent ?? "");
    }, 10);
  });
  await page.goto(`${visit.url}/page/index.html#live`);
  await filled(page);
  await page.waitForFunction(() => globalThis.seen.has("samples of 784 series"));
  const wrong = (await page.evaluate(() => [...globalThis.seen])).filter(
    (text) => /^samples of 0 series/.test(text) || /\b1 (samples|parts)\b/.test(text.replaceAll(/[\d,.]+1 /g, "")),
  );
  assert.deepEqual(wrong, []);
  // Nor, while it is being opened, that samples are safe later than they are.
  assert.deepEqual(
    (await page.evaluate(() => [...globalThis.seen])).filter((text) => /5 to 11/.test(text)),
    [],
  );
});

test("text that was typed and left is not drawn, saved or remembered", async () => {
  await page.waitForFunction(() => document.querySelectorAll("figcaption li").length === 3);
  const drawn = await selector().inputValue();
  await selector().fill("node_nothing_of_this_name");
  await page.locator("#chart-title-1").click();
  await page.waitForTimeout(1500);
  assert.equal(await page.locator("figcaption li").count(), 3);
  const [table] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  assert.ok((await readFile(await table.path(), "utf8")).trim().split("\n").length > 1000);
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll("figcaption li").length === 3);
  assert.equal(await selector().inputValue(), drawn);
  // What was left can be drawn, or left alone, without typing it again.
  await selector().fill("node_load1");
  await page.locator("#chart-title-1").click();
  await page.getByRole("button", { name: "Draw", exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll("figcaption li").length === 1);
  await selector().fill("node_load5");
  await page.locator("#chart-title-1").click();
  await selector().press("Escape");
  await selector().press("Escape");
  assert.equal(await selector().inputValue(), "node_load1");
});

test("a table of nothing is not saved, and the page says why", async () => {
  await selector().fill("node_nothing_of_this_name");
  await selector().press("Enter");
  await page.waitForFunction(() => /No series/.test(document.querySelector(".reading").textContent));
  let downloads = 0;
  page.on("download", () => downloads++);
  await page.getByRole("button", { name: "CSV" }).click();
  await page.getByRole("alert").filter({ hasText: "nothing to save" }).waitFor();
  // It is there to be read: the chart, which goes on asking, does not take it away.
  await page.waitForTimeout(1500);
  assert.equal(await page.getByRole("alert").filter({ hasText: "nothing to save" }).count(), 1);
  assert.equal(downloads, 0);
  await page.getByRole("button", { name: "Load", exact: true }).click();
});

test("asks for no frame while nothing happens", async () => {
  await page.addInitScript(() => {
    const ask = globalThis.requestAnimationFrame;
    globalThis.asked = 0;
    globalThis.requestAnimationFrame = (callback) => (globalThis.asked++, ask(callback));
  });
  await page.reload();
  await filled(page);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.waitForFunction(() => document.querySelectorAll("[aria-label^=Partition] button[data-stage=inmemory]").length === 0, null, {
    timeout: 60_000,
  });
  await page.waitForTimeout(4000);
  const asked = async () => {
    const before = await page.evaluate(() => globalThis.asked);
    await page.waitForTimeout(4000);
    return (await page.evaluate(() => globalThis.asked)) - before;
  };
  // Once a second the engine is looked at, and the chart is drawn anew.
  assert.ok((await asked()) <= 24, "the room Live at rest");
  await page.goto(`${visit.url}/blank.html`);
  await page.goto(`${visit.url}/page/index.html#inside?s=snapshot&at=40`);
  await page.waitForFunction(() => document.querySelector("[data-at]")?.dataset.print);
  await page.waitForTimeout(1500);
  assert.equal(await asked(), 0, "the room Inside at rest");
  assert.deepEqual(visit.errors, []);
});

test("keeps samples for as long as it is told, without a place to remember it", async () => {
  const context = await page.context().browser().newContext();
  await context.addInitScript(() =>
    Object.defineProperty(globalThis, "localStorage", {
      get() {
        throw new DOMException("The document is sandboxed", "SecurityError");
      },
    }),
  );
  const errors = [];
  const other = await context.newPage();
  other.on("pageerror", (error) => errors.push(String(error)));
  await other.goto(`${visit.url}/page/index.html#live`);
  await filled(other);
  await other.getByRole("button", { name: "30 days" }).click();
  await other.getByRole("combobox", { name: "Selector" }).fill("node_load1");
  await other.getByRole("combobox", { name: "Selector" }).press("Enter");
  const read = async () => {
    await other.waitForFunction(() => /^1 series, .* read/.test(document.querySelector(".reading").textContent));
    return other.evaluate(() => Number(/, ([\d.]+) k samples read/.exec(document.querySelector(".reading").textContent)?.[1]) * 1000);
  };
  const before = await read();
  await other.selectOption("[aria-labelledby=storage-title] select", "7d");
  // 23 of 30 days had a sample an hour.
  await other.waitForFunction(
    (least) => Number(/, ([\d.]+) k samples read/.exec(document.querySelector(".reading").textContent)?.[1]) * 1000 < least,
    before - 400,
    { timeout: 30_000 },
  );
  assert.equal(await other.inputValue("[aria-labelledby=storage-title] select"), "7d");
  assert.deepEqual(errors, []);
  await context.close();
});

test("says that the code of a room did not come, and goes there when it does", async () => {
  await page.goto(`${visit.url}/blank.html`);
  await page.goto(`${visit.url}/page/index.html#live`);
  await page.route(/assets\/room-[^/]+\.js/, (route) => route.abort());
  await page.getByRole("link", { name: "Chapters" }).click();
  await page.getByRole("alert").filter({ hasText: "could not be loaded" }).waitFor();
  await page.getByRole("link", { name: "Live" }).click();
  await page.waitForSelector('[aria-label="State of the database"]');
  await page.getByRole("link", { name: "Chapters" }).click();
  await page.getByRole("alert").filter({ hasText: "could not be loaded" }).waitFor();
  await page.unroute(/assets\/room-[^/]+\.js/);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForSelector("article");
});
