// Modules that few pages need are loaded when they are.

import { SandglassError } from "../api/errors.js";

/**
 * The module, or an error that says what to do: a page that is older than what its server holds by now does not find it, and in a
 * service worker, where nothing may be loaded later, there may be another way `instead`.
 */
export async function onDemand<T>(module: Promise<T>, instead = ""): Promise<T> {
  try {
    return await module;
  } catch (cause) {
    throw new SandglassError(
      "unsupported",
      "ServiceWorkerGlobalScope" in globalThis
        ? `this needs a file of the package that is loaded later, which browsers forbid in service workers; ${instead}bundle the service worker's script into one file, or do this in a page`
        : `a file of the package cannot be loaded: ${String(cause)}; reload the page, and see that all files of sandglass are served`,
      { cause },
    );
  }
}
