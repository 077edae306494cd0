// The benchmarks: the same data through Sandglass and through its peers, in interleaved rounds on one core each.
//
//   node www/bench/main.mjs [--rounds N] [--data cpu-only,node_exporter,nab,mixed] [--only sandglass,victoriametrics,duckdb]
import { execFile, execFileSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { installPackage } from "../test/server/packed.mjs";
import { inChromium } from "./chromium.mjs";
import { RECORDED, cpuOnly, fromExport, prometheusText } from "./data.mjs";
import { measureStart } from "./start.mjs";
import { measure as measureVictoriaMetrics, nativeBody, nativeBodyOfSnapshot } from "./peer-victoriametrics.mjs";

const top = fileURLToPath(new URL("../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    data: { type: "string", default: ["cpu-only", ...RECORDED].join(",") },
    only: { type: "string", default: "sandglass,victoriametrics,duckdb" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log("node www/bench/main.mjs [--rounds N] [--data cpu-only,node_exporter,nab,mixed] [--only sandglass,victoriametrics,duckdb]");
  process.exit(0);
}
const rounds = Number(options.rounds);
const contestants = new Set(options.only.split(","));

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

const failures = [];
/** Figures of all rounds by "data set/contestant/figure". */
const figures = new Map();

/** Runs one measurement and files its figures; a failure is told and costs nothing else. */
async function record(data, who, measurement) {
  progress(`${data}: ${who}`);
  try {
    for (const [name, value] of Object.entries(await measurement())) {
      const key = `${data}/${who}/${name}`;
      if (!figures.has(key)) figures.set(key, []);
      figures.get(key).push(value);
    }
  } catch (error) {
    failures.push(`${data}, ${who}: ${error.stderr || error.message}`);
  }
}

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
for (const name of options.data.split(",")) {
  progress(`preparing ${name}`);
  if (name === "cpu-only") {
    const dataSet = cpuOnly();
    const native = contestants.has("victoriametrics") ? await nativeBody(dataSet) : undefined;
    sets.set(name, { samples: dataSet.samples, series: dataSet.series.length, native, text: prometheusText(dataSet, 1) });
    continue;
  }
  if (!RECORDED.includes(name)) throw new Error(`there is no data set '${name}'`);
  const file = join(fixtures, "snapshots", `${name}.export.jsonl.gz`);
  if (!existsSync(file)) {
    progress("");
    console.log(`${name} is left out: its recording is not beside this project (SANDGLASS_FIXTURES names its folder)`);
    continue;
  }
  const dataSet = await fromExport(name, Readable.toWeb(createReadStream(file)));
  const native = contestants.has("victoriametrics") ? await nativeBodyOfSnapshot(join(fixtures, "snapshots", `${name}.tar`)) : undefined;
  sets.set(name, { samples: dataSet.samples, series: dataSet.series.length, native, file });
}

// ---- the rounds --------------------------------------------------------------------------------------------------------------

const installed = contestants.has("sandglass") ? await installPackage() : undefined;
const inNode = async (task, data, file) => {
  const argument = JSON.stringify({ entry: join(installed.directory, await installed.entry(".", "node")), task, data, file });
  const command = [...prefix, process.execPath, "--expose-gc", join(here, "node-sandglass.mjs"), argument];
  const { stdout } = await promisify(execFile)(command[0], command.slice(1), { maxBuffer: 1 << 26 });
  return JSON.parse(stdout.trim().split("\n").at(-1));
};
const mounts = { ...(installed && { package: installed.directory }), ...(existsSync(fixtures) && { fixtures }) };
const inPage = async (task, data) => {
  const entry = `/package/${(await installed.entry(".", "browser")).replace(/^\.\//, "")}`;
  return inChromium({ prefix, mounts, module: "/www/bench/page-sandglass.mjs", argument: { entry, task, data } });
};
const duckdb = (what, data) => inChromium({ prefix, mounts, module: "/www/bench/page-duckdb.mjs", argument: { data, what } });

for (let round = 0; round < rounds; round++) {
  for (const [data, { samples, native, text, file }] of sets) {
    if (contestants.has("sandglass")) {
      const tasks = data === "cpu-only" ? ["arrays", "rows", "text", "snapshot"] : ["arrays"];
      for (const task of tasks) {
        await record(data, `node ${task}`, () => inNode(task, data, file));
        await record(data, `chromium ${task}`, () => inPage(task, data));
      }
    }
    if (contestants.has("victoriametrics")) await record(data, "victoriametrics", () => measureVictoriaMetrics({ native, samples, text, prefix }));
    if (contestants.has("duckdb")) {
      await record(data, "duckdb", () => duckdb("insert", data));
      // Sizes do not vary from round to round.
      if (round === 0) await record(data, "duckdb", () => duckdb("stored", data));
    }
  }
}

/** Storages that outlive the page. */
const STORED = ["indexeddb", "opfs"];
if (contestants.has("sandglass") && sets.has("cpu-only")) {
  for (const storage of STORED) {
    await record("start", storage, async () => {
      const { starts } = await measureStart({ directory: installed.directory, entry: await installed.entry("."), storage, opens: 2 * rounds + 1 });
      const middle = (name) => starts.map((start) => start[name]).sort((a, b) => a - b)[starts.length >> 1];
      return { startMs: middle("startMs"), openMs: middle("openMs"), readShare: middle("readBytes") / middle("storedBytes") };
    });
  }
}
progress("");
if (installed) await rm(installed.project, { recursive: true, force: true });

// ---- the report --------------------------------------------------------------------------------------------------------------

const rate = (value) => (value === undefined ? "–" : `${(value / 1e6).toFixed(2)} M/s`);
const bytes = (value) => (value === undefined ? "–" : `${value.toFixed(3)} B`);

function table(title, rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column]].length)));
  console.log(`\n${title}`);
  for (const row of rows) console.log(`  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("   ")}`.trimEnd());
}

