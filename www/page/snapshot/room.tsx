// A snapshot that was dropped into the page: what is in it, down to its bytes, and what is wrong with it.

import { useEffect, useRef, useState } from "preact/hooks";
import { EMPTY, hashOf } from "../explore/address";
import { ZoomView } from "../inside/zoom_view";
import { bytes, day, grouped, month as monthName, perSample, plural } from "../model/format";
import { exactly } from "../model/selector";
import { messageOf } from "../model/trouble";
import { PickableChart } from "../sample/pickable_chart";
import { save } from "../save";
import { ReadingLine, TakeAlong } from "../views/chart_card";
import { Segmented } from "../views/segmented";
import { SelectorInput } from "../views/selector_input";
import { Browser, Heavy } from "./heavy";
import { Keep } from "./keep";
import type { BadPart, OpenedSnapshot, Whereabouts } from "./opened";
import style from "./room.module.css";
import intro from "../views/intro.module.css";
import figures from "../views/figures.module.css";
import chart from "../views/chart_card.module.css";
import trouble from "../views/trouble_card.module.css";
import zoom from "../inside/zoom_view.module.css";

export { OpenedSnapshot } from "./opened";

/** What is true of it while it is open. */
const WHEREABOUTS: Record<Whereabouts, string> = {
  "in place": "The page reads it where it lies, and only what is asked for. Nothing is sent anywhere, and nothing of it is changed.",
  unpacked: "It was unpacked into this tab’s memory. Nothing is sent anywhere, and the file stays as it is.",
  samples: "Its samples were read into this tab’s memory. Nothing is sent anywhere, and the text stays as it is.",
  kept: "The page only reads it. Its engine may still merge its parts, which changes no sample.",
};

export function SnapshotRoom({ snapshot, onClose }: { snapshot: OpenedSnapshot; onClose: () => void }) {
  const state = snapshot.state.value;
  const parts = state?.partitions.flatMap((partition) => partition.parts) ?? [];
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const size = parts.reduce((sum, part) => sum + part.bytes, 0);
  const { start, end } = snapshot.whole();
  // What is missing comes before what is there. What is found later stays where it was looked for.
  const [isBroken] = useState(snapshot.bad.peek().length > 0);
  return (
    <>
      <section class={`${intro.intro} ${style.openedIntro}`} aria-labelledby="opened-title">
        <div>
          <h1 id="opened-title">{snapshot.name}</h1>
          <p>
            {snapshot.origin}, {bytes(snapshot.bytes)}. {WHEREABOUTS[snapshot.whereabouts]}
          </p>
        </div>
        <div class="controls">
          {parts.length > 0 && (
            <a class="button" href={hashOf({ ...EMPTY, ...snapshot.source })}>
              Explore it
            </a>
          )}
          <button type="button" onClick={onClose}>
            Close it
          </button>
        </div>
      </section>
      <dl class={figures.figures} aria-label="What is in it">
        <Figure name="samples" value={grouped(rows)} note={parts.length > 0 ? daysOf(start, end) : "no part holds any"} />
        <Figure
          name="series"
          value={grouped(snapshot.series.value)}
          note={`in the index of ${plural(state?.index?.tables.reduce((sum, table) => sum + table.parts.length, 0) ?? 0, "part")}`}
        />
        <Figure name="bytes a sample" value={perSample(size / rows)} note={`${bytes(size)} of data`} />
        <Figure
          name={state?.partitions.length === 1 ? "month" : "months"}
          value={grouped(state?.partitions.length ?? 0)}
          note={plural(parts.length, "part")}
        />
      </dl>
      <Refused snapshot={snapshot} />
      {isBroken && <Health snapshot={snapshot} />}
      {parts.length > 0 && <Heavy snapshot={snapshot} />}
      {parts.length > 0 && <Browser snapshot={snapshot} />}
      {parts.length > 0 && <Look snapshot={snapshot} />}
      <Parts snapshot={snapshot} />
      {!isBroken && <Health snapshot={snapshot} />}
      {snapshot.fill && parts.length > 0 && <Keep snapshot={snapshot} fill={snapshot.fill} />}
    </>
  );
}

/** With its year: a snapshot may be of any time. */
const dayOf = (time: number): string => `${day(time)} ${new Date(time).getFullYear()}`;

const daysOf = (start: number, end: number): string => (dayOf(start) === dayOf(end) ? dayOf(start) : `${dayOf(start)} – ${dayOf(end)}`);

