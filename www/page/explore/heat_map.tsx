// A histogram over time, drawn on a canvas: a cell for each bucket and instant, the darker the more observations.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Heat } from "./heat";
import { axisTime, instantText, valueText } from "./figures";
import { significant } from "../model/format";
import { stepFor } from "./times";
import style from "./explore.module.css";

const AXIS_WIDTH = 74;
const AXIS_HEIGHT = 28;
const PADDING = { top: 8, right: 16 };
const LEAST_ROW = 12;
const HEIGHT = 320;
const LABEL_SPACE = 18;

interface Cell {
  row: number;
  column: number;
}

export function HeatMap({
  heat,
  step,
  onZoom,
  onBack,
}: {
  heat: Heat;
  step: number;
  onZoom: (start: number, end: number) => void;
  onBack: () => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [scheme, setScheme] = useState(0);
  const [cell, setCell] = useState<Cell>();
  const [isByKeys, setByKeys] = useState(false);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const height = Math.max(HEIGHT, heat.rows.length * LEAST_ROW + AXIS_HEIGHT);
  const inner = { width: Math.max(1, width - AXIS_WIDTH - PADDING.right), height: height - AXIS_HEIGHT - PADDING.top };
  const columns = heat.times.length;

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => setScheme((count) => count + 1);
    dark.addEventListener("change", recolour);
    return () => {
      watch.disconnect();
      dark.removeEventListener("change", recolour);
    };
  }, []);

  useEffect(() => {
    if (canvas.current && width > 0) draw(canvas.current, heat, step, width, height);
  }, [heat, step, width, height, scheme]);

  const at = (event: PointerEvent): { cell: Cell | undefined; x: number } => {
    const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
    const x = Math.min(inner.width - 0.01, Math.max(0, event.clientX - left - AXIS_WIDTH));
    const y = event.clientY - top - PADDING.top;
    const row = heat.rows.length - 1 - Math.floor((y / inner.height) * heat.rows.length);
    return { x, cell: heat.rows[row] ? { row, column: Math.floor((x / inner.width) * columns) } : undefined };
  };
  const timeAt = (x: number) => (heat.times[0] ?? 0) + (x / inner.width) * columns * step;

  const onKeyDown = (event: KeyboardEvent) => {
    const [across, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (event.key === "Escape") return onBack();
    if (across === undefined || up === undefined) return;
    event.preventDefault();
    setByKeys(true);
    setCell(
      cell
        ? {
            row: Math.min(heat.rows.length - 1, Math.max(0, cell.row + up)),
            column: Math.min(columns - 1, Math.max(0, cell.column + across)),
          }
        : { row: 0, column: columns - 1 },
    );
  };

  const told = cell && heat.rows[cell.row] && cell.column < columns ? tell(heat, cell) : "";
  return (
    <div>
      <div
        class={style.heat}
        data-heat=""
        style={{ height: `${height}px` }}
        tabIndex={0}
        role="application"
        aria-roledescription="heat map"
        aria-label={`Heat map of ${heat.rows.length} buckets over ${columns} instants. Arrow keys go from cell to cell, Escape goes back to the range before.`}
        onKeyDown={onKeyDown}
        onPointerMove={(event) => {
          const place = at(event);
          setByKeys(false);
          setCell(place.cell);
          if (drag) setDrag({ ...drag, to: place.x });
        }}
        onPointerLeave={() => setCell(undefined)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const { x } = at(event);
          setDrag({ from: x, to: x });
        }}
        onPointerUp={() => {
          if (drag && Math.abs(drag.to - drag.from) > 4) onZoom(timeAt(Math.min(drag.from, drag.to)), timeAt(Math.max(drag.from, drag.to)));
          setDrag(undefined);
        }}
        onPointerCancel={() => setDrag(undefined)}
        onDblClick={onBack}
      >
        <canvas ref={canvas} style={{ width: "100%", height: `${height}px` }} />
        {cell && (
          <i
            class={style.cell}
            style={{
              left: `${AXIS_WIDTH + (cell.column / columns) * inner.width}px`,
              width: `${Math.max(2, inner.width / columns)}px`,
              top: `${PADDING.top + ((heat.rows.length - 1 - cell.row) / heat.rows.length) * inner.height}px`,
              height: `${inner.height / heat.rows.length}px`,
            }}
          />
        )}
        {drag && (
          <i
            class={style.chosen}
            style={{
              left: `${AXIS_WIDTH + Math.min(drag.from, drag.to)}px`,
              width: `${Math.abs(drag.to - drag.from)}px`,
              top: `${PADDING.top}px`,
              height: `${inner.height}px`,
            }}
          />
        )}
      </div>
      <p class="reading">{told || `Each cell is a bucket at an instant; the fullest has ${valueText(heat.max, "plain")}.`}</p>
      <p class="hidden" role="status">
        {isByKeys ? told : ""}
      </p>
      {heat.histograms > 1 && (
        <p class="note">{heat.histograms} histograms are added up. A query such as sum by (le) (rate(…)) says which.</p>
      )}
    </div>
  );
}

