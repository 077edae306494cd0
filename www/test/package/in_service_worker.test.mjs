// The database itself in a module Service Worker of real Chromium, where nothing may be loaded later: each call works, or is refused by a
// code and words that fit there. Bundled into one file all works. (`sandglass/service-worker`, which answers requests, has a test of its own.)
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { build } from "esbuild";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
const site = join(project, "site");
await mkdir(site);

/** Does everything a page would, and answers a message with what came of each step. */
const scriptOf = (from, name) => `import { databases, open } from ${JSON.stringify(from)};
const download = async (db) => {
  // Whoever reads by a Response gets Chromium's "Failed to fetch" in place of what a stream has failed with.
  const reader = db.snapshots.download(await db.snapshots.create()).getReader();
  let bytes = 0;
  for (let piece; !(piece = await reader.read()).done; ) bytes += piece.value.length;
  return bytes > 1000 ? "a tar" : bytes;
};
const STEPS = {
  select: async (db) => (await db.select("up"))[0].values.length,
  regex: async (db) => (await db.labels('{job=~"d.m[o-p]"}')).length,
  export: async (db) => (await new Response(db.export()).text()).trim().split("\\n").length,
  inspect: async (db) => (await db.inspect()).ingested.rows,
  ingest: async (db) => (await db.ingest("down 1\\n", { format: "prometheus" })).samples,
  query: async (db) => (await db.query("sum(up)", { time: Date.now() })).series.length,
  fetch: async (db) => (await db.fetch("/api/v1/labels")).status,
  databases: async () => (await databases()).includes(${JSON.stringify(name)}),
  download,
};
async function run(storage) {
  const db = await open({ name: ${JSON.stringify(name)}, storage });
  const found = {};
  await db.append({ __name__: "up", job: "demo" }, [Date.now() - 1, Date.now()], [1, 0]);
  await db.flush();
  for (const [step, call] of Object.entries(STEPS))
    found[step] = await call(db).catch((error) => (error.code ?? "no code") + ": " + error.message);
  await db.close();
  return found;
}
addEventListener("install", () => skipWaiting());
addEventListener("message", ({ data, ports: [port] }) =>
  run(data).then((found) => port.postMessage(found), (error) => port.postMessage((error.code ?? "no code") + ": " + error.message)));
`;

const browser = await openPage({ mounts: { site, package: directory } });
const { page, url } = browser;
after(async () => {
  await browser.close();
  await rm(project, { recursive: true, force: true });
});

/** What a Service Worker of this script finds, in either storage. */
async function foundBy(script, storage) {
  await page.goto(`${url}/blank.html`);
  return page.evaluate(
    async ([script, storage]) => {
      const scope = script.replace(/\.js$/, "/");
      const registration = await navigator.serviceWorker.register(script, { type: "module", scope });
      const worker = registration.installing ?? registration.waiting ?? registration.active;
      while (worker.state !== "activated") await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
      const { port1, port2 } = new MessageChannel();
      const answer = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
      worker.postMessage(storage, [port2]);
      return answer;
    },
    [`/site/${script}`, storage],
  );
}

const WORKING = { select: 2, regex: 1, export: 1, inspect: 2, ingest: 1, query: 1, fetch: 200, download: "a tar" };
const REFUSED =
  /^unsupported: .*browsers forbid in service workers; bundle the service worker's script into one file, or do this in a page$/;
/** What waits for its module until it is asked for. */
const LATER = ["ingest", "query", "fetch", "databases", "download"];

describe("in a Service Worker", () => {
  it('"sandglass" is refused where it is opened, and names what can be opened there', async () => {
    await writeFile(join(site, "index.js"), scriptOf(`/package/${await entry()}`, "sw-index"));
    const said = await foundBy("index.js", "memory");
    assert.match(said, /^unsupported: .*browsers forbid in service workers; import "sandglass\/inline" there, bundle .* into one file/);
  });

  for (const storage of ["memory", "indexeddb"]) {
    it(`"sandglass/inline" opens, appends and reads, and refuses with a reason what it would have to load: ${storage}`, async () => {
      await writeFile(join(site, "inline.js"), scriptOf(`/package/${await entry("./inline")}`, "sw-inline"));
      const found = await foundBy("inline.js", storage);
      for (const [step, result] of Object.entries(found)) {
        if (LATER.includes(step)) assert.match(result, REFUSED, step);
        else assert.deepEqual(result, WORKING[step], step);
      }
      assert.deepEqual(Object.keys(found).length, 9);
    });
  }

  for (const name of ["sandglass", "sandglass/inline"]) {
    for (const storage of ["memory", "indexeddb"]) {
      it(`"${name}", bundled into one file, does everything: ${storage}`, async () => {
        const script = `bundled-${name.replace("/", "-")}.js`;
        await writeFile(join(project, script), scriptOf(name, script));
        await build({ entryPoints: [join(project, script)], bundle: true, format: "esm", outfile: join(site, script), logLevel: "silent" });
        assert.deepEqual(await foundBy(script, storage), { ...WORKING, databases: storage === "indexeddb" });
      });
    }
  }
});
