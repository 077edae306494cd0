// An app that is measured with OpenTelemetry's SDK; the metrics stay in the page, where they are queried and drawn.
import { metrics } from "@opentelemetry/api";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { open } from "sandglass";
import { SandglassExporter } from "sandglass/opentelemetry";
import { toAlignedData } from "sandglass/uplot";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

// Once, where the app starts. Each page counts from 0, so that each has a label of its own.
const db = await open({ name: "telemetry", retention: "30d" });
const exporter = new SandglassExporter({ database: db, extraLabels: { page: crypto.randomUUID() } });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000, exportTimeoutMillis: 1_000 });
const provider = new MeterProvider({ readers: [reader] });
metrics.setGlobalMeterProvider(provider);

// Anywhere in the app: it knows of OpenTelemetry alone.
const meter = metrics.getMeter("shop");
const orders = meter.createCounter("orders_total");
const seconds = meter.createHistogram("order_seconds", { advice: { explicitBucketBoundaries: [0.1, 0.2, 0.4, 0.8, 1.6] } });
// A rate needs a value before the first order: a 0, and not a moment later the first orders in its place.
for (const kind of ["tea", "coffee"]) orders.add(0, { kind });
await provider.forceFlush();
for (const button of document.querySelectorAll("button")) {
  button.onclick = () => {
    orders.add(1, { kind: button.dataset.kind });
    seconds.record(0.1 + 0.5 * Math.random());
  };
}

// Beside the app: what it has measured, also in earlier visits and in other tabs.
const show = (id, text) => (document.getElementById(id).textContent = text);
setInterval(async () => {
  const counted = await db.query("sum(increase(orders_total[1h]))", { fresh: true });
  show("orders", Math.round(counted.series[0]?.value ?? 0));
  const median = await db.query("histogram_quantile(0.5, sum(increase(order_seconds_bucket[1h])) by (le))");
  const value = median.series[0]?.value;
  show("median", value > 0 ? `${value.toFixed(1)} s` : "…");
}, 500);

// In the order of the answer: by labels.
const lines = ["coffee", "tea"].map((kind, number) => ({ label: kind, stroke: ["chocolate", "seagreen"][number], spanGaps: true }));
const options = { title: "orders a minute", width: 760, height: 240, series: [{}, ...lines] };
const plot = new uPlot(options, [[], [], []], document.getElementById("chart"));
db.live("sum(rate(orders_total[15s])) by (kind) * 60", { range: "2m", step: "1s", fresh: true }, (result) => {
  if (result.series.length === 2) plot.setData(toAlignedData(result));
});

globalThis.plot = plot; // to look at in the console
