// The size of what a reader's browser downloads, and the budgets that it must keep.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** What the core of the engine's code may weigh after gzip, in bytes. `make profile` helps when new code has landed in the wrong half. */
const CORE_GZIP_BUDGET = 250 * 1024;

/** What the rest may weigh, so that it does not grow unnoticed: a little more than it does. */
const REST_GZIP_CEILING = 162 * 1024;

/** What all JavaScript together may weigh after gzip, in bytes, that a page gets which opens a database, that of the worker included. */
const JS_GZIP_BUDGET = 20 * 1024;

/** Modules that are loaded only when something has failed: the worker's file, the engine's, or the start of any worker. */
const FALLBACKS = /^(worker_source|embedded|here)\b/;

const top = fileURLToPath(new URL("..", import.meta.url));
const core = join(top, "www/pkg/sandglass_bg.wasm");
const rest = join(top, "www/pkg/sandglass_rest.wasm");

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
const ofCore = sizes(core);
print(relative(top, core), ofCore);
const ofRest = sizes(rest);
print(relative(top, rest), ofRest);
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
console.log(`WebAssembly loaded first: ${kilobytes(ofCore.gzip)} after gzip; the rest, which comes behind it: ${kilobytes(ofRest.gzip)}`);
if (ofCore.gzip > CORE_GZIP_BUDGET) {
  console.error(`the core weighs ${kilobytes(ofCore.gzip)} after gzip; the budget is ${kilobytes(CORE_GZIP_BUDGET)}`);
  process.exit(1);
}
if (ofRest.gzip > REST_GZIP_CEILING) {
  console.error(`the rest weighs ${kilobytes(ofRest.gzip)} after gzip; the ceiling is ${kilobytes(REST_GZIP_CEILING)}`);
  process.exit(1);
}
if (script > JS_GZIP_BUDGET) {
  console.error(`the JavaScript weighs ${kilobytes(script)} after gzip; the budget is ${kilobytes(JS_GZIP_BUDGET)}`);
  process.exit(1);
}
