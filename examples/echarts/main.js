// Quantiles of latencies as lines of ECharts, which takes rows of [time, value].
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { open } from "sandglass";

use([LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

const db = await open({ name: "latencies", retention: "7d" });
const latency = db.series({ __name__: "latency_ms", path: "/search" });
let slowness = 0;
setInterval(() => {
  // Ten requests that have ended in the last tenth of a second.
  const now = Date.now();
  const times = Float64Array.from({ length: 10 }, (_, i) => now - 100 + i * 10);
  slowness *= 0.97;
  return db.append(latency, times, times.map(() => 20 + slowness + 30 * Math.random() ** 4));
}, 100);
document.getElementById("slow").onclick = () => (slowness = 500);

const chart = init(document.getElementById("chart"));
addEventListener("resize", () => chart.resize());
chart.setOption({ xAxis: { type: "time" }, yAxis: { name: "ms" }, tooltip: { trigger: "axis" }, legend: {}, animation: false });

const QUANTILES = 'quantiles_over_time("quantile", 0.5, 0.9, 0.99, latency_ms[3s])';
db.live(QUANTILES, { range: "1m", step: "1s", fresh: true }, ({ timestamps, series }) => {
  chart.setOption({
    series: series.map(({ labels, values }) => ({
      name: `p${Number(labels.quantile) * 100}`,
      type: "line",
      showSymbol: false,
      // A NaN is a gap, and so it is in ECharts.
      data: Array.from(timestamps, (time, i) => [time, values[i]]),
    })),
  });
  const worst = series.at(-1)?.values.findLast((value) => !Number.isNaN(value));
  if (worst !== undefined) document.getElementById("said").textContent = `p99 is ${worst.toFixed(0)} ms`;
});

globalThis.chart = chart; // to look at in the console
