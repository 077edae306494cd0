// The function table of docs/QUERIES.md, which a test of the engine keeps equal to the engine's own.
import { readFile } from "node:fs/promises";

const DOCUMENT = new URL("../../../../docs/QUERIES.md", import.meta.url);

/**
 * @typedef {object} Argument
 * @property {string} name what it is called there
 * @property {"" | "?" | "*" | "+"} count once, perhaps, any number of times, or at least once
 *
 * @typedef {object} Signature
 * @property {string} name
 * @property {Argument[]} arguments
 * @property {boolean} isAggregate
 */

/** @returns {Promise<{ metricsql: Signature[], promql: Signature[] }>} */
export async function functionTable() {
  const table = { metricsql: [], promql: [] };
  let section = "";
  for (const line of (await readFile(DOCUMENT, "utf8")).split("\n")) {
    section = /^### (.*)/.exec(line)?.[1] ?? section;
    const [, name, list, metricsql, promql] = /^\| `(\w+)\((.*?)\)` \| (yes)? *\| (yes)? *\|/.exec(line) ?? [];
    if (name === undefined) continue;
    const words = list === "" ? [] : list.split(", ");
    const signature = {
      name,
      arguments: words.map((word) => ({ name: word.replace(/[?*+]$/, ""), count: /[?*+]$/.exec(word)?.[0] ?? "" })),
      isAggregate: section === "Aggregations",
    };
    if (metricsql) table.metricsql.push(signature);
    if (promql) table.promql.push(signature);
  }
  return table;
}
