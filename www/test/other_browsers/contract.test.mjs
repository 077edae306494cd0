// The contract in each of the other browsers, on the package as npm installs it.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { MOUNTS } from "../browsers/combinations.mjs";
import { declareContract } from "../contract/declare.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { ALL_BROWSERS, BROWSERS, visit } from "./browsers.mjs";
import { direct } from "./director.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = { worker: `/package/${await entry(".")}`, caller: `/package/${await entry("./inline")}` };

// `make test` runs this file, too, without private windows, and without any of these browsers where they cannot be had.
const CHOSEN = { none: [], "without-private": BROWSERS }[process.env.OTHER_BROWSERS] ?? ALL_BROWSERS;

for (const browser of CHOSEN) {
  describe(`sandglass in ${browser.name}`, () => {
    let server, profile, visited;
    before(async () => {
      server = await direct({ package: directory, ...MOUNTS });
      profile = await temporaryDirectory("contract");
      visited = await visit(browser, profile, server);
    });
    after(async () => {
      await visited?.close();
      await server.close();
      await rm(profile, { recursive: true, force: true });
    });
    const stored = (wanted) =>
      Object.values(browser.combinations).flatMap(({ entry, options }) => (entry === wanted ? [options.storage] : []));

    // Memory is the same everywhere: once is enough.
    declareContract({ worker: stored("index"), caller: ["memory", ...stored("inline")] }, entries, () => visited.page);

    it("the page has seen no error that nobody asked for", () => {
      assert.deepEqual(server.errors, []);
    });
  });
}
