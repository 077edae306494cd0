// Modules that few pages need are loaded when they are.

import { SandglassError } from "../api/errors.js";

/** The module, or an error that says what to do: a page that is older than what its server holds by now does not find it. */
export async function onDemand<T>(module: Promise<T>): Promise<T> {
  try {
    return await module;
  } catch (cause) {
    if ("ServiceWorkerGlobalScope" in globalThis) {
      throw new SandglassError(
        "unsupported",
        'this needs a file of the package that is loaded later, which browsers forbid in service workers; take "sandglass/inline" there, and do this in a page',
        { cause },
      );
    }
    throw new SandglassError(
      "unsupported",
      `a file of the package cannot be loaded: ${String(cause)}; reload the page, and see that all files of sandglass are served`,
      { cause },
    );
  }
}
