// The picture: a canvas with the glasses, and what can be pointed at in it by mouse, finger and keys.

import { effect } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Palette, readPalette } from "../drawing/palette";
import { Stage } from "../drawing/stage";
import { bytes, duration, grouped, month as monthName, plural, significant } from "../model/format";
import { bigPartBytes, type Part } from "../model/parts";
import { CLASS_WORD } from "../model/words";
import type { Player } from "./player";
import style from "./glass_view.module.css";

const reduced = matchMedia("(prefers-reduced-motion: reduce)");

export function GlassView({ player, pointedSnapshot }: { player: Player; pointedSnapshot: string | undefined }) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stage | undefined>(undefined);
  stage.current ??= new Stage();
  const palette = useRef<Palette | undefined>(undefined);
  const [pointed, setPointed] = useState<{ part: Part; x: number; y: number } | undefined>();
  /** What is told to listeners: the part that keys have chosen, not every one that a pointer comes by. */
  const [told, setTold] = useState("");
  const selected = useRef<number | undefined>(undefined);
  const snapshot = useRef<string | undefined>(undefined);
  snapshot.current = pointedSnapshot;

  useLayoutEffect(() => {
    const element = canvas.current;
    const around = frame.current;
    const context = element?.getContext("2d");
    if (!element || !around || !context) return;
    let width = 0;
    let height = 0;
    let asked = 0;
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const draw = (at: number) => {
      asked = 0;
      const { house } = player;
      const merge = player.reel.shown.peek();
      palette.current ??= readPalette(around);
      const ratio = Math.min(2, devicePixelRatio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const linked =
        snapshot.current === undefined
          ? NOTHING
          : new Set(house.snapshots.find(({ name }) => name === snapshot.current)?.linked.map(({ id }) => id));
      const capacity = player.state.peek()?.partitions[0]?.shards[0]?.capacity ?? 0;
      const moves = (stage.current as Stage).draw(
        context,
        width,
        height,
        {
          house,
          focus: player.look.zoom.peek()[0],
          selected: selected.current,
          linked,
          merging: merge ? { sources: merge.sources, progress: player.reel.progress(at) } : undefined,
          compositions: player.inspection.compositions,
          capacity,
          bigFrom: bigPartBytes(player.state.peek()?.config.memoryBytes ?? 0),
          nextFlush: nextFlush(player),
          reducedMotion: reduced.matches,
        },
        palette.current,
        at,
      );
      if (moves) redraw();
    };
    // A frame is asked for when there is something to draw, and by nothing else.
    const redraw = () => {
      if (asked === 0) asked = requestAnimationFrame(draw);
    };
    const resize = () => {
      width = around.clientWidth;
      height = around.clientHeight;
      const ratio = Math.min(2, devicePixelRatio);
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      redraw();
    };
    const recolour = () => {
      palette.current = undefined;
      redraw();
    };
    const watch = new ResizeObserver(resize);
    watch.observe(around);
    resize();
    scheme.addEventListener("change", recolour);
    element.addEventListener("redraw", redraw);
    const stopWatching = effect(() => {
      player.reel.version.value;
      player.at.value;
      player.reel.shown.value;
      player.look.zoom.value;
      player.state.value;
      redraw();
    });
    return () => {
      cancelAnimationFrame(asked);
      watch.disconnect();
      stopWatching();
      scheme.removeEventListener("change", recolour);
      element.removeEventListener("redraw", redraw);
    };
  }, [player]);

  useEffect(() => {
    canvas.current?.dispatchEvent(new Event("redraw"));
  }, [pointedSnapshot]);

  const point = (event: { clientX: number; clientY: number }) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return {};
    return stage.current?.hit(event.clientX - box.left, event.clientY - box.top) ?? {};
  };
  const show = (part: Part | undefined) => {
    selected.current = part?.id;
    const place = part && stage.current?.placeOf(part.id);
    setPointed(part && place ? { part, x: place.x + place.width / 2, y: place.y } : undefined);
    canvas.current?.dispatchEvent(new Event("redraw"));
  };
  const open = ({ part, month }: { part?: Part; month?: string }) => {
    const place = part && stage.current?.placeOf(part.id);
    const around = frame.current;
    if (place && around)
      player.look.zoomFrom = { x: (place.x + place.width / 2) / around.clientWidth, y: (place.y + place.height / 2) / around.clientHeight };
    show(undefined);
    if (part) void player.look.zoomTo([part.partition, String(part.id)]);
    else if (month !== undefined && player.house.engine.partitions.size > 1 && player.look.zoom.value.length === 0)
      void player.look.zoomTo([month]);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const bricks = stage.current?.scene.glasses.flatMap((glass) => glass.bricks) ?? [];
    if (bricks.length === 0) return;
    const here = bricks.findIndex(({ part }) => part.id === selected.current);
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const part = bricks[(Math.max(here, step > 0 ? -1 : 0) + step + bricks.length) % bricks.length]?.part;
      show(part);
      setTold(part ? `${CLASS_WORD[part.class]} ${part.id}, ${plural(part.rows, "row")}, ${bytes(part.bytes)}` : "");
    } else if (event.key === "Enter" && here >= 0) {
      event.preventDefault();
      open(bricks[here] as { part: Part });
    }
  };

  player.beat.value;
  const parts = player.house.parts();
  const spoken = `Picture of the engine: ${plural(player.house.engine.partitions.size, "month")}, ${plural(parts.length, "part")}. Arrow keys choose a part, Enter looks into it.`;
  return (
    <div class={style.glass} ref={frame}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={spoken}
        style={{ cursor: pointed ? "zoom-in" : "default" }}
        onPointerMove={(event) => event.pointerType === "mouse" && show(point(event).part)}
        onPointerLeave={() => show(undefined)}
        onClick={(event) => open(point(event))}
        onKeyDown={onKeyDown}
      />
      <p class="hidden" role="status">
        {told}
      </p>
      {pointed && (
        <div class={style.bubble} data-bubble="" aria-hidden="true" style={{ left: `${pointed.x}px`, top: `${pointed.y}px` }}>
          <PartFacts part={pointed.part} now={player.at.peek()} />
        </div>
      )}
    </div>
  );
}

/** Of the newest month: the one that is written to. */
function nextFlush(player: Player): { rawRows: number; disk: number } | undefined {
  const state = player.state.peek();
  const partition = state?.partitions.at(-1);
  if (!state || !partition) return undefined;
  const now = player.at.peek() + player.situation.peek().startTime;
  // The state is a moment older than the picture; flushes come at whole intervals.
  const until = (next: number, interval: number) => (next - now > 0 ? next - now : interval + ((next - now) % interval));
  return { rawRows: until(partition.nextRawRowsFlush, 1000), disk: until(partition.nextDiskFlush, 5000) };
}

const NOTHING: ReadonlySet<number> = new Set();

export function PartFacts({ part, now }: { part: Part; now: number }) {
  const { month } = monthName(part.partition);
  return (
    <>
      <strong>
        {CLASS_WORD[part.class]} {part.id}
      </strong>
      <span>
        {month}, {plural(part.rows, "row")} in {plural(part.blocks, "block")}
      </span>
      <span>
        {bytes(part.bytes)}, {significant(part.bytes / Math.max(1, part.rows))} bytes a sample
      </span>
      <span>
        spans {duration(part.maxTimestamp - part.minTimestamp)}, {duration(Math.max(0, now - part.bornAt))} old
        {part.class !== "inmemory" && `, written ${part.generation === 1 ? "once" : `${grouped(part.generation)} times`}`}
      </span>
    </>
  );
}
