// The room Explore as somebody uses it who wants to know something: over the page's own database, which is filled here through the
// package with series that are known, and over a snapshot of a server.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { tableFromIPC } from "apache-arrow";
import { build } from "vite";
import { openPage } from "../server/chromium.mjs";

const PAGE = fileURLToPath(new URL("../../page/", import.meta.url));
const BUILT = fileURLToPath(new URL("../../../dist/page", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../dist", import.meta.url));
const SNAPSHOT = fileURLToPath(new URL("../../../tests/golden/upgraded_1.79.5_to_v1.150.0.tar.gz", import.meta.url));
const PATIENCE = { timeout: 20_000 };

/** What would do harm in a page, an attribute, a query, a terminal or a spreadsheet. */
const HOSTILE = [
  "<img src=x onerror=globalThis.harmed=1>",
  '"}) or vector(1) #',
  "a\\b\nc",
  "\u202egnp.exe",
  "=cmd|'/c calc'!A0",
  "x".repeat(3000),
];

let visit;
let page;
/** Where the samples of the filled series end, in milliseconds. */
let end;
before(async () => {
  visit = await openPage({ mounts: { page: BUILT, package: PACKAGE } });
  const context = await visit.page
    .context()
    .browser()
    .newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  page = await newPage(context);
  await page.goto(`${visit.url}/blank.html`);
  end = await page.evaluate(fill, HOSTILE);
});
after(() => visit?.close());

async function newPage(context) {
  const opened = await context.newPage();
  opened.on("pageerror", (error) => visit.errors.push(String(error.stack ?? error)));
  opened.on("console", (message) => message.type() === "error" && visit.errors.push(message.text()));
  opened.on("dialog", (dialog) => (visit.errors.push(`a dialog: ${dialog.message()}`), dialog.dismiss()));
  return opened;
}

/** Fills the page's database before the page opens it. A series of the machine that the page scrapes is there, so that it goes on from now. */
async function fill(hostile) {
  const { open } = await import("/package/index.js");
  const db = await open({ name: "sandglass", storage: "indexeddb" });
  const end = Math.floor(Date.now() / 5000) * 5000;
  const times = Array.from({ length: 360 }, (_, i) => end - (359 - i) * 5000);
  const put = (labels, valueAt, kept = times) =>
    db.append(
      labels,
      kept,
      kept.map((time) => valueAt(times.indexOf(time))),
    );
  const target = { instance: "node-a:9100", job: "node" };
  await put({ __name__: "node_load1", ...target }, () => 1);
  for (const [code, rate] of [
    ["200", 50],
    ["404", 5],
    ["500", 10],
  ])
    await put({ __name__: "requests_total", code, path: "/" }, (i) => rate * i);
  for (const [le, share] of [
    ["0.1", 1],
    ["0.5", 3],
    ["+Inf", 4],
  ])
    await put({ __name__: "latency_seconds_bucket", le }, (i) => share * i);
  // Ten minutes are missing.
  await put(
    { __name__: "with_a_hole" },
    () => 7,
    times.filter((_, i) => i < 180 || i >= 300),
  );
  for (const value of hostile) await put({ __name__: "hostile", value }, (i) => i);
  await put({ __name__: "a name, with; all <b>sorts</b>" }, (i) => i);
  await db.close();
  return end;
}

const iso = (ms) => new Date(ms).toISOString();
/** Goes to an address of the room, as a link does. */
const goTo = (parameters) => page.goto(`${visit.url}/page/index.html#explore?${new URLSearchParams(parameters)}`);
const box = (letter = "A", of = page) => of.getByRole("textbox", { name: `Query ${letter}` });
const legend = (of = page) => of.locator("[data-shape] table").first().locator("tbody tr");
const names = (of = page) => legend(of).locator("th").allTextContents();
const shows = (texts, of = page) =>
  of.waitForFunction(
    (texts) =>
      JSON.stringify(
        [...(document.querySelector("[data-shape] table")?.querySelectorAll("tbody th") ?? [])].map((name) => name.textContent),
      ) === JSON.stringify(texts),
    texts,
    PATIENCE,
  );
const address = (of = page) => of.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.split(/\?(.*)/s)[1])));
const fixed = (query, more = []) => [...[query].flat().map((q) => ["q", q]), ["from", iso(end - 1_500_000)], ["to", iso(end)], ...more];
const quiet = () => assert.deepEqual(visit.errors, []);

const ALL_CODES = ['{code="200"}', '{code="404"}', '{code="500"}'];

test("the room's code is fetched when somebody goes there, and not before", async () => {
  const scripts = () => page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => /\.js$/.test(name)).length);
  const isThere = () => page.evaluate(() => document.querySelector("[data-query]") !== null);
  await page.goto(`${visit.url}/page/index.html#live`);
  await page.waitForSelector("figcaption li", PATIENCE);
  const before = await scripts();
  assert.equal(await isThere(), false);
  await page.getByRole("link", { name: "Explore" }).click();
  await page.waitForSelector("[data-query] [role=textbox]", PATIENCE);
  assert.ok((await scripts()) > before);
  // The door leads to where one was.
  await goTo(fixed("node_load1"));
  await shows(['node_load1{instance="node-a:9100",job="node"}']);
  await page.getByRole("link", { name: "Live" }).click();
  await page.waitForSelector('[aria-label="State of the database"]', PATIENCE);
  await page.getByRole("link", { name: "Explore" }).click();
  await shows(['node_load1{instance="node-a:9100",job="node"}']);
  assert.equal((await address()).q, "node_load1");
  quiet();
});

