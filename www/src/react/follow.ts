// One question to a database, asked once or for as long as somebody wants to know.

import { durationMs } from "../base/arguments.js";
import { timerMs } from "../base/timer.js";
import type { Database } from "../api/database.js";
import type { InstantResult, QueryOptions, RangeResult } from "../api/queries.js";

/** What is asked beside the expression; which of the times are there tells how. */
export interface Asked extends Omit<QueryOptions, "signal"> {
  range?: number | string;
  start?: number;
  end?: number;
  step?: number | string;
  time?: number;
  every?: number | string;
}

/** How often an instant is asked for: samples are searchable about a second after they came. */
const EVERY_MS = 1_000;

/** Starts; the function that is returned ends it, and nothing is told from then on. */
export function follow(
  database: Database,
  expression: string,
  { range, start, end, step, time, every, ...asked }: Asked,
  onAnswer: (answer: RangeResult | InstantResult) => void,
  onError: (error: Error) => void,
): () => void {
  const control = new AbortController();
  const { signal } = control;
  const fail = (error: unknown) => signal.aborted || onError(error as Error);
  const stop = () => control.abort();
  const options = { ...asked, signal };
  let againMs: number;
  // A mistake in the options is thrown, which would end the component.
  try {
    if (range !== undefined) {
      database.live(expression, { ...options, range, step: step!, ...(every !== undefined && { every }) }, onAnswer, fail);
      return stop;
    }
    againMs = durationMs(every ?? EVERY_MS, "every");
  } catch (error) {
    queueMicrotask(() => fail(error));
    return stop;
  }
  const ask = async () => {
    try {
      const answer =
        start !== undefined
          ? await database.queryRange(expression, { ...options, start, end: end!, step: step! })
          : await database.query(expression, { ...options, ...(time !== undefined && { time }) });
      if (!signal.aborted) onAnswer(answer);
    } catch (error) {
      fail(error);
      const { code } = error as { code?: string };
      // What is wrong with the question stays wrong; a database that is closed stays closed.
      if (code === "invalid" || code === "closed") return;
    }
    if (signal.aborted || start !== undefined || time !== undefined || !(againMs < Infinity)) return;
    const timer = setTimeout(ask, timerMs(Math.max(againMs, 1)));
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  };
  void ask();
  return stop;
}
