// Same address, same state: whichever way leads to an instant of a history, the engine there is the same one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ids, visitInside } from "./inside_page.mjs";

let inside;
let page;
before(async () => {
  inside = await visitInside();
  page = inside.page;
});
after(() => inside?.close());

/** Where the ways to an instant meet: behind what the situation is about. */
const MEET_MS = {
  late: 24_000,
  burst: 11_000,
  flood: 9_000,
  snapshot: 38_000,
  retention: 100_000,
  crash: 26_000,
  tabs: 43_000,
  full: 30_000,
  import: 15_000,
  many: 9_000,
};

describe("of every situation", async () => {
  for (const id of await ids("replay/situations.ts")) {
    test(`${id}: played, scrubbed, stepped and by its address`, async () => {
      const meet = MEET_MS[id] ?? 21_000;
      await inside.open(`#inside?s=${id}`);
      await page.waitForSelector('[data-play][aria-label="Pause"]');
      const { at, print } = await inside.playPast(meet, "30");
      assert.ok(Number.isInteger(Number(at)) && Number(at) >= meet, at);
      await page.waitForFunction((seconds) => location.hash.includes(`at=${seconds}`), Number(at) / 1000);
      const address = await page.evaluate(() => location.hash);

      await inside.seek(Number(at) - 3000);
      await inside.atRest(Number(at) - 3000);
      for (let back = 2; back >= 0; back--) {
        await inside.press("ArrowRight");
        assert.ok(await inside.atRest(Number(at) - back * 1000));
      }
      assert.equal((await inside.rest()).print, print, "stepped");
      await inside.seek(1234);
      await inside.atRest(1234);
      await inside.seek(Number(at));
      assert.equal(await inside.atRest(Number(at)), print, "scrubbed");
      await inside.open(address);
      assert.equal(await inside.atRest(Number(at)), print, "by its address");
      assert.deepEqual(inside.complaints(), []);
    });
  }
});
