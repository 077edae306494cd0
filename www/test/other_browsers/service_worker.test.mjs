// The HTTP API in a Service Worker of each of the other browsers: answered by itself, and by the page that has the database. The script
// is bundled into a classic one, since Firefox ESR knows no others.
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { BROWSERS, visit } from "./browsers.mjs";
import { direct } from "./director.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const worker = `/package/${await entry(".")}`;
const app = join(project, "app");
await mkdir(app);
await writeFile(
  join(app, "index.html"),
  '<!doctype html><title>app</title><script type="module" src="/other_browsers/follow.mjs"></script>',
);
await build({
  stdin: {
    contents: `import { serve } from "./${await entry("./service-worker")}";
      for (const name of ["alone", "of-a-page"]) serve({ path: "/db/" + name, name });`,
    resolveDir: directory,
  },
  outfile: join(app, "service-worker.js"),
  bundle: true,
  format: "iife",
  target: "es2022",
  logLevel: "silent",
});

/** In a page: what is stored there is written and asked for by requests alone. */
const importText = (page, path, text) =>
  page.evaluate(async ([path, body]) => (await fetch(`${path}/api/v1/import/prometheus`, { method: "POST", body })).status, [path, text]);
const query = (page, path, expression) =>
  page.evaluate(
    async ([path, expression]) => {
      const reply = await fetch(`${path}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { data, error } = await reply.json();
      return error ?? data.result.map(({ value }) => Number(value[1]));
    },
    [path, expression],
  );

for (const browser of BROWSERS)
  describe(`a Service Worker of ${browser.name}`, () => {
    let server, profile, visited, page;
    before(async () => {
      server = await direct({ package: directory, app });
      profile = await temporaryDirectory("service-worker");
      visited = await visit(browser, profile, server);
      page = visited.page;
      await page.goto(`${server.url}/app/index.html`);
      await page.evaluate(async () => {
        const controlled = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
        await navigator.serviceWorker.register("/app/service-worker.js");
        await controlled;
      });
    });
    after(async () => {
      await visited?.close();
      await server?.close();
      await rm(profile, { recursive: true, force: true });
    });

    it("answers by itself where no page has the database", async () => {
      assert.equal(await importText(page, "/db/alone", "temperature 21\n"), 204);
      assert.deepEqual(await query(page, "/db/alone", "temperature + 1"), [22]);
    });

    it("asks the page that has the database, and writes into it", async () => {
      await page.evaluate(async (worker) => {
        const { open } = await import(worker);
        globalThis.db = await open({ name: "of-a-page", storage: "indexeddb" });
        await globalThis.db.append({ __name__: "temperature" }, [Date.now() - 1000], [11]);
        await globalThis.db.flush();
      }, worker);
      assert.deepEqual(await query(page, "/db/of-a-page", "temperature"), [11]);
      assert.equal(await importText(page, "/db/of-a-page", "humidity 40\n"), 204);
      const found = await page.evaluate(async () => {
        const found = await globalThis.db.select("humidity", { fresh: true });
        await globalThis.db.close();
        return found.map(({ values }) => [...values]);
      });
      assert.deepEqual(found, [[40]]);
    });

    it("goes on when that page has closed it, and after a reload", async () => {
      assert.deepEqual(await query(page, "/db/of-a-page", "temperature + on() humidity"), [51]);
      await page.reload();
      assert.deepEqual(await query(page, "/db/alone", "temperature"), [21]);
    });
  });
