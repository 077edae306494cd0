// The README's code works when it is pasted, and its line for the server names the tar's real layout.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installPackage } from "../server/packed.mjs";

const README = fileURLToPath(new URL("../../../README.md", import.meta.url));

test("the README's ten lines run when pasted into a project", async () => {
  const [, code] = /```js\n([\s\S]*?)```/.exec(await readFile(README, "utf8")) ?? [];
  assert.ok(code, "the README has a block of JavaScript");
  const { project } = await installPackage();
  try {
    await writeFile(join(project, "pasted.mjs"), `${code}\nconsole.log("tar of", tar.size, "bytes");\n`);
    const { stdout } = await promisify(execFile)(process.execPath, ["pasted.mjs"], { cwd: project });
    assert.match(stdout, /Float64Array\(2\) \[ 19\.5, 19\.75 \]/);
    assert.match(stdout, /tar of [1-9]\d{3,} bytes/);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
});
