// The heap walks the block streams: the sources' real blocks, in the order in which a merge takes them.

import { useEffect, useRef, useState } from "preact/hooks";
import type { PartDetails } from "sandglass/inline";
import { readPalette, seriesColour } from "../drawing/palette";
import { plural } from "../model/format";
import type { Player } from "./player";
import style from "./heap_walk.module.css";
import panel from "./panel.module.css";

interface Head {
  source: number;
  series: number;
  tsid: string;
  time: number;
}

/** The order in which a heap of streams hands out their blocks: by TSID, then by time. */
export function walk(sources: readonly PartDetails["headers"][], seriesOf: (labels: Record<string, string> | null) => number): Head[] {
  const all = sources.flatMap((headers, source) =>
    headers.map((header) => ({ source, series: seriesOf(header.labels), tsid: header.tsid, time: header.minTimestamp })),
  );
  return all.sort((a, b) => (a.tsid < b.tsid ? -1 : a.tsid > b.tsid ? 1 : a.time - b.time));
}

const MOST_SOURCES = 15;

export function HeapWalk({ player }: { player: Player }) {
  player.beat.value;
  const canvas = useRef<HTMLCanvasElement>(null);
  const merge = player.reel.shown.value ?? player.house.lastMerge;
  const [known, setKnown] = useState<{ id: number; heads: Head[]; sources: number } | undefined>();
  const id = merge?.id;
  useEffect(() => {
    if (!merge) return;
    const headers = merge.sources.slice(0, MOST_SOURCES).map((part) => player.inspection.headersOf(part.id));
    if (headers.some((found) => found.length > 0))
      setKnown({ id: merge.id, heads: walk(headers, (labels) => player.seriesNumber(labels)), sources: headers.length });
    else setKnown(undefined);
  }, [id, player]);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !known) return;
    const palette = readPalette(element);
    // The place of each block in its source, and the longest source.
    const column = new Array<number>(known.sources).fill(0);
    const places = known.heads.map(({ source }) => (column[source] = (column[source] as number) + 1) - 1);
    const longest = Math.max(1, ...column);
    const row = 11;
    let asked = 0;
    /** Blocks that are drawn as taken; what was drawn stays, so that a frame costs what is new in it. */
    let drawn = -1;
    const draw = (at: number) => {
      const width = element.clientWidth;
      const height = known.sources * row + 46;
      const ratio = Math.min(2, devicePixelRatio);
      const shown = player.reel.shown.peek();
      const progress = shown?.id === known.id ? player.reel.progress(at) : 1;
      const done = Math.round(progress * known.heads.length);
      const step = Math.min(row - 1, (width - 16) / longest);
      const out = Math.min(row - 1, width / known.heads.length);
      if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio) || done < drawn) {
        element.width = Math.round(width * ratio);
        element.height = Math.round(height * ratio);
        element.style.height = `${height}px`;
        drawn = -1;
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const block = (i: number, alpha: number) => {
        const head = known.heads[i] as Head;
        context.fillStyle = seriesColour(palette, head.series);
        context.globalAlpha = alpha;
        context.fillRect((places[i] as number) * step, head.source * row, Math.max(0.8, step - 1), row - 2);
      };
      if (drawn < 0) {
        context.clearRect(0, 0, width, height);
        context.globalAlpha = 1;
        context.fillStyle = palette.sunk;
        for (let source = 0; source < known.sources; source++) context.fillRect(0, source * row, width, row - 2);
        for (let i = done; i < known.heads.length; i++) block(i, 1);
        drawn = 0;
      }
      for (let i = drawn; i < done; i++) {
        const { source, series } = known.heads[i] as Head;
        context.globalAlpha = 1;
        context.fillStyle = palette.sunk;
        context.fillRect((places[i] as number) * step, source * row, Math.max(0.8, step - 1), row - 2);
        block(i, 0.22);
        context.globalAlpha = 1;
        context.fillStyle = seriesColour(palette, series);
        context.fillRect(i * out, known.sources * row + 24, Math.max(0.8, out - (out > 4 ? 1 : 0)), 15);
      }
      drawn = done;
      context.globalAlpha = 1;
      context.clearRect(0, known.sources * row, width, 23);
      context.fillStyle = palette.muted;
      context.font = `11px ${palette.font}`;
      context.fillText(`↓ ${done} of ${known.heads.length} blocks, the smallest (TSID, time) first`, 0, known.sources * row + 15);
      if (shown?.id === known.id && progress < 1) asked = requestAnimationFrame(draw);
    };
    draw(performance.now());
    const again = new ResizeObserver(() => draw(performance.now()));
    again.observe(element);
    return () => {
      cancelAnimationFrame(asked);
      again.disconnect();
    };
  }, [known, player.reel.shown.value]);
  if (!merge || known?.id !== merge.id) return null;
  return (
    <section class={panel.panel} aria-labelledby="walk-title">
      <h2 id="walk-title">How it runs</h2>
      <canvas
        class={style.walk}
        ref={canvas}
        role="img"
        aria-label={`${plural(known.heads.length, "block")} of ${plural(known.sources, "source")}, merged in order of series and time`}
      />
      <p class="note">
        Each line is a source, each square one of its blocks in its series’ colour. Neighbours of one series are decoded and joined into
        blocks of up to 8,192 rows; a block that meets no other of its series is passed on as it is.
      </p>
    </section>
  );
}
