// How far a push has come, as the text that is handed to the next try.

import { invalid, text } from "../base/shared.js";

/** A span of time, both ends included. */
export interface Span {
  start: number;
  end: number;
}

/** What has been sent. */
export interface Reached {
  /** Of which series; all without one. */
  selector: string | undefined;
  /** All up to here has been sent; nothing yet when it is absent. */
  sent: number | undefined;
  /** What is being sent now, and where it goes on; empty for its beginning. */
  window: (Span & { from: string }) | undefined;
  /** From when to when the samples are that came late and have not all been sent. */
  late: Span | undefined;
  /** Whether what comes next may have been sent already: its answer was not heard. */
  isUnsure: boolean;
}

/** Tells this form of checkpoints from later ones. */
const VERSION = 1;

export function write({ selector, sent, window, late, isUnsure }: Reached): string {
  return JSON.stringify({ version: VERSION, selector, sent, window, late, ...(!isUnsure && { isUnsure }) });
}

/** What an earlier try with this selector has reached. */
export function read(checkpoint: unknown, selector: string | undefined): Reached {
  if (checkpoint === undefined) return { selector, sent: undefined, window: undefined, late: undefined, isUnsure: true };
  const found = parse(text(checkpoint, "checkpoint"));
  if (found === undefined)
    throw invalid("the checkpoint cannot be read; hand in the text of an earlier push as it was, or none, to send all");
  if (found.selector !== selector) {
    const of = (selector: string | undefined) => (selector === undefined ? "all series" : JSON.stringify(selector));
    throw invalid(
      `the checkpoint is of ${of(found.selector)}, and this push of ${of(selector)}; hand in that of a push of the same series`,
    );
  }
  return found;
}

function parse(checkpoint: string): Reached | undefined {
  try {
    const { version, selector, sent, window, late, isUnsure = true } = JSON.parse(checkpoint) as Record<string, unknown>;
    const isGood =
      version === VERSION &&
      (selector === undefined || typeof selector === "string") &&
      (sent === undefined || isInstant(sent)) &&
      (window === undefined || (isSpan(window) && typeof (window as { from?: unknown }).from === "string")) &&
      (late === undefined || isSpan(late)) &&
      typeof isUnsure === "boolean";
    return isGood ? ({ selector, sent, window, late, isUnsure } as Reached) : undefined;
  } catch {
    return undefined;
  }
}

const isInstant = (value: unknown): boolean => Number.isSafeInteger(value);

function isSpan(value: unknown): boolean {
  const { start, end } = (value ?? {}) as Partial<Span>;
  return isInstant(start) && isInstant(end);
}
