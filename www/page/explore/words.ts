// The words of the two languages. They are read out of the table in docs/QUERIES.md, which the engine's own table of functions is printed
// into: a function that the engine learns is known here by the next build.

import type { Dialect } from "sandglass";
import document from "../../../docs/QUERIES.md?raw";

export interface Word {
  name: string;
  /** With its arguments, as in `clamp(rows, least, greatest)`. */
  call: string;
  says: string;
  isAggregation: boolean;
  /** Whether its first argument is a number or a text and not rows. */
  takesNumberFirst: boolean;
}

const ROW = /^\| `((\w+)\((.*)\))` \| (yes)? ?\| (yes)? ?\| (?:kept)? ?\| (.*) \|$/;

export function wordsIn(text: string, dialect: Dialect): Map<string, Word> {
  const found = new Map<string, Word>();
  let isAggregation = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("### ")) isAggregation = line === "### Aggregations";
    const [, call = "", name = "", parameters = "", metricsql, promql, says = ""] = ROW.exec(line) ?? [];
    if (name === "" || !(dialect === "promql" ? promql : metricsql)) continue;
    found.set(name, { name, call, says: says.replaceAll("`", ""), isAggregation, takesNumberFirst: !/^(rows|samples)/.test(parameters) });
  }
  return found;
}

export const WORDS: Record<Dialect, Map<string, Word>> = { metricsql: wordsIn(document, "metricsql"), promql: wordsIn(document, "promql") };
