// Builds the page into dist/page/, for any static host and below any path.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  root: fileURLToPath(new URL("page", import.meta.url)),
  base: "./",
  // An address that is not there is told so, and not answered with the page.
  appType: "mpa",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: fileURLToPath(new URL("../dist/page", import.meta.url)),
    emptyOutDir: true,
    target: "esnext",
    modulePreload: { polyfill: false },
  },
});
