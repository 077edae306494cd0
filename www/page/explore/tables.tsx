// Answers as tables: the values of an instant, and samples as they are stored.

import { useState } from "preact/hooks";
import type { InstantResult, SeriesData } from "sandglass";
import { grouped } from "../model/format";
import { linkToSample } from "../sample/address";
import type { Source } from "./address";
import type { Answer } from "./explorer";
import { instantText, readable } from "./figures";
import { letter, seriesText } from "./lines";
import style from "./explore.module.css";

const ROWS = 200;
export interface InstantValue {
  labels: Record<string, string>;
  /** Milliseconds. */
  time: number;
  value: number;
}

const NATURAL = new Intl.Collator("en", { numeric: true });

/** `at` is the instant that was asked for. */
export function InstantTables({
  answers,
  at,
  order,
  onOrder,
  onPick,
}: {
  answers: readonly (Answer | undefined)[];
  at: number | undefined;
  order: string;
  onOrder: (order: string) => void;
  /** A value of this query’s answer was chosen. */
  onPick: (query: number, value: InstantValue) => void;
}) {
  const shown = answers.flatMap((answer, query) => (answer?.instant ? [{ instant: answer.instant, query }] : []));
  return (
    <>
      {shown.map(({ instant, query }) => (
        <InstantTable
          key={query}
          instant={instant}
          at={at}
          title={shown.length > 1 ? letter(query) : ""}
          order={order}
          onOrder={onOrder}
          onPick={(value) => onPick(query, value)}
        />
      ))}
    </>
  );
}

