// The contract in Firefox, on the package as npm installs it.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { MOUNTS } from "../browsers/combinations.mjs";
import { STORED_TESTS, TESTS } from "../contract/contract.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { visit } from "./firefox.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const index = `/package/${await entry(".")}`;

describe("sandglass in Firefox", async () => {
  const server = await serve({ package: directory, ...MOUNTS });
  const profile = await temporaryDirectory("firefox");
  const browser = await visit(profile, server.url);
  after(async () => {
    await browser.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  });
  const run = (group, title, storage) =>
    browser.page.evaluate(
      async ({ index, group, title, storage }) => {
        const [sandglass, { runTest }] = await Promise.all([import(new URL(index, location.href)), import(new URL("/contract/contract.mjs", location.href))]);
        await runTest(sandglass, group, title, storage, "worker");
      },
      { index, group, title, storage },
    );
  for (const storage of ["memory", "indexeddb"]) {
    describe(`storage: ${storage}`, () => {
      for (const title of Object.keys(TESTS)) it(title, () => run("TESTS", title, storage));
      if (storage !== "memory") for (const title of Object.keys(STORED_TESTS)) it(title, () => run("STORED_TESTS", title, storage));
    });
  }
});
