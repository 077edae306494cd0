// The chart: uPlot draws the lines; the legend and the readings under the crosshair are ours.

import type { ComponentChildren } from "preact";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Labels } from "sandglass";
import uPlot from "uplot";
import type { ChartFeed, Drawn } from "../chart_feed";
import type { Unit } from "../model/chart";
import { axisValues } from "../explore/figures";
import { bytes, compact, day, moment, significant, TIME_STEPS, timeScale } from "../model/format";
import { filled } from "./palette";
import style from "./chart.module.css";

/** Room for the labels of the values: the longest of each unit. */
const AXIS_WIDTH: Record<Unit, number> = { plain: 52, seconds: 60, share: 56, bytes: 78 };
const AXIS_HEIGHT = 30;
/** Room for half of the last label of the time axis. */
const PADDING_RIGHT = 18;
/** Arrow keys move the crosshair so far, in pixels. */
const KEY_STEP = 8;
/** A crosshair that keys move is told of when it has stopped for so long. */
const SETTLED_MS = 400;

interface Reading {
  time: number;
  /** Of each series: what it is at, or was last at before, the crosshair. */
  values: (number | null)[];
  left: number;
  width: number;
  /** What the labels of the values take, to the left of it. */
  axis: number;
}

/** A value of the chart that was chosen. */
export interface Chosen {
  labels: Labels;
  /** Milliseconds. */
  time: number;
  value: number;
  drawn: Drawn;
}

interface Props {
  feed: ChartFeed;
  /** What is said where there is nothing to draw. */
  nothing?: ComponentChildren;
  /** A value was chosen. */
  onPick?: (chosen: Chosen) => void;
}

export function Chart({ feed, nothing = "Nothing to draw in this time", onPick }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<{ uplot: uPlot; key: string } | undefined>(undefined);
  const [reading, setReading] = useState<Reading | undefined>();
  const [colours, setColours] = useState(0);
  /** What is told to listeners: where the keys have moved the crosshair to, not every place that a pointer comes by. */
  const [told, setTold] = useState("");
  const telling = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const isByKeys = useRef(false);
  const drawn = feed.drawn.value;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const watch = new ResizeObserver(() => {
      feed.pixels = Math.max(100, Math.round((element.clientWidth - AXIS_WIDTH.seconds) * devicePixelRatio));
      plot.current?.uplot.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    watch.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => setColours((count) => count + 1);
    scheme.addEventListener("change", recolour);
    return () => {
      watch.disconnect();
      scheme.removeEventListener("change", recolour);
      plot.current?.uplot.destroy();
      plot.current = undefined;
    };
  }, [feed]);

  useEffect(() => {
    const element = host.current;
    if (!element || !drawn) return;
    const key = `${drawn.key} ${drawn.unit} ${colours}`;
    const data = [drawn.table.times, ...drawn.table.columns] as uPlot.AlignedData;
    if (plot.current?.key !== key) {
      plot.current?.uplot.destroy();
      const options = optionsFor(drawn, element, (start, end) => {
        feed.fixed.value = { start: start * 1000, end: end * 1000 };
      });
      options.hooks = { ...options.hooks, setCursor: [(uplot) => setReading(readingAt(uplot))] };
      plot.current = { uplot: new uPlot(options, data, element), key };
    } else {
      plot.current.uplot.setData(data, false);
    }
    const { uplot } = plot.current;
    uplot.batch(() => {
      uplot.setScale("x", { min: drawn.start, max: drawn.end });
    });
  }, [drawn, colours, feed]);

  /** Chooses the value next to the crosshair. */
  const pick = () => {
    const uplot = plot.current?.uplot;
    const [nearest] = uplot ? valuesAt(uplot) : [];
    const labels = nearest && drawn?.labels[nearest.line];
    if (!nearest || !labels || !drawn) return;
    onPick?.({ labels, time: Math.round((drawn.table.times[nearest.row] ?? 0) * 1000), value: nearest.value, drawn });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const uplot = plot.current?.uplot;
    if (!uplot) return;
    const width = uplot.over.clientWidth;
    const left = uplot.cursor.left ?? -1;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const step = event.key === "ArrowRight" ? KEY_STEP : -KEY_STEP;
      isByKeys.current = true;
      uplot.setCursor({ left: left < 0 ? width - 1 : Math.min(width - 1, Math.max(0, left + step)), top: uplot.over.clientHeight / 2 });
    } else if (onPick && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      // From line to line, where the crosshair stands.
      const { top = 0 } = uplot.cursor;
      const there = valuesAt(uplot).sort((a, b) => a.y - b.y);
      const next = event.key === "ArrowUp" ? there.findLast(({ y }) => y < top - 0.5) : there.find(({ y }) => y > top + 0.5);
      event.preventDefault();
      if (!next || !drawn) return;
      uplot.setCursor({ left, top: next.y });
      setTold(`${drawn.names[next.line]} ${withUnit(next.value, drawn.unit, drawn.rate)}`);
    } else if (event.key === "Enter") {
      pick();
    } else if (event.key === "Escape") {
      uplot.setCursor({ left: -10, top: -10 });
      feed.fixed.value = undefined;
    }
  };

  useEffect(() => {
    if (!isByKeys.current || !drawn || !reading) return;
    isByKeys.current = false;
    clearTimeout(telling.current);
    telling.current = setTimeout(() => setTold(spoken(drawn, reading)), SETTLED_MS);
  }, [reading, drawn]);
  useEffect(() => () => clearTimeout(telling.current), []);

  const shownReading = drawn && reading && reading.values.length === drawn.names.length ? reading : undefined;
  return (
    <figure>
      <div
        class={style.plot}
        ref={host}
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={
          drawn
            ? `Chart of ${drawn.names.join(", ")}. Arrow keys move the crosshair${onPick ? ", up and down to the next line; Enter chooses a value" : ""}, Escape goes back to the present.`
            : "Chart"
        }
        onKeyDown={onKeyDown}
        // uPlot lets no click through that ends a drag.
        onClick={pick}
        onDblClick={() => (feed.fixed.value = undefined)}
      >
        {drawn && shownReading && <Tooltip drawn={drawn} reading={shownReading} />}
        {drawn && drawn.table.times.length === 0 && (isRefused(feed) ? <Refused feed={feed} /> : <p class="nothing">{nothing}</p>)}
      </div>
      <p class="hidden" role="status">
        {told}
      </p>
      <figcaption>
        <ul class={style.legend}>
          {drawn?.names.map((name, index) => {
            const value = shownReading ? shownReading.values[index] : lastOf(drawn.table.columns[index]);
            return (
              <li key={name + index}>
                <span class={style.swatch} style={{ background: `var(--line-${index + 1})` }} aria-hidden="true" />
                <span class={style.name} data-name="">
                  {name}
                </span>
                <span class={style.value}>{value == null ? "–" : withUnit(value, drawn.unit, drawn.rate)}</span>
              </li>
            );
          })}
        </ul>
      </figcaption>
    </figure>
  );
}

