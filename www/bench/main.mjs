// The benchmarks: the same data through Sandglass and through its peers, in interleaved rounds on one core each.
//
// Each figure is printed as soon as it is measured, and a step that is not done by its deadline is given up and told; the tables of
// the medians come last. `node www/bench/main.mjs --help` lists the options.
import { execFile, execFileSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { installPackage } from "../test/server/packed.mjs";
import { bodiesIn } from "./bodies.mjs";
import { inChromium } from "./chromium.mjs";
import { RECORDED, cpuOnly, fromExport, prometheusText } from "./data.mjs";
import { measureRestore } from "./restore.mjs";
import { measureStart } from "./start.mjs";
import { measure as measureVictoriaMetrics, measureQueries, nativeBody, nativeBodyOfSnapshot } from "./peer-victoriametrics.mjs";
import { areEqual, questions } from "./queries.mjs";

const top = fileURLToPath(new URL("../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));

/** What can be measured of Sandglass; `durable`, `queries` and `peers` are the other contestants' as well. */
const TASK_NAMES = [
  "arrays",
  "rows",
  "text",
  "bodies",
  "snapshot",
  "calls360",
  "callsRow",
  "calls1",
  "callsText",
  "durable",
  "queries",
  "start",
  "restore",
  "peers",
];
/** Awaited calls, of the entry `sandglass` with its worker and of `sandglass/inline`. */
const CALLS = ["calls360", "callsRow", "calls1", "callsText"];

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    data: { type: "string", default: ["cpu-only", ...RECORDED].join(",") },
    only: { type: "string", default: "sandglass,victoriametrics,duckdb" },
    tasks: { type: "string", default: TASK_NAMES.join(",") },
    hours: { type: "string", default: "24" },
    deadline: { type: "string", default: "300" },
    large: { type: "string", default: "1000" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(`node www/bench/main.mjs [options]
  --rounds N         interleaved rounds (5)
  --data NAMES       of cpu-only,node_exporter,nab,mixed (all), or none, for tasks that make their own
  --only NAMES       contestants, of sandglass,victoriametrics,duckdb (all)
  --tasks NAMES      of ${TASK_NAMES.join(",")} (all)
  --hours N          hours of samples in cpu-only (24, which are 8.64 million); promises are meant for 24
  --large MB         how large the tar of the task restore is (1000)
  --deadline SECONDS after which a step is given up (300)`);
  process.exit(0);
}
const positive = (name) => {
  const value = Number(options[name]);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0, not '${options[name]}'`);
  return value;
};
const rounds = positive("rounds");
const hours = positive("hours");
const deadline = positive("deadline");
const contestants = new Set(options.only.split(","));
const tasks = new Set(options.tasks.split(","));
for (const task of tasks) if (!TASK_NAMES.includes(task)) throw new Error(`there is no task '${task}'`);

/** Formats of servers and agents. No server that Debian has takes bodies of OpenTelemetry. */
const BODIES = ["native", "remote_write", "otlp"];

/** Recorded data lies beside the project, not in it. */
const fixtures = process.env.SANDGLASS_FIXTURES ?? join(top, "../shared/fixtures");

/** One core for what is measured: the last one, so that this process may have another. */
const core = availableParallelism() - 1;
const prefix = hasTaskset() ? ["taskset", "-c", String(core)] : [];

function hasTaskset() {
  try {
    execFileSync("taskset", ["-c", String(core), "true"]);
    return true;
  } catch {
    return false;
  }
}

/** Tells a person who waits what is being done. */
const progress = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);

const rate = (value) => (value === undefined ? "–" : `${(value / 1e6).toFixed(2)} M/s`);
const bytes = (value) => (value === undefined ? "–" : `${value.toFixed(3)} B`);
const milliseconds = (value) => (value === undefined ? "–" : `${value.toFixed(1)} ms`);
const callRate = (value) => (value === undefined ? "–" : `${Math.round(value).toLocaleString("en")} calls/s`);

/** What each figure is called while it is printed, and how. */
const FIGURES = {
  importRate: ["in", rate],
  textRate: ["text in", rate],
  remoteWriteRate: ["remote write in", rate],
  selectRate: ["all out", rate],
  exportRate: ["all out", rate],
  durableRate: ["until durable", rate],
  callsPerSecond: ["calls", callRate],
  resolvedRate: ["until all calls resolved", rate],
  mergedRate: ["until merged", rate],
  foundRate: ["until found", rate],
  longestSlice: ["longest slice", milliseconds],
  milliseconds: ["took", milliseconds],
  restoreRate: ["restored", (value) => `${value.toFixed(1)} MB/s`],
  ownBytes: ["memory of the page's process beyond an idle one's", (value) => `${(value / 1e6).toFixed(0)} MB`],
  lookMs: ["from openSnapshot() to the first answer", milliseconds],
  readBytes: ["read", (value) => `${(value / 1e6).toFixed(1)} MB`],
  startMs: ["from open() to samples", milliseconds],
  openMs: ["open()", milliseconds],
  readShare: ["share of the bytes read", (value) => `${(value * 100).toFixed(1)} %`],
  writtenBytes: ["written", (value) => `${value} B`],
  dataBytes: ["data a sample", bytes],
  indexBytes: ["index a sample", bytes],
};

for (const { name } of questions(hours)) FIGURES[name] = [name, milliseconds];

const failures = [];
/** Figures of all rounds by "data set/contestant/figure". */
const figures = new Map();

/**
 * Runs a step, which is told by a signal to end what it has started when its time is over. It gets a while for that, and is waited
 * for no longer: nothing that a contestant does or does not do may hold up the run.
 */
async function within(seconds, work) {
  const aborter = new AbortController();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not done after ${seconds} s, given up (--deadline sets the seconds)`));
      aborter.abort();
    }, seconds * 1000);
  });
  const running = work(aborter.signal);
  try {
    return await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
    if (aborter.signal.aborted) await Promise.race([running.catch(() => {}), sleep(20_000)]);
  }
}

