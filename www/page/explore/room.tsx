// The room Explore: questions to a database, and what it answers.

import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Database } from "sandglass";
import { unitOf } from "../model/chart";
import { bytes, many, plural } from "../model/format";
import { kept, refreshKept } from "../kept";
import { messageOf } from "../model/trouble";
import type { Session } from "../session";
import { pictureOf, save } from "../save";
import type { OpenedSnapshot } from "../snapshot/opened";
import { Segmented } from "../views/segmented";
import { ChooseFile } from "../views/choose_files";
import { TroubleCard } from "../views/trouble_card";
import { EMPTY, hashOf, MOST_QUERIES, type Shape, type Source, type View, viewOf } from "./address";
import { Asked } from "./asked";
import { Cardinality } from "./cardinality";
import { type Answer, Explorer, isEmpty, type Suggestion } from "./explorer";
import { colourOf } from "./figures";
import style from "./explore.module.css";
import { heatOf } from "./heat";
import { HeatMap } from "./heat_map";
import { Legend } from "./legend";
import { type Cursor, LineChart } from "./line_chart";
import { letter, type Line, linesOf, litOf } from "./lines";
import { Metrics } from "./metrics";
import { Picked, type PickedValue } from "./picked";
import { QueryBox } from "./query_box";
import { RangePicker } from "./range_picker";
import { InstantTables, type InstantValue, RawTable } from "./tables";
import { arrowsOf, csvOf } from "./take_along";
import { durationOf, shortly, written } from "./times";
import { Traces } from "./trace";

const REFRESHES = [
  ["", "by hand"],
  ["5s", "every 5 s"],
  ["30s", "every 30 s"],
  ["1m", "every minute"],
  ["live", "live"],
] as const;

const SHAPES: readonly { value: Shape; name: string }[] = [
  { value: "chart", name: "Chart" },
  { value: "table", name: "Table" },
  { value: "heatmap", name: "Heat map" },
  { value: "raw", name: "Raw" },
];

/** Over the page's own database. */
export function OwnExplore({ session }: { session: Session }) {
  const filling = session.filling.value;
  return (
    <>
      <TroubleCard session={session} />
      <Explore
        source={EMPTY}
        database={session.database}
        suggest={async () => ({ expression: "sum by (mode) (rate(node_cpu_seconds_total[1m]))", from: "now-15m", to: "now" })}
        version={filling ? "filling" : "filled"}
      >
        {session.looksOn.value
          ? "The page’s own database, which another tab writes: it is asked through that tab."
          : filling
            ? `The page’s own database; it is being filled with a past, ${Math.floor((100 * filling.done) / Math.max(1, filling.total))} % so far.`
            : "The page’s own database, scraped each second."}
      </Explore>
    </>
  );
}

const WHAT: Record<OpenedSnapshot["whereabouts"], readonly [what: string, where: string]> = {
  "in place": ["The snapshot", "read where it lies"],
  unpacked: ["The snapshot", "unpacked into this tab’s memory"],
  samples: ["The samples of", "read into this tab’s memory"],
  kept: ["The database", "kept in this browser"],
};

/** Over a snapshot that is open. */
export function SnapshotExplore({ snapshot }: { snapshot: OpenedSnapshot }) {
  const { start, end } = snapshot.whole();
  return (
    <Explore
      source={snapshot.source}
      database={snapshot.database}
      suggest={async () => ({ expression: snapshot.feed.selector.peek(), from: written(start), to: written(end) })}
      version=""
    >
      {WHAT[snapshot.whereabouts][0]} <bdi>{snapshot.name}</bdi>, {WHAT[snapshot.whereabouts][1]}.{" "}
      <a href={snapshot.address}>Its months, parts and bytes</a>
    </Explore>
  );
}