test("a query is typed with what the database offers, and drawn", async () => {
  await goTo(fixed("node_load1"));
  await shows(['node_load1{instance="node-a:9100",job="node"}']);
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("sum by (co");
  const offer = (name) => page.getByRole("option", { name, exact: true });
  await offer("code").click();
  await page.keyboard.press("End");
  await page.keyboard.type(" (rate(requ");
  await offer("requests_total").click();
  await page.keyboard.type("{co");
  await offer("code").click();
  await page.keyboard.type('=~"5');
  await offer("500").click();
  assert.match(await box().textContent(), /sum by \(code\) \(rate\(requests_total\{code=~"500"\}\)\)/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await shows(['{code="500"}']);
  assert.equal((await address()).q, 'sum by (code) (rate(requests_total{code=~"500"}))');
  assert.equal(await legend().locator("[data-value]").textContent(), "2");
  assert.match(
    await page.textContent("[data-query]"),
    /1 series in [\d.]+ ms, from \d+ decoded samples of 1 series: \d+ blocks?, \d+ B read/,
  );
  quiet();
});

test("what was done for an answer is a tree that opens and closes by the keyboard", async () => {
  const expression = "sum by (code) (rate(requests_total[1m]))";
  const steps = page.getByRole("list", { name: "Steps of A" });
  const kinds = () => steps.locator("[data-step]").evaluateAll((items) => items.map((item) => item.dataset.step));
  await goTo(fixed(expression));
  await shows(ALL_CODES);
  assert.equal(await steps.count(), 0);
  await page.getByRole("button", { name: "Trace the queries" }).click();
  await steps.waitFor(PATIENCE);
  assert.equal((await address()).trace, "");
  assert.deepEqual(await kinds(), ["query", "parse", "expression", "find", "read", "roll", "finish"]);
  const line = (kind) => steps.locator(`[data-step="${kind}"]`).first();
  assert.match(await line("find").textContent(), /^Find the series of requests_total3 series[\d.]+ ms$/);
  assert.match(await line("read").textContent(), /^Read their samples\d+ parts?, \d+ blocks?, .+B, [\d.]+( k)? samples[\d.]+ ms$/);
  assert.match(await line("roll").textContent(), /^Roll windows: rate3 rows of \d+ instants[\d.]+ ms$/);
  const part = steps.locator('[data-step="expression"] > details > summary');
  assert.match(await part.textContent(), /^Compute sum by \(code\) \(rate\(requests_total\[1m\]\)\)3 rows/);
  await part.focus();
  await page.keyboard.press("Enter");
  assert.equal(await line("find").isVisible(), false);
  await page.keyboard.press("Enter");
  assert.equal(await line("find").isVisible(), true);
  // An address opens it, also of several queries; samples as they are stored have no steps.
  await goTo(fixed([expression, "1"], [["trace", ""]]));
  await page.getByRole("list", { name: "Steps of B" }).waitFor(PATIENCE);
  await page.getByRole("button", { name: "Raw" }).click();
  await page.getByText("there is nothing to trace").waitFor(PATIENCE);
  await page.getByRole("button", { name: "Close the trace" }).click();
  assert.equal("trace" in (await address()), false);
  quiet();
});

test("functions of MetricsQL are offered with what they do, and inside of them metrics are", async () => {
  await goTo(fixed("node_load1"));
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("rollup_ra");
  await page.locator(".cm-completionInfo", { hasText: "growth a second" }).waitFor(PATIENCE);
  await page.getByRole("option", { name: "rollup_rate(samples, which?)" }).click();
  await page.keyboard.type("(requests_total{cod");
  await page.getByRole("option", { name: "code", exact: true }).waitFor(PATIENCE);
  quiet();
});

test("behind a label's sign its values are offered, with their quotes", async () => {
  await goTo(fixed("node_load1"));
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type('requests_total{path="/",code=');
  await page.getByRole("option", { name: "404", exact: true }).waitFor(PATIENCE);
  assert.deepEqual(await page.locator(".cm-tooltip-autocomplete li").allTextContents(), ["200", "404", "500"]);
  await page.keyboard.type("4");
  await page.getByRole("option", { name: "404", exact: true }).click();
  assert.equal(await box().textContent(), 'requests_total{path="/",code="404"}');
  quiet();
});

test("the choice of a time fits the window, wherever its button stands", async () => {
  await goTo([
    ["q", "node_load1"],
    ["from", "now-15m"],
    ["to", "now"],
  ]);
  try {
    for (const width of [1440, 1280, 1024, 768, 390, 320]) {
      await page.setViewportSize({ width, height: 900 });
      await page.getByRole("button", { name: "Last 15 minutes" }).first().click();
      const { x, width: wide } = await page.getByLabel("From").locator("xpath=../..").boundingBox();
      assert.ok(x >= 0 && x + wide <= width, `from ${x} to ${x + wide} of ${width}`);
      await page.keyboard.press("Escape");
    }
  } finally {
    await page.setViewportSize({ width: 1280, height: 900 });
  }
  quiet();
});

test("Escape closes the lists of metrics and of queries, and the button that opened them has the focus", async () => {
  await goTo(fixed("node_load1"));
  for (const name of ["Metrics", "History"]) {
    const opener = page.getByRole("button", { name, exact: true });
    await opener.click();
    assert.equal(await opener.getAttribute("aria-expanded"), "true");
    if (name === "Metrics") await page.getByRole("searchbox").fill("load");
    await page.keyboard.press("Escape");
    await page.waitForFunction(
      (name) => document.activeElement?.textContent === name && document.activeElement.ariaExpanded === "false",
      name,
    );
  }
  assert.equal("browse" in (await address()), false);
  quiet();
});

test("an empty answer says whose name no series has, and there is nothing to take along", async () => {
  await goTo(fixed("sum(rate(node_lod1[1m])) + node_load1"));
  await page.getByText("No series is named node_lod1").waitFor(PATIENCE);
  for (const name of ["CSV", "Arrow", "PNG"]) assert.ok(await page.getByRole("button", { name, exact: true }).isDisabled(), name);
  await goTo([
    ["q", "node_load1"],
    ["from", "2020-01-01"],
    ["to", "2020-01-02"],
  ]);
  await page.getByText("Nothing was found in this time").waitFor(PATIENCE);
  quiet();
});

test("the legend draws series alone and sorts them, and the address keeps both", async () => {
  await goTo(fixed("sum by (code) (rate(requests_total))"));
  await shows(ALL_CODES);
  const isLit = () =>
    legend()
      .locator("th button")
      .evaluateAll((buttons) => buttons.map((button) => button.getAttribute("aria-pressed")));
  await legend().nth(0).getByRole("button").click();
  assert.deepEqual(await isLit(), ["true", "false", "false"]);
  await legend()
    .nth(2)
    .getByRole("button")
    .click({ modifiers: ["ControlOrMeta"] });
  assert.deepEqual(await isLit(), ["true", "false", "true"]);
  await page.getByRole("button", { name: "Mean" }).click();
  assert.deepEqual(await names(), ['{code="200"}', '{code="500"}', '{code="404"}']);
  const lines = await page.getAttribute("[data-plot]", "aria-label");
  assert.match(lines, /^Chart of 2 series/);
  await page.reload();
  await shows(['{code="200"}', '{code="500"}', '{code="404"}']);
  assert.deepEqual(await isLit(), ["true", "true", "false"]);
  assert.equal(await page.getAttribute("[data-plot]", "aria-label"), lines);
  await page.getByRole("button", { name: "Draw all again" }).click();
  assert.deepEqual(await isLit(), ["false", "false", "false"]);
  quiet();
});

test("a drag zooms, the pointer and the keys read values, and back is one step", async () => {
  await goTo(fixed("sum by (code) (rate(requests_total))"));
  await shows(ALL_CODES);
  const plot = await page.locator("[data-plot] .u-over").boundingBox();
  const x = (share) => plot.x + plot.width * share;
  await page.mouse.move(x(0.5), plot.y + 40);
  await page.locator("[data-tooltip]").waitFor(PATIENCE);
  assert.match(await page.textContent("[data-tooltip]"), /\{code="200"\}10/);
  await page.mouse.move(x(0.25), plot.y + 40);
  await page.mouse.down();
  await page.mouse.move(x(0.75), plot.y + 60, { steps: 4 });
  await page.mouse.up();
  const { from, to } = await address();
  const near = (one, other) => assert.ok(Math.abs(Date.parse(one) - other) < 30_000, `${one} is not near ${iso(other)}`);
  near(from, end - 1_125_000);
  near(to, end - 375_000);
  await page.getByRole("button", { name: "Back from the zoom" }).click();
  assert.deepEqual([(await address()).from, (await address()).to], [iso(end - 1_500_000), iso(end)]);
  await page.goBack();
  assert.deepEqual([(await address()).from, (await address()).to], [from, to]);
  await page.getByRole("button", { name: "Back from the zoom" }).waitFor(PATIENCE);
  await page.goForward();
  assert.equal((await address()).to, iso(end));
  await page.focus("[data-plot]");
  // Keys that are pressed before the answer of this range is there are for the picture before it. It is told when they have rested.
  const isRead = () => /code="404"\} 1/.test(document.querySelector("[data-plot] [role=status]").textContent);
  for (const deadline = Date.now() + PATIENCE.timeout; ; ) {
    for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowLeft");
    const isThere = await page.waitForFunction(isRead, null, { timeout: 2_000 }).catch(() => undefined);
    if (isThere !== undefined) break;
    assert.ok(Date.now() < deadline, `told is "${await page.textContent("[data-plot] [role=status]")}"`);
  }
  quiet();
});

