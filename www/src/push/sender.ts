// One body after another to a server, each until it was taken: what may pass is tried again.

import { SandglassError, timerMs } from "../base/shared.js";

/** The first pause before another attempt, and the longest; each is twice as long as the one before. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** The longest pause that a server may ask for. */
const LONGEST_RETRY_AFTER_MS = 600_000;
/** How much of a server's words an error has. */
const QUOTED_LENGTH = 1000;
/** What a receiver of remote write says of samples that it has already, or has later ones of. It takes a body as a whole or not at all. */
const THERE_ALREADY = /out of order|out of bounds|duplicate sample|too old/i;

export interface SenderOptions {
  headers: Headers;
  timeoutMs: number;
  retryForMs: number;
  /** Whether a body is refused as a whole when it comes a second time. */
  refusesDuplicates: boolean;
  signal: AbortSignal;
}

/** Why a body was not taken: the status, if there is one, and whether the server let the time for an answer pass. */
interface Failure {
  status: number | undefined;
  words: string;
  retryAfterMs: number;
  isSilent: boolean;
}

/** A trial of which the server said nothing. */
export class NoAnswer extends Error {}

export class Sender {
  readonly #target: URL;
  readonly #options: SenderOptions;

  constructor(target: URL, options: SenderOptions) {
    this.#target = target;
    this.#options = options;
  }

  /**
   * Resolves when the server has taken the body. `mayBeThere`: an earlier attempt may have brought it. `isTrial`: rejects with
   * {@link NoAnswer} when the server lets the time for an answer pass.
   */
  async send(body: Uint8Array, mayBeThere: boolean, isTrial = false): Promise<void> {
    const { retryForMs, refusesDuplicates, signal } = this.#options;
    let firstFailure: number | undefined;
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(body);
      signal.throwIfAborted();
      if (outcome === "taken") return;
      const { status, words, retryAfterMs, isSilent } = outcome;
      if (isTrial && isSilent) throw new NoAnswer(words);
      if (status !== undefined && !isPassing(status)) {
        if (status === 400 && refusesDuplicates && mayBeThere && THERE_ALREADY.test(words)) return;
        throw new SandglassError("refused", `${this.#place} has refused what was pushed with ${status}: ${words}`, { status });
      }
      // Nobody knows what became of a body without an answer, or with one of a proxy.
      if (status !== 429) mayBeThere = true;
      firstFailure ??= performance.now();
      const failedForMs = performance.now() - firstFailure;
      const pauseMs = Math.max(pauseAfter(attempt), retryAfterMs);
      if (failedForMs + pauseMs > retryForMs) {
        const reason = status === undefined ? `cannot be reached (${words})` : `answers with ${status}: ${words}`;
        const advice = "see that it runs and, in a browser, that it allows this origin (CORS), and push again with the error's checkpoint";
        throw new SandglassError("unreachable", `${this.#place} ${reason}; ${advice}`, status === undefined ? {} : { status });
      }
      await pause(pauseMs, signal, status === undefined);
    }
  }

  /** The URL without what may be secret in it. */
  get #place(): string {
    return this.#target.origin + this.#target.pathname;
  }

  async #attempt(body: Uint8Array): Promise<"taken" | Failure> {
    const { headers, timeoutMs, signal } = this.#options;
    const attempt = new AbortController();
    const giveUp = () => attempt.abort(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    let isTooLate = false;
    const deadline = setTimeout(() => {
      isTooLate = true;
      attempt.abort();
    }, timerMs(timeoutMs));
    try {
      // Followed, most redirections would turn the body into a question, which might be answered well.
      const answer = await fetch(this.#target, {
        method: "POST",
        headers,
        body: body as BodyInit,
        redirect: "manual",
        signal: attempt.signal,
      });
      if (answer.ok) {
        // So that the connection can be used again; what it says is of no interest, and it was taken though it breaks off.
        await answer.arrayBuffer().catch(() => {});
        return "taken";
      }
      if (answer.type === "opaqueredirect" || (answer.status >= 300 && answer.status < 400)) {
        const location = answer.headers.get("location");
        const words = `it leads ${location === null ? "elsewhere" : `to ${location}`}; push to the address that takes samples itself`;
        return { status: answer.status, words, retryAfterMs: 0, isSilent: false };
      }
      const words = await answer.text().catch(() => "");
      return {
        status: answer.status,
        words: quoted(words || answer.statusText),
        retryAfterMs: retryAfter(answer.headers.get("retry-after")),
        isSilent: false,
      };
    } catch (error) {
      const words = isTooLate ? `no answer within ${timeoutMs} ms` : reasonOf(error);
      return { status: undefined, words, retryAfterMs: 0, isSilent: isTooLate };
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", giveUp);
    }
  }
}

/** Whether the same may be taken later. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Spread, so that many pages do not come back in one instant. */
function pauseAfter(attempt: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
}

/** Seconds, or a date. */
function retryAfter(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

function quoted(words: string): string {
  const trimmed = words.trim();
  return trimmed.length > QUOTED_LENGTH ? `${trimmed.slice(0, QUOTED_LENGTH)}…` : trimmed;
}

/** Node has the reason in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: unknown; cause?: { message?: unknown; code?: unknown } };
  return [message, cause?.message || cause?.code].filter((part) => part !== undefined && part !== "").join(": ") || String(error);
}

/** Waits; not for longer than the page is offline, where that is what it waits for. */
export async function pause(ms: number, signal: AbortSignal, endsOnline: boolean): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      globalThis.removeEventListener?.("online", end);
      resolve();
    };
    const timer = setTimeout(end, timerMs(ms));
    signal.addEventListener("abort", end, { once: true });
    if (endsOnline) globalThis.addEventListener?.("online", end, { once: true });
  });
  signal.throwIfAborted();
}
