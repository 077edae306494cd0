// The HTTP API in a Service Worker of real Chromium: answered by the tab that has the database, else by the Service Worker itself.
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { visit } from "./persistent.mjs";

const { project, directory, entry } = await installPackage();
const script = await entry("./service-worker");
const app = join(project, "app");
const profile = await temporaryDirectory("service-worker");
const NAMES = ["inline-indexeddb", "worker-indexeddb", "worker-opfs", "alone", "opfs-alone", "silent", "leaving", "stopped", "handed-over"];
await mkdir(app);
await writeFile(
  join(app, "service-worker.js"),
  `import { serve } from "/package/${script}";
   for (const name of ${JSON.stringify(NAMES)}) serve({ path: "/db/" + name, name });
   serve({ path: "/promql/", name: "alone", dialect: "promql" });
   globalThis.refused = [];
   for (const options of [{ path: "db" }, { pat: "/x/" }, { dialect: "sql" }, { path: "/a?b/" }])
     try { serve(options); } catch ({ code }) { refused.push(code); }
   addEventListener("message", ({ source }) => source.postMessage(refused));`,
);
await writeFile(join(app, "index.html"), "<!doctype html><title>app</title>");
const docs = join(project, "docs");
await mkdir(docs);
const server = await serve({ package: directory, app, docs });
const { page, context, close } = await visit(profile, server.url);
after(async () => {
  await close();
  await server.close();
  await Promise.all([project, profile].map((path) => rm(path, { recursive: true, force: true })));
});

const tab = async () => {
  const page = await context.newPage();
  await page.goto(`${server.url}/app/index.html`);
  return page;
};

/** In a page: what a request is answered with, and how long that took. */
const ask = (page, url, init) =>
  page.evaluate(
    async ([url, init]) => {
      const began = performance.now();
      const response = await fetch(url, init);
      const body = await response.text();
      return { status: response.status, type: response.headers.get("content-type"), body, ms: performance.now() - began };
    },
    [url, init],
  );
const query = async (page, name, expression, path = `/db/${name}`) => {
  const { status, body } = await ask(page, `${path}/api/v1/query?query=${encodeURIComponent(expression)}`);
  assert.equal(status, 200, body);
  const { resultType, result } = JSON.parse(body).data;
  return resultType === "vector" ? result.map(({ value }) => Number(value[1])) : [resultType, result[1]];
};
const post = async (page, name, body, path = "api/v1/import/prometheus") => {
  const answer = await ask(page, `/db/${name}/${path}`, { method: "POST", body });
  assert.deepEqual([answer.status, answer.body], [204, ""]);
};
/** In a page: opens the database and keeps it in `globalThis.db`. */
const open = (page, name, options = {}, thread = "index") =>
  page.evaluate(
    async ([name, options, path]) => {
      const { open } = await import(path);
      globalThis.db = await open({ name, ...options });
      return globalThis.db.opened.role;
    },
    [name, options, `/package/dist/${thread}.js`],
  );
const select = (page, selector) =>
  page.evaluate(async (selector) => (await globalThis.db.select(selector, { fresh: true })).map(({ values }) => [...values]), selector);
const shut = (page) => page.evaluate(() => globalThis.db.close());

