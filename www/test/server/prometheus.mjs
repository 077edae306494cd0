// A real Prometheus server on this machine, fed as servers feed each other: the judge of answers in PromQL.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonical, seriesKey } from "./exports.mjs";
import { remoteWriteBody } from "./remote_write.mjs";
import { ServerProcess } from "./server_process.mjs";
import { freePort, temporaryDirectory } from "./victoriametrics.mjs";

/** Samples of one request of {@link Prometheus.write}. */
const SAMPLES_A_REQUEST = 50_000;

export class Prometheus {
  #process;

  #outOfOrderWindow;

  /**
   * Starts a server on a new empty directory and waits until it answers. PROMETHEUS names another program than the system's. One that
   * takes samples out of order, within the window that is given, writes blocks of two hours as it does by default.
   */
  static async start({ outOfOrderWindow } = {}) {
    const server = new Prometheus();
    server.#outOfOrderWindow = outOfOrderWindow;
    server.directory = await temporaryDirectory("prometheus");
    await server.restart();
    return server;
  }

  /** Where it stores what it has. */
  get data() {
    return join(this.directory, "data");
  }

  /** Starts it on what it has stored. */
  async restart() {
    this.url = `http://127.0.0.1:${await freePort()}`;
    const configuration = join(this.directory, "prometheus.yml");
    const window = this.#outOfOrderWindow;
    await writeFile(configuration, window ? `storage: { tsdb: { out_of_order_time_window: ${window} } }\n` : "global: {}\n");
    // One head block takes samples of months in any order of their series.
    const oneBlock = ["--storage.tsdb.min-block-duration=1000d", "--storage.tsdb.max-block-duration=1000d"];
    this.#process = await ServerProcess.start({
      name: "Prometheus",
      readyUrl: `${this.url}/-/ready`,
      command: [
        process.env.PROMETHEUS ?? "prometheus",
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${this.data}`,
        `--web.listen-address=${new URL(this.url).host}`,
        "--web.enable-remote-write-receiver",
        "--web.enable-admin-api",
        ...(window ? [] : oneBlock),
        "--storage.tsdb.retention.time=100y",
        "--enable-feature=promql-at-modifier,promql-negative-offset",
      ],
    });
  }

  /**
   * Hands series over by remote write.
   *
   * @param {{ labels: Record<string, string>, timestamps: Float64Array, values: Float64Array }[]} series
   */
  async write(series) {
    let waiting = [];
    let samples = 0;
    const send = async () => {
      const answer = await fetch(`${this.url}/api/v1/write`, {
        method: "POST",
        headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0" },
        body: remoteWriteBody(waiting),
      });
      if (!answer.ok) throw new Error(`remote write: ${answer.status} ${await answer.text()}`);
      waiting = [];
      samples = 0;
    };
    for (const one of series) {
      waiting.push(one);
      samples += one.timestamps.length;
      if (samples >= SAMPLES_A_REQUEST) await send();
    }
    if (samples > 0) await send();
  }

  /** What the server has printed (the last 200 kB). */
  get log() {
    return this.#process.log;
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

  /** Deletes the samples of a selector from one instant to another. */
  async deleteSeries(selector, from, to) {
    const query = new URLSearchParams({ "match[]": selector, start: String(from / 1000), end: String(to / 1000) });
    const answer = await fetch(`${this.url}/api/v1/admin/tsdb/delete_series?${query}`, { method: "POST" });
    if (!answer.ok) throw new Error(`delete_series: ${answer.status} ${await answer.text()}`);
  }

  /** Ends the server as a crash does. */
  async kill() {
    await this.#process.end("SIGKILL");
  }

  /** Ends the server and removes what it has stored. */
  async stop() {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}
