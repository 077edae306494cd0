// A database in memory that was given an end, in a page: what is refused and how, what goes on, and what makes room. Databases that
// are stored fill a real disk in test/browsers/full_disk.test.mjs, as browsers do not keep to a quota that was only told them.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { serve, visit } from "./persistent.mjs";

const QUOTA_BYTES = 14 << 20;

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const module = async (name) => `/package/${(await entry(name)).replace("./", "")}`;
const place = { module: await module("./inline"), options: { storage: "memory", quotaBytes: QUOTA_BYTES } };

/** What runs in the page, where `world` keeps what lasts from one call to the next. */
const inPage = {
  async begin({ module, options }) {
    const START = Date.UTC(2024, 2, 10);
    const DAY = 86_400_000;
    const SAMPLES = 30_000;
    const world = (globalThis.world = { START, DAY, SAMPLES, events: [], accepted: [] });
    const { open } = await import(module);
    world.db = await open({ retention: "60d", clock: "manual", startTime: START, ...options });
    world.db.observe(
      (event) => (event.type === "degraded" || event.type === "restored") && world.events.push(`${event.type} ${event.code}`),
    );
    /** Samples that hardly shrink, and can be told from others: the n-th series of them. */
    world.append = (n, from) => {
      let state = n * 7919 + 1;
      const timestamps = Float64Array.from({ length: SAMPLES }, (_, i) => from + i * 1000);
      const values = timestamps.map(() => (state = (state * 48271) % 2147483647));
      return world.db.append({ __name__: "fill", n: String(n) }, timestamps, values);
    };
    /** Which of the series are not there as they were appended. */
    world.missing = async (wanted) => {
      const found = new Map((await world.db.select("fill")).map((series) => [Number(series.labels.n), series]));
      return wanted.filter((n) => {
        let state = n * 7919 + 1;
        const values = found.get(n)?.values ?? [];
        return values.length !== SAMPLES || values.some((value) => value !== (state = (state * 48271) % 2147483647));
      });
    };
    /** Appends and syncs until that is refused. */
    world.fill = async () => {
      for (let turn = 0; turn < 400; turn++) {
        const n = world.accepted.length;
        try {
          await world.append(n, world.START - (n % 5) * 3600_000);
          world.accepted.push(n);
          await world.db.sync();
        } catch ({ code, message }) {
          return { code, message };
        }
      }
      return undefined;
    };
    /** Tries until everything is durable. */
    world.recover = async () => {
      for (let turn = 0; turn < 150; turn++) {
        try {
          await world.db.sync();
          return true;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      }
      return false;
    };
  },
  /** A month that will be too old soon, and a snapshot whose files nobody else has. */
  async prepare() {
    for (let n = 9000; n < 9025; n++) await world.append(n, world.START - 50 * world.DAY);
    await world.db.sync();
    await world.db.snapshots.create();
    await world.db.forceMerge();
  },
  async fill() {
    const refused = await world.fill();
    await world.db.flush();
    const { storage } = await world.db.inspect();
    return { refused, missing: await world.missing(world.accepted), accepted: world.accepted.length, storage, events: world.events };
  },
  async forceMerge() {
    return world.db.forceMerge().then(
      () => "merged",
      ({ code }) => code,
    );
  },
  async deleteSnapshots() {
    await world.db.snapshots.deleteAll();
    const recovered = await world.recover();
    const { storage } = await world.db.inspect();
    return { recovered, storage, events: world.events };
  },
  async passTime() {
    await world.db.tick(30 * world.DAY);
    const recovered = await world.recover();
    return {
      recovered,
      old: (await world.db.select("fill", { end: world.START - 40 * world.DAY })).length,
      missing: await world.missing(world.accepted),
    };
  },
};

describe("a page whose database in memory has an end", async () => {
  const profile = await temporaryDirectory("full-memory");
  const server = await serve({ package: directory });
  const browser = await visit(profile, server.url);
  after(async () => {
    await browser.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  });
  const call = (name, argument) =>
    browser.page.evaluate(`(${inPage[name].toString().replace(/^async (\w+)/, "async function $1")})(${JSON.stringify(argument) ?? ""})`);

  it("refuses, reads, makes room and goes on", { timeout: 120_000 }, async (test) => {
    await call("begin", place);
    await call("prepare");

    const full = await call("fill");
    assert.equal(full.refused?.code, "quota", full.refused?.message);
    assert.ok(full.refused.message.length > 20, full.refused.message);
    assert.deepEqual(full.missing, [], "what was accepted is there, durable or not");
    assert.ok(full.accepted > 10, `${full.accepted} were accepted`);
    assert.ok(full.storage.isDegraded && full.storage.waitingBytes > 0, JSON.stringify(full.storage));
    assert.equal(full.storage.lastStorageError?.code ?? "quota", "quota");
    assert.deepEqual(full.events, ["degraded quota"]);
    assert.equal(await call("forceMerge"), "quota");

    const freed = await call("deleteSnapshots");
    assert.ok(freed.recovered, `room comes back: ${JSON.stringify(freed.storage)}`);
    assert.ok(!freed.storage.isDegraded);
    assert.deepEqual(freed.events, ["degraded quota", "restored quota"]);

    assert.equal((await call("fill")).refused?.code, "quota");
    const aged = await call("passTime");
    assert.deepEqual(aged, { recovered: true, old: 0, missing: [] });
    test.diagnostic(`refused with: ${full.refused.message}`);
  });
});
