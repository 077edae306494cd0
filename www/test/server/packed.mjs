// The package as its users get it: dist/sandglass.tgz, installed by npm into an empty project.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryDirectory } from "./victoriametrics.mjs";

const run = promisify(execFile);

/** The tarball that `make package` leaves. */
export const TARBALL = fileURLToPath(new URL("../../../dist/sandglass.tgz", import.meta.url));

/**
 * Installs the tarball into a new empty project.
 *
 * @returns {Promise<{ project: string, directory: string, entry(name?: string, condition?: string): Promise<string> }>}
 *   the project's folder, the package's folder, and the path within the package that an import of an entry leads to
 */
export async function installPackage() {
  if (!existsSync(TARBALL)) throw new Error("dist/sandglass.tgz is missing: run `make package` first");
  const project = await temporaryDirectory("package");
  await writeFile(join(project, "package.json"), '{ "name": "a-user", "private": true, "type": "module" }\n');
  // The package has no dependencies, so nothing may be looked up.
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", TARBALL], { cwd: project });
  const directory = join(project, "node_modules/sandglass");
  const { exports } = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
  const entry = async (name = ".", condition = "browser") => {
    let target = exports[name];
    while (typeof target === "object" && target !== null) {
      const key = Object.keys(target).find((key) => [condition, "import", "module", "default"].includes(key));
      target = target[key];
    }
    if (typeof target !== "string") throw new Error(`the package has no entry '${name}'`);
    return target;
  };
  return { project, directory, entry };
}
