// A query's walk: what of the parts that are drawn a select of one series and a window of time passes over, reads and answers.

import { useEffect, useState } from "preact/hooks";
import type { BlockDetails, BlockHeader } from "sandglass/inline";
import { seriesVariable } from "../drawing/palette";
import { bytes, clock, grouped, plural } from "../model/format";
import type { Part } from "../model/parts";
import { type Span, type Walked, walked, within } from "../model/walk";
import { CLASS_WORD } from "../model/words";
import type { Lesson } from "./lesson";
import type { Player } from "./player";
import { seriesName } from "./zoom_view";
import style from "./walk_view.module.css";
import stage from "./lesson_stage.module.css";

/** Pixels of a part's line, and of the whole width, in the picture's own measure. */
const LINE = 13;
const WIDE = 1000;
/** The window at first: so much of all time, in its middle. */
const FIRST = [0.42, 0.62] as const;

export function WalkView({ player, lesson }: { player: Player; lesson: Lesson }) {
  player.beat.value;
  player.reel.version.value;
  const parts = player.house.parts();
  const [chosen, setChosen] = useState("");
  const [window, setWindow] = useState<Span | undefined>();
  const [decoded, setDecoded] = useState<{ key: string; blocks: BlockDetails[] } | undefined>();
  const headersOf = (part: Part) => player.inspection.headersOf(part.id);
  const series = seriesOf(parts, headersOf);
  const tsid = series.some(([id]) => id === chosen) ? chosen : (series.toSorted((a, b) => b[1].bytes - a[1].bytes)[0]?.[0] ?? "");
  const start = Math.min(...parts.map((part) => part.minTimestamp));
  const end = Math.max(...parts.map((part) => part.maxTimestamp));
  const span = window ?? { from: at(start, end, FIRST[0]), to: at(start, end, FIRST[1]) };
  const walk = parts.length === 0 ? undefined : walked(parts, headersOf, tsid, span);
  const wanted = walk?.parts.flatMap(({ part, wanted: blocks }) => blocks.map((block) => [part.id, block.at] as const)) ?? [];
  const key = `${player.history.value.situation} ${wanted.join(" ")}`;
  useEffect(() => {
    let here = true;
    Promise.all(wanted.map(([part, block]) => player.inspection.block(part, block)))
      .then((blocks) => {
        if (!here) return;
        setDecoded({ key, blocks });
        if (blocks.length === 0) return;
        player.house.searched(player.at.peek());
        player.beat.value++;
      })
      // Merged away meanwhile: what came of it is walked next.
      .catch(() => {});
    return () => {
      here = false;
    };
  }, [key, player]);
  const answer =
    decoded?.key === key
      ? within(
          decoded.blocks.map(({ timestamps, values }) => ({ timestamps: timestamps.integers, values })),
          span,
        )
      : undefined;
  const read = walk?.parts.filter(({ wanted: blocks }) => blocks.length > 0).length ?? 0;
  useEffect(() => {
    // What the first window happens to meet is nobody's answer.
    if (answer && window) lesson.walk.value = { partsRead: read, samples: answer.length };
  }, [answer?.length, read, window, lesson]);
  if (!walk || series.length === 0) return <p class="nothing">No part yet.</p>;
  const labels = series.find(([id]) => id === tsid)?.[1];
  const move = (edge: keyof Span, to: number) => {
    const moved = { ...span, [edge]: to };
    setWindow({ from: Math.min(moved.from, moved.to), to: Math.max(moved.from, moved.to) });
  };
  return (
    <section class={stage.lessonStage} aria-labelledby="query-walk-title">
      <div class={stage.stageTitle}>
        <h2 id="query-walk-title">What is read for the answer</h2>
        <label>
          <span class="hidden">Series</span>
          <select value={tsid} onChange={(event) => setChosen(event.currentTarget.value)}>
            {series.map(([id, { labels: of }]) => (
              <option key={id} value={id}>
                {of ? seriesName(of) : id}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Funnel walk={walk} series={series.length} tsid={tsid} read={read} samples={answer?.length} />
      <Lines walk={walk} span={span} start={start} end={end} colour={player.seriesNumber(labels?.labels ?? null)} />
      <div class={style.windowEdges}>
        {(["from", "to"] as const).map((edge) => (
          <label key={edge}>
            {edge === "from" ? "From" : "To"} <strong>{clock(span[edge])}</strong>
            <input
              type="range"
              min={start}
              max={end}
              step={100}
              value={span[edge]}
              aria-valuetext={clock(span[edge])}
              onInput={(event) => move(edge, Number(event.currentTarget.value))}
            />
          </label>
        ))}
      </div>
    </section>
  );
}

const at = (start: number, end: number, share: number): number => Math.round((start + (end - start) * share) / 1000) * 1000;

/** The series of these parts in the order of their TSIDs, with the bytes that their values take. */
function seriesOf(
  parts: readonly Part[],
  headersOf: (part: Part) => readonly BlockHeader[],
): [string, { labels: BlockHeader["labels"]; bytes: number }][] {
  const found = new Map<string, { labels: BlockHeader["labels"]; bytes: number }>();
  for (const part of parts) {
    for (const { tsid, labels, valuesBytes } of headersOf(part))
      found.set(tsid, { labels, bytes: (found.get(tsid)?.bytes ?? 0) + valuesBytes });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function Funnel(props: { walk: Walked<Part>; series: number; tsid: string; read: number; samples: number | undefined }) {
  const { walk, series, tsid, read, samples } = props;
  const meets = walk.parts.filter((part) => part.meets).length;
  const all = walk.parts.reduce((sum, { blocks }) => sum + blocks, 0);
  const wanted = walk.parts.reduce((sum, part) => sum + part.wanted.length, 0);
  const steps = [
    ["Index", `1 of ${plural(series, "series", "series")}`, `TSID …${tsid.slice(-6)}`],
    ["Parts", `${grouped(meets)} of ${plural(walk.parts.length, "part")}`, "whose time meets the window"],
    ["Blocks", `${grouped(wanted)} of ${plural(all, "block")}`, `of ${plural(read, "part")}, by their headers`],
    ["Rows", plural(walk.rows, "row"), `decoded from ${bytes(walk.bytes)}`],
    [
      "Answer",
      samples === undefined ? "…" : plural(samples, "sample"),
      samples ? `${(walk.rows / samples).toFixed(1)} rows for each` : "in the window",
    ],
  ] as const;
  return (
    <ol class={style.funnel}>
      {steps.map(([name, count, says]) => (
        <li key={name}>
          <span class="note">{name}</span>
          <strong>{count}</strong>
          <span class="note">{says}</span>
        </li>
      ))}
    </ol>
  );
}

function Lines(props: { walk: Walked<Part>; span: Span; start: number; end: number; colour: number }) {
  const { walk, span, start, end, colour } = props;
  const x = (time: number) => (WIDE * (time - start)) / Math.max(1, end - start);
  const height = walk.parts.length * LINE + 4;
  return (
    <svg
      class={style.walkLines}
      viewBox={`0 0 ${WIDE} ${height}`}
      preserveAspectRatio="none"
      style={{ height: `${Math.min(200, height)}px` }}
      role="img"
      aria-label={`${walk.parts.length} parts over time; ${walk.parts.filter((part) => part.wanted.length > 0).length} of them are read`}
    >
      <rect class={style.window} x={x(span.from)} y={0} width={Math.max(2, x(span.to) - x(span.from))} height={height} />
      {walk.parts.map(({ part, meets, wanted }, i) => (
        <g key={part.id} class={meets ? undefined : style.passed}>
          <title>
            {CLASS_WORD[part.class]} {part.id}: {plural(wanted.length, "block")} of it read
          </title>
          <rect
            class={style.ofPart}
            data-stage={part.class}
            x={x(part.minTimestamp)}
            y={i * LINE + 3}
            width={Math.max(3, x(part.maxTimestamp) - x(part.minTimestamp))}
            height={LINE - 4}
          />
          {wanted.map(({ at: place, header }) => (
            <rect
              key={place}
              class={style.ofBlock}
              data-read=""
              style={{ fill: seriesVariable(colour) }}
              x={x(header.minTimestamp)}
              y={i * LINE + 5}
              width={Math.max(3, x(header.maxTimestamp) - x(header.minTimestamp))}
              height={LINE - 8}
            />
          ))}
        </g>
      ))}
    </svg>
  );
}
