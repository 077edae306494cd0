// The partitions, a lane each: raw rows, parts in memory, small parts, big parts, and the merges between them.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { bytes, compact, grouped, many, month, plural } from "../model/format";
import { bigPartBytes, emptyPartition, type Part, type Partition } from "../model/parts";
import { rowsInParts } from "../model/rows";
import { CLASS_WORD } from "../model/words";
import type { Session } from "../session";
import style from "./lanes.module.css";
import swatch from "./stage_swatch.module.css";
import { type Block, type Box, type Lane, layOut, NOTHING, ZONES, type ZoneName } from "./layout";

/** Below this width the zones stand one above the other. */
const STACK_BELOW = 560;
/** From this width on there is room for more than the zones' names. */
const CAPTION_TEXTS_FROM = 760;
/** Lanes shown; older months are told in one line. */
const MOST_LANES = 3;

const CAPTION: Record<ZoneName, { title: string; text: string }> = {
  raw: { title: "Raw rows", text: "just arrived" },
  inmemory: { title: "In memory", text: "searchable within a second" },
  small: { title: "Small parts", text: "merged and written" },
  big: { title: "Big parts", text: "merged seldom" },
};

export function Lanes(props: { session: Session; pointed: Part | undefined; onPoint: (part: Part | undefined) => void }) {
  const { session } = props;
  session.frame.value;
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    setWidth(element.clientWidth);
    return () => watch.disconnect();
  }, []);
  const stacked = width < STACK_BELOW;
  const at = performance.now();
  const partitions = [...session.model.partitions.values()].sort((a, b) => (a.name < b.name ? 1 : -1));
  const shown = partitions.slice(0, MOST_LANES);
  const older = partitions.slice(MOST_LANES);
  return (
    <div class={style.lanes} ref={frame}>
      {!stacked && width > 0 && <Captions width={width} bigFrom={bigPartBytes(session.state.value?.config.memoryBytes ?? 0)} />}
      {width > 0 &&
        shown.map((partition) => (
          <LaneView
            key={partition.name}
            partition={partition}
            lane={layOut(partition, session.lingering.of(partition.name), width, stacked, at)}
            {...props}
          />
        ))}
      {width > 0 && shown.length === 0 && <div class={style.laneEmpty} />}
      {older.length > 0 && (
        <p class="hint">
          and {plural(older.length, "older month")} with{" "}
          {plural(
            older.reduce((sum, { parts }) => sum + parts.size, 0),
            "part",
          )}
        </p>
      )}
    </div>
  );
}

const px = (length: number): string => `${length}px`;

const placed = (box: Box) => ({ left: px(box.x), top: px(box.y), width: px(box.width), height: px(box.height) });

function Captions({ width, bigFrom }: { width: number; bigFrom: number }) {
  const { zones } = layOut(emptyPartition(""), NOTHING, width, false, 0);
  return (
    <div class={style.captions} aria-hidden="true">
      {zones.map((zone) => (
        <div
          key={zone.name}
          class={style.caption}
          data-stage={zone.name}
          data-caption=""
          style={{ left: px(zone.x), width: px(zone.width) }}
        >
          <strong class={swatch.named}>{CAPTION[zone.name].title}</strong>
          {width >= CAPTION_TEXTS_FROM && <span>{zone.name === "big" ? `above ${bytes(bigFrom)}` : CAPTION[zone.name].text}</span>}
        </div>
      ))}
    </div>
  );
}

