// Timers and clocks that stand still, as Vitest, Jest, Playwright and Node make them for tests. In a file of its own: a browser that this process
// drives meanwhile would lose timers, too.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const START = Date.UTC(2024, 2, 10, 1);
const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = {};
for (const name of [".", "./inline"]) entries[name] = await import(pathToFileURL(join(directory, await entry(name, "node"))).href);

/** All that does not need the time to go on. Says in the end how many samples were found. */
const WORK = `async (open, options) => {
  const db = await open({ storage: "memory", ...options });
  const now = db.now();
  await db.append({ __name__: "up" }, Float64Array.from({ length: 100_000 }, (_, i) => now - i), new Float64Array(100_000).fill(1));
  await db.flush();
  await db.ingest("down 1\\n", { format: "prometheus", timestamp: now });
  await db.sync();
  await db.forceMerge();
  const { series } = await db.query("sum(count_over_time(up[1h]))", { time: now, fresh: true });
  if (series[0].value !== 100_000) throw new Error(JSON.stringify(series));
  if ((await db.fetch("/api/v1/labels")).status !== 200) throw new Error("the labels");
  const copy = await new Response(db.snapshots.download(await db.snapshots.create())).arrayBuffer();
  if (!(copy.byteLength > 1000)) throw new Error("the snapshot");
  if (options.clock === "manual") await db.tick(3600_000);
  const [{ values }] = await db.select("up");
  await db.close();
  return values.length;
}`;

describe("with timers that stand still, as Vitest's vi.useFakeTimers() has them", () => {
  /** Those that it takes; Node's own mock of timers has no `performance.now`, and none has `queueMicrotask`. */
  const standStill = (t) => {
    const now = performance.now();
    t.mock.method(performance, "now", () => now);
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"], now: START });
  };
  const work = vm.runInThisContext(WORK);

  for (const name of [".", "./inline"]) {
    for (const clock of ["manual", "real"]) {
      it(`all calls settle in Node: ${name}, clock ${clock}`, async (t) => {
        standStill(t);
        assert.equal(await work(entries[name].open, { clock }), 100_000);
      });
    }
  }

  for (const name of [".", "./inline"]) {
    describe(`in Chromium: ${name}`, () => {
      let browser;
      let page;
      /** Playwright's clock is the one that Vitest's is made of. It does not reach workers, so that both have to be of one year. */
      const time = Date.now() - 60_000;
      before(async () => {
        browser = await openPage({ mounts: { package: directory } });
        page = browser.page;
        await page.clock.install({ time });
        await page.goto(`${browser.url}/blank.html`);
        await page.clock.pauseAt(time + 10_000);
        await page.evaluate(async (path) => (globalThis.sandglass = await import(path)), `/package/${await entry(name)}`);
      });
      after(() => browser?.close());

      it("all calls settle", async () => {
        const found = await page.evaluate(async (work) => {
          const run = new Function(`return ${work}`)();
          const stood = [performance.now(), Date.now()];
          const found = [];
          for (const storage of ["memory", "indexeddb"])
            for (const clock of ["manual", "real"])
              found.push(await run(globalThis.sandglass.open, { name: storage + clock, storage, clock }));
          if (stood[0] !== performance.now() || stood[1] !== Date.now()) found.push("the time went on");
          return found;
        }, WORK);
        assert.deepEqual(found, Array(4).fill(100_000));
      });

      it("what falls due does when they are moved on", async () => {
        await page.evaluate(async () => {
          const db = await globalThis.sandglass.open({ storage: "memory" });
          globalThis.seen = [];
          // A worker has the true time, which goes on while this machine is busy: the sample stays in the window all the same.
          db.live("up", { range: "1h", step: "10s", every: "1s" }, ({ series }) => globalThis.seen.push(series.length));
          await db.append({ __name__: "up" }, [Date.now()], [1]);
        });
        for (const limit = Date.now() + 20_000; !(await page.evaluate(() => globalThis.seen.includes(1))); ) {
          assert.ok(Date.now() < limit, "nothing comes");
          await page.clock.runFor(500);
        }
        assert.deepEqual(browser.errors, []);
      });
    });
  }
});