function Figure({ name, value, note }: { name: string; value: string; note: string }) {
  return (
    <div class={figures.figure}>
      <dt>{name}</dt>
      <dd class={figures.value}>{value}</dd>
      <dd class="note">{note}</dd>
    </div>
  );
}

/** Of a text: what was left out of it. */
function Refused({ snapshot: { refused } }: { snapshot: OpenedSnapshot }) {
  if (refused.count === 0) return null;
  return (
    <section class={`card ${trouble.trouble}`} aria-labelledby="refused-title">
      <h2 id="refused-title">{plural(refused.count, "line or sample", "lines or samples")} could not be taken</h2>
      <p class="hint">All others were. The text itself stays as it is.</p>
      <ul class={style.badParts}>
        {refused.lines.map(({ line, message }, i) => (
          <li key={i}>
            {line !== undefined && <code>line {grouped(line)}</code>}
            <span class="note">{message}</span>
          </li>
        ))}
        {refused.count > refused.lines.length && refused.lines.length > 0 && (
          <li class="note">and {grouped(refused.count - refused.lines.length)} more</li>
        )}
      </ul>
    </section>
  );
}

function Health({ snapshot }: { snapshot: OpenedSnapshot }) {
  const bad = snapshot.bad.value;
  const checking = snapshot.checking.value;
  const checked = snapshot.checked.value;
  return (
    <section class={bad.length > 0 ? `card ${trouble.trouble}` : "card"} aria-labelledby="health-title">
      <div class="card-head">
        <div>
          <h2 id="health-title">{bad.length > 0 ? brokenWords(bad) : "Can it be read?"}</h2>
          <p class="hint" role="status">
            {checking
              ? `Reading block ${grouped(checking.done)} of ${grouped(checking.total)}`
              : checked
                ? bad.length > 0
                  ? "Every block was read. A part whose headers are bad is left out below; of the others, each block that can be decoded can be looked at."
                  : "Every block of every part was read and decoded: headers, sizes and counts agree with what is there. The format has no checksum, so that a value changed in its place cannot be told from one that was stored."
                : "The headers and the index of every part were read when it was opened. Blocks are read only when they are asked for, unless you have all of them read now."}
          </p>
        </div>
        <div class="controls">
          <button type="button" disabled={checking !== undefined || checked} onClick={() => void snapshot.check()}>
            Read every block
          </button>
        </div>
      </div>
      {bad.length > 0 && (
        <ul class={style.badParts}>
          {bad.map(({ path, message }) => (
            <li key={path}>
              {path !== "" && <code>{path}</code>}
              <span class="note">{path === "" ? message : message.replace(`${path}/`, "").replace(`${path}: `, "")}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** What a damage of the whole has no path. */
function brokenWords(bad: readonly BadPart[]): string {
  const parts = bad.filter(({ path }) => path !== "").length;
  return parts > 0 ? `${plural(parts, "part")} cannot be read` : "It is not whole";
}

/** Series that are listed. */
const MOST_LISTED = 100;

function Look({ snapshot }: { snapshot: OpenedSnapshot }) {
  const { feed } = snapshot;
  const card = useRef<HTMLElement>(null);
  const selector = feed.selector.value;
  const [found, setFound] = useState<{ labels: string[]; all: number } | undefined>();
  const [problem, setProblem] = useState("");
  const [saving, setSaving] = useState("");
  useEffect(() => {
    let here = true;
    snapshot.database.value
      ?.labels(selector)
      .then((sets) => here && setFound({ labels: sets.slice(0, MOST_LISTED).map(exactly), all: sets.length }))
      .catch(() => here && setFound(undefined));
    return () => {
      here = false;
    };
  }, [selector, snapshot]);
  const exportLines = async () => {
    const database = snapshot.database.value;
    if (!database) return;
    setProblem("");
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    try {
      const reader = database.export(selector).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        pieces.push(new Uint8Array(value));
        length += value.length;
        setSaving(bytes(length));
      }
      save(new Blob(pieces, { type: "application/x-ndjson" }), `${snapshot.name.replace(/\.(tar(\.gz)?|tgz)$/, "")}.jsonl`);
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setSaving("");
    }
  };
  return (
    <section class="card" aria-labelledby="look-title" ref={card}>
      <div class="card-head">
        <div>
          <h2 id="look-title">What it says</h2>
          <p class="hint">
            Write a selector: its own names and values are offered. Drag over the chart to zoom in, click a value for the part, the block
            and the bytes that hold it.
          </p>
        </div>
        <div class="controls">
          <button type="button" onClick={() => (feed.fixed.value = snapshot.whole())}>
            All its time
          </button>
        </div>
      </div>
      <div class={chart.query}>
        <SelectorInput feed={feed} database={snapshot.database} />
        <Segmented
          label="What to draw of each series"
          choices={[
            { value: "value", name: "Value" },
            { value: "rate", name: "Per second" },
          ]}
          chosen={feed.rate.value ? "rate" : "value"}
          onChoose={(mode) => (feed.rate.value = mode === "rate")}
        />
      </div>
      <PickableChart feed={feed} source={snapshot.source} database={snapshot.database} />
      <div class={chart.chartFoot}>
        <ReadingLine feed={feed} />
        <div class="controls">
          <TakeAlong feed={feed} card={card} />
          <button
            type="button"
            disabled={saving !== ""}
            title="All samples of the selected series, as /api/v1/export writes them"
            onClick={() => void exportLines()}
          >
            {saving ? `${saving}…` : "JSON lines"}
          </button>
        </div>
      </div>
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
      {found && (
        <details class={style.found}>
          <summary>
            {plural(found.all, "series", "series")} match{found.all === 1 ? "es" : ""}
          </summary>
          <ul>
            {found.labels.map((labels) => (
              <li key={labels}>
                <button type="button" class="link" onClick={() => (feed.selector.value = labels)}>
                  <code>{labels}</code>
                </button>
              </li>
            ))}
            {found.all > MOST_LISTED && <li class="note">and {grouped(found.all - MOST_LISTED)} more</li>}
          </ul>
        </details>
      )}
    </section>
  );
}

function Parts({ snapshot }: { snapshot: OpenedSnapshot }) {
  const partitions = (snapshot.state.value?.partitions ?? []).filter(({ parts }) => parts.length > 0);
  const [, chosen, block] = snapshot.look.zoom.value;
  const largest = partitions.flatMap(({ parts }) => parts).reduce((most, part) => Math.max(most, part.bytes), 1);
  const part = partitions.flatMap(({ parts }) => parts).find(({ id }) => String(id) === chosen);
  return (
    <section class="card" aria-labelledby="parts-title">
      <h2 id="parts-title">Months and parts</h2>
      <p class="hint">
        Each bar is a part, and its length shows its bytes. Choose a part to see its blocks, then a block to see its bytes.
      </p>
      <ul class={style.months}>
        {partitions.map(({ name, parts }) => (
          <li key={name}>
            <strong>
              {monthName(name).month} {monthName(name).year}
            </strong>
            <span class="note">
              {plural(
                parts.reduce((sum, { rows }) => sum + rows, 0),
                "sample",
              )}
              , {bytes(parts.reduce((sum, { bytes: size }) => sum + size, 0))}
            </span>
            <div class={style.monthParts}>
              {parts.map((one) => (
                <button
                  key={one.id}
                  type="button"
                  class={style.partBar}
                  data-stage={one.class}
                  aria-pressed={String(one.id) === chosen}
                  title={`${one.name}: ${plural(one.rows, "sample")} in ${plural(one.blocks, "block")}, ${bytes(one.bytes)}`}
                  aria-label={`${one.class} part, ${plural(one.rows, "sample")}, ${bytes(one.bytes)}: ${one.name}`}
                  onClick={() => void snapshot.look.zoomTo([name, String(one.id)])}
                >
                  <span class={style.partLength} style={{ width: `${Math.max(2, (100 * one.bytes) / largest)}%` }} />
                  <span class="note">
                    {one.class} part, {plural(one.rows, "sample")}, {bytes(one.bytes)}
                  </span>
                </button>
              ))}
            </div>
          </li>
        ))}
      </ul>
      {snapshot.look.gone.value && (
        <p class="reading problem" role="alert">
          {snapshot.look.gone.value}
        </p>
      )}
      {part && (
        <div class={zoom.openedPart}>
          <p class={style.partName}>
            {block === undefined ? (
              <code>{part.name}</code>
            ) : (
              <button type="button" class="link" onClick={() => void snapshot.look.zoomTo(snapshot.look.zoom.value.slice(0, 2))}>
                ‹ all blocks of <code>{part.name}</code>
              </button>
            )}
          </p>
          <ZoomView look={snapshot.look} />
        </div>
      )}
    </section>
  );
}
