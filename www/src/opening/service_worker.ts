// Requests of the origin's pages, answered in a Service Worker.

import { abortable } from "../base/abort.js";
import { invalid, onlyKnown, record, text } from "../base/arguments.js";
import { SandglassError } from "../api/errors.js";
import type { ServeOptions } from "../api/serving.js";
import { respond } from "../database/http.js";
import { isReading } from "../port/requests.js";
import { type StartVisitor, Visit } from "../sharing/visit.js";
import { startHere } from "./in_caller.js";
import { DEFAULT_NAME, dialectOf, engineOptionsOf } from "./open.js";

/** No request takes longer: a little less than the ten seconds that are promised. */
const DEADLINE_MS = 9_500;

/** All there are, so that another one is a slip. */
const OPTIONS: Record<keyof ServeOptions, true> = { path: true, name: true, dialect: true, takeOver: true };

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
  waitUntil(promise: Promise<unknown>): void;
}

/** What a Service Worker's thread has that a page's has not. */
interface ServiceWorkerScope {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: FetchEvent) => void): void;
}

export function serve(options: ServeOptions = {}): void {
  record(options, "options");
  onlyKnown(options, OPTIONS, "serve()");
  const scope = globalThis as unknown as ServiceWorkerScope;
  if (!("ServiceWorkerGlobalScope" in globalThis) || typeof scope.skipWaiting !== "function")
    throw new SandglassError(
      "unsupported",
      "serve() is for a Service Worker: register the script that calls it by navigator.serviceWorker",
    );
  const path = pathOf(options);
  const name = text(options.name ?? DEFAULT_NAME, "name");
  const server = new Server(name, dialectOf(options));
  if (options.takeOver ?? true) {
    scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
    scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
  }
  scope.addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    if (url.origin !== scope.location.origin || !`${url.pathname}/`.startsWith(path)) return;
    url.pathname = `/${url.pathname.slice(path.length)}`;
    event.respondWith(server.answer(event, url));
  });
}

function pathOf({ path = "/prometheus/" }: ServeOptions): string {
  if (!/^\/([^?#]*\/)?$/.test(`${text(path, "path")}/`.replace(/\/\/$/, "/")))
    throw invalid(`path is ${JSON.stringify(path)}; write such as "/prometheus/"`);
  return path.endsWith("/") ? path : `${path}/`;
}

/** The stays of this thread; several paths of one database share one. */
const visits = new Map<string, Visit>();

function visitTo(name: string): Visit {
  const known = visits.get(name);
  if (known !== undefined) return known;
  const options = engineOptionsOf({}, "indexeddb");
  const lock = { ifLocked: "fail", timeoutMs: 0 } as const;
  const start: StartVisitor = (storage, signal) => startHere({ storage, options, lock, term: undefined }, undefined, signal);
  const visit = new Visit(name, start, () => visits.delete(name));
  visits.set(name, visit);
  return visit;
}

class Server {
  readonly #name: string;
  readonly #dialect: ServeOptions["dialect"];

  constructor(name: string, dialect: ServeOptions["dialect"]) {
    this.#name = name;
    this.#dialect = dialect;
  }

  /** `url` is below the database's own root. */
  async answer(event: FetchEvent, url: URL): Promise<Response> {
    const { request } = event;
    // A form that names its own language comes first.
    if (this.#dialect !== undefined && !url.searchParams.has("dialect")) url.searchParams.set("dialect", this.#dialect);
    const visit = visitTo(this.#name);
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    try {
      const signal = AbortSignal.any([request.signal, deadline]);
      const uri = url.pathname + url.search;
      const response = await abortable("fetch", signal, () => visit.ask((port) => respond(port, request, uri, signal)));
      // The browser may end this thread, and its engine, at any moment: what is said to be taken is durable.
      if (visit.isOwn && !isReading(request.method, uri)) await visit.ask((port) => port.ask({ kind: "sync" }, signal));
      return held(response, visit.hold());
    } catch (error) {
      if (deadline.aborted) return refusal(503, "unavailable", `no answer within ten seconds: ${visit.reason}`);
      const { code, message } = error as SandglassError;
      return code === "invalid" ? refusal(400, "bad_data", message) : refusal(503, "unavailable", message ?? String(error));
    }
  }
}

/** The same reply, and `release` when its body has been read or given up. */
function held(response: Response, release: () => void): Response {
  if (response.body === null) {
    release();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          release();
          controller.close();
        } catch (error) {
          release();
          throw error;
        }
      },
      async cancel(reason) {
        release();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}

/** In the form of the Prometheus API, which clients show. */
function refusal(status: number, errorType: string, error: string): Response {
  return Response.json({ status: "error", errorType, error }, { status, ...(status === 503 && { headers: { "retry-after": "1" } }) });
}
