// The address follows what is shown, so that it can be shared at any time.

import { hashOf, type Place } from "../model/history";

/** Browsers refuse an address that changes too often. */
const LEAST_MS = 400;

export class Address {
  readonly #place: () => Omit<Place, "isPlain">;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What stands there by our doing, or was followed. */
  #known = location.hash;

  constructor(place: () => Omit<Place, "isPlain">) {
    this.#place = place;
  }

  /** The address that stands there now was gone to. */
  follow(): void {
    this.stop();
    this.#known = location.hash;
  }

  /** Writes where the player is, now as another place to come back to, or soon in the place of what stands there. */
  write(isNewPlace: boolean): void {
    if (isNewPlace) {
      this.stop();
      this.#put(true);
      return;
    }
    // What is under way already takes in what comes meanwhile, so that the address follows a play, too.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#put(false);
    }, LEAST_MS);
  }

  /** What was to be written is not any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #put(isNewPlace: boolean): void {
    const place = this.#place();
    // An address that somebody else has put there is about to be followed.
    if (place.room === "live" || location.hash !== this.#known) return;
    const hash = hashOf(place);
    if (hash === location.hash) return;
    if (isNewPlace) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
    this.#known = location.hash;
  }
}
