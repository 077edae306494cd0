// One question for each chapter, which is answered by doing: what has to come about for it, and what that shows.

import type { BlockDetails, EngineState, PartDetails } from "sandglass/inline";
import { bytes, grouped, plural, significant } from "../model/format";
import type { Action } from "../model/history";
import type { House } from "../model/house";

/** What can be seen of what a visitor has brought about. */
export interface Facts {
  house: House;
  state: EngineState | undefined;
  /** As it was before the last deed of this visit. */
  before: EngineState | undefined;
  /** What the visitor has done beside the chapter's own course, in order of time. */
  deeds: readonly Action[];
  /** What is looked into. */
  part: PartDetails | undefined;
  block: BlockDetails | undefined;
  /** Of the race: bytes that the selects on the merged part have saved, and what the merge had to move. */
  race: { savedBytes: number; movedBytes: number };
  /** Of the query's walk: parts with blocks that were read, and samples that were answered. */
  walk: { partsRead: number; samples: number };
}

export interface Question {
  asks: string;
  /** For who is stuck. */
  hint: string;
  /** What it has shown, once it was done. */
  answered: (facts: Facts) => string | undefined;
}

/** A crash that leaves more than this has come just after a flush to disk, which comes every five seconds. */
const MANY_ROWS = 100;
/** Rows of one scrape. */
const ONE_SCRAPE = 12;

/** Bytes of parts on disk, and what was written for them. */
function onDisk({ partitions }: EngineState): { stored: number; written: number } {
  const sums = { stored: 0, written: 0 };
  for (const { parts, merged } of partitions) {
    for (const part of parts) if (part.class !== "inmemory") sums.stored += part.bytes;
    sums.written += merged.flushes.bytes + merged.merges.bytes;
  }
  return sums;
}

