import { useEffect, useRef, useState } from "preact/hooks";
import { type ChartFeed, MOST_LINES, PRESETS, RANGES } from "../chart_feed";
import { type Charts, MOST_CHARTS } from "../charts";
import { isRefused } from "../drawing/chart";
import { EMPTY } from "../explore/address";
import { duration, grouped, many, plural } from "../model/format";
import { messageOf } from "../model/trouble";
import { csvOf, pngOf, save } from "../save";
import { PickableChart } from "../sample/pickable_chart";
import type { Session } from "../session";
import { Segmented } from "./segmented";
import { SelectorInput } from "./selector_input";
import style from "./chart_card.module.css";

export function ChartCard({ session, charts, feed, index }: { session: Session; charts: Charts; feed: ChartFeed; index: number }) {
  const card = useRef<HTMLElement>(null);
  const title = `chart-title-${feed.id}`;
  const selector = feed.selector.value;
  const rate = feed.rate.value;
  const fixed = feed.fixed.value;
  return (
    <section class="card" aria-labelledby={title} ref={card}>
      <div class="card-head">
        <div>
          <h2 id={title}>{index === 0 ? "What it stores" : `And ${shortly(feed)}`}</h2>
          {index === 0 && (
            <p class="hint">
              A real scrape of a Linux machine, continued as a replay: <a href="#data">where the data comes from</a>.
              {!rate && " Click a value for the part, the block and the bytes that hold it."}
            </p>
          )}
        </div>
        <div class="controls">
          <Segmented
            label="Time range"
            choices={RANGES.map(({ ms, name, spoken }) => ({ value: ms, name, spoken }))}
            chosen={fixed ? undefined : feed.rangeMs.value}
            onChoose={(ms) => {
              feed.fixed.value = undefined;
              feed.rangeMs.value = ms;
            }}
          />
          <button type="button" class={style.live} aria-pressed={!fixed} onClick={() => (feed.fixed.value = undefined)}>
            <span class={style.dot} aria-hidden="true" />
            Live
          </button>
        </div>
      </div>
      <div class={style.query}>
        <SelectorInput feed={feed} database={session.database} />
        <Segmented
          label="What to draw of each series"
          choices={[
            { value: "value", name: "Value" },
            { value: "rate", name: "Per second" },
          ]}
          chosen={rate ? "rate" : "value"}
          onChoose={(mode) => (feed.rate.value = mode === "rate")}
        />
      </div>
      <div class={style.presets} role="group" aria-label="Ready-made selections">
        {PRESETS.map((preset) => (
          <button
            key={preset.name}
            type="button"
            class="chip"
            aria-pressed={preset.selector === selector && preset.rate === rate}
            onClick={() => feed.choose(preset)}
          >
            {preset.name}
          </button>
        ))}
      </div>
      <PickableChart
        feed={feed}
        source={EMPTY}
        database={session.database}
        nothing={session.filling.value && "The past is being written…"}
      />
      <div class={style.chartFoot}>
        <ReadingLine feed={feed} />
        <div class="controls">
          <TakeAlong feed={feed} card={card} />
          {index > 0 && (
            <button type="button" class="quiet" onClick={() => charts.remove(feed)}>
              Remove this chart
            </button>
          )}
          {index === charts.list.value.length - 1 && index + 1 < MOST_CHARTS && (
            <button type="button" onClick={() => charts.add()}>
              Add a chart
            </button>
          )}
        </div>
      </div>
    </section>
  );
}

/** What a further chart shows, in a few words. */
function shortly(feed: ChartFeed): string {
  const preset = PRESETS.find(({ selector }) => selector === feed.selector.value);
  if (preset) return `the ${preset.name.toLowerCase()}`;
  const names = feed.drawn.value?.names ?? [];
  return names.length === 0 ? "more" : names.length <= 2 ? names.join(", ") : plural(feed.drawn.value?.matched ?? 0, "series", "series");
}

/** Names of what only grows, by the rules that exporters keep, and of what was made ready to be drawn as a rate. */
const GROWS = /_(total|count|sum|bucket)\b/;

function isOfCounters(selector: string): boolean {
  return GROWS.test(selector) || PRESETS.some((preset) => preset.rate && preset.selector === selector);
}

export function TakeAlong({ feed, card }: { feed: ChartFeed; card: { current: HTMLElement | null } }) {
  const [busy, setBusy] = useState(false);
  const take = (make: () => Promise<void>) => () => {
    setBusy(true);
    feed.notTaken.value = "";
    make()
      .catch((error) => (feed.notTaken.value = messageOf(error)))
      .finally(() => setBusy(false));
  };
  const csv = take(async () => {
    const found = await feed.samples();
    if (found.length === 0) throw new Error("No sample matches this selector in this time, so there is nothing to save");
    save(csvOf(found), "sandglass.csv");
  });
  const png = take(async () => {
    const figure = card.current?.querySelector<HTMLElement>("figure");
    const picture = figure && (await pngOf(figure, feed.selector.peek()));
    if (picture) save(picture, "sandglass.png");
  });
  return (
    <>
      <button type="button" disabled={busy} onClick={csv} title="Every sample that matches in this time, none left out">
        CSV
      </button>
      <button type="button" disabled={busy} onClick={png} title="The chart as it stands">
        PNG
      </button>
    </>
  );
}

/** What it took to make the picture; and, for listeners, that there is one. */
export function ReadingLine({ feed }: { feed: ChartFeed }) {
  const drawn = feed.drawn.value;
  // A selector that cannot be is told of where its lines would be.
  const problem = feed.notTaken.value || (isRefused(feed) ? "" : feed.problem.value);
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 4000);
    return () => clearTimeout(timer);
  }, []);
  let text = slow ? "No sample yet" : "Opening the database";
  if (drawn) {
    const shown = Math.min(drawn.matched, MOST_LINES);
    text =
      drawn.matched === 0
        ? "No series matches this selector in this time"
        : `${drawn.matched > shown ? `The first ${shown} of ${grouped(drawn.matched)} series` : `${shown} series`}, ${many(drawn.samples, "sample")} read in ${duration(Math.max(1, drawn.tookMs))}${drawn.rate ? `; increase per second, every ${duration(drawn.stepMs)}` : ""}`;
  }
  if (drawn?.rate && drawn.matched > 0 && !isOfCounters(feed.selector.value))
    text += ". That is of use for counters, which only grow; of a gauge it says little";
  if (isRefused(feed)) text = "";
  return (
    <p class={problem ? "reading problem" : "reading"} role={problem ? "alert" : undefined}>
      {problem || text}
    </p>
  );
}
