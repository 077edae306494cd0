// What Sandglass takes for the same work. Runs in Node and in browsers, on the package as its users get it.
import { HOUR, cpuOnly, eachSeriesHour, prometheusText } from "./data.mjs";
import { questions, summed, timed } from "./queries.mjs";

const OPTIONS = { storage: "memory", retention: "100y" };
const EVERY_SERIES = '{__name__!=""}';

const now = () => performance.now();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let opened = 0;
const open = (sandglass, storage = OPTIONS.storage) => sandglass.open({ ...OPTIONS, storage, name: `bench-${opened++}` });

/** Resolves when no merge is under way and none is about to begin. */
async function mergesAreIdle(db) {
  for (let quiet = 0; quiet < 3; await pause(quiet === 0 ? 2 : 10)) {
    const { partitions } = await db.inspect();
    const merging = partitions.some(({ merges, parts }) => merges.length > 0 || parts.some(({ state }) => state === "merging"));
    quiet = merging ? 0 : quiet + 1;
  }
  // The quiet time that was waited to be sure is not the engine's.
  return 20;
}

/** Appends all, then waits until all is flushed, merged and found. Returns samples a second. */
async function ingestRate(db, samples, ingest) {
  const begin = now();
  await ingest();
  await db.flush();
  const waited = await mergesAreIdle(db);
  return samples / ((now() - begin - waited) / 1000);
}

/**
 * Makes the calls, then waits until all is flushed, merged into one part a partition, and found. Returns samples a second until
 * the last call has resolved, until the merge has, and until all were read back; what is not all there is an error.
 */
async function callRates(db, samples, calls, ingest) {
  globalThis.gc?.();
  const begin = now();
  await ingest();
  const resolved = now() - begin;
  await db.flush();
  await db.forceMerge();
  const merged = now() - begin;
  const count = countSamples(await db.select(EVERY_SERIES));
  const found = now() - begin;
  if (count !== samples) throw new Error(`Sandglass holds ${count} samples of ${samples}`);
  const rate = (milliseconds) => (samples / milliseconds) * 1000;
  return { callsPerSecond: (calls / resolved) * 1000, resolvedRate: rate(resolved), mergedRate: rate(merged), foundRate: rate(found) };
}

const appendBySeriesAndHour = (db, dataSet) => {
  const handles = dataSet.series.map(({ labels }) => db.series(labels));
  return eachSeriesHour(dataSet, (s, timestamps, values) => db.append(handles[s], timestamps, values));
};

/** The rows of a data set whose series share one clock, made before the clock of the measurement runs. */
function rowsOf({ series }) {
  const { timestamps } = series[0];
  return Array.from(timestamps, (timestamp, i) => ({ timestamp, values: Float64Array.from(series, ({ values }) => values[i]) }));
}

function countSamples(found) {
  let count = 0;
  for (const { timestamps } of found) count += timestamps.length;
  return count;
}

const hoursOf = ({ series: [{ timestamps }] }) => Math.round((timestamps[timestamps.length - 1] - timestamps[0]) / HOUR);

function storedBytes(state) {
  const sum = (items, of) => items.reduce((total, item) => total + of(item), 0);
  return {
    data: sum(state.partitions, ({ parts }) => sum(parts, ({ bytes }) => bytes)),
    index: sum(state.index.tables, ({ parts }) => sum(parts, ({ bytes }) => bytes)),
  };
}

/**
 * Lets the JavaScript engine compile what is about to be measured: a quarter of the data through every path, in a database of its
 * own. The peers' first moments are not measured either: the server is up and compiled, DuckDB gets rows to warm up with too.
 */
export async function warmUp(sandglass) {
  const dataSet = cpuOnly(100, 6);
  for (let round = 0; round < 2; round++) {
    const db = await open(sandglass);
    await ingestRate(db, dataSet.samples, () => appendBySeriesAndHour(db, dataSet));
    await db.select(EVERY_SERIES);
    const handles = dataSet.series.map(({ labels }) => db.series(labels));
    for (const { timestamp, values } of rowsOf(dataSet).slice(0, 500)) await db.appendRow(handles, timestamp + 86400_000, values);
    await db.ingest(prometheusText(dataSet, 0.2).body, { format: "prometheus" });
    await db.flush();
    await db.forceMerge();
    await db.close();
    // What was found to be hot is compiled in the background, which on one core goes on only while this thread rests.
    await pause(1_500);
  }
}

