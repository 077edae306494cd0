// Several tabs on one database: who gets it, what the others are told, and that nobody waits for ever.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";
import { crashRounds } from "./crash_rounds.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));
const index = `/package/${await package_.entry(".")}`;

/** Longer than any call may take that has no reason to wait. */
const SOON_MS = 8_000;

/** In a tab: a call of its database, which is kept at `globalThis.db`; answers its value, or the code of its error. Never waits for ever. */
const inTab = (tab, work, argument) =>
  tab.evaluate(
    async ({ index, work, argument, deadline }) => {
      const sandglass = await import(index);
      const late = new Promise((resolve) => setTimeout(resolve, deadline, { code: "nothing was heard in time" }));
      const call = new Function("sandglass", "argument", `return (async () => { ${work} })()`)(sandglass, argument);
      return Promise.race([
        call.then(
          (value) => ({ value }),
          ({ code, message }) => ({ code: code ?? message }),
        ),
        late,
      ]);
    },
    { index, work, argument, deadline: SOON_MS },
  );
const OPEN =
  "globalThis.db = await sandglass.open({ name: 'tabs', retention: '100y', ifLocked: 'fail', ...argument }); return globalThis.db.storage;";
const WRITE = "await globalThis.db.append({ __name__: 'written' }, [Date.now() - argument], [argument]); await globalThis.db.sync();";
const READ = "return (await globalThis.db.select('written')).flatMap(({ values }) => [...values]).sort((a, b) => a - b);";
const CLOSE = "await globalThis.db?.close(); globalThis.db = undefined;";

for (const storage of new Set(Object.values(COMBINATIONS).map(({ options }) => options.storage))) {
  describe(`two tabs on ${storage}`, async () => {
    const server = await serve({ package: package_.directory, ...MOUNTS });
    const profile = await temporaryDirectory("tabs");
    const { page: one, context, close, freeze } = await visit(profile, server.url);
    const other = await context.newPage();
    await other.goto(`${server.url}/blank.html`);
    after(async () => {
      await close();
      await server.close();
      await rm(profile, { recursive: true, force: true });
    });
    const open = (tab, options = {}) => inTab(tab, OPEN, { storage, ...options });
    const opened = { value: storage };

    it("that open at the same instant: one gets it, and the other is told", async () => {
      for (let n = 0; n < 5; n++) {
        const outcomes = await Promise.all([open(one), open(other)]);
        assert.deepEqual(outcomes.map(({ code }) => code ?? "open").sort(), ["locked", "open"]);
        await Promise.all([inTab(one, CLOSE), inTab(other, CLOSE)]);
      }
    });

    it("one that waits gets it when the other closes, and finds what was written", async () => {
      assert.deepEqual(await open(one), opened);
      assert.deepEqual(await inTab(one, WRITE, 1), { value: undefined });
      const waiting = open(other, { ifLocked: "wait" });
      await sleep(200);
      await inTab(one, WRITE, 2);
      await inTab(one, CLOSE);
      assert.deepEqual(await waiting, opened);
      assert.deepEqual(await inTab(other, READ), { value: [1, 2] });
      await inTab(other, CLOSE);
    });

    it("one that waits gets it when the other goes away without a word", async () => {
      const third = await context.newPage();
      await third.goto(`${server.url}/blank.html`);
      assert.deepEqual(await open(third), opened);
      await inTab(third, WRITE, 3);
      const waiting = open(one, { ifLocked: "wait" });
      await third.close();
      assert.deepEqual(await waiting, opened);
      assert.deepEqual(await inTab(one, READ), { value: [1, 2, 3] });
      await inTab(one, CLOSE);
    });

    it("a frozen one keeps it, the other is told so in time, and nothing is lost when it thaws", async () => {
      assert.deepEqual(await open(one), opened);
      await inTab(one, WRITE, 4);
      const thaw = await freeze(one);
      const beat = one.evaluate(() => "alive");
      assert.equal(await Promise.race([beat, sleep(500, "frozen")]), "frozen");

      assert.deepEqual(await open(other), { code: "locked" });
      assert.deepEqual(await inTab(other, "return sandglass.destroy('tabs')"), { code: "locked" });
      const givenUp = inTab(other, OPEN.replace("...argument", "...argument, signal: AbortSignal.timeout(1000)"), {
        storage,
        ifLocked: "wait",
      });
      assert.deepEqual(await givenUp, { code: "aborted" });

      thaw();
      assert.equal(await beat, "alive");
      assert.deepEqual(await inTab(one, WRITE, 5), { value: undefined });
      assert.deepEqual(await inTab(one, READ), { value: [1, 2, 3, 4, 5] });
      const waiting = open(other, { ifLocked: "wait" });
      await inTab(one, CLOSE);
      assert.deepEqual(await waiting, opened);
      assert.deepEqual(await inTab(other, READ), { value: [1, 2, 3, 4, 5] });
      await inTab(other, CLOSE);
    });
  });
}

crashRounds({
  title: "a tab is reloaded while it writes",
  count: 10,
  longestMs: 350,
  package_,
  start: visit,
  crash: async (browser) => {
    await browser.page.reload();
    return browser;
  },
});
