// A page for one measurement: a new browser, pinned to one core with all its processes.
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPage } from "../test/server/chromium.mjs";
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
 */
export async function inChromium({ prefix, mounts, module, argument }) {
  const directory = await temporaryDirectory("bench");
  const program = join(directory, "chromium");
  const real = process.env.CHROMIUM ?? "chromium";
  await writeFile(program, `#!/bin/sh\nexec ${[...prefix, real].map((word) => `'${word}'`).join(" ")} "$@"\n`);
  await chmod(program, 0o755);
  let chromium;
  try {
    chromium = await openPage({
      program,
      mounts: { www, modules: join(www, "bench/node_modules"), ...mounts },
      head: `<script type="importmap">${JSON.stringify(IMPORT_MAP)}</script>`,
      // Garbage that is left from the making of the data must not be collected while the clock runs.
      flags: ["--js-flags=--expose-gc"],
    });
    chromium.page.setDefaultTimeout(0);
    return await chromium.page.evaluate(async ({ module, argument }) => (await import(module)).run(argument), { module, argument });
  } finally {
    await chromium?.close();
    await rm(directory, { recursive: true, force: true });
  }
}
