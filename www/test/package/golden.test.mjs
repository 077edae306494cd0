// Golden bodies and data directories on the WebAssembly that is shipped, in Node: what a real server has made of each, sample by sample.
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { bitsOf, differences, readExport, sampleCount } from "../server/exports.mjs";
import { installPackage } from "../server/packed.mjs";

const GOLDEN = fileURLToPath(new URL("../../../tests/golden/", import.meta.url));
const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const { open } = await import(pathToFileURL(join(directory, await entry("./inline", "node"))).href);

const golden = async (name) => gunzipSync(await readFile(join(GOLDEN, name)));
const begin = () => open({ storage: "memory", retention: "100y" });

/** The server keeps floats as decimals of a block, and its blocks end elsewhere. */
const isNear = (a, b) => bitsOf(a) === bitsOf(b) || Math.abs(a - b) <= 1e-11 * Math.abs(b);

async function assertHolds(db, expected) {
  const found = await readExport(db.export());
  assert.deepEqual(differences(expected, found, isNear), []);
  assert.ok(sampleCount(found) > 0);
}

/** By its name: the body, how it goes in, and the server's export afterwards. */
const BODIES = {
  "a scrape of node_exporter": {
    body: "node_exporter.prom.gz",
    put: (db, body) =>
      db.ingest(body, { format: "prometheus", timestamp: 1_710_000_000_000, extraLabels: { instance: "node-a:9100", job: "node" } }),
    expected: "node_exporter.imported.jsonl.gz",
  },
  "the edges of Prometheus text": {
    body: "edge.prom.gz",
    put: (db, body) => db.ingest(body, { format: "prometheus", timestamp: 1_710_000_009_000 }),
    expected: "edge.imported.jsonl.gz",
  },
  "the edges of Influx' lines": {
    body: "edge.influx.gz",
    put: (db, body) => db.fetch("/write?precision=ns", { method: "POST", body }),
    expected: "edge_influx.imported.jsonl.gz",
  },
  "Influx lines of hosts": {
    body: "tsbs_devops.influx.gz",
    put: (db, body) => db.fetch("/write?db=tsbs", { method: "POST", body }),
    expected: "tsbs_devops.imported.jsonl.gz",
  },
  "a table": {
    body: "stocks.csv.gz",
    put: (db, body) => db.ingest(body, { format: "csv", csvFormat: "1:label:symbol,2:time:custom:Jan 2 2006,3:metric:stock_price" }),
    expected: "stocks.imported.jsonl.gz",
  },
  "a remote write": {
    body: "prometheus_remote_write.snappy.gz",
    put: (db, body) => db.ingest(body, { format: "remote_write" }),
    expected: "prometheus_remote_write.imported.jsonl.gz",
  },
  "JSON lines": {
    body: "seattle_weather.import.jsonl.gz",
    put: (db, body) => db.ingest(body, { format: "jsonl" }),
    expected: "seattle_weather.imported.jsonl.gz",
  },
};

describe("golden bodies", () => {
  for (const [title, { body, put, expected }] of Object.entries(BODIES))
    it(title, async () => {
      const db = await begin();
      await put(db, await golden(body));
      await db.flush();
      const wanted = await readExport(await golden(expected));
      await assertHolds(db, wanted);
      // Parts that are merged say the same.
      await db.forceMerge();
      await assertHolds(db, wanted);
      await db.close();
    });
});

describe("golden data directories", () => {
  for (const [tar, expected] of [
    ["tiny", "tiny.export"],
    ["killed-v1.79.5-writing", "killed-v1.79.5-writing.export"],
    ["killed-v1.79.5-removing", "killed-v1.79.5-removing.export"],
  ])
    it(tar, async () => {
      const db = await begin();
      await db.snapshots.restore(await golden(`${tar}.tar.gz`));
      const wanted = await readExport(await golden(`${expected}.jsonl.gz`));
      await assertHolds(db, wanted);
      await db.forceMerge();
      await assertHolds(db, wanted);
      await db.close();
    });
});
