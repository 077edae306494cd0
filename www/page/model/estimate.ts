// What a browser says of the room that a site takes, and whether that can be believed.

/** Below so much above what is known of, an estimate may count other things of the site: caches, databases that were kept. */
const OTHER_BYTES = 2 ** 30;
/** Databases of a browser may be compressed below. */
const LEAST_SHARE = 0.25;
/** A counter of 32 bits that went below zero is a little less than this. */
const WRAPPED = 2 ** 32;
const WRAPPED_BY = 2 ** 27;

/** Browsers have been seen to answer 4.29 GB for a few megabytes: their counter had gone below zero. */
export function isPlausible(usage: number, quota: number, storedBytes: number): boolean {
  if (!(usage > 0) || usage > quota || usage < LEAST_SHARE * storedBytes) return false;
  const isWrapped = usage <= WRAPPED && usage > WRAPPED - WRAPPED_BY;
  return !(isWrapped && usage > storedBytes + OTHER_BYTES);
}
