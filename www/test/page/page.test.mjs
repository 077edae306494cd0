// The page as a visitor meets it: the built files below dist/page, a static server, a real browser with a fresh profile.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { assertSameExport, readExport, sampleCount } from "../server/exports.mjs";
import { EVERY_SERIES, VictoriaMetrics } from "../server/victoriametrics.mjs";

const BUILT = fileURLToPath(new URL("../../../dist/page", import.meta.url));
/** The package, for a page of the same origin that asks the database itself. */
const PACKAGE = fileURLToPath(new URL("../../dist", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".prom": "text/plain",
};
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];
/** Series of the scrape that comes with the page. */
const SERIES = 784;
/** One sample an hour for a month, one a minute for a day, one a second for a quarter of an hour. */
const HISTORY_SAMPLES_AT_LEAST = SERIES * 2900;

let server;
let context;
let profile;
let address;
/** The last body that a page sent to the server. */
let posted;
/** What the browser complained about. */
const complaints = [];

before(async () => {
  server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://page").pathname;
    if (path === "/blank") {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>blank</title><link rel=icon href=data:,>");
      return;
    }
    if (request.method === "POST") {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      posted = Buffer.concat(pieces);
      response.end();
      return;
    }
    try {
      const file = path.startsWith("/package/")
        ? join(PACKAGE, path.slice("/package/".length))
        : join(BUILT, path.endsWith("/") ? `${path}index.html` : path);
      const body = await readFile(file);
      response.setHeader("content-type", TYPES[extname(path.endsWith("/") ? ".html" : path)] ?? "text/html");
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://localhost:${server.address().port}/`;
  profile = await mkdtemp(join(tmpdir(), "sandglass-page-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 900 },
    acceptDownloads: true,
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
});

after(async () => {
  await context?.close();
  server?.close();
  if (profile) await rm(profile, { recursive: true, force: true });
});

/** The number under a figure's name, such as "samples". */
const figure = (page, name) =>
  page.evaluate((wanted) => {
    const found = [...document.querySelectorAll('[aria-label="State of the database"] > div')].find(
      (element) => element.querySelector("dt").textContent === wanted,
    );
    return Number(found?.querySelector("dd").textContent.replaceAll(",", ""));
  }, name);

const filled = (page) =>
  page.waitForFunction(
    () =>
      !/writing/.test(document.querySelector('[aria-label="State of the database"]').textContent) &&
      document.querySelectorAll("[aria-label^=Partition] button").length > 0,
    null,
    { timeout: 90_000 },
  );

/** Waits until all that was accepted is in parts on disk. */
async function settle(page) {
  await page.getByRole("button", { name: "Pause" }).click();
  // What was on its way to the drawing arrives.
  await page.waitForTimeout(2000);
  await page.waitForFunction(
    () =>
      document.querySelectorAll("[aria-label^=Partition] button[data-stage=inmemory]").length === 0 &&
      [...document.querySelectorAll('[aria-label^="Raw rows, shard"]')].every((shard) => /: 0 of /.test(shard.getAttribute("aria-label"))),
    null,
    { timeout: 60_000 },
  );
}

let page;

test("comes up with a chart and parts within seconds", async () => {
  page = context.pages()[0] ?? (await context.newPage());
  await page.goto(address);
  await page.waitForSelector("figcaption li", { timeout: 15_000 });
  await page.waitForSelector("[aria-label^=Partition] button", { timeout: 15_000 });
  assert.match(await page.textContent("h1"), /VictoriaMetrics’ storage engine/);
  // Ink on the canvas: the lines are really there.
  await page.waitForFunction(
    () => {
      const canvas = document.querySelector("figure canvas");
      if (!canvas) return false;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let inked = 0;
      for (let i = 3; i < data.length; i += 4) if (data[i] > 200) inked++;
      return inked > 500;
    },
    null,
    { timeout: 15_000 },
  );
});

test("writes a month of history once, and scrapes on", async () => {
  await filled(page);
  const samples = await figure(page, "samples");
  assert.ok(samples >= HISTORY_SAMPLES_AT_LEAST, `${samples} samples`);
  assert.equal(await figure(page, "series"), SERIES);
  assert.ok((await figure(page, "bytes a sample")) < 2);
  await page.waitForFunction(
    (least) => Number(document.querySelector('[aria-label="State of the database"] dd').textContent.replaceAll(",", "")) > least,
    samples + SERIES,
    { timeout: 10_000 },
  );
});

test("draws what is asked for, with names from the index to choose from", async () => {
  await page.getByRole("button", { name: "Processor" }).click();
  await page.waitForFunction(() => document.querySelectorAll("figcaption li").length === 6);
  const input = page.getByRole("combobox", { name: "Selector" });
  await input.fill("node_memory_MemAv");
  await page.getByRole("option", { name: "node_memory_MemAvailable_bytes" }).click();
  await page.waitForFunction(() => /MemAvailable/.test(document.querySelector("figcaption ul").textContent));
  await input.fill("node_load1{");
  await input.press("Enter");
  await page.waitForSelector(".reading.problem");
  await page.getByRole("button", { name: "Load", exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll("figcaption li").length === 3);
});

test("hands out what a chart shows, as a table and as a picture", async () => {
  const [table] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  const lines = (await readFile(await table.path(), "utf8")).trim().split("\n");
  assert.equal(lines[0], "timestamp_ms,time,series,value");
  assert.match(lines[1], /^\d{13},\d{4}-\d\d-\d\dT[\d:.]+Z,"\{__name__=""node_load1?5?"",.*\}",[\d.]+$/);
  assert.ok(lines.length > 3 * 600, `${lines.length} lines`);
  const [picture] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG" }).click()]);
  const png = await readFile(await picture.path());
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.ok(png.length > 5000);
});

test("draws several charts, and remembers them", async () => {
  await page.getByRole("button", { name: "Add a chart" }).click();
  await page.waitForFunction(
    () => document.querySelectorAll("figure").length === 2 && document.querySelectorAll("figcaption ul")[1].children.length === 6,
  );
  await page.reload();
  await page.waitForFunction(
    () => document.querySelectorAll("figcaption ul").length === 2 && document.querySelectorAll("figcaption ul")[1].children.length === 6,
    null,
    { timeout: 30_000 },
  );
  await page.getByRole("button", { name: "Remove this chart" }).click();
  await page.waitForFunction(() => document.querySelectorAll("figure").length === 1);
});

test("keeps samples for as long as it is told, at once and over a reload", async () => {
  const isKept = () =>
    page.waitForFunction(
      (least) => {
        const select = document.querySelector("[aria-labelledby=storage-title] select");
        const samples = Number(document.querySelector('[aria-label="State of the database"] dd')?.textContent.replaceAll(",", ""));
        return (
          select?.value === "90d" &&
          !select.disabled &&
          document.querySelectorAll("[aria-labelledby=storage-title] dt").length === 4 &&
          samples >= least
        );
      },
      HISTORY_SAMPLES_AT_LEAST,
      { timeout: 30_000 },
    );
  await page.selectOption("[aria-labelledby=storage-title] select", "90d");
  await isKept();
  await page.reload();
  await isKept();
});

test("merges every month to one part when asked", async () => {
  await settle(page);
  await page.getByRole("button", { name: "Merge all" }).click();
  await page.waitForFunction(
    () =>
      [...document.querySelectorAll("[aria-label^=Partition]")].every(
        (lane) => lane.querySelectorAll("button:not([aria-hidden=true])").length === 1,
      ),
    null,
    { timeout: 60_000 },
  );
});

test("hands out a snapshot as a tar that a server could unpack", async () => {
  await page.getByRole("button", { name: "Take a snapshot" }).click();
  await page.waitForSelector("[aria-labelledby=snapshot-title] ul li");
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  const download = await waiting;
  const name = await page.textContent("[aria-labelledby=snapshot-title] ul code");
  assert.equal(download.suggestedFilename(), `${name}.tar`);
  const file = join(profile, "snapshot.tar");
  await download.saveAs(file);
  assert.equal((await stat(file)).size % 512, 0);
  const listed = execFileSync("tar", ["-tf", file], { encoding: "utf8" }).trim().split("\n");
  for (const wanted of [/^(\.\/)?data\/(small|big)\/\d{4}_\d\d\/[^/]+\/timestamps\.bin$/, /^(\.\/)?indexdb\/.*metaindex\.bin$/]) {
    assert.ok(
      listed.some((path) => wanted.test(path)),
      `${wanted} is not among\n${listed.join("\n")}`,
    );
  }
  assert.match(await page.textContent("[aria-labelledby=snapshot-title] ol code"), new RegExp(`tar -xf ${name}\\.tar`));
});

test("a real server opens that snapshot and exports every sample as the page's database does", async () => {
  const dataPath = await mkdtemp(join(tmpdir(), "sandglass-page-server-"));
  execFileSync("tar", ["-xf", join(profile, "snapshot.tar"), "-C", dataPath]);
  await page.close();
  page = await context.newPage();
  await page.goto(`${address}blank`);
  await page.evaluate(async (selector) => {
    const { open } = await import("/package/index.js");
    const database = await open({ ifLocked: "wait" });
    const text = await new Response(database.export(selector)).blob();
    await database.close();
    await fetch("/export", { method: "POST", body: text });
  }, EVERY_SERIES);
  const own = await readExport(posted);
  assert.equal(own.size, SERIES);
  assert.ok(sampleCount(own) >= HISTORY_SAMPLES_AT_LEAST);
  const victoriaMetrics = await VictoriaMetrics.start({ dataPath });
  try {
    assertSameExport(await readExport(await victoriaMetrics.export()), own, "the page's snapshot in a server");
  } finally {
    await victoriaMetrics.stop();
    await rm(dataPath, { recursive: true, force: true });
  }
});

test("keeps everything over a reload, and fills nothing a second time", async () => {
  await page.goto(address);
  await page.waitForSelector("[aria-label^=Partition] button", { timeout: 15_000 });
  await settle(page);
  // The figure may be a second behind.
  await page.waitForTimeout(1500);
  const samples = await figure(page, "samples");
  await page.reload();
  await page.waitForSelector("[aria-label^=Partition] button", { timeout: 15_000 });
  await page.waitForFunction(() => document.querySelectorAll("[aria-labelledby=snapshot-title] ul li").length === 1);
  const kept = await figure(page, "samples");
  assert.ok(kept >= samples, `${samples} samples before, ${kept} after`);
  assert.ok(kept - samples < SERIES * 120, `${kept - samples} samples came from nowhere`);
  assert.doesNotMatch(await page.textContent('[aria-label="State of the database"]'), /writing/);
});

test("a second tab looks on, asks and flushes, and goes on with the scrape when the first is closed", async () => {
  const second = await context.newPage();
  await second.goto(address);
  await second.waitForSelector("[aria-label^=Partition] button", { timeout: 20_000 });
  await second.getByText("this one looks on").waitFor({ timeout: 20_000 });
  assert.equal(await second.getByRole("button", { name: "Pause" }).isDisabled(), true);
  await second.getByRole("button", { name: "Flush" }).click();
  await second.locator("[aria-labelledby=log-title] li", { hasText: "flush" }).first().waitFor({ timeout: 20_000 });
  assert.ok((await figure(second, "samples")) >= (await figure(page, "samples")) - SERIES * 10);
  await page.close();
  await second.waitForFunction(() => !document.body.textContent.includes("this one looks on"), null, { timeout: 20_000 });
  const before = await figure(second, "samples");
  const has = ({ before }) =>
    [...document.querySelectorAll('[aria-label="State of the database"] > div')].some(
      (shown) =>
        shown.querySelector("dt").textContent === "samples" && Number(shown.querySelector("dd").textContent.replaceAll(",", "")) > before,
    );
  await second.waitForFunction(has, { before }, { timeout: 20_000 });
  page = second;
});

test("fits a phone without scrolling sideways", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(300);
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.equal(content, window);
});

test("removes the database when told to, after asking", async () => {
  await page.setViewportSize({ width: 1280, height: 900 });
  const before = await figure(page, "samples");
  await page.getByRole("button", { name: "Start over…" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  await page.getByRole("button", { name: "Start over…" }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.waitForFunction(
    () => /writing/.test(document.querySelector('[aria-label="State of the database"]')?.textContent ?? ""),
    null,
    { timeout: 20_000 },
  );
  await filled(page);
  assert.ok((await figure(page, "samples")) > 0 && before > 0);
  assert.equal(await page.locator("[aria-labelledby=snapshot-title] ul li").count(), 0);
});

test("the browser had nothing to complain about", () => {
  assert.deepEqual(complaints, []);
});
