// Notices that a worker has fallen silent while somebody waits for it.

/** Somebody waits, and nothing has come for so long: the worker is asked for a sign of life. */
const SILENCE_MS = 20_000;
/** The same where no lock tells at once that the worker is gone. */
const SILENCE_WITHOUT_LOCKS_MS = 2_000;
/** It has so long to answer, once more when it has not. */
const ANSWER_MS = 5_000;
const PINGS = 2;
/** Who seems to have ended has so long to deny it. */
const DENIAL_MS = 1_000;
/** A timer that comes so late was held up together with the whole page, and what the worker has said was held up, too. */
const LATE_MS = 1_000;

export interface Watched {
  /** Whether anybody waits for an answer. */
  isAwaited(): boolean;
  ping(): void;
  /** It does not answer any more, and why that is thought. */
  lost(what: string): void;
}

export class Liveness {
  readonly #watched: Watched;
  #silenceMs = SILENCE_WITHOUT_LOCKS_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heard = 0;
  #signs = 0;
  #suspicion: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #unanswered = 0;
  #excused = false;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** The end of the worker is noticed by other means; a silence of some length is no ground for alarm. */
  relax(): void {
    this.#silenceMs = SILENCE_MS;
  }

  /** There is a sign that it has ended, which may deceive: it is given a moment to deny that. */
  suspect(): void {
    this.#silenceMs = SILENCE_WITHOUT_LOCKS_MS;
    const heard = this.#signs;
    const due = Date.now() + DENIAL_MS;
    this.#watched.ping();
    clearTimeout(this.#suspicion);
    this.#suspicion = setTimeout(() => {
      if (this.#signs !== heard) return;
      if (Date.now() > due + LATE_MS) this.suspect();
      else this.#watched.lost("is gone");
    }, DENIAL_MS);
  }

  /** Somebody is about to wait. A silence counts from the instant on at which the first of those who wait began to. */
  begin(): void {
    if (this.#timer === undefined || !this.#watched.isAwaited()) this.heard();
    if (this.#timer === undefined) this.#wait(this.#silenceMs);
  }

  /** Something has come. */
  heard(): void {
    this.#signs++;
    this.#heard = Date.now();
    this.#unanswered = 0;
    this.#excused = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#suspicion);
  }

  #wait(ms: number): void {
    this.#due = Date.now() + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    if (!this.#watched.isAwaited()) return;
    const now = Date.now();
    const rest = this.#heard + this.#silenceMs - now;
    if (rest > 0) return this.#wait(rest);
    if (now > this.#due + LATE_MS && !this.#excused) {
      this.#excused = true;
      return this.#wait(ANSWER_MS);
    }
    if (this.#unanswered === PINGS) return this.#watched.lost("has not answered for a long time");
    this.#unanswered++;
    this.#excused = false;
    this.#watched.ping();
    this.#wait(ANSWER_MS);
  }
}
