// The size of what a reader's browser downloads, and the budgets that it must keep.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/**
 * What the engine's code weighs after gzip, in bytes, is written down in this file. Who makes it grow by more than `GROWTH` raises the number
 * there, with the reason in docs/decisions/wasm-size.md.
 */
const RATCHET = "wasm_gzip_bytes.txt";
const GROWTH = 1.02;

/** What all JavaScript together may weigh after gzip, in bytes, that a page gets which opens a database, that of the worker included. */
// The goal is 25 KiB; sharing among pages and with Service Workers, what is given up when one of them goes, what is told and kept in that moment, and options that are
// refused by name took it to this
// (docs/decisions/wasm-size.md).
const JS_GZIP_BUDGET = 54 * 1024;

/** Modules that are loaded only when something has failed: the worker's file, the engine's, or the start of any worker. */
const FALLBACKS = /^(worker_source|embedded|in_caller)\b/;

const top = fileURLToPath(new URL("..", import.meta.url));
const wasm = join(top, "www/pkg/sandglass_bg.wasm");

function sizes(path) {
  const bytes = readFileSync(path);
  return {
    raw: bytes.length,
    gzip: gzipSync(bytes, { level: 9 }).length,
    brotli: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length,
  };
}

function print(name, { raw, gzip, brotli }) {
  const columns = [raw, gzip, brotli].map((size) => `${(size / 1024).toFixed(1)} KB`.padStart(12));
  console.log(`${name.padEnd(40)}${columns.join("")}`);
}

if (!existsSync(wasm)) {
  console.error(`${relative(top, wasm)} is missing: run \`make wasm\` first`);
  process.exit(1);
}
console.log(`${"".padEnd(40)}${["raw", "gzip", "brotli"].map((title) => title.padStart(12)).join("")}`);
const ofWasm = sizes(wasm);
print(relative(top, wasm), ofWasm);
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
const dist = join(top, "www/dist");
let script = 0;
if (existsSync(join(dist, "index.js"))) {
  /** A module with all that it imports, as names; `later` gets what it loads on demand. */
  const withImports = (name, found, later) => {
    if (found.has(name)) return found;
    found.add(name);
    const code = readFileSync(join(dist, name), "utf8");
    for (const [, imported] of code.matchAll(/\b(?:from|import)"\.\/([\w-]+\.js)"/g)) withImports(imported, found, later);
    for (const [, imported] of code.matchAll(/\bimport\("\.\/([\w-]+\.js)"\)/g)) if (!FALLBACKS.test(imported)) later.add(imported);
    return found;
  };
  const later = new Set();
  const atOnce = withImports("worker.js", withImports("index.js", new Set(), later), later);
  const onDemand = new Set();
  for (const name of later) withImports(name, onDemand, new Set());
  const sum = (title, names) => {
    let gzip = 0;
    for (const name of names) {
      const of = sizes(join(dist, name));
      print(relative(top, join(dist, name)), of);
      gzip += of.gzip;
    }
    console.log(`${title}: ${kilobytes(gzip)} after gzip`);
    return gzip;
  };
  script = sum("JavaScript of a page that opens a database, worker included", atOnce);
  sum("JavaScript loaded on demand (texts to ingest, snapshots as tar, destroy, blocks)", [...onDemand].filter((name) => !atOnce.has(name)));
}
if (existsSync(join(dist, "service-worker.js"))) print("www/dist/service-worker.js, the engine's code included", sizes(join(dist, "service-worker.js")));
const packed = join(top, "dist/sandglass.tgz");
if (existsSync(packed)) console.log(`${relative(top, packed).padEnd(40)}${`${(statSync(packed).size / 1024).toFixed(1)} KB`.padStart(24)}`);
const ratchet = Number(readFileSync(join(top, "scripts", RATCHET), "utf8"));
console.log(`WebAssembly: ${kilobytes(ofWasm.gzip)} after gzip; scripts/${RATCHET} has ${kilobytes(ratchet)}`);
if (!(ofWasm.gzip <= ratchet * GROWTH)) {
  console.error(`the engine's code has grown from ${ratchet} to ${ofWasm.gzip} bytes after gzip, by more than 2 %: raise the number in scripts/${RATCHET}, and say why in docs/decisions/wasm-size.md`);
  process.exit(1);
}
if (script > JS_GZIP_BUDGET) {
  console.error(`the JavaScript weighs ${kilobytes(script)} after gzip; the budget is ${kilobytes(JS_GZIP_BUDGET)}`);
  process.exit(1);
}
