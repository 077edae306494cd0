// Counters that move with the picture, and what the last merge was about.

import type { EngineState } from "sandglass/inline";
import { bytes, grouped, many, perSample, plural, significant } from "../model/format";
import type { House } from "../model/house";
import type { Player } from "./player";

interface Sums {
  rows: number;
  waiting: number;
  inmemory: number;
  small: number;
  big: number;
  stored: number;
  storedRows: number;
  /** Rows written to parts on disk, each as often as it was. */
  written: number;
  merged: number;
  merges: number;
  putOff: number;
}

function sumsOf(state: EngineState): Sums {
  const sums: Sums = { rows: state.ingested.rows, waiting: 0, inmemory: 0, small: 0, big: 0, stored: 0, storedRows: 0, written: 0, merged: 0, merges: 0, putOff: 0 };
  for (const { shards, pendingConversionRows, parts, merged } of state.partitions) {
    sums.waiting += pendingConversionRows + shards.reduce((rows, shard) => rows + shard.rows, 0);
    for (const part of parts) {
      sums[part.class]++;
      if (part.class === "inmemory") continue;
      sums.stored += part.bytes;
      sums.storedRows += part.rows;
    }
    sums.written += merged.flushes.rows + merged.merges.rows;
    sums.merged += merged.merges.bytes;
    sums.merges += merged.merges.done;
    sums.putOff += merged.putOff;
  }
  return sums;
}

export function Counters({ player }: { player: Player }) {
  const state = player.state.value;
  if (!state) return <dl class="counters" />;
  const sums = sumsOf(state);
  const read = state.lastRead;
  const items: [string, string, string][] = [
    ["samples in", grouped(sums.rows), plural(state.index?.series ?? state.series?.resolved ?? 0, "series", "series")],
    ["rows waiting", grouped(sums.waiting), "not yet searchable"],
    ["parts", `${sums.inmemory} · ${sums.small} · ${sums.big}`, "in memory · small · big"],
    ["bytes a sample", perSample(sums.stored / sums.storedRows), `${bytes(sums.stored)} on disk`],
    [
      "write amplification",
      // After a crash the engine counts anew, what it found on disk it has not written.
      sums.written >= sums.storedRows && sums.storedRows > 0 ? `${significant(sums.written / sums.storedRows)}×` : "–",
      `rows written to disk for each that is there; merges wrote ${bytes(sums.merged)}`,
    ],
    [
      "read amplification",
      read && read.samples > 0 ? `${significant(read.rows / read.samples)}×` : "–",
      read ? `last select: ${plural(read.blocks, "block")} of ${plural(read.parts, "part")}, ${bytes(read.bytes)}` : "no select yet",
    ],
    ["merges", grouped(sums.merges), `put off ${plural(sums.putOff, "time")}`],
    ["longest slice", `${significant(state.scheduler.longestSliceMs)} ms`, `of this tab’s thread; ${plural(state.scheduler.slicesOver8Ms, "slice")} over 8 ms`],
  ];
  return (
    <dl class="counters">
      {items.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="value">{value}</dd>
          <dd class="note">{note}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Why these parts: all that could have been taken, by size, and those that were. */
export function MergePanel({ player }: { player: Player }) {
  player.beat.value;
  const { house } = player;
  const merge = house.lastMerge;
  const looks = player.state.value?.partitions.flatMap(({ looks }) => looks.filter((look) => look.class === "small" && look.freeParts > 0)) ?? [];
  const look = looks.at(-1);
  return (
    <section class="panel" aria-labelledby="merge-title">
      <h3 id="merge-title">Why merge these?</h3>
      {merge ? <Choice merge={merge} /> : <p class="note">No merge yet. Flushes to disk merge in-memory parts, too, but take all that are five seconds old.</p>}
      {look && look.chosenParts === 0 && (
        <p class="note">
          Last look: {plural(look.freeParts, "free part")}
          {look.gain > 0 ? `, best gain ${significant(look.gain)} of the ${significant(look.minGain)} needed` : ", none balanced enough"}: put off.
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

function Choice({ merge }: { merge: NonNullable<House["lastMerge"]> }) {
  const { choice, sources } = merge;
  const taken = new Set(sources.map(({ id }) => id));
  const considered: (readonly [number, number])[] = choice ? choice.considered.map((id, i) => [id, choice.consideredBytes[i] ?? 0]) : sources.map(({ id, bytes: size }) => [id, size]);
  const largest = Math.max(1, ...considered.map(([, size]) => size));
  return (
    <>
      <p>
        <strong>{plural(sources.length, "part")}</strong> of {plural(considered.length, "free one")}, {many(merge.rows, "row")}, {bytes(merge.bytes)}
        {merge.output && `, became ${bytes(merge.output.bytes)}`}
      </p>
      <div class={considered.length > 60 ? "candidates dense" : "candidates"} role="img" aria-label={`${considered.length} parts by size; ${taken.size} of them were taken`}>
        {considered.map(([id, size]) => (
          <span key={id} class={taken.has(id) ? "taken" : ""} style={{ height: `${Math.max(6, 100 * (Math.log2(1 + size) / Math.log2(1 + largest)))}%` }} />
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
