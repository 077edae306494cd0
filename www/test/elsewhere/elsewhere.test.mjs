// Bundlers and runtimes that are too large for `make test`: nothing is configured for the package in any of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { openPage } from "../server/chromium.mjs";
import { TARBALL } from "../server/packed.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const run = (program, ...words) =>
  promisify(execFile)(program, words, { cwd: here, timeout: 300_000, env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" } });
const tool = (name) => join(here, "node_modules/.bin", name);

before(async () => {
  await rm(join(here, "built"), { recursive: true, force: true });
  await run("npm", "install", "--no-save", "--offline", "--no-audit", "--no-fund", TARBALL);
});

describe("a project in a browser", () => {
  let browser;
  before(
    async () =>
      (browser = await openPage({
        mounts: Object.fromEntries(["rspack", "parcel", "next"].map((name) => [name, join(here, "built", name)])),
      })),
  );
  after(() => browser?.close());

  const IN_BROWSERS = "memory in worker: 1,2, 1,2; indexeddb in worker: 1,2, 1,2; opfs in worker: 1,2, 1,2";
  async function titleOf(path) {
    const { page, url } = browser;
    await page.goto(`${url}/${path}`);
    await page.waitForFunction(() => / in |failed/.test(document.title), undefined, { timeout: 30_000 });
    return page.title();
  }

  it("built by Rspack", async () => {
    await run(tool("rspack"), "build", "--config", "rspack/rspack.config.mjs");
    assert.equal(await titleOf("rspack/index.html"), IN_BROWSERS);
    assert.deepEqual(browser.errors, []);
  });

  it("built by Parcel", async () => {
    await run(tool("parcel"), "build", "parcel/index.html", "--dist-dir", "built/parcel", "--no-cache", "--public-url", "./");
    assert.equal(await titleOf("parcel/index.html"), IN_BROWSERS);
    assert.deepEqual(browser.errors, []);
  });

  it("built by Next with Turbopack, which has rendered it on a server before", async () => {
    await run(tool("next"), "build", "next");
    assert.equal(await titleOf("next/index.html"), IN_BROWSERS);
    assert.deepEqual(browser.errors, []);
  });
});

describe("a script", () => {
  const IN_SCRIPTS = "memory in caller: 1,2, 1,2\n";
  it("in Bun, which ends by itself", async () => {
    assert.equal((await run(tool("bun"), "script.js")).stdout, IN_SCRIPTS);
  });

  it("in Deno, which ends by itself", async () => {
    assert.equal((await run(tool("deno"), "run", "--allow-all", "script.js")).stdout, IN_SCRIPTS);
  });
});
