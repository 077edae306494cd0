// A snapshot of each layout has the files that its servers look for, and its bytes are those that the real server opens, writes to and
// merges. The newer layouts hold the same bytes below other names: so that the server of this machine can judge them too, the names
// that older servers give are made here of nothing but what the lists and the descriptions of the layout say.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { assertSameExport, canonical, differences, readExport, sampleCount, seriesKey } from "./exports.mjs";
import { jsonLine } from "./generate.mjs";
import { installPackage } from "./packed.mjs";
import { VictoriaMetrics, temporaryDirectory } from "./victoriametrics.mjs";

const HOUR = 3_600_000;
/** Some hours into the fourth month of the data. */
const END = Date.UTC(2024, 2, 3, 5);
const SERIES = 40;
const DATA_FILES = ["index.bin", "metaindex.bin", "timestamps.bin", "values.bin"];
const INDEX_FILES = ["index.bin", "items.bin", "lens.bin", "metadata.json", "metaindex.bin"];
const NEW_NAME = /^[0-9A-F]{16}$/;
const OLD_DATA_NAME = /^(\d+)_(\d+)_\d{14}\.\d{3}_\d{14}\.\d{3}_[0-9A-F]{16}$/;
const OLD_INDEX_NAME = /^\d+_\d+_[0-9A-F]{16}$/;

let directory;
let installed;
let sandglass;
let db;
let name;
let expected;
before(async () => {
  [directory, installed] = await Promise.all([temporaryDirectory("layouts"), installPackage()]);
  sandglass = await import(pathToFileURL(join(installed.directory, await installed.entry("./inline", "node"))).href);
  db = await filled();
  name = await db.snapshots.create();
  expected = await readExport(db.export());
  for (let number = 0; number < SERIES; number++) assertAgain(expected, number);
});
after(async () => {
  await db?.close();
  for (const made of [directory, installed?.project]) if (made) await rm(made, { recursive: true, force: true });
});

const labelsOf = (number) => ({ __name__: "kept", number: String(number), odd: 'ü "\\\n' });

const againOf = (number) => ({ __name__: "again", number: String(number) });
/** What is written to those after they were deleted: at an instant that they had before, and at two new ones. */
const AGAIN = { timestamps: Float64Array.of(END - 3 * HOUR, END - 2 * HOUR + 1, END - 1), values: Float64Array.of(-1, -2, -3) };
let deletedRows = 0;

/** Series over four months, in several parts of each, and some that were deleted, of which some were written again. */
async function filled() {
  const db = await sandglass.open({ storage: "memory", retention: "100y", clock: "manual", startTime: END });
  for (const piece of [0, 1, 2]) {
    const times = Float64Array.from({ length: 500 }, (_, at) => END - (3 * at + piece) * HOUR);
    for (let number = 0; number < SERIES; number++) {
      const values = times.map((_, at) => number * 1000 + at);
      await db.append(labelsOf(number), times, values);
      for (const labels of [{ __name__: "deleted", number: String(number) }, againOf(number)]) {
        await db.append(labels, times, values);
        deletedRows += times.length;
      }
    }
    await db.sync();
  }
  assert.equal(await db.deleteSeries('{__name__=~"deleted|again"}'), 2 * SERIES);
  for (let number = 0; number < SERIES; number++) await db.append(againOf(number), AGAIN.timestamps, AGAIN.values);
  await db.sync();
  return db;
}

/** A series that was deleted and written again has its new samples, and no others. */
function assertAgain(series, number) {
  const found = series.get(seriesKey(againOf(number)));
  assert.deepEqual([found?.timestamps, found?.values], [AGAIN.timestamps, AGAIN.values], `again ${number}`);
}

/** The part directories of a directory of parts, and the files of each. */
async function partsIn(table) {
  const entries = existsSync(table) ? await readdir(table, { withFileTypes: true }) : [];
  const parts = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return Promise.all(parts.sort().map(async (part) => [part, (await readdir(join(table, part))).sort()]));
}

const json = async (...path) => JSON.parse(await readFile(join(...path), "utf8"));

/** Looks at every file that a server of the layout expects. */
async function check(root, layout) {
  const isOld = layout === "v1.72";
  const months = await readdir(join(root, "data/small"));
  assert.deepEqual(months.sort(), ["2023_12", "2024_01", "2024_02", "2024_03"]);
  let rows = 0;
  for (const month of months) {
    const listed = isOld ? undefined : await json(root, "data/small", month, "parts.json");
    for (const [kind, directory] of [
      ["Small", "small"],
      ["Big", "big"],
    ]) {
      const table = join(root, "data", directory, month);
      const parts = await partsIn(table);
      if (isOld) assert.ok(!existsSync(join(table, "parts.json")));
      // What is not listed is deleted, and what is listed must be there.
      else
        assert.deepEqual(
          listed[kind],
          parts.map(([part]) => part),
          `${month} ${kind}`,
        );
      for (const [part, files] of parts) {
        if (isOld) {
          assert.match(part, OLD_DATA_NAME);
          assert.deepEqual(
            files.filter((file) => file !== "min_dedup_interval"),
            DATA_FILES,
          );
          rows += Number(OLD_DATA_NAME.exec(part)[1]);
          continue;
        }
        assert.match(part, NEW_NAME);
        assert.deepEqual(files, [...DATA_FILES, "metadata.json"].sort());
        const described = await json(table, part, "metadata.json");
        assert.deepEqual(Object.keys(described), ["RowsCount", "BlocksCount", "MinTimestamp", "MaxTimestamp", "MinDedupInterval"]);
        rows += described.RowsCount;
      }
    }
    assert.equal(existsSync(join(root, "data/indexdb", month, "parts.json")), layout === "v1.150");
  }
  // The deleted ones are marked in the index; their rows go with merges.
  assert.equal(rows, sampleCount(expected) + deletedRows);
  const generations = await readdir(join(root, "indexdb"));
  assert.ok(generations.length >= 1 && generations.every((generation) => NEW_NAME.test(generation)), generations.join());
  let indexParts = 0;
  for (const generation of generations) {
    const table = join(root, "indexdb", generation);
    const parts = await partsIn(table);
    if (!isOld)
      assert.deepEqual(
        await json(table, "parts.json"),
        parts.map(([part]) => part),
      );
    for (const [part, files] of parts) {
      assert.match(part, isOld ? OLD_INDEX_NAME : NEW_NAME);
      assert.deepEqual(files, INDEX_FILES);
      const described = await json(table, part, "metadata.json");
      assert.deepEqual(Object.keys(described), ["ItemsCount", "BlocksCount", "FirstItem", "LastItem"]);
      indexParts++;
    }
  }
  assert.ok(indexParts >= 1);
  assert.equal((await readFile(join(root, "metadata/minTimestampForCompositeIndex"))).length, 8);
}

