// Chromium, killed while it writes: the whole browser, and the process of a tab alone.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after } from "node:test";
import { visit } from "../package/persistent.mjs";
import { installPackage } from "../server/packed.mjs";
import { ROUNDS, crashRounds } from "./crash_rounds.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));

crashRounds({
  title: "Chromium is killed",
  count: ROUNDS,
  drips: 2,
  package_,
  start: visit,
  crash: async (browser) => {
    await browser.kill();
  },
});

crashRounds({
  title: "the process of a tab is killed",
  count: Math.ceil(ROUNDS / 4),
  package_,
  start: visit,
  crash: async (browser) => {
    const gone = browser.page.waitForEvent("crash");
    assert.ok(browser.killRenderers() > 0);
    await gone;
    const page = await browser.anotherPage().catch(() => undefined);
    if (page !== undefined) return { ...browser, page };
    // On a busy machine it may give none any more. The tab is gone all the same, and another browser tells what is left.
    await browser.close();
  },
});
