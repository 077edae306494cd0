import { useEffect, useState } from "preact/hooks";
import { type ChartFeed, MOST_LINES, PRESETS, RANGES } from "../chart_feed";
import { Chart } from "../drawing/chart";
import { compact, duration } from "../model/format";
import type { Session } from "../session";
import { Segmented } from "./segmented";
import { SelectorInput } from "./selector_input";

export function ChartCard({ session, feed }: { session: Session; feed: ChartFeed }) {
  const selector = feed.selector.value;
  const rate = feed.rate.value;
  const fixed = feed.fixed.value;
  return (
    <section class="card" aria-labelledby="chart-title">
      <div class="card-head">
        <div>
          <h2 id="chart-title">What it stores</h2>
          <p class="hint">
            A real scrape of a Linux machine, continued as a replay: <a href="#data">where the data comes from</a>
          </p>
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
          <button type="button" class="live" aria-pressed={!fixed} onClick={() => (feed.fixed.value = undefined)}>
            <span class="dot" aria-hidden="true" />
            Live
          </button>
        </div>
      </div>
      <div class="query">
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
      <div class="presets" role="group" aria-label="Ready-made selections">
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
      <Chart feed={feed} />
      <ReadingLine feed={feed} />
    </section>
  );
}

/** What it took to make the picture; and, for listeners, that there is one. */
function ReadingLine({ feed }: { feed: ChartFeed }) {
  const drawn = feed.drawn.value;
  const problem = feed.problem.value;
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
        : `${drawn.matched > shown ? `The first ${shown} of ${drawn.matched} series` : `${shown} series`}, ${compact(drawn.samples)} samples read in ${duration(Math.max(1, drawn.tookMs))}${drawn.rate ? `; increase per second over ${duration(drawn.windowMs)}` : ""}`;
  }
  return (
    <p class={problem ? "reading problem" : "reading"} role={problem ? "alert" : undefined}>
      {problem || text}
    </p>
  );
}
