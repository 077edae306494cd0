// Holding a page up for a moment as it goes away.

/** What was handed to the browser was seen to get through in this time, in fresh profiles, too. */
export const LINGER_MS = 50;

/** A worker may wait for the disk when it is told: one flush of a file takes 5 to 60 ms, and it comes to what it was told behind two of them. */
export const WORKER_LINGER_MS = 150;

/** Keeps the thread, and with it the page, for a moment, so that what others do for it comes to its end. */
export function linger(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/**
 * Whether what IndexedDB was asked for is carried out though the page goes. WebKit undoes it (docs/STORAGE.md), and nothing but its name tells
 * that it will.
 */
export function outlivesPage(): boolean {
  const { userAgent = "" } = globalThis.navigator ?? {};
  return !userAgent.includes("AppleWebKit/") || /Chrom(e|ium)\//.test(userAgent);
}