/** Runs one measurement, prints its figures and files them; a failure is told at once and costs nothing else. */
async function record(data, who, measurement) {
  progress(`${data}: ${who}`);
  try {
    const found = Object.entries(await within(deadline, measurement));
    for (const [name, value] of found) {
      const key = `${data}/${who}/${name}`;
      if (!figures.has(key)) figures.set(key, []);
      figures.get(key).push(value);
    }
    progress("");
    const told = found.filter(([, value]) => value !== undefined && value !== null);
    console.log(`${stage}${data}, ${who}: ${told.map(([name, value]) => `${FIGURES[name][0]} ${FIGURES[name][1](value)}`).join(", ")}`);
  } catch (error) {
    const failure = `${stage}${data}, ${who}: ${error.stderr || error.message}`;
    failures.push(failure);
    progress("");
    console.log(`failed: ${failure}`);
  }
}

/** The first answer to each question, which all others must equal. */
const answers = new Map();

/** The times of the questions' answers; one that differs from another contestant's fails. */
function timesOf(who, found) {
  return Object.fromEntries(
    Object.entries(found).map(([name, { ms, points, sum }]) => {
      const first = answers.get(name) ?? { who, points, sum };
      answers.set(name, first);
      if (!areEqual(first, { points, sum })) {
        throw new Error(`${name}: ${points} points of the sum ${sum}, ${first.who} has ${first.points} of ${first.sum}`);
      }
      return [name, ms];
    }),
  );
}

/** Which round is under way, for the lines above. */
let stage = "";

