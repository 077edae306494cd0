// The entry `sandglass/service-worker`: the HTTP API under a path of the page's own origin.

import { serve as serveHere } from "./opening/service_worker.js";
import type { ServeOptions } from "./api/serving.js";

export type { ServeOptions } from "./api/serving.js";

/**
 * Answers requests of the origin's pages below `path` from the database `name`, as a server would: whatever speaks to Prometheus or
 * VictoriaMetrics by `fetch` works with it unchanged. To be called while the script of a Service Worker is run for the first time, not later.
 *
 * The tab or worker that has the database open answers, whatever storage it is in. Where none has it, it is opened in the Service Worker
 * itself, if it is in IndexedDB or new, and given up as soon as a tab wants it. A request never hangs: it is answered, or fails within ten
 * seconds with status 503 and a reason.
 *
 * @example
 * ```js
 * // service-worker.js
 * import { serve } from "sandglass/service-worker";
 * serve({ path: "/prometheus/", name: "greenhouse" });
 * ```
 */
export function serve(options?: ServeOptions): void {
  serveHere(options);
}