console.log(`Medians of ${rounds} interleaved rounds on ${cpus()[0].model.trim()}, ${prefix.length > 0 ? "one core each" : "not pinned to a core (no taskset)"}; Node ${process.version}`);
for (const [data, { samples, series }] of sets) {
  const row = (title, format, name, task = "arrays", peers = {}) => [
    title,
    format(median(data, `node ${task}`, name)),
    format(median(data, `chromium ${task}`, name)),
    format(peers.victoriametrics && median(data, "victoriametrics", peers.victoriametrics)),
    format(peers.duckdb && median(data, "duckdb", peers.duckdb)),
  ];
  const rows = [["", "Sandglass, Node", "Sandglass, Chromium", "VictoriaMetrics", "DuckDB-wasm"]];
  rows.push(row("typed arrays in, by series and hour", rate, "importRate", "arrays", { victoriametrics: "importRate", duckdb: "importRate" }));
  if (data === "cpu-only") {
    rows.push(row("typed arrays in, by rows of a scrape", rate, "importRate", "rows"));
    rows.push(row("Prometheus text in", rate, "importRate", "text", { victoriametrics: "textRate" }));
  }
  rows.push(row("all samples out", rate, "selectRate", "arrays", { victoriametrics: "exportRate" }));
  rows.push(row("stored a sample after a merge, data", bytes, "dataBytes", "arrays", { victoriametrics: "dataBytes", duckdb: "dataBytes" }));
  rows.push(row("stored a sample after a merge, index", bytes, "indexBytes", "arrays", { victoriametrics: "indexBytes" }));
  table(`${data}: ${samples.toLocaleString("en")} samples in ${series.toLocaleString("en")} series`, rows);
}

/** What Sandglass promises: the figure, what it is held against, and whether it keeps to it. */
const checks = [["promise", "measured", "wanted", ""]];
const check = (title, measured, wanted, kept, format) => {
  if (measured === undefined || Number.isNaN(measured)) return;
  checks.push([title, format(measured), wanted, kept(measured) ? "kept" : "NOT KEPT"]);
};
const times = (value) => `${value.toFixed(2)}x`;
for (const storage of STORED) {
  check(`10 M samples on ${storage}: from open() to the samples of one series`, median("start", storage, "startMs"), "150 ms", (x) => x < 150, (x) => `${x.toFixed(0)} ms`);
  check(`10 M samples on ${storage}: share of the stored bytes that this reads`, median("start", storage, "readShare"), "5 %", (x) => x < 0.05, (x) => `${(x * 100).toFixed(1)} %`);
}
for (const data of sets.keys()) {
  const peer = (name, who = "victoriametrics") => median(data, who, name);
  if (data === "cpu-only") {
    for (const runtime of ["node", "chromium"]) {
      for (const [task, how] of [["arrays", "by series and hour"], ["rows", "by rows"]]) {
        check(`${data}: arrays in ${how}, ${runtime}, against import/native`, median(data, `${runtime} ${task}`, "importRate") / peer("importRate"), "3x", (x) => x >= 3, times);
      }
    }
    for (const [task, how] of [["arrays", "by series and hour"], ["rows", "by rows"]]) {
      check(`${data}: arrays in ${how}, chromium, against DuckDB-wasm`, median(data, `chromium ${task}`, "importRate") / peer("importRate", "duckdb"), "1x", (x) => x >= 1, times);
    }
    check(`${data}: bytes a sample, against DuckDB-wasm on OPFS`, median(data, "node arrays", "dataBytes") / peer("dataBytes", "duckdb"), "1/6", (x) => x <= 1 / 6, (x) => x.toFixed(3));
    for (const runtime of ["node", "chromium"]) {
      check(`${data}: text in, ${runtime}, against import/prometheus`, median(data, `${runtime} text`, "importRate") / peer("textRate"), "1.5x", (x) => x >= 1.5, times);
      check(`${data}: all out, ${runtime}, against export/native`, median(data, `${runtime} arrays`, "selectRate") / peer("exportRate"), "2x", (x) => x >= 2, times);
      check(`snapshot of 10 M samples, ${runtime}`, median(data, `${runtime} snapshot`, "milliseconds"), "20 ms", (x) => x <= 20, (x) => `${x.toFixed(1)} ms`);
      check(`bytes written for a snapshot, ${runtime}`, median(data, `${runtime} snapshot`, "writtenBytes"), "1 KiB", (x) => x <= 1024, (x) => `${x} B`);
      for (const task of ["arrays", "rows"]) {
        check(`longest slice, ${runtime} ${task}`, most(data, `${runtime} ${task}`, "longestSlice"), "8 ms", (x) => x <= 8, (x) => `${x.toFixed(1)} ms`);
      }
    }
  }
  for (const [name, what] of [["dataBytes", "data"], ["indexBytes", "index"]]) {
    check(`${data}: bytes a sample, ${what}, against the server's`, median(data, "node arrays", name) / peer(name), "1x", (x) => x <= 1, times);
  }
}
const core_module = join(top, "www/pkg/sandglass_bg.wasm");
if (existsSync(core_module)) {
  check("core wasm, gzipped", gzipSync(readFileSync(core_module), { level: 9 }).length / 1024, "250 KB", (x) => x <= 250, (x) => `${x.toFixed(1)} KB`);
}
if (checks.length > 1) table("promises", checks);
for (const failure of failures) console.log(`\nfailed: ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;
