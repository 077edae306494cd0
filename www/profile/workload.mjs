// What most pages do with a database, so that the code it takes is in the half that is loaded first (docs/decisions/wasm-size.md).

const DAY_MS = 86_400_000;
const SERIES = 300;

/** Two kinds of page, each of which comes back to its database. */
export async function work(open) {
  await workSmall(open);
  await workLarge(open);
}

/** A handful of series of every shape, in columns of every kind and order, a few samples at a time. */
async function workSmall(open) {
  for (let visit = 0; visit < 3; visit++) {
    const db = await open({ name: "small" });
    const series = Array.from({ length: 20 }, (_, i) => db.series({ __name__: "load", host: `h${i}` }));
    const now = Date.now();
    for (let second = 0; second < 100; second++) await db.appendRow(series, now - second * 1000 - visit * 200_000, series.map((_, i) => Math.sin(i + second)));
    for (const [number, values] of Object.entries(SHAPES)) {
      const older = values.map((_, i) => now - 1e7 * (visit + 1) - 15_000 * i);
      await db.append({ __name__: "shape", number }, older, values);
      await db.append({ __name__: "shape", number }, BigInt64Array.from(older, (time) => BigInt(time + 5_000 + (time % 7))), Float64Array.from(values));
      if (Number(number) % 4 === 0) await db.flush();
    }
    await db.append(series[0], [now - 7_000_000, now - 6_000_000], [1, 2]);
    await db.append(series[0], [now - 7_000_000], [3]);
    await db.flush();
    for (const selector of ['load{host="h3"}', '{host!="h3",__name__="load"}', "shape", '{number="2"}', "nothing", '{__name__="load",host=""}']) {
      await db.select(selector);
      await db.select(selector, { start: now - 60_000, end: now });
    }
    await db.labels("load");
    await db.labels();
    await db.labelNames();
    await db.labelNames("shape");
    await db.labelValues("host");
    await db.labelValues("number", "shape");
    await db.sync();
    await sleep(6_500);
    await db.sync();
    await db.close();
  }
}

const STALE = new Float64Array(BigUint64Array.of(0x7ff0000000000002n).buffer)[0];
const SHAPES = [
  [1],
  [0, 0, 0, 0, 0],
  [1, 2, 3, 4, 5, 6],
  [5, 4, 3, 2, 1, 0, -1],
  [0.1, 0.25, 1e-9, 12345.678],
  [1e15, 2e15, 9e14],
  [7, 7, 7, STALE, 7],
  [Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY],
  Array.from({ length: 500 }, (_, i) => (i * 7919) % 1_000),
  Array.from({ length: 500 }, (_, i) => i * i),
  Array.from({ length: 500 }, (_, i) => (i % 50) * 4),
  Array.from({ length: 9_000 }, (_, i) => Math.sin(i / 30)),
];

/** Weeks of history and a live scrape of hundreds of series, until they have been flushed and merged. */
async function workLarge(open) {
  for (let visit = 0; visit < 3; visit++) {
    const db = await open({ name: "profile", storage: "indexeddb" });
    const handles = Array.from({ length: SERIES }, (_, i) => db.series({ __name__: `metric_${i % 10}`, instance: `host${i}`, job: i % 2 === 0 ? "app" : "node" }));
    await writeHistory(db, handles, visit);
    await scrape(db, handles);
    const range = { start: Date.now() - 10 * DAY_MS };
    for (const selector of ["metric_3", '{instance="host7"}', '{job="node",__name__="metric_1"}', 'metric_2{job!="app"}']) await db.select(selector, range);
    await db.select("metric_1");
    await db.labels("metric_1");
    await db.labelNames();
    await db.labelValues("instance");
    await db.labelValues("job", "metric_1");
    // Long enough for the flush to the storage and the first merges behind it.
    await sleep(6_500);
    await db.sync();
    await db.close();
  }
}

async function writeHistory(db, handles, visit) {
  const samples = 700;
  const timestamps = new Float64Array(samples);
  const values = new Float64Array(samples);
  for (let day = 41; day >= 0; day -= 4) {
    for (const [number, handle] of handles.entries()) {
      for (let i = 0; i < samples; i++) {
        timestamps[i] = Date.now() - day * DAY_MS - (samples - i) * 15_000 + visit;
        // Counters, gauges and numbers without a pattern.
        values[i] = number % 3 === 0 ? i * 3 + visit : number % 3 === 1 ? Math.round(1_000 * Math.sin(i / 20 + number)) / 10 : Math.random() * 100;
      }
      await db.append(handle, timestamps, values);
    }
  }
}

async function scrape(db, handles) {
  for (let second = 200; second > 0; second--) {
    await db.appendRow(handles, Date.now() - second * 1_000, Float64Array.from(handles, (_, i) => Math.sin(i + second) * 100));
  }
  for (let late = 0; late < 10; late++) {
    await sleep(150);
    await db.append({ __name__: "late", number: String(late) }, [Date.now()], [late / 8]);
    await db.flush();
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
