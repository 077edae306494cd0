// Builds the npm package: src/ and pkg/ (which `make wasm` leaves) into dist/. Usage: node build.mjs [PKG DIST]
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const www = dirname(fileURLToPath(import.meta.url));
const [pkg = join(www, "pkg"), dist = join(www, "dist")] = process.argv.slice(2);
const glue = join(pkg, "sandglass.js");
const wasm = join(pkg, "sandglass_bg.wasm");
const ENTRIES = ["index", "inline", "react", "uplot", "arrow", "opentelemetry"];
const SERVICE_WORKER = "service-worker";
/** What users have of their own, if they use the entry that is for it. */
const PEERS = ["apache-arrow", "react"];
/** What the entries' declarations refer to. */
const DECLARATIONS = [
  ...ENTRIES,
  SERVICE_WORKER,
  ...["api", "react"].flatMap((room) =>
    readdirSync(join(www, "src", room))
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${room}/${file.replace(/\.ts$/, "")}`),
  ),
];

if (!existsSync(glue)) throw new Error("www/pkg is missing: run `make wasm` first");

/** Names this build: the files of another one may be of the same version, and yet name imports and exports otherwise. */
const version = JSON.parse(readFileSync(join(www, "package.json"), "utf8")).version;
const buildName = `${version}-${createHash("sha256").update(readFileSync(wasm)).digest("hex").slice(0, 12)}`;

/** A module with a section of its own that says of which build it is; src/engine/code.ts reads it. */
function stamped(file) {
  const [name, value] = ["sandglass", buildName].map((text) => Buffer.from(text));
  const content = Buffer.concat([Buffer.of(name.length), name, value]);
  // Lengths below 128 are one byte.
  if (content.length > 127) throw new Error("the version is too long");
  return Buffer.concat([readFileSync(file), Buffer.of(0, content.length), content]);
}

/**
 * wasm-bindgen's glue keeps the instance in variables of its module, so that there can be only one. Here the module becomes the
 * body of a function, and each call of it has an instance of its own, which goes when the database is closed.
 */
async function glueFactory() {
  let source = readFileSync(glue, "utf8");
  if (
    !/function __wbg_finalize_init\(instance, module\)/.test(source) ||
    !/function __wbg_get_imports\(\)/.test(source) ||
    !/ __destroy_into_raw\(\)/.test(source)
  ) {
    throw new Error("the glue of wasm-bindgen has changed: what starts an instance, or lets go of one, was not found");
  }
  // Its own way to start looks for the module in all places it knows; here there always is a compiled one.
  source += `
export async function instantiate(code) {
  __wbg_finalize_init(await WebAssembly.instantiate(code, __wbg_get_imports()), code);
  return wasm.memory;
}
export function abandon(engine) {
  engine.__destroy_into_raw();
}
`;
  // What the package does not ask for is left behind.
  const { outputFiles } = await build({
    stdin: { contents: 'export { abandon, EnginePort, instantiate, lastPanic } from "glue";', loader: "js" },
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
    plugins: [
      {
        name: "glue",
        setup(plugins) {
          plugins.onResolve({ filter: /^glue$/ }, ({ path }) => ({ path, namespace: "glue" }));
          plugins.onLoad({ filter: /.*/, namespace: "glue" }, () => ({ contents: source, loader: "js" }));
        },
      },
    ],
  });
  const code = outputFiles[0].text;
  const exported = /export \{([^}]*)\};\s*$/.exec(code);
  if (exported === null || code.includes("import.meta"))
    throw new Error("the glue of wasm-bindgen has changed: it cannot be made the body of a function");
  const names = exported[1].split(",").map((name) => name.trim());
  return `export function createGlue() {\n${code.slice(0, exported.index)}\nreturn { ${names.join(", ")} };\n}\n`;
}

/** The engine's code as a text, for where its file can't be fetched. */
const embedded = `export default ${JSON.stringify(gzipSync(stamped(wasm), { level: 9 }).toString("base64"))};\n`;

/** Puts the text where others load it on demand. There are no files to be read in a Service Worker. */
const wholeEngine = {
  name: "whole-engine",
  setup(plugins) {
    const contents = { embedded, node: "export const readFile = undefined;" };
    plugins.onResolve({ filter: /^\.\/embedded\.js$/ }, () => ({ path: "embedded", namespace: "whole" }));
    plugins.onResolve({ filter: /^sandglass:node-fs$/ }, () => ({ path: "node", namespace: "whole" }));
    plugins.onLoad({ filter: /.*/, namespace: "whole" }, ({ path }) => ({ contents: contents[path], loader: "js" }));
  },
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

/** What all builds have in common. */
const common = {
  outdir: dist,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: true,
  legalComments: "none",
  external: PEERS,
  logLevel: "warning",
  define: { SANDGLASS_BUILD: JSON.stringify(buildName) },
  plugins: [
    {
      name: "glue",
      setup(plugins) {
        plugins.onResolve({ filter: /^sandglass:node-fs$|^\.\/(embedded|worker_source)\.js$/ }, ({ path }) => ({ path, external: true }));
        plugins.onResolve({ filter: /^\.\/glue\.js$/ }, () => ({ path: "glue", namespace: "glue" }));
        plugins.onLoad({ filter: /.*/, namespace: "glue" }, async () => ({ contents: await glueFactory(), loader: "js" }));
      },
    },
  ],
};

await build({
  ...common,
  entryPoints: Object.fromEntries(ENTRIES.map((name) => [name, join(www, "src", `${name}.ts`)])),
  splitting: true,
  chunkNames: "[name]-[hash]",
});

// The worker is one file with no imports: it runs from wherever it is put, as a module, as a plain script, and out of a text.
await build({ ...common, entryPoints: { worker: join(www, "src/worker/worker.ts") } });
const worker = readFileSync(join(dist, "worker.js"), "utf8");
// As words of a statement, and not of a path in a regular expression.
if (/(?<!["'`])\b(import\b\s*[("'{*.\w]|export\b\s*[{*\w])/.test(worker)) throw new Error("the worker imports or exports something");
writeFileSync(join(dist, "worker_source.js"), `export default ${JSON.stringify(worker.replace(/\n\/\/# sourceMappingURL=.*\n?$/, ""))};\n`);

// A Service Worker may load nothing later on, and works where there is no network: one file with all, the engine's code included.
const { metafile } = await build({
  ...common,
  metafile: true,
  entryPoints: { [SERVICE_WORKER]: join(www, "src", `${SERVICE_WORKER}.ts`) },
  // What has no address beside it takes the copy.
  define: { ...common.define, "import.meta.url": "undefined" },
  // What stands in a text of a megabyte is no source to be looked up.
  sourcemap: false,
  plugins: [wholeEngine, ...common.plugins],
});
if (Object.values(metafile.outputs).some(({ imports }) => imports.length > 0)) throw new Error("the Service Worker imports something");

// A name that is put together is no name that bundlers for the browser look for; the comments tell them that this is meant.
const NODE_FS = '(/* webpackIgnore: true */ /* @vite-ignore */ ["node:fs","promises"].join("/"))';
for (const name of readdirSync(dist).filter((name) => name.endsWith(".js"))) {
  const file = join(dist, name);
  const code = readFileSync(file, "utf8");
  if (code.includes("sandglass:node-fs")) writeFileSync(file, code.replace('("sandglass:node-fs")', NODE_FS));
}

const types = join(dist, "types");
for (const project of ["tsconfig.json", "tsconfig.arrow.json"])
  execFileSync(process.execPath, [join(www, "node_modules/typescript/bin/tsc"), "-p", join(www, project), "--outDir", types], {
    stdio: "inherit",
  });
for (const room of ["api", "react"]) mkdirSync(join(dist, room));
for (const name of DECLARATIONS) {
  // The sources' comments on themselves are not for those who read declarations.
  const text = readFileSync(join(types, `${name}.d.ts`), "utf8");
  writeFileSync(join(dist, `${name}.d.ts`), text);
}
rmSync(types, { recursive: true });
copyFileSync(join(www, "src/wasm.d.ts"), join(dist, "wasm.d.ts"));
writeFileSync(join(dist, "sandglass.wasm"), stamped(wasm));
writeFileSync(join(dist, "embedded.js"), embedded);
