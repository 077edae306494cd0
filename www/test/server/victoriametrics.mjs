// A real VictoriaMetrics server on this machine, started and asked as its users do: the judge of the files that Sandglass writes.
import { cp, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ServerProcess } from "./server_process.mjs";

/** Selects every series that has a name. */
export const EVERY_SERIES = '{__name__!=""}';

/** A port of the loopback interface that was free a moment ago. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A new empty directory below the system's temporary one. */
export function temporaryDirectory(purpose) {
  return mkdtemp(join(tmpdir(), `sandglass-${purpose}-`));
}

export class VictoriaMetrics {
  #process;

  /**
   * Starts a server on a data directory and waits until it answers.
   *
   * @param {object} options
   * @param {string} [options.dataPath] the storage directory; a new empty one, removed by `stop`, when left out
   * @param {string[]} [options.flags] further flags of the server
   * @param {Record<string, string>} [options.environment] further variables, such as GOMAXPROCS
   * @param {string[]} [options.prefix] a command to run the server under, such as `taskset -c 1`
   * @param {string} [options.program] the server's program; default: VICTORIA_METRICS or `victoria-metrics`
   */
  static async start(options = {}) {
    const server = new VictoriaMetrics();
    await server.#start(options);
    return server;
  }

  async #start({ dataPath, flags = [], environment = {}, prefix = [], program }) {
    this.options = arguments[0];
    this.ownsDataPath = dataPath === undefined;
    this.dataPath = dataPath ?? (await temporaryDirectory("server"));
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    const command = [
      ...prefix,
      program ?? process.env.VICTORIA_METRICS ?? "victoria-metrics",
      `-storageDataPath=${this.dataPath}`,
      `-httpListenAddr=127.0.0.1:${this.port}`,
      "-retentionPeriod=100y",
      // Answers must come from the files, and an export may be as large as the data.
      "-search.disableCache",
      "-search.maxSeries=1000000",
      "-search.maxUniqueTimeseries=1000000",
      ...flags,
    ];
    this.#process = await ServerProcess.start({ name: "VictoriaMetrics", command, readyUrl: `${this.url}/health`, environment });
  }

  /** What the server has printed (the last 200 kB). */
  get log() {
    return this.#process.log;
  }

  /** Lines of the log in which the server complains: level `warn` or worse. */
  get complaints() {
    return this.log.split("\n").filter((line) => /^\S+\t(warn|error|fatal|panic)\t/.test(line));
  }

  get pid() {
    return this.#process.pid;
  }

  /** Sends one request; an answer other than 2xx is an error with the server's own words. */
  async request(path, { query = {}, ...init } = {}) {
    const url = new URL(path, this.url);
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
    }
    const answer = await fetch(url, init);
    if (!answer.ok) throw new Error(`${init.method ?? "GET"} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  /** The stream of `/api/v1/export`: all samples of the matching series as JSON lines. */
  async export(selector = EVERY_SERIES, query = {}) {
    const answer = await this.request("/api/v1/export", { query: { "match[]": selector, start: 0, ...query } });
    return answer.body;
  }

  async exportNative(selector = EVERY_SERIES) {
    const answer = await this.request("/api/v1/export/native", { query: { "match[]": selector, start: 0 } });
    return new Uint8Array(await answer.arrayBuffer());
  }

  importJsonLines(body, query) {
    return this.#import("/api/v1/import", body, query);
  }

  importNative(body, query) {
    return this.#import("/api/v1/import/native", body, query);
  }

  /** A body of remote write, compressed by snappy. */
  remoteWrite(body) {
    return this.#import("/api/v1/write", body);
  }

  importPrometheus(body, query) {
    return this.#import("/api/v1/import/prometheus", body, query);
  }

  async #import(path, body, query) {
    await (await this.request(path, { method: "POST", body, query })).arrayBuffer();
  }

  async #data(path, query) {
    return (await (await this.request(path, { query })).json()).data;
  }

  /** Label sets of the matching series; `start` and `end` are milliseconds. */
  series(selector, { start = 1000, end = 4e12 } = {}) {
    return this.#data("/api/v1/series", { "match[]": selector, start: start / 1000, end: end / 1000 });
  }

  labelNames(selector, { start = 1000, end = 4e12 } = {}) {
    return this.#data("/api/v1/labels", { ...(selector && { "match[]": selector }), start: start / 1000, end: end / 1000 });
  }

  labelValues(name, selector, { start = 1000, end = 4e12 } = {}) {
    const path = `/api/v1/label/${encodeURIComponent(name)}/values`;
    return this.#data(path, { ...(selector && { "match[]": selector }), start: start / 1000, end: end / 1000 });
  }

  /** Raw rows become searchable. */
  async forceFlush() {
    await (await this.request("/internal/force_flush")).text();
  }

  /**
   * Every partition ends with one part; resolves when the merges, which the server runs in the background, are over. A merge
   * that shutdown interrupts would take in-memory parts with it, so it is waited for until no part is in memory or in a merge.
   */
  async forceMerge() {
    const merges = () => this.metric("vm_merges_total", "storage/");
    const before = await merges();
    await (await this.request("/internal/force_merge")).text();
    const deadline = Date.now() + 30_000;
    do await sleep(50);
    while (
      Date.now() < deadline &&
      ((await merges()) === before || (await this.metric("vm_active_force_merges")) > 0 || (await this.metric("vm_active_merges")) > 0)
    );
  }

  /** Sum of the metrics of `/metrics` with this name, whatever their labels; those whose labels hold `labels` alone if given. */
  async metric(name, labels = "") {
    const text = await (await this.request("/metrics")).text();
    let sum = 0;
    for (const line of text.split("\n")) {
      const [, found, set, value] = /^([a-zA-Z0-9_:]+)(\{.*\})? (\S+)$/.exec(line) ?? [];
      if (found === name && (set ?? "").includes(labels)) sum += Number(value);
    }
    return sum;
  }

  /** Takes a snapshot and copies it, links resolved, into `target`. Returns its name. */
  async snapshot(target) {
    const { status, snapshot } = await (await this.request("/snapshot/create")).json();
    if (status !== "ok") throw new Error(`/snapshot/create answered ${status}`);
    const directory = join(this.dataPath, "snapshots", snapshot);
    for (const entry of await readdir(directory))
      await cp(join(directory, entry), join(target, entry), { recursive: true, dereference: true });
    return snapshot;
  }

  /** Ends the server as its operator would; it writes what it holds in memory. Removes the directory that it made itself. */
  async stop() {
    const how = await this.#process.end("SIGINT");
    if (this.ownsDataPath) await rm(this.dataPath, { recursive: true, force: true });
    return how;
  }

  /** Ends the server at once, as a power cut would. */
  async kill() {
    await this.#process.end("SIGKILL");
    if (this.ownsDataPath) await rm(this.dataPath, { recursive: true, force: true });
  }

  /** Stops this server and starts another one on the same directory. */
  async restart() {
    const { dataPath, ownsDataPath } = this;
    this.ownsDataPath = false;
    await this.stop();
    const next = await VictoriaMetrics.start({ ...this.options, dataPath });
    next.ownsDataPath = ownsDataPath;
    return next;
  }
}

/** Bytes of the files below a directory whose path holds `part` ("/data/", "/indexdb/"). */
export async function bytesBelow(directory, part = "") {
  let sum = 0;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) sum += await bytesBelow(path, part);
    else if (entry.isFile() && path.includes(part)) sum += (await stat(path)).size;
  }
  return sum;
}
