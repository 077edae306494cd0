// VictoriaMetrics on one core: what it takes to get the same samples in and out, and what they take on its disk.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { VictoriaMetrics, bytesBelow, temporaryDirectory } from "../test/server/victoriametrics.mjs";
import { jsonLine } from "../test/server/generate.mjs";
import { questions, timed } from "./queries.mjs";

export const ONE_CORE = { GOMAXPROCS: "1" };

/** The server's own format for a generated data set, made by a server. */
export async function nativeBody(dataSet) {
  const server = await VictoriaMetrics.start();
  try {
    for (let from = 0; from < dataSet.series.length; from += 20) {
      await server.importJsonLines(
        dataSet.series
          .slice(from, from + 20)
          .map((series) => jsonLine(series.labels, series))
          .join(""),
      );
    }
    await server.forceFlush();
    await server.forceMerge();
    return await server.exportNative();
  } finally {
    await server.kill();
  }
}

/** The same for a recorded data set, from the snapshot that it is the export of: text formats would lose the special values. */
export async function nativeBodyOfSnapshot(tar) {
  const dataPath = await temporaryDirectory("bench");
  try {
    await promisify(execFile)("tar", ["-xf", tar, "-C", dataPath]);
    const server = await VictoriaMetrics.start({ dataPath });
    try {
      return await server.exportNative();
    } finally {
      await server.kill();
    }
  } finally {
    await rm(dataPath, { recursive: true, force: true });
  }
}

const seconds = async (work) => {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
};

/**
 * One round over one data set.
 *
 * @param {object} input
 * @param {Uint8Array} input.native the data set in the server's own format
 * @param {number} input.samples
 * @param {{ body: Uint8Array, samples: number }} [input.text] part of it as Prometheus text
 * @param {{ bodies: Uint8Array[], samples: number }} [input.remoteWrite] part of it as bodies of remote write
 * @param {string[]} input.prefix the command that pins a process to a core
 * @param {AbortSignal} [input.signal] ends the server, and with it what waits for an answer
 */
export async function measure({ native, samples, text, remoteWrite, prefix, signal }) {
  const found = {};
  let server = await VictoriaMetrics.start({ environment: ONE_CORE, prefix });
  signal?.addEventListener("abort", () => server.kill().catch(() => {}));
  try {
    const took = await seconds(async () => {
      await server.importNative(native);
      await server.forceFlush();
    });
    found.importRate = samples / took;
    found.exportRate = samples / (await seconds(() => server.exportNative()));
    await server.forceMerge();
    // The index reaches its files when the server ends.
    server = await server.restart();
    await server.forceMerge();
    const kept = await server.metric("vm_rows", "storage/");
    if (kept !== samples) throw new Error(`VictoriaMetrics holds ${kept} samples of ${samples}`);
    found.dataBytes = (await bytesBelow(server.dataPath, "/data/")) / samples;
    found.indexBytes = (await bytesBelow(server.dataPath, "/indexdb/")) / samples;
  } finally {
    await server.stop();
  }
  /** Samples a second of what is put into a server of its own. */
  const rateOf = async ({ samples }, put) => {
    server = await VictoriaMetrics.start({ environment: ONE_CORE, prefix });
    try {
      const took = await seconds(async () => {
        await put();
        await server.forceFlush();
      });
      const kept = await server.metric("vm_rows", "storage/");
      if (kept !== samples) throw new Error(`VictoriaMetrics holds ${kept} samples of ${samples}`);
      return samples / took;
    } finally {
      await server.kill();
    }
  };
  if (text) found.textRate = await rateOf(text, () => server.importPrometheus(text.body));
  if (remoteWrite) {
    found.remoteWriteRate = await rateOf(remoteWrite, async () => {
      for (const body of remoteWrite.bodies) await server.remoteWrite(body);
    });
  }
  return found;
}

/** Each question of queries.mjs that is an expression, asked of the server over HTTP on this machine, its answer read as JSON. */
export async function measureQueries({ native, hours, prefix, signal }) {
  const server = await VictoriaMetrics.start({ environment: ONE_CORE, prefix });
  signal?.addEventListener("abort", () => server.kill().catch(() => {}));
  try {
    await server.importNative(native);
    await server.forceFlush();
    await server.forceMerge();
    const found = {};
    for (const { name, expression, start, end, step } of questions(hours)) {
      if (expression === undefined) continue;
      const query = { query: expression, start: start / 1000, end: end / 1000, step: `${step}ms`, nocache: 1 };
      found[name] = await timed(async () => {
        const { data } = await (await server.request("/api/v1/query_range", { query })).json();
        let [points, sum] = [0, 0];
        for (const { values } of data.result) {
          points += values.length;
          for (const [, value] of values) sum += Number(value);
        }
        return { points, sum };
      });
    }
    return found;
  } finally {
    await server.kill();
  }
}
