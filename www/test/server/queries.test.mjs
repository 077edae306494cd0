// Queries are answered as the servers answer them: the same samples, some thousand expressions, every series, label and point. MetricsQL
// is held against VictoriaMetrics, which opens the snapshot of the very database; PromQL against Prometheus, which is fed with the samples
// as the database has them.
//
// SEED=… takes other generated expressions, EXPRESSIONS=… so many of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { laterScrape } from "./generate.mjs";
import { installPackage } from "./packed.mjs";
import { Prometheus } from "./prometheus.mjs";
import { difference } from "./queries/answers.mjs";
import { SPARSE_END, queryData } from "./queries/data.mjs";
import { functionTable } from "./queries/functions.mjs";
import { generate } from "./queries/generator.mjs";
import { queryTimes } from "./queries/times.mjs";
import { VictoriaMetrics, temporaryDirectory } from "./victoriametrics.mjs";

const SEED = Number(process.env.SEED ?? 1);
const EXPRESSIONS = Number(process.env.EXPRESSIONS ?? 2_000);

/** So many requests are under way. */
const LANES = 4;
/** So often the server is asked again for an answer that is not ours. */
const ASKED_AGAIN = 50;

let installed;
let sandglass;
let scrape;
before(async () => {
  installed = await installPackage();
  sandglass = await import(pathToFileURL(join(installed.directory, await installed.entry("./inline", "node"))).href);
  scrape = await readFile(new URL("../../page/public/node_exporter.prom", import.meta.url), "utf8");
});
after(async () => {
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

async function filled(dialect, offEdges) {
  const db = await sandglass.open({
    name: `queries-${dialect}`,
    storage: "memory",
    retention: "100y",
    clock: "manual",
    startTime: SPARSE_END,
    dialect,
  });
  for (const { labels, timestamps, values } of queryData({ offEdges, scrape, laterScrape })) await db.append(labels, timestamps, values);
  await db.flush();
  return db;
}

/** A server on a snapshot of the database. */
async function victoriaMetrics(db, directory) {
  const dataPath = join(directory, "data");
  await mkdir(dataPath);
  const tar = join(directory, "snapshot.tar");
  await pipeline(Readable.fromWeb(db.snapshots.download(await db.snapshots.create())), createWriteStream(tar));
  await promisify(execFile)("tar", ["-xf", tar, "-C", dataPath]);
  return VictoriaMetrics.start({ dataPath });
}

/** A server that has the samples as the database has them: as decimals. */
async function prometheus(db) {
  const server = await Prometheus.start();
  await server.write(await db.select('{__name__!=""}'));
  return server;
}

/** The lines of a list: what both answer alike, what an older server refuses, and what is known to be answered in another way. */
async function listed(dialect) {
  const text = await readFile(fileURLToPath(new URL(`./queries/${dialect}.txt`, import.meta.url)), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("# "));
  const behind = (mark) => lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length));
  return { alike: lines.filter((line) => !/^\[(newer|other)\] /.test(line)), newer: behind("[newer] "), other: behind("[other] ") };
}

