// The contract in Node, on the package as npm installs it, with both entries.
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { TESTS, runTest } from "../contract/contract.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));

for (const name of [".", "./inline"]) {
  const sandglass = await import(pathToFileURL(join(directory, await entry(name, "node"))).href);
  describe(`sandglass${name.slice(1)} in Node`, () => {
    for (const title of Object.keys(TESTS)) it(title, () => runTest(sandglass, "TESTS", title, "memory", "caller"));
  });
}
