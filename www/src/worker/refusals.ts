// Appends that the engine has not taken, until those who append are told.

import { SandglassError } from "../api/errors.js";

/** Samples that were not taken, and the first reason. */
interface Refused {
  samples: number;
  reason: SandglassError;
}

export class Refusals {
  /** What the next append, and what the next flush or its like, has to tell. */
  #untoldToAppend: Refused | undefined;
  #untoldToFlush: Refused | undefined;

  add(samples: number, reason: SandglassError): void {
    const more = (earlier: Refused | undefined) => ({ samples: (earlier?.samples ?? 0) + samples, reason: earlier?.reason ?? reason });
    this.#untoldToAppend = more(this.#untoldToAppend);
    this.#untoldToFlush = more(this.#untoldToFlush);
  }

  /** Throws what has become of earlier appends, once. */
  tellAppend(): void {
    const refused = this.#untoldToAppend;
    this.#untoldToAppend = undefined;
    if (refused !== undefined) throw told(refused);
  }

  /** Throws what has become of appends since the last call of its kind. */
  tellFlush(): void {
    const refused = this.#untoldToFlush;
    this.#untoldToFlush = undefined;
    if (refused !== undefined) throw told(refused);
  }
}

/** How appends that were not taken are told to who comes next. */
function told({ samples, reason }: Refused): SandglassError {
  return new SandglassError(reason.code, `${samples} samples that were appended before were not taken: ${reason.message}`, {
    cause: reason,
    samples,
  });
}
