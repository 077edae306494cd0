// What the room asks of a database, and what it was told. All that a visitor can choose is in `view`, which is what the address says.

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Database, Dialect, InstantResult, QueryStats, RangeResult, SeriesData } from "sandglass";
import { messageOf } from "../model/trouble";
import { exactly } from "../model/selector";
import { EMPTY, hashOf, isOf, MOST_QUERIES, type Source, type View, viewOf } from "./address";
import { remember } from "./history";
import { metricsIn } from "./language";
import { durationOf, instantOf, isRelative, settled, stepFor, written } from "./times";

export interface Range {
  start: number;
  end: number;
  step: number;
}

export interface Answer {
  expression: string;
  /** The language that it was asked in. */
  dialect: Dialect;
  /** Of a chart and of a heat map. */
  range?: RangeResult;
  /** Of a table. */
  instant?: InstantResult;
  /** Of raw samples: those of the first series, and how many series match. */
  raw?: { found: SeriesData[]; matched: number };
  stats?: QueryStats;
  warnings: readonly string[];
  problem: string;
  /** The kind of the mistake: what is "invalid" is in the text. */
  code: string;
}

/** What a database is asked at first. */
export interface Suggestion {
  expression: string;
  from: string;
  to: string;
}

/** Series of which raw samples are read, and samples after which no further series is. */
const MOST_RAW = 20;
const MOST_RAW_SAMPLES = 2_000_000;
/** Nobody wants to ask more often. */
const LEAST_REFRESH_MS = 1000;
/** What timers count; one that is set for longer fires at once. */
const MOST_REFRESH_MS = 0x7fff_ffff;

/** While there is nothing to show of the present. */
const EMPTY_MS = 1000;

/** Where the room was left, for who comes back through its door. */
let left = "";

export class Explorer {
  readonly view = signal<View>(EMPTY);
  /** What stands in the boxes; it is asked when it is run. */
  readonly drafts = signal<readonly string[]>([""]);
  readonly answers = signal<readonly (Answer | undefined)[]>([]);
  readonly asking = signal(false);
  /** The range of what is shown. */
  readonly shown = signal<Range | undefined>(undefined);
  /** What of range or step cannot be read. */
  readonly problem = signal("");
  /** Ranges before a zoom. */
  readonly before = signal<readonly { from: string; to: string }[]>([]);
  /** The box that was typed into last. */
  readonly box = signal(0);
  readonly isLive = computed(() => this.view.value.refresh === "live");

  /** Writes a text where the cursor of a box stands. */
  readonly boxes = new Map<number, (text: string) => void>();
  /** The box that was asked for and is not there yet. */
  wantsFocus: number | undefined;

  #suggestion: Suggestion = { expression: "", from: "now-1h", to: "now" };
  #control = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #database: Database | undefined;
  /** The address that `view` was read from, or written to. */
  #read = "";

