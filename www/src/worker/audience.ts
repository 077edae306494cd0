// Several listeners of one engine's events.

import type { EngineEvent } from "../api/events.js";
import type { Port } from "../port/port.js";

type Listener = (events: EngineEvent[]) => void;

export class Audience {
  readonly #port: Port;
  readonly #listeners = new Set<Listener>();

  constructor(port: Port) {
    this.#port = port;
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#port.observe((events) => this.#listeners.forEach((listener) => listener(events)));
  }

  delete(listener: Listener): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#port.observe(undefined);
  }
}
