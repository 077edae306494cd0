// Lines over time: uPlot draws them, a drag zooms, a click chooses a value, and what is under the pointer is told to the legend.

import "uplot/dist/uPlot.min.css";
import type { Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { filled } from "../drawing/palette";
import { TIME_STEPS } from "../model/format";
import { axisTime, axisValues, colourOf, dashOf, instantText, valueText } from "./figures";
import type { Line, Lines } from "./lines";
import style from "./explore.module.css";
import tooltip from "../drawing/chart.module.css";

export interface Cursor {
  /** Place on the axis of time. */
  index: number;
  left: number;
  top: number;
  width: number;
}

const AXIS_HEIGHT = 30;
const AXIS_WIDTH = 66;
const PADDING_RIGHT = 20;
const KEY_STEP = 8;
const SETTLED_MS = 400;
/** Lines that a tip at the pointer names. */
const MOST_TOLD = 8;

interface Props {
  lines: Lines;
  lit: ReadonlySet<string>;
  /** Milliseconds. */
  start: number;
  end: number;
  /** Each sample has a point. */
  isRaw: boolean;
  cursor: Signal<Cursor | undefined>;
  onZoom: (start: number, end: number) => void;
  onBack: () => void;
  /** A value was chosen: of this line, at this place on the axis of time. */
  onPick: (line: Line, at: number) => void;
}

export function LineChart({ lines, lit, start, end, isRaw, cursor, onZoom, onBack, onPick }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<{ uplot: uPlot; key: string } | undefined>(undefined);
  const [scheme, setScheme] = useState(0);
  const [told, setTold] = useState("");
  const telling = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const drawn = lines.lines.filter(({ key }) => lit.has(key));

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const watch = new ResizeObserver(() => plot.current?.uplot.setSize({ width: element.clientWidth, height: element.clientHeight }));
    watch.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => setScheme((count) => count + 1);
    dark.addEventListener("change", recolour);
    return () => {
      watch.disconnect();
      dark.removeEventListener("change", recolour);
      clearTimeout(telling.current);
      plot.current?.uplot.destroy();
      plot.current = undefined;
      cursor.value = undefined;
    };
  }, [cursor]);

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const key = `${drawn.map((line) => line.key).join()} ${lines.unit} ${isRaw} ${scheme}`;
    const data = [lines.times, ...drawn.map(({ column }) => column)] as uPlot.AlignedData;
    if (plot.current?.key !== key) {
      plot.current?.uplot.destroy();
      const options = optionsFor(element, lines, drawn, isRaw, (from, to) => zoom.current(from, to));
      options.hooks = {
        ...options.hooks,
        setCursor: [
          ({ cursor: { idx, left = -1, top = -1 }, over }) => {
            cursor.value = idx == null || left < 0 ? undefined : { index: idx, left, top, width: over.clientWidth };
          },
        ],
      };
      plot.current = { uplot: new uPlot(options, data, element), key };
    } else {
      plot.current.uplot.setData(data, false);
    }
    plot.current.uplot.setScale("x", { min: start / 1000, max: end / 1000 });
  }, [lines, lit, start, end, isRaw, scheme, cursor]);

  /** Chooses the value next to the crosshair. */
  const pick = () => {
    const at = cursor.peek();
    const uplot = plot.current?.uplot;
    const [nearest] = at && uplot ? valuesAt(lines, drawn, at, uplot) : [];
    if (at && nearest) onPick(nearest.line, at.index);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const uplot = plot.current?.uplot;
    if (!uplot) return;
    const { width, height } = uplot.over.getBoundingClientRect();
    const { left = -1 } = uplot.cursor;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const step = event.key === "ArrowRight" ? KEY_STEP : -KEY_STEP;
      uplot.setCursor({ left: left < 0 ? width - 1 : Math.min(width - 1, Math.max(0, left + step)), top: height / 2 });
      clearTimeout(telling.current);
      telling.current = setTimeout(() => setTold(cursor.peek() ? spoken(lines, drawn, cursor.peek() as Cursor) : ""), SETTLED_MS);
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      // From line to line, where the crosshair stands.
      const at = cursor.peek();
      if (!at) return;
      event.preventDefault();
      const there = valuesAt(lines, drawn, at, uplot).sort((a, b) => a.y - b.y);
      const next = event.key === "ArrowUp" ? there.findLast(({ y }) => y < at.top - 0.5) : there.find(({ y }) => y > at.top + 0.5);
      if (!next) return;
      uplot.setCursor({ left, top: next.y });
      setTold(`${next.line.name} ${valueText(next.value, lines.unit)}`);
    } else if (event.key === "Enter") {
      pick();
    } else if (event.key === "Escape") {
      uplot.setCursor({ left: -10, top: -10 });
      onBack();
    }
  };

  return (
    <div
      class={style.plot}
      ref={host}
      data-plot=""
      tabIndex={0}
      role="application"
      aria-roledescription="chart"
      aria-label={`Chart of ${drawn.length} ${drawn.length === 1 ? "series" : "series"}. Arrow keys move the crosshair, up and down to the next line; Enter chooses a value, Escape goes back to the range before.`}
      onKeyDown={onKeyDown}
      // uPlot lets no click through that ends a drag.
      onClick={pick}
      onDblClick={onBack}
    >
      <Tip lines={lines} drawn={drawn} cursor={cursor} plot={plot} />
      <p class="hidden" role="status">
        {told}
      </p>
    </div>
  );
}

