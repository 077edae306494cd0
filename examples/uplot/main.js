// Two live charts, one of them a rate, over samples that are still there at the next visit.
import { open } from "sandglass";
import { toAlignedData } from "sandglass/uplot";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const show = (id, text) => (document.getElementById(id).textContent = text);
const db = await open({ name: "greenhouse", retention: "30d" });

// Two series: a gauge that is measured four times a second, and a counter of clicks. Each tab counts from 0 in a series of its own.
const temperature = db.series({ __name__: "temperature_celsius", room: "attic" });
setInterval(() => db.append(temperature, [Date.now()], [20 + 3 * Math.sin(Date.now() / 9_000)]), 250);
const waterings = db.series({ __name__: "waterings_total", room: "attic", tab: crypto.randomUUID() });
let count = 0;
const note = () => db.append(waterings, [Date.now()], [count]);
await note();
setInterval(note, 1_000);
document.getElementById("water").onclick = () => {
  count++;
  return note();
};

function chart(title, expression, color) {
  const options = { title, width: 760, height: 240, series: [{}, { label: title, stroke: color, spanGaps: true }] };
  const plot = new uPlot(options, [[], []], document.getElementById("charts"));
  db.live(expression, { range: "2m", step: "1s", fresh: true }, (result) => {
    if (result.series.length > 0) plot.setData(toAlignedData(result));
  });
  return plot;
}
const plots = [
  chart("temperature, °C", "avg(avg_over_time(temperature_celsius[3s]))", "teal"),
  chart("waterings a minute", "sum(rate(waterings_total[15s])) * 60", "chocolate"),
];

// Numbers beside the charts are queries, too.
setInterval(async () => {
  const { series } = await db.query("sum(increase(waterings_total[1h]))", { fresh: true });
  show("total", Math.round(series[0]?.value ?? 0));
  const all = await db.query("sum(count_over_time({room='attic'}[30d]))");
  show("rows", all.series[0]?.value ?? 0);
}, 500);

globalThis.plots = plots; // to look at in the console
