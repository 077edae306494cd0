// The time line of merges: each line a part on disk from when it came to when it was merged away, each dot a merge.

import { useMemo } from "preact/hooks";
import { bytes, plural } from "../model/format";
import { type Lineage, lineageOf } from "../model/lineage";
import { CLASS_WORD } from "../model/words";
import type { Player } from "./player";
import { clockOf } from "./transport";
import style from "./lineage_view.module.css";
import panel from "./panel.module.css";

const WIDE = 1000;
const LEAST_HIGH = 90;
const MOST_HIGH = 230;
const LINE = 9;
/** Half of a dot, which the picture ends with. */
const EDGE = 12;

export function LineageView({
  player,
  chosen,
  onChoose,
}: {
  player: Player;
  chosen: number | undefined;
  onChoose: (merge: number | undefined) => void;
}) {
  player.beat.value;
  const { house } = player;
  // Once a second is often enough for what only grows to the right.
  const now = Math.ceil(player.at.peek() / 1000) * 1000;
  const shape = `${house.merges.length} ${house.lastMerge?.id} ${house.lastMerge?.finishedAt} ${house.steps.get("swap")?.times} ${house.steps.get("disk")?.times} ${house.crashes.length}`;
  // What is the same as before is not even compared: there can be hundreds of lines.
  return useMemo(() => {
    const lineage = lineageOf(house, now);
    return lineage.parts.length === 0 ? null : <Tree lineage={lineage} now={now} chosen={chosen} onChoose={onChoose} />;
  }, [house, now, shape, chosen, onChoose]);
}

function Tree({
  lineage,
  now,
  chosen,
  onChoose,
}: {
  lineage: Lineage;
  now: number;
  chosen: number | undefined;
  onChoose: (merge: number | undefined) => void;
}) {
  const { parts, merges, from } = lineage;
  const leaves = parts.length - merges.length;
  const height = Math.min(MOST_HIGH, Math.max(LEAST_HIGH, leaves * LINE));
  const long = Math.max(1, now - from);
  const x = (time: number) => (WIDE * (time - from)) / long;
  const y = (share: number) => EDGE + share * (height - 2 * EDGE);
  return (
    <section class={`${panel.panel} ${style.lineage}`} aria-labelledby="lineage-title">
      <h2 id="lineage-title">Which part came from which</h2>
      <div class={style.lineagePicture} style={{ height: `${height}px` }}>
        <svg
          viewBox={`0 0 ${WIDE} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Time line of ${plural(parts.length, "part")} and ${plural(merges.length, "merge")}`}
        >
          {merges.flatMap(({ merge, at, y: to, sources }) =>
            sources.map((source, i) => (
              <path
                key={`${merge.id}.${i}`}
                class={merge.id === chosen ? `${style.join} ${style.chosen}` : style.join}
                d={`M${x(at) - 16} ${y(source)}C${x(at) - 6} ${y(source)} ${x(at) - 10} ${y(to)} ${x(at)} ${y(to)}`}
              />
            )),
          )}
          {parts.map(({ part, from: born, to, y: place, isAlive }) => (
            <line
              key={`${part.partition}.${part.id}`}
              class={isAlive ? style.alive : undefined}
              data-stage={part.class}
              x1={x(born)}
              x2={Math.max(x(born) + 2, isAlive ? x(to) : x(to) - 16)}
              y1={y(place)}
              y2={y(place)}
            >
              <title>
                {CLASS_WORD[part.class]} {part.id}: {plural(part.rows, "row")}, {bytes(part.bytes)}
              </title>
            </line>
          ))}
        </svg>
        {merges.map(({ merge, at, y: place }) => (
          <button
            key={merge.id}
            type="button"
            class={style.mergeDot}
            aria-pressed={merge.id === chosen}
            aria-label={`Merge of ${plural(merge.sources.length, "part")} at ${clockOf(at)}: ${bytes(merge.bytes)} became ${bytes(merge.output?.bytes ?? 0)}`}
            title={`${plural(merge.sources.length, "part")}, ${bytes(merge.bytes)} became ${bytes(merge.output?.bytes ?? 0)}`}
            style={{ left: `${(100 * x(at)) / WIDE}%`, top: `${y(place)}px` }}
            onClick={() => onChoose(merge.id === chosen ? undefined : merge.id)}
          />
        ))}
      </div>
      <p class="note">
        From {clockOf(from)} to now. Each line is a part on disk, from when it was written to when it was merged away; each dot is a merge,
        to be looked at when it is chosen.
      </p>
    </section>
  );
}
