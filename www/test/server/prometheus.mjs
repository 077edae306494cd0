// A real Prometheus on this machine that takes remote write.
import { spawn } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { canonical, seriesKey } from "./exports.mjs";
import { freePort, temporaryDirectory } from "./victoriametrics.mjs";

export class Prometheus {
  #process;
  #exit;
  #log = "";

  /** Starts a server with an empty database and waits until it answers. */
  static async start() {
    const server = new Prometheus();
    await server.#start();
    return server;
  }

  async #start() {
    this.directory = await temporaryDirectory("prometheus");
    const config = join(this.directory, "prometheus.yml");
    await writeFile(config, "global: {}\n");
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    this.#process = spawn(
      process.env.PROMETHEUS ?? "prometheus",
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(this.directory, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--web.enable-remote-write-receiver",
        "--storage.tsdb.retention.time=100y",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.setEncoding("utf8").on("data", (text) => (this.#log = (this.#log + text).slice(-100_000)));
    const reap = () => this.#process.kill("SIGKILL");
    process.once("exit", reap);
    let ended;
    this.#exit = new Promise((resolve) => {
      this.#process.once("error", (error) => resolve((ended = `cannot be started: ${error.message}`)));
      this.#process.once("exit", (code, signal) => resolve((ended = `ended with ${signal ?? `code ${code}`}`)));
    }).finally(() => process.removeListener("exit", reap));
    for (const deadline = Date.now() + 60_000; ; ) {
      if (ended !== undefined) throw new Error(`Prometheus ${ended}\n${this.#log}`);
      if ((await fetch(`${this.url}/-/ready`).catch(() => undefined))?.ok) return;
      if (Date.now() > deadline) throw new Error(`Prometheus did not answer within a minute\n${this.#log}`);
      await sleep(25);
    }
  }

  get log() {
    return this.#log;
  }

  /** All samples up to an instant, in the form of `readExport`. */
  async samples(end = Date.now() + 3_600_000) {
    const query = new URLSearchParams({ query: '{__name__!=""}[10y]', time: String(end / 1000) });
    const answer = await fetch(`${this.url}/api/v1/query?${query}`);
    const { status, data, error } = await answer.json();
    if (status !== "success") throw new Error(error);
    const series = data.result.map(({ metric, values }) => {
      const floats = values.map(([, value]) => (/Inf/.test(value) ? (value.startsWith("-") ? -Infinity : Infinity) : Number(value)));
      return [
        seriesKey(metric),
        canonical(
          metric,
          Float64Array.from(values, ([time]) => Math.round(time * 1000)),
          Float64Array.from(floats),
        ),
      ];
    });
    return new Map(series);
  }

  async stop() {
    this.#process.kill("SIGTERM");
    await this.#exit;
    await rm(this.directory, { recursive: true, force: true });
  }
}
