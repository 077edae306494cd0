// A module of src/ by itself, for tests of what the public face does not show.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Imports `src/NAME.ts`. */
export async function source(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url))],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