test("an address opened anew shows what it showed", async () => {
  await goTo(
    fixed(
      ["sum by (code) (rate(requests_total))", "node_load1", "latency_seconds_bucket"],
      [
        ["hide", "2"],
        ["step", "30s"],
        ["sort", "-max"],
        ["count", ""],
        ["focus", "code"],
        ["browse", "latency"],
      ],
    ),
  );
  await shows(['A {code="200"}', 'A {code="500"}', 'A {code="404"}', 'B node_load1{instance="node-a:9100",job="node"}']);
  await page.locator("[data-counted]").waitFor(PATIENCE);
  const seen = async (of) => ({
    hash: await of.evaluate(() => location.hash),
    names: await names(of),
    figures: await legend(of).locator("td").allTextContents(),
    range: await of.locator("[aria-controls$=panel]").textContent(),
    metrics: await of.locator("[aria-label=Metrics] li").allTextContents(),
    values: await of.locator("section", { hasText: "Values of code with most series" }).last().textContent(),
  });
  const here = await seen(page);
  assert.deepEqual(here.metrics, ["latency_seconds_bucket"]);
  assert.match(here.values, /2002.*5002.*4041/);
  // Another tab is given the address while this one writes the database; then it is left alone with it.
  const other = await newPage(page.context());
  await other.goto(page.url());
  await shows(here.names, other);
  await other.waitForSelector("[aria-busy=false] [data-counted]", PATIENCE);
  await other.locator("[aria-label=Metrics] li").first().waitFor(PATIENCE);
  assert.deepEqual(await seen(other), here);
  await other.waitForFunction(() => /another tab writes/.test(document.querySelector("main").textContent), null, PATIENCE);
  await page.close();
  page = other;
  await page.waitForFunction(() => /scraped each second/.test(document.querySelector("main").textContent), null, PATIENCE);
  await page.getByRole("button", { name: "Run" }).click();
  await shows(here.names);
  quiet();
});

