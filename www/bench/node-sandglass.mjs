// In a process of its own: one measurement of Sandglass in Node. Its argument and its last line are JSON.
import { readFileSync } from "node:fs";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { bodiesIn } from "./bodies.mjs";
import { cpuOnly, fromExport } from "./data.mjs";
import { TASKS, warmUp } from "./sandglass.mjs";

const { entry, task, data, file, hours, format } = JSON.parse(process.argv[2]);
const sandglass = await import(pathToFileURL(entry).href);
const dataSet = file && format === undefined ? await fromExport(data, Readable.toWeb(createReadStream(file))) : cpuOnly(100, hours);
await warmUp(sandglass);
globalThis.gc?.();
/** What is put in: a data set, or an hour of it in a server's or an agent's format. */
function input() {
  if (format === undefined) return dataSet;
  if (format === "native") return { format, bodies: [readFileSync(file)], samples: dataSet.samples };
  return { format, ...bodiesIn(format, dataSet) };
}
console.log(JSON.stringify(await TASKS[task](sandglass, input())));
