// What every project does: in each storage, samples in, a regular expression and a query. Answers with what each has found, and where the engine was.
import { destroy, open } from "sandglass";

export async function app(storages) {
  const found = [];
  for (const storage of storages) {
    const name = `elsewhere ${storage}`;
    const db = await open({ name, storage, retention: "100y" });
    const start = Date.UTC(2026, 0, 15, 12);
    await db.append({ __name__: "up", job: "demo" }, [start, start + 1000], [1, 2]);
    await db.flush();
    const [{ values }] = await db.select('up{job=~"d.m[o-p]"}');
    const { series } = await db.queryRange("sum(up)", { start, end: start + 1000, step: "1s" });
    found.push(`${db.storage} in ${db.opened.thread}: ${[...values]}, ${[...series[0].values]}`);
    await db.close();
    if (storage !== "memory") await destroy(name);
  }
  return found.join("; ");
}