test("a table is sorted by any column, and saved with what a spreadsheet must not run", async () => {
  await goTo(fixed("requests_total", [["as", "table"]]));
  const cells = page.locator("[data-shape=table] tbody tr");
  await cells.first().waitFor(PATIENCE);
  assert.equal(await cells.count(), 3);
  await page.getByRole("button", { name: "value" }).click();
  assert.deepEqual(await cells.locator("td:nth-child(3)").allTextContents(), ["200", "500", "404"]);
  assert.equal((await address()).order, "-value");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
  assert.equal(lines[0], "query,timestamp_ms,time,series,value");
  assert.equal(lines[1], `A,${end},${iso(end)},"requests_total{code=""200"",path=""/""}",${50 * 359}`);
  assert.equal(lines.length, 4);
  quiet();
});

test("a value of the table leads to the sample behind it, and what was computed lies nowhere", async () => {
  const link = page.getByRole("link", { name: "Open in Inside" });
  const value = (text) => page.locator("[data-shape=table] tbody tr").filter({ hasText: text }).getByRole("button");
  // Between two samples: the value is that of the one before.
  await goTo([
    ["q", "requests_total"],
    ["from", iso(end - 1_500_000)],
    ["to", iso(end - 2000)],
    ["as", "table"],
  ]);
  await value("404").focus(PATIENCE);
  await page.keyboard.press("Enter");
  await link.waitFor(PATIENCE);
  assert.match(await page.locator("[data-shape=table] [role=status]").textContent(), /^1.79 k at .*Its sample is of /);
  const to = new URLSearchParams((await link.getAttribute("href")).split("?")[1]);
  assert.deepEqual(JSON.parse(to.get("series")), { __name__: "requests_total", code: "404", path: "/" });
  assert.equal(Date.parse(to.get("at")), end - 5000);
  // Another one takes its place, and it is let go of.
  await value("500").click();
  await page.waitForFunction(() => document.querySelector("a[href*=sample]")?.href.includes("500"), null, PATIENCE);
  assert.equal(await link.count(), 1);
  await page.getByRole("button", { name: "Let go of the value" }).click();
  assert.equal(await link.count(), 0);
  await value("404").click();
  await link.click(PATIENCE);
  await page.getByText(/^It is row [\d,]+ of /).waitFor(PATIENCE);
  assert.match(await page.textContent("main"), /^Where a sample lies1790 /);
  await goTo(fixed("sum(requests_total)", [["as", "table"]]));
  await value("").click(PATIENCE);
  await page.getByText(/The query computed this value/).waitFor(PATIENCE);
  assert.equal(await link.count(), 0);
  quiet();
});

test("a chart is saved as a table without its holes, and as a picture", async () => {
  await goTo(fixed("with_a_hole", [["step", "1m"]]));
  await shows(["with_a_hole"]);
  const [csv] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  const lines = (await readFile(await csv.path(), "utf8")).trim().split("\n");
  assert.ok(lines.length > 10 && lines.length < 22, `${lines.length} lines of 26 instants, of which ten are in the hole`);
  assert.ok(lines.slice(1).every((line) => line.endsWith(",with_a_hole,7") || line.endsWith(',"with_a_hole",7')));
  const [arrow] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Arrow" }).click()]);
  assert.equal(arrow.suggestedFilename(), "sandglass.arrow");
  const table = tableFromIPC(await readFile(await arrow.path()));
  assert.equal(table.numRows, lines.length - 1);
  assert.deepEqual(new Set(Array.from(table, ({ value, __name__ }) => `${__name__} ${value}`)), new Set(["with_a_hole 7"]));
  const [png] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG" }).click()]);
  assert.equal((await readFile(await png.path())).subarray(1, 4).toString(), "PNG");
  // The line is drawn at both ends and not in the hole.
  const inked = await page.evaluate(() => {
    const canvas = document.querySelector("[data-plot] canvas");
    const over = document.querySelector("[data-plot] .u-over");
    const left = over.offsetLeft * devicePixelRatio;
    const context = canvas.getContext("2d");
    return [0.1, 0.6, 0.9].map((share) => {
      const { data } = context.getImageData(Math.round(left + over.clientWidth * devicePixelRatio * share), 0, 1, canvas.height * 0.6);
      const ink = getComputedStyle(canvas)
        .getPropertyValue("--line-1")
        .match(/\w\w/g)
        .map((hex) => Number.parseInt(hex, 16));
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 100 && ink.every((part, at) => Math.abs(part - data[i + at]) < 40)) return true;
      return false;
    });
  });
  assert.deepEqual(inked, [true, false, true]);
  quiet();
});

