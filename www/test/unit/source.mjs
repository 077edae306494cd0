// A module of src/ by itself, for tests of what the public face does not show.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * Imports `src/NAME.ts`, with other code in the place of some of its imports.
 *
 * @param {string} name
 * @param {Record<string, string>} [replaced] by specifier, such as "./glue.js"
 */
export async function source(name, replaced = {}) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url))],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
    define: { SANDGLASS_BUILD: '"test"' },
    plugins: [
      {
        name: "replaced",
        setup(plugins) {
          plugins.onResolve({ filter: /.*/ }, ({ path }) => (path in replaced ? { path, namespace: "replaced" } : undefined));
          plugins.onLoad({ filter: /.*/, namespace: "replaced" }, ({ path }) => ({ contents: replaced[path], loader: "js" }));
        },
      },
    ],
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
