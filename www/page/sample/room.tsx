// A sample of a database, where it lies: its part, its block, its row, and the bytes that stand for it.

import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { Database } from "sandglass";
import { EMPTY, hashOf } from "../explore/address";
import { instantText } from "../explore/figures";
import { seriesText } from "../explore/lines";
import { written } from "../explore/times";
import { Path, ZoomView } from "../inside/zoom_view";
import { bytes, clock, grouped, month as monthName, plural } from "../model/format";
import { exactly } from "../model/selector";
import { CLASS_WORD } from "../model/words";
import { hasLog, type Session } from "../session";
import type { OpenedSnapshot } from "../snapshot/opened";
import { ChooseFile } from "../views/choose_files";
import { TroubleCard } from "../views/trouble_card";
import type { SamplePlace } from "./address";
import { IN_MEMORY, type Lying, nameOf } from "./find";
import { SampleLook } from "./look";
import { storedRow } from "./row";
import style from "./sample.module.css";
import zoom from "../inside/zoom_view.module.css";

export function OwnSample({ place, session }: { place: SamplePlace; session: Session }) {
  return (
    <>
      <TroubleCard session={session} />
      <Sample place={place} database={session.database}>
        Of the page’s own database
      </Sample>
    </>
  );
}

export function SnapshotSample({ place, snapshot }: { place: SamplePlace; snapshot: OpenedSnapshot }) {
  return (
    <Sample place={{ ...place, ...snapshot.source }} database={snapshot.database}>
      Of <bdi>{snapshot.name}</bdi>. <a href={snapshot.address}>All its months and parts</a>
    </Sample>
  );
}

/** The address is of a file that is not open. */
export function NotOpen({ onOpen }: { onOpen: (files: FileList) => void }) {
  return (
    <section class={`card ${style.head}`} aria-labelledby="sample-title">
      <h1 id="sample-title">The database of this sample is not open</h1>
      <p class="hint">
        The sample is in a file, and a file stays open only until its tab is reloaded or left. Open it again, or drop it anywhere on the
        page: the sample is then looked for in it.
      </p>
      <div class="controls">
        <ChooseFile onChoose={onOpen} />
      </div>
    </section>
  );
}

/** The address names no sample. */
export function NoSample() {
  return (
    <section class={`card ${style.head}`} aria-labelledby="sample-title">
      <h1 id="sample-title">This address names no sample</h1>
      <p class="hint">
        It needs a series and a time. In <a href="#explore">Explore</a>, point at a sample: “Open in Inside” leads to it.
      </p>
    </section>
  );
}

interface SampleProps {
  place: SamplePlace;
  database: ReadonlySignal<Database | undefined>;
  /** Whose sample it is. */
  children: ComponentChildren;
}

function Sample({ place, database, children }: SampleProps) {
  const sample = JSON.stringify([place.labels, place.time]);
  const look = useMemo(() => new SampleLook(place, database), [sample, database]);
  useEffect(() => look.close, [look]);
  useEffect(() => look.follow(place), [look, place.part, place.block]);
  const lying = look.shown.value;
  const marked = lying && { part: String(lying.part.id), block: lying.block.block, row: lying.row };
  const around = { ...EMPTY, of: place.of, name: place.name, shape: "raw" as const };
  const neighbours = hashOf({
    ...around,
    queries: [{ expression: exactly(place.labels), isHidden: false }],
    from: written(place.time - 150_000),
    to: written(place.time + 150_000),
  });
  return (
    <>
      <section class={`card ${style.head}`} aria-labelledby="sample-title">
        <h1 id="sample-title" class={style.title}>
          Where a sample lies
        </h1>
        <p class={style.name}>
          {lying && <strong>{String(lying.block.values[lying.row])}</strong>}{" "}
          <code>
            <bdi>{seriesText(place.labels)}</bdi>
          </code>{" "}
          <span class={style.time}>at {instantText(place.time)}</span>
        </p>
        <p class="note">
          {children}. <a href={neighbours}>The samples around it, in Explore</a>
        </p>
        <div role="status" class={style.told}>
          <Told look={look} database={database.value} />
        </div>
        {look.problem.value && (
          <p class="reading problem" role="alert">
            {look.problem.value}
          </p>
        )}
        {lying && <Row lying={lying} />}
      </section>
      {lying && (
        <section class="card" aria-labelledby="sample-part">
          <h2 id="sample-part">Its part, down to the bytes</h2>
          <Path
            look={look.parts}
            steps={[
              [`all of the ${CLASS_WORD[lying.part.class]}`, look.parts.zoom.value.slice(0, 2)] as const,
              ...(look.parts.zoom.value[2] === undefined ? [] : [[`block ${look.parts.zoom.value[2]}`, look.parts.zoom.value] as const]),
            ]}
          />
          {look.parts.gone.value && (
            <p class="reading problem" role="alert">
              {look.parts.gone.value}
            </p>
          )}
          <div class={zoom.openedPart}>
            <ZoomView look={look.parts} {...(marked && { marked })} />
          </div>
        </section>
      )}
    </>
  );
}

