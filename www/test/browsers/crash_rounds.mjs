// Crashes again and again, at random instants, while databases are being written; after each one everything that was acknowledged
// must be there. ROUNDS=, SEED= and EARLY= choose how often and which instants; a failure prints both, and keeps the profile. STORAGE=
// chooses the databases of one storage.
import assert from "node:assert/strict";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { serve as serveFiles } from "../server/chromium.mjs";
import { random } from "../server/generate.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";
import { Ledger } from "./ledger.mjs";

export const ROUNDS = Number(process.env.ROUNDS ?? 20);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const STORAGE = process.env.STORAGE;
const CHOSEN = Object.fromEntries(Object.entries(COMBINATIONS).filter(([, { options }]) => !STORAGE || options.storage === STORAGE));
/** How likely a crash is followed by one while the databases are being opened again. */
const EARLY = Number(process.env.EARLY ?? 0.15);
/**
 * What was accepted so long before the end is there, though nobody has asked for it: a second, and what a busy machine adds until the
 * engine's timer has come.
 */
const BY_ITSELF_MS = 1_500;
/** How long rounds go on that rely on that. */
const DRIPPING_MS = 5_000;

/**
 * Declares the tests of some rounds on one profile.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {number} options.count of the crashes in the midst of writing; some more come while the databases are being opened
 * @param {number} [options.drips] of the crashes that come on top, of databases that are never told to write anything
 * @param {{ directory: string, entry: (name: string) => Promise<string> }} options.package_ from `installPackage`
 * @param {typeof COMBINATIONS} [options.combinations] the databases that are written at the same time
 * @param {number} [options.longestMs] of the time that is given to writing
 * @param {typeof serveFiles} [options.serve] gives the server that the browsers visit
 * @param {(profile: string, url: string, server: object) => Promise<Browser>} options.start
 * @param {(browser: Browser) => Promise<Browser | undefined>} options.crash ends processes, and answers the page to go on with if the browser lives
 */
