// The contract in Firefox, on the package as npm installs it.
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
const entries = { worker: `/package/${await entry(".")}`, caller: `/package/${await entry("./inline")}` };

describe("sandglass in Firefox", async () => {
  const server = await serve({ package: directory, ...MOUNTS });
  const profile = await temporaryDirectory("firefox");
  const browser = await visit(profile, server.url);
  after(async () => {
    await browser.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  });
  const run = (group, title, thread, storage) =>
    browser.page.evaluate(
      async ({ entry, group, title, thread, storage }) => {
        const [sandglass, { runTest }] = await Promise.all([
          import(new URL(entry, location.href)),
          import(new URL("/contract/contract.mjs", location.href)),
        ]);
        await runTest(sandglass, group, title, storage, thread);
      },
      { entry: entries[thread], group, title, thread, storage },
    );
  for (const [thread, storages] of Object.entries({ worker: ["memory", "indexeddb", "opfs"], caller: ["memory", "indexeddb"] })) {
    for (const storage of storages) {
      describe(`engine in the ${thread === "worker" ? "worker" : "page"}, storage: ${storage}`, () => {
        for (const title of Object.keys(TESTS)) it(title, () => run("TESTS", title, thread, storage));
        if (storage !== "memory")
          for (const title of Object.keys(STORED_TESTS)) it(title, () => run("STORED_TESTS", title, thread, storage));
      });
    }
  }
});
