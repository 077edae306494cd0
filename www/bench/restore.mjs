// How fast a snapshot's tar goes into a database, how much memory that takes, and how soon a large one answers where it lies. The files
// are chosen from the disk, as users do, in a browser that was started for each measurement.
import { execFile } from "node:child_process";
import { cp, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { visit } from "../test/package/persistent.mjs";
import { serve } from "../test/server/chromium.mjs";
import { random } from "../test/server/generate.mjs";
import { temporaryDirectory } from "../test/server/victoriametrics.mjs";
import { cpuOnly, eachSeriesHour } from "./data.mjs";

/** Ten million samples in a thousand series, of two places behind the point. */
const TEN_MILLION = { hosts: 100, hours: 28, decimals: 2 };
/** Series and samples of one part of the large tar, whose values hardly compress. */
const LARGE_SERIES = 1000;
const LARGE_SAMPLES = 16_000;
const SELECTOR = 'large{number="42"}';

/**
 * Makes the tars and measures.
 *
 * @param {object} options
 * @param {string} options.directory of the installed package
 * @param {(name: string, condition?: string) => Promise<string>} options.entry
 * @param {number} options.largeBytes how large the large tar is at least
 * @param {number} options.times how often each measurement is made
 * @param {(figures: { name: string } & Record<string, number>) => Promise<void>} options.found told of each measurement
 * @param {AbortSignal} [options.signal]
 */
export async function measureRestore({ directory, entry, largeBytes, times, found, signal }) {
  const work = await temporaryDirectory("restore");
  const server = await serve({ package: directory, www: fileURLToPath(new URL("..", import.meta.url)) });
  const worker = `/package/${(await entry(".")).replace("./", "")}`;
  try {
    const sandglass = await import(pathToFileURL(join(directory, await entry("./inline", "node"))).href);
    const ten = join(work, "ten-million.tar");
    await writeTenMillion(sandglass, ten);
    const large = join(work, "large.tar");
    await writeLarge(sandglass, work, large, largeBytes);

    const inBrowser = async (tar, call, argument) => {
      signal?.throwIfAborted();
      const profile = join(work, "profile");
      const browser = await visit(profile, server.url);
      const end = () => browser.close().catch(() => {});
      signal?.addEventListener("abort", end);
      try {
        browser.page.setDefaultTimeout(0);
        const run = (name, argument) =>
          browser.page.evaluate(
            async ([name, argument]) => (await import("/www/bench/page-restore.mjs"))[name](argument),
            [name, argument],
          );
        await run("prepare");
        const idleBytes = browser.peakBytes();
        await browser.page.setInputFiles("input", tar);
        const figures = await run(call, { entry: worker, ...argument });
        return { ...figures, ownBytes: browser.peakBytes() - idleBytes };
      } finally {
        signal?.removeEventListener("abort", end);
        await end();
        await rm(profile, { recursive: true, force: true, maxRetries: 5 });
      }
    };
    for (let n = 0; n < times; n++) {
      for (const [name, tar, storage] of [
        ["10 M samples into memory", ten, "memory"],
        ["10 M samples into OPFS", ten, "opfs"],
        ["10 M samples into IndexedDB", ten, "indexeddb"],
        ["large into OPFS", large, "opfs"],
        ["large into IndexedDB", large, "indexeddb"],
      ]) {
        const { restoreMs, fileBytes, ownBytes } = await inBrowser(tar, "restore", { storage });
        await found({ name, restoreRate: fileBytes / 1000 / restoreMs, ownBytes });
      }
      const { lookMs, openMs, readBytes, ownBytes } = await inBrowser(large, "look", { selector: SELECTOR });
      await found({ name: "large where it lies", openMs, lookMs, readBytes, ownBytes });
    }
  } finally {
    await server.close();
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A snapshot of ten million samples, as they come: hour by hour. */
async function writeTenMillion(sandglass, path) {
  const dataSet = cpuOnly(TEN_MILLION.hosts, TEN_MILLION.hours, TEN_MILLION.decimals);
  const db = await sandglass.open({ storage: "memory", retention: "100y" });
  const handles = dataSet.series.map(({ labels }) => db.series(labels));
  await eachSeriesHour(dataSet, (s, timestamps, values) => db.append(handles[s], timestamps, values));
  await writeSnapshot(db, path);
}

/** A tar of at least so many bytes: one part of samples, and copies of it with other names beside it, as servers keep parts that have not been merged. */
async function writeLarge(sandglass, work, path, largeBytes) {
  const db = await sandglass.open({ storage: "memory", retention: "100y" });
  const next = random(7);
  const begin = Date.UTC(2024, 2, 1);
  const timestamps = Float64Array.from({ length: LARGE_SAMPLES }, (_, at) => begin + at * 60_000);
  for (let number = 0; number < LARGE_SERIES; number++) {
    await db.append(
      { __name__: "large", number: String(number) },
      timestamps,
      timestamps.map(() => Math.floor(next() * 1e15)),
    );
  }
  await db.flush();
  await db.forceMerge();
  await writeSnapshot(db, path);
  const one = (await stat(path)).size;
  const files = join(work, "large");
  const tar = (...words) => promisify(execFile)("tar", words);
  await mkdir(files);
  await tar("-xf", path, "-C", files);
  for (const size of ["small", "big"]) {
    const month = join(files, "data", size, "2024_03");
    // A class without parts has no folder.
    for (const part of await readdir(month).catch(() => [])) {
      for (let copy = 1; copy * one < largeBytes; copy++) {
        const suffix = (BigInt(`0x${part.slice(-16)}`) + BigInt(copy) * 0x1_0000n).toString(16).toUpperCase().padStart(16, "0");
        await cp(join(month, part), join(month, part.slice(0, -16) + suffix), { recursive: true });
      }
    }
  }
  await tar("-cf", path, "-C", files, ".");
  await rm(files, { recursive: true });
}

async function writeSnapshot(db, path) {
  const name = await db.snapshots.create();
  const file = await open(path, "w");
  for await (const chunk of db.snapshots.download(name)) await file.write(chunk);
  await file.close();
  await db.close();
}
