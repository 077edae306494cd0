// Two tabs of a real browser: one writes and merges all the time, the other reads; and a writer that was replaced.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { serve, visit } from "./persistent.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = {
  worker: `/package/${(await entry(".")).replace("./", "")}`,
  page: `/package/${(await entry("./inline")).replace("./", "")}`,
};
/** OPFS is written from a worker alone. */
const PLACES = [
  ["worker", "indexeddb"],
  ["worker", "opfs"],
  ["page", "indexeddb"],
];

/** Longer than a reader is content with what it has seen. */
const A_LOOK_MS = 250;

/** Opens a database in a tab, as `globalThis.db`. Answers its role, or the code of the error. */
const openIn = (tab, index, options) =>
  tab.evaluate(
    async ({ index, options }) => {
      globalThis.sandglass = await import(index);
      globalThis.db = await globalThis.sandglass.open({ retention: "100y", ...options });
      return globalThis.db.opened.role;
    },
    { index, options },
  );
const call = (tab, work) =>
  tab.evaluate(
    (work) =>
      new Function(`return (async () => { ${work} })()`)().then(
        (value) => ({ value }),
        ({ code, message }) => ({ code, message }),
      ),
    work,
  );
const close = (tab) => call(tab, "await globalThis.db.close()");
/** How many samples there are, and whether they are what the writer writes. */
const COUNT = `
  let samples = 0;
  for (const { labels, timestamps, values } of await globalThis.db.select("written")) {
    for (let i = 0; i < values.length; i++) if (values[i] !== Number(labels.i) * 1e6 + (timestamps[i] - 1.7e12) / 1000) throw new Error("a wrong sample in " + labels.i);
    samples += values.length;
  }
  return samples;`;
const TAR = `
  const tar = new Uint8Array(await new Response(globalThis.db.snapshots.download((await globalThis.db.snapshots.list())[0])).arrayBuffer());
  const digest = await crypto.subtle.digest("SHA-256", tar);
  return [tar.length, ...new Uint8Array(digest)].join(" ");`;

