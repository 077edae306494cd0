// A snapshot opens in a real VictoriaMetrics server, which answers every question as the engine itself does, and goes on writing
// to it. Once with the engine in Node, once in Chromium; each time with a snapshot of many small parts and with a merged one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { openPage } from "./chromium.mjs";
import { assertSameExport, bitsOf, canonical, readExport, sampleCount, seriesKey } from "./exports.mjs";
import { generateSeries, jsonLine } from "./generate.mjs";
import { installPackage } from "./packed.mjs";
import { VictoriaMetrics, temporaryDirectory } from "./victoriametrics.mjs";
import { QUESTIONS, SCRAPE_TIME, VALUE_LABELS, run } from "./workload.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const scrapeFile = fileURLToPath(new URL("../../page/public/node_exporter.prom", import.meta.url));

let installed;
before(async () => {
  installed = await installPackage();
});
after(async () => {
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

/** Runs the workload with the engine in this process. */
async function runInNode(directory) {
  const sandglass = await import(pathToFileURL(join(installed.directory, await installed.entry(".", "node"))).href);
  const save = (name, body) =>
    pipeline(typeof body === "string" ? [body] : Readable.fromWeb(body), createWriteStream(join(directory, name)));
  return run(sandglass, await readFile(scrapeFile, "utf8"), { save });
}

/** Runs the workload with the engine in a page, which hands the files over to this process. */
async function runInChromium(directory) {
  const chromium = await openPage({
    mounts: { package: installed.directory, test: here, page: fileURLToPath(new URL("../../page/public", import.meta.url)) },
    uploads: directory,
  });
  try {
    const entry = `/package/${(await installed.entry(".", "browser")).replace(/^\.\//, "")}`;
    const result = await chromium.page.evaluate(async (entry) => {
      const sandglass = await import(entry);
      const { run } = await import("/test/workload.mjs");
      const scrape = await (await fetch("/page/node_exporter.prom")).text();
      const save = async (name, body) => {
        const bytes = await new Response(body).arrayBuffer();
        const answer = await fetch(`/upload/${name}`, { method: "PUT", body: bytes });
        if (!answer.ok) throw new Error(`upload of ${name}: ${answer.status}`);
      };
      return run(sandglass, scrape, { save }, { storage: "indexeddb" });
    }, entry);
    assert.deepEqual(chromium.errors, [], "errors in the page");
    return result;
  } finally {
    await chromium.close();
  }
}

/** Unpacks a snapshot and starts a server on it. */
async function serverOn(tar, dataPath) {
  await mkdir(dataPath, { recursive: true });
  await promisify(execFile)("tar", ["-xf", tar, "-C", dataPath]);
  return VictoriaMetrics.start({ dataPath });
}

const sorted = (sets) => sets.map(seriesKey).sort();

/**
 * Equality after the server has merged blocks of its own: merging brings the values of a block to one decimal exponent, which
 * may move last digits and lose what is tiny beside the largest value.
 */
function mergedAlike(exact) {
  const scale = new Map();
  return (a, b, series) => {
    if (bitsOf(a) === bitsOf(b)) return true;
    if (exact.has(seriesKey(series.labels))) return false;
    if (!scale.has(series))
      scale.set(
        series,
        series.values.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max), 0),
      );
    return Math.abs(a - b) <= 1e-14 * scale.get(series);
  };
}