test("a query is written as the engine prints it, and earlier ones are run again", async () => {
  await goTo(fixed("vector(0)"));
  await box().click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("sum( rate(requests_total[1m]) )by(code)");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Format" }).click();
  await page.waitForFunction(
    () => document.querySelector(".cm-content").textContent === "sum by (code) (rate(requests_total[1m]))",
    undefined,
    PATIENCE,
  );
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await shows(['{code="200"}', '{code="404"}', '{code="500"}']);
  await page.getByRole("button", { name: "History" }).click();
  const earlier = page.getByRole("list", { name: "Queries that were run" }).getByRole("button");
  assert.equal((await earlier.allTextContents())[0], "sum by (code) (rate(requests_total[1m]))");
  await box().click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("node_load1");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await shows(['node_load1{instance="node-a:9100",job="node"}']);
  await earlier.getByText("sum by (code) (rate(requests_total[1m]))").click();
  await shows(['{code="200"}', '{code="404"}', '{code="500"}']);
  assert.deepEqual((await earlier.allTextContents()).slice(0, 2), ["sum by (code) (rate(requests_total[1m]))", "node_load1"]);
  await page.reload();
  await shows(['{code="200"}', '{code="404"}', '{code="500"}']);
  await page.getByRole("button", { name: "History" }).click();
  assert.equal((await earlier.allTextContents())[1], "node_load1");
  await page.getByRole("button", { name: "Forget them" }).click();
  assert.equal(await earlier.count(), 0);
  quiet();
});

test("a mistake is told at its place, in the engine's words, and goes when it is mended", async () => {
  await goTo(fixed("node_load1"));
  await shows(['node_load1{instance="node-a:9100",job="node"}']);
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("sum(nope(node_load1))");
  await page.keyboard.press("Shift+Enter");
  await page.getByRole("alert").filter({ hasText: '1:5: parse error: unknown function "nope"' }).waitFor(PATIENCE);
  await page.waitForFunction(() => document.querySelector(".cm-lintRange-error")?.textContent === "nope", null, PATIENCE);
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("sum(node_load1)");
  await page.keyboard.press("Enter");
  await shows(["sum(node_load1)"]);
  await page.waitForFunction(() => !document.querySelector(".cm-lintRange-error"), null, PATIENCE);
  // What PromQL refuses MetricsQL takes: told as one types, before anything is run.
  await page.getByRole("button", { name: "PromQL", exact: true }).click();
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("rate(node_load1)");
  const isUnderlined = () =>
    page.waitForFunction(() => document.querySelector(".cm-lintRange-error")?.textContent === "node_load1", null, PATIENCE);
  const isNotUnderlined = () => page.waitForFunction(() => !document.querySelector(".cm-lintRange-error"), null, PATIENCE);
  await isUnderlined();
  // A mistake is one of its language: the other one has it underlined no more, whether it was run or not.
  await page.getByRole("button", { name: "MetricsQL", exact: true }).click();
  await isNotUnderlined();
  await page.getByRole("button", { name: "PromQL", exact: true }).click();
  await isUnderlined();
  await box().click();
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: "parse error" }).waitFor(PATIENCE);
  await page.getByRole("button", { name: "MetricsQL", exact: true }).click();
  await isNotUnderlined();
  quiet();
});

test("times are typed as people write them, and what is none is said", async () => {
  await goTo(fixed("node_load1"));
  const opener = page.locator("[aria-controls$=panel]");
  await opener.click();
  await page.getByLabel("From").fill("yesterday-ish");
  await page.getByLabel("From").press("Enter");
  await page.getByRole("alert").filter({ hasText: "“yesterday-ish” is no time" }).waitFor(PATIENCE);
  await page.getByLabel("From").fill("now-10m");
  await page.getByLabel("To", { exact: true }).fill("now");
  await page.getByRole("button", { name: "Show this time" }).click();
  assert.equal((await address()).from, "now-10m");
  assert.equal(await opener.getAttribute("aria-expanded"), "false");
  assert.ok(await opener.evaluate((button) => document.activeElement === button));
  await page.getByRole("button", { name: "Wider" }).click();
  const { from, to } = await address();
  assert.equal(Math.round((Date.parse(to) - Date.parse(from)) / 1000 / 20), 60);
  quiet();
});

test("live, the chart goes on by itself", async () => {
  await goTo([
    ["q", "max_over_time(timestamp(node_load1)[5s])"],
    ["from", "now-2m"],
    ["to", "now"],
    ["step", "1s"],
    ["refresh", "live"],
  ]);
  await page.locator("[data-plot] canvas").waitFor(PATIENCE);
  const last = () =>
    legend()
      .locator("th button")
      .first()
      .evaluate(() => document.querySelector("[data-plot]").querySelector("canvas").toDataURL().length);
  const before = await page.evaluate(() => document.querySelector("[data-plot] canvas").toDataURL());
  await page.waitForFunction((before) => document.querySelector("[data-plot] canvas").toDataURL() !== before, before, PATIENCE);
  assert.ok((await last()) > 0);
  quiet();
});