function LaneView(props: { partition: Partition; lane: Lane; pointed: Part | undefined; onPoint: (part: Part | undefined) => void }) {
  const { partition, lane, pointed, onPoint } = props;
  const name = month(partition.name);
  const rows = rowsInParts(partition.parts.values());
  const size = [...partition.parts.values()].reduce((sum, part) => sum + part.bytes, 0);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const blocks = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button:not([aria-hidden=true])")];
    const here = blocks.indexOf(document.activeElement as HTMLElement);
    blocks[(here + step + blocks.length) % blocks.length]?.focus();
  };

  const first = lane.blocks.find((block) => block.part.retiredAt === undefined)?.part.id;
  const stops = lane.blocks.some((block) => block.part === pointed) ? pointed?.id : first;
  return (
    <section class={style.lane} aria-label={`Partition ${name.month} ${name.year}`}>
      <header>
        <h3>
          {name.month} <span>{name.year}</span>
        </h3>
        <p>
          {plural(rows, "row")} in {plural(partition.parts.size, "part")}, {bytes(size)}
          {partition.merges.size > 0 && <span class={style.mergingWord}> · merging</span>}
        </p>
      </header>
      <div class={style.stage} style={{ height: px(lane.height) }} onKeyDown={onKeyDown}>
        {lane.zones.map((zone) => (
          <div key={zone.name} class={style.zone} data-stage={zone.name} style={placed(zone)}>
            {lane.stacked && (
              <p class={style.zoneCaption}>
                <strong class={swatch.named}>{CAPTION[zone.name].title}</strong>
              </p>
            )}
            {zone.name === "big" && zone.empty && <p class={style.zoneEmpty}>none yet</p>}
          </div>
        ))}
        {!lane.stacked && <Arrows lane={lane} />}
        {lane.shards.map((shard, index) => {
          const share = shard.capacity > 0 ? Math.min(1, shard.rows / shard.capacity) : 0;
          return (
            <div
              // A shard is its place.
              key={index}
              class={style.shard}
              role="img"
              aria-label={`Raw rows, shard ${index + 1}: ${grouped(shard.rows)} of ${grouped(shard.capacity)}`}
              style={placed(shard)}
            >
              <div class={style.sand} style={{ transform: `scaleY(${shard.rows > 0 ? Math.max(0.03, share) : 0})` }} />
              <span class={style.count}>{shard.rows > 0 ? compact(shard.rows) : ""}</span>
              <span class={style.capacity}>of {compact(shard.capacity)}</span>
            </div>
          );
        })}
        <svg class={style.flows} width={lane.width} height={lane.height} aria-hidden="true">
          {lane.flows.map((flow) => (
            <path key={flow.key} d={flow.path} data-stage={flow.into} />
          ))}
        </svg>
        {lane.forming.map(({ merge, x, y, width, height }) => (
          <div
            key={`merge-${merge.id}`}
            class={style.forming}
            data-stage={merge.outputClass}
            role="img"
            aria-label={`Merging ${plural(merge.sources.length, "part")}, ${Math.round((100 * merge.rowsDone) / Math.max(1, merge.rows))} % done`}
            style={{ translate: `${x}px ${y}px`, width: px(width), height: px(height) }}
          >
            <div style={{ transform: `scaleY(${merge.rowsDone / Math.max(1, merge.rows)})` }} />
          </div>
        ))}
        {lane.blocks.map((block) => (
          <BlockView key={block.part.id} block={block} pointed={block.part === pointed} stop={block.part.id === stops} onPoint={onPoint} />
        ))}
      </div>
    </section>
  );
}

function BlockView(props: { block: Block; pointed: boolean; stop: boolean; onPoint: (part: Part | undefined) => void }) {
  const { part, x, y, width, height, labelled, fromX, fromY, leaving } = props.block;
  const classes = [style.block];
  if (!part.isFound) classes.push(style.born);
  if (part.readBy !== undefined) classes.push(style.merging);
  if (leaving) classes.push(style.retired);
  if (props.pointed) classes.push(style.pointed);
  return (
    <button
      type="button"
      class={classes.join(" ")}
      data-stage={part.class}
      tabIndex={props.stop && !leaving ? 0 : -1}
      aria-label={`${many(part.rows, "row")}: ${CLASS_WORD[part.class]}, ${bytes(part.bytes)}`}
      aria-hidden={leaving}
      style={{ translate: `${x}px ${y}px`, width: px(width), height: px(height), "--from-x": px(fromX), "--from-y": px(fromY) }}
      onPointerEnter={() => props.onPoint(part)}
      onFocus={() => props.onPoint(part)}
      onClick={() => props.onPoint(part)}
    >
      {labelled && <span class={style.rows}>{compact(part.rows)}</span>}
    </button>
  );
}

/** The way rows take, in the gaps between the zones. */
function Arrows({ lane }: { lane: Lane }) {
  return (
    <svg class={style.arrows} width={lane.width} height={lane.height} aria-hidden="true">
      {ZONES.slice(1).map((name, index) => {
        const before = lane.zones[index];
        const after = lane.zones[index + 1];
        if (!before || !after) return null;
        const x = (before.x + before.width + after.x) / 2;
        const y = lane.height / 2;
        return <path key={name} d={`M${x - 3} ${y - 6}L${x + 3} ${y}L${x - 3} ${y + 6}`} />;
      })}
    </svg>
  );
}