/** The address is of something that is not open: what can be opened from here. */
export function NoSnapshot({ source, onOpen }: { source: Source; onOpen: (files: FileList) => void }) {
  useEffect(() => void refreshKept().catch(() => {}), []);
  return (
    <section class={`card ${style.absent}`} aria-labelledby="no-snapshot-title">
      <h1 id="no-snapshot-title" class={style.title}>
        The database of this view is not open
      </h1>
      <p class={style.lead}>
        {source.of === "snapshot"
          ? "This view is of a file, and a file stays open only until its tab is reloaded or left. Open it again, or drop it anywhere on the page: the queries are then asked of it."
          : "Open something else: the queries are then asked of it."}
      </p>
      <div class="controls">
        <ChooseFile onChoose={onOpen} />
        <a class="button" href={addressOf({ of: "example", name: "" })}>
          The example
        </a>
        <a class="button" href={addressOf({ of: "own", name: "" })}>
          The page’s own database
        </a>
      </div>
      {kept.value.length > 0 && (
        <>
          <h2>Kept in this browser</h2>
          <ul>
            {kept.value.map((name) => (
              <li key={name}>
                <a href={addressOf({ of: "kept", name })}>{name}</a>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** The view that the address has, of another database. */
const addressOf = (source: Source): string => (source.of === "own" ? "#explore?of=own" : hashOf({ ...viewOf(location.hash), ...source }));

interface ExploreProps {
  source: Source;
  database: ReadonlySignal<Database | undefined>;
  suggest: (database: Database) => Promise<Suggestion>;
  /** Asks anew when it is another one. */
  version: string;
  children: ComponentChildren;
}

function Explore({ source, database, suggest, version, children }: ExploreProps) {
  const explorer = useMemo(() => new Explorer(source, database, suggest), [source, database]);
  useEffect(() => explorer.close, [explorer]);
  useEffect(() => void explorer.ask(), [explorer, version]);
  const view = explorer.view.value;
  const { browse, counted, isTraced } = view;
  const [showsAsked, setShowsAsked] = useState(false);
  const asking = useRef<HTMLElement>(null);
  const metricsOpener = useRef<HTMLButtonElement>(null);
  const askedOpener = useRef<HTMLButtonElement>(null);
  const showsMetrics = browse !== undefined;
  useEffect(() => {
    if (!showsMetrics && !showsAsked) return;
    const leave = (event: KeyboardEvent) => {
      const target = event.target as Element;
      const isHere = target === document.body || (asking.current?.contains(target) && !target.closest("[data-query]"));
      if (event.key !== "Escape" || event.defaultPrevented || !isHere) return;
      // A search would be emptied, and would be another one by that.
      event.preventDefault();
      (showsMetrics ? metricsOpener : askedOpener).current?.focus();
      if (showsMetrics) explorer.change({ browse: undefined }, "replace");
      setShowsAsked(false);
    };
    document.addEventListener("keydown", leave);
    return () => document.removeEventListener("keydown", leave);
  }, [explorer, showsMetrics, showsAsked]);
  return (
    <>
      <section class={style.head} aria-labelledby="explore-title">
        <h1 id="explore-title" class={style.title}>
          Explore
        </h1>
        <p class="note">{children}</p>
      </section>
      <section class={`card ${style.asking}`} aria-label="Queries" ref={asking}>
        <div class={style.boxes}>
          {explorer.drafts.value.map((_, at) => (
            <Query key={at} explorer={explorer} at={at} />
          ))}
        </div>
        <div class={style.tools}>
          <div class="controls">
            <button type="button" class="primary" onClick={() => explorer.run()} title="Enter, in a query">
              Run
            </button>
            <button type="button" disabled={explorer.drafts.value.length >= MOST_QUERIES} onClick={() => explorer.addQuery()}>
              Add a query
            </button>
            <button
              type="button"
              ref={metricsOpener}
              aria-expanded={showsMetrics}
              aria-controls="explore-metrics"
              onClick={() => explorer.change({ browse: showsMetrics ? undefined : "" }, "replace")}
            >
              Metrics
            </button>
            <button
              type="button"
              ref={askedOpener}
              aria-expanded={showsAsked}
              aria-controls="explore-asked"
              onClick={() => setShowsAsked(!showsAsked)}
            >
              History
            </button>
            <button type="button" onClick={() => void explorer.format()} title="Writes the queries as the engine reads them">
              Format
            </button>
            <Segmented
              label="Language"
              choices={[
                { value: "metricsql", name: "MetricsQL" },
                { value: "promql", name: "PromQL" },
              ]}
              chosen={view.dialect}
              onChoose={(dialect) => explorer.change({ dialect: dialect as View["dialect"] })}
            />
          </div>
          <div class="controls">
            <RangePicker explorer={explorer} />
            <Step explorer={explorer} />
            <label class={style.field}>
              Refresh
              <select value={view.refresh} onChange={(event) => explorer.change({ refresh: event.currentTarget.value })}>
                {REFRESHES.map(([value, name]) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
                {!REFRESHES.some(([value]) => value === view.refresh) && <option value={view.refresh}>{view.refresh}</option>}
              </select>
            </label>
          </div>
        </div>
        {explorer.problem.value && (
          <p class="reading problem" role="alert">
            {explorer.problem.value}
          </p>
        )}
        <div id="explore-metrics" hidden={!showsMetrics}>
          {showsMetrics && <Metrics explorer={explorer} />}
        </div>
        <div id="explore-asked" hidden={!showsAsked}>
          {showsAsked && <Asked explorer={explorer} />}
        </div>
      </section>
      <Result explorer={explorer} isFilling={version === "filling"} />
      <section class="card" aria-labelledby="traced-title">
        <div class={style.counted}>
          <div>
            <h2 id="traced-title">Trace</h2>
            <p class="hint">The steps that the engine took for the answer, and what each of them read.</p>
          </div>
          <button
            type="button"
            aria-expanded={isTraced}
            aria-controls="explore-trace"
            aria-label={isTraced ? "Close the trace" : "Trace the queries"}
            onClick={() => explorer.change({ isTraced: !isTraced }, "replace")}
          >
            {isTraced ? "Close" : "Trace"}
          </button>
        </div>
        <div id="explore-trace" hidden={!isTraced} aria-busy={explorer.asking.value}>
          {isTraced && <Traces answers={explorer.answers.value} isRaw={view.shape === "raw"} />}
        </div>
      </section>
      <section class="card" aria-labelledby="counted-title">
        <div class={style.counted}>
          <div>
            <h2 id="counted-title">Cardinality</h2>
            <p class="hint">Which metrics, labels and values have the most series.</p>
          </div>
          <button
            type="button"
            aria-expanded={counted !== undefined}
            aria-controls="explore-counted"
            aria-label={counted ? "Close cardinality" : "Count series"}
            onClick={() => explorer.change({ counted: counted ? undefined : { selector: "", focus: "" } }, "replace")}
          >
            {counted ? "Close" : "Count"}
          </button>
        </div>
        <div id="explore-counted" hidden={counted === undefined}>
          {counted && <Cardinality explorer={explorer} />}
        </div>
      </section>
    </>
  );
}

function Query({ explorer, at }: { explorer: Explorer; at: number }) {
  const answer = explorer.answers.value[at];
  const asked = explorer.view.value.queries[at];
  const draft = explorer.drafts.value[at] ?? "";
  const isAlone = explorer.drafts.value.length === 1;
  const isDraft = draft.trim() !== "" && draft.trim() !== asked?.expression;
  return (
    <div class={style.query} data-query={letter(at)}>
      <span class={style.letter} aria-hidden="true">
        {letter(at)}
      </span>
      <QueryBox explorer={explorer} at={at} />
      <div class={style.ends}>
        {asked && (
          <button
            type="button"
            class="quiet"
            aria-label={`${asked.isHidden ? "Show" : "Hide"} ${letter(at)}`}
            title={asked.isHidden ? "It is asked again then" : "It is not asked while it is hidden"}
            onClick={() => explorer.hide(at, !asked.isHidden)}
          >
            {asked.isHidden ? "Show" : "Hide"}
          </button>
        )}
        {!isAlone && (
          <button type="button" class="quiet" aria-label={`Remove ${letter(at)}`} onClick={() => explorer.removeQuery(at)}>
            ×
          </button>
        )}
      </div>
      <div class={style.told}>
        {answer?.problem ? (
          <p class="reading problem" role="alert">
            {answer.problem}
          </p>
        ) : (
          <p class="reading">
            {asked?.isHidden ? "Hidden, and not asked" : isDraft ? "Not run yet: Enter runs it" : answer ? costOf(answer) : ""}
          </p>
        )}
        {answer?.warnings.map((warning) => (
          <p key={warning} class="reading">
            {warning}
          </p>
        ))}
      </div>
    </div>
  );
}

/** What was read for an answer. */
function costOf({ stats, range, instant, raw }: Answer): string {
  const given = range
    ? range.series.length
    : instant?.type === "vector" || instant?.type === "matrix"
      ? instant.series.length
      : raw
        ? raw.found.length
        : 1;
  const result = plural(given, "series", "series");
  if (raw)
    return `${result}, ${many(
      raw.found.reduce((sum, { timestamps }) => sum + timestamps.length, 0),
      "sample",
    )}`;
  if (!stats) return result;
  const ms = stats.milliseconds < 10 ? stats.milliseconds.toFixed(1) : Math.round(stats.milliseconds);
  return `${result} in ${ms} ms, from ${many(stats.samples, "decoded sample")} of ${plural(stats.series, "series", "series")}: ${plural(stats.blocks, "block")}, ${bytes(stats.bytes)} read`;
}

function Step({ explorer }: { explorer: Explorer }) {
  const { step } = explorer.view.value;
  const [typed, setTyped] = useState(step);
  useEffect(() => setTyped(step), [step]);
  const shown = explorer.shown.value;
  const isWrong = typed.trim() !== "" && durationOf(typed) === undefined;
  const apply = () => {
    if (!isWrong && typed.trim() !== step) explorer.change({ step: typed.trim() });
  };
  return (
    <form
      class={style.step}
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <label class={style.field}>
        Step
        <input
          value={typed}
          placeholder={shown && step === "" ? `auto: ${shortly(shown.step)}` : "auto"}
          autocomplete="off"
          spellcheck={false}
          aria-invalid={isWrong}
          title={
            isWrong
              ? "A duration such as 15s, 1m or 1h30m; empty for one that fits"
              : "Time between two values; empty for one that fits the range"
          }
          onInput={(event) => setTyped(event.currentTarget.value)}
          onBlur={apply}
        />
      </label>
    </form>
  );
}

function Result({ explorer, isFilling }: { explorer: Explorer; isFilling: boolean }) {
  const view = explorer.view.value;
  const answers = explorer.answers.value;
  const shown = explorer.shown.value;
  const card = useRef<HTMLElement>(null);
  const cursor = useSignal<Cursor | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const lines = useMemo(() => linesOf(answers), [answers]);
  const lit = useMemo(() => litOf(lines.lines, view.lit), [lines, view.lit]);
  const back = () => explorer.zoomBack();
  const [picked, setPicked] = useState<PickedValue | undefined>();
  // What is shown is another question's by then.
  useEffect(() => setPicked(undefined), [view.queries, view.shape, view.from, view.to]);
  const pick = (line: Line, at: number) => {
    const value = line.column[at];
    const answer = answers[line.query];
    if (value == null || !answer) return;
    const time = Math.round((lines.times[at] ?? 0) * 1000);
    setPicked({ expression: answer.expression, labels: line.labels, time, value, unit: lines.unit, isSample: answer.raw !== undefined });
  };
  const pickInstant = (query: number, { labels, time, value }: InstantValue) => {
    const expression = answers[query]?.expression ?? "";
    setPicked({ expression, labels, time, value, unit: unitOf(labels.__name__ ?? "", false), isSample: false });
  };
  const way = picked && (
    <Picked
      key={JSON.stringify(picked)}
      picked={picked}
      source={explorer.source}
      database={explorer.database.value}
      onClose={() => setPicked(undefined)}
    />
  );
  const hasAnswer = answers.some((answer) => answer && !answer.problem);
  const hasValues = answers.some((answer) => answer && !answer.problem && !isEmpty(answer));
  const isPicture = view.shape === "heatmap" ? answers.some((answer) => answer?.range && heatOf(answer.range)) : view.shape !== "table";

  const takePicture = async () => {
    setProblem("");
    const canvas = card.current?.querySelector("canvas");
    const title = view.queries.flatMap(({ expression, isHidden }) => (isHidden ? [] : [expression])).join("  ·  ");
    const shown = view.shape === "heatmap" ? [] : lines.lines.filter(({ key }) => lit.has(key)).slice(0, 20);
    const names = shown.map(({ name, place }) => ({ name, colour: colourOf(place) }));
    try {
      const picture = canvas && (await pictureOf(canvas, title, names));
      if (picture) save(picture, "sandglass.png");
    } catch (error) {
      setProblem(messageOf(error));
    }
  };

  const takeArrow = async () => {
    setProblem("");
    try {
      for (const { query, table } of await arrowsOf(answers))
        save(table, answers.length > 1 ? `sandglass-${letter(query)}.arrow` : "sandglass.arrow");
    } catch (error) {
      setProblem(messageOf(error));
    }
  };

  return (
    <section class="card" ref={card} aria-labelledby="result-title">
      <div class="card-head">
        <h2 id="result-title" class="hidden">
          Result
        </h2>
        <Segmented label="How it is shown" choices={SHAPES} chosen={view.shape} onChoose={(shape) => explorer.change({ shape })} />
        <div class="controls">
          {explorer.isLive.value && (
            <span class={style.live} role="status">
              <i aria-hidden="true" />
              live
            </span>
          )}
          <button
            type="button"
            disabled={!hasValues}
            onClick={() => save(csvOf(answers), "sandglass.csv")}
            title="Every value of what is shown"
          >
            CSV
          </button>
          <button
            type="button"
            disabled={!hasValues}
            onClick={() => void takeArrow()}
            title="The same as a table of Apache Arrow, one for each query"
          >
            Arrow
          </button>
          <button type="button" disabled={!hasValues || !isPicture} onClick={() => void takePicture()} title="The picture as it stands">
            PNG
          </button>
        </div>
      </div>
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
      <div class={style.result} data-shape={view.shape} aria-busy={explorer.asking.value}>
        {view.shape === "raw" && (
          <p class="note">
            Raw shows samples as they are stored. It takes selectors only, such as <code>{'node_load1{job="node"}'}</code>, and no functions
            or operators. A sample’s time leads to the part and the block that hold it.
          </p>
        )}
        {view.shape === "table" && (
          <>
            {way}
            <InstantTables
              answers={answers}
              at={shown?.end}
              order={view.order}
              onOrder={(order) => explorer.change({ order }, "replace")}
              onPick={pickInstant}
            />
          </>
        )}
        {view.shape === "heatmap" && <HeatMaps explorer={explorer} onBack={back} />}
        {(view.shape === "chart" || view.shape === "raw") && shown && lines.lines.length > 0 && (
          <>
            <LineChart
              lines={lines}
              lit={lit}
              start={shown.start}
              end={shown.end}
              isRaw={view.shape === "raw"}
              cursor={cursor}
              onZoom={(start, end) => explorer.zoom(start, end)}
              onBack={back}
              onPick={pick}
            />
            {way}
            <Legend explorer={explorer} lines={lines} lit={lit} cursor={cursor} />
          </>
        )}
        {view.shape === "raw" &&
          answers.map(
            (answer, query) =>
              answer?.raw && (
                <RawTable
                  key={query}
                  found={answer.raw.found}
                  matched={answer.raw.matched}
                  title={answers.length > 1 ? letter(query) : ""}
                  source={explorer.source}
                />
              ),
          )}
        {view.shape === "chart" && lines.lines.length === 0 && (
          <p class={style.nothing}>
            {isFilling ? (
              "Nothing of this time is there yet"
            ) : hasAnswer ? (
              <NothingFound explorer={explorer} />
            ) : explorer.asking.value || !shown ? (
              "Asking the database"
            ) : (
              "Nothing to show"
            )}
          </p>
        )}
      </div>
    </section>
  );
}

/** That there is nothing, and whether that is because of a name that no series has. */
function NothingFound({ explorer }: { explorer: Explorer }) {
  const [unknown, setUnknown] = useState<readonly string[]>([]);
  const answers = explorer.answers.value;
  useEffect(() => {
    let isHere = true;
    explorer
      .unknownNames()
      .then((names) => isHere && setUnknown(names))
      // Without the names it is said less exactly.
      .catch(() => {});
    return () => {
      isHere = false;
    };
  }, [explorer, answers]);
  return <>{unknown.length > 0 ? `No series is named ${unknown.join(" or ")}` : "Nothing was found in this time"}</>;
}

function HeatMaps({ explorer, onBack }: { explorer: Explorer; onBack: () => void }) {
  const answers = explorer.answers.value;
  const shown = explorer.shown.value;
  const { dialect } = explorer.view.value;
  const heats = useMemo(() => answers.map((answer) => answer?.range && heatOf(answer.range)), [answers]);
  if (!shown) return null;
  return (
    <>
      {heats.map((heat, query) =>
        heat ? (
          <HeatMap key={query} heat={heat} step={shown.step} onZoom={(start, end) => explorer.zoom(start, end)} onBack={onBack} />
        ) : (
          answers[query]?.range && (
            <p key={query} class={style.nothing}>
              {heats.length > 1 && `${letter(query)}: `}No buckets. A heat map is drawn of series with the label le, such as sum by (le)
              (rate(request_duration_seconds_bucket[1m]))
              {dialect === "metricsql" && ", or with vmrange, such as histogram_over_time(node_load1[5m])"}
            </p>
          )
        ),
      )}
    </>
  );
}