for (const [dialect, offEdges, start] of [
  ["metricsql", false, victoriaMetrics],
  ["promql", true, prometheus],
]) {
  describe(`answers in ${dialect}`, () => {
    const { instants, ranges } = queryTimes(offEdges);
    const agent = new Agent({ keepAlive: true, maxSockets: LANES });
    let db;
    let server;
    let directory;
    let list;
    before(async () => {
      directory = await temporaryDirectory(`queries-${dialect}`);
      list = await listed(dialect);
      db = await filled(dialect, offEdges);
      server = await start(db, directory);
    });
    after(async () => {
      agent.destroy();
      await server?.stop();
      await db?.close();
      if (directory) await rm(directory, { recursive: true, force: true });
    });

    const replyOfServer = (path) =>
      new Promise((resolve, reject) => {
        const received = (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (piece) => (text += piece));
          response.on("end", () => resolve(text.startsWith("{") ? JSON.parse(text) : { status: "error", error: text }));
        };
        get(server.url + path, { agent }, received).on("error", reject);
      });
    const replyOfOurs = async (path) => (await db.fetch(path)).json();

    /** Asks both, and tells how the answers differ. */
    const ask = async (expression, time, isListed = true) => {
      const query = new URLSearchParams({ query: expression, nocache: "1", ...time });
      const path = `/api/v1/${"step" in time ? "query_range" : "query"}?${query}`;
      const theirs = replyOfServer(path);
      const ours = await replyOfOurs(path);
      const inOrder = isListed && !("step" in time) && expression.startsWith("sort_by_label");
      let differs = difference(ours, await theirs, inOrder);
      // The server adds in the order in which its threads come to an end. `avg(x) >= avg(x)` has several answers then, and ours is to be one.
      for (let again = 0; differs !== undefined && again < ASKED_AGAIN; again++)
        if (difference(ours, await replyOfServer(path), inOrder) === undefined) differs = undefined;
      return { ours, theirs: await theirs, differs };
    };
    // Over months the servers compute each instant of a subquery, whether it lies in a window or not; that takes seconds.
    const rangesOf = (expression) => (/\[[^\]"]*:|\)\s*\[/.test(expression) ? ranges.slice(0, -1) : ranges);
    const times = (expression) => [...instants, ...rangesOf(expression)];
    /** Runs `work` on each item, some at a time. */
    const each = async (items, work) => {
      const queue = items.entries();
      await Promise.all(
        Array.from({ length: LANES }, async () => {
          for (const [at, item] of queue) await work(item, at);
        }),
      );
    };
    const assertNone = (differences, count) => {
      const shown = differences.slice(0, 20).join("\n");
      assert.equal(differences.length, 0, `${differences.length} of ${count} expressions are answered in another way:\n${shown}`);
    };

    test("the listed expressions are answered alike, at instants and over ranges", async () => {
      const differences = [];
      await each(list.alike, async (expression) => {
        for (const time of times(expression)) {
          const { differs } = await ask(expression, time);
          if (differs === undefined) continue;
          differences.push(`${expression}\n  at ${JSON.stringify(time)}: ${differs}`);
          break;
        }
      });
      assertNone(differences, list.alike.length);
    });

    test(`generated expressions are answered alike (SEED=${SEED})`, async () => {
      // Where counters begin Prometheus 2 extrapolates in its own way.
      const isExtrapolated = (expression) => dialect === "promql" && /\b(rate|increase)\(/.test(expression);
      const functions = (await functionTable())[dialect];
      const known = new Set();
      await each(functions, async (one) => {
        const { error = "" } = await replyOfServer(`/api/v1/query?query=${one.name}()`);
        if (!/unknown func/.test(error)) known.add(one.name);
      });
      const expressions = generate(
        dialect,
        functions.filter(({ name }) => known.has(name)),
        SEED,
        EXPRESSIONS,
      );
      const differences = [];
      await each(expressions, async (expression, at) => {
        const isInside = isExtrapolated(expression);
        const possible = isInside ? [instants.slice(0, 2), ranges.slice(0, 2)] : [instants, rangesOf(expression)];
        for (const time of possible.map((some) => some[at % some.length])) {
          const { differs } = await ask(expression, time, false);
          if (differs === undefined) continue;
          differences.push(`${expression}\n  at ${JSON.stringify(time)}: ${differs}`);
          break;
        }
      });
      assertNone(differences, expressions.length);
    });

    test("every function is among the listed expressions", async () => {
      const all = [...list.alike, ...list.newer, ...list.other].join("\n");
      const missing = (await functionTable())[dialect]
        .map(({ name }) => name)
        .filter((name) => !new RegExp(`\\b${name}\\b`, "i").test(all));
      assert.deepEqual(missing, []);
    });

    test("what older servers refuse is answered", async () => {
      await each(list.newer, async (expression) => {
        const { ours, theirs } = await ask(expression, instants[0]);
        assert.equal(theirs.status, "error", `the server answers ${expression} too`);
        assert.equal(ours.status, "success", `${expression}: ${ours.error}`);
      });
    });

    test("what is said to be answered in another way is", async () => {
      await each(list.other, async (expression) => {
        const answers = [];
        for (const time of times(expression)) answers.push(await ask(expression, time));
        assert.ok(
          answers.some(({ differs }) => differs !== undefined),
          `${expression} is answered alike`,
        );
      });
    });
  });
}
