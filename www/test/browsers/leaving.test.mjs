// Chromium's pages, left while they append: reloaded, navigated away from with and without coming back, closed; and engines that are
// ended without a word. LEAVES= says how often each way is gone; leave_rounds.mjs has more to choose.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after } from "node:test";
import { visit } from "../package/persistent.mjs";
import { installPackage } from "../server/packed.mjs";
import { leaveRounds } from "./leave_rounds.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));

await leaveRounds({
  title: "a page of Chromium is left",
  count: Number(process.env.LEAVES ?? 2),
  package_,
  start: visit,
  ways: {
    async "a reload"({ browser }) {
      await browser.page.reload();
    },
    async "a navigation"({ browser, url }) {
      await browser.page.goto(`${url.replace("localhost", "127.0.0.1")}/blank.html`);
      await browser.page.goto(`${url}/blank.html`);
    },
    async "a navigation and the way back"({ browser, url }) {
      await browser.page.goto(`${url}/blank.html?elsewhere`);
      await browser.page.goBack();
    },
    async "a closed tab"({ browser, url }) {
      // A browser without a page ends.
      const next = await browser.context.newPage();
      const gone = browser.page.waitForEvent("close");
      await browser.page.close({ runBeforeUnload: true });
      await gone;
      browser.page = next;
      await browser.page.goto(`${url}/blank.html`);
    },
    async "a killed process"({ browser, url, profile }) {
      const gone = browser.page.waitForEvent("crash");
      const end = Date.now();
      assert.ok(browser.killRenderers() > 0);
      await gone;
      browser.page = await browser.anotherPage().catch(async () => {
        // The samples are stored or lost by now: the browser begun anew tells as well.
        await browser.close();
        Object.assign(browser, await visit(profile, url));
        return browser.page;
      });
      return end;
    },
    async "a killed worker"({ browser }) {
      const end = Date.now();
      await Promise.all(browser.page.workers().map((worker) => worker.evaluate(() => globalThis.close())));
      await browser.page.reload();
      return end;
    },
  },
});