for (const [where, storage] of PLACES) {
  const index = entries[where];
  const open = (tab, options) => openIn(tab, index, { storage, ...options });
  describe(`two tabs, engines in the ${where}, storage: ${storage}`, async () => {
    const server = await serve({ package: directory });
    const profile = await temporaryDirectory("readers");
    const { page: one, context, close: quit } = await visit(profile, server.url);
    after(async () => {
      await quit();
      await server.close();
      await rm(profile, { recursive: true, force: true });
    });
    const [other, third] = [await context.newPage(), await context.newPage()];
    for (const tab of [other, third]) await tab.goto(one.url());

    it("one writes and merges, the other follows", async () => {
      const name = `followed in the ${where}`;
      assert.equal(await open(one, { name }), "writer");
      assert.equal(await open(other, { name, ifLocked: "readonly" }), "reader");
      await one.evaluate(() => {
        globalThis.synced = 0;
        globalThis.stop = false;
        globalThis.writing = (async () => {
          const { db } = globalThis;
          for (let round = 0; !globalThis.stop; round++) {
            for (let i = 0; i < 100; i++) {
              const timestamps = Array.from({ length: 20 }, (_, n) => 1.7e12 + (round * 20 + n) * 1000);
              await db.append(
                { __name__: "written", i: String(i) },
                timestamps,
                timestamps.map((timestamp) => i * 1e6 + (timestamp - 1.7e12) / 1000),
              );
            }
            await db.sync();
            globalThis.synced += 2000;
            if (round % 5 === 4) await db.forceMerge();
            if (round === 3) await db.snapshots.create();
          }
        })();
      });
      let seen = 0;
      for (let look = 0; look < 20 || seen < 20_000; look++) {
        const durable = await one.evaluate(() => globalThis.synced);
        await sleep(A_LOOK_MS);
        const { value, message } = await call(other, COUNT);
        assert.ok(
          value >= durable && value >= seen,
          `look ${look}: ${value} samples where ${durable} were durable and ${seen} were seen; ${message}`,
        );
        seen = value;
      }
      assert.equal((await call(other, "await globalThis.db.append({ __name__: 'mine' }, [1], [1])")).code, "locked");
      assert.equal((await call(other, "await globalThis.db.snapshots.deleteAll()")).code, "locked");
      await one.evaluate(() => ((globalThis.stop = true), globalThis.writing));
      const total = await one.evaluate(() => globalThis.synced);
      await sleep(A_LOOK_MS);
      assert.equal((await call(other, COUNT)).value, total);
      assert.equal((await call(other, TAR)).value, (await call(one, TAR)).value);

      await close(one);
      assert.equal((await call(other, COUNT)).value, total);
      assert.equal(await open(third, { name, ifLocked: "readonly" }), "writer");
      assert.equal((await call(third, COUNT)).value, total);
      await call(third, `await globalThis.db.append({ __name__: "written", i: "0" }, [1.75e12], [5e7]); await globalThis.db.sync();`);
      await sleep(A_LOOK_MS);
      assert.equal((await call(other, COUNT)).value, total + 1);
      await close(other);
      await close(third);
    });

    /** A browser that has put a tab to sleep, or lost the process with its locks. */
    const steal = (lock) => third.evaluate((lock) => navigator.locks.request(lock, { steal: true }, () => {}), lock);

    if (storage === "opfs") {
      it("a writer whose lock was taken away still has its files, and nobody else gets them before it closes", async () => {
        const name = `kept in the ${where}`;
        assert.equal(await open(one, { name }), "writer");
        await call(one, `await globalThis.db.append({ __name__: "written", i: "1" }, [1.7e12], [1e6]); await globalThis.db.sync();`);
        await steal(`sandglass-opfs/${name}`);
        await assert.rejects(open(other, { name, ifLocked: "fail" }), /another tab|still open/);
        assert.equal(
          (await call(one, `await globalThis.db.append({ __name__: "written", i: "2" }, [1.7e12], [2e6]); await globalThis.db.sync();`))
            .code,
          undefined,
        );
        assert.equal((await call(one, COUNT)).value, 2);
        await close(one);
        assert.equal(await open(third, { name }), "writer");
        assert.equal((await call(third, COUNT)).value, 2);
        await close(third);
      });
      return;
    }

    it("a writer that is fenced while nobody asks it for anything says so, and ends", async () => {
      const name = `fenced at rest in the ${where}`;
      assert.equal(await open(one, { name }), "writer");
      await steal(`sandglass/${name}`);
      assert.equal(await open(other, { name }), "writer");
      await call(one, `globalThis.events = []; globalThis.db.observe((event) => globalThis.events.push(event));`);
      // It is accepted, and what is known of it is only written some seconds later.
      await call(one, `await globalThis.db.append({ __name__: "written", i: "3" }, [1.7e12], [3e6]);`);
      for (
        const deadline = Date.now() + 20_000;
        !(await one.evaluate(() => globalThis.events.some(({ type }) => type === "degraded")));
        await sleep(100)
      ) {
        assert.ok(Date.now() < deadline, "nothing was told in 20 s");
      }
      assert.equal((await call(one, "globalThis.db.series({ __name__: 'any' })")).code, "locked");
      assert.equal((await call(one, "globalThis.db.now()")).code, "locked");
      for (const deadline = Date.now() + 10_000; one.workers().length > 0; await sleep(20))
        assert.ok(Date.now() < deadline, "its worker lives on");
      await close(other);
      assert.equal(await open(other, { name }), "writer");
      await close(other);
    });

    it("a writer whose lock was taken away is fenced, says so ever after, and harms nothing", async () => {
      const name = `fenced in the ${where}`;
      assert.equal(await open(one, { name }), "writer");
      await call(one, `await globalThis.db.append({ __name__: "written", i: "1" }, [1.7e12], [1e6]); await globalThis.db.sync();`);
      await steal(`sandglass/${name}`);
      assert.equal(await open(other, { name }), "writer");
      await call(other, `await globalThis.db.append({ __name__: "written", i: "2" }, [1.7e12], [2e6]); await globalThis.db.sync();`);
      await call(one, `globalThis.events = []; globalThis.db.observe((event) => globalThis.events.push(event));`);
      const late = `await globalThis.db.append({ __name__: "written", i: "3" }, [1.7e12], [3e6]); await globalThis.db.sync();`;
      const refused = await call(one, late);
      assert.equal(refused.code, "locked");
      assert.match(refused.message, /a newer writer has taken the database over/);
      for (const work of [late, COUNT, "await globalThis.db.snapshots.list()", "await globalThis.db.close()"])
        assert.equal((await call(one, work)).code, "locked", work);
      assert.equal((await call(other, COUNT)).value, 2);
      const { value: events } = await call(one, "return globalThis.events");
      const degraded = events.filter(({ type }) => type === "degraded");
      assert.deepEqual([...new Set(degraded.map(({ code }) => code))], ["locked"], JSON.stringify(events));
      assert.match(degraded.at(-1).message, /^the database has stopped: a newer writer/);
      await close(other);
      assert.equal(await open(third, { name }), "writer");
      assert.equal((await call(third, COUNT)).value, 2);
      await close(third);
    });
  });
}