function median(data, who, name) {
  const all = figures.get(`${data}/${who}/${name}`)?.filter((value) => value !== undefined && value !== null);
  if (!all?.length) return undefined;
  const sorted = [...all].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const most = (data, who, name) => {
  const all = figures.get(`${data}/${who}/${name}`)?.filter((value) => value !== undefined && value !== null);
  return all?.length ? Math.max(...all) : undefined;
};

// ---- the data sets -----------------------------------------------------------------------------------------------------------

/** @type {Map<string, { samples: number, series: number, native?: Uint8Array, text?: object, file?: string }>} */
const sets = new Map();
for (const name of options.data === "none" ? [] : options.data.split(",")) {
  if (name !== "cpu-only" && !RECORDED.includes(name)) throw new Error(`there is no data set '${name}'`);
  const file = name === "cpu-only" ? undefined : join(fixtures, "snapshots", `${name}.export.jsonl.gz`);
  if (file !== undefined && !existsSync(file)) {
    console.log(`${name} is left out: its recording is not beside this project (SANDGLASS_FIXTURES names its folder)`);
    continue;
  }
  console.log(`preparing ${name}`);
  try {
    const set = await within(deadline, async () => {
      const dataSet = file === undefined ? cpuOnly(100, hours) : await fromExport(name, Readable.toWeb(createReadStream(file)));
      let native;
      if (contestants.has("victoriametrics") && tasks.has("peers")) {
        native = file === undefined ? await nativeBody(dataSet) : await nativeBodyOfSnapshot(join(fixtures, "snapshots", `${name}.tar`));
      }
      return {
        samples: dataSet.samples,
        series: dataSet.series.length,
        native,
        file,
        text: file === undefined ? prometheusText(dataSet, 1) : undefined,
        remoteWrite: file === undefined && tasks.has("bodies") ? bodiesIn("remote_write", dataSet) : undefined,
      };
    });
    sets.set(name, set);
  } catch (error) {
    failures.push(`preparing ${name}: ${error.message}`);
    console.log(`failed: ${failures.at(-1)}`);
  }
}

/** The server's own format in a file, for another process to read. */
function nativeFile(native) {
  const path = join(tmpdir(), `sandglass-bench-${process.pid}.native`);
  if (!existsSync(path)) {
    writeFileSync(path, native);
    process.once("exit", () => rmSync(path, { force: true }));
  }
  return path;
}

// ---- the rounds --------------------------------------------------------------------------------------------------------------

const installed = contestants.has("sandglass") ? await installPackage() : undefined;
const inNode = async (task, data, file, signal, format) => {
  const entry = join(installed.directory, await installed.entry(".", "node"));
  const argument = JSON.stringify({ entry, task, data, file, hours, format });
  const command = [...prefix, process.execPath, "--expose-gc", join(here, "node-sandglass.mjs"), argument];
  const { stdout } = await promisify(execFile)(command[0], command.slice(1), { maxBuffer: 1 << 26, signal, killSignal: "SIGKILL" });
  return JSON.parse(stdout.trim().split("\n").at(-1));
};
const mounts = { ...(installed && { package: installed.directory }), ...(existsSync(fixtures) && { fixtures }) };
/** In a page, through an entry of the package: `.` has its engine in a worker, `./inline` in the page's thread. */
const inPage = async (task, data, signal, { name = ".", storage, thread } = {}) => {
  const entry = `/package/${(await installed.entry(name, "browser")).replace(/^\.\//, "")}`;
  return inChromium({
    prefix,
    mounts,
    module: "/www/bench/page-sandglass.mjs",
    argument: { entry, task, data, hours, storage, thread },
    signal,
  });
};
const duckdb = (what, data, signal) =>
  inChromium({ prefix, mounts, module: "/www/bench/page-duckdb.mjs", argument: { data, what, hours }, signal });

/** Storages that outlive the page. */
const STORED = ["indexeddb", "opfs"];

for (let round = 0; round < rounds; round++) {
  stage = `round ${round + 1} of ${rounds}: `;
  for (const [data, { samples, native, text, remoteWrite, file }] of sets) {
    const generated = data === "cpu-only";
    if (contestants.has("sandglass")) {
      for (const task of generated ? ["arrays", "rows", "text", "snapshot"] : ["arrays"]) {
        if (!tasks.has(task)) continue;
        await record(data, `node ${task}`, (signal) => inNode(task, data, file, signal));
        await record(data, `chromium ${task}`, (signal) => inPage(task, data, signal));
      }
      for (const format of generated && tasks.has("bodies") ? BODIES : []) {
        if (format === "native" && !native) continue;
        await record(data, `node ${format}`, (signal) =>
          inNode("bodies", data, format === "native" ? nativeFile(native) : file, signal, format),
        );
      }
      for (const task of generated ? CALLS : []) {
        if (!tasks.has(task)) continue;
        await record(data, `worker ${task}`, (signal) => inPage(task, data, signal, { thread: "worker" }));
        await record(data, `inline ${task}`, (signal) => inPage(task, data, signal, { name: "./inline", thread: "caller" }));
      }
    }
    if (contestants.has("victoriametrics") && native)
      await record(data, "victoriametrics", (signal) => measureVictoriaMetrics({ native, samples, text, remoteWrite, prefix, signal }));
    if (contestants.has("duckdb") && tasks.has("peers")) {
      await record(data, "duckdb", (signal) => duckdb("insert", data, signal));
      // Sizes do not vary from round to round.
      if (round === 0) await record(data, "duckdb", (signal) => duckdb("stored", data, signal));
    }
    if (generated && tasks.has("durable")) {
      for (const storage of contestants.has("sandglass") ? STORED : []) {
        await record(data, `worker durable ${storage}`, (signal) => inPage("durable", data, signal, { storage, thread: "worker" }));
      }
      if (contestants.has("duckdb")) await record(data, "duckdb durable", (signal) => duckdb("durable", data, signal));
    }
    if (generated && tasks.has("queries")) {
      for (const storage of contestants.has("sandglass") ? STORED : []) {
        const who = `worker queries ${storage}`;
        await record(data, who, async (signal) => timesOf(who, await inPage("queries", data, signal, { storage, thread: "worker" })));
      }
      if (contestants.has("victoriametrics") && native) {
        const who = "victoriametrics queries";
        await record(data, who, async (signal) => timesOf(who, await measureQueries({ native, hours, prefix, signal })));
      }
      if (contestants.has("duckdb")) {
        const who = "duckdb queries";
        await record(data, who, async (signal) => timesOf(who, await duckdb("queries", data, signal)));
      }
    }
  }
}
stage = "";

if (contestants.has("sandglass") && sets.has("cpu-only") && tasks.has("start")) {
  for (const storage of STORED) {
    await record("start", storage, async (signal) => {
      const { starts } = await measureStart({
        directory: installed.directory,
        entry: await installed.entry("."),
        storage,
        opens: 2 * rounds + 1,
        signal,
      });
      const middle = (name) => starts.map((start) => start[name]).sort((a, b) => a - b)[starts.length >> 1];
      return { startMs: middle("startMs"), openMs: middle("openMs"), readShare: middle("readBytes") / middle("storedBytes") };
    });
  }
}
if (contestants.has("sandglass") && tasks.has("restore")) {
  const measurement = async (signal) => {
    const found = ({ name, ...figures }) => record("restore", name, async () => figures);
    await measureRestore({ ...installed, largeBytes: positive("large") * 1e6, times: rounds, found, signal });
    return {};
  };
  // Making the files takes longer than any of the measurements.
  await within(10 * deadline, measurement).catch((error) => {
    failures.push(`restore: ${error.message}`);
    console.log(`failed: ${failures.at(-1)}`);
  });
}
/** The engine's code as a browser downloads it. */
const moduleBytes = installed && gzipSync(readFileSync(join(installed.directory, await installed.entry("./wasm"))), { level: 9 }).length;
if (installed) await rm(installed.project, { recursive: true, force: true });

// ---- the report --------------------------------------------------------------------------------------------------------------

function table(title, rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column]].length)));
  console.log(`\n${title}`);
  for (const row of rows)
    console.log(`  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("   ")}`.trimEnd());
}

