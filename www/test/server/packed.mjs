// The package as its users get it: dist/sandglass.tgz, installed by npm into an empty project.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryDirectory } from "./victoriametrics.mjs";

const run = promisify(execFile);

/** The tarball that `make package` leaves. */
export const TARBALL = fileURLToPath(new URL("../../../dist/sandglass.tgz", import.meta.url));

/** What npm has installed for this tarball; `make package` removes the one before. */
const INSTALLED = join(dirname(TARBALL), "installed");

/** A new empty project, into which npm installs the tarball. */
async function install() {
  const project = await temporaryDirectory("package");
  await writeFile(join(project, "package.json"), '{ "name": "a-user", "private": true, "type": "module" }\n');
  // The package has no dependencies, so nothing may be looked up.
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", TARBALL], { cwd: project });
  return project;
}

/** npm takes a second, and dozens of files want the same: one asks npm, the others copy. */
async function copyOfInstalled() {
  const kept = join(INSTALLED, String((await stat(TARBALL)).mtimeMs));
  if (!existsSync(kept)) {
    const made = await install();
    await mkdir(INSTALLED, { recursive: true });
    // In one step, so that nobody copies half of it; another file may have been quicker.
    const whole = `${kept}-${randomUUID()}`;
    await cp(made, whole, { recursive: true });
    await rename(whole, kept).catch(async (error) => {
      await rm(whole, { recursive: true, force: true });
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    await rm(made, { recursive: true });
  }
  const project = await temporaryDirectory("package");
  await cp(kept, project, { recursive: true });
  return project;
}

/**
 * A new project with the tarball installed.
 *
 * @param {object} [options]
 * @param {boolean} [options.anew] npm installs it, whether it has done so before or not
 * @returns {Promise<{ project: string, directory: string, entry(name?: string, condition?: string): Promise<string> }>}
 *   the project's folder, the package's folder, and the path within the package that an import of an entry leads to
 */
export async function installPackage({ anew = false } = {}) {
  if (!existsSync(TARBALL)) throw new Error("dist/sandglass.tgz is missing: run `make package` first");
  const project = await (anew ? install() : copyOfInstalled());
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