/** `YYYYMMDDhhmmss.mmm`, as the names of old parts have it. */
const digits = (timestamp) => new Date(timestamp).toISOString().replace(/[-:TZ]/g, "");

/** Gives the parts of a newer layout the names that older servers know, by their lists and descriptions alone. */
async function nameAsOlderServersDo(root) {
  const tables = [];
  for (const month of await readdir(join(root, "data/small"))) {
    const { Small, Big } = await json(root, "data/small", month, "parts.json");
    tables.push([join(root, "data/small", month), Small], [join(root, "data/big", month), Big]);
  }
  for (const generation of await readdir(join(root, "indexdb"))) {
    const table = join(root, "indexdb", generation);
    tables.push([table, await json(table, "parts.json")]);
  }
  for (const [table, parts] of tables) {
    for (const part of parts) {
      const { RowsCount, ItemsCount, BlocksCount, MinTimestamp, MaxTimestamp } = await json(table, part, "metadata.json");
      const old =
        RowsCount === undefined ? [ItemsCount, BlocksCount] : [RowsCount, BlocksCount, digits(MinTimestamp), digits(MaxTimestamp)];
      await rename(join(table, part), join(table, [...old, part].join("_")));
    }
    await rm(join(table, "parts.json"), { force: true });
  }
  await rm(join(root, "data/indexdb"), { recursive: true, force: true });
}

for (const layout of ["v1.72", "v1.93", "v1.150"]) {
  describe(`a snapshot in the layout of ${layout}`, () => {
    let root;
    let server;
    before(async () => {
      root = join(directory, layout);
      await mkdir(root);
      await writeFile(`${root}.tar`, new Uint8Array(await new Response(db.snapshots.download(name, { layout })).arrayBuffer()));
      await promisify(execFile)("tar", ["-xf", `${root}.tar`, "-C", root]);
    });
    after(async () => {
      await server?.stop();
    });

    test("has the files that its servers look for", () => check(root, layout));

    test("opens, takes samples of old and new series, and survives a forced merge and a restart", async () => {
      if (layout !== "v1.72") await nameAsOlderServersDo(root);
      server = await VictoriaMetrics.start({ dataPath: root });
      assertSameExport(expected, await readExport(await server.export()), "as it was opened");
      assert.equal((await server.series('{__name__="deleted"}')).length, 0);
      const again = await readExport(await server.export("again"));
      assert.equal(again.size, SERIES);
      for (let number = 0; number < SERIES; number++) assertAgain(again, number);

      const appended = Array.from({ length: SERIES + 5 }, (_, number) => ({
        labels: number < SERIES ? labelsOf(number) : { __name__: "new", number: String(number) },
        // In the midst of what is there, and behind it.
        timestamps: [END - 100 * HOUR + 1, END + 1000, END + 2000],
        values: [number, number + 1, number + 2],
      }));
      await server.importJsonLines(appended.map((series) => jsonLine(series.labels, series)).join(""));
      await server.forceFlush();
      const grown = new Map(expected);
      for (const { labels, timestamps, values } of appended) {
        const old = expected.get(seriesKey(labels)) ?? { timestamps: [], values: [] };
        grown.set(seriesKey(labels), canonical(labels, [...old.timestamps, ...timestamps], [...old.values, ...values]));
      }
      assert.equal(await server.metric("vm_new_timeseries_created_total"), 5, "old series are found in the index");
      // The server drops what it remembers of searches at most every ten seconds, so new series may show up late.
      let found = await readExport(await server.export());
      for (const deadline = Date.now() + 15_000; differences(grown, found).length > 0 && Date.now() < deadline; await sleep(100))
        found = await readExport(await server.export());
      assertSameExport(grown, found, "with new samples");

      await server.forceMerge();
      assertSameExport(grown, await readExport(await server.export()), "merged");
      server = await server.restart();
      assertSameExport(grown, await readExport(await server.export()), "started again");
      assert.deepEqual(server.complaints, []);
    });

    test("is what a restore of it gives", async () => {
      const again = await sandglass.open({ storage: "memory", retention: "100y", clock: "manual", startTime: END });
      try {
        const { leftOut } = await again.snapshots.restore(new Uint8Array(await readFile(`${root}.tar`)));
        assert.deepEqual(leftOut, []);
        assertSameExport(expected, await readExport(again.export()), "restored");
      } finally {
        await again.close();
      }
    });
  });
}
