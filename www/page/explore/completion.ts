// What could follow in an expression: where the cursor stands is told by Prometheus' own editor; the names and values come from the
// database, the functions from the table of the engine's.

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { newCompleteStrategy, type PrometheusClient } from "@prometheus-io/codemirror-promql";
import { EqlRegex, EqlSingle, Neq, NeqRegex } from "@prometheus-io/lezer-promql";
import type { Database, Dialect } from "sandglass";
import { PLAIN_NAME } from "../model/selector";
import { WORDS, type Word } from "./words";

/** A list is asked for anew after so long. */
const FRESH_MS = 10_000;
/** More can be had by typing on. */
const MOST_OFFERED = 2000;
/** Every letter of a condition that is typed makes another question. */
const MOST_KEPT = 50;

type Matchers = Parameters<PrometheusClient["labelValues"]>[2];

/** The database, as the editor asks a Prometheus server. */
class DatabaseClient implements PrometheusClient {
  /** What was found in `#asked`; the newest last. */
  #kept = new Map<string, { at: number; found: Promise<string[]> }>();
  #asked: Database | undefined;

  constructor(private readonly database: () => Database | undefined) {}

  metricNames(): Promise<string[]> {
    return this.labelValues("__name__");
  }

  labelNames(metric?: string): Promise<string[]> {
    const selector = selectorOf(metric, [], "");
    return this.#ask(`names ${selector}`, (database) => database.labelNames(selector)).then((names) =>
      names.filter((name) => name !== "__name__"),
    );
  }

  labelValues(label: string, metric?: string, matchers?: Matchers): Promise<string[]> {
    const selector = selectorOf(metric, matchers ?? [], label);
    return this.#ask(`values ${label} ${selector}`, (database) => database.labelValues(label, selector));
  }

  valuesAmong(label: string, selector: string): Promise<string[]> {
    return this.#ask(`values ${label} ${selector}`, (database) => database.labelValues(label, selector));
  }

  series(): Promise<Map<string, string>[]> {
    return Promise.resolve([]);
  }

  metricMetadata(): Promise<Record<string, never>> {
    return Promise.resolve({});
  }

  flags(): Promise<Record<string, string>> {
    return Promise.resolve({});
  }

  #ask(key: string, question: (database: Database) => Promise<string[]>): Promise<string[]> {
    const database = this.database();
    if (!database) return Promise.resolve([]);
    if (database !== this.#asked) this.#kept.clear();
    this.#asked = database;
    const kept = this.#kept.get(key);
    if (kept && performance.now() - kept.at < FRESH_MS) return kept.found;
    // Half a selector may be none at all: then nothing is offered.
    const found = question(database)
      .then((all) => all.slice(0, MOST_OFFERED))
      .catch(() => []);
    this.#kept.delete(key);
    this.#kept.set(key, { at: performance.now(), found });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return found;
  }
}

const SIGNS = new Map<number, string>([
  [EqlSingle, "="],
  [Neq, "!="],
  [EqlRegex, "=~"],
  [NeqRegex, "!~"],
]);

/** Other conditions narrow what is offered, the one that is being typed does not. */
function selectorOf(metric: string | undefined, matchers: NonNullable<Matchers>, label: string): string | undefined {
  const conditions = matchers
    .filter(({ name, value }) => name !== label && value !== "")
    .flatMap(({ name, type, value }) => {
      const sign = SIGNS.get(type);
      return sign ? [`${PLAIN_NAME.test(name) ? name : JSON.stringify(name)}${sign}"${value}"`] : [];
    });
  const named = metric && PLAIN_NAME.test(metric) ? metric : "";
  return named || conditions.length > 0 ? `${named}{${conditions.join(",")}}` : undefined;
}

export function completionFrom(database: () => Database | undefined, dialect: () => Dialect) {
  const client = new DatabaseClient(database);
  const strategy = newCompleteStrategy({ remote: client });
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    // Where something has just ended there is nothing to complete.
    if (!context.explicit && /[)\]}]$|[^,\s]\s+$/.test(context.state.sliceDoc(0, context.pos))) return null;
    const begun = BEGUN.exec(context.state.sliceDoc(0, context.pos));
    if (begun) return unquoted(client, begun, context.pos);
    const found = await strategy.promQL(context);
    if (!found) return null;
    const words = WORDS[dialect()];
    const isOfWords = found.options.some(({ type, label }) => type === "function" && words.has(label));
    const others = found.options.filter(({ type, label }) => type !== "function" && !(type === "keyword" && words.has(label)));
    const options = isOfWords ? [...others, ...[...words.values()].map(completionOf)] : others;
    const before = context.state.sliceDoc(0, found.from);
    return { ...found, options: options.map((option) => quoted(option, before)) };
  };
}

/** A condition up to its sign, and what of a value may stand there without a quote: metric, other conditions, label, value. */
const BEGUN = /([a-zA-Z_:][\w:]*)?\s*\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*?)([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*([\w.:-]*)$/;
const CONDITION = /[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"/g;

/** Values with their quotes, for who has not typed one. */
async function unquoted(client: DatabaseClient, begun: RegExpExecArray, cursor: number): Promise<CompletionResult | null> {
  const [, metric = "", others = "", label = "", typed = ""] = begun;
  const conditions = others.match(CONDITION) ?? [];
  const values = await client.valuesAmong(
    label,
    metric === "" && conditions.length === 0 ? `{${label}!=""}` : `${metric}{${conditions.join(",")}}`,
  );
  if (values.length === 0) return null;
  const options = values.map((value): Completion => ({ label: value, type: "text", apply: JSON.stringify(value) }));
  return { from: cursor - typed.length, options, validFor: /^[\w.:-]*$/ };
}

const completionOf = (word: Word): Completion => ({
  label: word.name,
  type: "function",
  detail: word.call.slice(word.name.length),
  info: word.says,
  apply: word.name,
  boost: -1,
});

/** What is no plain word is written with quotes and escapes: `before` is the text up to where it begins. */
function quoted(option: Completion, before: string): Completion {
  const text = JSON.stringify(option.label);
  const inQuotes = /["'`]$/.test(before);
  if (option.type === "text" || (option.type === "constant" && inQuotes)) return { ...option, apply: text.slice(1, -1) };
  if (option.type !== "constant" || PLAIN_NAME.test(option.label)) return option;
  const isLabel =
    before.lastIndexOf("{") > before.lastIndexOf("}") || /\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*$/i.test(before);
  return { ...option, apply: isLabel ? text : `{${text}}` };
}
