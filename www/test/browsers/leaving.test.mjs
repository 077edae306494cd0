// Pages that are left while they append: reloaded, navigated away from with and without coming back, closed; and engines that are
// ended without a word. What was appended before the page went is there, after a kill all but the last second; nothing is
// there twice, and nothing has a hole. LEAVES= says how often each way is gone, SEED= at which instants, WAY= and PLACE= which ways and which
// combinations.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { random } from "../server/generate.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";

const LEAVES = Number(process.env.LEAVES ?? 2);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** A second, and what a busy machine adds until the engine's timer has come. */
const DURABLE_MS = 1_500;

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = { inline: `/package/${await entry("./inline")}`, index: `/package/${await entry(".")}` };

/** In the page: opens the database, answers the values that are there, and goes on appending the next ones until it goes. */
const goOn = async ({ entry, name, options, everyMs }) => {
  const { open } = await import(entry);
  const db = await open({ name, ifLocked: "wait", retention: "100y", ...options });
  const found = (await db.select("left")).flatMap(({ values }) => [...values]).sort((a, b) => a - b);
  let next = found.length;
  // What is there comes first, so that a page that is gone at once claims no more.
  const accepted = [];
  const put = () => {
    const value = next++;
    // Every tenth begins a new series.
    const series = { __name__: "left", part: String(Math.floor(value / 10)) };
    db.append(series, [Date.now()], [value]).catch(() => {});
    accepted.push([Date.now(), value]);
    localStorage.setItem(name, JSON.stringify(accepted.slice(-400)));
  };
  localStorage.setItem(name, "[]");
  put();
  const timer = setInterval(put, everyMs);
  addEventListener("pagehide", () => clearInterval(timer));
  return found;
};

const WAYS = {
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
};

for (const [name, { entry, options }] of Object.entries(COMBINATIONS).filter(([name]) => name.includes(process.env.PLACE ?? ""))) {
  describe(`${name} is left, seed ${SEED}`, async () => {
    const next = random(SEED);
    const server = await serve({ package: directory, ...MOUNTS });
    const profile = await temporaryDirectory("left");
    const browser = await visit(profile, server.url);
    after(async () => {
      await browser.close();
      await server.close();
      await rm(profile, { recursive: true, force: true });
    });
    const where = { entry: entries[entry], name, options };
    let there = 0;

    for (const [way, leave] of Object.entries(WAYS).filter(([way]) => way.includes(process.env.WAY ?? ""))) {
      if (way === "a killed worker" && entry === "inline") continue;
      for (let n = 0; n < LEAVES; n++) {
        it(`by ${way}, ${n}`, { timeout: 60_000 }, async (test) => {
          const found = await browser.page.evaluate(goOn, { ...where, everyMs: 5 + next.integer(60) });
          assert.deepEqual(
            found,
            Array.from({ length: there }, (_, i) => i),
          );
          const instant = 20 + next.integer(2_500);
          await sleep(instant);
          const killedAt = await leave({ browser, url: server.url, profile });
          const { accepted, after } = await browser.page.evaluate(async ({ entry, name, options }) => {
            const accepted = JSON.parse(localStorage.getItem(name));
            const { open } = await import(entry);
            const db = await open({ name, ifLocked: "wait", retention: "100y", ...options });
            const after = (await db.select("left")).flatMap(({ values }) => [...values]).sort((a, b) => a - b);
            await db.close();
            return { accepted, after };
          }, where);
          assert.deepEqual(
            after,
            Array.from({ length: after.length }, (_, i) => i),
            "nothing is there twice, and nothing has a hole",
          );
          const due = accepted.filter(([time]) => killedAt === undefined || time <= killedAt - DURABLE_MS);
          const promised = due.length === 0 ? there : due.at(-1)[1] + 1;
          test.diagnostic(`after ${instant} ms: ${after.length} samples, ${promised} were promised, ${accepted.at(-1)[1] + 1} appended`);
          assert.ok(after.length >= promised, `${after.length} samples are there, ${promised} were promised`);
          there = after.length;
        });
      }
    }
  });
}
