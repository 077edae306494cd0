// The data directory of a real Prometheus that was killed: blocks, the log of what is in none, samples that came out of order, deletions.
// It is restored, and has the samples that the server has when it starts again.
import assert from "node:assert/strict";
import { readdir, readFile, rm, truncate } from "node:fs/promises";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { assertSameExport, readExport } from "./exports.mjs";
import { installPackage } from "./packed.mjs";
import { Prometheus } from "./prometheus.mjs";

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const SCRAPE_MS = 15 * SECOND_MS;
const SERIES = 20;

/** Blocks are cut from what is more than three hours old, so that there are some. */
const BEGIN = Math.floor(Date.now() / SCRAPE_MS) * SCRAPE_MS - 9 * HOUR_MS;

let installed;
let server;
let sandglass;
before(async () => {
  installed = await installPackage();
  sandglass = await import(pathToFileURL(join(installed.directory, await installed.entry("./inline", "node"))).href);
  server = await Prometheus.start({ outOfOrderWindow: "1h" });
  for (let hour = 0; hour < 9; hour++) await server.write(scrapes(BEGIN + hour * HOUR_MS, HOUR_MS));
  for (const deadline = Date.now() + 60_000; !(await hasBlocks()); await sleep(200))
    assert.ok(Date.now() < deadline, `no block was written within a minute\n${server.log}`);
  // Behind what the series have, and between it.
  await server.write(scrapes(BEGIN + 8.5 * HOUR_MS + 7 * SECOND_MS, HOUR_MS / 4));
  await server.deleteSeries('{n="3"}', BEGIN + 4 * HOUR_MS, BEGIN + 8.2 * HOUR_MS);
  // Of samples that came out of order this version deletes none, so that there are none of these.
  await server.deleteSeries('{n="4"}', BEGIN + 8.3 * HOUR_MS, BEGIN + 8.45 * HOUR_MS);
  await server.write(scrapes(BEGIN + 9 * HOUR_MS, HOUR_MS / 60));
  await server.kill();
});
after(async () => {
  await server?.stop();
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

/** Samples of all series from an instant on: counters, and one with infinities and staleness markers. */
function scrapes(from, length) {
  return Array.from({ length: SERIES }, (_, n) => {
    const timestamps = Float64Array.from({ length: Math.ceil(length / SCRAPE_MS) }, (_, row) => from + row * SCRAPE_MS);
    const values = timestamps.map((time) => ((time - BEGIN) / SECOND_MS) * (n + 1));
    if (n === 7) values.forEach((_, row) => row % 5 === 0 && (values[row] = row % 2 === 0 ? Infinity : -Infinity));
    return { labels: { __name__: "requests_total", job: "a job \u{1f40d}", n: String(n) }, timestamps, values };
  });
}

const hasBlocks = async () => (await readdir(server.data)).some((name) => name.length === 26);

/** The files of a folder with their paths. */
async function filesOf(folder) {
  const found = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return Promise.all(
    found.map(async ({ parentPath, name }) => [relative(folder, join(parentPath, name)), await readFile(join(parentPath, name))]),
  );
}

/** What Sandglass has of a data directory, and what the server that starts on it has. */
async function compare(isWhole) {
  const files = await filesOf(server.data);
  const db = await sandglass.open({ storage: "memory", retention: "100y" });
  try {
    const { format, series, leftOut } = await db.snapshots.restore(files);
    assert.equal(format, "Prometheus");
    assert.equal(series, SERIES);
    if (isWhole) assert.deepEqual(leftOut, []);
    else assert.match(JSON.stringify(leftOut), /cut off/);
    const looked = await sandglass.openSnapshot(files);
    const found = await readExport(db.export());
    assertSameExport(found, await readExport(looked.export()), "what was looked at");
    await looked.close();
    await server.restart();
    assertSameExport(await server.samples(), found, "what was restored");
    return found;
  } finally {
    await db.close();
  }
}

describe("the data directory of a Prometheus that was killed", () => {
  test("gives what the server has when it starts again", async () => {
    const paths = (await filesOf(server.data)).map(([path]) => path);
    for (const part of [/^wal\/\d{8}$/, /^wbl\/\d{8}$/, /^[0-9A-Z]{26}\/tombstones$/])
      assert.ok(
        paths.some((path) => part.test(path)),
        `${part}`,
      );
    const found = await compare(true);
    const samples = [...found.values()].reduce((sum, { values }) => sum + values.length, 0);
    assert.ok(samples > SERIES * 2000, `${samples} samples`);
    await server.kill();
  });

  test("gives what is whole of a log that was cut off, as the server does", async () => {
    const segments = (await readdir(join(server.data, "wal"))).filter((name) => /^\d{8}$/.test(name)).sort();
    // The last segments were begun by the servers that have just started, and hold nothing. A segment that is done ends in zeros.
    const contents = await Promise.all(segments.map((name) => readFile(join(server.data, "wal", name))));
    const ends = contents.map((content) => content.findLastIndex((byte) => byte !== 0) + 1);
    const last = ends.findLastIndex((end) => end > 1000);
    await truncate(join(server.data, "wal", segments[last]), ends[last] - 100);
    await compare(false);
    await server.kill();
  });
});
