// What a database in memory is for in tests and teaching: ends without a word, and disks that are full.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { rm } from "node:fs/promises";
import { after, it } from "node:test";
import { unpackTar } from "modern-tar";
import { installPackage } from "../server/packed.mjs";

const { project, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const { open } = await import(
  pathToFileURL(`${project}/node_modules/sandglass/${(await entry("./inline", "node")).replace(/^.*node_modules\/sandglass\//, "")}`).href
);

const START = Date.UTC(2024, 2, 10, 1);
const options = { storage: "memory", clock: "manual", startTime: START };
const values = async (db) => (await db.select("up")).flatMap((series) => [...series.values]);

it("a crash takes what was not on disk, and nothing else", async () => {
  const db = await open(options);
  await db.append({ __name__: "up" }, [START], [1]);
  await db.sync();
  await db.append({ __name__: "up" }, [START + 1000], [2]);
  await db.flush();
  await db.append({ __name__: "up" }, [START + 2000], [3]);
  await db.tick(300);
  assert.deepEqual(await values(db), [1, 2]);
  const waiting = assert.rejects(db.tick(100_000_000), { code: "closed" });
  const next = await db.crash();
  await waiting;
  await assert.rejects(db.inspect(), { code: "closed" });
  await db.close();
  assert.deepEqual(await values(next), [1]);
  await next.append(next.series({ __name__: "up" }), [START + 3000], [4]);
  await next.flush();
  assert.deepEqual(await values(next), [1, 4]);
  await next.close();
});

it("a merge that a crash cuts off leaves its sources", async () => {
  let db = await open(options);
  for (let n = 0; n < 20; n++) {
    await db.append({ __name__: "up" }, [START + n], [n]);
    await db.sync();
  }
  const before = await values(db);
  const merging = db.forceMerge().catch(({ code }) => code);
  db = await db.crash();
  assert.ok(["closed", undefined].includes(await merging));
  assert.deepEqual(await values(db), before);
  await db.close();
});

it("a full disk is told, and what is there stays readable", async () => {
  const db = await open({ ...options, quotaBytes: 20_000 });
  const told = [];
  db.observe((event) => event.type === "degraded" && told.push(event.message));
  let refused;
  for (let n = 0; n < 40 && refused === undefined; n++) {
    await db.append(
      { __name__: "up" },
      Float64Array.from({ length: 500 }, (_, i) => START + n * 500 + i),
      Float64Array.from({ length: 500 }, () => Math.random()),
    );
    await db.sync().catch((error) => (refused = error));
  }
  assert.equal(refused?.code, "quota");
  assert.match(told.join(), /needs \d+ bytes, and the storage has \d+ left/);
  assert.ok((await db.inspect()).fileSystem.storedBytes <= 20_000);
  assert.ok((await values(db)).length >= 500);
  // Closing would have to write.
  await (await db.crash()).close();
});

it("little memory makes small shards", async () => {
  const db = await open({ ...options, memoryBytes: 64 << 20 });
  await db.append({ __name__: "up" }, [START], [1]);
  assert.equal((await db.inspect()).partitions[0].shards[0].capacity, 10_000);
  await db.close();
  await assert.rejects(open({ ...options, memoryBytes: -1 }), { code: "invalid" });
});

it("comes back to a checkpoint, and lives through the same again", async () => {
  const db = await open(options);
  const live = async (from, to) => {
    for (let n = from; n < to; n++) {
      await db.append({ __name__: "up", n: String(n % 7) }, [START + n * 500], [n]);
      await db.tick(500);
    }
  };
  const state = async () => {
    const { scheduler: _, memory: __, ...rest } = await db.inspect();
    return rest;
  };
  await live(0, 30);
  const before = await state();
  const early = await db.checkpoint();
  await live(30, 90);
  const late = await db.checkpoint();
  const after = await state();
  assert.notDeepEqual(after.partitions, before.partitions);
  early.rewind();
  assert.deepEqual(await state(), before);
  assert.equal((await values(db)).length, 30);
  await live(30, 90);
  assert.deepEqual((await state()).partitions, after.partitions);
  early.rewind();
  late.rewind();
  assert.deepEqual(await state(), after);
  assert.ok(late.bytes < early.bytes, `${late.bytes} bytes beside ${early.bytes}`);
  const next = await db.crash();
  assert.throws(() => early.rewind(), { code: "closed" });
  await next.close();
  await assert.rejects(next.checkpoint(), { code: "closed" });
});

it("opens files that were written elsewhere, and names those that are bad", async () => {
  const source = await open(options);
  await source.append({ __name__: "up" }, [START, START + 1000], [1, 2]);
  const name = await source.snapshots.create();
  const files = [];
  for await (const entry of entriesOf(await new Response(source.snapshots.download(name)).arrayBuffer())) files.push(entry);
  await source.close();
  const db = await open({ ...options, files });
  assert.deepEqual(await values(db), [1, 2]);
  await db.close();
  const broken = files.map(([path, content]) => (/data.*\/metaindex\.bin$/.test(path) ? [path, content.subarray(1)] : [path, content]));
  await assert.rejects(
    open({ ...options, files: broken }),
    (error) => error.code === "corrupt" && /data\/small\/2024_03\/\S+/.test(error.message),
  );
  await assert.rejects(open({ ...options, files: [["../x", new Uint8Array()]] }), { code: "invalid" });
  await assert.rejects(open({ storage: "indexeddb", files }), { code: "invalid" });
});

/** The files of a tar. */
async function* entriesOf(tar) {
  for (const { header, data } of await unpackTar(tar)) if (header.type === "file") yield [header.name, data];
}
