// The size of what a reader's browser downloads, and the budget that the core module must keep.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** What the core module should weigh after gzip, in bytes. Not reached: docs/decisions/wasm-size.md says where the weight is. */
const WASM_GZIP_TARGET = 250 * 1024;

/** What it must not exceed until then: a little more than it weighs, so that it does not grow unnoticed. Lower it with each gain. */
const WASM_GZIP_CEILING = 520 * 1024;

const top = fileURLToPath(new URL("..", import.meta.url));
const core = join(top, "www/pkg/sandglass_bg.wasm");

function* files(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

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
const dist = join(top, "www/dist");
if (existsSync(dist)) {
  for (const path of files(dist)) if (/\.m?js$/.test(path)) print(relative(top, path), sizes(path));
}
const packed = join(top, "dist/sandglass.tgz");
if (existsSync(packed)) console.log(`${relative(top, packed).padEnd(40)}${`${(statSync(packed).size / 1024).toFixed(1)} KB`.padStart(24)}`);
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
if (wasm.gzip > WASM_GZIP_TARGET) {
  console.log(`TARGET NOT REACHED: the core module is ${kilobytes(wasm.gzip)} after gzip; it should be ${kilobytes(WASM_GZIP_TARGET)}`);
}
if (wasm.gzip > WASM_GZIP_CEILING) {
  console.error(`the core module has grown to ${kilobytes(wasm.gzip)} after gzip; the ceiling is ${kilobytes(WASM_GZIP_CEILING)}`);
  process.exit(1);
}
