// Archives of real servers, restored and looked at by the package as npm installs it; and a large one, in bounded memory.
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as zlib from "node:zlib";
import { unpackTar } from "modern-tar";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { gunzipSync } = zlib;
/** Node has it from version 22.15 on. */
const zstdCompressSync = zlib.zstdCompressSync;

const GOLDEN = fileURLToPath(new URL("../../../tests/golden/", import.meta.url));
const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const { open, openSnapshot } = await import(pathToFileURL(join(directory, await entry(".", "node"))).href);

/** The files of a tar with their paths. */
async function filesOf(tar) {
  const entries = await unpackTar(tar);
  return entries.filter(({ data }) => data).map(({ header, data }) => [header.name, data]);
}
/** A server that hands out ranges of a tar, and nothing else. */
/** First and last byte that are asked for, as far as they are there. */
function rangeOf(request, size) {
  const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range).map(Number);
  return [from, Math.min(to, size - 1)];
}

async function serveRanges(tar, onRequest = () => {}) {
  const server = createServer((request, response) => {
    onRequest();
    const [from, to] = rangeOf(request, tar.length);
    response.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${tar.length}` });
    response.end(tar.subarray(from, to + 1));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const golden = async (name) => new Uint8Array(await readFile(`${GOLDEN}${name}`));
const exported = async (db) =>
  (await new Response(db.export()).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
/** Series by their labels, with the samples in order. */
function bySeries(lines) {
  const key = ({ metric }) => JSON.stringify(Object.entries(metric).sort());
  return new Map(lines.map((line) => [key(line), line.timestamps.map((time, n) => `${time} ${line.values[n]}`).sort()]).sort());
}
const expected = async (name) =>
  bySeries(
    gunzipSync(await golden(name))
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  );
const empty = () => open({ storage: "memory", retention: "100y" });

describe("archives of servers", () => {
  for (const [name, format] of [
    ["tiny", "VictoriaMetrics up to 1.89"],
    ["tiny_v1.150.0", "VictoriaMetrics 1.133 and later"],
  ])
    it(`${name} is restored zipped, plain and packed by zstd, and looked at in a file and at a URL`, async () => {
      const zipped = await golden(`${name}.tar.gz`);
      const tar = gunzipSync(zipped);
      const packings = [zipped, tar, ...(zstdCompressSync ? [zstdCompressSync(tar)] : [])];
      for (const archive of packings) {
        const db = await empty();
        const result = await db.snapshots.restore(new Blob([archive]));
        assert.deepEqual({ ...result, parts: 0 }, { format, parts: 0, series: 3, samples: 12, leftOut: [] });
        assert.deepEqual(bySeries(await exported(db)), await expected("tiny.export.jsonl.gz"));
        await db.close();
      }
      let requests = 0;
      const server = await serveRanges(tar, () => requests++);
      try {
        for (const place of [
          ...packings.map((archive) => new Blob([archive])),
          new URL(`http://127.0.0.1:${server.address().port}/snapshot.tar`),
        ]) {
          const db = await openSnapshot(place);
          assert.equal(db.snapshot.format, format);
          assert.equal(db.snapshot.isUnpacked, place instanceof Blob && place.size !== tar.length);
          assert.deepEqual(bySeries(await exported(db)), await expected("tiny.export.jsonl.gz"));
          await db.close();
        }
        assert.equal(requests, 1, "more than one request for a small file");
      } finally {
        server.close();
      }
    });

  it("a server that stalls, hands out something else or another file is told of, and keeps no close waiting", async () => {
    const tar = gunzipSync(await golden("tiny.tar.gz"));
    let answer = "well";
    const server = createServer((request, response) => {
      const [from, to] = rangeOf(request, tar.length);
      if (answer === "not at all") return;
      const shift = answer === "another range" ? 512 : 0;
      const tag = answer === "another file" ? '"2"' : '"1"';
      const size = answer === "another size" ? tar.length + 1 : tar.length;
      response.writeHead(206, { ETag: tag, "Content-Range": `bytes ${from + shift}-${to + shift}/${size}` });
      response.end(tar.subarray(from + shift, to + shift + 1));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${server.address().port}/snapshot.tar`;
    try {
      for (const [how, words] of [
        ["another range", /was answered with the range "bytes \d+-\d+\/\d+" where the bytes/],
        ["another file", /has changed since the snapshot was opened/],
        ["another size", /has changed since the snapshot was opened/],
      ]) {
        answer = "well";
        const db = await openSnapshot(url, { cacheBytes: 0 });
        answer = how;
        await assert.rejects(db.select('{__name__!=""}'), (error) => error.code === "storage" && words.test(error.message), how);
        await db.close();
      }
      answer = "well";
      const db = await openSnapshot(url, { cacheBytes: 0 });
      answer = "not at all";
      const selecting = db.select('{__name__!=""}').catch(({ code }) => code);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const began = performance.now();
      await db.close();
      assert.ok(performance.now() - began < 5_000, "close() has waited for a server that does not answer");
      assert.equal(await selecting, "closed");
    } finally {
      server.closeAllConnections();
      server.close();
    }
    await assert.rejects(openSnapshot(url), (error) => error.code === "storage" && /fetch failed: \S/.test(error.message));
  });

  it("what a killed Prometheus left is looked at: a tar, packed and plain, the files of its folder, and a tar at a URL", async () => {
    const zipped = await golden("prometheus-killed.tar.gz");
    const tar = gunzipSync(zipped);
    const server = await serveRanges(tar);
    const url = `http://127.0.0.1:${server.address().port}/prometheus.tar`;
    try {
      for (const place of [tar, new Blob([zipped]), await filesOf(tar), url]) {
        const db = await openSnapshot(place);
        const { format, series, samples, leftOut, isUnpacked } = db.snapshot;
        assert.deepEqual(
          { format, series, samples, leftOut, isUnpacked },
          { format: "Prometheus", series: 20, samples: 4000, leftOut: [], isUnpacked: true },
        );
        assert.deepEqual(bySeries(await exported(db)), await expected("prometheus-killed.jsonl.gz"));
        await assert.rejects(db.snapshots.create(), { code: "locked" });
        await db.close();
      }
    } finally {
      server.close();
    }
  });

  it("an upgraded directory with both kinds of index has all its series", async () => {
    const db = await empty();
    const { series, samples, leftOut } = await db.snapshots.restore(await golden("upgraded_1.79.5_to_v1.150.0.tar.gz"));
    assert.deepEqual([series, samples, leftOut], [104, 25_084, []]);
    await db.close();
  });
});

