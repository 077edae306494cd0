// Results to be taken along: a table of what is shown, a picture of it.

import { colourOf } from "./figures";
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
      put(labels, range?.timestamps ?? [], values, (at) => (present ? ((present[at >> 3] ?? 0) >> (at & 7)) % 2 === 1 : !Number.isNaN(values[at])));
    }
    if (instant?.type === "vector") for (const { labels, timestamp, value } of instant.series) put(labels, [timestamp], [value], always);
    if (instant?.type === "matrix") for (const { labels, timestamps, values } of instant.series) put(labels, timestamps, values, always);
    if (instant?.type === "scalar") put({}, [instant.timestamp], [instant.value], always);
    if (instant?.type === "string") pieces.push(`${letter(query)},${instant.timestamp},${new Date(instant.timestamp).toISOString()},{},${cell(instant.value)}\n`);
  });
  return new Blob(pieces, { type: "text/csv" });
}

/** In quotes; and where a spreadsheet would take it for a formula, behind an apostrophe. */
const cell = (text: string): string => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

const PADDING = 18;
const LINE = 20;

export interface Named {
  name: string;
  place: number;
}

/** What is drawn, with the queries above and the names of its lines below. */
export function pngOf(drawn: HTMLCanvasElement, title: string, names: readonly Named[]): Promise<Blob | null> {
  const style = getComputedStyle(drawn);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const scale = drawn.width / drawn.clientWidth;
  const width = drawn.clientWidth + 2 * PADDING;
  const height = drawn.clientHeight + 2 * PADDING + LINE * (1 + names.length);
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  if (!context) return Promise.resolve(null);
  context.scale(scale, scale);
  context.fillStyle = colour("--card");
  context.fillRect(0, 0, width, height);
  context.fillStyle = colour("--ink");
  context.font = `600 13px ${style.fontFamily}`;
  context.fillText(title, PADDING, PADDING + 6, width - 2 * PADDING);
  context.drawImage(drawn, PADDING, PADDING + LINE, drawn.clientWidth, drawn.clientHeight);
  context.font = `12px ${style.fontFamily}`;
  names.forEach(({ name, place }, i) => {
    const y = PADDING + LINE + drawn.clientHeight + LINE * (i + 0.75);
    context.fillStyle = colour(colourOf(place));
    context.fillRect(PADDING, y - 5, 14, 3);
    context.fillStyle = colour("--ink");
    context.fillText(name, PADDING + 22, y, width - 2 * PADDING - 22);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