export function crashRounds({
  title,
  count,
  drips = 0,
  package_: { directory, entry },
  combinations = CHOSEN,
  longestMs = 1_250,
  serve = serveFiles,
  start,
  crash,
}) {
  describe(`${title}, ${count} times, seed ${SEED}`, { timeout: 60_000 + (count + drips) * 20_000 }, async () => {
    const names = Object.keys(combinations);
    const entries = { inline: `/package/${await entry("./inline")}`, index: `/package/${await entry(".")}` };
    const next = random(SEED);
    const kinds = plan(count, drips, next);
    /** Rounds in which something had been acknowledged when the crash came. */
    const heard = Object.fromEntries(names.map((name) => [name, 0]));
    const ledgers = Object.fromEntries(names.map((name) => [name, new Ledger()]));
    const server = await serve({ package: directory, ...MOUNTS }, undefined, "", ([name, what], body) => ledgers[name].receive(what, body));
    const profile = await temporaryDirectory("killed");
    let browser;
    let begunAnew = 0;
    /** What the browser's log has said so far of stores that it has made. */
    const known = new Set();
    let hasBegunAnew = false;
    let failed = false;
    let written = 0;
    after(async () => {
      await browser?.close().catch(() => {});
      await server.close();
      if (failed) console.log(`the profile is kept at ${profile}; to run the same instants again: ROUNDS=${ROUNDS} SEED=${SEED}`);
      else await rm(profile, { recursive: true, force: true });
    });

    for (const [round, kind] of kinds.entries()) {
      const isLast = kind === "last";
      it(isLast ? "and goes on from there" : `round ${round}`, async (test) => {
        if (failed) return test.skip("an earlier round has failed");
        failed = true;
        const isEarly = kind === "early";
        const instant = isEarly ? next.integer(400) : 150 + next.integer(longestMs - 150);
        browser ??= await start(profile, server.url, server);
        const { page } = browser;
        const opened = Promise.all(
          names.map((name) =>
            page.evaluate(
              async (options) => {
                globalThis.places = await import("/browsers/places.mjs");
                await globalThis.places.begin({ ...options, module: "/browsers/writer.mjs" });
                await globalThis.places.call(options.name, "open", options);
                return globalThis.places.call(options.name, "look");
              },
              {
                ...combinations[name],
                entry: entries[combinations[name].entry],
                name,
                seed: next.integer(2 ** 31),
                isReal: kind === "drip",
              },
            ),
          ),
        );
        if (isEarly) {
          // Killed while it opens what the last crash has left: nothing is checked, and nothing may be lost.
          opened.catch(() => {});
          await sleep(instant);
          browser = await crash(browser);
          hasBegunAnew ||= await lookForNewStore(profile, known);
          test.diagnostic(`killed ${instant} ms after the databases began to open`);
          failed = false;
          return;
        }
        const found = await opened;
        const wrong = names.map((name, i) => ledgers[name].check(found[i]));
        hasBegunAnew ||= (await lookForNewStore(profile, known)) && round > 0;
        if (wrong.some(({ length }) => length !== 0) && hasBegunAnew) {
          // No part of it is left then, and nothing else is touched.
          assert.equal(++begunAnew, 1, "the browser has thrown away its IndexedDB more than once");
          names.forEach((name, i) => {
            if (combinations[name].options.storage !== "indexeddb") return;
            assert.equal(ledgers[name].foundSamples, 0, `${name}, round ${round}, seed ${SEED}`);
            ledgers[name].beginAnew();
            wrong[i] = [];
          });
          test.diagnostic(
            "THE BROWSER HAS THROWN AWAY ITS WHOLE INDEXEDDB, as its own log says (docs/STORAGE.md): what was in it is lost, and the rounds go on",
          );
        }
        hasBegunAnew = false;
        names.forEach((name, i) => assert.deepEqual(wrong[i], [], `${name}, round ${round}, seed ${SEED}`));
        const told = names.map(
          (name) =>
            `${name} ${ledgers[name].foundSamples} found, ${ledgers[name].acknowledged} acknowledged so far, ${ledgers[name].snapshotsFound} snapshots`,
        );
        if (isLast) {
          await page.evaluate((names) => Promise.all(names.map((name) => globalThis.places.call(name, "close"))), names);
        } else if (kind === "drip") {
          for (const name of names)
            await page.evaluate(([name, row]) => globalThis.places.call(name, "drip", row), [name, ledgers[name].nextRow]);
          await sleep(DRIPPING_MS);
          const end = Date.now();
          browser = await crash(browser);
          for (const name of names) {
            const rows = ledgers[name].promise(end - BY_ITSELF_MS);
            assert.ok(rows > 0, `${name}: nothing was accepted ${BY_ITSELF_MS} ms before the end`);
            told.push(`${name} promises ${rows} rows that nobody asked to be written`);
          }
        } else {
          for (const [i, name] of names.entries()) {
            await page.evaluate(
              ([name, row, snapshots]) => globalThis.places.call(name, "write", row, snapshots),
              [name, ledgers[name].nextRow, found[i]],
            );
          }
          // Every second time the clock begins to run when each database has something to lose; a busy machine may take its time.
          const isSure = written++ % 2 === 0;
          for (let waited = 0; isSure && !names.every((name) => ledgers[name].hasHeard); waited += 10) {
            assert.ok(waited < 30_000, `nothing was acknowledged in 30 s: ${names.filter((name) => !ledgers[name].hasHeard)}`);
            await sleep(10);
          }
          await sleep(instant);
          browser = await crash(browser);
          for (const name of names) if (ledgers[name].hasHeard) heard[name]++;
        }
        test.diagnostic(`${told.join("; ")}${kind === "write" ? `; killed after ${instant} ms of writing` : ""}`);
        failed = false;
      });
    }

    it("each database had samples to lose, in half of the rounds at least", () => {
      assert.equal(written, count);
      for (const name of names) {
        assert.ok(ledgers[name].acknowledged > 0, `${name}: ${ledgers[name].acknowledged} samples were acknowledged`);
        assert.ok(heard[name] >= count / 2, `${name}: something was acknowledged in ${heard[name]} of ${count} rounds`);
      }
    });
  });
}

/** What becomes of each round: `count` are crashes in the midst of writing, among them those while the last crash is being mended. */
function plan(count, drips, next) {
  const kinds = [];
  for (let writes = 0; writes < count; ) {
    const isEarly = writes > 0 && next() < EARLY;
    kinds.push(isEarly ? "early" : "write");
    if (!isEarly) writes++;
  }
  return [...kinds, ...Array(drips).fill("drip"), "last"];
}

/**
 * Whether Chromium found no IndexedDB of the origin and made a new one, for all databases of all pages, since it was looked last: it
 * says so in its log, which it renames at its next start, and nothing that a page can do has that effect.
 */
async function lookForNewStore(profile, known) {
  const stores = join(profile, "Default/IndexedDB");
  const folders = (await readdir(stores).catch(() => [])).filter((name) => name.endsWith(".leveldb"));
  const logs = folders.flatMap((name) => [join(stores, name, "LOG.old"), join(stores, name, "LOG")]);
  const texts = await Promise.all(logs.map((log) => readFile(log, "latin1").catch(() => "")));
  // Each line begins with its time.
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line.includes("since it was missing") && !known.has(line));
  for (const line of lines) known.add(line);
  return lines.length > 0;
}