describe("a large archive", async () => {
  const browser = await openPage({ mounts: { package: directory, golden: GOLDEN } });
  after(() => browser.close());
  const index = `/package/${(await entry(".")).replace("./", "")}`;
  for (const storage of ["opfs", "indexeddb"])
    it(`of 600 MB goes into ${storage} with little memory, and can be given up`, async () => {
      const found = await browser.page.evaluate(
        async ([index, storage]) => {
          const { open, destroy } = await import(index);
          const zipped = await (await fetch("/golden/tiny.tar.gz")).blob();
          const tar = new Uint8Array(await new Response(zipped.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
          // Behind its blocks a part's file of values may have anything: it is made larger where it lies.
          const string = (from, length) => new TextDecoder().decode(tar.subarray(from, from + length)).split("\0")[0];
          const sizeAt = (header) => Number.parseInt(string(header + 124, 12), 8);
          let header = 0;
          // A name that is too long stands in an entry of its own before.
          for (let long = ""; !/values\.bin/.test(long || string(header, 100)); ) {
            const content = string(header + 512, sizeAt(header));
            long = string(header + 156, 1) === "L" ? content : "";
            header += 512 + Math.ceil(sizeAt(header) / 512) * 512;
            if (/values\.bin/.test(long)) break;
          }
          const size = sizeAt(header);
          const more = 600 * 2 ** 20;
          const padded = Math.ceil(size / 512) * 512;
          const own = tar.slice(header, header + 512);
          own.set(new TextEncoder().encode((padded + more).toString(8).padStart(11, "0")), 124);
          own.fill(32, 148, 156);
          const sum = own.reduce((sum, byte) => sum + byte, 0);
          own.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
          const chunk = new Uint8Array(2 ** 20);
          function* chunks() {
            yield tar.slice(0, header);
            yield own;
            yield tar.slice(header + 512, header + 512 + padded);
            for (let n = 0; n < 600; n++) yield chunk.slice();
            yield tar.slice(header + 512 + padded);
          }
          const stream = () => {
            const iterator = chunks();
            return new ReadableStream({
              pull(controller) {
                const { done, value } = iterator.next();
                if (done) controller.close();
                else controller.enqueue(value);
              },
            });
          };
          const given = `large-${storage}`;
          const db = await open({ name: given, storage, retention: "100y", clock: "manual" });
          const control = new AbortController();
          const aborted = await db.snapshots
            .restore(stream(), { signal: control.signal, onProgress: ({ done }) => done > 50e6 && control.abort() })
            .catch(({ code }) => code);
          const left = (await db.inspect()).fileSystem.storedBytes;
          const began = performance.now();
          const result = await db.snapshots.restore(stream());
          const seconds = (performance.now() - began) / 1000;
          const { memory, fileSystem } = await db.inspect();
          const samples = (await db.select('{__name__!=""}')).reduce((sum, { values }) => sum + values.length, 0);
          await db.close();
          await destroy(given);
          return { aborted, left, result, wasmBytes: memory.wasmBytes, stored: fileSystem.storedBytes, samples, seconds };
        },
        [index, storage],
      );
      assert.equal(found.aborted, "aborted");
      assert.ok(found.left < 1e6, `${found.left} bytes are left of what was given up`);
      assert.deepEqual([found.result.samples, found.samples], [12, 12]);
      assert.ok(found.stored > 600e6);
      assert.ok(found.wasmBytes < 100e6, `${found.wasmBytes} bytes of memory`);
      console.log(`${storage}: ${(600 / found.seconds).toFixed(0)} MiB/s, ${(found.wasmBytes / 1e6).toFixed(0)} MB of wasm memory`);
    });
});