  constructor(
    readonly source: Source,
    readonly database: ReadonlySignal<Database | undefined>,
    suggestion: (database: Database) => Promise<Suggestion>,
  ) {
    const stop = database.subscribe((found) => {
      this.#database = found;
      if (!found) return;
      // The same database in other hands, as after a change of its settings: what is shown is asked of it.
      if (this.#read !== "") return void this.ask();
      void suggestion(found)
        .catch(() => this.#suggestion)
        .then((suggested) => {
          this.#suggestion = suggested;
          if (this.#database === found) this.read();
        });
    });
    addEventListener("popstate", this.read);
    addEventListener("hashchange", this.read);
    this.close = () => {
      stop();
      removeEventListener("popstate", this.read);
      removeEventListener("hashchange", this.read);
      clearTimeout(this.#timer);
      this.#control.abort();
      left = location.hash.startsWith("#explore") ? left : hashOf(this.view.peek());
    };
  }

  readonly close: () => void;

  /** Takes over what the address says. */
  readonly read = (): void => {
    if (!location.hash.startsWith("#explore") || !this.#database) return;
    let view = viewOf(location.hash);
    // Both events tell of one step.
    if (!isOf(view, this.source) || location.hash === this.#read) return;
    if (location.hash === "#explore" && left !== "" && isOf(viewOf(left), this.source)) view = viewOf(left);
    left = "";
    const { expression, from, to } = this.#suggestion;
    if (view.queries.length === 0) view = { ...view, queries: [{ expression, isHidden: false }] };
    if (view.from === "" && view.to === "") view = { ...view, from, to };
    this.view.value = view;
    this.drafts.value = view.queries.map((query) => query.expression);
    this.box.value = Math.min(this.box.peek(), view.queries.length - 1);
    // Whoever comes in by the door sees the address of what is shown, and goes back over it in one step.
    this.#read = hashOf(view);
    history.replaceState(history.state, "", this.#read);
    this.before.value = rangesIn(history.state);
    void this.ask();
  };

  /** Shows something else. A step that one wants back becomes one of the browser's history. */
  change(part: Partial<View>, step: "push" | "replace" = "push"): void {
    const view = { ...this.view.peek(), ...part };
    const hash = hashOf(view);
    const state = { before: this.before.peek() };
    const asksAnew =
      (["queries", "dialect", "from", "to", "step", "refresh", "shape"] as const).some((key) => part[key] !== undefined) ||
      part.isTraced === true;
    this.view.value = view;
    this.#read = hash;
    if (hash !== location.hash) {
      if (step === "push") history.pushState(state, "", hash);
      else history.replaceState(state, "", hash);
    }
    if (asksAnew) void this.ask();
  }

  /** Writes a name into the box that was used last; an empty one asks for it at once. */
  insert(text: string): void {
    const at = this.box.peek();
    if ((this.drafts.peek()[at] ?? "").trim() !== "") return this.boxes.get(at)?.(text);
    this.setDraft(at, text);
    this.run();
  }

  /** What is wrong with an expression, in the engine's words; nothing is read for it. */
  async check(expression: string): Promise<string> {
    const answer = await this.#asFormatted(expression);
    if (!answer || answer.ok) return "";
    const { error = "" } = (await answer.json()) as { error?: string };
    return error.replace(/^invalid parameter "query": /, "");
  }

  /** Asks what stands in the boxes. */
  run(): void {
    const drafts = this.drafts.peek();
    const { queries, lit } = this.view.peek();
    const changed = drafts.map((expression, i) => ({ expression: expression.trim(), isHidden: queries[i]?.isHidden ?? false }));
    const { dialect } = this.view.peek();
    remember(changed.map(({ expression }) => ({ expression, dialect })));
    const isSame = changed.length === queries.length && changed.every(({ expression }, i) => expression === queries[i]?.expression);
    this.change({ queries: changed, lit: isSame ? lit : [] }, isSame ? "replace" : "push");
  }

  /** Writes an earlier query into the box that was used last, and asks it. */
  runAgain(expression: string, dialect: Dialect): void {
    this.setDraft(this.box.peek(), expression);
    if (dialect !== this.view.peek().dialect) this.view.value = { ...this.view.peek(), dialect };
    this.run();
  }

  /** Writes all queries as the engine prints them. What it can't read stays as it is, and is underlined. */
  async format(): Promise<void> {
    const drafts = this.drafts.peek();
    const formatted = await Promise.all(drafts.map((expression) => this.#formatted(expression)));
    // Who has typed on has another text by now.
    formatted.forEach((text, at) => text !== undefined && this.drafts.peek()[at] === drafts[at] && this.setDraft(at, text));
  }

  /** What the engine makes of an expression's text alone. */
  async #asFormatted(expression: string): Promise<Response | undefined> {
    const { dialect } = this.view.peek();
    return this.#database?.fetch(`/api/v1/format_query?${new URLSearchParams({ query: expression, dialect })}`);
  }

  async #formatted(expression: string): Promise<string | undefined> {
    if (expression.trim() === "") return undefined;
    // A database that is being closed formats nothing.
    const answer = await this.#asFormatted(expression).catch(() => undefined);
    if (!answer?.ok) return undefined;
    const { data } = (await answer.json()) as { data?: unknown };
    return typeof data === "string" ? data : undefined;
  }

  /** Names in what was asked that no series has, whenever. */
  async unknownNames(): Promise<string[]> {
    const asked = this.answers.peek().flatMap((answer) => (answer && !answer.problem ? metricsIn(answer.expression) : []));
    if (asked.length === 0) return [];
    const known = new Set(await this.#database?.labelValues("__name__"));
    return [...new Set(asked)].filter((name) => !known.has(name));
  }

  setDraft(at: number, text: string): void {
    this.drafts.value = this.drafts.peek().with(at, text);
  }

  addQuery(): void {
    if (this.drafts.peek().length >= MOST_QUERIES) return;
    this.drafts.value = [...this.drafts.peek(), ""];
    this.box.value = this.drafts.peek().length - 1;
    this.wantsFocus = this.box.peek();
  }

  removeQuery(at: number): void {
    this.drafts.value = this.drafts.peek().toSpliced(at, 1);
    this.box.value = Math.min(this.box.peek(), this.drafts.peek().length - 1);
    const { queries } = this.view.peek();
    if (at < queries.length) this.change({ queries: queries.toSpliced(at, 1), lit: [] });
  }

  hide(at: number, isHidden: boolean): void {
    const { queries } = this.view.peek();
    const query = queries[at];
    if (query) this.change({ queries: queries.with(at, { ...query, isHidden }) });
  }

  /** A range as it was typed; throws what is wrong with it. */
  setRange(from: string, to: string): void {
    const now = this.now();
    const [start, end] = [instantOf(from, now), instantOf(to, now, true)];
    if (start >= end) throw new Error(`From is ${written(start)}, which is not before to, ${written(end)}.`);
    this.before.value = [];
    this.change({ from: settled(from, now, false), to: settled(to, now, true) });
  }

  /** Looks closer. Where it looked before is kept. */
  zoom(start: number, end: number): void {
    const { from, to, refresh } = this.view.peek();
    if (!(end - start >= 1)) return;
    this.before.value = [...this.before.peek(), { from, to }];
    this.change({ from: written(Math.round(start)), to: written(Math.round(end)), refresh: refresh === "live" ? "" : refresh });
  }

  zoomBack(): void {
    const range = this.before.peek().at(-1);
    if (!range) return;
    this.before.value = this.before.peek().slice(0, -1);
    this.change(range);
  }

  /** Moves by shares of the range, or widens it. */
  move(share: number, factor = 1): void {
    if (!this.range()) return;
    // As it was typed, not as it is asked: there it begins at a step, and each move would have it begin earlier.
    const { from, to } = this.view.peek();
    const now = this.now();
    const [first, last] = [instantOf(from, now), instantOf(to, now, true)];
    const width = last - first;
    const middle = (first + last) / 2 + share * width;
    const [start, end] = [middle - (width * factor) / 2, middle + (width * factor) / 2];
    if (Math.abs(start) > 8e15 || Math.abs(end) > 8e15) return;
    this.change({
      from: written(Math.round(start)),
      to: written(Math.round(end)),
      refresh: this.isLive.peek() ? "" : this.view.peek().refresh,
    });
  }

  now(): number {
    return this.#database?.now() ?? Date.now();
  }

  /** What the view's times mean now; undefined, with the reason in `problem`, when they mean nothing. */
  range(): Range | undefined {
    const { from, to, step } = this.view.peek();
    const now = this.now();
    try {
      const start = instantOf(from, now);
      const exactEnd = instantOf(to, now, true);
      if (start >= exactEnd) throw new Error(`From is ${written(start)}, which is not before to, ${written(exactEnd)}.`);
      // Whoever says now does not mean its milliseconds.
      const end = isRelative(to) && exactEnd - start > 10_000 ? Math.floor(exactEnd / 1000) * 1000 : exactEnd;
      const stepMs = step === "" ? stepFor(end - start) : durationOf(step);
      if (stepMs === undefined) throw new Error(`“${step}” is no step. Write a duration such as 15s, 1m or 1h30m.`);
      // Instants are multiples of the step, so that they stay where they are while the range moves.
      const first = Math.floor(start / stepMs) * stepMs;
      this.problem.value = "";
      return { start: first, end, step: stepMs };
    } catch (error) {
      this.problem.value = messageOf(error);
      return undefined;
    }
  }

  async ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#control.abort();
    const database = this.#database;
    const view = this.view.peek();
    if (!database || view.queries.length === 0) return;
    const range = this.range();
    if (!range) return;
    const control = (this.#control = new AbortController());
    const { signal } = control;
    if (view.refresh === "live" && view.shape !== "table" && view.shape !== "raw" && isRelative(view.to))
      return this.#follow(database, range, control);
    this.asking.value = !this.answers.peek().every(isEmpty) || this.shown.peek() === undefined;
    const answers = await Promise.all(
      view.queries.map(({ expression, isHidden }) =>
        isHidden || expression === "" ? undefined : answerOf(database, expression, view, range, signal),
      ),
    );
    if (signal.aborted) return;
    this.asking.value = false;
    this.shown.value = range;
    this.answers.value = answers;
    const every = view.refresh === "live" ? range.step : durationOf(view.refresh);
    if (every !== undefined) this.#later(Math.min(Math.max(every, LEAST_REFRESH_MS), MOST_REFRESH_MS));
    // A database that is being filled, or has just been opened, has the present in a moment.
    else if (isRelative(view.to) && answers.every(isEmpty)) this.#later(EMPTY_MS);
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      // Nobody looks at a hidden page.
      if (document.visibilityState === "hidden") this.#later(ms);
      else void this.ask();
    }, ms);
  }

  /** Lets the database tell what is new. */
  #follow(database: Database, range: Range, { signal }: AbortController): void {
    const { queries, dialect, isTraced: trace } = this.view.peek();
    const width = Math.ceil((range.end - range.start) / range.step) * range.step;
    this.answers.value = queries.map((_, i) => this.answers.peek()[i]);
    queries.forEach(({ expression, isHidden }, at) => {
      if (isHidden || expression === "") {
        this.answers.value = this.answers.peek().with(at, undefined);
        return;
      }
      const tell = (answer: Answer) => {
        if (signal.aborted) return;
        this.answers.value = this.answers.peek().with(at, answer);
      };
      database.live(
        expression,
        { range: width, step: range.step, every: Math.max(1000, Math.min(range.step, 10_000)), dialect, trace, signal },
        (result) => {
          if (signal.aborted) return;
          const end = result.timestamps.at(-1) ?? range.end;
          this.shown.value = { start: end - width, end, step: range.step };
          tell({ expression, dialect, range: result, stats: result.stats, warnings: result.warnings, problem: "", code: "" });
        },
        (error) => tell(failed(expression, dialect, error)),
      );
    });
    this.asking.value = false;
  }
}

export function isEmpty(answer: Answer | undefined): boolean {
  if (!answer) return true;
  if (answer.problem) return false;
  const { range, instant, raw } = answer;
  return (range?.series ?? raw?.found ?? (instant && "series" in instant ? instant.series : [0])).length === 0;
}

/** What an entry of the browser's history remembers beside its address. */
function rangesIn(state: unknown): { from: string; to: string }[] {
  const before: unknown = (state as { before?: unknown } | null)?.before;
  return Array.isArray(before) ? before.filter((range) => typeof range?.from === "string" && typeof range.to === "string") : [];
}

async function answerOf(database: Database, expression: string, view: View, range: Range, signal: AbortSignal): Promise<Answer> {
  const { dialect, isTraced: trace } = view;
  try {
    if (view.shape === "raw") {
      const within = { start: range.start, end: range.end, signal };
      const sets = await database.labels(expression, within);
      const found: SeriesData[] = [];
      let samples = 0;
      for (const labels of sets.slice(0, MOST_RAW)) {
        // A selector of these labels matches series, too, that have more of them.
        const series = (await database.select(exactly(labels), within)).find((one) => exactly(one.labels) === exactly(labels));
        if (!series) continue;
        found.push(series);
        samples += series.timestamps.length;
        if (samples > MOST_RAW_SAMPLES) break;
      }
      return { expression, dialect, raw: { found, matched: sets.length }, warnings: [], problem: "", code: "" };
    }
    if (view.shape === "table") {
      const instant = await database.query(expression, { time: range.end, dialect, trace, signal });
      return { expression, dialect, instant, stats: instant.stats, warnings: instant.warnings, problem: "", code: "" };
    }
    const found = await database.queryRange(expression, { ...range, dialect, trace, signal });
    return { expression, dialect, range: found, stats: found.stats, warnings: found.warnings, problem: "", code: "" };
  } catch (error) {
    return failed(expression, dialect, error);
  }
}

const failed = (expression: string, dialect: Dialect, error: unknown): Answer => ({
  expression,
  dialect,
  warnings: [],
  problem: messageOf(error),
  code: String((error as { code?: unknown }).code ?? ""),
});
