// What a database exports a real server imports: JSON lines, CSV, Prometheus text and the server's native format. Afterwards the server
// exports the same samples, all of them, the staleness markers too.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertSameExport, bitsOf, readExport, sampleCount, seriesKey } from "./exports.mjs";
import { LAST_TIME, generateSeries } from "./generate.mjs";
import { installPackage } from "./packed.mjs";
import { VictoriaMetrics } from "./victoriametrics.mjs";

/** Labels of the generated series that have a column each. */
const COLUMNS = ["clock", "instance", "job"];

let installed;
let db;
let generated;
before(async () => {
  installed = await installPackage();
  const sandglass = await import(pathToFileURL(join(installed.directory, await installed.entry("./inline", "node"))).href);
  db = await sandglass.open({ storage: "memory", retention: "100y", clock: "manual", startTime: LAST_TIME });
  generated = generateSeries();
  for (const { labels, timestamps, values } of generated) await db.append(labels, timestamps, values);
  await db.sync();
  await db.forceMerge();
});
after(async () => {
  await db?.close();
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

/**
 * Values of few digits are the same, bit by bit. The others are made decimal numbers of at least twelve digits each time that they are stored, with
 * one exponent for a block, and the server's blocks are others.
 */
function alike() {
  const exact = new Set(generated.filter(({ exact }) => exact).map(({ labels }) => seriesKey(labels)));
  const scale = new Map();
  return (a, b, series) => {
    if (bitsOf(a) === bitsOf(b)) return true;
    if (exact.has(seriesKey(series.labels))) return false;
    if (!scale.has(series)) scale.set(series, Math.max(...series.values.filter(Number.isFinite).map(Math.abs)));
    return Math.abs(a - b) <= 1e-11 * scale.get(series);
  };
}

const every = '{__name__!=""}';
const columned = '{clock!=""}';

/** How each format is asked for and handed over. `from` and `to` answer requests: a server, or the database. */
const FORMATS = {
  "JSON lines": { selector: every, bring: (from, to) => pass(from, "/api/v1/export", {}, to, "/api/v1/import") },
  "Prometheus text": {
    selector: every,
    bring: (from, to) => pass(from, "/api/v1/export", { format: "prometheus" }, to, "/api/v1/import/prometheus"),
  },
  CSV: {
    selector: columned,
    async bring(from, to) {
      const format = [...COLUMNS, "__value__", "__timestamp__:unix_ms"].join();
      // A file has the samples of one metric.
      for (const name of await db.labelValues("__name__", columned)) {
        const read = [...COLUMNS.map((label, at) => `${at + 1}:label:${label}`), `4:metric:${name}`, "5:time:unix_ms"].join();
        const selector = `{__name__="${name}",clock!=""}`;
        await pass(from, "/api/v1/export/csv", { format, "match[]": selector }, to, "/api/v1/import/csv", { format: read });
      }
    },
  },
};

async function pass(from, path, query, to, importPath, importQuery) {
  const reply = await from(`${path}?${new URLSearchParams({ "match[]": every, start: "0", ...query })}`);
  const body = new Uint8Array(await reply.arrayBuffer());
  assert.equal(reply.status, 200);
  await (await to.request(importPath, { method: "POST", body, query: importQuery })).arrayBuffer();
}

const fromDatabase = (path) => db.fetch(path);

/** Those of an export that `which` takes. */
const only = (series, which) => new Map([...series].filter(([, one]) => which(one)));
/** What the server of this machine cannot read: names of labels in quotes, which servers read from 1.117 on. */
const isBeyond = { "Prometheus text": (labels) => Object.keys(labels).some((label) => label.includes(" ")) };
const hasMarkers = ({ values }) => values.some(Number.isNaN);

describe("what a database exports, imported by a server", () => {
  const servers = [];
  const start = async () => servers[servers.push(await VictoriaMetrics.start()) - 1];
  let expected;
  let first;
  before(async () => {
    expected = await readExport(db.export(every));
    first = await start();
  });
  after(() => Promise.all(servers.map((server) => server.stop())));

  test("as native: all samples are there, staleness markers too", async () => {
    await pass(fromDatabase, "/api/v1/export/native", {}, first, "/api/v1/import/native");
    await first.forceFlush();
    const found = await readExport(await first.export());
    assert.ok(sampleCount(expected) > 200_000 && [...expected.values()].some(hasMarkers));
    assertSameExport(expected, found, "native", alike());
  });

  for (const [name, { selector, bring }] of Object.entries(FORMATS)) {
    test(`as ${name}: all samples are there, and what holds markers is as a server's own export leaves it`, async () => {
      const [ours, theirs] = await Promise.all([start(), start()]);
      await bring(fromDatabase, ours);
      await bring((path) => first.request(path), theirs);
      await Promise.all([ours.forceFlush(), theirs.forceFlush()]);
      const found = await readExport(await ours.export());
      const withMarkers = new Set([...only(expected, hasMarkers).keys()]);
      const isPlain = ({ labels }) => !withMarkers.has(seriesKey(labels)) && !isBeyond[name]?.(labels);
      const isMarked = ({ labels }) => withMarkers.has(seriesKey(labels));
      const wanted = only(await readExport(db.export(selector)), isPlain);
      assert.ok(sampleCount(wanted) > 90_000);
      assertSameExport(wanted, only(found, isPlain), name, alike());
      const usual = only(await readExport(await theirs.export()), isMarked);
      assertSameExport(usual, only(found, isMarked), `${name} of a server's own export`, alike());
    });
  }
});
