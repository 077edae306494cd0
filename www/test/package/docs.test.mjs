// The code in the documentation runs and prints what it says, or compiles where it is half of something.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { blocksOf, examples, pages, promised } from "./docs_blocks.mjs";
import { link } from "./modules.mjs";

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** What is done with the blocks of each kind. */
const KINDS = {
  js: "the blocks of a page are one program, which runs in Chromium",
  "js node": "runs in Node",
  ts: "compiles",
  tsx: "compiles",
  html: "is a page of its own, which runs in Chromium",
  sh: "is read by the shell",
  text: "is no code",
};
const found = pages().flatMap((path) => blocksOf(path).map((block) => ({ path, ...block })));
const ofKind = (kind) => found.filter(({ info }) => info === kind);
/** Pages whose code tests of their own build and run. */
const ELSEWHERE = ["README.md", "docs/HTTP.md"];
/** By page. */
const programs = new Map();
for (const block of ofKind("js")) {
  if (!ELSEWHERE.includes(block.path)) programs.set(block.path, [...(programs.get(block.path) ?? []), block]);
}

const IMPORTS = {
  imports: {
    sandglass: "/sandglass/dist/index.js",
    "sandglass/inline": "/sandglass/dist/inline.js",
    "sandglass/uplot": "/sandglass/dist/uplot.js",
    uplot: "/uplot/dist/uPlot.esm.js",
  },
};

/** In the page: what is printed, as the comments write it. */
const PRINT = `globalThis.printed = [];
console.log = (...values) => printed.push(values.map((value) =>
  typeof value === "string" ? value : ArrayBuffer.isView(value) ? JSON.stringify([...value]) : JSON.stringify(value)).join(" "));`;

/** What the examples of the types take for granted. */
const GLOBALS = `
import type { Database as TheDatabase, EngineState, PartId, SeriesHandle } from "sandglass";
import type * as entry from "sandglass";
import type * as hooks from "sandglass/react";
import type * as charts from "sandglass/uplot";
import type { FunctionComponent } from "react";
import type * as arrow from "apache-arrow";
import type * as sdk from "@opentelemetry/sdk-metrics";
import type * as tables from "sandglass/arrow";
import type * as telemetry from "sandglass/opentelemetry";
declare global {
  const toArrowTable: typeof tables.toArrowTable, tableToIPC: typeof arrow.tableToIPC;
  const SandglassExporter: typeof telemetry.SandglassExporter, MeterProvider: typeof sdk.MeterProvider;
  const PeriodicExportingMetricReader: typeof sdk.PeriodicExportingMetricReader;
  type Database = TheDatabase;
  var db: Database;
  const openSnapshot: typeof entry.openSnapshot;
  const useDatabase: typeof hooks.useDatabase, useQuery: typeof hooks.useQuery, toAlignedData: typeof charts.toAlignedData;
  const Chart: FunctionComponent<{ database: Database }>;
  const uPlot: new (options: object, data: charts.AlignedData) => object, options: object;
  const token: string, connection: { insertArrowFromIPCStream(ipc: Uint8Array, options: { name: string }): Promise<void> };
  const file: Blob, bar: { value: number }, state: EngineState, part: PartId, up: SeriesHandle, start: number, end: number;
  const draw: (timestamps: Float64Array, series: entry.RangeSeries[]) => void;
}
`;
const BUNDLERS = 'declare module "*?url" { const url: string; export default url; }';

