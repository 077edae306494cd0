// Clients from npm, unchanged, over a database in the page of real Chromium: each once with `db.fetch` in the place of the browser's, and
// once with nothing but an address, below which a Service Worker answers.
import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import prometheus from "prom-client";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
const app = join(project, "app");
await mkdir(app);
await build({
  entryPoints: [fileURLToPath(new URL("../clients/page.mjs", import.meta.url))],
  outfile: join(app, "clients.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
await writeFile(
  join(app, "service-worker.js"),
  `import { serve } from "/package/${await entry("./service-worker")}";\nserve({ name: "clients" });\n`,
);
await writeFile(join(app, "index.html"), "<!doctype html><title>app</title>");

const browser = await openPage({ mounts: { package: directory, app } });
const { page } = browser;
after(async () => {
  await browser.close();
  await rm(project, { recursive: true, force: true });
});

/** The last quarter of an hour, to the second, so that nothing is too old or too new. */
const END = Math.floor(Date.now() / 1000) * 1000;
const VERSION = /^\d+\.\d+\.\d+$/;

before(async () => {
  await page.goto(`${browser.url}/app/index.html`);
  await page.evaluate(
    async ([path, end]) => {
      const { open } = await import(path);
      const db = (globalThis.db = await open({ name: "clients" }));
      const timestamps = Array.from({ length: 61 }, (_, n) => end - 900_000 + n * 15_000);
      for (const [host, by] of [
        ["a", 15],
        ["b", 45],
      ])
        await db.append(
          { __name__: "requests_total", host, job: "api" },
          timestamps,
          timestamps.map((_, n) => n * by),
        );
      await db.append(
        { __name__: "temperature", room: "attic" },
        timestamps,
        timestamps.map((_, n) => 20 + n / 10),
      );
      await db.flush();
      const { serviceWorker } = navigator;
      const controlled = new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
      await serviceWorker.register("service-worker.js", { type: "module" });
      await controlled;
      globalThis.clients = await import("/app/clients.js");
      globalThis.servers = {
        "db.fetch": { url: "/prometheus", fetch: (input, init) => db.fetch(input, init) },
        "the Service Worker": { url: "/prometheus", fetch: undefined },
      };
    },
    [`/package/${await entry(".")}`, END],
  );
});

/** Calls a function of the page's bundle. */
const call = (name, server, ...given) =>
  page.evaluate(([name, server, given]) => globalThis.clients[name](globalThis.servers[server] ?? server, ...given), [name, server, given]);
const select = (selector) =>
  page.evaluate(
    async (selector) => (await globalThis.db.select(selector, { fresh: true })).map(({ labels, values }) => [labels, [...values]]),
    selector,
  );
const post = (path, body, headers = {}) =>
  page.evaluate(
    async ([path, body, headers]) => {
      const response = await fetch(path, { method: "POST", body, headers });
      return [response.status, await response.text()];
    },
    [path, body, headers],
  );

for (const server of ["db.fetch", "the Service Worker"]) {
  describe(`through ${server}`, () => {
    for (const preferPost of [false, true]) {
      it(`prometheus-query asks and gets what a server answers, by ${preferPost ? "POST" : "GET"}`, async () => {
        const found = await call("ask", server, { start: END - 600_000, end: END, preferPost });
        assert.deepEqual(found.instant.sort(), [
          ["a", 900],
          ["b", 2700],
        ]);
        assert.deepEqual(found.range.sort(), [
          ["a", 11, 1],
          ["b", 11, 3],
        ]);
        assert.deepEqual(found.names, ["__name__", "host", "job", "room"]);
        assert.deepEqual(found.hosts, ["a", "b"]);
        assert.deepEqual(found.series, ['temperature{room="attic"}']);
        assert.deepEqual([found.metadata, found.rules], [{}, []]);
        assert.match(found.version, VERSION);
        assert.match(found.refusal, /parse error: expected a selector/);
      });
    }

    it("codemirror-promql offers names of metrics, labels, their values and functions", async () => {
      const texts = ["temp|", "requests_total{|}", 'requests_total{host="|"}', "sum by (|) (requests_total)", "hist|"];
      const offered = await call("complete", server, texts);
      const has = (text, ...expected) => {
        for (const one of expected) assert.ok(offered[text].includes(one), `${one} behind ${text}, found ${offered[text].slice(0, 20)}`);
      };
      has("temp|", "temperature");
      has("requests_total{|}", "host", "job");
      assert.ok(!offered["requests_total{|}"].includes("room"), "a label that the metric has not");
      assert.deepEqual(offered['requests_total{host="|"}'].sort(), ["a", "b"]);
      has("sum by (|) (requests_total)", "host", "job");
      has("hist|", "histogram_quantile");
    });

    it("the plugin of Chart.js draws a line for each series", async () => {
      const { lines, pixels, picture } = await call("chart", server, END);
      assert.deepEqual(
        lines.map(([label, points]) => [/[ab]/.exec(label.replace(/host/, ""))?.[0], points > 30]),
        [
          ["a", true],
          ["b", true],
        ],
        JSON.stringify(lines),
      );
      if (process.env.PICTURES)
        await writeFile(join(process.env.PICTURES, `chart ${server}.png`), Buffer.from(picture.split(",")[1], "base64"));
      assert.ok(pixels.red > 300 && pixels.blue > 300, JSON.stringify(pixels));
    });
  });
}

describe("what pushes, through the Service Worker into the page's database", () => {
  it("prom-client's text, with a push gateway's path and without", async () => {
    const register = new prometheus.Registry();
    const jobs = new prometheus.Counter({ name: "jobs_total", help: "Jobs.", labelNames: ["queue"], registers: [register] });
    jobs.inc({ queue: "mail" }, 5);
    const took = new prometheus.Histogram({ name: "took_seconds", help: "Time.", buckets: [0.1, 1], registers: [register] });
    took.observe(0.5);
    const headers = { "content-type": register.contentType };
    const body = await register.metrics();
    assert.deepEqual(await post("/prometheus/api/v1/import/prometheus", body, headers), [204, ""]);
    assert.deepEqual(await select('jobs_total{instance=""}'), [[{ __name__: "jobs_total", queue: "mail" }, [5]]]);
    assert.deepEqual(await select('took_seconds_bucket{instance="",le="1"}'), [[{ __name__: "took_seconds_bucket", le: "1" }, [1]]]);
    const gateway = "/prometheus/api/v1/import/prometheus/metrics/job/nightly/instance/laptop%2F1";
    assert.deepEqual(await post(gateway, body, headers), [204, ""]);
    assert.deepEqual(await select('jobs_total{job="nightly"}'), [
      [{ __name__: "jobs_total", instance: "laptop/1", job: "nightly", queue: "mail" }, [5]],
    ]);
  });

  it("the Influx client", async () => {
    await call("writeInflux", "/prometheus", END - 10_000);
    const [[labels, values]] = await select("weather_degrees");
    assert.deepEqual([labels.room, values], ["cellar", [11, 12, 13]]);
  });

  it("OpenTelemetry's exporter over HTTP", async () => {
    assert.deepEqual(await call("exportOtlp", "/prometheus"), []);
    const [[clicks, counted]] = await select("otel_clicks");
    assert.deepEqual([clicks.button, clicks["service.name"], counted], ["save", "web", [3]]);
    const [[gauge, degrees]] = await select("otel_temperature");
    assert.deepEqual([gauge.room, degrees], ["hall", [21.5]]);
    const buckets = (await select("otel_took_seconds_bucket")).map(([{ le }, values]) => [le, values]);
    assert.deepEqual(buckets.sort(), [
      ["+Inf", [3]],
      ["0.1", [1]],
      ["1", [2]],
    ]);
    assert.deepEqual((await select("otel_took_seconds_sum"))[0][1], [5.55]);
  });

  it("OTLP's JSON, and its answer", async () => {
    const point = { timeUnixNano: `${END - 1000}000000`, asDouble: 21.5, attributes: [{ key: "room", value: { stringValue: "hall" } }] };
    const resource = { attributes: [{ key: "service.name", value: { stringValue: "web" } }] };
    const metrics = [{ name: "otel_by_hand", gauge: { dataPoints: [point] } }];
    const body = JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
    assert.deepEqual(await post("/prometheus/opentelemetry/v1/metrics", body, { "content-type": "application/json" }), [200, "{}"]);
    const [[labels, values]] = await select("otel_by_hand");
    assert.deepEqual([labels.room, values], ["hall", [21.5]]);
  });
});

it("the page has seen no error that nobody asked for", () => {
  // The browser itself reports each reply of status 400.
  assert.deepEqual(
    browser.errors.filter((error) => !/status of 400/.test(error)),
    [],
  );
});