test("labels that mean harm are text and nothing else", async () => {
  await goTo(
    fixed("hostile", [
      ["count", "hostile"],
      ["focus", "value"],
      ["browse", "<b>"],
    ]),
  );
  await page.waitForFunction((count) => document.querySelectorAll("[data-shape] tbody tr").length === count, HOSTILE.length, PATIENCE);
  await page.waitForSelector("[aria-busy=false] [data-counted]", PATIENCE);
  const shown = (await names()).join("\n");
  for (const value of HOSTILE) assert.ok(shown.includes(JSON.stringify(value).slice(1, 200)), value.slice(0, 40));
  assert.equal(await page.locator("main img, main b, [data-shape] script").count(), 0);
  assert.equal(await page.evaluate(() => globalThis.harmed), undefined);
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.equal(content, window);
  // A name of all sorts can be asked for by a click.
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.press("Delete");
  await page.locator("[aria-label=Metrics] button").click();
  await shows(['{"a name, with; all <b>sorts</b>"}']);
  // A value is completed so that it can be asked for.
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type('hostile{value="a');
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "a\\b" }).click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await shows([`hostile{value=${JSON.stringify("a\\b\nc")}}`]);
  await page.getByRole("button", { name: "Table" }).click();
  await page.locator("[data-shape=table] td").first().waitFor(PATIENCE);
  quiet();
});

test("what there is most of is counted, and a line narrows it", async () => {
  await goTo(fixed("node_load1", [["count", '{__name__=~"requests_total|latency_.*"}']]));
  const counts = (pattern) =>
    page.waitForFunction((pattern) => new RegExp(pattern).test(document.querySelector("[data-counted]")?.textContent), pattern, PATIENCE);
  await counts("^6 series of 2 metrics, with 4 labels and 9 pairs");
  await page.getByRole("button", { name: "latency_seconds_bucket 3" }).first().click();
  await counts("^3 series of 1 metric, ");
  assert.equal((await address()).count, '{__name__=~"requests_total|latency_.*",__name__="latency_seconds_bucket"}');
  await page.goBack();
  await counts("^6 series");
  quiet();
});

test("a histogram is a heat map that is read by keys", async () => {
  await goTo(fixed("sum by (le) (rate(latency_seconds_bucket))", [["as", "heatmap"]]));
  await page.locator("[data-heat]").waitFor(PATIENCE);
  assert.match(await page.getAttribute("[data-heat]", "aria-label"), /3 buckets/);
  await page.focus("[data-heat]");
  for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp"]) await page.keyboard.press(key);
  // Of four a step, two lie between 0.1 and 0.5.
  assert.match(await page.textContent("[data-heat] ~ .reading"), /above 0\.1 up to 0\.5: 0\.4$/);
  await page.keyboard.press("ArrowUp");
  assert.match(await page.textContent("[data-heat] ~ .reading"), /above 0\.5 up to ∞: 0\.2$/);
  quiet();
});

test("raw samples are listed as they are stored, and only selectors have any", async () => {
  await goTo(fixed("with_a_hole", [["as", "raw"]]));
  await page.locator("[aria-label=Samples]").waitFor(PATIENCE);
  assert.match(await page.textContent("[aria-label=Samples] caption"), /^181 samples of 1 series|^18\d samples of 1 series/);
  await box().click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText("rate(with_a_hole)");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").first().waitFor(PATIENCE);
  quiet();
});

test("what has nothing to show says why, in words that hold for it", async () => {
  // A table is of the range's end, where this one has been silent for an hour.
  const range = [
    ["from", iso(end - 1_500_000)],
    ["to", iso(end + 3_600_000)],
  ];
  await goTo([["q", "with_a_hole"], ...range, ["as", "table"]]);
  await page.getByText(/No series has a value at .*\. A table shows one instant, the end of the range/).waitFor(PATIENCE);
  await page.getByRole("button", { name: "Heat map", exact: true }).click();
  await page.getByText(/No buckets.*histogram_over_time/).waitFor(PATIENCE);
  // A function that the other language has not.
  await page.getByRole("button", { name: "PromQL", exact: true }).click();
  await page.getByText(/No buckets\. A heat map is drawn of series with the label le/).waitFor(PATIENCE);
  assert.doesNotMatch(await page.textContent("[data-shape=heatmap]"), /histogram_over_time/);
  await page.getByRole("button", { name: "Raw", exact: true }).click();
  await page.getByText(/It takes selectors only/).waitFor(PATIENCE);
  quiet();
});

test("earlier and later again is where one was", async () => {
  const [from, to] = [end - 1_501_234, end - 1_234].map(iso);
  await goTo([
    ["q", "node_load1"],
    ["from", from],
    ["to", to],
  ]);
  await page.locator("[data-plot]").waitFor(PATIENCE);
  for (const name of ["Earlier", "Earlier", "Later", "Later"]) await page.getByRole("button", { name, exact: true }).click();
  const shown = await address();
  assert.deepEqual(
    [Date.parse(shown.from), Date.parse(shown.to)],
    [from, to].map((time) => Date.parse(time)),
  );
  quiet();
});

test("the same over a snapshot of a server, and back to its parts", async () => {
  await page.goto(`${visit.url}/blank.html`);
  await page.goto(
    `${visit.url}/page/index.html#explore?of=snapshot&q=sum(cpu_usage_ratio)&from=2024-03-01T00:00:00Z&to=2024-03-02T00:00:00Z`,
  );
  // The address has the view, the visitor has the file.
  await page.locator("input[type=file]").setInputFiles(SNAPSHOT);
  await shows(["sum(cpu_usage_ratio)"]);
  assert.match(await page.textContent("main"), /upgraded_1\.79\.5_to_v1\.150\.0\.tar\.gz/);
  await page.getByRole("link", { name: "Its months, parts and bytes" }).click();
  await page.locator("#opened-title").waitFor(PATIENCE);
  await page.getByRole("link", { name: "Explore it" }).click();
  await page.locator("[data-plot]").waitFor(PATIENCE);
  await page.goBack();
  await page.locator("#opened-title").waitFor(PATIENCE);
  await page.getByRole("link", { name: "Inside", exact: true }).click();
  await page.waitForSelector("[data-transport]", PATIENCE);
  quiet();
});

