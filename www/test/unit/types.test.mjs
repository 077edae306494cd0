// The public types hold what the engine serialises; tests/it/typescript.rs writes down what that is.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { it } from "node:test";
import { promisify } from "node:util";

const www = fileURLToPath(new URL("../..", import.meta.url));

it("the public types are those of the engine", async () => {
  await promisify(execFile)(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "test/types"], { cwd: www }).catch(({ stdout }) =>
    assert.fail(stdout),
  );
});

it("every public interface says what it is", async () => {
  const api = new URL("../../src/api/", import.meta.url);
  const silent = [];
  for (const file of await readdir(api)) {
    const source = await readFile(new URL(file, api), "utf8");
    for (const [, before, name] of source.matchAll(/(.*)\nexport interface (\w+)/g))
      if (!/\*\/$/.test(before)) silent.push(`${file}: ${name}`);
  }
  assert.deepEqual(silent, []);
});
