// The code of both READMEs works when it is pasted, and their links lead somewhere.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "vite";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { link } from "./modules.mjs";

const TOP = fileURLToPath(new URL("../../..", import.meta.url));
const text = (path) => readFile(join(TOP, path), "utf8");
const blocks = (markdown) => [...markdown.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);

describe("the READMEs", () => {
  let project;
  before(async () => ({ project } = await installPackage()));
  after(() => rm(project, { recursive: true, force: true }));

  it("have fifteen lines that draw a chart when they are pasted into a page", async () => {
    const [code] = blocks(await text("README.md"));
    assert.equal(blocks(await text("www/README.md"))[0], code, "both show the same lines");
    await link(project, ["uplot"]);
    const root = join(project, "pasted");
    await mkdir(root);
    await writeFile(join(root, "index.html"), '<!doctype html><title>-</title><body><script type="module" src="main.js"></script></body>');
    await writeFile(join(root, "main.js"), `${code}\nglobalThis.plot = plot;\nglobalThis.db = db;\n`);
    await build({ root, base: "./", configFile: false, logLevel: "error" });
    const browser = await openPage({ mounts: { page: join(root, "dist") } });
    try {
      const { page, url, errors } = browser;
      const said = [];
      page.on("console", (message) => said.push(message.text()));
      const draws = () => page.waitForFunction(() => globalThis.plot?.data[1]?.filter((value) => value !== null).length >= 2);
      await page.goto(`${url}/page/index.html`);
      await draws();
      await page.evaluate(() => globalThis.db.flush());
      await page.reload();
      await draws();
      assert.match(said[0], /^0 series of the last day, in [\d.]+ ms$/);
      assert.match(said[1], /^1 series of the last day, in [\d.]+ ms$/);
      assert.deepEqual(errors, []);
    } finally {
      await browser.close();
    }
  });

  it("have lines for Node that run when they are pasted", async () => {
    const [, code] = blocks(await text("README.md"));
    await writeFile(join(project, "pasted.mjs"), code);
    const { stdout } = await promisify(execFile)(process.execPath, ["pasted.mjs"], { cwd: project });
    assert.match(stdout, /Float64Array\(2\) \[ 11\.5, 11\.75 \]/);
    assert.match(stdout, /^11\.625$/m);
    const { stdout: files } = await promisify(execFile)("tar", ["-tf", "snapshot.tar"], { cwd: project });
    assert.match(files, /^data\/small\/.*\/values\.bin$/m);
  });

  it("lead to what is there: within the repository by paths, in the package by whole addresses", async () => {
    const linksOf = (markdown) => [...markdown.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
    const missing = linksOf(await text("README.md")).filter(
      (target) => !/^https?:/.test(target) && !existsSync(join(TOP, target.split("#")[0])),
    );
    assert.deepEqual(missing, []);
    const { homepage } = JSON.parse(await text("www/package.json"));
    const wrong = linksOf(await text("www/README.md")).filter((target) => {
      const [, path] = /^\/(?:blob|tree)\/main\/([^#]+)/.exec(target.replace(homepage, "")) ?? [];
      return path === undefined || !existsSync(join(TOP, path));
    });
    assert.deepEqual(wrong, []);
  });
});
