// Where a push goes: the address of a server becomes that of what takes samples there.

import { invalid } from "../base/shared.js";
import type { PushOptions } from "../api/push.js";

const PATHS: Record<NonNullable<PushOptions["protocol"]>, string> = {
  native: "/api/v1/import/native",
  remote_write: "/api/v1/write",
};

/** The address, with the path of the protocol unless it has one; a cluster's tenant alone gets the role of Prometheus, too. */
export function targetOf(url: unknown, protocol: NonNullable<PushOptions["protocol"]>): URL {
  const target = parse(url);
  if (target.protocol !== "http:" && target.protocol !== "https:")
    throw invalid(`push cannot send to ${target.protocol}; it takes http: and https:`);
  if (target.username !== "" || target.password !== "")
    throw invalid("the URL to push to has a user and a password, which fetch does not send; hand them in as headers: { Authorization: … }");
  if (!target.pathname.includes("/api/")) {
    const base = target.pathname.replace(/\/+$/, "");
    target.pathname = base + (/\/insert\/[^/]+$/.test(base) ? "/prometheus" : "") + PATHS[protocol];
  }
  target.hash = "";
  return target;
}

function parse(url: unknown): URL {
  try {
    // Relative to the page, as with fetch.
    return new URL(String(url), globalThis.location?.href);
  } catch (cause) {
    throw invalid(`push needs the URL of a server, not ${JSON.stringify(String(url))}: ${String(cause)}`);
  }
}
