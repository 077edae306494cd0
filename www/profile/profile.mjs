// Lists the functions of the engine's code that workload.mjs does not call; scripts/profile.sh says where.
// Usage: node profile.mjs DIST NAMES LIST, where DIST is a package that tells what is called, and NAMES its functions.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openPage } from "../test/server/chromium.mjs";

const [dist, names, list] = process.argv.slice(2);

const { page, errors, close } = await openPage({ mounts: { dist, profile: fileURLToPath(new URL(".", import.meta.url)) } });
try {
  // In the calling thread, where the glue leaves what was called; a worker runs the same functions.
  const called = await page.evaluate(async () => {
    const { open } = await import("/dist/inline.js");
    const { work } = await import("/profile/workload.mjs");
    await work(open);
    return [...globalThis.calledFunctions];
  });
  if (errors.length !== 0) throw new Error(errors.join("\n"));
  const functions = (await readFile(names, "utf8")).split("\n");
  const deferred = functions.filter((name, number) => name !== "" && !called[number]).sort();
  await writeFile(list, `${deferred.join("\n")}\n`);
  console.log(`${deferred.length} of ${functions.length} functions were not called`);
} finally {
  await close();
}
