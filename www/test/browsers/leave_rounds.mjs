// Pages that are left while they append, in one way after the other. What was appended before the page went is there, after a kill all but
// the last second; nothing is there twice, and nothing has a hole. SEED= says at which instants they are left, WAY= and PLACE= which ways and
// which combinations.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { serve as serveFiles } from "../server/chromium.mjs";
import { random } from "../server/generate.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** A second, and what a busy machine adds until the engine's timer has come. */
const DURABLE_MS = 1_500;

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

/**
 * Declares the tests of each combination on a profile of its own.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {number} options.count how often each way is gone
 * @param {number} [options.longestMs] of the time before a page is left
 * @param {Record<string, (place: { browser: Browser, url: string, profile: string }) => Promise<number | void>>} options.ways each leaves the browser with an
 *   empty page of the server; one that kills answers when it did
 * @param {{ directory: string, entry: (name: string) => Promise<string> }} options.package_ from `installPackage`
 * @param {typeof COMBINATIONS} [options.combinations]
 * @param {typeof serveFiles} [options.serve] gives the server that the browsers visit
 * @param {(profile: string, url: string, server: object) => Promise<Browser>} options.start
 */
export async function leaveRounds({
  title,
  count,
  longestMs = 2_500,
  ways,
  package_: { directory, entry },
  combinations = COMBINATIONS,
  serve = serveFiles,
  start,
}) {
  const entries = { inline: `/package/${await entry("./inline")}`, index: `/package/${await entry(".")}` };
  for (const [name, { entry, options }] of Object.entries(combinations).filter(([name]) => name.includes(process.env.PLACE ?? ""))) {
    describe(`${title}, ${name}, seed ${SEED}`, () => {
      const next = random(SEED);
      let server, profile, browser;
      before(async () => {
        server = await serve({ package: directory, ...MOUNTS });
        profile = await temporaryDirectory("left");
        browser = await start(profile, server.url, server);
      });
      after(async () => {
        await browser?.close();
        await server.close();
        await rm(profile, { recursive: true, force: true });
      });
      const where = { entry: entries[entry], name, options };
      let there = 0;

      for (const [way, leave] of Object.entries(ways).filter(([way]) => way.includes(process.env.WAY ?? ""))) {
        if (way === "a killed worker" && entry === "inline") continue;
        for (let n = 0; n < count; n++) {
          it(`by ${way}, ${n}`, { timeout: 60_000 }, async (test) => {
            const found = await browser.page.evaluate(goOn, { ...where, everyMs: 5 + next.integer(60) });
            assert.deepEqual(
              found,
              Array.from({ length: there }, (_, i) => i),
            );
            const instant = 20 + next.integer(longestMs);
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
}
