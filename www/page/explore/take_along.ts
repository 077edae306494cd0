// Results to be taken along: tables of what is shown.

import type { Answer } from "./explorer";
import { letter, seriesText } from "./lines";

/** Every value of every answer, one a line. Where a series has none at an instant there is no line. */
export function csvOf(answers: readonly (Answer | undefined)[]): Blob {
  const pieces = ["query,timestamp_ms,time,series,value\n"];
  answers.forEach((answer, query) => {
    const put = (labels: Record<string, string>, times: ArrayLike<number>, values: ArrayLike<number>, isThere: (at: number) => boolean) => {
      const series = cell(seriesText(labels));
      let lines = "";
      for (let at = 0; at < times.length; at++) {
        const time = times[at] as number;
        if (isThere(at)) lines += `${letter(query)},${time},${new Date(time).toISOString()},${series},${values[at]}\n`;
      }
      pieces.push(lines);
    };
    const always = () => true;
    for (const { labels, timestamps, values } of answer?.raw?.found ?? []) put(labels, timestamps, values, always);
    const { range, instant } = answer ?? {};
    for (const { labels, values, present } of range?.series ?? []) {
      put(labels, range?.timestamps ?? [], values, (at) =>
        present ? ((present[at >> 3] ?? 0) >> (at & 7)) % 2 === 1 : !Number.isNaN(values[at]),
      );
    }
    if (instant?.type === "vector") for (const { labels, timestamp, value } of instant.series) put(labels, [timestamp], [value], always);
    if (instant?.type === "matrix") for (const { labels, timestamps, values } of instant.series) put(labels, timestamps, values, always);
    if (instant?.type === "scalar") put({}, [instant.timestamp], [instant.value], always);
    if (instant?.type === "string")
      pieces.push(`${letter(query)},${instant.timestamp},${new Date(instant.timestamp).toISOString()},{},${cell(instant.value)}\n`);
  });
  return new Blob(pieces, { type: "text/csv" });
}

/** A table of each answer with its place, as files of Apache Arrow, which is fetched for it. */
export async function arrowsOf(answers: readonly (Answer | undefined)[]): Promise<{ query: number; table: Blob }[]> {
  const [{ tableToIPC }, { toArrowTable }] = await Promise.all([import("apache-arrow"), import("sandglass/arrow")]);
  return answers.flatMap((answer, query) => {
    const result = answer?.raw?.found ?? answer?.range ?? answer?.instant;
    if (result === undefined) return [];
    const bytes = tableToIPC(toArrowTable(result), "file") as Uint8Array<ArrayBuffer>;
    return [{ query, table: new Blob([bytes], { type: "application/vnd.apache.arrow.file" }) }];
  });
}

/** In quotes; and where a spreadsheet would take it for a formula, behind an apostrophe. */
const cell = (text: string): string => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
