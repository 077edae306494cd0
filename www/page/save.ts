// What a visitor takes along: a file, a table of the samples, a picture of a chart.

import type { SeriesData } from "sandglass";
import { exactly } from "./model/selector";

export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser takes the address up in its own time.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Every sample, one a line, none left out: milliseconds, the same as a date, series, value. */
export function csvOf(found: readonly SeriesData[]): Blob {
  const pieces = ["timestamp_ms,time,series,value\n"];
  for (const { labels, timestamps, values } of found) {
    const series = `"${exactly(labels).replaceAll('"', '""')}"`;
    let lines = "";
    timestamps.forEach((time, i) => {
      lines += `${time},${new Date(time).toISOString()},${series},${values[i]}\n`;
    });
    pieces.push(lines);
  }
  return new Blob(pieces, { type: "text/csv" });
}

const PADDING = 18;
const LINE = 20;

export interface Named {
  name: string;
  /** The custom property that has its colour. */
  colour: string;
}

/** The chart's canvas with its legend below, as the page shows it. */
export function pngOf(figure: HTMLElement, title: string): Promise<Blob | null> {
  const plot = figure.querySelector<HTMLCanvasElement>("canvas");
  if (!plot) return Promise.resolve(null);
  const names = [...figure.querySelectorAll("figcaption li")].map((item, i) => ({
    name: item.querySelector("[data-name]")?.textContent ?? "",
    colour: `--line-${i + 1}`,
  }));
  return pictureOf(plot, title, names);
}

/** What is drawn, with a title above and the names of its lines below. */
export function pictureOf(drawn: HTMLCanvasElement, title: string, names: readonly Named[]): Promise<Blob | null> {
  const style = getComputedStyle(drawn);
  const colourOf = (property: string) => style.getPropertyValue(property).trim();
  const scale = drawn.width / drawn.clientWidth;
  const width = drawn.clientWidth + 2 * PADDING;
  const height = drawn.clientHeight + 2 * PADDING + LINE * (1 + names.length);
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  if (!context) return Promise.resolve(null);
  context.scale(scale, scale);
  context.fillStyle = colourOf("--card");
  context.fillRect(0, 0, width, height);
  context.fillStyle = colourOf("--ink");
  context.font = `600 13px ${style.fontFamily}`;
  context.fillText(title, PADDING, PADDING + 6, width - 2 * PADDING);
  context.drawImage(drawn, PADDING, PADDING + LINE, drawn.clientWidth, drawn.clientHeight);
  context.font = `12px ${style.fontFamily}`;
  names.forEach(({ name, colour }, i) => {
    const y = PADDING + LINE + drawn.clientHeight + LINE * (i + 0.75);
    context.fillStyle = colourOf(colour);
    context.fillRect(PADDING, y - 5, 14, 3);
    context.fillStyle = colourOf("--ink");
    context.fillText(name, PADDING + 22, y, width - 2 * PADDING - 22);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