const bound = (value: number): string => (Number.isFinite(value) ? significant(value) : value > 0 ? "∞" : "−∞");

function tell(heat: Heat, { row, column }: Cell): string {
  const { low, high, counts } = heat.rows[row] as Heat["rows"][number];
  return `${instantText(heat.times[column] ?? 0)}, above ${bound(low)} up to ${bound(high)}: ${valueText(counts[column], "plain")}`;
}

function draw(canvas: HTMLCanvasElement, heat: Heat, step: number, width: number, height: number): void {
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (!context) return;
  const computed = getComputedStyle(canvas);
  const colour = (name: string) => computed.getPropertyValue(name).trim();
  context.scale(scale, scale);
  context.clearRect(0, 0, width, height);
  const inner = { width: width - AXIS_WIDTH - PADDING.right, height: height - AXIS_HEIGHT - PADDING.top };
  const cell = { width: inner.width / heat.times.length, height: inner.height / heat.rows.length };
  context.fillStyle = colour("--sunk");
  context.fillRect(AXIS_WIDTH, PADDING.top, inner.width, inner.height);
  context.fillStyle = colour("--accent");
  heat.rows.forEach(({ counts }, row) => {
    const y = PADDING.top + (heat.rows.length - 1 - row) * cell.height;
    counts.forEach((count, column) => {
      if (!(count > 0)) return;
      // By the root, so that a few are seen beside many.
      context.globalAlpha = 0.12 + 0.88 * Math.sqrt(count / heat.max);
      const x = AXIS_WIDTH + column * cell.width;
      context.fillRect(x, y + 0.5, Math.max(1, cell.width - (cell.width > 4 ? 0.5 : 0)), Math.max(1, cell.height - 1));
    });
  });
  context.globalAlpha = 1;
  context.fillStyle = colour("--muted");
  context.font = `12px ${computed.fontFamily}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const every = Math.ceil(LABEL_SPACE / cell.height);
  heat.rows.forEach(({ high }, row) => {
    if (row % every === 0)
      context.fillText(
        bound(high),
        AXIS_WIDTH - 8,
        PADDING.top + (heat.rows.length - 1 - row) * cell.height + Math.min(cell.height / 2, 8),
      );
  });
  context.textAlign = "center";
  const start = heat.times[0] ?? 0;
  const range = heat.times.length * step;
  const between = stepFor(range, Math.max(2, Math.floor(inner.width / 70)));
  // Round by the reader's clock.
  const zone = new Date(start).getTimezoneOffset() * 60e3;
  for (let time = Math.ceil((start - zone) / between) * between + zone; time < start + range; time += between) {
    const x = AXIS_WIDTH + ((time - start) / range) * inner.width;
    if (x < width - PADDING.right - 18) context.fillText(axisTime(time / 1000, between / 1000), x, height - AXIS_HEIGHT / 2);
  }
}
