// What is heavy in a snapshot, and its series by their labels.

import { useMemo, useState } from "preact/hooks";
import { bytes, compact, grouped, plural } from "../model/format";
import { exactly, PLAIN_NAME } from "../model/selector";
import { type Labels, type LabelWeight, labelWeights, type MetricWeight, narrowed, valueWeights } from "./cardinality";
import type { OpenedSnapshot } from "./opened";
import style from "./heavy.module.css";

const MOST_HEAVY = 12;
const MOST_VALUES = 200;
const MOST_LISTED = 100;

export function Heavy({ snapshot }: { snapshot: OpenedSnapshot }) {
  const metrics = snapshot.metrics.value;
  const weighed = snapshot.weighed.value;
  const sets = snapshot.sets.value;
  const labels = useMemo(() => labelWeights(sets).filter(({ name }) => name !== "__name__"), [sets]);
  const largest = metrics.reduce((most, metric) => Math.max(most, metric.bytes), 1);
  return (
    <section class="card" aria-labelledby="heavy-title">
      <h2 id="heavy-title">What is heavy</h2>
      <p class="hint">
        {weighed.done < weighed.total
          ? `Weighed by ${grouped(weighed.done)} of ${plural(weighed.total, "block")}, as their headers tell.`
          : `Weighed by the headers of ${plural(weighed.total, "block")}. A label with many values makes many series, and many series make a large index.`}
      </p>
      <div class={style.heavy}>
        <table>
          <caption>
            Metrics <span class="note">{plural(metrics.length, "name")}</span>
          </caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Series</th>
              <th scope="col">Samples</th>
              <th scope="col">Bytes</th>
            </tr>
          </thead>
          <tbody>
            {metrics.slice(0, MOST_HEAVY).map((metric) => (
              <MetricRow
                key={metric.name}
                metric={metric}
                largest={largest}
                onChoose={() => snapshot.choose([["__name__", metric.name]])}
              />
            ))}
            <More count={metrics.length - MOST_HEAVY} columns={4} />
          </tbody>
        </table>
        <table>
          <caption>
            Labels <span class="note">{plural(labels.length, "name")} beside the metrics’</span>
          </caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Values</th>
              <th scope="col">Series</th>
            </tr>
          </thead>
          <tbody>
            {labels.slice(0, MOST_HEAVY).map((label) => (
              <LabelRow key={label.name} label={label} most={labels[0]?.values ?? 1} />
            ))}
            <More count={labels.length - MOST_HEAVY} columns={3} />
          </tbody>
        </table>
      </div>
    </section>
  );
}

function MetricRow({ metric, largest, onChoose }: { metric: MetricWeight; largest: number; onChoose: () => void }) {
  return (
    <tr>
      <th scope="row">
        <button type="button" class="link" onClick={onChoose}>
          <code>{metric.name || "without a name"}</code>
        </button>
        <Weight share={metric.bytes / largest} />
      </th>
      <td>{grouped(metric.series)}</td>
      <td>{compact(metric.samples)}</td>
      <td>{bytes(metric.bytes)}</td>
    </tr>
  );
}

function LabelRow({ label, most }: { label: LabelWeight; most: number }) {
  return (
    <tr>
      <th scope="row">
        <code>{label.name}</code>
        <Weight share={label.values / most} />
      </th>
      <td>{grouped(label.values)}</td>
      <td>{grouped(label.series)}</td>
    </tr>
  );
}

/** What a list leaves out. All of it is among the series below. */
function More({ count, columns }: { count: number; columns: number }) {
  if (count <= 0) return null;
  return (
    <tr>
      <td class={`note ${style.more}`} colSpan={columns}>
        and {grouped(count)} more
      </td>
    </tr>
  );
}

/** As people write a series: its name, then its labels. */
function spelt({ __name__: name = "", ...labels }: Labels): string {
  const others = exactly(labels);
  return !PLAIN_NAME.test(name) ? exactly({ __name__: name, ...labels }) : others === "{}" ? name : `${name}${others}`;
}

const Weight = ({ share }: { share: number }) => (
  <span class={style.weight} aria-hidden="true">
    <span style={{ width: `${Math.max(1, 100 * share)}%` }} />
  </span>
);

/** The series by their labels: each choice narrows down what is left. */
export function Browser({ snapshot }: { snapshot: OpenedSnapshot }) {
  const sets = snapshot.sets.value;
  const chosen = snapshot.chosen.value;
  const left = useMemo(() => narrowed(sets, chosen), [sets, chosen]);
  const labels = useMemo(() => {
    const taken = new Set(chosen.map(([name]) => name));
    return labelWeights(left).filter(({ name }) => !taken.has(name));
  }, [left, chosen]);
  const [wanted, setWanted] = useState("__name__");
  const name = labels.some((label) => label.name === wanted) ? wanted : (labels.find(({ values }) => values > 1) ?? labels[0])?.name;
  const values = useMemo(() => (name === undefined ? [] : valueWeights(left, name)), [left, name]);
  return (
    <section class={`card ${style.browser}`} aria-labelledby="browser-title">
      <div class="card-head">
        <div>
          <h2 id="browser-title">Its series</h2>
          <p class="hint" role="status">
            {plural(left.length, "series", "series")}
            {chosen.length > 0 && ` of ${grouped(sets.length)}`}
            {name !== undefined && `; by ${name === "__name__" ? "the metric’s name" : name}: ${plural(values.length, "value")}`}
          </p>
        </div>
        <div class="controls">
          {chosen.map(([label, value], i) => (
            <button
              key={label}
              type="button"
              class="chip"
              aria-pressed={true}
              aria-label={`${label}="${value}": take it away again`}
              onClick={() => snapshot.choose(chosen.filter((_, other) => other !== i))}
            >
              {label}="{value}" ×
            </button>
          ))}
        </div>
      </div>
      <div class={style.facets}>
        <ul aria-label="Labels">
          {labels.map((label) => (
            <li key={label.name}>
              <button type="button" aria-pressed={label.name === name} onClick={() => setWanted(label.name)}>
                <code>{label.name}</code>
                <span class="note">{grouped(label.values)}</span>
              </button>
            </li>
          ))}
        </ul>
        <ul aria-label="Values">
          {name !== undefined &&
            values.slice(0, MOST_VALUES).map(({ value, series }) => (
              <li key={value}>
                <button type="button" onClick={() => snapshot.choose([...chosen, [name, value]])}>
                  <code>{value || "“”"}</code>
                  <span class="note">{grouped(series)}</span>
                </button>
              </li>
            ))}
          {values.length > MOST_VALUES && <li class="note">and {grouped(values.length - MOST_VALUES)} more</li>}
        </ul>
        <ul aria-label="Series" class={style.sets}>
          {left.slice(0, MOST_LISTED).map((labels) => {
            const selector = exactly(labels);
            return (
              <li key={selector}>
                <button type="button" class="link" onClick={() => snapshot.draw(selector)}>
                  <code>{spelt(labels)}</code>
                </button>
              </li>
            );
          })}
          {left.length > MOST_LISTED && <li class="note">and {grouped(left.length - MOST_LISTED)} more</li>}
        </ul>
      </div>
    </section>
  );
}
