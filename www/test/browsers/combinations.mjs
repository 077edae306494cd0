// Where the engine runs and where its files lie: every combination that the package has.
import { fileURLToPath } from "node:url";

/** What is served to the pages of these tests, beside the package. */
export const MOUNTS = {
  browsers: fileURLToPath(new URL(".", import.meta.url)),
  server: fileURLToPath(new URL("../server", import.meta.url)),
  contract: fileURLToPath(new URL("../contract", import.meta.url)),
};

/** By name: the package's entry, who calls it, and the options of `open`. */
export const COMBINATIONS = {
  "page-indexeddb": { entry: "inline", options: { storage: "indexeddb" } },
  "worker-indexeddb": { entry: "index", options: { storage: "indexeddb" } },
  "worker-opfs": { entry: "index", options: { storage: "opfs" } },
};
