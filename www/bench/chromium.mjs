// A page for one measurement: a new browser, pinned to one core with all its processes.
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { FLAGS, serve, which } from "../test/server/chromium.mjs";
import { temporaryDirectory } from "../test/server/victoriametrics.mjs";

const www = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

const IMPORT_MAP = {
  imports: {
    "apache-arrow": "/modules/apache-arrow/Arrow.dom.mjs",
    flatbuffers: "/modules/flatbuffers/mjs/flatbuffers.js",
    tslib: "/modules/tslib/tslib.es6.mjs",
  },
};

/**
 * Calls `run` of a module in a new page. Modules are at `/www/…` (this folder's parent), `/package/…` (the installed package),
 * `/modules/…` (the peers) and `/fixtures/…`.
 *
 * @param {object} options
 * @param {string[]} options.prefix the command that pins a process to a core
 * @param {Record<string, string>} options.mounts further folders, such as `package` and `fixtures`
 * @param {string} options.module
 * @param {unknown} options.argument
 * @param {AbortSignal} [options.signal] ends the browser, whatever the page is busy with
 */
export async function inChromium({ prefix, mounts, module, argument, signal }) {
  const directory = await temporaryDirectory("bench");
  const program = join(directory, "chromium");
  const named = process.env.CHROMIUM ?? "chromium";
  const real = named.includes("/") ? named : await which(named);
  await writeFile(program, `#!/bin/sh\nexec ${[...prefix, real].map((word) => `'${word}'`).join(" ")} "$@"\n`);
  await chmod(program, 0o755);
  const server = await serve(
    { www, modules: join(www, "bench/node_modules"), ...mounts },
    undefined,
    `<script type="importmap">${JSON.stringify(IMPORT_MAP)}</script>`,
  );
  let context;
  const end = () => context?.close().catch(() => {});
  signal?.addEventListener("abort", end);
  try {
    // A profile in a folder: what a page without one stores is kept in memory, and durable would cost nothing.
    context = await chromium.launchPersistentContext(join(directory, "profile"), {
      executablePath: program,
      headless: true,
      // Garbage that is left from the making of the data must not be collected while the clock runs.
      args: [...FLAGS, "--js-flags=--expose-gc"],
    });
    signal?.throwIfAborted();
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(`${server.url}/blank.html`);
    page.setDefaultTimeout(0);
    return await page.evaluate(async ({ module, argument }) => (await import(module)).run(argument), { module, argument });
  } finally {
    signal?.removeEventListener("abort", end);
    await end();
    await server.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
