// How much Chromium writes into the log of its IndexedDB for us. Each record of that log is a chance that a killed browser loses all of
// it (docs/STORAGE.md), so their number is kept down.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, it } from "node:test";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { logsOf, recordsIn } from "./leveldb.mjs";

const SECONDS = 10;
/** A transaction is a record, and each value that it puts are two: content, size, name and a count. */
const MOST_A_COMMIT = 12;

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));

it("records of a log are counted, also those that are cut at the ends of blocks", () => {
  const record = (type, length) => {
    const bytes = Buffer.alloc(7 + length, 1);
    bytes.writeUInt16LE(length, 4);
    bytes[6] = type;
    return bytes;
  };
  const block = Buffer.concat([record(1, 100), record(2, 32_768 - 107 - 7)]);
  assert.equal(recordsIn(block), 2);
  assert.equal(recordsIn(Buffer.concat([block, record(4, 20), Buffer.alloc(500)])), 3);
  // Less than a header is left at the end of the block.
  assert.equal(recordsIn(Buffer.concat([record(1, 32_768 - 7 - 3), Buffer.alloc(3), record(1, 5)])), 2);
  assert.throws(() => recordsIn(record(9, 3)), /no log/);
});

it(`a scrape of 1,000 series a second makes at most ${MOST_A_COMMIT} records a commit`, async (test) => {
  const profile = await temporaryDirectory("leveldb");
  const server = await serve({ package: directory });
  const browser = await visit(profile, server.url);
  try {
    const { page } = browser;
    await page.evaluate(
      async (entry) => {
        const { open } = await import(entry);
        const db = await open({ name: "scraped", storage: "indexeddb" });
        const series = Array.from({ length: 1000 }, (_, at) => db.series({ __name__: "scraped", at: String(at) }));
        const scrape = () =>
          db.appendRow(
            series,
            Date.now(),
            series.map(() => Math.floor(Math.random() * 100)),
          );
        await scrape();
        await db.sync();
        globalThis.scrapes = async (seconds) => {
          const before = (await db.inspect()).fileSystem.commits;
          for (let at = 0; at < seconds; at++) {
            await scrape();
            await new Promise((resolve) => setTimeout(resolve, 1000));
          }
          return (await db.inspect()).fileSystem.commits - before;
        };
      },
      `/package/${await entry(".")}`,
    );
    const before = await logsOf(profile);
    const commits = await page.evaluate((seconds) => globalThis.scrapes(seconds), SECONDS);
    const logs = await logsOf(profile);
    const of = (logs) => logs.reduce((sum, { records }) => sum + records, 0);
    const records = of(logs) - of(before);
    test.diagnostic(`${records} records of ${commits} commits in ${SECONDS} s`);
    assert.ok(commits >= SECONDS / 2, `${commits} commits in ${SECONDS} s: nothing was logged`);
    assert.ok(records <= commits * MOST_A_COMMIT, `${records} records of ${commits} commits`);
  } finally {
    await browser.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  }
});
