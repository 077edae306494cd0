// Counters that move with the picture, and what the last merge was about.

import { useRef } from "preact/hooks";
import type { EngineState } from "sandglass/inline";
import { bytes, grouped, many, perSample, plural, significant } from "../model/format";
import type { Merge } from "../model/parts";
import { waitingRows } from "../model/rows";
import type { Player } from "./player";
import style from "./counters.module.css";
import panel from "./panel.module.css";

/** What can be counted beside the picture. */
export type CounterName = "samples" | "waiting" | "parts" | "bytes" | "written" | "read" | "merges" | "slice";

interface Counter {
  title: string;
  value: string;
  note: string;
}

interface Sums {
  waiting: number;
  inmemory: number;
  small: number;
  big: number;
  stored: number;
  storedRows: number;
  /** Rows and bytes that went to disk as parts, each as often as it did. */
  writtenRows: number;
  writtenBytes: number;
  mergedBytes: number;
  merges: number;
  idleLooks: number;
}

function sumsOf(state: EngineState): Sums {
  const sums: Sums = {
    waiting: 0,
    inmemory: 0,
    small: 0,
    big: 0,
    stored: 0,
    storedRows: 0,
    writtenRows: 0,
    writtenBytes: 0,
    mergedBytes: 0,
    merges: 0,
    idleLooks: 0,
  };
  for (const partition of state.partitions) {
    const { parts, merged } = partition;
    sums.waiting += waitingRows(partition);
    for (const part of parts) {
      sums[part.class]++;
      if (part.class === "inmemory") continue;
      sums.stored += part.bytes;
      sums.storedRows += part.rows;
    }
    sums.writtenRows += merged.flushes.rows + merged.merges.rows;
    sums.writtenBytes += merged.flushes.bytes + merged.merges.bytes;
    sums.mergedBytes += merged.merges.bytes;
    sums.merges += merged.merges.done;
    sums.idleLooks += merged.putOff;
  }
  return sums;
}

function countersOf(state: EngineState): Record<CounterName, Counter> {
  const sums = sumsOf(state);
  const read = state.lastRead;
  // After a crash the engine counts anew: what it found on disk it has not written.
  const hasWrittenAll = sums.writtenRows >= sums.storedRows && sums.stored > 0;
  const countsAnew = sums.storedRows > state.ingested.rows;
  const series = plural(state.index?.series ?? state.series?.resolved ?? 0, "series", "series");
  return {
    samples: {
      title: "samples in",
      value: grouped(state.ingested.rows),
      note: countsAnew ? `since the engine began anew; ${series}` : series,
    },
    waiting: { title: "rows waiting", value: grouped(sums.waiting), note: "not yet searchable" },
    parts: { title: "parts", value: `${sums.inmemory} · ${sums.small} · ${sums.big}`, note: "in memory · small · big" },
    bytes: { title: "bytes a sample", value: perSample(sums.stored / sums.storedRows), note: `${bytes(sums.stored)} on disk` },
    written: {
      title: "write amplification",
      value: hasWrittenAll ? `${significant(sums.writtenBytes / sums.stored)}×` : "–",
      note: `${bytes(sums.writtenBytes)} written ${countsAnew ? "since the engine began anew" : `for ${bytes(sums.stored)}`}; ${bytes(sums.mergedBytes)} by merges`,
    },
    read: {
      title: "read amplification",
      value: read && read.samples > 0 ? `${significant(read.rows / read.samples)}×` : "–",
      note: read
        ? `rows decoded for each of the answer; last select: ${plural(read.blocks, "block")} of ${plural(read.parts, "part")}, ${bytes(read.bytes)}`
        : "no select yet",
    },
    merges: { title: "merges", value: grouped(sums.merges), note: `${plural(sums.idleLooks, "look")} found nothing worth one` },
    slice: {
      title: "longest slice",
      value: `${significant(state.scheduler.longestSliceMs)} ms`,
      note: `of this tab’s thread; ${plural(state.scheduler.slicesOver8Ms, "slice")} over 8 ms`,
    },
  };
}