describe("without a browser", () => {
  let folder;
  let explore;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sandglass-explore-"));
    const entry = join(folder, "entry.ts");
    const modules = ["times", "address", "heat", "lines", "language", "words", "figures"];
    await writeFile(entry, modules.map((name) => `export * from ${JSON.stringify(join(PAGE, "explore", name))};`).join("\n"));
    await build({
      configFile: false,
      root: folder,
      logLevel: "error",
      build: {
        lib: { entry, formats: ["es"], fileName: () => "explore.mjs" },
        outDir: join(folder, "built"),
        target: "esnext",
        minify: false,
      },
    });
    explore = await import(pathToFileURL(join(folder, "built", "explore.mjs")));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("times mean what they say, and what means nothing is refused", () => {
    const { instantOf, settled, stepFor, durationOf, shortly } = explore;
    const now = Date.parse("2026-11-29T12:30:15.250Z");
    assert.equal(instantOf("now", now), now);
    assert.equal(instantOf("now-1h-30m", now), now - 90 * 60e3);
    assert.equal(instantOf(" now - 1h + 15m ", now), now - 45 * 60e3);
    assert.equal(instantOf("now/h", now), new Date(now).setMinutes(0, 0, 0));
    assert.equal(instantOf("now/h", now, true), new Date(now).setMinutes(59, 59, 999));
    assert.equal(instantOf("now-1d/d", now), new Date(new Date(now - 86_400e3).setHours(0, 0, 0, 0)).getTime());
    assert.equal(instantOf("2026-11-29", now), new Date(2026, 10, 29).getTime());
    assert.equal(instantOf("2026-11-29", now, true), new Date(2026, 10, 30).getTime() - 1);
    assert.equal(instantOf("2026-11-29 14:03", now), new Date(2026, 10, 29, 14, 3).getTime());
    assert.equal(instantOf("2026-11-29T14:03:05.5Z", now), Date.UTC(2026, 10, 29, 14, 3, 5, 500));
    assert.equal(instantOf("1795967400", now), 1795967400e3);
    assert.equal(instantOf("1795967400123", now), 1795967400123);
    for (const wrong of ["", "soon", "now-", "now-1", "now-1x", "2026-13-01", "2026-11-29T25:00", "now-999999999y", "1e9"])
      assert.throws(() => instantOf(wrong, now), /is no time/, wrong);
    assert.equal(settled("now-1h", now, false), "now-1h");
    assert.match(settled("2026-11-29 14:03", now, false), /Z$/);
    assert.deepEqual(
      [15 * 60e3, 3600e3, 30 * 86_400e3, 1].map((range) => stepFor(range)),
      [5000, 10_000, 2 * 3600e3, 1],
    );
    assert.deepEqual(["15s", "1h30m", "90", "0", "", "x", "1.5m", "-1s"].map(durationOf), [
      15e3,
      90 * 60e3,
      90e3,
      undefined,
      undefined,
      undefined,
      90e3,
      undefined,
    ]);
    assert.deepEqual([5000, 90 * 60e3, 86_400e3, 1250].map(shortly), ["5s", "1h30m", "1d", "1s250ms"]);
  });

  test("values on an axis are told apart, and those beside it have the digits that matter", () => {
    const { axisValues, readable, valueText } = explore;
    assert.deepEqual([0.013166666666620586, 25_276_502_016, 0.1 + 0.2, Number.NaN].map(readable), [
      "0.01316666667",
      "25276502016",
      "0.3",
      "NaN",
    ]);
    assert.deepEqual(axisValues([347_750, 347_800], 50, "plain"), ["347.75 k", "347.80 k"]);
    assert.deepEqual(axisValues([0, 0.5, 1], 0.5, "plain"), ["0", "0.5", "1.0"]);
    assert.deepEqual(axisValues([0, 1e9, 2e9], 1e9, "bytes"), ["0", "1 GB", "2 GB"]);
    assert.deepEqual(axisValues([-2, 0], 2, "seconds"), ["-2 s", "0"]);
    assert.deepEqual(
      [0, 1.23456, -12_345.678, 5e16, Number.NaN, Number.NEGATIVE_INFINITY, undefined].map((value) => valueText(value, "plain")),
      ["0", "1.235", "-12.346 k", "50 P", "–", "-Inf", "–"],
    );
    assert.equal(valueText(1536, "bytes"), "1.536 kB");
    assert.deepEqual(
      [0.00125, 59, 1536, 90 * 60, 2_141_100].map((value) => valueText(value, "seconds")),
      ["0.00125 s", "59 s", "25.6 min", "1.5 h", "24.78 d"],
    );
    assert.deepEqual(axisValues([0, 21_600, 43_200, 172_800], 21_600, "seconds"), ["0", "0.25 d", "0.50 d", "2.00 d"]);
    assert.deepEqual(axisValues([3000, 3600, 4200], 600, "seconds"), ["50 min", "60 min", "70 min"]);
  });

  test("a view and its address say the same, and an address of anything is a view", () => {
    const { viewOf, hashOf, EMPTY } = explore;
    const view = {
      ...EMPTY,
      of: "snapshot",
      queries: [
        { expression: 'a{b="c&d=#?"} + 1\n', isHidden: false },
        { expression: "", isHidden: true },
      ],
      dialect: "promql",
      from: "now-1h",
      to: "now",
      step: "15s",
      refresh: "live",
      shape: "raw",
      lit: ["a1", "b2"],
      sort: "max",
      isDescending: true,
      order: "-value",
      browse: "",
      counted: { selector: '{a="b"}', focus: "c" },
    };
    assert.deepEqual(viewOf(hashOf(view)), view);
    const kept = { ...EMPTY, of: "kept", name: "a & b" };
    assert.deepEqual(viewOf(hashOf(kept)), kept);
    assert.equal(hashOf(EMPTY), "#explore");
    const strange = viewOf(`#explore?as=pie&sort=-x&hide=9.z&dialect=sql&of=all&${"q=x&".repeat(50)}lit=${"a.".repeat(500)}`);
    assert.equal(strange.queries.length, 8);
    assert.deepEqual([strange.shape, strange.sort, strange.dialect, strange.of], ["chart", "name", "metricsql", "own"]);
    assert.ok(strange.lit.length <= 100);
  });

  test("buckets of both kinds become rows from the lowest up", () => {
    const { heatOf } = explore;
    const range = (...series) => ({
      timestamps: Float64Array.of(0, 1000),
      series: series.map(([labels, ...values]) => ({ labels, values: Float64Array.from(values) })),
    });
    const rows = (heat) => heat.rows.map(({ low, high, counts }) => [low, high, ...counts]);
    // The second bucket was read before the first one, in the second instant.
    const cumulative = heatOf(range([{ le: "+Inf" }, 6, 9], [{ le: "1" }, 1, 5], [{ le: "2" }, 3, 4], [{ job: "a" }, 7, 7]));
    assert.deepEqual(rows(cumulative), [
      [-Infinity, 1, 1, 5],
      [1, 2, 2, 0],
      [2, Infinity, 3, 5],
    ]);
    assert.deepEqual([cumulative.max, cumulative.histograms], [5, 1]);
    const ranged = heatOf(
      range(
        [{ vmrange: "1.000e+01...2.000e+01" }, 4, NaN],
        [{ vmrange: "1.000e+00...1.000e+01", job: "a" }, 1, 1],
        [{ vmrange: "1.000e+00...1.000e+01", job: "b" }, 1, NaN],
      ),
    );
    assert.deepEqual(rows(ranged), [
      [1, 10, 2, 1],
      [10, 20, 4, NaN],
    ]);
    assert.equal(ranged.histograms, 3);
    for (const labels of [{}, { le: "wide" }, { vmrange: "a...b" }, { vmrange: "2...1" }])
      assert.equal(heatOf(range([labels, 1, 1])), undefined);
  });

  test("lines have names that tell them apart, figures without holes, and keys that stay", () => {
    const { linesOf, sorted, litOf, keyOf } = explore;
    const timestamps = Float64Array.of(0, 1000, 2000);
    const of = (...series) => ({
      expression: "x",
      warnings: [],
      problem: "",
      code: "",
      range: { timestamps, series, warnings: [], stats: {} },
    });
    const both = { __name__: "m", job: "j" };
    const lines = linesOf([
      of(
        { labels: { ...both, a: "10" }, values: Float64Array.of(1, NaN, 3) },
        { labels: { ...both, a: "9" }, values: Float64Array.of(5, Infinity, 4) },
      ),
      undefined,
      of({ labels: {}, values: Float64Array.of(2, 2, 2) }),
    ]);
    assert.deepEqual(
      lines.lines.map(({ name }) => name),
      ['A {a="10"}', 'A {a="9"}', "C x"],
    );
    assert.deepEqual(lines.common, [{ query: 0, labels: both }]);
    assert.deepEqual(
      lines.lines.map(({ column }) => column),
      [
        [1, null, 3],
        [5, null, 4],
        [2, 2, 2],
      ],
    );
    assert.deepEqual(
      lines.lines.map(({ min, max, mean, last }) => [min, max, mean, last]),
      [
        [1, 3, 2, 3],
        [4, 5, 4.5, 4],
        [2, 2, 2, 2],
      ],
    );
    const order = (sort, isDescending) => sorted(lines.lines, { sort, isDescending }).map(({ place }) => place);
    assert.deepEqual(
      [order("name", false), order("last", true), order("max", false)],
      [
        [1, 0, 2],
        [1, 0, 2],
        [2, 0, 1],
      ],
    );
    const [first] = lines.lines;
    assert.equal(first.key, keyOf(0, { a: "10", job: "j", __name__: "m" }));
    assert.deepEqual([...litOf(lines.lines, [first.key])], [first.key]);
    assert.equal(litOf(lines.lines, ["of nobody"]).size, 3);
  });

  test("words of MetricsQL are read in the places where they are words", () => {
    const { asPromql, WORDS } = explore;
    for (const [text, read] of [
      ["rollup_rate(m[5m])", "rate       (m[5m])"],
      ["RATE(m)", "rate(m)"],
      ["median by (a) (m)", "sum    by (a) (m)"],
      ["topk_avg(3, m)", "topk    (3, m)"],
      ["a default 0", "a or      0"],
      ['m{median="median(", if="x"}', 'm{median="median(", if="x"}'],
      ["rate(m) # median(", "rate(m) # median("],
      ["median", "median"],
    ])
      assert.equal(asPromql(text), read);
    assert.ok(WORDS.metricsql.size > 150 && WORDS.promql.size > 80);
    assert.ok(!WORDS.promql.has("rollup_rate") && WORDS.promql.get("topk").takesNumberFirst && !WORDS.promql.get("sum").takesNumberFirst);
  });
});
