// Projects of tests that need npm packages beside ours take those of www/node_modules, so that nothing is fetched.
import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Links packages into a project's own node_modules. */
export async function link(project, names) {
  for (const name of names) {
    const place = join(project, "node_modules", name);
    await mkdir(dirname(place), { recursive: true });
    await symlink(join(MODULES, name), place);
  }
}
