// The series of a chart with their figures: a click draws one alone, with Ctrl or ⌘ it is added or taken away, a head sorts.

import type { Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { SORTS, type SortKey } from "./address";
import { clock } from "../model/format";
import type { Explorer } from "./explorer";
import { instantText, valueText } from "./figures";
import { type Cursor, Swatch } from "./line_chart";
import { type Lines, letter, MOST_LINES, seriesText, sorted } from "./lines";
import style from "./explore.module.css";

/** Rows at first; the others are asked for. */
const ROWS = 12;

const HEADS: Record<SortKey, string> = { name: "Series", last: "Last", min: "Min", mean: "Mean", max: "Max" };

export function Legend({
  explorer,
  lines,
  lit,
  cursor,
}: {
  explorer: Explorer;
  lines: Lines;
  lit: ReadonlySet<string>;
  cursor: Signal<Cursor | undefined>;
}) {
  const [isLong, setLong] = useState(false);
  const view = explorer.view.value;
  const at = cursor.value;
  const all = sorted(lines.lines, view);
  const rows = isLong ? all : all.slice(0, ROWS);
  const isOneDay = (lines.times.at(-1) ?? 0) - (lines.times[0] ?? 0) < 86_400;
  const isChosen = lit.size < lines.lines.length;

  const choose = (key: string, isMore: boolean) => {
    let chosen: string[];
    if (isMore)
      chosen = all.map((line) => line.key).filter((other) => (other === key ? !(isChosen && lit.has(key)) : isChosen && lit.has(other)));
    else chosen = isChosen && lit.size === 1 && lit.has(key) ? [] : [key];
    explorer.change({ lit: chosen.length === lines.lines.length ? [] : chosen }, "replace");
  };
  const sort = (key: SortKey) =>
    // Figures are mostly looked at from the greatest down.
    explorer.change({ sort: key, isDescending: view.sort === key ? !view.isDescending : key !== "name" }, "replace");

  const arrow = (key: SortKey) => (
    <span class={style.arrow} aria-hidden="true">
      {view.sort === key ? (view.isDescending ? "↓" : "↑") : ""}
    </span>
  );

  return (
    <>
      {lines.common.map(({ query, labels }) => (
        <p key={query} class={style.common}>
          {lines.common.length > 1 || view.queries.length > 1 ? `All of ${letter(query)}: ` : "All: "}
          <bdi>
            <code>{seriesText(labels)}</code>
          </bdi>
        </p>
      ))}
      <div class={style.scroll}>
        <table class={style.legend}>
          <caption class="hidden">Series. A click draws one alone; with Control or Command it is added or taken away.</caption>
          <thead>
            <tr>
              {SORTS.map((key) => (
                <th key={key} scope="col" aria-sort={view.sort === key ? (view.isDescending ? "descending" : "ascending") : undefined}>
                  <button type="button" onClick={() => sort(key)}>
                    {key !== "name" && arrow(key)}
                    {key === "last" && at ? (
                      <time>
                        {isOneDay ? clock((lines.times[at.index] ?? 0) * 1000) : instantText((lines.times[at.index] ?? 0) * 1000)}
                      </time>
                    ) : (
                      HEADS[key]
                    )}
                    {key === "name" && arrow(key)}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((line) => (
              <tr key={line.key} class={lit.has(line.key) ? undefined : style.unlit}>
                <th scope="row">
                  <button
                    type="button"
                    aria-pressed={isChosen && lit.has(line.key)}
                    onClick={(event) => choose(line.key, event.ctrlKey || event.metaKey)}
                    title={line.name}
                  >
                    <Swatch place={line.place} />
                    <bdi>{line.name}</bdi>
                  </button>
                </th>
                <td data-value="last">{valueText(at ? line.column[at.index] : line.last, lines.unit)}</td>
                <td>{valueText(line.min, lines.unit)}</td>
                <td>{valueText(line.mean, lines.unit)}</td>
                <td>{valueText(line.max, lines.unit)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class={style.below}>
        {all.length > ROWS && (
          <button type="button" class={style.link} aria-expanded={isLong} onClick={() => setLong(!isLong)}>
            {isLong ? `The first ${ROWS} alone` : `All ${all.length} series`}
          </button>
        )}
        {isChosen && (
          <button type="button" class={style.link} onClick={() => explorer.change({ lit: [] }, "replace")}>
            Draw all again
          </button>
        )}
        {lines.total > lines.lines.length && (
          <p class="note">
            The first {Math.min(MOST_LINES, lines.lines.length)} of {lines.total} series are drawn. topk, or a narrower selector, shows
            those that matter.
          </p>
        )}
      </div>
    </>
  );
}