function InstantTable({
  instant,
  at,
  title,
  order,
  onOrder,
  onPick,
}: {
  instant: InstantResult;
  at: number | undefined;
  title: string;
  order: string;
  onOrder: (order: string) => void;
  onPick: (value: InstantValue) => void;
}) {
  const sort = { by: order.replace(/^-/, ""), isDescending: order.startsWith("-") };
  const [most, setMost] = useState(ROWS);
  if (instant.type === "scalar" || instant.type === "string") {
    return (
      <p class={style.single}>
        {title && `${title}: `}
        <strong title={String(instant.value)}>{typeof instant.value === "number" ? readable(instant.value) : instant.value}</strong>{" "}
        <span class="note">
          a {instant.type === "scalar" ? "number" : "text"}, at {instantText(instant.timestamp)}
        </span>
      </p>
    );
  }
  if (instant.type === "matrix") return <RawTable found={instant.series} title={title} matched={instant.series.length} />;
  const names = [...new Set(instant.series.flatMap(({ labels }) => Object.keys(labels)))].sort(
    (a, b) => Number(b === "__name__") - Number(a === "__name__") || NATURAL.compare(a, b),
  );
  // The value stands where it is seen, however many labels there are.
  const [firstName, ...otherNames] = names;
  const rows = [...instant.series];
  if (sort.by === "value") rows.sort((a, b) => a.value - b.value);
  else if (sort.by !== "") rows.sort((a, b) => NATURAL.compare(a.labels[sort.by] ?? "", b.labels[sort.by] ?? ""));
  if (sort.isDescending) rows.reverse();
  const arrow = (key: string) => (
    <span class={style.arrow} aria-hidden="true">
      {sort.by === key ? (sort.isDescending ? "↓" : "↑") : ""}
    </span>
  );
  const head = (key: string, text: string) => (
    <th
      key={key}
      scope="col"
      class={key === "value" ? style.number : undefined}
      aria-sort={sort.by === key ? (sort.isDescending ? "descending" : "ascending") : undefined}
    >
      <button type="button" onClick={() => onOrder((sort.by === key ? !sort.isDescending : key === "value") ? `-${key}` : key)}>
        {key === "value" && arrow(key)}
        <bdi>{text}</bdi>
        {key !== "value" && arrow(key)}
      </button>
    </th>
  );
  const cell = (name: string, labels: Record<string, string>) => (
    <td key={name} title={labels[name]}>
      <bdi>{labels[name]}</bdi>
    </td>
  );
  if (rows.length === 0) {
    return (
      <p class={style.nothing}>
        {title && `${title}: `}No series has a value at {at === undefined ? "the end of the range" : instantText(at)}. A table shows one
        instant, the end of the range; a chart shows all of it.
      </p>
    );
  }
  return (
    <div class={style.scroll} role="region" aria-label={`Values${title && ` of ${title}`}`} tabIndex={0}>
      <table class={style.table}>
        <caption>
          {title && `${title}: `}
          {grouped(rows.length)} series at {instantText(rows[0]?.timestamp ?? 0)}
        </caption>
        <thead>
          <tr>
            {firstName !== undefined && head(firstName, firstName === "__name__" ? "metric" : firstName)}
            {head("value", "value")}
            {otherNames.map((name) => head(name, name))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, most).map(({ labels, value, timestamp }) => (
            <tr key={JSON.stringify(labels)}>
              {firstName !== undefined && cell(firstName, labels)}
              <td class={style.number} title={String(value)}>
                <button type="button" class={style.link} onClick={() => onPick({ labels, value, time: timestamp })}>
                  {readable(value)}
                </button>
              </td>
              {otherNames.map((name) => cell(name, labels))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && (
        <button type="button" class={style.link} onClick={() => setMost(most * 5)}>
          {grouped(rows.length - most)} more
        </button>
      )}
    </div>
  );
}

interface RawProps {
  found: readonly SeriesData[];
  title: string;
  /** Series that match. */
  matched: number;
  /** Whose samples they are; undefined for values that may be computed, and lie nowhere. */
  source?: Source;
}

export function RawTable({ found, title, matched, source }: RawProps) {
  const [most, setMost] = useState(ROWS);
  const samples = found.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  if (samples === 0) return <Nothing />;
  return (
    <div class={style.scroll} role="region" aria-label={`Samples${title && ` of ${title}`}`} tabIndex={0}>
      <table class={style.table}>
        <caption>
          {title && `${title}: `}
          {grouped(samples)} samples
          {matched > found.length ? ` of the first ${found.length} of ${grouped(matched)} series` : ` of ${grouped(found.length)} series`},
          the newest first
        </caption>
        <thead>
          <tr>
            <th scope="col">time</th>
            <th scope="col">series</th>
            <th scope="col" class={style.number}>
              value
            </th>
          </tr>
        </thead>
        <tbody>
          {newest(found, most).map(({ series, labels, time, value }) => (
            <tr key={`${series} ${time}`}>
              <td class={style.number}>
                {source ? (
                  <a href={linkToSample(source, labels, time)} title="Open in Inside: the part and the block that hold it">
                    {instantText(time)}
                  </a>
                ) : (
                  instantText(time)
                )}
              </td>
              <td title={series}>
                <bdi>{series}</bdi>
              </td>
              <td class={style.number}>{String(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {samples > most && (
        <button type="button" class={style.link} onClick={() => setMost(most * 5)}>
          {grouped(samples - most)} more
        </button>
      )}
    </div>
  );
}

/** The newest of all series together: each is in order, so that they are taken from the ends. */
function newest(
  found: readonly SeriesData[],
  most: number,
): { series: string; labels: Record<string, string>; time: number; value: number }[] {
  const ends = found.map(({ labels, timestamps, values }) => ({
    series: seriesText(labels),
    labels,
    timestamps,
    values,
    next: timestamps.length - 1,
  }));
  const rows: ReturnType<typeof newest> = [];
  while (rows.length < most) {
    let latest: (typeof ends)[number] | undefined;
    for (const end of ends) {
      if (end.next >= 0 && (latest === undefined || (end.timestamps[end.next] as number) > (latest.timestamps[latest.next] as number)))
        latest = end;
    }
    if (!latest) break;
    const { series, labels, timestamps, values, next } = latest;
    rows.push({ series, labels, time: timestamps[next] as number, value: values[next] as number });
    latest.next--;
  }
  return rows;
}

function Nothing() {
  return <p class={style.nothing}>Nothing was found in this time</p>;
}
