// A page of an insecure origin, as a dev server's is that is opened on the phone by its address: no Web Locks, no OPFS, no Service Worker.
// What can be kept nowhere is refused with words that help there; memory works.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
let browser;
let page;

before(async () => {
  browser = await openPage({ mounts: { package: directory }, flags: ["--host-resolver-rules=MAP sandglass.lan 127.0.0.1"] });
  page = browser.page;
  await page.goto(`http://sandglass.lan:${new URL(browser.url).port}/blank.html`);
});
after(async () => {
  await browser?.close();
  await rm(project, { recursive: true, force: true });
});

it("the browser sees an insecure origin", async () => {
  const found = await page.evaluate(() => [
    isSecureContext,
    ...["locks", "storage", "serviceWorker"].map((name) => name in navigator),
    "indexedDB" in globalThis,
  ]);
  assert.deepEqual(found, [false, false, false, false, true]);
});

for (const name of [".", "./inline"]) {
  describe(`${name} at an insecure origin`, () => {
    const open = (options) =>
      page.evaluate(
        async ([path, options]) => {
          const { databases, open } = await import(path);
          try {
            const db = await open({ name: "lan", ...options });
            await db.append({ __name__: "up" }, [Date.now() - 1, Date.now()], [1, 2]);
            await db.sync();
            const { samples } = await db.ingest("down 1\n", { format: "prometheus" });
            const [{ values }] = await db.select("up", { fresh: true });
            const { status } = await db.fetch("/api/v1/labels");
            const { storage, thread, persistence } = db.opened;
            await db.close();
            return { values: [...values], samples, status, storage, thread, persistence, databases: await databases() };
          } catch ({ code, message }) {
            return `${code}: ${message}`;
          }
        },
        [path, options],
      );
    let path;
    before(async () => (path = `/package/${await entry(name)}`));

    it("memory does everything", async () => {
      assert.deepEqual(await open({ storage: "memory" }), {
        values: [1, 2],
        samples: 1,
        status: 200,
        storage: "memory",
        thread: name === "." ? "worker" : "caller",
        persistence: "none",
        databases: [],
      });
    });

    for (const options of [{}, { storage: "indexeddb" }, { storage: "opfs" }]) {
      it(`what keeps something is refused: ${options.storage ?? "the default"}`, async () => {
        assert.match(
          await open(options),
          /^unsupported: storage "(indexeddb|opfs)" needs .*secure context.*; serve the page from https or localhost, or use storage: "memory"$/,
        );
      });
    }

    it("there are no databases, and removing one is no wait", async () => {
      const found = await page.evaluate(async (path) => {
        const { databases, destroy } = await import(path);
        const said = await destroy("lan").then(
          () => "removed",
          ({ code, message }) => `${code}: ${message}`,
        );
        return [await databases(), said];
      }, path);
      assert.deepEqual(found[0], []);
      assert.match(found[1], /^removed$|^unsupported: .*secure context/);
    });
  });
}
