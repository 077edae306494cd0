// Tabs that share a database or wait for it, and a page that the browser keeps, in each of the other browsers.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { MOUNTS } from "../browsers/combinations.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { BROWSERS, visit } from "./browsers.mjs";
import { direct } from "./director.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = { inline: `/package/${await entry("./inline")}`, index: `/package/${await entry(".")}` };

const upTo = (end) => Array.from({ length: end }, (_, value) => value);

/** Opens a database in a page, where it stays. */
const begin = (page, where) =>
  page.evaluate(async ({ entry, options }) => {
    const { open } = await import(entry);
    globalThis.db = await open(options);
  }, where);

/** Appends the values from `from` on, each to one of ten series. */
const write = (page, from, to, step = 1) =>
  page.evaluate(
    async ([from, to, step]) => {
      for (let value = from; value < to; value += step)
        await globalThis.db.append({ __name__: "shared", part: String(value % 10) }, [1.7e12 + value], [value]);
    },
    [from, to, step],
  );

/** All values that are there, in order. */
const read = (page) =>
  page.evaluate(async () => {
    const found = await globalThis.db.select("shared", { fresh: true });
    return found.flatMap(({ values }) => [...values]).sort((a, b) => a - b);
  });

/** Closes the database and removes it. */
const end = (page, where) =>
  page.evaluate(async ({ entry, options }) => {
    const { destroy } = await import(entry);
    await globalThis.db.close();
    await destroy(options.name);
  }, where);

for (const browser of BROWSERS) {
  /** A connection of a page that has gone may stay in WebKit (docs/STORAGE.md). */
  const endOrLeave = (page, where) =>
    end(page, where).catch((error) => {
      if (browser.keepsTheLast || error.code !== "locked") throw error;
    });

  describe(`tabs of ${browser.name}`, () => {
    let server, profile, visited;
    const newPage = () => visited.newPage();
    before(async () => {
      server = await direct({ package: directory, ...MOUNTS });
      profile = await temporaryDirectory("tabs");
      visited = await visit(browser, profile, server);
    });
    after(async () => {
      await visited?.close();
      await server.close();
      await rm(profile, { recursive: true, force: true });
    });

    /** Where the browser keeps nothing of what came last before a page goes. */
    const keep = (page) => browser.keepsTheLast || page.evaluate(() => globalThis.db.sync());

    for (const [name, { entry, options }] of Object.entries(browser.combinations)) {
      const of = (title) => ({ entry: entries[entry], options: { name: `${title}-${name}`, retention: "100y", ...options } });

      it(`two tabs share a database, and what one of them leaves the other goes on with: ${name}`, async () => {
        const where = of("shared");
        const [holder, other] = [await newPage(), await newPage()];
        await begin(holder, where);
        await begin(other, where);
        await Promise.all([write(holder, 0, 1000, 2), write(other, 1, 1000, 2)]);
        // An append of the other may still be on its way to the holder.
        await other.evaluate(() => globalThis.db.flush());
        assert.deepEqual(await read(holder), upTo(1000));
        assert.deepEqual(await read(other), upTo(1000));
        // What the other appends in the very moment that the holder goes is not lost, and not there twice unless the holder was killed.
        await keep(holder);
        const going = write(other, 1000, 2000);
        await holder.close();
        await going;
        const found = await read(other);
        assert.deepEqual(browser.keepsTheLast ? found : [...new Set(found)], upTo(2000));
        const next = await newPage();
        await begin(next, where);
        await other.evaluate(() => globalThis.db.close());
        await write(next, 2000, 2100);
        assert.deepEqual([...new Set(await read(next))], upTo(2100));
        await endOrLeave(next, where);
        await Promise.all([other.close(), next.close()]);
      });

      it(`a second tab waits till the first one is closed: ${name}`, async () => {
        const where = of("alone");
        const [holder, other] = [await newPage(), await newPage()];
        const alone = { ...where, options: { ...where.options, ifLocked: "fail" } };
        await begin(holder, alone);
        await write(holder, 0, 10);
        await keep(holder);
        await assert.rejects(begin(other, alone), { code: "locked" });
        const waiting = begin(other, { ...where, options: { ...where.options, ifLocked: "wait" } });
        await holder.close();
        await waiting;
        assert.deepEqual(await read(other), upTo(10));
        await endOrLeave(other, where);
        await other.close();
      });

      it(`a page that its user comes back to goes on: ${name}`, async () => {
        const where = of("kept");
        const [page, other] = [await newPage(), await newPage()];
        await begin(page, where);
        await write(page, 0, 10);
        await keep(page);
        await page.goto(`${server.url}/blank.html?elsewhere`);
        await begin(other, where);
        await write(other, 10, 20);
        const isKept = await page.goBack();
        assert.equal(isKept, browser.keepsPages, "the browser has kept the page as it was");
        if (!isKept) await begin(page, where);
        await write(page, 20, 30);
        assert.deepEqual(await read(page), upTo(30));
        assert.deepEqual(await read(other), upTo(30));
        await other.evaluate(() => globalThis.db.close());
        await end(page, where);
        await Promise.all([page.close(), other.close()]);
      });
    }

    it("the pages have seen no error that nobody asked for", () => {
      assert.deepEqual(server.errors, []);
    });
  });
}
