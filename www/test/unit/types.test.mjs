// The public types hold what the engine serialises; tests/it/typescript.rs writes down what that is.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { it } from "node:test";
import { promisify } from "node:util";

const www = fileURLToPath(new URL("../..", import.meta.url));

it("the public types are those of the engine", async () => {
  await promisify(execFile)(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "test/types"], { cwd: www }).catch(({ stdout }) =>
    assert.fail(stdout),
  );
});
