// Small projects that use the package as its users do: with each bundler and without one, in Node, with TypeScript. Nothing is
// configured for the package anywhere.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { openPage } from "../server/chromium.mjs";
import { TARBALL, installPackage } from "../server/packed.mjs";

const run = promisify(execFile);
const { project, directory } = await installPackage({ anew: true });
const tools = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** What every project does, with the default storage and a regular expression. Says in the end "3 samples" and where the engine was. */
const APP = `import { open } from "sandglass";
export async function app() {
  const db = await open({ name: "project " + Math.random() });
  await db.append({ __name__: "up", job: "demo" }, [Date.now() - 2, Date.now() - 1, Date.now()], [1, 0, 1]);
  await db.flush();
  const [{ values }] = await db.select('up{job=~"d.m[o-p]"}');
  await db.close();
  return values.length + " samples, " + db.opened.thread;
}
`;
const PAGE_APP = `${APP}
app().then((said) => { document.title = said; }, (error) => { document.title = "failed: " + error.code + " " + error.message; });
`;

after(() => rm(project, { recursive: true, force: true }));

async function write(files) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(project, path, ".."), { recursive: true });
    await writeFile(join(project, path), content);
  }
}

/**
 * What a page says in its title. Nothing else may be said: no error, and no file that is looked for in vain but the `missing` ones, for each of
 * which the browser's console has a line.
 */
async function titleOf({ page, errors }, url, missing = []) {
  const refused = [];
  const note = (response) => response.status() >= 400 && refused.push(`${response.status()} ${new URL(response.url()).pathname}`);
  page.on("response", note);
  errors.length = 0;
  await page.goto(url);
  await page.waitForFunction(() => /samples|failed/.test(document.title), undefined, { timeout: 20_000 });
  page.off("response", note);
  const title = await page.title();
  assert.deepEqual(
    refused.sort(),
    missing.map((name) => `404 ${name}`),
  );
  // Chromium has one line of each text.
  assert.deepEqual(
    errors.filter((error) => missing.length === 0 || !/status of 404/.test(error)),
    [],
  );
  return title;
}