describe("the code in the documentation", { concurrency: 3 }, () => {
  let project, browser;

  before(async () => {
    const package_ = await installPackage();
    project = package_.project;
    await mkdir(join(project, "pages"));
    await writeFile(join(project, "pages/metrics"), "process_open_fds 12\n");
    const head = `<link rel="icon" href="data:," /><script type="importmap">${JSON.stringify(IMPORTS)}</script>`;
    await writeFile(join(project, "pages/index.html"), `<!doctype html><title>-</title>${head}<body></body>`);
    for (const [path, blocks] of programs) {
      const code = blocks.map(({ code }) => code.replace(/^import ".*\.css";$/m, "")).join("\n");
      const script = `${PRINT}\n${code}\nglobalThis.isDone = true;`;
      await writeFile(join(project, "pages", `${basename(path, ".md")}.js`), script);
    }
    browser = await openPage({
      mounts: { pages: join(project, "pages"), sandglass: package_.directory, uplot: join(MODULES, "uplot") },
    });
  });
  after(async () => {
    await browser?.close();
    await rm(project, { recursive: true, force: true });
  });

  /** A visitor who was never there, with what the page has complained of. */
  const visitor = async (url) => {
    const context = await browser.page.context().browser().newContext();
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`${browser.url}${url}`);
    return { page, errors, end: () => context.close() };
  };

  it("is of kinds that are tried", () => {
    const other = found.filter(({ info }) => !(info in KINDS)).map(({ path, line, info }) => `${path}:${line} is '${info}'`);
    assert.deepEqual(other, []);
    for (const kind of ["js", "ts", "tsx", "html", "sh"]) assert.ok(ofKind(kind).length > 0, kind);
    assert.ok(programs.size >= 10);
  });

  for (const [path, blocks] of programs) {
    it(`${path}: its program runs and prints what it says`, async () => {
      const { page, errors, end } = await visitor("/pages/index.html");
      try {
        await page.addScriptTag({ type: "module", url: `/pages/${basename(path, ".md")}.js` });
        // The last line is not reached when one before it has thrown.
        while (errors.length === 0 && !(await page.waitForFunction(() => globalThis.isDone, null, { timeout: 1_000 }).catch(() => false)));
        assert.deepEqual(errors, []);
        assert.deepEqual(await page.evaluate(() => globalThis.printed), promised(blocks.map(({ code }) => code).join("\n")));
        if (path.endsWith("start.md")) {
          await page.waitForFunction(() => /^\d\d\.\d °C at most$/.test(document.title));
          assert.equal(await page.locator(".uplot canvas").count(), 2);
        }
      } finally {
        await end();
      }
    });
  }

  it("is whole pages where it says html", async () => {
    for (const { code } of ofKind("html")) {
      await writeFile(join(project, "pages/page.html"), `<!doctype html><title>-</title><link rel="icon" href="data:," />${code}`);
      const { page, errors, end } = await visitor("/pages/page.html");
      await page.waitForFunction(() => document.title === "worker");
      // Its chart has its style sheet.
      await page.waitForFunction(() => getComputedStyle(document.querySelector(".u-wrap")).position === "relative");
      assert.deepEqual(errors, []);
      await end();
    }
  });

  it("runs in Node where it says so", async () => {
    for (const { code, path, line } of ofKind("js node")) {
      await writeFile(join(project, "in_node.test.mjs"), code);
      const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
      const { stdout } = await run(process.execPath, ["--test", "--test-reporter=tap", "in_node.test.mjs"], { cwd: project, env });
      assert.match(stdout, /^# fail 0$/m, `${path}:${line}`);
    }
  });

  it("compiles, with the examples of the types", async () => {
    await link(project, ["react", "@types/react", "csstype", "vue", "apache-arrow", "@opentelemetry/sdk-metrics"]);
    const folder = join(project, "compiled");
    await mkdir(folder);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "es2022",
      module: "esnext",
      moduleResolution: "bundler",
      jsx: "react-jsx",
    };
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: { ...compilerOptions, types: [], skipLibCheck: true, lib: ["es2023", "esnext", "dom", "dom.iterable"] },
      }),
    );
    await writeFile(join(folder, "globals.d.ts"), GLOBALS);
    await writeFile(join(folder, "bundlers.d.ts"), BUNDLERS);
    const all = [...ofKind("ts"), ...ofKind("tsx")].map(({ path, line, info, code }) => ({
      name: `${path.replace(/\W/g, "_")}_${line}`,
      language: info,
      code,
    }));
    assert.ok(examples().length > 20);
    for (const { name, language, code } of [...all, ...examples()]) {
      // Windows have an `open` of their own, which a global one can't replace.
      const begin = /\bopen\(/.test(code) && !code.includes("import { open") ? 'import { open } from "sandglass";\n' : "";
      await writeFile(join(folder, `${name}.${language}`), `${begin}${code}\nexport {};\n`);
    }
    await run(process.execPath, [join(MODULES, "typescript/bin/tsc"), "-p", folder]).catch(({ stdout }) => assert.fail(stdout));
  });

  it("is read by the shell where it says sh", async () => {
    for (const { code, path, line } of ofKind("sh")) {
      await run("bash", ["-n", "-c", code]).catch(({ stderr }) => assert.fail(`${path}:${line} ${stderr}`));
      for (const [, target] of code.matchAll(/^make ([a-z-]+)/gm)) {
        await run("make", ["-n", target], { cwd: fileURLToPath(new URL("../../..", import.meta.url)) });
      }
    }
  });
});
