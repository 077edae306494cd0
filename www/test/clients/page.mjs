// What a page makes with clients from npm, unchanged; esbuild bundles it. Each client is told where the server is: at the address `url`
// below which a Service Worker answers, or behind a function `fetch` that is called in the place of the browser's.
import { autocompletion, completionStatus, currentCompletions, startCompletion } from "@codemirror/autocomplete";
import { EditorView } from "@codemirror/view";
import { InfluxDB, Point } from "@influxdata/influxdb-client-browser";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import Chart from "chart.js/auto";
import "chartjs-adapter-date-fns";
import ChartDatasourcePrometheusPlugin from "chartjs-plugin-datasource-prometheus";
import { PrometheusDriver } from "prometheus-query";

const PATIENCE_MS = 10_000;

/** What `look` finds, as soon as it finds something. */
async function awaited(what, look) {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; ) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  throw new Error(`${what}: nothing came in time`);
}

/** For `prometheus-query`, which asks by Axios. */
function connection({ url, fetch }) {
  if (fetch === undefined) return { endpoint: url };
  return { endpoint: url, requestInterceptor: { onFulfilled: (config) => ({ ...config, adapter: adapterOver(fetch) }) } };
}

/** What Axios sends a request with. (Its own adapter over `fetch` sends a GET with a body, which no browser does.) */
function adapterOver(fetch) {
  return async (config) => {
    const { baseURL, url, method, params, data } = config;
    const post = { method, body: data, headers: { "content-type": "application/x-www-form-urlencoded" } };
    const response = await fetch(`${baseURL}${url}?${params}`, /post/i.test(method) ? post : { method });
    const result = { data: await response.json(), status: response.status, statusText: response.statusText, headers: {}, config };
    if (!response.ok) throw Object.assign(new Error(`status ${response.status}`), { isAxiosError: true, response: result });
    return result;
  };
}

/** All that a dashboard asks by `prometheus-query`. */
export async function ask(server, { start, end, preferPost = false }) {
  const driver = new PrometheusDriver({ ...connection(server), preferPost });
  const instant = await driver.instantQuery("sum by (host) (requests_total)", end);
  const range = await driver.rangeQuery("sum by (host) (rate(requests_total[1m]))", start, end, 60);
  const refusal = await driver.instantQuery("sum(").catch(({ error }) => error);
  return {
    instant: instant.result.map(({ metric, value }) => [metric.labels.host, value.value]),
    range: range.result.map(({ metric, values }) => [metric.labels.host, values.length, values[0].value]),
    names: await driver.labelNames(),
    hosts: await driver.labelValues("host"),
    series: (await driver.series("temperature", start, end)).map((metric) => metric.toString()),
    metadata: await driver.metadata(),
    rules: await driver.rules(),
    version: (await driver.statusBuildinfo()).version,
    refusal,
  };
}

/** What the editor of Prometheus' own page offers in each text, where the bar stands in it. */
export async function complete(server, texts) {
  const promql = new PromQLExtension().setComplete({ remote: { url: server.url, fetchFn: server.fetch } });
  const parent = document.body.appendChild(document.createElement("div"));
  const offered = {};
  for (const text of texts) {
    const view = new EditorView({
      doc: text.replace("|", ""),
      selection: { anchor: text.indexOf("|") },
      extensions: [promql.asExtension(), autocompletion({ activateOnTyping: false, interactionDelay: 0 })],
      parent,
    });
    view.focus();
    await awaited(`completion of ${text}`, () => {
      // Nothing is under way at first, and when what was offered has been taken away again.
      if (completionStatus(view.state) === null) startCompletion(view);
      return completionStatus(view.state) === "active" || undefined;
    });
    offered[text] = currentCompletions(view.state).map(({ label }) => label);
    view.destroy();
  }
  parent.remove();
  return offered;
}

/** A chart of the last quarter of an hour, and whether its line is on the canvas. */
export async function chart(server, end) {
  const canvas = document.body.appendChild(document.createElement("canvas"));
  canvas.width = 600;
  canvas.height = 300;
  const datasource = {
    prometheus: connection(server),
    query: "sum by (host) (rate(requests_total[1m]))",
    timeRange: { type: "absolute", start: new Date(end - 600_000), end: new Date(end), step: 15 },
    borderColor: ["rgb(255, 0, 0)", "rgb(0, 0, 255)"],
    backgroundColor: ["rgb(255, 0, 0)", "rgb(0, 0, 255)"],
    borderWidth: 3,
  };
  const drawn = new Chart(canvas, {
    type: "line",
    plugins: [ChartDatasourcePrometheusPlugin],
    options: { animation: false, responsive: false, plugins: { "datasource-prometheus": datasource } },
  });
  try {
    const pixels = await awaited("a line of the chart", () => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const counts = { red: 0, blue: 0 };
      for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue] = data.subarray(at, at + 3);
        if (green < 60 && red > 200 && blue < 60) counts.red++;
        if (green < 60 && blue > 200 && red < 60) counts.blue++;
      }
      return counts.red > 300 && counts.blue > 300 ? counts : undefined;
    });
    const picture = canvas.toDataURL("image/png");
    return { pixels, picture, lines: drawn.data.datasets.map(({ label, data }) => [label, data.length]) };
  } finally {
    drawn.destroy();
    canvas.remove();
  }
}

/** Writes by the Influx client. */
export async function writeInflux(url, at) {
  const write = new InfluxDB({ url, token: "any" }).getWriteApi("any", "any", "ms");
  for (let n = 0; n < 3; n++)
    write.writePoint(
      new Point("weather")
        .tag("room", "cellar")
        .floatField("degrees", 11 + n)
        .timestamp(at + n * 1000),
    );
  await write.close();
}

/** OpenTelemetry's SDK with its exporter over HTTP, as its documentation sets them up. Fails with what the exporter says. */
export async function exportOtlp(url) {
  const exporter = new OTLPMetricExporter({ url: `${url}/opentelemetry/v1/metrics` });
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600_000 });
  const provider = new MeterProvider({ resource: resourceFromAttributes({ "service.name": "web" }), readers: [reader] });
  const meter = provider.getMeter("app");
  meter.createCounter("otel_clicks").add(3, { button: "save" });
  meter.createGauge("otel_temperature").record(21.5, { room: "hall" });
  const took = meter.createHistogram("otel_took_seconds", { advice: { explicitBucketBoundaries: [0.1, 1] } });
  for (const seconds of [0.05, 0.5, 5]) took.record(seconds);
  const failed = [];
  const exported = exporter.export.bind(exporter);
  exporter.export = (metrics, done) =>
    exported(metrics, (result) => (result.code !== 0 && failed.push(String(result.error)), done(result)));
  // Exports what there is, once.
  await provider.shutdown();
  return failed;
}
