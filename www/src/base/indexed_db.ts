// IndexedDB as a page has it, or not.

import { SandglassError } from "../api/errors.js";

/** Nothing where there is none. A browser that keeps nothing for the page may refuse even to show it, which is a reason to say so. */
export function indexedDb(): IDBFactory | undefined {
  const refused = (cause?: unknown) =>
    new SandglassError(
      "unsupported",
      'the browser keeps no data for this page, since it is sandboxed or its user wants it so; use storage: "memory"',
      { cause },
    );
  // A sandboxed frame sees a factory that opens nothing. Pages from files have no origin either, and may store.
  if (globalThis.origin === "null" && globalThis.location?.protocol !== "file:") throw refused();
  try {
    return globalThis.indexedDB ?? undefined;
  } catch (cause) {
    throw refused(cause);
  }
}
