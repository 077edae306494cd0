// What there are most series of: each line narrows what is counted, or looks at a label.

import { useEffect, useState } from "preact/hooks";
import { grouped, plural } from "../model/format";
import { PLAIN_NAME } from "../model/selector";
import { messageOf } from "../model/trouble";
import type { Explorer } from "./explorer";
import { type Counted, countSeries, type Heaviest } from "./counting";
import style from "./explore.module.css";

export function Cardinality({ explorer }: { explorer: Explorer }) {
  const { selector, focus } = explorer.view.value.counted ?? { selector: "", focus: "" };
  const database = explorer.database.value;
  const range = explorer.shown.value;
  const [typed, setTyped] = useState({ selector, focus });
  const [counted, setCounted] = useState<Counted>();
  const [problem, setProblem] = useState("");
  const [isCounting, setCounting] = useState(true);
  // Series are found by the day.
  const days = range && `${Math.floor(range.start / 86_400e3)} ${Math.floor(range.end / 86_400e3)}`;

  useEffect(() => setTyped({ selector, focus }), [selector, focus]);
  useEffect(() => {
    if (!database || !range) return;
    const control = new AbortController();
    setCounting(true);
    countSeries(database, selector, focus, range, control.signal)
      .then((found) => {
        if (control.signal.aborted) return;
        setCounted(found);
        setProblem("");
      })
      .catch((error) => {
        if (!control.signal.aborted) setProblem(messageOf(error));
      })
      .finally(() => {
        if (!control.signal.aborted) setCounting(false);
      });
    return () => control.abort();
  }, [database, selector, focus, days]);

  const count = (part: { selector?: string; focus?: string }) => explorer.change({ counted: { selector, focus, ...part } });
  const pair = (label: string, value: string) => `${PLAIN_NAME.test(label) ? label : JSON.stringify(label)}=${JSON.stringify(value)}`;
  const narrower = (condition: string): string => {
    const inner = /^\{(.*)\}$/s.exec(selector.trim())?.[1]?.replace(/,\s*$/, "");
    if (selector.trim() === "" || inner === "") return `{${condition}}`;
    return inner === undefined
      ? selector.trim().replace(/\}?$/, (end) => (end ? `,${condition}}` : `{${condition}}`))
      : `{${inner},${condition}}`;
  };

  return (
    <div class={style.cardinality} aria-busy={isCounting}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          count(typed);
        }}
      >
        <label>
          Series that match
          <input
            value={typed.selector}
            placeholder="all"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped({ ...typed, selector: event.currentTarget.value })}
          />
        </label>
        <label>
          Values of the label
          <input
            value={typed.focus}
            placeholder="none"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped({ ...typed, focus: event.currentTarget.value })}
          />
        </label>
        <button type="submit">Count</button>
        {selector !== "" && (
          <button type="button" class="quiet" onClick={() => count({ selector: "" })}>
            Count all again
          </button>
        )}
      </form>
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
      {counted && (
        <>
          <p class="note" role="status" data-counted="">
            {grouped(counted.series)} series of {plural(counted.metrics, "metric")}, with {plural(counted.labels, "label")} and{" "}
            {plural(counted.pairs, "pair")} of label and value, on the days of the range.
          </p>
          <div class={style.lists}>
            <List
              title="Metrics with most series"
              of={counted.byMetric}
              whole={counted.series}
              hint="count this one alone"
              onChoose={(name) => count({ selector: narrower(pair("__name__", name)) })}
            />
            {focus !== "" && (
              <List
                title={`Values of ${focus} with most series`}
                of={counted.byFocus}
                whole={counted.series}
                hint="count these alone"
                onChoose={(value) => count({ selector: narrower(pair(focus, value)) })}
              />
            )}
            <List
              title="Labels with most values"
              of={counted.valuesOfLabel}
              whole={counted.valuesOfLabel[0]?.count ?? 1}
              hint="look at its values"
              onChoose={(name) => count({ focus: name })}
            />
            <List
              title="Labels with most series"
              of={counted.byLabel}
              whole={counted.series}
              hint="look at its values"
              onChoose={(name) => count({ focus: name })}
            />
            <List
              title="Pairs with most series"
              of={counted.byPair}
              whole={counted.series}
              hint="count these alone"
              onChoose={(_, at) => {
                const found = counted.byPair[at];
                if (found) count({ selector: narrower(pair(found.label, found.value)) });
              }}
            />
          </div>
        </>
      )}
    </div>
  );
}

function List({
  title,
  of,
  whole,
  hint,
  onChoose,
}: {
  title: string;
  of: readonly Heaviest[];
  whole: number;
  hint: string;
  onChoose: (name: string, at: number) => void;
}) {
  return (
    <section>
      <h3>
        <bdi>{title}</bdi>
      </h3>
      <ol>
        {of.map(({ name, count }, at) => (
          <li key={name}>
            <button type="button" title={`${name || "(without a name)"}: ${hint}`} onClick={() => onChoose(name, at)}>
              <span class={style.share} style={{ width: `${(100 * count) / Math.max(1, whole)}%` }} aria-hidden="true" />
              <bdi>{name || "(without a name)"}</bdi>
              <span class={style.number}>{grouped(count)}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
