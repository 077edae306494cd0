// A page that nobody sees any more may be ended without a word: what waits is written at once. Here the page is hidden, and its
// processes are killed long before the samples would have been written by themselves.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = { inline: `/package/${await entry("./inline")}`, index: `/package/${await entry(".")}` };

/** After so long the page is killed. In the server's rhythm samples are written by themselves five seconds after they came. */
const AT_ONCE_MS = 1_500;
const SAMPLES = 1_000;

/** In the page: opens a database and appends. */
const append = async ({ entry, name, options, samples, hides }) => {
  const { open } = await import(entry);
  const db = await open({ name, retention: "100y", durableWithin: "5s", ...options });
  // The files of a new database are not what is asked for.
  await db.sync();
  const timestamps = Array.from({ length: samples }, (_, i) => Date.now() - i * 1000);
  await db.append(
    { __name__: "hidden" },
    timestamps,
    timestamps.map((_, i) => i),
  );
  if (!hides) return;
  Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};

describe("a page that gets out of sight", async () => {
  const server = await serve({ package: directory, ...MOUNTS });
  after(() => server.close());

  for (const [name, { entry, options }] of Object.entries(COMBINATIONS)) {
    for (const hides of [true, false]) {
      it(hides ? `${name}: has written what waited` : `${name}: would else have lost it`, { timeout: 120_000 }, async (test) => {
        const profile = await temporaryDirectory("hidden");
        let browser = await visit(profile, server.url);
        try {
          const where = { entry: entries[entry], name, options };
          await browser.page.evaluate(append, { ...where, samples: SAMPLES, hides });
          const began = Date.now();
          await sleep(AT_ONCE_MS);
          const gone = browser.page.waitForEvent("crash");
          assert.ok(browser.killRenderers() > 0);
          const took = Date.now() - began;
          await gone;
          const page = await browser.anotherPage().catch(async () => {
            // What has become of the samples is decided: another browser tells as well. This one may have ended by itself.
            await browser.kill().catch(() => browser.close());
            browser = await visit(profile, server.url);
            return browser.page;
          });
          const found = await page.evaluate(async ({ entry, name, options }) => {
            const { open } = await import(entry);
            const db = await open({ name, retention: "100y", ifLocked: "wait", ...options });
            const found = (await db.select("hidden")).flatMap(({ values }) => [...values]);
            await db.close();
            return found.sort((a, b) => a - b);
          }, where);
          // A machine that was asleep for so long has written them by itself.
          if (took > 4_000) return test.skip(`the page was only killed after ${took} ms`);
          assert.deepEqual(found, hides ? Array.from({ length: SAMPLES }, (_, i) => i) : []);
        } finally {
          await browser.close();
          await rm(profile, { recursive: true, force: true });
        }
      });
    }
  }
});
