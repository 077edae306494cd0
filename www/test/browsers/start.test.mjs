// What opening a large database costs: the bytes that are read, which are counted, and not the time, which the benchmark measures.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { measureStart } from "../../bench/start.mjs";
import { installPackage } from "../server/packed.mjs";
import { COMBINATIONS } from "./combinations.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));

/** What a search of one series may read of all that is stored. */
const MOST_PERCENT = 5;

describe("a database of ten million samples in a thousand series", () => {
  for (const storage of new Set(Object.values(COMBINATIONS).map(({ options }) => options.storage))) {
    it(`on ${storage}: reads less than ${MOST_PERCENT} % of its bytes for the first search of one series`, {
      timeout: 120_000,
    }, async (test) => {
      const { samples, series, starts } = await measureStart({ directory, entry: await entry("."), storage, opens: 1 });
      assert.ok(samples >= 10_000_000 && series === 1000);
      const [start] = starts;
      assert.deepEqual([start.series, start.samples], [1, samples / series]);
      test.diagnostic(`${start.readBytes} of ${start.storedBytes} bytes read, ${start.startMs.toFixed(0)} ms`);
      assert.ok(start.readBytes < start.storedBytes * (MOST_PERCENT / 100), `${start.readBytes} of ${start.storedBytes} bytes were read`);
    });
  }
});