/** The lines next to the pointer and what they say there. */
function Tip({
  lines,
  drawn,
  cursor,
  plot,
}: {
  lines: Lines;
  drawn: readonly Line[];
  cursor: Signal<Cursor | undefined>;
  plot: { current: { uplot: uPlot } | undefined };
}) {
  const at = cursor.value;
  const uplot = plot.current?.uplot;
  if (!at || !uplot) return null;
  const there = valuesAt(lines, drawn, at, uplot);
  const told = there.slice(0, MOST_TOLD).sort((a, b) => b.value - a.value);
  const isRight = at.left > at.width / 2;
  // No wider than there is room on its side.
  const room = `${isRight ? AXIS_WIDTH + at.left - 14 : at.width - at.left + PADDING_RIGHT - 12}px`;
  return (
    <div
      class={`${tooltip.tooltip} ${style.tip}`}
      data-tooltip=""
      aria-hidden="true"
      style={{
        maxWidth: `min(30rem, ${room})`,
        ...(isRight ? { right: `${PADDING_RIGHT + at.width - at.left + 14}px` } : { left: `${AXIS_WIDTH + at.left + 12}px` }),
      }}
    >
      <p>{instantText((lines.times[at.index] ?? 0) * 1000)}</p>
      <ul>
        {told.map(({ line, value }) => (
          <li key={line.key} class={line === there[0]?.line ? style.nearest : undefined}>
            <Swatch place={line.place} />
            <span class={tooltip.name}>{line.name}</span>
            <span class={tooltip.value}>{valueText(value, lines.unit)}</span>
          </li>
        ))}
      </ul>
      {there.length > told.length && <p>and {there.length - told.length} more</p>}
      {there.length === 0 && <p>no value</p>}
    </div>
  );
}

/** What the lines have where the crosshair stands, the nearest first. */
function valuesAt(lines: Lines, drawn: readonly Line[], at: Cursor, uplot: uPlot): { line: Line; value: number; y: number }[] {
  if (at.index >= lines.times.length) return [];
  return drawn
    .flatMap((line) => {
      const value = line.column[at.index];
      return value == null ? [] : [{ line, value, y: uplot.valToPos(value, "y") }];
    })
    .sort((a, b) => Math.abs(a.y - at.top) - Math.abs(b.y - at.top));
}

export function Swatch({ place }: { place: number }) {
  const dash = dashOf(place);
  return (
    <svg class={style.swatch} width="16" height="4" aria-hidden="true">
      <line
        x1="0"
        y1="2"
        x2="16"
        y2="2"
        stroke={`var(${colourOf(place)})`}
        stroke-width="3"
        stroke-dasharray={dash.map((length) => length / 1.5).join(" ")}
      />
    </svg>
  );
}

function spoken(lines: Lines, drawn: readonly Line[], { index }: Cursor): string {
  const said = drawn
    .slice(0, MOST_TOLD)
    .map(({ name, column }) => `${name} ${column[index] == null ? "no value" : valueText(column[index], lines.unit)}`);
  return `${instantText((lines.times[index] ?? 0) * 1000)}: ${said.join(", ")}`;
}

function optionsFor(
  element: HTMLElement,
  lines: Lines,
  drawn: readonly Line[],
  isRaw: boolean,
  onZoom: (start: number, end: number) => void,
): uPlot.Options {
  const computed = getComputedStyle(element);
  const colour = (name: string) => computed.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    font: `12px ${computed.fontFamily}`,
    grid: { stroke: colour("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    padding: [8, PADDING_RIGHT, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7, width: 1.5, fill: () => colour("--card") } },
    scales: { x: { time: true, auto: false }, y: { range: (_, low, high) => spread(low, high) } },
    axes: [
      {
        ...axis,
        size: AXIS_HEIGHT,
        gap: 8,
        space: element.clientWidth < 500 ? 66 : 84,
        values: (_, splits, __, ___, step) => splits.map((split) => axisTime(split, step)),
      },
      {
        ...axis,
        size: AXIS_WIDTH,
        space: 44,
        ...(lines.unit === "seconds" && { incrs: TIME_STEPS }),
        values: (_, splits, __, ___, step) => axisValues(splits, step, lines.unit),
      },
    ],
    series: [
      {},
      ...drawn.map(({ name, place }): uPlot.Series => {
        const stroke = colour(colourOf(place));
        // A value between two holes is no line: it is seen as a point.
        const points = isRaw ? { show: true, size: 4, fill: stroke } : { show: true, size: 4, fill: stroke, filter: alone };
        return {
          label: name,
          stroke,
          width: isRaw ? 1 : 1.6,
          dash: dashOf(place),
          points,
          ...(isRaw && { spanGaps: true }),
          ...(drawn.length === 1 && !isRaw && { fill: filled(stroke) }),
        };
      }),
    ],
    hooks: {
      setSelect: [
        (uplot) => {
          const { left, width } = uplot.select;
          if (width > 4) onZoom(uplot.posToVal(left, "x") * 1000, uplot.posToVal(left + width, "x") * 1000);
          uplot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Places of values that have a hole on both sides. */
function alone(uplot: uPlot, series: number): number[] {
  const column = uplot.data[series] as (number | null)[];
  return column.flatMap((value, i) => (value != null && column[i - 1] == null && column[i + 1] == null ? [i] : []));
}

/** From 0 on, unless all are far from it. */
function spread(low: number | null, high: number | null): [number, number] {
  if (low == null || high == null) return [0, 1];
  const width = high - low || Math.abs(high) || 1;
  const bottom = low >= 0 && low < width * 1.2 ? 0 : low - width * 0.1;
  return [bottom, high + width * 0.1];
}
