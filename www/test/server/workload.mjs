// What a database is put through before a real server judges its files. The same module runs in Node and in a page, and asks
// nothing of its surroundings but the package.
import { FIRST_TIME, LAST_TIME, batches, generateSeries, jsonLine, laterScrape } from "./generate.mjs";

const DAY = 24 * 3600 * 1000;

/** Label sets of the scrapes get these. */
const SCRAPE_LABELS = { instance: "node-a:9100", job: "node" };

/** Number of scrapes that are replayed, ten seconds apart. */
const SCRAPES = 60;

/** First instant of the scrapes. */
export const SCRAPE_TIME = Date.UTC(2024, 3, 10, 12, 0, 0);

/** Selectors whose answers the engine and the server must agree on; a range in milliseconds goes with some. */
export const QUESTIONS = [
  { selector: '{__name__!=""}' },
  { selector: '{job="node"}' },
  { selector: '{job!="node"}' },
  { selector: '{__name__="test_counter"}' },
  { selector: "test_counter" },
  { selector: 'test_counter{clock!="hourly"}' },
  { selector: '{__name__=~"test_gauge_.*",instance!~"host-[0-5]:9100"}' },
  { selector: '{__name__=~"test_(counter|ratio)",job=~"api|db"}' },
  { selector: '{__name__=~".+_total",job="node"}' },
  { selector: '{job=~"n.*",clock!~"(scrape|half)_.*"}' },
  { selector: '{job=~""}' },
  { selector: '{job!="",__name__=~"test.*"}' },
  { selector: 'node_cpu_seconds_total{mode=~"idle|user",cpu!="0"}' },
  { selector: 'node_cpu_seconds_total{mode!~"idle|user"}' },
  { selector: '{le="+Inf"}' },
  { selector: '{a="x"}' },
  { selector: '{a="x",b=""}' },
  { selector: '{__name__="test_odd_labels",b="",ab=""}' },
  { selector: '{quotes="say \\"hi\\" and \'bye\'"}' },
  { selector: '{back="C:\\\\path\\\\new"}' },
  { selector: '{uni=~"日本.*🚀"}' },
  { selector: '{ctl="\\u0000\\u0001\\u0002mid\\u0001\\u0002end\\u0000"}' },
  { selector: '{zero="\\x00"}' },
  { selector: '{long=~"L+"}' },
  { selector: '{long=~"L+M"}' },
  { selector: '{lines=~"first.*"}' },
  { selector: '{lines=~"(?s)first.*third"}' },
  { selector: '{no_such_label="x"}', none: true },
  { selector: '{__name__=~"TEST_COUNTER"}', none: true },
  { selector: '{__name__=~"(?i)TEST_COUNTER"}' },
  // Whole days, so that the rows of single days are asked, and one that spans a month's end.
  { selector: '{__name__!=""}', range: { start: FIRST_TIME + DAY, end: FIRST_TIME + 2 * DAY } },
  { selector: '{job="node"}', range: { start: SCRAPE_TIME, end: SCRAPE_TIME + 3600_000 } },
  { selector: '{__name__=~"test_.*",job!~"node"}', range: { start: Date.UTC(2024, 1, 28), end: Date.UTC(2024, 2, 2) } },
  { selector: '{clock="half_daily"}', range: { start: FIRST_TIME + 50 * DAY, end: FIRST_TIME + 51 * DAY } },
];

/** Labels whose values are asked. */
export const VALUE_LABELS = ["__name__", "job", "instance", "uni", "ctl", "long", "le", "label with spaces", "no_such_label"];

async function textOf(stream) {
  return new Response(stream).text();
}

/**
 * Fills a new database with generated series and real scrapes, takes a snapshot of it while it is torn into many parts, goes on
 * writing, and takes another one when all is merged.
 *
 * @param {typeof import("sandglass")} sandglass
 * @param {string} scrape one scrape in Prometheus text format
 * @param {object} sink where results go
 * @param {(name: string, body: ReadableStream<Uint8Array> | string) => Promise<void>} sink.save
 * @param {object} [options] of `open`, such as `storage`
 * @returns counts, and for each snapshot the answers to QUESTIONS at its time
 */
export async function run(sandglass, scrape, { save }, options = {}) {
  const db = await sandglass.open({
    name: "snapshot-opens-in-server",
    storage: "memory",
    retention: "100y",
    clock: "manual",
    startTime: LAST_TIME,
    ...options,
  });
  const series = generateSeries();
  const handles = series.map(({ labels }) => db.series(labels));
  const arrivals = batches(series);
  const accepted = { samples: 0, rejected: 0 };
  // The last tenth comes after the first snapshot.
  const cut = Math.floor(arrivals.length * 0.9);

  const ingestBatches = async (from, to) => {
    for (let n = from; n < to; n++) {
      const batch = arrivals[n];
      const { labels, plain } = series[batch.series];
      // Time goes on now and then, so that the engine flushes and merges while it is being filled.
      if (n % 10 === 9) await db.tick(6000);
      if (plain && n % 5 === 0) {
        const result = await db.ingest(jsonLine(labels, batch), { format: "jsonl" });
        accepted.samples += result.samples;
        accepted.rejected += result.rejected;
      } else {
        await db.append(handles[batch.series], batch.timestamps, batch.values);
        accepted.samples += batch.timestamps.length;
      }
    }
  };
  const answers = async () => {
    const found = { questions: [], labelNames: await db.labelNames(), labelValues: {} };
    for (const { selector, range } of QUESTIONS) found.questions.push(await db.labels(selector, range));
    for (const name of VALUE_LABELS) found.labelValues[name] = await db.labelValues(name);
    return found;
  };
  const snapshot = async (label, afterwards) => {
    const name = await db.snapshots.create();
    const exported = await textOf(db.export('{__name__!=""}'));
    const found = { name, answers: await answers() };
    // What is written from here on must not be seen in the snapshot.
    await afterwards?.();
    await save(`${label}.tar`, db.snapshots.download(name));
    await save(`${label}.jsonl`, exported);
    return found;
  };

  await ingestBatches(0, cut);
  for (let n = 0; n < SCRAPES; n++) {
    const result = await db.ingest(laterScrape(scrape, n), {
      format: "prometheus",
      timestamp: SCRAPE_TIME + n * 10_000,
      extraLabels: SCRAPE_LABELS,
    });
    accepted.samples += result.samples;
    accepted.rejected += result.rejected;
    await db.tick(10_000);
  }
  const acceptedBefore = accepted.samples;
  const torn = await snapshot("torn", () => ingestBatches(cut, arrivals.length));
  await db.forceMerge();
  const merged = await snapshot("merged");

  const listed = await db.snapshots.list();
  await db.snapshots.delete(torn.name);
  const left = await db.snapshots.list();
  await db.close();
  return { accepted, acceptedBefore, torn, merged, listed, left };
}