describe("a Service Worker", () => {
  it("is one file, which loads nothing and needs no address of its own", async () => {
    const { metafile, outputFiles } = await build({
      entryPoints: [join(directory, script)],
      bundle: true,
      format: "esm",
      target: "es2022",
      metafile: true,
      write: false,
      logLevel: "silent",
    });
    assert.equal(Object.keys(metafile.inputs).length, 1);
    assert.deepEqual(
      Object.values(metafile.outputs).flatMap(({ imports, exports }) => [imports, exports]),
      [[], ["serve"]],
    );
    assert.ok(!outputFiles[0].text.includes("import.meta"));
  });

  it("starts nothing where it is imported, and says where it belongs", async () => {
    const { serve } = await import(pathToFileURL(join(directory, script)).href);
    assert.throws(() => serve(), { code: "unsupported", message: /for a Service Worker/ });
  });

  it("serves the page that has registered it, without a reload, and refuses options that mean nothing", async () => {
    await page.goto(`${server.url}/app/index.html`);
    const refused = await page.evaluate(async () => {
      const controlled = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
      await navigator.serviceWorker.register("/app/service-worker.js", { type: "module" });
      await controlled;
      const answer = new Promise((resolve) =>
        navigator.serviceWorker.addEventListener("message", ({ data }) => resolve(data), { once: true }),
      );
      navigator.serviceWorker.controller.postMessage("which options were refused?");
      return answer;
    });
    assert.deepEqual(refused, ["invalid", "invalid", "invalid", "invalid"]);
  });

  for (const [name, thread, options] of [
    ["inline-indexeddb", "inline", { storage: "indexeddb" }],
    ["worker-indexeddb", "index", { storage: "indexeddb" }],
    ["worker-opfs", "index", { storage: "opfs" }],
  ]) {
    it(`reads and writes what a tab has open: ${name}`, async () => {
      const holder = await tab();
      assert.equal(await open(holder, name, options, thread), "writer");
      await holder.evaluate(() =>
        globalThis.db.append({ __name__: "up", host: "a" }, [Date.now() - 1000], [7]).then(() => globalThis.db.flush()),
      );
      assert.deepEqual(await query(page, name, "up"), [7]);
      await post(page, name, "pushed 3\n");
      await post(page, name, "weather,room=attic degrees=19.5\n", "write?db=d");
      assert.deepEqual(await select(holder, '{__name__=~"pushed|weather_degrees"}'), [[3], [19.5]]);
      // It is still the tab that has it.
      assert.deepEqual(await query(holder, name, "pushed"), [3]);
      await shut(holder);
      await holder.close();
    });
  }

  it("opens a database in IndexedDB itself, keeps what was written, and answers like db.fetch", async () => {
    await post(page, "alone", 'temperature{room="attic"} 19.5\n');
    assert.equal((await ask(page, "/db/alone/internal/force_flush")).status, 200);
    assert.deepEqual(await query(page, "alone", "temperature + 1"), [20.5]);
    assert.deepEqual(await query(page, "alone", "1", "/db/alone/select/0/prometheus"), [1]);
    assert.deepEqual(await query(page, "alone", "1", "/promql"), ["scalar", "1"]);
    const form = { method: "POST", body: "query=1", headers: { "content-type": "application/x-www-form-urlencoded" } };
    assert.match((await ask(page, "/promql/api/v1/query?dialect=metricsql", form)).body, /"vector"/);
    const metrics = await ask(page, "/db/alone/metrics");
    assert.deepEqual([metrics.status, metrics.type], [200, "text/plain; charset=utf-8"]);
    assert.match(metrics.body, /^vm_rows_added_to_storage_total 1$/m);
    const exported = await ask(page, "/db/alone/api/v1/export?match[]=temperature");
    assert.deepEqual([exported.status, JSON.parse(exported.body).values], [200, [19.5]]);
    assert.deepEqual((await ask(page, "/db/alone/health")).body, "OK");
    const refused = await ask(page, "/db/alone/api/v1/query?query=sum(");
    assert.deepEqual([refused.status, JSON.parse(refused.body).errorType], [400, "bad_data"]);
    // Beside its paths the network answers.
    assert.equal((await ask(page, "/dbx/alone/health")).status, 404);
    assert.equal((await ask(page, "/db/alonex/health")).status, 404);
  });

  it("makes room for a tab as soon as it wants the database, shared or not, and goes on through it", async () => {
    const holder = await tab();
    for (const options of [{}, { ifLocked: "fail" }, { ifLocked: "wait", lockTimeout: 5000 }]) {
      const n = Object.keys(options).length;
      await post(page, "handed-over", `handed_over{n="${n}"} ${n}\n`);
      // Requests go on meanwhile.
      const asking = Promise.all(Array.from({ length: 20 }, () => query(page, "handed-over", "count(handed_over)")));
      assert.equal(await open(holder, "handed-over", { storage: "indexeddb", ...options }), "writer");
      assert.equal((await asking).length, 20);
      assert.equal((await select(holder, "handed_over")).length, n + 1);
      await post(page, "handed-over", `through_the_tab{n="${n}"} 1\n`);
      assert.equal((await select(holder, "through_the_tab")).length, n + 1);
      await shut(holder);
    }
    await holder.close();
  });

  it("answers without a gap when the tab with the database goes", async () => {
    const holder = await tab();
    await open(holder, "leaving", { storage: "indexeddb" });
    await holder.evaluate(() => globalThis.db.append({ __name__: "up" }, [Date.now()], [1]).then(() => globalThis.db.sync()));
    const asking = page.evaluate(async () => {
      const statuses = new Set();
      for (const end = performance.now() + 1500; performance.now() < end; ) {
        const response = await fetch("/db/leaving/api/v1/query?query=up");
        await response.json();
        statuses.add(response.status);
      }
      return [...statuses];
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await holder.close();
    assert.deepEqual(await asking, [200]);
    assert.deepEqual(await query(page, "leaving", "up"), [1]);
  });

  it("has lost nothing of what it has taken when the browser ends it, and comes back", async () => {
    await post(page, "stopped", "taken 1\n");
    const session = await context.newCDPSession(page);
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    const holder = await tab();
    await open(holder, "stopped", { storage: "indexeddb", ifLocked: "fail" });
    assert.deepEqual(await select(holder, "taken"), [[1]]);
    await post(page, "stopped", "taken 2\n");
    assert.equal((await select(holder, "taken"))[0].length, 2);
    await shut(holder);
    await holder.close();
  });

  it("says that a database in the origin private file system needs a tab", async () => {
    const holder = await tab();
    await open(holder, "opfs-alone", { storage: "opfs" });
    await shut(holder);
    const { status, body, ms } = await ask(page, "/db/opfs-alone/api/v1/query?query=1");
    assert.equal(status, 503);
    assert.match(JSON.parse(body).error, /origin private file system.*open it in a tab/);
    assert.ok(ms < 10_000, `after ${ms} ms`);
    // A tab that opens it is found by a request that waits already.
    const asking = query(page, "opfs-alone", "1");
    await open(holder, "opfs-alone", { storage: "opfs" });
    assert.deepEqual(await asking, [1]);
    await shut(holder);
    await holder.close();
  });

  it("fails in time where somebody has the database and does not answer", async () => {
    const holder = await tab();
    await holder.evaluate(() => void navigator.locks.request("sandglass/silent", () => new Promise(() => {})));
    const { status, type, body, ms } = await ask(page, "/db/silent/api/v1/query?query=1");
    assert.deepEqual([status, type], [503, "application/json"]);
    assert.equal(JSON.parse(body).errorType, "unavailable");
    assert.match(JSON.parse(body).error, /"silent" is open in a tab that does not answer/);
    assert.ok(ms < 10_000, `after ${ms} ms`);
    await holder.close();
    assert.deepEqual(await query(page, "silent", "1"), [1]);
  });

  it("works as docs/HTTP.md has it, when that is pasted and bundled", async () => {
    const text = await readFile(new URL("../../../docs/HTTP.md", import.meta.url), "utf8");
    const [worker, pasted] = ["// service-worker.js", "// the page"].map((title) => {
      const [, code] = text.split(`\`\`\`js\n${title}\n`);
      assert.ok(code, `docs/HTTP.md has a block of ${title}`);
      return code.split("```")[0];
    });
    // It is not at the root here.
    const moved = pasted.replace('"/service-worker.js"', '"/docs/service-worker.js"');
    assert.notEqual(moved, pasted);
    for (const [name, contents] of [
      ["service-worker.js", worker],
      ["page.js", `${moved}\nglobalThis.answer = await reply.json();`],
    ])
      await build({ stdin: { contents, resolveDir: project }, outfile: join(docs, name), bundle: true, format: "esm", target: "es2022" });
    await writeFile(join(docs, "index.html"), '<!doctype html><title>docs</title><script type="module" src="page.js"></script>');
    const reader = await context.newPage();
    await reader.goto(`${server.url}/docs/index.html`);
    const answer = await (await reader.waitForFunction(() => globalThis.answer)).jsonValue();
    assert.deepEqual(
      answer.data.result.map(({ metric, value }) => [metric.room, value[1]]),
      [["attic", "19.5"]],
    );
    await reader.close();
  });
});
