// Requests as the server takes them.

import { abortable, unreadable } from "../base/shared.js";
import type { Port } from "../port/port.js";

/** The base of requests that have none; nobody looks at it. */
const BASE_URL = "http://sandglass.invalid";

/** Answers a request as the server would. */
export async function fetchFrom(port: Port, input: string | URL | Request, init: RequestInit | undefined): Promise<Response> {
  const request = toRequest(input, init);
  const { method, signal } = request;
  const { pathname, search } = new URL(request.url);
  const body = new Uint8Array(
    await abortable("fetch", signal, async () => {
      try {
        return await request.arrayBuffer();
      } catch (cause) {
        throw unreadable("the body of the request cannot be read", cause);
      }
    }),
  );
  const contentType = request.headers.get("content-type") ?? "";
  const contentEncoding = request.headers.get("content-encoding") ?? "";
  const [status, type, answer] = await port.ask(
    { kind: "http", method, uri: pathname + search, contentType, contentEncoding, body },
    signal,
  );
  // An answer without content must have no body at all.
  return new Response(status === 204 ? null : (answer as BodyInit), { status, headers: { "content-type": type } });
}

function toRequest(input: string | URL | Request, init: RequestInit | undefined): Request {
  try {
    return new Request(input instanceof Request ? input : new URL(input, BASE_URL), init);
  } catch (cause) {
    throw unreadable("this is no request", cause);
  }
}