describe("a project in a browser", async () => {
  await write({
    "vite/index.html": '<!doctype html><link rel="icon" href="data:," /><title>-</title><script type="module" src="./main.js"></script>',
    "vite/main.js": PAGE_APP,
    "webpack/main.js": PAGE_APP,
    "built/webpack/index.html": '<!doctype html><link rel="icon" href="data:," /><title>-</title><script src="main.js"></script>',
    "script/index.html": `<!doctype html><link rel="icon" href="data:," /><title>-</title><script type="module">${PAGE_APP.replace('"sandglass"', '"/package/dist/index.js"')}</script>`,
  });
  const browser = await openPage({ mounts: { built: join(project, "built"), script: join(project, "script"), package: directory } });
  after(() => browser.close());
  const { url } = browser;

  it("a script tag and no bundler", async () => {
    assert.equal(await titleOf(browser, `${url}/script/index.html`), "3 samples, worker");
  });

  it("Vite, built", async () => {
    const { build } = await import("vite");
    await build({
      root: join(project, "vite"),
      base: "./",
      configFile: false,
      logLevel: "error",
      build: { outDir: join(project, "built/vite") },
    });
    assert.equal(await titleOf(browser, `${url}/built/vite/index.html`), "3 samples, worker");
    const assets = await readdir(join(project, "built/vite/assets"));
    assert.equal(assets.filter((name) => name.endsWith(".wasm")).length, 1, "the engine's code was taken along, once");
  });

  it("Vite, while developing", async () => {
    const { createServer } = await import("vite");
    const server = await createServer({
      root: join(project, "vite"),
      configFile: false,
      logLevel: "error",
      server: { port: 0, host: "127.0.0.1" },
    });
    try {
      await server.listen();
      assert.equal(await titleOf(browser, server.resolvedUrls.local[0]), "3 samples, worker");
    } finally {
      await server.close();
    }
  });

  for (const mode of ["production", "development"]) {
    it(`webpack 5, mode ${mode}`, async () => {
      const { default: webpack } = await import("webpack");
      const stats = await promisify(webpack)({
        mode,
        context: join(project, "webpack"),
        entry: "./main.js",
        output: { path: join(project, "built/webpack"), filename: "main.js" },
        performance: false,
      });
      assert.deepEqual(stats.toJson().errors, []);
      assert.deepEqual(stats.toJson().warnings, []);
      assert.equal(await titleOf(browser, `${url}/built/webpack/index.html`), "3 samples, worker");
    });
  }

  describe("esbuild", () => {
    const bundle = async (format, app) => {
      const { build } = await import("esbuild");
      const out = join(project, "built/esbuild");
      await write({ "esbuild/main.js": app, "built/esbuild/index.html": SCRIPT(format) });
      await Promise.all(BESIDE.map((name) => rm(join(out, name), { force: true })));
      await build({
        entryPoints: [join(project, "esbuild/main.js")],
        bundle: true,
        format,
        outfile: join(out, "main.js"),
        logLevel: "silent",
      });
    };
    const address = `${url}/built/esbuild/index.html`;
    /** It does not take these along, as other bundlers do; then the copies within the bundle are used. */
    const BESIDE = ["sandglass.wasm", "worker.js"];
    const SCRIPT = (format) =>
      `<!doctype html><link rel="icon" href="data:," /><title>-</title><script ${format === "esm" ? 'type="module" ' : ""}src="main.js"></script>`;

    it("format esm, which looks for two files before it takes their copies", async () => {
      await bundle("esm", PAGE_APP);
      const missing = BESIDE.map((name) => `/built/esbuild/${name}`);
      assert.equal(await titleOf(browser, address, missing), "3 samples, worker");
    });

    it("format esm, with these files beside the bundle", async () => {
      await bundle("esm", PAGE_APP);
      for (const name of BESIDE) await copyFile(join(directory, "dist", name), join(project, "built/esbuild", name));
      assert.equal(await titleOf(browser, address), "3 samples, worker");
    });

    for (const storage of ["the default", "opfs", "indexeddb", "memory"]) {
      it(`format iife, storage ${storage}`, async () => {
        const chosen = storage === "the default" ? "" : ` storage: "${storage}",`;
        await bundle(
          "iife",
          PAGE_APP.replace("open({", `open({${chosen}`).replace("+ db.opened.thread", '+ db.opened.thread + " " + db.storage'),
        );
        assert.equal(await titleOf(browser, address), `3 samples, worker ${chosen === "" ? "opfs" : storage}`);
      });
    }
  });

  it("the file sandglass/wasm, handed to open", async () => {
    await write({
      "vite-url/index.html":
        '<!doctype html><link rel="icon" href="data:," /><title>-</title><script type="module" src="./main.js"></script>',
      "vite-url/main.js": PAGE_APP.replace(
        'import { open } from "sandglass";',
        'import { open } from "sandglass/inline";\nimport wasm from "sandglass/wasm?url";',
      ).replace("open({", "open({ wasm,"),
    });
    const { build } = await import("vite");
    await build({
      root: join(project, "vite-url"),
      base: "./",
      configFile: false,
      logLevel: "error",
      build: { outDir: join(project, "built/vite-url") },
    });
    assert.equal(await titleOf(browser, `${url}/built/vite-url/index.html`), "3 samples, caller");
  });
});

describe("a project in Node", () => {
  it("a script, which ends by itself", async () => {
    await write({ "script.mjs": `${APP}console.log(await app());\n` });
    const { stdout, stderr } = await run(process.execPath, ["script.mjs"], { cwd: project });
    assert.deepEqual([stdout, stderr], ["3 samples, caller\n", ""]);
  });

  it("a script that forgets to close its database ends, too", async () => {
    await write({ "forgets.mjs": `${APP.replace("await db.close();", "")}console.log(await app());\n` });
    const { stdout } = await run(process.execPath, ["forgets.mjs"], { cwd: project, timeout: 20_000 });
    assert.equal(stdout, "3 samples, caller\n");
  });

  it("an import alone, as a server that renders pages does it, touches and starts nothing", async () => {
    await write({
      "ssr.mjs": `const before = Reflect.ownKeys(globalThis).length;
for (const entry of ["sandglass", "sandglass/inline"]) {
  const { open, destroy, databases, SandglassError } = await import(entry);
  if (![open, destroy, databases, SandglassError].every((one) => typeof one === "function")) throw new Error("an export is missing");
}
if (Reflect.ownKeys(globalThis).length !== before) throw new Error("the import has left something behind");
console.log(process.getActiveResourcesInfo().filter((name) => !/TTY|Pipe|Req/.test(name)).join());
`,
    });
    const { stdout } = await run(process.execPath, ["ssr.mjs"], { cwd: project });
    assert.equal(stdout.trim(), "");
  });

  it("bundled by esbuild into one file", async () => {
    const { build } = await import("esbuild");
    await write({ "bundle-me.mjs": `${APP}console.log(await app());\n` });
    await build({
      entryPoints: [join(project, "bundle-me.mjs")],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: join(project, "built/node/main.mjs"),
      logLevel: "silent",
    });
    const { stdout } = await run(process.execPath, ["main.mjs"], { cwd: join(project, "built/node") });
    assert.equal(stdout, "3 samples, caller\n");
  });
});