console.log(
  `Medians of ${rounds} interleaved rounds on ${cpus()[0].model.trim()}, ${prefix.length > 0 ? "one core each" : "not pinned to a core (no taskset)"}; Node ${process.version}`,
);
for (const [data, { samples, series }] of sets) {
  const row = (title, format, name, task = "arrays", peers = {}) => [
    title,
    format(median(data, `node ${task}`, name)),
    format(median(data, `chromium ${task}`, name)),
    format(peers.victoriametrics && median(data, "victoriametrics", peers.victoriametrics)),
    format(peers.duckdb && median(data, "duckdb", peers.duckdb)),
  ];
  const rows = [["", "Sandglass, Node", "Sandglass, Chromium", "VictoriaMetrics", "DuckDB-wasm"]];
  rows.push(
    row("typed arrays in, by series and hour", rate, "importRate", "arrays", { victoriametrics: "importRate", duckdb: "importRate" }),
  );
  if (data === "cpu-only") {
    rows.push(row("typed arrays in, by rows of a scrape", rate, "importRate", "rows"));
    rows.push(row("Prometheus text in", rate, "importRate", "text", { victoriametrics: "textRate" }));
    rows.push(row("the server's native format in", rate, "importRate", "native", { victoriametrics: "importRate" }));
    rows.push(row("remote write in, a scrape a body", rate, "importRate", "remote_write", { victoriametrics: "remoteWriteRate" }));
    rows.push(row("OpenTelemetry in, a scrape a body", rate, "importRate", "otlp"));
  }
  rows.push(row("all samples out", rate, "selectRate", "arrays", { victoriametrics: "exportRate" }));
  rows.push(
    row("stored a sample after a merge, data", bytes, "dataBytes", "arrays", { victoriametrics: "dataBytes", duckdb: "dataBytes" }),
  );
  rows.push(row("stored a sample after a merge, index", bytes, "indexBytes", "arrays", { victoriametrics: "indexBytes" }));
  table(`${data}: ${samples.toLocaleString("en")} samples in ${series.toLocaleString("en")} series`, rows);
}