/** Where it lies, in words. */
function Told({ look, database }: { look: SampleLook; database: Database | undefined }) {
  const search = look.search.value;
  const lying = look.shown.value;
  const was = look.was.value;
  if (!search || !database) return <p>{look.problem.value ? "" : "Looking for it"}</p>;
  if (!lying) return <NoPart look={look} />;
  const { part, block, row, partition } = lying;
  const { month, year } = monthName(partition);
  const mergedAt = look.mergedAt.value;
  const isElsewhere = look.parts.zoom.value[2] !== String(block.block);
  return (
    <>
      {was !== "" && (
        <p>
          The address names{" "}
          {was === IN_MEMORY ? (
            "an in-memory part"
          ) : (
            <>
              the part <code>{was}</code>
            </>
          )}
          . The sample is not there any more: parts are written to disk and merged. This is where it is now.
        </p>
      )}
      <p>
        It is row {grouped(row + 1)} of {grouped(block.header.rows)} of block {grouped(block.block)} in{" "}
        {part.class === "inmemory" ? "an" : "a"} {CLASS_WORD[part.class]}
        {part.name !== "" && (
          <>
            , <code>{part.name}</code>,
          </>
        )}{" "}
        of {month} {year}. That part has {plural(part.blocks, "block")} and {plural(part.rows, "sample")}, {bytes(part.bytes)}.{" "}
        {part.class === "inmemory" && inMemoryWords(database, hasLog(search.state))}
      </p>
      {search.lying.length > 1 && (
        <div class="controls">
          <span class="note">It is stored {search.lying.length} times, until a merge makes one of them:</span>
          {search.lying.map((other) => (
            <button
              key={`${other.part.id}.${other.block.block}`}
              type="button"
              aria-pressed={other === lying}
              onClick={() => void look.show(other, other.block.block)}
            >
              in {nameOf(other.part)}
            </button>
          ))}
        </div>
      )}
      {mergedAt !== undefined && (
        <div class="controls">
          <span>
            At {clock(mergedAt)} this part was {part.class === "inmemory" ? "written to disk or merged" : "merged"}. Shown is what it was.
          </span>
          <button type="button" onClick={() => void look.find({ part: nameOf(part), block: undefined })}>
            Show where it is now
          </button>
        </div>
      )}
      {isElsewhere && mergedAt === undefined && (
        <div class="controls">
          <button type="button" onClick={() => void look.show(lying, block.block)}>
            Back to its block
          </button>
        </div>
      )}
    </>
  );
}

function inMemoryWords(database: Database, keepsLog: boolean): string {
  if (database.storage === "memory") return "This database is in memory alone, and so is the part.";
  return keepsLog
    ? "Queries find it, but it is not on disk as a part yet. Until it is, the log keeps its rows."
    : "Queries find it, but it is not on disk yet.";
}

/** No part holds it: it may be about to be in one, or is not there. */
function NoPart({ look }: { look: SampleLook }) {
  const { waiting = 0 } = look.search.value ?? {};
  if (waiting > 0) {
    return (
      <p>
        No part holds it yet. {plural(waiting, "raw row")} of its month {waiting === 1 ? "waits" : "wait"} in shards, where no query finds
        them; if it was written just now, it is among these. Within a second they become an in-memory part, and the page looks again.
      </p>
    );
  }
  return (
    <p>
      No part of this database holds a sample of this series at this time, and no raw row waits. It was deleted, or dropped by retention or
      de-duplication, or it was never here.
    </p>
  );
}

/** The row, and the bytes that stand for it. */
function Row({ lying: { block, row } }: { lying: Lying }) {
  const { header, timestamps, mantissas, values } = block;
  const columns = [
    {
      name: "timestamp",
      column: timestamps,
      is: `${timestamps.integers[row]} ms`,
      from: new Date(Number(timestamps.integers[row])).toISOString(),
    },
    {
      name: "value",
      column: mantissas,
      is: `${mantissas.integers[row]}${header.scale === 0 ? "" : ` · 10^${header.scale}`}`,
      from: String(values[row]),
    },
  ];
  return (
    <div class={style.scroll} role="region" aria-label="What is stored for it" tabIndex={0}>
      <table class={style.row}>
        <caption class="hidden">What is stored for the sample</caption>
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">What you see</th>
            <th scope="col">As an integer</th>
            <th scope="col">What is stored</th>
            <th scope="col">Bytes</th>
            <th scope="col">Where</th>
          </tr>
        </thead>
        <tbody>
          {columns.map(({ name, column, is, from }) => {
            const stored = storedRow(column, row);
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td data-head="What you see">{from}</td>
                <td data-head="As an integer">{is}</td>
                <td data-head="What is stored">{stored.says}</td>
                <td data-head="Bytes">
                  <code>{hexOf(stored.bytes)}</code>
                </td>
                <td data-head="Where">{stored.where}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const hexOf = (data: Uint8Array): string =>
  data.length === 0 ? "none" : [...data].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
