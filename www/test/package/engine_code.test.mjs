// Where the engine's code comes from, in Chromium: one file, loaded once a visit, or what is handed to open.
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

/** A page of its own, with what it asks for of the engine's code; the copy of it is not to be had. */
async function withPage(work) {
  const context = await browser.page.context().browser().newContext();
  const page = await context.newPage();
  const requests = [];
  await context.route("**/embedded.js", (request) => request.abort());
  await context.route("**/*.wasm", (request) => {
    requests.push(request.request().url());
    return request.continue();
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

it("a dashboard writes, asks, stores and comes back with one load of one file", () =>
  withPage(async (page, requests) => {
    const found = await page.evaluate(async () => {
      const found = [];
      for (let visit = 0; visit < 2; visit++) {
        const db = await globalThis.sandglass.open({ name: "dashboard" });
        found.push(db.opened.thread, db.opened.storage);
        const series = Array.from({ length: 20 }, (_, i) => db.series({ __name__: "load", host: `h${i}` }));
        const now = Date.now();
        for (let second = 0; second < 100; second++)
          await db.appendRow(
            series,
            now - second * 1000 - visit * 200_000,
            series.map((_, i) => Math.sin(i + second)),
          );
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
    assert.deepEqual(found, [
      "worker",
      "opfs",
      100,
      19,
      20,
      "__name__,host",
      20,
      "worker",
      "opfs",
      200,
      19,
      20,
      "__name__,host",
      20,
    ]);
    assert.deepEqual(requests, [`${browser.url}/package/dist/sandglass.wasm`]);
  }));

it("code that is handed to open is taken, as bytes, as a compiled module and as an address", () =>
  withPage(async (page) => {
    const found = await page.evaluate(async () => {
      const bytes = await (await fetch("/package/dist/sandglass.wasm")).arrayBuffer();
      const found = [];
      for (const wasm of [bytes, new Uint8Array(bytes), await WebAssembly.compile(bytes), "/package/dist/sandglass.wasm"]) {
        const db = await globalThis.sandglass.open({ storage: "memory", wasm });
        await db.append({ __name__: "up" }, [Date.now()], [1]);
        await db.flush();
        found.push((await db.select('{__name__=~"u."}')).length);
        await db.close();
      }
      return found;
    });
    assert.deepEqual(found, [1, 1, 1, 1]);
  }));
