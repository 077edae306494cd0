// The documentation site as it is built: no link leads nowhere, search finds, and it can be read by everybody.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, normalize, posix } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { blocksOf, promised } from "../package/docs_blocks.mjs";
import { openPage } from "../server/chromium.mjs";

const SITE = fileURLToPath(new URL("../../../dist/page", import.meta.url));
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const files = new Set(readdirSync(SITE, { recursive: true }).map(normalize));
const pages = [...files].filter((name) => name.startsWith("docs/") && name.endsWith(".html"));
/** What an address of the page begins with; more of it is tried by tour.test.mjs. */
const ROOM = /^(live|explore|open|inside|chapters)\b/;
const html = new Map(pages.map((name) => [name, readFileSync(join(SITE, name), "utf8")]));

describe("the documentation site", () => {
  let browser;
  let page;
  before(async () => {
    browser = await openPage({ mounts: { "below-any": SITE } });
    page = browser.page;
  });
  after(() => browser?.close());
  const open = (name) => page.goto(`${browser.url}/below-any/docs/${name}`);

  it("has the guides, the reference and the decisions", () => {
    for (const name of ["index", "guides/start", "queries", "storage", "architecture", "decisions/index", "api/index"])
      assert.ok(html.has(`docs/${name}.html`), name);
    for (const name of ["Database", "OpenOptions", "RangeResult"]) assert.ok(html.has(`docs/api/sandglass/interfaces/${name}.html`), name);
    assert.match(html.get("docs/api/sandglass/react/functions/useQuery.html"), /keepPrevious|FollowedRange/);
    // Each entry of the package, the one that most begin with first.
    const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    for (const entry of Object.keys(exports).filter((entry) => entry !== "./package.json"))
      assert.ok(html.has(posix.join("docs/api/sandglass", entry, "index.html")), `no reference of ${entry}`);
    const list = [...html.get("docs/api/index.html").matchAll(/<main[\s\S]*?<\/main>/g)].join();
    assert.equal(/href="(sandglass[\w/-]*)\/index\.html"/.exec(list)?.[1], "sandglass");
    assert.match(html.get("docs/index.html"), /<title>Sandglass: documentation<\/title>/);
  });

  it("has no link that leads nowhere", () => {
    const wrong = [];
    let count = 0;
    for (const [name, text] of html) {
      for (const [, target] of text.matchAll(/ (?:href|src)="([^"]*)"/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        count++;
        const [path, anchor] = target.split("#");
        const file = path === "" ? name : normalize(join(dirname(name), path));
        if (target.startsWith("/")) wrong.push(`${name}: ${target} is right on one host only`);
        else if (!files.has(file)) wrong.push(`${name}: ${target}`);
        else if (anchor && file === "index.html" ? !ROOM.test(anchor) : anchor && !html.get(file)?.includes(` id="${anchor}"`))
          wrong.push(`${name}: ${target} has no such place`);
      }
    }
    assert.ok(count > 1000, `${count} links`);
    assert.deepEqual(wrong, []);
  });

  it("is reached from the rooms, and leads back", async () => {
    await page.goto(`${browser.url}/below-any/index.html#chapters`);
    await page.click("header >> text=Docs");
    await page.waitForSelector("h1 >> text=Sandglass");
    await page.click("header >> text=The page");
    await page.waitForSelector("nav[aria-label=Rooms] a[aria-current]");
  });

  it("finds a call by its name, a word of it and with a slip, and goes there by keys", async () => {
    await open("guides/start.html");
    const found = async (text) => {
      await page.fill("#search", text);
      await page.waitForFunction(() => document.querySelectorAll("#found a").length > 0);
      return page.locator("#found a").allTextContents();
    };
    assert.match((await found("queryRange"))[0], /queryRange\(\)/);
    // What explains a thing comes before why it was chosen.
    assert.match((await found("React"))[0], /Frameworks/);
    assert.match((await found("worker"))[0], /Bundlers/);
    assert.ok((await found("durable within")).some((text) => /durab/i.test(text)));
    assert.ok((await found("snapshto")).some((text) => /snapshot/i.test(text)));
    await found("full disk");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(/guides\/full-disk\.html/);
  });

  it("runs the code of a guide where it is read", async () => {
    await open("guides/query.html");
    await page.click("text=Run this page's code");
    const printed = page.frameLocator("iframe").locator("pre");
    await printed.locator("text=done").waitFor();
    const program = blocksOf("docs/guides/query.md").filter(({ info }) => info === "js");
    assert.deepEqual((await printed.textContent()).trim().split("\n"), [
      "running…",
      ...promised(program.map(({ code }) => code).join("\n")),
      "done",
    ]);
    await open("guides/start.html");
    await page.click("text=Run this page's code");
    const second = page.frameLocator("iframe").locator(".uplot canvas").nth(1);
    await second.waitFor();
    // All of it is seen without a scroll in the frame, and what goes on is not called done.
    await page.waitForFunction(() => {
      const { contentDocument, clientHeight } = document.querySelector("iframe");
      return contentDocument.documentElement.scrollHeight <= clientHeight;
    });
    const log = page.frameLocator("iframe").locator("pre");
    await log.locator("text=running on").waitFor();
    assert.doesNotMatch(await log.textContent(), /done/);
    // Its second chart is made when there are samples to draw.
    await open("guides/live-charts.html");
    await page.click("text=Run this page's code");
    await page.frameLocator("iframe").locator(".uplot canvas").nth(1).waitFor();
    await page.frameLocator("iframe").getByRole("button", { name: "End" }).click();
  });

  it("fits every width", async () => {
    for (const name of [
      "index.html",
      "guides/query.html",
      "queries.html",
      "api/sandglass/interfaces/Database.html",
      "decisions/index.html",
    ]) {
      await open(name);
      for (const width of [1440, 1024, 390]) {
        await page.setViewportSize({ width, height: 900 });
        const content = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(content <= width, `${name} is ${content} wide in ${width}`);
      }
    }
  });

  // Tables, code and contents look the same on all pages; on the longest ones axe would take a minute.
  for (const [name, colorScheme, width] of [
    ["guides/durability.html", "light", 1440],
    ["guides/durability.html", "dark", 1440],
    ["api/sandglass/interfaces/RangeOptions.html", "dark", 1024],
    ["index.html", "light", 390],
  ]) {
    it(`has nothing that axe finds: ${name}, ${colorScheme}, ${width} pixels`, async () => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await open(name);
      await page.addScriptTag({ path: AXE });
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`),
        [],
      );
    });
  }

  it("says nothing on the console", () => assert.deepEqual(browser.errors, []));
});