/** The measurements; each gets the package and a data set and returns figures by name. */
export const TASKS = {
  /** Typed arrays in, all out again, and what is stored after a forced merge. */
  async arrays(sandglass, dataSet) {
    const db = await open(sandglass);
    const importRate = await ingestRate(db, dataSet.samples, () => appendBySeriesAndHour(db, dataSet));
    const longestSlice = (await db.inspect()).scheduler.longestSliceMs;
    globalThis.gc?.();
    const begin = now();
    const found = await db.select(EVERY_SERIES);
    const selectRate = dataSet.samples / ((now() - begin) / 1000);
    const count = countSamples(found);
    if (count !== dataSet.samples) throw new Error(`Sandglass holds ${count} samples of ${dataSet.samples}`);
    await db.forceMerge();
    await mergesAreIdle(db);
    const stored = storedBytes(await db.inspect());
    await db.close();
    return { importRate, selectRate, longestSlice, dataBytes: stored.data / dataSet.samples, indexBytes: stored.index / dataSet.samples };
  },

  /** One row of all series after the other, as scrapes come. */
  async rows(sandglass, dataSet) {
    const rows = rowsOf(dataSet);
    const db = await open(sandglass);
    const importRate = await ingestRate(db, dataSet.samples, async () => {
      const handles = dataSet.series.map(({ labels }) => db.series(labels));
      for (const { timestamp, values } of rows) await db.appendRow(handles, timestamp, values);
    });
    const longestSlice = (await db.inspect()).scheduler.longestSliceMs;
    await db.close();
    return { importRate, longestSlice };
  },

  /** An hour of scrapes as Prometheus text. */
  async text(sandglass, dataSet) {
    const { body, samples } = prometheusText(dataSet, 1);
    const db = await open(sandglass);
    const importRate = await ingestRate(db, samples, async () => {
      const result = await db.ingest(body, { format: "prometheus" });
      if (result.samples !== samples) throw new Error(`Sandglass took ${result.samples} samples of ${samples}`);
    });
    await db.close();
    return { importRate };
  },

  /** Bodies of a format, one awaited call after the other. */
  async bodies(sandglass, { format, bodies, samples }) {
    const db = await open(sandglass);
    const importRate = await ingestRate(db, samples, async () => {
      for (const body of bodies) await db.ingest(body, { format });
    });
    const count = countSamples(await db.select(EVERY_SERIES));
    if (count !== samples) throw new Error(`Sandglass holds ${count} samples of ${samples}`);
    await db.close();
    return { importRate };
  },

  /** A snapshot of ten million samples: its time, and the bytes that it makes the storage write. */
  async snapshot(sandglass) {
    const dataSet = cpuOnly(100, 28);
    const db = await open(sandglass);
    await ingestRate(db, dataSet.samples, () => appendBySeriesAndHour(db, dataSet));
    // In files and without anything left to flush.
    await db.sync();
    const before = (await db.inspect()).fileSystem.writtenBytes;
    const begin = now();
    const name = await db.snapshots.create();
    const took = now() - begin;
    const after = (await db.inspect()).fileSystem.writtenBytes;
    if (!(await db.snapshots.list()).includes(name)) throw new Error(`the snapshot ${name} is not listed`);
    await db.close();
    return { milliseconds: took, writtenBytes: after - before };
  },

  /** Arrays of an hour, 360 samples, one awaited call after the other; until all are found. */
  async calls360(sandglass, dataSet) {
    const db = await open(sandglass);
    const handles = dataSet.series.map(({ labels }) => db.series(labels));
    let calls = 0;
    const rates = await callRates(db, dataSet.samples, dataSet.samples / 360, () =>
      eachSeriesHour(dataSet, (s, timestamps, values) => {
        calls++;
        return db.append(handles[s], timestamps, values);
      }),
    );
    if (calls !== dataSet.samples / 360) throw new Error(`${calls} calls are not of 360 samples each`);
    await db.close();
    return rates;
  },

  /** Rows of a thousand series, one awaited call after the other; until all are found. */
  async callsRow(sandglass, dataSet) {
    const rows = rowsOf(dataSet);
    const db = await open(sandglass);
    const handles = dataSet.series.map(({ labels }) => db.series(labels));
    const rates = await callRates(db, dataSet.samples, rows.length, async () => {
      for (const { timestamp, values } of rows) await db.appendRow(handles, timestamp, values);
    });
    await db.close();
    return rates;
  },

  /** One sample a call, each call awaited, a thousand series in turn; until all are found. */
  async calls1(sandglass, dataSet) {
    const rows = rowsOf(dataSet).slice(0, 500);
    const db = await open(sandglass);
    const handles = dataSet.series.map(({ labels }) => db.series(labels));
    // The arrays of all calls are made before the clock runs, as those of the other measurements are.
    const times = rows.map(({ timestamp }) => Float64Array.of(timestamp));
    const values = rows.map((row) => Array.from(row.values, (value) => Float64Array.of(value)));
    const calls = rows.length * handles.length;
    const rates = await callRates(db, calls, calls, async () => {
      for (let i = 0; i < rows.length; i++) {
        for (let s = 0; s < handles.length; s++) await db.append(handles[s], times[i], values[i][s]);
      }
    });
    await db.close();
    return rates;
  },

  /** An hour of scrapes as Prometheus text in one call; until all are found. */
  async callsText(sandglass, dataSet) {
    const { body, samples } = prometheusText(dataSet, 1);
    const db = await open(sandglass);
    const rates = await callRates(db, samples, 1, () => db.ingest(body, { format: "prometheus" }));
    await db.close();
    return rates;
  },

  /** Arrays of an hour, one awaited call after the other, until a `sync()` has made all of them durable. */
  async durable(sandglass, dataSet, storage) {
    const db = await open(sandglass, storage);
    const begin = now();
    await appendBySeriesAndHour(db, dataSet);
    await db.sync();
    const took = now() - begin;
    const count = countSamples(await db.select(EVERY_SERIES));
    if (count !== dataSet.samples) throw new Error(`Sandglass holds ${count} samples of ${dataSet.samples}`);
    await db.close();
    return { durableRate: (dataSet.samples / took) * 1000 };
  },

  /** Every question of queries.mjs, on a day of samples in merged parts. */
  async queries(sandglass, dataSet, storage) {
    const db = await open(sandglass, storage);
    await appendBySeriesAndHour(db, dataSet);
    await db.forceMerge();
    await db.sync();
    globalThis.gc?.();
    const found = {};
    for (const { name, expression, selector, start, end, step } of questions(hoursOf(dataSet))) {
      found[name] = await timed(async () => {
        if (selector !== undefined) return summed((await db.select(selector, { start, end })).map(({ values }) => values));
        return summed((await db.queryRange(expression, { start, end, step })).series.map(({ values }) => values));
      });
    }
    await db.close();
    return found;
  },
};
