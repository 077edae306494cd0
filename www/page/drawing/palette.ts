// Colours as the style sheet has them, and one for each series.

import type uPlot from "uplot";
import { OWN_SERIES } from "../model/own";

export interface Palette {
  ink: string;
  muted: string;
  edge: string;
  card: string;
  sunk: string;
  accent: string;
  danger: string;
  raw: string;
  inmemory: string;
  small: string;
  big: string;
  /** Of text on a part. */
  onStage: string;
  mono: string;
  font: string;
  dark: boolean;
  series: string[];
  /** Of the numbers that a visitor has handed in. */
  own: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: colour("ink"),
    muted: colour("muted"),
    edge: colour("edge"),
    card: colour("card"),
    sunk: colour("sunk"),
    accent: colour("accent"),
    danger: colour("danger"),
    raw: colour("raw"),
    inmemory: colour("inmemory"),
    small: colour("small"),
    big: colour("big"),
    onStage: colour("on-stage"),
    mono: colour("mono"),
    font: style.fontFamily,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    series: Array.from({ length: 12 }, (_, i) => colour(`series-${i + 1}`)),
    own: colour("series-own"),
  };
}

/** The ground below a single line, where the axis has its 0: below one that begins elsewhere it would be taken for an amount. */
export const filled =
  (stroke: string) =>
  ({ scales }: uPlot): string => {
    const { min = 0, max = 0 } = scales.y ?? {};
    return min <= 0 && max >= 0 ? `color-mix(in srgb, ${stroke} 12%, transparent)` : "transparent";
  };

/** A dozen colours that people with any sight can tell apart; with more series they come again. A visitor's own series has another one. */
const placeOf = (series: number): number => ((series % 12) + 12) % 12;
export const seriesColour = (palette: Palette, series: number): string =>
  series === OWN_SERIES ? palette.own : (palette.series[placeOf(series)] as string);

/** The same colour for what is no canvas. */
export const seriesVariable = (series: number): string => `var(--series-${series === OWN_SERIES ? "own" : placeOf(series) + 1})`;

/** Sand that becomes stone: the oftener written, the darker. */
export function partColour(palette: Palette, part: { class: "inmemory" | "small" | "big"; generation: number }): string {
  if (part.class === "inmemory") return palette.inmemory;
  if (part.class === "big") return palette.big;
  const share = Math.min(100, Math.max(0, (part.generation - 1) * 34));
  return `color-mix(in oklab, ${palette.small}, ${palette.big} ${share}%)`;
}
