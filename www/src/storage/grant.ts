// What a database was really opened with, which may be less than what was hoped for.

import type { Opened } from "../api/options.js";

/** Nobody waits longer than this for what is only told. */
const PATIENCE_MS = 1_000;

/** Asks the browser what it grants to what is stored. */
export async function grantOf(known: Pick<Opened, "storage" | "role" | "thread">): Promise<Opened> {
  if (known.storage === "memory") return { ...known, persistence: "none" };
  const manager = globalThis.navigator?.storage as StorageManager | undefined;
  const [isPersisted, estimate] = await Promise.all([told(() => manager?.persisted?.()), told(() => manager?.estimate?.())]);
  return {
    ...known,
    persistence: isPersisted ? "persistent" : "best-effort",
    ...(estimate?.quota !== undefined && { quotaBytes: estimate.quota }),
    ...(estimate?.usage !== undefined && { usageBytes: estimate.usage }),
  };
}

/** The answer, or nothing when there is none in time. */
async function told<T>(ask: () => Promise<T> | undefined): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([ask(), new Promise<undefined>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)))]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