/** All counters, or those that a chapter is about. */
export function Counters({ player, only }: { player: Player; only?: readonly CounterName[] }) {
  const state = player.state.value;
  const counters = state && countersOf(state);
  const names = only ?? (counters ? (Object.keys(counters) as CounterName[]) : []);
  return (
    <dl class={only ? `${style.counters} ${style.few}` : style.counters} data-counters="">
      {counters &&
        names.map((name) => (
          <div key={name}>
            <dt>{counters[name].title}</dt>
            {only ? <Moved value={counters[name].value} /> : <dd class={style.value}>{counters[name].value}</dd>}
            <dd class="note">{counters[name].note}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A value that is lit for a moment when it has become another one. */
function Moved({ value }: { value: string }) {
  const known = useRef({ value, times: 0 });
  if (known.current.value !== value) known.current = { value, times: known.current.times + 1 };
  const { times } = known.current;
  // Another element begins the animation anew.
  return (
    <dd key={times} class={style.value} data-lit={times > 0 ? "" : undefined}>
      {value}
    </dd>
  );
}

/** Why these parts: all that could have been taken, by size, and those that were. Of the last merge, unless another one was chosen. */
export function MergePanel({ player, chosen }: { player: Player; chosen: number | undefined }) {
  player.beat.value;
  const { house } = player;
  const merge = house.merges.findLast(({ id }) => id === chosen) ?? house.lastMerge;
  const looks =
    player.state.value?.partitions.flatMap(({ looks }) => looks.filter((look) => look.class === "small" && look.freeParts > 0)) ?? [];
  const look = looks.at(-1);
  return (
    <section class={panel.panel} aria-labelledby="merge-title">
      <h2 id="merge-title">{merge ? "Why merge these?" : "When is it merged?"}</h2>
      {merge ? (
        <Choice merge={merge} />
      ) : (
        <p class="note">
          No merge yet. Flushes to disk merge in-memory parts, too, but take all that are{" "}
          {(player.state.value?.config.durableWithinMs ?? 5000) < 5000 ? "thirty seconds old, since there is a log" : "five seconds old"}.
        </p>
      )}
      {look && look.chosenParts === 0 && (
        <p class="note">
          Last look: {plural(look.freeParts, "free part")}
          {look.gain > 0 ? `, best gain ${significant(look.gain)} of the ${significant(look.minGain)} needed` : ", none balanced enough"}:
          nothing to merge.
        </p>
      )}
    </section>
  );
}

const REASONS = {
  background: "A merger found a good choice.",
  assisted: "More than 256 small parts: who adds rows helps.",
  forced: "Asked for by force_merge: all parts of the month, 15 at a time.",
  deduplication: "Final de-duplication of a month that is over.",
  flush: "",
};

function Choice({ merge }: { merge: Merge }) {
  const { choice, sources } = merge;
  const taken = new Set(sources.map(({ id }) => id));
  const considered: (readonly [number, number])[] = choice
    ? choice.considered.map((id, i) => [id, choice.consideredBytes[i] ?? 0])
    : sources.map(({ id, bytes: size }) => [id, size]);
  const largest = Math.max(1, ...considered.map(([, size]) => size));
  return (
    <>
      <p>
        <strong>{plural(sources.length, "part")}</strong> of {plural(considered.length, "free one")}, {many(merge.rows, "row")},{" "}
        {bytes(merge.bytes)}
        {merge.output && `, became ${bytes(merge.output.bytes)}`}
      </p>
      <div
        class={considered.length > 60 ? `${style.candidates} ${style.dense}` : style.candidates}
        role="img"
        aria-label={`${considered.length} parts by size; ${taken.size} of them were taken`}
      >
        {considered.map(([id, size]) => (
          <span
            key={id}
            class={taken.has(id) ? style.taken : ""}
            style={{ height: `${Math.max(6, 100 * (Math.log2(1 + size) / Math.log2(1 + largest)))}%` }}
          />
        ))}
      </div>
      <p class="note">
        {REASONS[merge.reason]}
        {choice &&
          ` The result is ${significant(choice.gain)} times its largest source; at least ${significant(choice.minGain)} is wanted, so that no row is rewritten for little. A window whose largest part is more than the smallest times their number is not balanced and is passed over.`}
      </p>
    </>
  );
}