for (const [runtime, runWorkload] of [
  ["Node", runInNode],
  ["Chromium", runInChromium],
]) {
  describe(`the engine in ${runtime}`, () => {
    let directory;
    let result;
    before(async () => {
      directory = await temporaryDirectory("snapshots");
      result = await runWorkload(directory);
    });
    after(async () => {
      if (directory) await rm(directory, { recursive: true, force: true });
    });

    test("accepts every sample", () => {
      assert.equal(result.accepted.rejected, 0);
      assert.ok(result.acceptedBefore > 150_000, `${result.acceptedBefore} samples`);
      assert.ok(result.accepted.samples > result.acceptedBefore);
    });

    test("lists its snapshots and forgets a deleted one", () => {
      assert.match(result.torn.name, /^\d{14}-[0-9A-F]{16}$/);
      assert.deepEqual([...result.listed].sort(), [result.torn.name, result.merged.name].sort());
      assert.deepEqual(result.left, [result.merged.name]);
    });

    test("gives back what was put in", async () => {
      const exported = await readExport(await readFile(join(directory, "merged.jsonl")));
      const generated = generateSeries();
      for (const { labels, timestamps, values, exact } of generated) {
        const kept = Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));
        const found = exported.get(seriesKey(kept));
        assert.ok(found, `${seriesKey(kept).slice(0, 200)} is missing`);
        const expected = canonical(kept, timestamps, values);
        if (exact) assertSameExport(new Map([["", expected]]), new Map([["", found]]), seriesKey(kept).slice(0, 200));
        else assert.deepEqual(found.timestamps, expected.timestamps, seriesKey(kept).slice(0, 200));
      }
      assert.equal(sampleCount(exported), result.accepted.samples);
    });

    for (const state of ["torn", "merged"]) {
      describe(`a snapshot of the ${state} database`, () => {
        let server;
        let exported;
        before(async () => {
          exported = await readExport(await readFile(join(directory, `${state}.jsonl`)));
          server = await serverOn(join(directory, `${state}.tar`), join(directory, state));
        });
        after(async () => {
          await server?.stop();
        });

        test("opens without a complaint", () => {
          assert.deepEqual(server.complaints, []);
        });

        test("has every sample, bit by bit", async () => {
          if (state === "torn") assert.equal(sampleCount(exported), result.acceptedBefore);
          assertSameExport(exported, await readExport(await server.export()), "the server's export");
        });

        test("has every series, label name and label value", async () => {
          const { answers } = result[state];
          assert.deepEqual([...(await server.labelNames())].sort(), [...answers.labelNames].sort());
          for (const name of VALUE_LABELS) {
            assert.deepEqual([...(await server.labelValues(name))].sort(), [...answers.labelValues[name]].sort(), name);
          }
        });

        for (const [n, { selector, range, none = false }] of QUESTIONS.entries()) {
          test(`agrees on ${selector}${range ? ` from ${new Date(range.start).toISOString()}` : ""}`, async () => {
            const found = await server.series(selector, range);
            assert.equal(found.length === 0, none, `the server finds ${found.length} series`);
            assert.deepEqual(sorted(result[state].answers.questions[n]), sorted(found));
          });
        }

        test("takes new samples of old and new series, merges and restarts", async () => {
          const generated = generateSeries().filter(({ exact, plain, labels }) => exact && plain && !Object.values(labels).includes(""));
          const exact = new Set(generated.map(({ labels }) => seriesKey(labels)));
          const known = generated.filter(({ labels }) => exported.has(seriesKey(labels)));
          // Every third series goes on: after its end, and in the middle of what it has.
          const appended = known
            .filter((_, i) => i % 3 === 0)
            .map(({ labels, timestamps }) => {
              const middle = timestamps[Math.floor(timestamps.length / 2)] + 1;
              const times = [middle, SCRAPE_TIME + 1, SCRAPE_TIME + 15_001, SCRAPE_TIME + 30_001];
              return { labels, timestamps: times, values: [1, 2, 3, 4] };
            });
          const fresh = Array.from({ length: 10 }, (_, i) => ({
            labels: { __name__: "written_by_the_server", n: String(i) },
            timestamps: [SCRAPE_TIME, SCRAPE_TIME + 1000],
            values: [i, i + 0.5],
          }));
          await server.importJsonLines([...appended, ...fresh].map((series) => jsonLine(series.labels, series)).join(""));
          await server.forceFlush();

          const expected = new Map(exported);
          for (const { labels, timestamps, values } of [...appended, ...fresh]) {
            const key = seriesKey(labels);
            const old = expected.get(key) ?? { labels, timestamps: [], values: [] };
            expected.set(key, canonical(labels, [...old.timestamps, ...timestamps], [...old.values, ...values]));
            exact.add(key);
          }
          // An old series that the server does not find in the index would be made anew.
          assert.equal(await server.metric("vm_new_timeseries_created_total"), fresh.length, "new series");
          // The server drops what it remembers of searches at most every ten seconds, so new series may show up late.
          let found = await readExport(await server.export());
          for (let tries = 0; found.size < expected.size && tries < 30; tries++) {
            await sleep(500);
            found = await readExport(await server.export());
          }
          assertSameExport(expected, found, "after new samples");

          await server.forceMerge();
          const merged = await readExport(await server.export());
          assertSameExport(expected, merged, "after the merge", mergedAlike(exact));
          server = await server.restart();
          // What the server had in memory was merged once more when it stopped.
          assertSameExport(merged, await readExport(await server.export()), "after the restart", mergedAlike(exact));
          assert.deepEqual(server.complaints, []);
        });
      });
    }
  });
}
