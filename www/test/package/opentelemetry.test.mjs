// The exporter under the real SDK in a real browser, bundled as its users do it.
import assert from "node:assert/strict";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, it } from "node:test";
import { build } from "esbuild";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const APP = `
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { databases, open } from "sandglass";
import { SandglassExporter } from "sandglass/opentelemetry";

globalThis.check = async () => {
  const db = await open({ storage: "memory" });
  const exporter = new SandglassExporter({ database: db, extraLabels: { page: "test" } });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": "shop", "service.instance": 7 }),
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 100, exportTimeoutMillis: 100 })],
    views: [{ instrumentName: "exponential", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
  });
  const meter = provider.getMeter("app", "1.2");
  const clicks = meter.createCounter("clicks");
  clicks.add(2, { button: "save", big: true });
  clicks.add(3, { button: "save", big: true });
  clicks.add(1, { button: "open", big: false });
  const open_ = meter.createUpDownCounter("connections");
  open_.add(5);
  open_.add(-7);
  meter.createGauge("heat").record(36.6);
  meter.createObservableGauge("odd").addCallback((result) => result.observe(Infinity, { list: ["a", "b"] }));
  const latency = meter.createHistogram("latency", { unit: "ms", advice: { explicitBucketBoundaries: [10, 100] } });
  for (const value of [4, 10, 50, 1000]) latency.record(value);
  meter.createHistogram("exponential").record(3);

  // The reader's own rhythm brings the first; what is added then comes with the flush.
  while ((await db.labelNames("clicks", { fresh: true })).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  clicks.add(4, { button: "save", big: true });
  await provider.forceFlush();
  const samples = {};
  for (const name of ["clicks", "connections", "heat", "odd", "latency_bucket", "latency_count", "latency_sum", "exponential_count", "exponential_bucket"])
    samples[name] = (await db.latest(name)).map(({ labels, value }) => ({ labels, value: String(value) }));
  const total = await db.query('sum(clicks{page="test"})');
  const p75 = await db.query("histogram_quantile(0.75, latency_bucket)");
  await provider.shutdown();
  const isOpen = (await db.labels()).length > 0;
  await db.close();
  return { samples, total: total.series[0].value, p75: p75.series[0].value, isOpen };
};

globalThis.named = async () => {
  const exporter = new SandglassExporter({ name: "telemetry", storage: "indexeddb" });
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })] });
  provider.getMeter("app").createCounter("kept").add(1);
  await provider.shutdown();
  const late = await new Promise((resolve) => exporter.export({ resource: { attributes: {} }, scopeMetrics: [] }, resolve));
  const db = await open({ name: "telemetry" });
  const found = await db.select("kept");
  await db.close();
  return { stored: await databases(), values: Array.from(found[0].values), late: [late.code, late.error.code] };
};

globalThis.failing = async () => {
  const db = await open({ storage: "memory" });
  await db.close();
  const exporter = new SandglassExporter({ database: db });
  const result = await new Promise((resolve) => exporter.export({ resource: { attributes: {} }, scopeMetrics: [] }, resolve));
  return [result.code, result.error.code];
};
`;

let installed;
let browser;
before(async () => {
  installed = await installPackage();
  const built = join(installed.project, "built");
  await mkdir(built);
  await writeFile(join(installed.project, "app.js"), APP);
  await build({
    entryPoints: [join(installed.project, "app.js")],
    bundle: true,
    format: "esm",
    outfile: join(built, "app.js"),
    nodePaths: [fileURLToPath(new URL("../../node_modules", import.meta.url))],
    logLevel: "silent",
  });
  // As every bundler's users do it with files that code points at.
  await copyFile(join(installed.directory, "dist/sandglass.wasm"), join(built, "sandglass.wasm"));
  browser = await openPage({ mounts: { built } });
  await browser.page.evaluate(() => import("/built/app.js"));
});
after(async () => {
  await browser?.close();
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

it("instruments of all kinds become the series that a server makes of them", async () => {
  const { samples, total, p75, isOpen } = await browser.page.evaluate(() => globalThis.check());
  const common = { page: "test", "scope.name": "app", "scope.version": "1.2", "service.name": "shop", "service.instance": "7" };
  const one = (name, labels, value) => ({ labels: { __name__: name, ...common, ...labels }, value });
  assert.deepEqual(samples, {
    clicks: [one("clicks", { button: "save", big: "true" }, "9"), one("clicks", { button: "open", big: "false" }, "1")].sort((a, b) =>
      a.labels.big < b.labels.big ? -1 : 1,
    ),
    connections: [one("connections", {}, "-2")],
    heat: [one("heat", {}, "36.6")],
    odd: [one("odd", { list: '["a","b"]' }, "Infinity")],
    latency_bucket: [
      one("latency_bucket", { le: "+Inf" }, "4"),
      one("latency_bucket", { le: "10" }, "2"),
      one("latency_bucket", { le: "100" }, "3"),
    ],
    latency_count: [one("latency_count", {}, "4")],
    latency_sum: [one("latency_sum", {}, "1064")],
    exponential_count: [one("exponential_count", {}, "1")],
    exponential_bucket: [one("exponential_bucket", { vmrange: samples.exponential_bucket[0]?.labels.vmrange }, "1")],
  });
  const [low, high] = samples.exponential_bucket[0].labels.vmrange.split("...").map(Number);
  assert.ok(low <= 3 && high >= 3);
  assert.deepEqual([total, p75, isOpen], [10, 100, true]);
});

it("an exporter opens its own database for the first export, and closes it", async () => {
  const { stored, values, late } = await browser.page.evaluate(() => globalThis.named());
  assert.deepEqual(stored, ["telemetry"]);
  assert.deepEqual(values, [1]);
  assert.deepEqual(late, [1, "closed"]);
});

it("a database that is closed fails the export and nothing else", async () => {
  assert.deepEqual(await browser.page.evaluate(() => globalThis.failing()), [1, "closed"]);
  assert.deepEqual(browser.errors, []);
});
