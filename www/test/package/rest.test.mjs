// The two halves of the engine's code in Chromium: what a page does without the second one, and what becomes of a call that needs
// it before it is there.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, it } from "node:test";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const index = `/package/${(await entry(".")).replace("./", "")}`;
const browser = await openPage({ mounts: { package: directory } });
after(() => browser.close());

/** A page of its own. `route` decides what becomes of the nth request for the rest; the copy of it is not to be had. */
async function withPage(route, work) {
  const context = await browser.page.context().browser().newContext();
  const page = await context.newPage();
  const requests = [];
  await context.route("**/embedded.js", (request) => request.abort());
  await context.route("**/sandglass_rest.wasm", (request) => {
    requests.push(request.request().url());
    return route(request, requests.length);
  });
  try {
    await page.goto(`${browser.url}/blank.html`);
    await page.evaluate(async (index) => {
      globalThis.sandglass = await import(index);
    }, index);
    await work(page, requests);
  } finally {
    await context.close();
  }
}

it("a dashboard writes, asks, stores and comes back without the second half", () =>
  withPage(
    (request) => request.abort(),
    async (page, requests) => {
      const found = await page.evaluate(async () => {
        const found = [];
        for (let visit = 0; visit < 2; visit++) {
          const db = await globalThis.sandglass.open({ name: "dashboard" });
          found.push(db.opened.thread, db.opened.storage);
          const series = Array.from({ length: 20 }, (_, i) => db.series({ __name__: "load", host: `h${i}` }));
          const now = Date.now();
          for (let second = 0; second < 100; second++) await db.appendRow(series, now - second * 1000 - visit * 200_000, series.map((_, i) => Math.sin(i + second)));
          await db.append(series[0], [now - 7_000_000, now - 6_000_000], [1, 2]);
          await db.flush();
          const [first] = await db.select('load{host="h3"}');
          found.push(first.values.length, (await db.select('{host!="h3",__name__="load"}')).length, (await db.labels("load")).length);
          found.push((await db.labelNames()).join(), (await db.labelValues("host")).length);
          // The parts go to the storage by themselves, and by request.
          await new Promise((resolve) => setTimeout(resolve, 6_500));
          await db.sync();
          await db.close();
        }
        return found;
      });
      assert.deepEqual(found, ["worker", "indexeddb", 100, 19, 20, "__name__,host", 20, "worker", "indexeddb", 200, 19, 20, "__name__,host", 20]);
      assert.ok(requests.length <= 2, `the page asks for it once a visit, and the worker has no need of it: ${requests.length} requests`);
    },
  ));

it("a call that needs it before it has come fetches it at once", () =>
  withPage(
    // The page's own request is never answered.
    (request, number) => (number === 1 ? undefined : request.continue()),
    async (page, requests) => {
      const found = await page.evaluate(async () => {
        const db = await globalThis.sandglass.open({ name: "early" });
        await db.append({ __name__: "up", job: "node" }, [Date.now()], [1]);
        await db.flush();
        const state = await db.inspect();
        const [one] = await db.select('{job=~"n.d.|x+"}');
        const { samples } = await db.ingest("text_format 1\n", { format: "prometheus" });
        await db.forceMerge();
        const snapshot = await db.snapshots.create();
        const names = await db.snapshots.list();
        await db.close();
        return [state.partitions.length, one.labels.job, samples, names.join() === snapshot];
      });
      assert.deepEqual(found, [1, "node", 1, true]);
      assert.equal(requests.length, 2, "by the page, and by the worker that could not wait");
    },
  ));

it("a call that needs it in vain ends the engine with a code, and what was durable is there", () => {
  let isThere = false;
  return withPage(
    (request) => (isThere ? request.continue() : request.abort()),
    async (page) => {
      const refused = await page.evaluate(async () => {
        const db = await globalThis.sandglass.open({ name: "lost" });
        await db.append({ __name__: "up", job: "node" }, [Date.now()], [1]);
        await db.sync();
        const outcome = (call) => call.then(() => "done", ({ code, message }) => `${code}: ${message}`);
        return [await outcome(db.select('{job=~"n.d."}')), await outcome(db.sync())];
      });
      for (const text of refused) assert.match(text, /^internal: .*sandglass_rest\.wasm cannot be loaded.*what was durable is untouched/);
      isThere = true;
      const found = await page.evaluate(async () => {
        const db = await globalThis.sandglass.open({ name: "lost" });
        const series = await db.select('{job=~"n.d."}');
        await db.close();
        return series.map(({ values }) => [...values]);
      });
      assert.deepEqual(found, [[1]]);
    },
  );
});

it("code that is handed to open works in both halves, or with the package's own second one", () =>
  withPage(
    (request) => request.continue(),
    async (page) => {
      const found = await page.evaluate(async () => {
        const bytes = async (name) => (await fetch(`/package/dist/${name}`)).arrayBuffer();
        const core = await bytes("sandglass.wasm");
        const found = [];
        for (const wasm of [core, { core, rest: await bytes("sandglass_rest.wasm") }, "/package/dist/sandglass.wasm"]) {
          const db = await globalThis.sandglass.open({ storage: "memory", wasm });
          await db.append({ __name__: "up" }, [Date.now()], [1]);
          await db.flush();
          found.push((await db.select('{__name__=~"u."}')).length);
          await db.close();
        }
        return found;
      });
      assert.deepEqual(found, [1, 1, 1]);
    },
  ));
