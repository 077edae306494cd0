// The size of what a reader's browser downloads, and the budget that the core module must keep.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** What the core module should weigh after gzip, in bytes. Not reached: docs/decisions/wasm-size.md says where the weight is. */
const WASM_GZIP_TARGET = 250 * 1024;

/** What it must not exceed until then: a little more than it weighs, so that it does not grow unnoticed. Lower it with each gain. */
const WASM_GZIP_CEILING = 486 * 1024;

/** What all JavaScript together may weigh after gzip, in bytes, that a page gets which opens a database, that of the worker included. */
const JS_GZIP_BUDGET = 20 * 1024;

/** Modules that are loaded only when something has failed: the worker's file, the engine's, or the start of any worker. */
const FALLBACKS = /^(worker_source|embedded|here)\b/;

const top = fileURLToPath(new URL("..", import.meta.url));
const core = join(top, "www/pkg/sandglass_bg.wasm");

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

if (!existsSync(core)) {
  console.error(`${relative(top, core)} is missing: run \`make wasm\` first`);
  process.exit(1);
}
console.log(`${"".padEnd(40)}${["raw", "gzip", "brotli"].map((title) => title.padStart(12)).join("")}`);
const wasm = sizes(core);
print(relative(top, core), wasm);
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
const packed = join(top, "dist/sandglass.tgz");
if (existsSync(packed)) console.log(`${relative(top, packed).padEnd(40)}${`${(statSync(packed).size / 1024).toFixed(1)} KB`.padStart(24)}`);
if (wasm.gzip > WASM_GZIP_TARGET) {
  console.log(`TARGET NOT REACHED: the core module is ${kilobytes(wasm.gzip)} after gzip; it should be ${kilobytes(WASM_GZIP_TARGET)}`);
}
if (wasm.gzip > WASM_GZIP_CEILING) {
  console.error(`the core module has grown to ${kilobytes(wasm.gzip)} after gzip; the ceiling is ${kilobytes(WASM_GZIP_CEILING)}`);
  process.exit(1);
}
if (script > JS_GZIP_BUDGET) {
  console.error(`the JavaScript weighs ${kilobytes(script)} after gzip; the budget is ${kilobytes(JS_GZIP_BUDGET)}`);
  process.exit(1);
}
