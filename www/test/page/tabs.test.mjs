// The situation of two tabs, with its engine and no page: what is found after the tab with the engine was killed.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";

const WORLD = fileURLToPath(new URL("../../page/replay/world", import.meta.url));
const INLINE = fileURLToPath(new URL("../../dist/inline.js", import.meta.url));

let folder;
let World;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandglass-tabs-"));
  const entry = join(folder, "entry.ts");
  await writeFile(entry, `export * from ${JSON.stringify(WORLD)};`);
  await build({
    configFile: false,
    root: folder,
    logLevel: "error",
    resolve: { alias: { "sandglass/inline": INLINE } },
    build: {
      lib: { entry, formats: ["es"], fileName: () => "world.mjs" },
      outDir: join(folder, "built"),
      target: "esnext",
      rolldownOptions: { external: [INLINE] },
    },
  });
  ({ World } = await import(pathToFileURL(join(folder, "built", "world.mjs"))));
});
after(() => rm(folder, { recursive: true, force: true }));

/** The seconds of each tab's samples that are missing, after it was killed at these instants. */
async function missing(...kills) {
  const world = await World.open({ situation: "tabs", seed: 7, actions: kills.map((at) => ({ at, kind: "crash" })) });
  const until = 55_000;
  await world.advance(until);
  const told = world.happened.flatMap(({ what }) => (what.type === "crashed" ? [what] : []));
  const gone = [];
  for (const tab of [0, 1]) {
    const found = await world.ask((database) => database.select(`{instance="host-${tab}"}`, { fresh: true }));
    assert.equal(found.length, 6);
    const times = new Set(found[0].timestamps.map((time) => time - world.situation.startTime));
    for (const { timestamps } of found) assert.equal(timestamps.length, times.size, "no sample is there twice");
    for (let at = 0; at < until - 2000; at += 1000) if (!times.has(at)) gone.push(`${"AB"[tab]} ${at}`);
  }
  await world.close();
  return { gone, lost: told.reduce((sum, { lostRows }) => sum + lostRows, 0), told };
}

test("who is killed loses the rows that the log did not have yet, and the other tab none", async () => {
  // The situation itself kills tab A at 41.3 s.
  assert.deepEqual((await missing()).gone, ["A 41000"]);
  for (const kill of [9050, 9600, 9999]) {
    const { gone, lost, told } = await missing(kill);
    assert.equal(lost, gone.length * 6, "what is told to be lost is what is missing");
    assert.ok(gone.length <= 2 && gone.every((row) => row === "A 9000" || row === "B 41000"), gone.join());
    assert.ok(told.every(({ loggedRows }) => loggedRows > 0));
  }
});
