// In a process of its own: one measurement of Sandglass in Node. Its argument and its last line are JSON.
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { cpuOnly, fromExport } from "./data.mjs";
import { TASKS, warmUp } from "./sandglass.mjs";

const { entry, task, data, file, hours } = JSON.parse(process.argv[2]);
const sandglass = await import(pathToFileURL(entry).href);
const dataSet = file ? await fromExport(data, Readable.toWeb(createReadStream(file))) : cpuOnly(100, hours);
await warmUp(sandglass);
globalThis.gc?.();
console.log(JSON.stringify(await TASKS[task](sandglass, dataSet)));
