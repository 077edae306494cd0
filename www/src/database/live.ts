// Queries that follow the clock.

import { onEnded } from "../stream/until_ended.js";
import { callAll, checkOptions, durationMs, invalid, offAbort, onAbort, timerMs } from "../base/shared.js";
import type { Port } from "../port/port.js";
import type { LiveOptions, RangeResult } from "../api/queries.js";
import type { HeldRange } from "./held.js";
import { LIVE_OPTIONS, rangeAfter } from "./queries.js";

/** Starts to follow; the function that is returned ends it. */
export function live(
  port: Port,
  expression: string,
  options: LiveOptions,
  listener: (result: RangeResult) => void,
  onError: (error: Error) => void = tellMistake,
): () => void {
  try {
    return follow(port, expression, options, listener, onError);
  } catch (error) {
    onError(error as Error);
    return () => {};
  }
}

/** What nobody listens for is lost, but for what its author has to mend: the query ends with it. */
function tellMistake(error: Error): void {
  if ((error as { code?: string }).code === "invalid") console.error(`sandglass: a live query has ended: ${error.message}`);
}

function follow(
  port: Port,
  expression: string,
  options: LiveOptions,
  listener: (result: RangeResult) => void,
  onError: (error: Error) => void,
): () => void {
  checkOptions(options, LIVE_OPTIONS, "live()");
  const { range, step, every, ...asked } = options ?? {};
  const rangeMs = durationMs(range, "range");
  const stepMs = Math.trunc(durationMs(step, "step"));
  const everyMs = every === undefined ? stepMs : durationMs(every, "every");
  if (!(stepMs >= 1)) throw invalid("step must be at least a millisecond");
  const control = new AbortController();
  const { signal } = asked;
  const stop = () => {
    off();
    clearTimeout(timer);
    control.abort();
    offAbort(signal, stop);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let held: HeldRange | undefined;
  let shown: RangeResult | undefined;
  const look = async () => {
    try {
      // Instants are multiples of the step, so that they stay where they are while the range moves.
      const end = Math.floor(port.now() / stepMs) * stepMs;
      const before = held;
      held = await rangeAfter(port, expression, { ...asked, start: end - rangeMs, end, step: stepMs, signal: control.signal }, before);
      const { result } = held;
      if (!control.signal.aborted && !(shown && isSame(shown, result))) {
        shown = result;
        // What a listener throws is its page's own.
        callAll([() => listener(copyOf(result))]);
      }
    } catch (error) {
      if (control.signal.aborted) return;
      onError(error as Error);
      // What is wrong with the question stays wrong.
      if ((error as { code?: string }).code === "invalid") return stop();
    }
    if (!control.signal.aborted) timer = setTimeout(look, timerMs(Math.max(everyMs, 1)));
  };
  let off = () => {};
  if (signal?.aborted) return off;
  onAbort(signal, stop);
  // It ends with its database, whatever that has ended by.
  off = onEnded(port, (reason) => {
    stop();
    onError(reason as Error);
  });
  if (!control.signal.aborted) void look();
  return stop;
}

/** What a listener gets is its own, to keep, to change or to hand on; what is held stays as it is. */
function copyOf({ timestamps, series, ...others }: RangeResult): RangeResult {
  const copies = series.map(({ labels, values, present }) => ({
    labels: { ...labels },
    values: values.slice(),
    ...(present && { present: present.slice() }),
  }));
  return { ...others, timestamps: timestamps.slice(), series: copies };
}

/** Whether nothing has come, and the range has not moved. Instants are as far apart in both. */
function isSame(one: RangeResult, other: RangeResult): boolean {
  if (one === other) return true;
  const { timestamps, series } = other;
  if (one.timestamps.length !== timestamps.length || one.timestamps[0] !== timestamps[0] || one.series.length !== series.length)
    return false;
  return one.series.every(({ labels, values, present }, at) => {
    const { labels: otherLabels, values: otherValues, present: otherPresent } = series[at]!;
    return (
      areSame(wordsOf(values), wordsOf(otherValues)) &&
      (present === otherPresent || (present !== undefined && otherPresent !== undefined && areSame(present, otherPresent))) &&
      (labels === otherLabels || JSON.stringify(labels) === JSON.stringify(otherLabels))
    );
  });
}

/** NaNs are numbers here, and zeros have a sign. */
const wordsOf = ({ buffer, byteOffset, length }: Float64Array): Uint32Array => new Uint32Array(buffer, byteOffset, 2 * length);

function areSame(some: Uint32Array | Uint8Array, others: Uint32Array | Uint8Array): boolean {
  return some.length === others.length && some.every((word, at) => word === others[at]);
}
