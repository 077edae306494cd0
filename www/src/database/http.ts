// Requests as the server takes them.

import { abortable, unreadable } from "../base/shared.js";
import type { Port } from "../port/port.js";
import { replyStream } from "../stream/download.js";

/** The base of requests that have none; nobody looks at it. */
const BASE_URL = "http://sandglass.invalid";

/** Answers a request as the server would. */
export async function fetchFrom(port: Port, input: string | URL | Request, init: RequestInit | undefined): Promise<Response> {
  const request = toRequest(input, init);
  const { pathname, search } = new URL(request.url);
  return respond(port, request, pathname + search, request.signal);
}

/** Answers a request; `uri` is the path, as the server counts it, and the query. */
export async function respond(port: Port, request: Request, uri: string, signal: AbortSignal): Promise<Response> {
  const { method, headers } = request;
  const [contentType, body] = await abortable("fetch", signal, async () => {
    try {
      return await bodyOf(request);
    } catch (cause) {
      throw unreadable("the body of the request cannot be read", cause);
    }
  });
  const contentEncoding = headers.get("content-encoding") ?? "";
  const [status, headersOfReply, answer, rest] = await port.ask({ kind: "http", method, uri, contentType, contentEncoding, body }, signal);
  // An answer without content must have no body at all, and no type.
  if (status === 204) return new Response(null, { status, headers: headersOfReply.filter(([name]) => name !== "content-type") });
  const init = { status, headers: headersOfReply };
  if (rest === undefined) return new Response(method === "HEAD" ? null : (answer as BodyInit), init);
  const stream = replyStream(port, answer, rest, request.signal);
  if (method !== "HEAD") return new Response(stream, init);
  await stream.cancel();
  return new Response(null, init);
}

/** The type of a body and its bytes. A form of texts in parts becomes one that is encoded as URLs are, which the engine reads. */
async function bodyOf(request: Request): Promise<[contentType: string, body: Uint8Array]> {
  const contentType = request.headers.get("content-type") ?? "";
  const body = new Uint8Array(await request.arrayBuffer());
  if (/^multipart\/form-data/i.test(contentType)) {
    const form = await new Response(body, { headers: { "content-type": contentType } }).formData().catch(() => undefined);
    const fields = [...(form ?? [])];
    if (form !== undefined && fields.every((field): field is [string, string] => typeof field[1] === "string"))
      return ["application/x-www-form-urlencoded", new TextEncoder().encode(new URLSearchParams(fields).toString())];
  }
  return [contentType, body];
}

function toRequest(input: string | URL | Request, init: RequestInit | undefined): Request {
  try {
    return new Request(input instanceof Request ? input : new URL(input, BASE_URL), init);
  } catch (cause) {
    throw unreadable("this is no request", cause);
  }
}
