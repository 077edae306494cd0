// The contract in a page of headless Chromium, on the package as npm installs it and with nothing but a module script; and what
// only storage that outlives the page can be asked.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { after, describe, it } from "node:test";
import { declareContract } from "../contract/declare.mjs";
import { openPage, serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { visit } from "./persistent.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const mounts = { package: directory, contract: fileURLToPath(new URL("../contract", import.meta.url)) };
const index = `/package/${(await entry(".")).replace("./", "")}`;
const inline = `/package/${(await entry("./inline")).replace("./", "")}`;

describe("sandglass in Chromium", async () => {
  const browser = await openPage({ mounts });
  after(() => browser.close());
  declareContract(
    { worker: ["memory", "indexeddb", "opfs"], caller: ["memory", "indexeddb"] },
    { worker: index, caller: inline },
    () => browser.page,
  );

  it("databases of one name in two storages don't know each other, and names may be any text", async () => {
    const found = await browser.page.evaluate(async (index) => {
      const { open, databases, destroy } = await import(index);
      const name = "../Größe %2f 🦀.";
      const written = { indexeddb: [1], opfs: [2, 3] };
      const opened = [];
      for (const [storage, values] of Object.entries(written)) {
        const db = await open({ name, storage });
        await db.append(
          { __name__: "up" },
          values.map((_, n) => Date.now() - n),
          values,
        );
        await db.sync();
        opened.push(db);
      }
      const lengths = [];
      for (const db of opened) lengths.push((await db.select("up"))[0].values.length);
      const listed = (await databases()).filter((found) => found === name).length;
      const refused = [];
      for (const db of opened) {
        refused.push(await destroy(name).catch(({ code }) => code));
        await db.close();
      }
      const kept = await open({ name, storage: "opfs" });
      lengths.push((await kept.select("up"))[0].values.length);
      await kept.close();
      await destroy(name);
      return [lengths, listed, refused, (await databases()).includes(name)];
    }, index);
    assert.deepEqual(found, [[1, 2, 2], 1, ["locked", "locked"], false]);
  });

  it("without a choice a database is where it is already, else in OPFS where the engine has a worker, else in IndexedDB", async () => {
    const found = await browser.page.evaluate(
      async ([index, inline]) => {
        const [worker, caller] = [await import(index), await import(inline)];
        /** Where it is, and what its one series has; a sample more each time. */
        const visit = async ({ open }, name, options) => {
          const db = await open({ name, ...options });
          const now = Date.now();
          await db.append({ __name__: "up" }, [now], [1]);
          const [{ values }] = await db.select("up", { fresh: true });
          const { storage } = db;
          await db.close();
          return `${storage} ${values.length}`;
        };
        const found = [
          await visit(worker, "chosen-new"),
          await visit(worker, "chosen-new"),
          // The engine can't go there from this thread, and begins nothing anew beside it.
          await visit(caller, "chosen-new").catch(({ code }) => code),
          await visit(caller, "chosen-old"),
          await visit(worker, "chosen-old"),
        ];
        const held = await worker.open({ name: "chosen-new" });
        found.push(await visit(caller, "chosen-new"));
        await held.close();
        // A page whose policy forbids workers.
        const { Worker } = globalThis;
        globalThis.Worker = class {
          constructor() {
            throw new DOMException("refused", "SecurityError");
          }
        };
        found.push(await visit(worker, "chosen-without"));
        globalThis.Worker = Worker;
        for (const name of ["chosen-new", "chosen-old", "chosen-without"]) await worker.destroy(name);
        return found;
      },
      [index, inline],
    );
    assert.deepEqual(found, ["opfs 1", "opfs 2", "unsupported", "indexeddb 1", "indexeddb 2", "opfs 3", "indexeddb 1"]);
  });

  for (const storage of ["indexeddb", "opfs"])
    it(`a worker of one's own is as good a place, storage: ${storage}`, async () => {
      const found = await browser.page.evaluate(
        async ([inline, storage]) => {
          const code = `import { open, destroy } from ${JSON.stringify(new URL(inline, location.href).href)};
        const db = await open({ name: "in-a-worker", storage: ${JSON.stringify(storage)} });
        await db.append({ __name__: "up" }, [Date.now() - 1, Date.now()], [1, 2]);
        await db.flush();
        const found = await db.select("up");
        const { storage } = db;
        await db.close();
        await destroy("in-a-worker");
        postMessage([storage, [...found[0].values]]);`;
          const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
          return new Promise((resolve, reject) => {
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => reject(new Error(message));
            worker.addEventListener("unhandledrejection", ({ reason }) => reject(reason));
          });
        },
        [inline, storage],
      );
      assert.deepEqual(found, [storage, [1, 2]]);
    });

  for (const [where, entry, storage] of [
    ["the worker", index, "indexeddb"],
    ["the worker", index, "opfs"],
    ["the page", inline, "indexeddb"],
  ]) {
    it(`a page that goes away gives its lock back, and has its database again when it comes back: engine in ${where}, storage: ${storage}`, async () => {
      const { page } = browser;
      const options = { entry, storage };
      await page.evaluate(async ({ entry, storage }) => {
        const { open } = await import(entry);
        globalThis.db = await open({ name: "put-away", storage });
        await globalThis.db.append({ __name__: "up" }, [Date.now()], [1]);
        await globalThis.db.sync();
        // What a browser does to a page that it keeps for the way back.
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      }, options);
      const after = await page.evaluate(async ({ entry, storage }) => {
        const { open, destroy } = await import(entry);
        const between = await open({ name: "put-away", storage, ifLocked: "wait" });
        const series = [(await between.select("up")).length];
        await between.close();
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        series.push((await globalThis.db.select("up")).length);
        await globalThis.db.close();
        await destroy("put-away");
        return [series, await globalThis.db.closed];
      }, options);
      assert.deepEqual(after, [[1, 1], { reason: "closed" }]);
    });
  }

  it("the page has seen no error that nobody asked for", () => {
    assert.deepEqual(browser.errors, []);
  });
});

/** In the page: opens the stored database, does `work`, and tells what is in it. */
const inPage = (page, work, close = true) =>
  page.evaluate(
    async ({ index, work, close }) => {
      const [sandglass, contract] = await Promise.all([import(index), import("/contract/contract.mjs")]);
      const db = await sandglass.open({
        name: "stored",
        storage: "indexeddb",
        retention: "100y",
        clock: "manual",
        startTime: contract.START + 24 * 3600_000,
      });
      globalThis.db = db;
      const found = work === "fill" ? await contract.fillStored(db) : await db.select('{__name__!=""}');
      const told = found.map(({ labels, timestamps, values }) => [labels, Array.from(timestamps), Array.from(values)]);
      if (close) await db.close();
      return JSON.stringify(told);
    },
    { index, work, close },
  );

describe("what is stored in Chromium", async () => {
  const profile = await temporaryDirectory("profile");
  const server = await serve(mounts);
  after(async () => {
    await server.close();
    await rm(profile, { recursive: true, force: true });
  });
  let written;

  it("is there after the page is loaded again, closed before or not", async () => {
    const { page, close } = await visit(profile, server.url);
    try {
      written = await inPage(page, "fill");
      assert.ok(written.length > 100_000);
      await page.reload();
      assert.equal(await inPage(page, "read", false), written);
      // The new page comes while the old one still holds the lock.
      await page.reload();
      assert.equal(await inPage(page, "read", false), written);
    } finally {
      await close();
    }
  });

  it("is there after the browser was started again", async () => {
    const { page, close } = await visit(profile, server.url);
    try {
      assert.equal(await inPage(page, "read"), written);
    } finally {
      await close();
    }
  });

  it("is held by one tab at a time, and the next one gets it when the first is closed", async () => {
    const { page, context, close } = await visit(profile, server.url);
    try {
      await inPage(page, "read", false);
      const other = await context.newPage();
      await other.goto(`${server.url}/blank.html`);
      await assert.rejects(inPage(other, "read"), /another tab/);
      const waiting = other.evaluate(
        async ({ index }) => {
          const { open } = await import(index);
          const db = await open({ name: "stored", storage: "indexeddb", retention: "100y", ifLocked: "wait" });
          const series = await db.labels();
          await db.close();
          return series.length;
        },
        { index },
      );
      await page.close();
      assert.equal(await waiting, JSON.parse(written).length);
    } finally {
      await close();
    }
  });

  // The last to use this profile: Chromium may delete its databases at the second start after a kill (docs/STORAGE.md), of which
  // `make kill-loop` knows.
  it("is there after the browser was killed, when sync() had resolved", async () => {
    const first = await visit(profile, server.url);
    let durable;
    try {
      durable = await first.page.evaluate(
        async ({ index }) => {
          const [sandglass, contract] = await Promise.all([import(index), import("/contract/contract.mjs")]);
          const db = await sandglass.open({
            name: "stored",
            storage: "indexeddb",
            retention: "100y",
            clock: "manual",
            startTime: contract.START + 24 * 3600_000,
          });
          for (let i = 0; i < 20; i++)
            await db.append({ __name__: "before_the_crash", i: String(i) }, [contract.START + i, contract.START + 1e6], [i, -i]);
          await db.sync();
          const found = await db.select('{__name__!=""}');
          // And on it goes: what comes now may be lost, and must not harm what is there.
          void (async () => {
            for (let n = 0; ; n++) {
              await db.append({ __name__: "during_the_crash", n: String(n % 100) }, [contract.START + n], [n]);
              if (n % 50 === 0) await db.tick(1000);
            }
          })();
          return JSON.stringify(found.map(({ labels, timestamps, values }) => [labels, Array.from(timestamps), Array.from(values)]));
        },
        { index },
      );
      await new Promise((resolve) => setTimeout(resolve, 700));
    } finally {
      await first.kill();
    }
    const second = await visit(profile, server.url);
    try {
      const found = JSON.parse(await inPage(second.page, "read"));
      const kept = found.filter(([{ __name__ }]) => __name__ !== "during_the_crash");
      assert.equal(JSON.stringify(kept), durable);
    } finally {
      await second.close();
    }
  });
});
