// Every example is built by its own settings, started in a real browser and clicked.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "vite";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { VictoriaMetrics } from "../server/victoriametrics.mjs";
import { link } from "./modules.mjs";

const EXAMPLES = fileURLToPath(new URL("../../../examples", import.meta.url));
const names = (await readdir(EXAMPLES, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
const manifests = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, JSON.parse(await readFile(join(EXAMPLES, name, "package.json"), "utf8"))])),
);

// They wait for seconds of samples most of the time, and know nothing of each other.
describe("the examples", { concurrency: 2 }, () => {
  let project, examples, browser;

  before(async () => {
    ({ project } = await installPackage());
    examples = join(project, "examples");
    // Who has tried them has packages and builds lying there.
    await cp(EXAMPLES, examples, { recursive: true, filter: (path) => !/\/(node_modules|dist|package-lock\.json)$/.test(path) });
    const wanted = new Set(names.flatMap((name) => Object.keys({ ...manifests[name].dependencies, ...manifests[name].devDependencies })));
    wanted.delete("sandglass");
    await link(project, wanted);
    browser = await openPage({ mounts: { examples } });
  });
  after(async () => {
    await browser?.close();
    await rm(project, { recursive: true, force: true });
  });

  /** Builds one, and shows it to a visitor who was never there. */
  const start = async (name) => {
    await build({ root: join(examples, name), base: "./", logLevel: "error" });
    const visitor = await browser.page.context().browser().newContext();
    const page = await visitor.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`${browser.url}/examples/${name}/dist/index.html`);
    const reads = async (selector, pattern) => {
      const matches = ([selector, source]) => new RegExp(source).test(document.querySelector(selector)?.textContent);
      await page.waitForFunction(matches, [selector, pattern.source], { timeout: 20_000 });
    };
    const end = async () => {
      assert.deepEqual(errors, []);
      await visitor.close();
    };
    return { page, reads, end };
  };

  it("are all named in the list of them, and asked to be installed as they are tried here", async () => {
    const list = await readFile(join(EXAMPLES, "README.md"), "utf8");
    const { devDependencies } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    for (const name of names) {
      assert.ok(list.includes(`[${name}/](${name}/)`), name);
      const { sandglass, ...others } = { ...manifests[name].dependencies, ...manifests[name].devDependencies };
      assert.equal(sandglass, "file:../../dist/sandglass.tgz");
      for (const [of, version] of Object.entries(others)) assert.equal(version, `^${devDependencies[of]}`, `${of} in ${name}`);
    }
  });

  it("uPlot: two charts that follow, and clicks that become a rate", async () => {
    const { page, reads, end } = await start("uplot");
    const drawn = (chart) =>
      page.waitForFunction((chart) => globalThis.plots?.[chart].data[1]?.some((value) => value > 0), chart, { timeout: 20_000 });
    await drawn(0);
    for (let click = 0; click < 3; click++) await page.click("#water");
    await reads("#total", /^3$/);
    await drawn(1);
    await reads("#rows", /^[1-9]/);
    await end();
  });

  for (const name of ["react", "vue", "svelte"]) {
    it(`${name}: a room that is chosen, and its temperature`, async () => {
      const { page, reads, end } = await start(name);
      await reads("#newest", /^attic: 2[01]\.\d °C$/);
      await page.click("text=cellar");
      await reads("#newest", /^cellar: 1[12]\.\d °C$/);
      await page.waitForFunction(
        () => document.querySelector("polyline")?.points.length > 0 || document.querySelector("canvas")?.width > 0,
      );
      await end();
    });
  }

  it("ECharts: quantiles, which rise after a click", async () => {
    const { page, reads, end } = await start("echarts");
    await reads("#said", /^p99 is \d\d ms$/);
    await page.click("#slow");
    await reads("#said", /^p99 is [2-9]\d\d ms$/);
    assert.deepEqual(await page.evaluate(() => globalThis.chart.getOption().series.map(({ name }) => name)), ["p50", "p90", "p99"]);
    await end();
  });

  it("two tabs: both write, both see it, and the second goes on when the first is closed", async () => {
    const { page, reads, end } = await start("two-tabs");
    await reads("#state", /writer/);
    await page.click("#write");
    await reads("#count", /^1$/);
    const [second] = await Promise.all([page.waitForEvent("popup"), page.click("#another")]);
    const secondReads = (id, text) =>
      second.waitForFunction(([id, text]) => document.getElementById(id)?.textContent === text, [id, text], { timeout: 20_000 });
    await second.goto(page.url());
    await secondReads("count", "1");
    await second.click("#write");
    await reads("#count", /^2$/);
    await page.close();
    await second.click("#write");
    await secondReads("count", "3");
    await end();
  });

  it("OpenTelemetry: orders that are counted and timed, and a line for each kind", async () => {
    const { page, reads, end } = await start("opentelemetry");
    await reads("#orders", /^0$/);
    for (let click = 0; click < 3; click++) await page.click("text=tea");
    await page.click("text=coffee");
    await reads("#orders", /^4$/);
    await reads("#median", /^0\.\d s$/);
    await page.waitForFunction(() => globalThis.plot.data.slice(1).every((line) => line.some((value) => value > 0)));
    assert.deepEqual(await page.evaluate(() => globalThis.plot.series.slice(1).map(({ label }) => label)), ["coffee", "tea"]);
    await end();
  });

  it("push: what was noted offline comes to a real server when there is a network", async () => {
    const server = await VictoriaMetrics.start();
    try {
      const { page, reads } = await start("push");
      // As the project's own settings have it while it is served by Vite.
      let isOnline = true;
      await page.route("**/victoriametrics/**", async (route) => {
        if (!isOnline) return route.abort("internetdisconnected");
        const url = route
          .request()
          .url()
          .replace(/.*\/victoriametrics/, server.url);
        return route.fulfill({ response: await route.fetch({ url }) });
      });
      const note = async (reading) => {
        await page.fill("#reading", String(reading));
        await page.click("#note");
      };
      const has = async (readings) => {
        for (const deadline = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
          await server.forceFlush();
          const lines = (await new Response(await server.export("meter_reading")).text()).trim();
          const values = lines === "" ? [] : JSON.parse(lines).values;
          if (Date.now() > deadline || values.length >= readings.length) return assert.deepEqual(values, readings);
        }
      };
      await reads("#noted", /^0$/);
      await note(101);
      await has([101]);
      await reads("#state", /the server has/);
      isOnline = false;
      await note(102);
      await note(103);
      await reads("#noted", /^3$/);
      await page.reload();
      await reads("#noted", /^3$/);
      isOnline = true;
      await has([101, 102, 103]);
      await page.context().close();
    } finally {
      await server.stop();
    }
  });

  it("Node: the tests pass", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--test", "--test-reporter=tap"], {
      cwd: join(examples, "node-tests"),
      // A runner within a runner would speak the other's language.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
    assert.match(stdout, /^# pass 3$/m);
  });
});
