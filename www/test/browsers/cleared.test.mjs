// The browser takes the storage away beneath open databases: a log-out with `Clear-Site-Data`, a user who clears the site's data, a
// database deleted by something else. Nobody goes on in a database that he has not opened, and nobody waits for ever.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));
const entries = { inline: `/package/${await package_.entry("./inline")}`, index: `/package/${await package_.entry(".")}` };

/** No call takes longer: ten seconds are the longest deadline of the storage, the rest is for a disk that other tests keep busy. */
const DEADLINE_MS = 40_000;

for (const [combination, { entry, options }] of Object.entries(COMBINATIONS)) {
  describe(`storage that is taken away: ${combination}`, async () => {
    const server = await serve({ package: package_.directory, ...MOUNTS });
    after(() => server.close());

    /** Two pages of a new browser; `clear` is what clearing the site's data does. */
    const inBrowser = async (work) => {
      const profile = await temporaryDirectory("cleared");
      const { page, context, close } = await visit(profile, server.url);
      try {
        const other = await context.newPage();
        await other.goto(`${server.url}/blank.html`);
        const session = await context.newCDPSession(page);
        const clear = (storageTypes) => session.send("Storage.clearDataForOrigin", { origin: server.url, storageTypes });
        await work({ page, other, clear });
      } finally {
        await close();
        await rm(profile, { recursive: true, force: true });
      }
    };
    /** In a page: code with `open`, which keeps what it likes in `globalThis`; its value, or the code of its error. */
    const run = (page, work) =>
      page.evaluate(
        async ({ entry, options, work, deadline }) => {
          const sandglass = await import(entry);
          const open = (more) => sandglass.open({ name: "cleared", retention: "100y", ...options, ...more });
          const late = new Promise((resolve) => setTimeout(resolve, deadline, "nothing was heard in time"));
          const call = new Function("sandglass", "open", `return (async () => { ${work} })()`)(sandglass, open);
          return Promise.race([call.catch(({ code, message }) => code ?? message), late]);
        },
        { entry: entries[entry], options, work, deadline: DEADLINE_MS },
      );
    const BEGIN = "globalThis.db = await open(); await globalThis.db.append({ __name__: 'a' }, [1.7e12], [1]); await globalThis.db.sync();";
    const READ =
      "await globalThis.db.flush(); return (await globalThis.db.select('{__name__=~\".+\"}')).map(({ labels, values }) => [labels.__name__, ...values]);";
    const WRITE_ON =
      "await globalThis.db.append({ __name__: 'late' }, Float64Array.from({ length: 5000 }, (_, i) => 1.7e12 + i), new Float64Array(5000)); await globalThis.db.sync(); return 'stored'";

    it("an open database ends, and a new one beside it is left alone", () =>
      inBrowser(async ({ page, other, clear }) => {
        assert.equal(await run(page, BEGIN), undefined);
        await clear("all");
        // What is written on is lost together with the rest, and nobody is told that it is stored.
        assert.equal(await run(page, WRITE_ON), "closed");
        assert.equal(await run(page, "return (await globalThis.db.closed).reason"), "lost");
        assert.equal(await run(page, "return globalThis.db.close().then(() => 'closed', ({ code }) => code)"), "closed");
        const again = await run(other, `${BEGIN} ${READ}`);
        if (options.storage === "opfs" && typeof again === "string") return assert.equal(again, "locked");
        assert.deepEqual(again, [["a", 1]]);
        // The page that lost it works with the new one, too.
        assert.deepEqual(await run(page, `globalThis.db = await open(); ${READ}`), [["a", 1]]);
      }));

    it("two pages that both write never meet in one database", () =>
      inBrowser(async ({ page, other, clear }) => {
        assert.equal(await run(page, BEGIN), undefined);
        await clear("all");
        const WRITE =
          "for (let i = 0; i < 5; i++) { await globalThis.db.append({ __name__: 'w' + i }, [1.7e12 + i], [i]); await globalThis.db.sync(); } await globalThis.db.forceMerge(); return 'stored'";
        const second = await run(other, `globalThis.db = await open(); ${WRITE}`);
        if (options.storage === "opfs" && second === "locked") return;
        assert.equal(second, "stored");
        // Which of the two it notices first, the loss or the other one, is chance.
        assert.match(await run(page, WRITE), /^(closed|locked)$/);
        assert.equal(await run(other, WRITE), "stored");
        assert.match(await run(page, WRITE), /^(closed|locked)$/);
        assert.deepEqual(
          (await run(other, READ)).map(([name]) => name),
          ["w0", "w1", "w2", "w3", "w4"],
        );
        assert.equal(await run(other, "await globalThis.db.close(); globalThis.db = await open(); return 'whole'"), "whole");
      }));

    it("a log-out and a log-in without a reload", () =>
      inBrowser(async ({ page, clear }) => {
        assert.equal(await run(page, `${BEGIN} await globalThis.db.close();`), undefined);
        await clear("all");
        for (let i = 0; i < 3; i++) {
          const outcome = await run(
            page,
            `${BEGIN} const found = await (async () => { ${READ} })(); await globalThis.db.close(); return found;`,
          );
          assert.deepEqual(
            outcome.map(([name]) => name),
            ["a"],
            JSON.stringify(outcome),
          );
        }
      }));

    it("a log-out by the header Clear-Site-Data, beneath an open database", () =>
      inBrowser(async ({ page }) => {
        assert.equal(await run(page, BEGIN), undefined);
        assert.equal(await run(page, "return (await fetch('/log-out')).text()"), "logged out");
        assert.equal(await run(page, WRITE_ON), "closed");
        assert.equal(await run(page, "return (await globalThis.db.closed).reason"), "lost");
        const again = await run(page, `${BEGIN} ${READ}`);
        assert.deepEqual(again, [["a", 1]]);
      }));

    if (options.storage === "indexeddb")
      it("something else deletes the database", () =>
        inBrowser(async ({ page, other }) => {
          assert.equal(await run(page, BEGIN), undefined);
          await other.evaluate(() => new Promise((resolve) => (indexedDB.deleteDatabase("sandglass:cleared").onsuccess = resolve)));
          assert.equal(await run(page, WRITE_ON), "closed");
          assert.equal(await run(page, "return (await globalThis.db.closed).reason"), "lost");
          assert.deepEqual(await run(page, `${BEGIN} ${READ}`), [["a", 1]]);
        }));
  });
}