/** A ratio of two figures, if both were measured. */
const ratio = (a, b) => (a === undefined || b === undefined ? "–" : `${(a / b).toFixed(2)}x`);
const CALL_TITLES = {
  calls360: "arrays of 360 samples, a call awaited after the other",
  callsRow: "rows of 1,000 series, a call awaited after the other",
  calls1: "one sample a call, 1,000 series in turn",
  callsText: "Prometheus text of an hour, one call",
};
if (sets.has("cpu-only") && contestants.has("sandglass") && CALLS.some((task) => tasks.has(task))) {
  const of = (who, name) => median("cpu-only", who, name);
  const rows = [["", "worker", "inline", "worker / inline", "worker / import/native", "worker / DuckDB-wasm"]];
  for (const task of CALLS) {
    if (!tasks.has(task)) continue;
    for (const [name, what, format] of [
      ["callsPerSecond", "calls", callRate],
      ["resolvedRate", "until all calls resolved", rate],
      ["mergedRate", "until merged", rate],
      ["foundRate", "until found", rate],
    ]) {
      // The server's figure is one without reading back, DuckDB's has a count of its rows. A peer that got text is not in `importRate`.
      const peers = name === "mergedRate" || name === "foundRate";
      const [worker, inline] = [of(`worker ${task}`, name), of(`inline ${task}`, name)];
      const held = (who) => (peers ? ratio(worker, of(who, "importRate")) : "");
      rows.push([
        `${CALL_TITLES[task]}: ${what}`,
        format(worker),
        format(inline),
        ratio(worker, inline),
        held("victoriametrics"),
        held("duckdb"),
      ]);
    }
  }
  table("cpu-only in Chromium: the engine in its worker (`sandglass`) and in the page's thread (`sandglass/inline`), in memory", rows);
  console.log(`  A call to the worker may resolve when its samples are on their way, one to the inline engine when it has them: what the two
  have done is the same from "until merged" on. One sample a call is of 500,000 samples and text of one hour, where the peers' ratios
  are to their figures for the whole data set.`);
}
if (sets.has("cpu-only") && tasks.has("durable")) {
  const peer = median("cpu-only", "duckdb durable", "durableRate");
  const rows = [["", "until durable", "against DuckDB-wasm"]];
  for (const storage of contestants.has("sandglass") ? STORED : []) {
    const own = median("cpu-only", `worker durable ${storage}`, "durableRate");
    rows.push([`Sandglass, worker, ${storage}, sync()`, rate(own), ratio(own, peer)]);
  }
  if (contestants.has("duckdb")) rows.push(["DuckDB-wasm, opfs, CHECKPOINT", rate(peer), ""]);
  table("cpu-only in Chromium: arrays of an hour until all are durable", rows);
}

