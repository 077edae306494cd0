// What most pages do with a database, so that the code it takes is in the half that is loaded first (docs/decisions/wasm-size.md).

const DAY_MS = 86_400_000;
const SERIES = 300;

/** Opens a new database, writes weeks of history and a live scrape, asks, waits for flushes and merges, and comes back to it twice. */
export async function work(open) {
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