describe("a project in TypeScript", () => {
  const source = (name) => readFile(new URL(name, import.meta.url), "utf8");
  const check = async (options, app) => {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "es2022",
      module: "nodenext",
      moduleResolution: "nodenext",
      skipLibCheck: false,
      types: [],
      exactOptionalPropertyTypes: true,
      ...options,
    };
    await write({
      "typescript/tsconfig.json": JSON.stringify({ compilerOptions, include: ["*.ts"] }),
      "typescript/package.json": '{ "type": "module" }',
      "typescript/app.ts": app,
    });
    await run(process.execPath, [join(tools, "typescript/bin/tsc"), "-p", "typescript"], { cwd: project }).catch(({ stdout }) =>
      assert.fail(stdout),
    );
  };

  it("compiles against the declarations, for Node and for bundlers", async () => {
    const app = await source("typed-app.ts");
    await check({ lib: ["es2022", "dom"] }, app);
    await check({ lib: ["es2022", "dom", "dom.iterable"], module: "esnext", moduleResolution: "bundler" }, app);
  });

  const node = { types: ["node"], typeRoots: [join(tools, "@types")] };

  it("compiles without the DOM library: with no types of the web at all, and with those of Node", async () => {
    const app = await source("typed-without-dom.ts");
    await check({ lib: ["es2022"] }, app);
    await check({ lib: ["es2022"], module: "esnext", moduleResolution: "bundler" }, app);
    await check({ lib: ["es2022"], ...node }, app);
  });

  for (const entry of ["sandglass", "sandglass/inline", "sandglass/react", "sandglass/service-worker", "sandglass/uplot"]) {
    it(`compiles without the DOM library where it imports ${entry} alone`, () =>
      check({ lib: ["es2022"] }, `export type * from ${JSON.stringify(entry)};\n`));
  }

  it("with the types of Node alone has Node's own", async () => {
    await check({ lib: ["es2022"], ...node }, await source("typed-for-node.ts"));
  });
});

describe("the package", () => {
  it("holds what it should and nothing else", async () => {
    const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1));
    for (const name of [
      "LICENSE",
      "README.md",
      "dist/index.d.ts",
      "dist/index.js",
      "dist/inline.d.ts",
      "dist/inline.js",
      "dist/sandglass.wasm",
      "dist/react.d.ts",
      "dist/react.js",
      "dist/service-worker.d.ts",
      "dist/service-worker.js",
      "dist/uplot.d.ts",
      "dist/uplot.js",
      "dist/arrow.d.ts",
      "dist/arrow.js",
      "dist/opentelemetry.d.ts",
      "dist/opentelemetry.js",
      "dist/api/index.d.ts",
      "dist/wasm.d.ts",
    ]) {
      assert.ok(names.includes(name), `${name} is missing`);
    }
    assert.deepEqual(
      names.filter((name) => !/^(LICENSE|README\.md|package\.json|dist\/((api|react)\/)?[\w-]+\.(js|js\.map|d\.ts|wasm))$/.test(name)),
      [],
    );
  });

  it("says what a registry wants to know", async () => {
    const manifest = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
    assert.equal(manifest.type, "module");
    assert.equal(manifest.sideEffects, false);
    assert.equal(manifest.license, "Apache-2.0");
    assert.deepEqual(Object.keys(manifest.dependencies ?? {}), []);
    for (const field of ["description", "keywords", "repository", "homepage", "bugs", "engines"])
      assert.ok(manifest[field], `${field} is missing`);
    for (const target of Object.values(manifest.exports).flatMap((of) => (typeof of === "string" ? [of] : Object.values(of))))
      await readFile(join(directory, target));
  });

  it("is found right by publint", async () => {
    const { messages } = await publint({ pkgDir: directory, pack: false, strict: true });
    assert.deepEqual(messages, []);
  });

  it("has the types that it runs with, says Are The Types Wrong", async () => {
    const { problems } = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(TARBALL))));
    // The package is of ES modules alone: what a require() and the resolution of Node 10 find is left out, as by the profile esm-only.
    assert.deepEqual(
      problems.filter(({ resolutionKind }) => !["node10", "node16-cjs"].includes(resolutionKind)),
      [],
    );
  });

  it("can be resolved by Node, the raw file too", async () => {
    await write({
      "resolve.mjs":
        'console.log(["sandglass", "sandglass/inline", "sandglass/service-worker", "sandglass/wasm"].map((name) => import.meta.resolve(name)).join("\\n"));',
    });
    const { stdout } = await run(process.execPath, ["resolve.mjs"], { cwd: project });
    assert.deepEqual(
      stdout.trim().split("\n"),
      ["index.js", "inline.js", "service-worker.js", "sandglass.wasm"].map((name) => pathToFileURL(join(directory, "dist", name)).href),
    );
  });
});