export const QUESTIONS: Readonly<Record<string, Question>> = {
  "a-sample-arrives": {
    asks: "No query finds these twelve rows yet. Have them found before their second is over.",
    hint: "Go back to the start with “Again”, and press “Flush” while the rows lie in the shard.",
    answered: ({ deeds }) =>
      deeds.some(({ kind, at }) => kind === "flush" && at < 1000)
        ? "A flush makes a part of what lies in the shard, however little that is: it can be found at once. Who flushes after every write has a part for every write."
        : undefined,
  },
  "one-second-later": {
    asks: "Queries find the samples of the last seconds. Are they safe? Prove it, one way or the other.",
    hint: "Press “Crash” while there are in-memory parts.",
    answered: ({ house }) => {
      const crash = house.crashes.find(({ lostRows }) => lostRows > ONE_SCRAPE);
      return (
        crash &&
        `${plural(crash.lostRows, "row")} are gone, and all but those of the last second could be found before. To be found is not to be durable.`
      );
    },
  },
  "five-seconds-later": {
    asks: `Crash it at an instant at which that takes as much as it can: more than ${MANY_ROWS} rows.`,
    hint: "What is above the neck is lost. Let it grow: step by “1 s” until just before the next flush to disk, which stands beside the neck.",
    answered: ({ house }) => {
      const crash = house.crashes.find(({ lostRows }) => lostRows > MANY_ROWS);
      return (
        crash &&
        `${grouped(crash.lostRows)} rows, at twelve a second: those of the last ${Math.round(crash.lostRows / ONE_SCRAPE)} seconds. A part has to be five seconds old when its flush comes, and flushes come every five.`
      );
    },
  },
  "why-merge": {
    asks: "No merge pays here now, so the engine does none. Make it merge all the same. What does that do to write amplification?",
    hint: "Look at “write amplification” above the picture, press “Merge all”, and look again.",
    answered: ({ house, state, before, deeds }) => {
      const forced = house.merges.filter(({ reason }) => reason === "forced");
      if (
        !state ||
        !deeds.some(({ kind }) => kind === "merge") ||
        forced.length === 0 ||
        forced.some(({ finishedAt }) => finishedAt === undefined)
      )
        return undefined;
      const [then, now] = [before && onDisk(before), onDisk(state)];
      // What is known of the engine may be older than what is known of the house.
      if (then && now.written === then.written) return undefined;
      const rose = then
        ? `It rose from ${significant(then.written / then.stored)}× to ${significant(now.written / now.stored)}×`
        : `It is ${significant(now.written / now.stored)}× now`;
      const anew = forced.reduce((sum, { output }) => sum + (output?.bytes ?? 0), 0);
      const read = forced.reduce((sum, merge) => sum + merge.bytes, 0);
      return `${rose}: ${bytes(read)} of parts were written again, as ${bytes(anew)}. Fewer bytes are there, and more were written for each. Parts as small as these shrink a lot in a merge; large ones hardly do, and the rule of 7.5 spares them the rewriting.`;
    },
  },
  "what-a-merge-saves": {
    asks: "When has the merge paid? Let them race until the selects have saved as many bytes as the merge had to move.",
    hint: "Press “Race” and look at the last line; a second race goes on where the first one ended.",
    answered: ({ race: { savedBytes, movedBytes } }) =>
      movedBytes > 0 && savedBytes >= movedBytes
        ? `${bytes(movedBytes)} were moved once, and are won back. On a dashboard that asks every ten seconds that is a matter of minutes; time was won from the first select on.`
        : undefined,
  },
  "how-a-merge-runs": {
    asks: "Can a merge join parts of two months? Try it.",
    hint: "“Late samples” bring samples of February. When they lie in a partition of their own, have all merged.",
    answered: ({ house, deeds }) => {
      const late = deeds.find(({ kind }) => kind === "late");
      const merge = late && deeds.findLast(({ kind, at }) => kind === "merge" && at >= late.at);
      const merged =
        merge &&
        house.merges.some(({ reason, startedAt, finishedAt }) => reason === "forced" && startedAt >= merge.at && finishedAt !== undefined);
      return merged && house.engine.partitions.size > 1
        ? `No: ${plural(house.engine.partitions.size, "month")}, and each has ended with a part of its own. Partitions share nothing, which is why a month that is too old can go as a whole.`
        : undefined;
    },
  },
  "what-a-block-is": {
    asks: "Which series costs the least? Open its block.",
    hint: "Each block says how many bytes a sample takes. Timestamps are shared, so look at what the values add.",
    answered: ({ part, block }) => {
      if (!part || !block) return undefined;
      const least = Math.min(...part.headers.map((header) => header.valuesBytes / header.rows));
      if (block.header.valuesBytes / block.header.rows > least) return undefined;
      return `${block.header.labels?.__name__ ?? "It"} never changes: its first value stands in the header, and ${plural(block.header.valuesBytes, "byte")} of values.bin ${block.header.valuesBytes === 1 ? "is" : "are"} its own.`;
    },
  },
  "how-numbers-shrink": {
    asks: "One of these four cannot be made small by anybody. Open its block.",
    hint: "Go up one step by the path above the picture. A compressor lives by what can be foreseen.",
    answered: ({ part, block }) => {
      if (!part || !block) return undefined;
      const most = Math.max(...part.headers.map((header) => header.valuesBytes / header.rows));
      const { header } = block;
      if (part.headers.length < 2 || header.valuesBytes / header.rows < most) return undefined;
      return `Noise: ${(header.valuesBytes / header.rows).toFixed(1)} bytes for each value, of 8 that a float has. No difference of it is smaller than the number itself.`;
    },
  },
  "finding-a-series": {
    asks: "Have the same select find the last ten seconds in fewer than four parts.",
    hint: "“Merge all” makes one part of all there are. Then press “Select”, before many new ones have come; pause in between if you like.",
    answered: ({ state, deeds }) => {
      const merge = deeds.find(({ kind }) => kind === "merge");
      const asked = merge && deeds.some(({ kind, at }) => kind === "ask" && at >= merge.at);
      const read = state?.lastRead;
      return asked && read && read.parts > 0 && read.parts < 4
        ? `${plural(read.blocks, "block")} of ${plural(read.parts, "part")}. Fewer places to look, but longer blocks: ${grouped(read.rows)} rows were decoded for ${grouped(read.samples)} of the answer.`
        : undefined;
    },
  },
  "a-querys-walk": {
    asks: "Find a window for which one part alone has to be read.",
    hint: "Parts that meet in time with the window are read. Make it narrow, and lay it over one line.",
    answered: ({ walk: { partsRead, samples } }) =>
      partsRead === 1 && samples > 0
        ? "Parts of one writer follow one another in time, so that a narrow window meets few of them. Late samples make parts that overlap, and more of them have to be read."
        : undefined,
  },
  "a-snapshot": {
    asks: "What does a second snapshot cost, soon after the first? Take two.",
    hint: "Press “Snapshot” twice, and compare what they link.",
    answered: ({ house, deeds }) => {
      if (deeds.filter(({ kind }) => kind === "snapshot").length < 2) return undefined;
      const [first, second] = house.snapshots.slice(-2);
      if (!first || !second) return undefined;
      const shared = first.linked.filter(({ id }) => second.linked.some((part) => part.id === id));
      return `Nothing but names: ${plural(shared.length, "part")} of the ${grouped(second.linked.length)} that the second one links ${shared.length === 1 ? "is" : "are"} linked by the first one, too, and each file is there once.`;
    },
  },
  "a-crash": {
    asks: "Crash it so that not one row is lost.",
    hint: "One of the buttons brings all that is in memory to disk. Samples that come after that are in memory again, so that the crash has to come before the next second: choose the speed 0.1×.",
    answered: ({ house, deeds }) =>
      deeds.some(({ kind }) => kind === "crash") && house.crashes.some(({ lostRows }) => lostRows === 0)
        ? "A snapshot is complete, so it brings to disk all that was accepted. A flush does not: it makes in-memory parts of rows, and these are lost as rows are."
        : undefined,
  },
};

/** For a chapter that has none there is nothing to ask. */
export const questionOf = (chapter: string): Question | undefined => QUESTIONS[chapter];
