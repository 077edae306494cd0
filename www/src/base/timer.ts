// Timers. They count milliseconds in 31 bits: one that is set for longer fires at once.

/** The longest that timers count, 24 days. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/** What a timer can be set for: as long as wanted, infinitely among it, or as long as it counts. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}

/** Resolves so much later. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
