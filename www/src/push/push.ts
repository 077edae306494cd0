// What is stored goes on to a server: window of time after window, body after body. What has been taken is in the checkpoint.

import {
  bounds,
  callAll,
  checkSignal,
  durationMs,
  invalid,
  offAbort,
  onAbort,
  onlyKnown,
  optionalText,
  randomName,
  record,
  SandglassError,
  text,
  unreadable,
} from "../base/shared.js";
import type { Port } from "../port/port.js";
import type { AnswerTo } from "../port/requests.js";
import type { PushOptions, PushResult } from "../api/push.js";
import { type Reached, read, type Span, write } from "./checkpoint.js";
import { NoAnswer, pause, Sender } from "./sender.js";
import { targetOf } from "./target.js";
import { type Extent, extentsOf, rowsBetween, windows } from "./windows.js";

const OPTIONS: Record<keyof PushOptions, true> = {
  selector: true,
  start: true,
  end: true,
  protocol: true,
  layout: true,
  headers: true,
  checkpoint: true,
  onProgress: true,
  signal: true,
  live: true,
  every: true,
  delay: true,
  late: true,
  timeout: true,
  retryFor: true,
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * How long a window is. Prometheus takes samples that are no more than an hour older than its newest, so that no series may be ahead of
 * another by more. Blocks want to be long.
 */
const UNITS_MS = { native: DAY_MS, remote_write: HOUR_MS };
/** For how many windows at once it is asked which of them have samples. */
const WINDOWS_LOOKED_AHEAD = 1000;
/** What tells a server that it is not asked for something else; and a browser, that it has to ask whether this may be sent. */
const HEADERS = {
  native: { "content-type": "application/octet-stream" },
  remote_write: {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
  },
};

/** How often in a row the engine may go away in the midst of a window before that is told. */
const MOST_FAILURES = 5;

/** A window, and where it goes on; empty for its beginning. */
type Window = Span & { from: string };

export async function push(port: Port, url: string | URL, options: PushOptions = {}): Promise<PushResult> {
  return new Push(port, url, options).run();
}

class Push {
  readonly #port: Port;
  readonly #options: PushOptions;
  readonly #selector: string | undefined;
  readonly #protocol: NonNullable<PushOptions["protocol"]>;
  readonly #range: Span;
  readonly #everyMs: number;
  readonly #delayMs: number;
  readonly #sendsLate: boolean;
  readonly #sender: Sender;
  /** Ends all that waits. */
  readonly #control = new AbortController();
  readonly #reached: Reached;
  /** Who follows, for the engine. */
  readonly #name = randomName();
  /** Up to which instant it wants to know what comes late. */
  #watched: number | undefined;
  /** How native blocks are written, the likelier first; one when it is known. */
  #layouts: readonly string[];
  /** Whether a server's silence may come of the layout, and was not taken for that yet. */
  #mayBeSilent = true;
  /** Whether what is sent next may have been sent by the try before, which did not hear of it. */
  #mayBeThere = false;
  /** Where this try has begun. */
  #begin: number | undefined;
  /** About how many samples there are to be sent behind what was sent. */
  #ahead: (sent: number) => number = () => 0;
  #samples = 0;
  #bytes = 0;

  constructor(port: Port, url: string | URL, options: PushOptions) {
    record(options, "options");
    onlyKnown(options, OPTIONS, "push()");
    const { protocol = "native", layout, live = false, headers = {}, onProgress, signal } = options;
    if (protocol !== "native" && protocol !== "remote_write")
      throw invalid(`there is no protocol ${JSON.stringify(protocol)}; write "native" or "remote_write"`);
    if (layout !== undefined && layout !== "v1.72" && layout !== "v1.150")
      throw invalid(`there is no layout ${JSON.stringify(layout)} of native blocks; write "v1.72" or "v1.150"`);
    if (typeof live !== "boolean") throw invalid(`live is ${String(live)}; true or false is expected`);
    const { late = protocol === "native" } = options;
    if (typeof late !== "boolean") throw invalid(`late is ${String(late)}; true or false is expected`);
    if (onProgress !== undefined && typeof onProgress !== "function") throw invalid("onProgress must be a function");
    checkSignal(signal);
    this.#port = port;
    this.#options = options;
    this.#protocol = protocol;
    this.#selector = optionalText(options.selector, "selector");
    const { start, end } = options;
    this.#range = bounds({ ...(start !== undefined && { start }), ...(end !== undefined && { end }) });
    this.#everyMs = durationMs(options.every ?? "5s", "every");
    this.#delayMs = durationMs(options.delay ?? "5s", "delay");
    this.#sendsLate = late && port.role === "writer";
    this.#layouts = protocol === "remote_write" ? ["remote_write"] : layout === undefined ? ["v1.150", "v1.72"] : [layout];
    this.#reached = read(options.checkpoint, this.#selector);
    this.#sender = new Sender(targetOf(url, protocol), {
      headers: headersOf(protocol, headers),
      timeoutMs: durationMs(options.timeout ?? "30s", "timeout"),
      retryForMs: options.retryFor === undefined && live ? Number.POSITIVE_INFINITY : durationMs(options.retryFor ?? "2m", "retryFor"),
      refusesDuplicates: protocol === "remote_write",
      signal: this.#control.signal,
    });
  }

  async run(): Promise<PushResult> {
    const { signal, live } = this.#options;
    const abort = () => this.#control.abort(signal?.reason);
    onAbort(signal, abort);
    if (signal?.aborted) abort();
    try {
      this.#control.signal.throwIfAborted();
      await (live ? this.#follow() : this.#sendOnce());
    } catch (error) {
      await this.#keepLate();
      if (!signal?.aborted) throw this.#withCheckpoint(error);
      // Whoever follows has no other end.
      if (!live) throw this.#withCheckpoint(new SandglassError("aborted", "push was given up by its caller", { cause: signal.reason }));
    } finally {
      offAbort(signal, abort);
    }
    return this.#result();
  }

  /** What has come late and was not asked for any more is left to the next try. */
  async #keepLate(): Promise<void> {
    if (this.#watched === undefined) return;
    // A database that is closed, say, knows of nothing.
    const late = await this.#takeLate().catch(() => null);
    await this.#port.ask({ kind: "pushUnwatch", watch: this.#name }).catch(() => {});
    if (late === null) return;
    const [cursor, start, end] = late;
    await this.#port.ask({ kind: "exportClose", cursor }).catch(() => {});
    this.#noteLate({ start, end });
    this.#report();
  }

  /** Should this try end before they are sent, the next one sends all of the time of late samples. */
  #noteLate({ start, end }: Span): void {
    const { late = { start, end } } = this.#reached;
    this.#reached.late = { start: Math.min(late.start, start), end: Math.max(late.end, end) };
  }

  async #result(): Promise<PushResult> {
    const { sent } = this.#reached;
    const end = this.#reached.window?.end ?? sent;
    const start = this.#begin ?? Number.NEGATIVE_INFINITY;
    let series = 0;
    // What was sent was sent, whether it can be counted or not.
    if (this.#samples > 0 && end !== undefined)
      series = await this.#port.ask({ kind: "count", selector: this.#selector, start, end }).catch(() => 0);
    return { series, samples: this.#samples, bytes: this.#bytes, checkpoint: write(this.#reached) };
  }

  #withCheckpoint(error: unknown): unknown {
    if (!(error instanceof SandglassError)) return error;
    const { code, message, cause = error, status } = error;
    // A body that was refused is not there: whoever tries it again must not take another refusal for a repetition.
    const reached = code === "refused" ? { ...this.#reached, isUnsure: false } : this.#reached;
    return new SandglassError(code, message, { cause, checkpoint: write(reached), ...(status !== undefined && { status }) });
  }

  // ---- once ---------------------------------------------------------------------------------------------------------------

  async #sendOnce(): Promise<void> {
    await this.#flush();
    await this.#sendLeftOver();
    const extents = extentsOf(await this.#port.inspect(this.#control.signal));
    const newest = extents.reduce((newest, { end }) => Math.max(newest, end), Number.NEGATIVE_INFINITY);
    await this.#sendUntil(Math.min(this.#range.end, newest), extents);
  }

  /** What the try before was at. Its window ends where it ended then, so that its bodies are the same. */
  async #sendLeftOver(): Promise<void> {
    const { window, late } = this.#reached;
    if (late !== undefined) await this.#sendLateAgain(late);
    if (window === undefined) return;
    this.#mayBeThere = this.#reached.isUnsure;
    this.#reached.isUnsure = true;
    await this.#sendWindow(window);
    this.#mayBeThere = false;
  }

  /** Sends all windows up to an instant that have something, and takes down that all up to there was sent. */
  async #sendUntil(end: number, extents: readonly Extent[]): Promise<void> {
    const start = Math.max(this.#range.start, (this.#reached.sent ?? Number.NEGATIVE_INFINITY) + 1);
    if (!Number.isFinite(end) || !(end >= start)) return;
    this.#ahead = (sent) => rowsBetween(extents, sent, end);
    for await (const window of this.#windows(extents, start, end)) await this.#sendWindow({ ...window, from: "" });
    this.#ahead = () => 0;
    this.#reached.sent = end;
    this.#report();
  }

  /** The windows in which there may be samples. Each costs a look at every series, so where they are sparse it is asked which have any. */
  async *#windows(extents: readonly Extent[], start: number, end: number): AsyncGenerator<Span> {
    const unitMs = UNITS_MS[this.#protocol];
    const selector = this.#selector;
    // Too many series at once for this may be few enough in each window.
    const series = await this.#port.ask({ kind: "count", selector, start, end }, this.#control.signal).catch(() => 0);
    for (const span of windows(extents, start, end, WINDOWS_LOOKED_AHEAD * unitMs)) {
      const all = windows(extents, span.start, span.end, unitMs);
      const samplesPerWindow = (rowsBetween(extents, span.start, span.end) * unitMs) / (span.end - span.start + 1);
      if (samplesPerWindow >= series) {
        yield* all;
        continue;
      }
      const asked = this.#port.ask(
        { kind: "pushWindows", selector, start: span.start, end: span.end, window: unitMs },
        this.#control.signal,
      );
      // An engine that has gone is asked no more; whichever has the database then goes through all of them.
      const begins = await asked.catch((error: unknown) => {
        if (!isGone(error)) throw error;
      });
      if (begins === undefined) yield* all;
      else for (const begin of begins) yield { start: Math.max(begin, span.start), end: Math.min(begin + unitMs - 1, span.end) };
    }
  }

  // ---- live ---------------------------------------------------------------------------------------------------------------

  async #follow(): Promise<void> {
    await this.#watch(this.#reached.window?.end ?? this.#reached.sent);
    await this.#flush();
    await this.#sendLeftOver();
    for (;;) {
      await this.#catchUp();
      if (this.#sendsLate) await this.#sendLate();
      if (this.#reached.sent !== undefined && this.#reached.sent >= this.#range.end) return this.#keepLate();
      await pause(this.#everyMs, this.#control.signal, false);
    }
  }

  /** Sends what has become old enough. */
  async #catchUp(): Promise<void> {
    const until = Math.min(this.#range.end, Math.floor(this.#port.now() - this.#delayMs));
    const start = Math.max(this.#range.start, (this.#reached.sent ?? Number.NEGATIVE_INFINITY) + 1);
    if (!(until >= start)) return;
    await this.#watch(until);
    await this.#flush();
    if (until - start < UNITS_MS[this.#protocol]) await this.#sendWindow({ start, end: until, from: "" });
    else await this.#sendUntil(until, extentsOf(await this.#port.inspect(this.#control.signal)));
  }

  /** From now on what is accepted up to an instant is late. To be called before that is flushed and read, so that nothing falls between. */
  async #watch(until: number | undefined): Promise<void> {
    if (!this.#sendsLate || !this.#options.live || until === undefined) return;
    this.#watched = until;
    await this.#port.ask({ kind: "pushWatch", watch: this.#name, until });
  }

  /** Sends what has been appended after later samples had been sent. */
  async #sendLate(): Promise<void> {
    const late = await this.#takeLate();
    if (late === null) return;
    const [cursor, start, end] = late;
    this.#noteLate({ start, end });
    this.#report();
    try {
      await this.#sendCursor(cursor, () => {});
    } catch (error) {
      if (!isGone(error) && !this.#turnsToOtherLayout(error)) throw error;
      return this.#sendLateAgain({ start, end });
    }
    this.#lateIsSent();
  }

  /** What has come late since the last time. It cannot be given up: nobody would know of it any more. */
  async #takeLate(): Promise<AnswerTo<"pushLate">> {
    try {
      return await this.#port.ask({ kind: "pushLate", watch: this.#name, selector: this.#selector, protocol: this.#layouts[0]! });
    } catch (error) {
      // The engine that knew of them is gone.
      if (!isGone(error)) throw error;
      return null;
    }
  }

  /** Sends all of the time in which samples came late that were not all sent. */
  async #sendLateAgain({ start, end }: Span): Promise<void> {
    await this.#sendWhole({ start, end, from: "" }, () => {});
    this.#lateIsSent();
  }

  #lateIsSent(): void {
    this.#reached.late = undefined;
    this.#report();
  }

  // ---- windows ------------------------------------------------------------------------------------------------------------

  /** Sends a window from a place of it on. */
  async #sendWindow(window: Window): Promise<void> {
    const { start, end } = window;
    this.#begin = Math.min(this.#begin ?? start, start);
    await this.#sendWhole(window, (from) => {
      this.#reached.window = { start, end, from };
    });
    this.#reached.window = undefined;
    this.#reached.sent = Math.max(this.#reached.sent ?? end, end);
    this.#report();
  }

  /** Sends a window, whatever becomes of the engine meanwhile. `reach` is told where it goes on. */
  async #sendWhole({ start, end, from }: Window, reach: (from: string) => void): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        const protocol = this.#layouts[0]!;
        const open = { kind: "pushOpen", selector: this.#selector, start, end, protocol, from } as const;
        const cursor = await this.#port.ask(open, this.#control.signal);
        return await this.#sendCursor(
          cursor,
          (next) => {
            if (next !== from) failures = 0;
            reach((from = next));
          },
          from,
        );
      } catch (error) {
        if (!this.#turnsToOtherLayout(error) && (!isGone(error) || failures >= MOST_FAILURES)) throw error;
        await this.#watch(this.#watched);
      }
    }
  }

  /**
   * Turns to the other layout, if it may be for the layout that the server has not taken the first body. It says so by a 400; but one of
   * v1.72 does not answer for minutes. It may be slow as well, so that the layout which was silent stays the second.
   */
  #turnsToOtherLayout(error: unknown): boolean {
    const [first, second] = this.#layouts;
    if (first === undefined || second === undefined) return false;
    if (error instanceof NoAnswer) {
      this.#mayBeSilent = false;
      this.#layouts = [second, first];
      return true;
    }
    const { code, status } = error as SandglassError;
    const isRefused = code === "refused" && status === 400;
    if (isRefused) this.#layouts = [second];
    return isRefused;
  }

  /** Sends what is behind a cursor. `reach` is told before the first body where that is, and after each where it goes on. */
  async #sendCursor(cursor: number, reach: (from: string) => void, from = ""): Promise<void> {
    let isFirst = true;
    try {
      for (;;) {
        const piece = await this.#port.ask({ kind: "pushNext", cursor }, this.#control.signal);
        if (piece === null) return;
        const [body, samples, next] = piece;
        if (isFirst) {
          // Another try sends just this then, without what has come meanwhile.
          reach(from);
          this.#report();
        }
        isFirst = false;
        await this.#sender.send(body, this.#mayBeThere, this.#layouts.length > 1 && this.#mayBeSilent);
        this.#mayBeThere = false;
        this.#layouts = this.#layouts.slice(0, 1);
        this.#samples += samples;
        this.#bytes += body.length;
        if (next === "") return;
        reach(next);
        this.#report();
      }
    } finally {
      await this.#port.ask({ kind: "exportClose", cursor }).catch(() => {});
    }
  }

  async #flush(): Promise<void> {
    // A reader has nothing of its own; and what was refused is for those to hear who have appended it.
    if (this.#port.role === "writer") await this.#port.ask({ kind: "flush", isQuiet: true }, this.#control.signal);
  }

  #report(): void {
    const { window, sent } = this.#reached;
    const ahead = this.#ahead(window?.start ?? (sent ?? Number.NEGATIVE_INFINITY) + 1);
    const total = this.#bytes + (this.#samples === 0 ? 0 : Math.round((ahead * this.#bytes) / this.#samples));
    const progress = { done: this.#bytes, total, unit: "bytes", checkpoint: write(this.#reached) } as const;
    // What it throws is its page's own, and no reason to lose what has been reached.
    callAll([() => this.#options.onProgress?.(progress)]);
  }
}

function headersOf(protocol: NonNullable<PushOptions["protocol"]>, given: Record<string, string>): Headers {
  record(given, "headers");
  const headers = new Headers(HEADERS[protocol]);
  for (const [name, value] of Object.entries(given)) {
    try {
      headers.set(name, text(value, `the header ${name}`));
    } catch (cause) {
      throw cause instanceof SandglassError ? cause : unreadable(`there can be no header ${JSON.stringify(name)} like this`, cause);
    }
  }
  return headers;
}

/** Whether the engine that was asked has gone, and its exports with it; another one has the database then. */
function isGone(error: unknown): boolean {
  const { code } = error as Partial<SandglassError>;
  return code === "interrupted" || code === "not_found";
}