if (sets.has("cpu-only") && tasks.has("queries")) {
  const of = (who, name) => median("cpu-only", `${who} queries`, name);
  const rows = [["", "OPFS", "IndexedDB", "VictoriaMetrics", "DuckDB-wasm, OPFS", "server / OPFS", "DuckDB / OPFS"]];
  for (const { name, title } of questions(hours)) {
    const own = median("cpu-only", "worker queries opfs", name);
    const [server, peer] = [of("victoriametrics", name), of("duckdb", name)];
    const stored = median("cpu-only", "worker queries indexeddb", name);
    rows.push([
      title,
      milliseconds(own),
      milliseconds(stored),
      milliseconds(server),
      milliseconds(peer),
      ratio(server, own),
      ratio(peer, own),
    ]);
  }
  table("cpu-only in Chromium: answers of the engine in its worker, of the server over HTTP without its cache, of DuckDB-wasm", rows);
}

/** What Sandglass promises: the figure, what it is held against, and whether it keeps to it. */
const checks = [["promise", "measured", "wanted", ""]];
const check = (title, measured, wanted, kept, format) => {
  if (measured === undefined || Number.isNaN(measured)) return;
  checks.push([title, format(measured), wanted, kept(measured) ? "kept" : "NOT KEPT"]);
};
const times = (value) => `${value.toFixed(2)}x`;
for (const storage of STORED) {
  const own = (name) => median("cpu-only", `worker queries ${storage}`, name);
  for (const [who, wanted] of [
    ["victoriametrics", { rate: 1.3, quantile: 1, topk: 1, maxByHost: 1, average: 1 }],
    ["duckdb", { b: 4, c: 4, d: 4, e: 4 }],
  ]) {
    for (const [name, least] of Object.entries(wanted)) {
      const measured = median("cpu-only", `${who} queries`, name) / own(name);
      check(`query ${name} on ${storage}, against ${who}`, measured, `${least}x`, (x) => x >= least, times);
    }
  }
  check(`raw samples of one series on ${storage}`, own("raw"), "1 ms", (x) => x <= 1, milliseconds);
  check(
    `10 M samples on ${storage}: from open() to the samples of one series`,
    median("start", storage, "startMs"),
    "150 ms",
    (x) => x < 150,
    (x) => `${x.toFixed(0)} ms`,
  );
  check(
    `10 M samples on ${storage}: share of the stored bytes that this reads`,
    median("start", storage, "readShare"),
    "5 %",
    (x) => x < 0.05,
    (x) => `${(x * 100).toFixed(1)} %`,
  );
}
for (const task of ["calls360", "callsRow"]) {
  const ofInline = median("cpu-only", `worker ${task}`, "foundRate") / median("cpu-only", `inline ${task}`, "foundRate");
  check(`${CALL_TITLES[task]}, until found: worker against inline`, ofInline, "0.85x", (x) => x >= 0.85, times);
}
const callsPerSecond = median("cpu-only", "worker calls1", "callsPerSecond");
check("one sample an awaited call, worker", callsPerSecond, "400,000/s", (x) => x >= 400_000, callRate);
for (const storage of STORED) {
  const ofDuckdb = median("cpu-only", `worker durable ${storage}`, "durableRate") / median("cpu-only", "duckdb durable", "durableRate");
  check(`until durable on ${storage}, against DuckDB-wasm`, ofDuckdb, "1.5x", (x) => x >= 1.5, times);
}
for (const data of sets.keys()) {
  const peer = (name, who = "victoriametrics") => median(data, who, name);
  if (data === "cpu-only") {
    for (const runtime of ["node", "chromium"]) {
      for (const [task, how] of [
        ["arrays", "by series and hour"],
        ["rows", "by rows"],
      ]) {
        check(
          `${data}: arrays in ${how}, ${runtime}, against import/native`,
          median(data, `${runtime} ${task}`, "importRate") / peer("importRate"),
          "3x",
          (x) => x >= 3,
          times,
        );
      }
    }
    for (const [task, how] of [
      ["arrays", "by series and hour"],
      ["rows", "by rows"],
    ]) {
      check(
        `${data}: arrays in ${how}, chromium, against DuckDB-wasm`,
        median(data, `chromium ${task}`, "importRate") / peer("importRate", "duckdb"),
        "1.1x",
        (x) => x >= 1.1,
        times,
      );
    }
    check(
      `${data}: bytes a sample, against DuckDB-wasm on OPFS`,
      median(data, "node arrays", "dataBytes") / peer("dataBytes", "duckdb"),
      "1/6",
      (x) => x <= 1 / 6,
      (x) => x.toFixed(3),
    );
    for (const [format, peerRate, least] of [
      ["native", "importRate", 2],
      ["remote_write", "remoteWriteRate", 1.5],
    ]) {
      const measured = median(data, `node ${format}`, "importRate") / peer(peerRate);
      check(`${data}: ${format} in, node, against the server's import`, measured, `${least}x`, (x) => x >= least, times);
    }
    for (const runtime of ["node", "chromium"]) {
      check(
        `${data}: text in, ${runtime}, against import/prometheus`,
        median(data, `${runtime} text`, "importRate") / peer("textRate"),
        "1.7x",
        (x) => x >= 1.7,
        times,
      );
      check(
        `${data}: all out, ${runtime}, against export/native`,
        median(data, `${runtime} arrays`, "selectRate") / peer("exportRate"),
        "1.5x",
        (x) => x >= 1.5,
        times,
      );
      check(
        `snapshot of 10 M samples, ${runtime}`,
        median(data, `${runtime} snapshot`, "milliseconds"),
        "20 ms",
        (x) => x <= 20,
        (x) => `${x.toFixed(1)} ms`,
      );
      check(
        `bytes written for a snapshot, ${runtime}`,
        median(data, `${runtime} snapshot`, "writtenBytes"),
        "1 KiB",
        (x) => x <= 1024,
        (x) => `${x} B`,
      );
      for (const task of ["arrays", "rows"]) {
        check(
          `longest slice, ${runtime} ${task}`,
          most(data, `${runtime} ${task}`, "longestSlice"),
          "8 ms",
          (x) => x <= 8,
          (x) => `${x.toFixed(1)} ms`,
        );
      }
    }
  }
  for (const [name, what] of [
    ["dataBytes", "data"],
    ["indexBytes", "index"],
  ]) {
    check(
      `${data}: bytes a sample, ${what}, against the server's`,
      median(data, "node arrays", name) / peer(name),
      "1x",
      (x) => x <= 1,
      times,
    );
  }
}
if (moduleBytes !== undefined) console.log(`\nsandglass.wasm, gzipped: ${(moduleBytes / 1024).toFixed(1)} KB`);
if (checks.length > 1) table("promises", checks);
for (const failure of failures) console.log(`\nfailed: ${failure}`);
// What a step that was given up has left behind must not keep the run from its end.
process.exit(failures.length > 0 ? 1 : 0);
