// In the page: a snapshot's tar that was chosen from the disk goes into a database, or is opened where it lies.

const EVERY_SERIES = '{__name__!=""}';

const chosen = () => document.querySelector("input").files[0];

/** Puts the place to choose a file into the page. */
export function prepare() {
  document.body.innerHTML = '<input type="file">';
}

/** Restores the chosen file into a new database, which is removed afterwards. */
export async function restore({ entry, storage }) {
  const { open, destroy } = await import(entry);
  const file = chosen();
  const name = `restored-${storage}`;
  const db = await open({ name, storage, retention: "100y" });
  const began = performance.now();
  const { samples, series, parts, leftOut } = await db.snapshots.restore(file);
  const restoreMs = performance.now() - began;
  if (leftOut.length > 0) throw new Error(`the restore left out ${leftOut.map(({ message }) => message).join(", ")}`);
  const { memory } = await db.inspect();
  await db.close();
  if (storage !== "memory") await destroy(name);
  return { restoreMs, fileBytes: file.size, samples, series, parts, wasmBytes: memory.wasmBytes };
}

/** Opens the chosen file where it lies, and asks for one series and for the newest hour of all. */
export async function look({ entry, selector }) {
  const { openSnapshot } = await import(entry);
  const file = chosen();
  const began = performance.now();
  const snapshot = await openSnapshot(file);
  const opened = performance.now();
  const [end] = (await snapshot.inspect()).partitions
    .flatMap(({ parts }) => parts.map(({ maxTimestamp }) => maxTimestamp))
    .sort((a, b) => b - a);
  const found = await snapshot.queryRange(selector, { start: end - 3_600_000, end, step: "1m" });
  const asked = performance.now();
  const series = await snapshot.count(EVERY_SERIES);
  const { fileSystem, memory } = await snapshot.inspect();
  await snapshot.close();
  if (found.series.length === 0) throw new Error(`the first query of ${selector} found nothing`);
  return {
    openMs: opened - began,
    lookMs: asked - began,
    fileBytes: file.size,
    series,
    readBytes: fileSystem.readBytes,
    wasmBytes: memory.wasmBytes,
  };
}
