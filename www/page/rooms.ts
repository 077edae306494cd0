// Which room is open: read from the address, and followed when it changes.

import { signal } from "@preact/signals";
import { type Place, placeOf } from "./model/history";

export const place = signal<Place>(placeOf(location.hash));

function follow(): void {
  place.value = placeOf(location.hash);
}

/** Goes to another address, from which one can come back. */
export function goTo(hash: string): void {
  if (hash !== location.hash) history.pushState(null, "", hash);
  follow();
}

addEventListener("hashchange", follow);
addEventListener("popstate", follow);
