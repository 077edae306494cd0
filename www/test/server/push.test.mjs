// What is stored goes on to real servers, whatever happens on the way: each sample is there in the end.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { openPage } from "./chromium.mjs";
import { assertSameExport, differences, readExport, sampleCount } from "./exports.mjs";
import { FaultyProxy } from "./faulty_proxy.mjs";
import { installPackage } from "./packed.mjs";
import { Prometheus } from "./prometheus.mjs";
import { VictoriaMetrics } from "./victoriametrics.mjs";

let installed;
let sandglass;
let victoria;
before(async () => {
  [installed, victoria] = await Promise.all([installPackage(), VictoriaMetrics.start({ flags: ["-dedup.minScrapeInterval=1ms"] })]);
  sandglass = await import(pathToFileURL(join(installed.directory, await installed.entry("./inline", "node"))).href);
});
after(async () => {
  await victoria?.stop();
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

const HOUR = 3_600_000;
const STALE = 0x7ff0000000000002n;
/** Every test has its own label, so that one server is enough for all. */
const of = (test) => `{test="${test}"}`;

/** A database with some series over some days, among them what formats stumble over. */
async function filled(t, test, { series = 20, hours = 60, stepMs = 60_000 } = {}) {
  const db = await sandglass.open({ storage: "memory", retention: "100y" });
  t.after(() => db.close());
  const end = Math.floor(Date.now() / HOUR) * HOUR - HOUR;
  const times = Float64Array.from({ length: (hours * HOUR) / stepMs }, (_, at) => end - hours * HOUR + at * stepMs);
  for (let number = 0; number < series; number++) {
    const values = times.map((_, at) => (number % 3 === 0 ? at * number : Math.round(Math.sin(at / 50 + number) * 1e6) / 1e3));
    if (number === 1) {
      values.set([Infinity, -Infinity, 0, -0, 1e-9], 7);
      new BigUint64Array(values.buffer)[20] = STALE;
    }
    await db.append({ __name__: "pushed", test, number: String(number), odd: 'ü "\\\n' }, times, values);
  }
  await db.append({ __name__: "alone", test }, [end], [42]);
  await db.flush();
  return db;
}

async function proxied(t, target, rewrite) {
  const proxy = await FaultyProxy.start(target, rewrite);
  t.after(() => proxy.stop());
  return proxy;
}

/** The server finds a series that is new among those it has looked for before when it has forgotten these, which takes up to a second. */
async function assertEqualIn(server, db, test) {
  const expected = await readExport(db.export(of(test)));
  let found;
  await server.forceFlush();
  for (const deadline = Date.now() + 5000; ; await sleep(50)) {
    found = await readExport(await server.export(of(test)));
    if (differences(expected, found).length === 0 || Date.now() > deadline) break;
  }
  assertSameExport(expected, found, test);
}

/** Waits for what is looked at again and again. */
async function until(isSo, what) {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await sleep(20)) if (Date.now() > deadline) assert.fail(`in vain: ${what}`);
}

const rejection = (promise) =>
  promise.then(
    () => assert.fail("it did not reject"),
    (error) => error,
  );

describe("push to VictoriaMetrics", () => {
  test("everything arrives, and with the checkpoint only what is new goes out", async (t) => {
    const db = await filled(t, "whole");
    const told = [];
    const { series, samples, bytes, checkpoint } = await db.push(victoria.url, { onProgress: (progress) => told.push(progress) });
    assert.equal(samples, sampleCount(await readExport(db.export())));
    assert.equal(series, 21);
    await assertEqualIn(victoria, db, "whole");
    const last = told.at(-1);
    assert.deepEqual([last.done, last.total, last.unit, last.checkpoint], [bytes, bytes, "bytes", checkpoint]);
    assert.ok(
      told.every(({ done }, at) => at === 0 || done >= told[at - 1].done) && told.some(({ done, total }) => done > 0 && done < total),
    );
    assert.deepEqual(await db.push(victoria.url, { checkpoint }), { series: 0, samples: 0, bytes: 0, checkpoint });
    const now = Date.now();
    await db.append({ __name__: "pushed", test: "whole", number: "0" }, [now, now + 1], [1, 2]);
    assert.equal((await db.push(victoria.url, { checkpoint })).samples, 2);
    await assertEqualIn(victoria, db, "whole");
  });

  test("a selector and a range are sent alone", async (t) => {
    const db = await filled(t, "some");
    const start = Date.now() - 20 * HOUR;
    const selector = '{number=~"1.",test="some"}';
    const expected = await readExport(db.export(selector, { start, end: start + HOUR }));
    assert.equal(sampleCount(expected), 600);
    const { samples, series } = await db.push(victoria.url, { selector, start, end: start + HOUR });
    await victoria.forceFlush();
    assertSameExport(expected, await readExport(await victoria.export(of("some"))), "some");
    assert.deepEqual([samples, series], [600, 10]);
  });

  test("a snapshot that is only looked at can be sent, too", async (t) => {
    const db = await filled(t, "snapshot", { series: 3, hours: 2 });
    const tar = await new Response(db.snapshots.download(await db.snapshots.create())).blob();
    const snapshot = await sandglass.openSnapshot(tar);
    t.after(() => snapshot.close());
    assert.equal((await snapshot.push(victoria.url)).samples, 361);
    await assertEqualIn(victoria, db, "snapshot");
  });

  test("answers that are lost, cut bodies, 429, 500 and 503 lose nothing", async (t) => {
    const db = await filled(t, "faults");
    const proxy = await proxied(t, victoria.url);
    // The first two are for the layout, which this server is the older one for.
    proxy.plan = ["cut", "pass", "lost", 429, "pass", 503, "half", 500, "cut"];
    const { samples } = await db.push(proxy.url);
    assert.equal(samples, sampleCount(await readExport(db.export())));
    assert.deepEqual(proxy.plan, []);
    assert.ok(
      proxy.seen.every(({ bytes }) => bytes < 600_000),
      "bodies are bounded",
    );
    await assertEqualIn(victoria, db, "faults");
  });

  test("a push that cannot go on is taken up by the next with its checkpoint", async (t) => {
    const db = await filled(t, "resumed");
    const all = sampleCount(await readExport(db.export()));
    const proxy = await proxied(t, victoria.url);
    proxy.plan = ["pass", "pass"];
    proxy.otherwise = "lost";
    let kept;
    const error = await rejection(
      db.push(proxy.url, { retryFor: 50, layout: "v1.72", onProgress: ({ checkpoint }) => (kept = checkpoint) }),
    );
    assert.deepEqual([error.code, error.name, error.checkpoint], ["unreachable", "SandglassError", kept]);
    assert.match(error.message, /^http:\S+ cannot be reached \(.+\); see that it runs/);
    proxy.otherwise = "pass";
    const before = proxy.seen.length;
    const rest = await db.push(proxy.url, { checkpoint: kept, layout: "v1.72" });
    await assertEqualIn(victoria, db, "resumed");
    // What was acknowledged before is not sent again.
    assert.ok(rest.samples < all && rest.samples > 0, `${rest.samples} of ${all}`);
    const sizes = proxy.seen.map(({ bytes }) => bytes);
    assert.deepEqual(sizes.slice(before, before + 1), sizes.slice(2, 3), "it goes on with the piece that was not acknowledged");
  });

  test("a server that asks for a pause gets it", async (t) => {
    const db = await filled(t, "pause", { series: 1, hours: 1 });
    const proxy = await proxied(t, victoria.url);
    proxy.headers = { "retry-after": "1" };
    proxy.plan = [429];
    const began = performance.now();
    await db.push(proxy.url, { layout: "v1.72" });
    assert.ok(performance.now() - began >= 990);
    assert.deepEqual(proxy.seen.map(({ fate }) => fate).slice(0, 2), [429, "pass"]);
  });

  test("a request that is not answered has an end", async (t) => {
    const db = await filled(t, "slow", { series: 1, hours: 1 });
    const proxy = await proxied(t, victoria.url);
    proxy.plan = ["hang"];
    const { samples } = await db.push(proxy.url, { layout: "v1.72", timeout: 100 });
    // An hour that has the bound of two pieces in it is sent in two.
    const [first, ...others] = proxy.seen.map(({ fate }) => fate);
    assert.deepEqual([samples, first, new Set(others)], [61, "hang", new Set(["pass"])]);
    proxy.plan = ["hang"];
    const error = await rejection(db.push(proxy.url, { layout: "v1.72", timeout: "100ms", retryFor: 0 }));
    assert.equal(error.code, "unreachable");
    assert.match(error.message, /no answer within 100 ms/);
  });

  test("a first body without an answer is tried in the other layout, and then the first one again", async (t) => {
    const db = await filled(t, "silent", { series: 1, hours: 1 });
    const proxy = await proxied(t, victoria.url);
    // A server of 1.72 is silent on the newer layout; this one takes the older.
    proxy.plan = ["hang"];
    await db.push(proxy.url, { timeout: 200 });
    const fates = proxy.seen.map(({ fate }) => fate);
    assert.deepEqual([fates[0], new Set(fates.slice(1))], ["hang", new Set(["pass"])]);
    await assertEqualIn(victoria, db, "silent");
    // One that was only slow refuses the older, and is sent the newer again.
    proxy.seen.length = 0;
    proxy.plan = ["hang", 400, "cut", 401];
    const error = await rejection(db.push(proxy.url, { timeout: 200 }));
    assert.deepEqual([error.code, error.status], ["refused", 401]);
    const [newer, older, ...again] = proxy.seen.map(({ bytes }) => bytes);
    assert.notEqual(newer, older);
    assert.deepEqual(again, [newer, newer]);
  });

  test("a refusal is told in the server's words, once", async (t) => {
    const db = await filled(t, "refused", { series: 2, hours: 1 });
    const proxy = await proxied(t, victoria.url);
    proxy.otherwise = 401;
    const error = await rejection(db.push(`${proxy.url}/?token=secret`, { headers: { authorization: "Bearer x" } }));
    assert.deepEqual([error.code, error.status, proxy.seen.length], ["refused", 401, 1]);
    assert.match(error.message, /\/api\/v1\/import\/native has refused what was pushed with 401: no, 401$/);
    assert.equal(proxy.seen[0].headers.authorization, "Bearer x");
    assert.match(proxy.seen[0].path, /token=secret/);
    proxy.otherwise = 302;
    proxy.headers = { location: "https://elsewhere/" };
    const led = await rejection(db.push(proxy.url));
    assert.deepEqual([led.code, led.status, proxy.seen.length], ["refused", 302, 2]);
    assert.match(led.message, /leads to https:\/\/elsewhere\/; push to the address/);
    proxy.otherwise = "pass";
    await db.push(proxy.url, { checkpoint: error.checkpoint });
    await assertEqualIn(victoria, db, "refused");
  });

  test("a push that is given up ends at once, and goes on later", async (t) => {
    const db = await filled(t, "given up");
    const proxy = await proxied(t, victoria.url);
    const control = new AbortController();
    proxy.plan = ["pass", "pass", "hang"];
    proxy.before = async (count) => void (count === 3 && setTimeout(() => control.abort("enough")));
    const error = await rejection(db.push(proxy.url, { signal: control.signal, layout: "v1.72" }));
    assert.deepEqual([error.code, error.name, error.cause], ["aborted", "AbortError", "enough"]);
    await db.push(proxy.url, { checkpoint: error.checkpoint, layout: "v1.72" });
    await assertEqualIn(victoria, db, "given up");
    const before = await rejection(db.push(proxy.url, { signal: AbortSignal.abort() }));
    assert.equal(before.code, "aborted");
  });

  test("a cluster's tenant, and an address that is whole", async (t) => {
    const db = await filled(t, "tenant", { series: 1, hours: 1 });
    const proxy = await proxied(t, victoria.url, (path) => path.replace("/insert/7:1/prometheus", ""));
    for (const path of ["/insert/7:1", "/insert/7:1/prometheus/", "/insert/7:1/prometheus/api/v1/import/native?extra_label=from=page"])
      await db.push(proxy.url + path, { layout: "v1.72" });
    await victoria.forceFlush();
    assert.deepEqual(
      [...new Set(proxy.seen.map(({ path }) => path))],
      ["/insert/7:1/prometheus/api/v1/import/native", "/insert/7:1/prometheus/api/v1/import/native?extra_label=from=page"],
    );
    assert.ok(proxy.seen.length >= 3);
    const found = await readExport(await victoria.export('{test="tenant",from="page"}'));
    assert.equal(sampleCount(found), 61);
  });

  test("what cannot be meant is refused before anything is sent", async (t) => {
    const db = await filled(t, "invalid", { series: 1, hours: 1 });
    const { checkpoint } = await db.push(victoria.url, { selector: of("invalid") });
    for (const [url, options, message] of [
      ["nowhere", {}, /push needs the URL of a server/],
      ["ftp://host", {}, /http: and https:/],
      ["http://a:b@host", {}, /Authorization/],
      [victoria.url, { protocol: "graphite" }, /protocol "graphite"/],
      [victoria.url, { layout: "v2" }, /layout "v2"/],
      [victoria.url, { checkpoint: "{}" }, /checkpoint cannot be read/],
      [victoria.url, { checkpoint }, /of "\{test=\\"invalid\\"\}", and this push of all series/],
      [victoria.url, { chekpoint: "" }, /did you mean checkpoint/],
      [victoria.url, { selector: "{" }, /./],
    ]) {
      const error = await rejection(db.push(url, options));
      assert.equal(error.code, "invalid", `${url} ${JSON.stringify(options)}: ${error.message}`);
      assert.match(error.message, message);
    }
    await db.close();
    assert.equal((await rejection(db.push(victoria.url))).code, "closed");
  });
});

describe("a live push", () => {
  const live = { live: true, every: 20, delay: 0 };

  test("sends what comes, holds what cannot be sent, sends what comes late, and goes on where it was", async (t) => {
    const db = await filled(t, "live", { series: 3, hours: 30 });
    const proxy = await proxied(t, victoria.url);
    const stop = new AbortController();
    const label = { __name__: "lively", test: "live" };
    const isThere = async (count) => {
      await victoria.forceFlush();
      return sampleCount(await readExport(await victoria.export(of("live")))) === count;
    };
    let kept;
    const options = { ...live, onProgress: ({ checkpoint }) => (kept = checkpoint) };
    const pushed = db.push(proxy.url, { ...options, signal: stop.signal });
    let count = sampleCount(await readExport(db.export()));
    await until(() => isThere(count), "what was stored before");
    await db.append(label, [Date.now()], [1]);
    count++;
    await until(() => isThere(count), "what came since");
    // Offline: neither the ordinary nor what is late gets through.
    proxy.otherwise = "cut";
    const late = Date.now() - HOUR;
    await db.append({ ...label, number: "late" }, [late, late + 1, late + 2], [1, 2, 3]);
    const failed = proxy.seen.length;
    await until(() => proxy.seen.length > failed + 1, "attempts while offline");
    await db.append(label, [Date.now()], [2]);
    proxy.otherwise = "pass";
    count += 4;
    await until(() => isThere(count), "what came while offline");
    // Out of order in a series of which later ones were sent.
    await db.append(label, [late + 5], [5]);
    count++;
    await until(() => isThere(count), "what came late");
    // The server has it before the push has heard so.
    await until(() => JSON.parse(kept).late === undefined, "the push knows that it has arrived");
    stop.abort();
    const { samples, checkpoint } = await pushed;
    assert.equal(samples, count, "each sample was sent once");
    assert.equal(checkpoint, kept);
    // Without anybody who follows, and with the checkpoint.
    await db.append(label, [Date.now()], [3]);
    const again = new AbortController();
    const more = db.push(proxy.url, { ...options, checkpoint, signal: again.signal });
    count++;
    const sentAfter = Date.now();
    await until(() => isThere(count), "what came while no push ran");
    await until(() => JSON.parse(kept).sent >= sentAfter, "the push knows that it has arrived");
    again.abort();
    assert.equal((await more).samples, 1);
    await assertEqualIn(victoria, db, "live");
  });

  test("late samples that were not sent are sent by the next", async (t) => {
    const db = await filled(t, "later", { series: 2, hours: 2 });
    const proxy = await proxied(t, victoria.url);
    const stop = new AbortController();
    let kept;
    const onProgress = ({ checkpoint }) => (kept = checkpoint);
    const pushed = db.push(proxy.url, { ...live, onProgress, signal: stop.signal });
    await until(() => JSON.parse(kept ?? "{}").sent > Date.now() - HOUR, "all was sent");
    proxy.otherwise = "cut";
    await db.append({ __name__: "late", test: "later" }, [Date.now() - HOUR], [1]);
    await until(() => JSON.parse(kept).late !== undefined, "the late one is known");
    stop.abort();
    const { checkpoint } = await pushed;
    proxy.otherwise = "pass";
    await db.push(proxy.url, { checkpoint });
    await assertEqualIn(victoria, db, "later");
  });

  test("ends with an error that will not pass, with its end, and with the database", async (t) => {
    const db = await filled(t, "ends", { series: 1, hours: 1 });
    const proxy = await proxied(t, victoria.url);
    proxy.otherwise = 403;
    assert.equal((await rejection(db.push(proxy.url, live))).status, 403);
    proxy.otherwise = "pass";
    assert.equal((await db.push(proxy.url, { ...live, end: Date.now() - 100 })).samples, 61);
    const pushed = rejection(db.push(proxy.url, live));
    await until(() => proxy.seen.length > 2, "it runs");
    await db.close();
    assert.equal((await pushed).code, "closed");
  });

  test("the tab that has the database goes away in the midst of another's push, in Chromium", async (t) => {
    const proxy = await proxied(t, victoria.url);
    const { page, url, close } = await openPage({ mounts: { package: installed.directory } });
    t.after(close);
    const context = await page.context().browser().newContext();
    const entry = `/package/${(await installed.entry(".", "browser")).replace(/^\.\//, "")}`;
    const tab = async () => {
      const page = await context.newPage();
      await page.goto(`${url}/blank.html`);
      await page.evaluate(async (entry) => {
        const { open } = await import(entry);
        globalThis.db = await open({ name: "pushed", storage: "indexeddb" });
      }, entry);
      return page;
    };
    const [first, second] = [await tab(), await tab()];
    const sent = await first.evaluate(async () => {
      const times = Float64Array.from({ length: 15_000 }, (_, at) => Math.floor(Date.now() / 1000) * 1000 - at * 1000 - 1000);
      for (let number = 0; number < 10; number++)
        await globalThis.db.append({ __name__: "handed", test: "tabs", number: String(number) }, times, times.map(Math.random));
      await globalThis.db.sync();
      return 150_000;
    });
    proxy.before = async (count) => void (count === 3 && (await first.close()));
    const { samples } = await second.evaluate((url) => globalThis.db.push(url, { layout: "v1.72" }), proxy.url);
    assert.ok(first.isClosed());
    assert.ok(samples === sent, `${samples} of ${sent} samples, in ${proxy.seen.length} bodies`);
    await victoria.forceFlush();
    const stored = await second.evaluate(async () =>
      (await globalThis.db.select('{test="tabs"}')).map(({ labels, values }) => [labels.number, values.length]),
    );
    const found = await readExport(await victoria.export(of("tabs")));
    assert.deepEqual([...found.values()].map(({ labels, values }) => [labels.number, values.length]).sort(), stored.sort());
  });

  test("a page that is offline for a while, in Chromium", async (t) => {
    const proxy = await proxied(t, victoria.url);
    const chromium = await openPage({ mounts: { package: installed.directory } });
    try {
      await chromium.page.evaluate(
        async ([entry, url]) => {
          const { open } = await import(entry);
          const db = await open({ storage: "memory" });
          globalThis.append = (value) => db.append({ __name__: "page", test: "page" }, [Date.now()], [value]);
          await globalThis.append(1);
          globalThis.stop = new AbortController();
          const onProgress = ({ checkpoint }) => (globalThis.checkpoint = checkpoint);
          globalThis.pushed = db.push(url, { live: true, every: 20, delay: 0, onProgress, signal: globalThis.stop.signal });
        },
        [`/package/${(await installed.entry(".", "browser")).replace(/^\.\//, "")}`, proxy.url],
      );
      const values = async () => {
        await victoria.forceFlush();
        return [...(await readExport(await victoria.export(of("page")))).values()].flatMap(({ values }) => [...values]);
      };
      await until(async () => (await values()).length === 1, "the first sample");
      await chromium.page.context().setOffline(true);
      for (const value of [2, 3]) {
        await chromium.page.evaluate((value) => globalThis.append(value), value);
        await sleep(5);
      }
      await chromium.page.context().setOffline(false);
      await until(async () => (await values()).length === 3, "what came while offline");
      assert.deepEqual(await values(), [1, 2, 3]);
      // The server has it before the page has heard so.
      const last = await chromium.page.evaluate(() => Date.now());
      await until(
        () => chromium.page.evaluate((last) => JSON.parse(globalThis.checkpoint).sent >= last, last),
        "the push knows that it has arrived",
      );
      const { samples } = await chromium.page.evaluate(() => (globalThis.stop.abort(), globalThis.pushed));
      // One of the very instant up to which a window goes may be sent in it and, as it came behind the look at the clock, as a late one.
      assert.ok(samples === 3 || samples === 4, `${samples} samples`);
    } finally {
      await chromium.close();
    }
  });
});

describe("push to Prometheus by remote write", () => {
  let prometheus;
  before(async () => {
    prometheus = await Prometheus.start();
  });
  after(() => prometheus?.stop());

  /** What an instant query over a range shows: no stale markers. */
  async function expected(db) {
    const all = await readExport(db.export());
    for (const found of all.values()) {
      const kept = found.timestamps.map((_, at) => at).filter((at) => !Number.isNaN(found.values[at]));
      [found.timestamps, found.values] = [kept.map((at) => found.timestamps[at]), kept.map((at) => found.values[at])];
    }
    return all;
  }

  test("everything arrives in an order that it takes, over lost answers and cuts, and a live push goes on", async (t) => {
    const db = await filled(t, "prometheus", { series: 10, hours: 8, stepMs: 30_000 });
    const proxy = await proxied(t, prometheus.url);
    proxy.plan = ["pass", "lost", "pass", 503, "lost", "cut", "half", "pass"];
    const { samples } = await db.push(proxy.url, { protocol: "remote_write" });
    assert.equal(samples, sampleCount(await readExport(db.export())));
    assertSameExport(await expected(db), await prometheus.samples(), "prometheus");
    // A try that does not hear of what was taken, and one that takes it up.
    const now = Date.now();
    await db.append({ __name__: "pushed", test: "prometheus", number: "x" }, [now - 3, now - 2], [1, 2]);
    proxy.otherwise = "lost";
    const error = await rejection(db.push(proxy.url, { protocol: "remote_write", start: now - 10, retryFor: 0 }));
    assert.equal(error.code, "unreachable");
    proxy.otherwise = "pass";
    await db.append({ __name__: "pushed", test: "prometheus", number: "x" }, [now - 1], [3]);
    await db.push(proxy.url, { protocol: "remote_write", checkpoint: error.checkpoint });
    assertSameExport(await expected(db), await prometheus.samples(), "prometheus, taken up");
    const stop = new AbortController();
    const pushed = db.push(proxy.url, { protocol: "remote_write", live: true, every: 20, delay: 0, start: now + 1, signal: stop.signal });
    await db.append({ __name__: "pushed", test: "prometheus", number: "x" }, [Date.now()], [4]);
    await until(async () => sampleCount(await prometheus.samples()) === sampleCount(await expected(db)), "the last sample");
    stop.abort();
    await pushed;
    assertSameExport(await expected(db), await prometheus.samples(), "prometheus, live");
  });

  test("what is out of order is refused in its words", async (t) => {
    const db = await filled(t, "order", { series: 1, hours: 1 });
    const now = Date.now();
    await db.append({ __name__: "ordered" }, [now, now + 1], [1, 2]);
    const options = { protocol: "remote_write", selector: "ordered" };
    await db.push(prometheus.url, options);
    const error = await rejection(db.push(prometheus.url, options));
    assert.deepEqual([error.code, error.status], ["refused", 400]);
    assert.match(error.message, /refused what was pushed with 400: out of order sample/);
    // A body that was refused once is not there because it is refused again.
    const again = await rejection(db.push(prometheus.url, { ...options, checkpoint: error.checkpoint }));
    assert.deepEqual([again.code, again.status], ["refused", 400]);
  });

  test("VictoriaMetrics takes remote write, too", async (t) => {
    const db = await filled(t, "remote");
    await db.push(victoria.url, { protocol: "remote_write" });
    await assertEqualIn(victoria, db, "remote");
  });
});
