// Holding a page up for a moment as it goes away.

/** What was handed to a worker or to the browser was seen to get through in this time, in fresh profiles, too. */
export const LINGER_MS = 50;

/** Keeps the thread, and with it the page, for a moment, so that what others do for it comes to its end. */
export function linger(): void {
  const end = performance.now() + LINGER_MS;
  while (performance.now() < end);
}
