// In the page: a database of ten million samples, and how long it takes from opening it to the samples of one series.
import { cpuOnly, eachSeriesHour } from "./data.mjs";

/** Options of `open` that have nothing to do with where it lives. */
const OPTIONS = { retention: "100y" };

/** Writes the database, as samples come: hour by hour. Answers how many there are. */
export async function fill({ entry, name, storage, hosts, hours, decimals }) {
  const sandglass = await import(entry);
  await sandglass.destroy(name);
  const dataSet = cpuOnly(hosts, hours, decimals);
  const db = await sandglass.open({ ...OPTIONS, name, storage });
  const handles = dataSet.series.map(({ labels }) => db.series(labels));
  await eachSeriesHour(dataSet, (s, timestamps, values) => db.append(handles[s], timestamps, values));
  await db.close();
  return { samples: dataSet.samples, series: dataSet.series.length };
}

/** One cold start: nothing of the package has been loaded in this page before. */
export async function start({ entry, name, storage, selector }) {
  const began = performance.now();
  const sandglass = await import(entry);
  const imported = performance.now();
  const db = await sandglass.open({ ...OPTIONS, name, storage });
  const opened = performance.now();
  const found = await db.select(selector);
  const selected = performance.now();
  const { fileSystem, partitions, index } = await db.inspect();
  return {
    importMs: imported - began,
    openMs: opened - imported,
    selectMs: selected - opened,
    startMs: selected - imported,
    series: found.length,
    samples: found.reduce((sum, { timestamps }) => sum + timestamps.length, 0),
    readBytes: fileSystem.readBytes,
    storedBytes: fileSystem.storedBytes,
    operations: fileSystem.operations,
    parts: partitions.reduce((sum, { parts }) => sum + parts.length, 0),
    indexParts: index.tables.reduce((sum, { parts }) => sum + parts.length, 0),
  };
}