/** Nothing is drawn since the selector is none. */
export const isRefused = (feed: ChartFeed): boolean => feed.problem.value !== "" && feed.drawn.value?.key === "";

function Refused({ feed }: { feed: ChartFeed }) {
  return (
    <div class="nothing">
      <p class="reading problem" role="alert">
        {feed.problem.value}
      </p>
      <p>
        This box takes a selector, such as <code>{'node_load1{job="node"}'}</code>. Expressions are asked in <a href="#explore">Explore</a>.
      </p>
    </div>
  );
}

function Tooltip({ drawn, reading }: { drawn: Drawn; reading: Reading }) {
  const rightHalf = reading.left > reading.width / 2;
  return (
    <div
      class={style.tooltip}
      data-tooltip=""
      style={
        rightHalf ? { right: `${PADDING_RIGHT + reading.width - reading.left + 16}px` } : { left: `${reading.axis + reading.left + 14}px` }
      }
      aria-hidden="true"
    >
      <p>{moment(reading.time * 1000)}</p>
      <ul>
        {drawn.names.map((name, index) => (
          <li key={name + index}>
            <span class={style.swatch} style={{ background: `var(--line-${index + 1})` }} aria-hidden="true" />
            <span class={style.name}>{name}</span>
            <span class={style.value}>
              {reading.values[index] == null ? "–" : withUnit(reading.values[index] as number, drawn.unit, drawn.rate)}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function spoken(drawn: Drawn, { time, values }: Reading): string {
  const said = drawn.names.map(
    (name, i) => `${name} ${values[i] == null ? "nothing" : withUnit(values[i] as number, drawn.unit, drawn.rate)}`,
  );
  return `${moment(time * 1000)}: ${said.join(", ")}`;
}

function readingAt(uplot: uPlot): Reading | undefined {
  const { left = -1, idx } = uplot.cursor;
  if (left < 0 || idx == null) return undefined;
  const times = uplot.data[0];
  return {
    time: times[idx] ?? 0,
    values: uplot.data.slice(1).map((column) => before(column as Sparse, idx)),
    left,
    width: uplot.over.clientWidth,
    axis: uplot.over.offsetLeft,
  };
}

/** What each line has at the crosshair or had last before it, the nearest to it first. */
function valuesAt(uplot: uPlot): { line: number; row: number; value: number; y: number }[] {
  const { left = -1, top = 0, idx } = uplot.cursor;
  if (left < 0 || idx == null) return [];
  return uplot.data
    .slice(1)
    .flatMap((column, line) => {
      const row = rowBefore(column as Sparse, idx);
      const value = column[row];
      return value == null ? [] : [{ line, row, value, y: uplot.valToPos(value, "y") }];
    })
    .sort((a, b) => Math.abs(a.y - top) - Math.abs(b.y - top));
}

/** Labels of the axis of values, as short as they can be told apart. */
function axisTexts(values: number[], step: number, { unit, rate }: Drawn): string[] {
  const short = values.map((value) => withUnit(value, unit, rate));
  if (unit === "share" || new Set(short).size === short.length) return short;
  return axisValues(values, step, unit).map((text) => (rate && unit !== "seconds" ? `${text}/s` : text));
}

/** A digit is about this wide, in pixels, and so much stands beside a label. */
const DIGIT = 7;
const BESIDE = 12;

const axisWidth = (unit: Unit, labels: readonly string[] | null): number =>
  Math.max(AXIS_WIDTH[unit], ...(labels ?? []).map((label) => BESIDE + DIGIT * label.length));

/** A series has no sample of its own where it has nothing, not even a hole. */
type Sparse = readonly (number | null | undefined)[];

/** The row, or the last one before it where the series has a sample of its own or a hole; -1 when there is none. */
function rowBefore(column: Sparse, row: number): number {
  for (let i = row; i >= 0; i--) if (column[i] !== undefined) return i;
  return -1;
}

/** The value at a row, or the last one before it where the series has no sample of its own. */
const before = (column: Sparse, row: number): number | null => column[rowBefore(column, row)] ?? null;

function lastOf(column: readonly (number | null)[] | undefined): number | null {
  return column ? before(column, column.length - 1) : null;
}

function withUnit(value: number, unit: Unit, rate: boolean): string {
  if (unit === "bytes") return rate ? `${bytes(value)}/s` : bytes(value);
  if (unit === "share") return `${significant(value * 100)} %`;
  const plain = Math.abs(value) < 1000 ? significant(value) : compact(value);
  if (unit === "seconds") {
    const { seconds, name } = timeScale(Math.abs(value));
    return `${significant(value / seconds)} ${name}`;
  }
  return rate ? `${plain}/s` : plain;
}

function optionsFor(drawn: Drawn, element: HTMLElement, onZoom: (start: number, end: number) => void): uPlot.Options {
  const computed = getComputedStyle(element);
  const colour = (name: string) => computed.getPropertyValue(name).trim();
  const font = `12px ${computed.fontFamily}`;
  const axis = { stroke: colour("--muted"), font, grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
  const single = drawn.names.length === 1;
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    padding: [8, PADDING_RIGHT, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 7, width: 1.5, fill: () => colour("--card") },
    },
    scales: {
      x: { time: true, auto: false },
      y: { range: (_, low, high) => rangeOf(low, high, drawn.rate) },
    },
    axes: [
      { ...axis, size: AXIS_HEIGHT, gap: 8, space: element.clientWidth < 500 ? 58 : 76, values: timeLabels },
      {
        ...axis,
        size: (_, labels) => axisWidth(drawn.unit, labels),
        space: 44,
        ...(drawn.unit === "seconds" && { incrs: TIME_STEPS }),
        values: (_, splits, __, ___, step) => axisTexts(splits, step, drawn),
      },
    ],
    series: [
      {},
      ...drawn.names.map((name, index): uPlot.Series => {
        const stroke = colour(`--line-${index + 1}`);
        return {
          label: name,
          stroke,
          width: 1.6,
          // A sample with none beside it is no line: it is seen as a point.
          points: { show: true, size: 5, fill: stroke, filter: alone },
          ...(single && { fill: filled(stroke) }),
        };
      }),
    ],
    hooks: {
      setSelect: [
        (uplot) => {
          const { left, width } = uplot.select;
          if (width > 4) onZoom(uplot.posToVal(left, "x"), uplot.posToVal(left + width, "x"));
          uplot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Places of values with no other one before the next hole on either side. */
function alone(uplot: uPlot, series: number): number[] {
  const column = uplot.data[series] as (number | null | undefined)[];
  const places = column.flatMap((value, i) => (value === undefined ? [] : [i]));
  return places.filter((place, i) => {
    const beside = [places[i - 1], places[i + 1]].map((other) => (other === undefined ? null : column[other]));
    return column[place] !== null && beside.every((value) => value === null);
  });
}

/** Rates begin at 0; values too, unless they are all far from it. */
function rangeOf(low: number | null, high: number | null, rate: boolean): [number, number] {
  if (low == null || high == null) return [0, 1];
  const spread = high - low || Math.abs(high) || 1;
  const bottom = rate || (low >= 0 && low < spread * 1.2) ? Math.min(0, low) : low - spread * 0.12;
  return [bottom, high + spread * 0.12];
}

const pad = (value: number) => String(value).padStart(2, "0");

/** 24-hour times; the date where a new day begins. */
function timeLabels(_: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  return splits.map((seconds) => {
    const date = new Date(seconds * 1000);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
    if (step >= 86_400 || midnight) return day(seconds * 1000);
    const minutes = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
    return step < 60 ? `${minutes}:${pad(date.getSeconds())}` : minutes;
  });
}
