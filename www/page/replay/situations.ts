// The situations that can be watched: how the engine is opened, who writes to it, and what happens when.

import type { OpenOptions } from "sandglass/inline";
import type { Action } from "../model/history";

export interface Situation {
  id: string;
  /** The key that starts it. */
  key: string;
  name: string;
  /** One line: where to look. */
  watch: string;
  options: Pick<OpenOptions, "retention" | "dedupInterval" | "memoryBytes" | "quotaBytes" | "durableWithin">;
  /** Milliseconds since the epoch, UTC. */
  startTime: number;
  /** Series that are scraped. */
  series: number;
  /** One scrape in so many milliseconds. */
  everyMs: number;
  /** Who writes. `fleet` mixes counters, gauges and constants; `kinds` is one of each; `replicas` is two writers of the same series; `churn` replaces its series. */
  writer: "fleet" | "kinds" | "replicas" | "churn" | "noise";
  script: readonly Action[];
  /** Two tabs share it, each of which writes an instance of its own. A crash ends the one that holds the engine; the other takes over. */
  hasTabs?: boolean;
  /** Its end: what is to be seen has been seen. */
  lengthMs: number;
  /** Speed at which it is played at first. */
  speed: number;
}

const NOON = Date.UTC(2024, 2, 10, 12);

/** 64 MiB make shards of 10,000 rows, the least that the server makes. */
const LITTLE_MEMORY = 64 << 20;

const plain = {
  options: { retention: "90d" },
  startTime: NOON,
  series: 12,
  everyMs: 1000,
  writer: "fleet",
  script: [],
  lengthMs: 60_000,
  speed: 2,
} as const;

export const SITUATIONS: readonly Situation[] = [
  {
    ...plain,
    id: "steady",
    key: "1",
    name: "Steady scrape",
    watch:
      "Each second the shard is emptied into one in-memory part. Every five seconds the in-memory parts that are five seconds old go to disk, as one small part. Small parts of like size are merged when there are enough of them.",
    lengthMs: 120_000,
    speed: 4,
  },
  {
    ...plain,
    id: "late",
    key: "2",
    name: "Late samples",
    watch:
      "Samples of February go to a partition of their own: each month has one, and shares nothing with the others. Late samples of today make parts that overlap in time with older ones.",
    script: [
      { at: 8_500, kind: "late" },
      { at: 20_500, kind: "late" },
    ],
    lengthMs: 45_000,
  },
  {
    ...plain,
    id: "burst",
    key: "3",
    name: "A burst overflows a shard",
    watch:
      "A shard holds 10,000 rows here. A call that does not fit takes all rows of the shard along, and they become in-memory parts at once, without waiting for the second to end.",
    options: { retention: "90d", memoryBytes: LITTLE_MEMORY },
    script: [
      { at: 4_300, kind: "burst" },
      { at: 9_600, kind: "burst" },
    ],
    lengthMs: 25_000,
    speed: 1,
  },
  {
    ...plain,
    id: "flood",
    key: "4",
    name: "257 small parts",
    watch:
      "Somebody flushes after every write, so that every write makes a part. In-memory parts stand in the list of small parts. When the list has more than 256 entries, whoever adds rows must help with a merge.",
    script: [{ at: 6_200, kind: "flushes" }],
    lengthMs: 25_000,
    speed: 1,
  },
  {
    ...plain,
    id: "kinds",
    key: "5",
    name: "Counter, gauge, constant",
    watch:
      "Zoom into a part. The values of the constant take no byte, and all timestamps of a steady scrape take two. The counter has small second differences. The gauge and the noise pay for every bit that nobody can foresee.",
    writer: "kinds",
    series: 4,
    everyMs: 250,
    lengthMs: 60_000,
    speed: 8,
  },
  {
    ...plain,
    id: "duplicates",
    key: "6",
    name: "Duplicates, de-duplicated",
    watch:
      "Two replicas write the same series. With an interval of 10 s only the last sample of each interval stays, as since v1.77. The others are dropped when rows become parts, again in merges, and at last when queries read.",
    options: { retention: "90d", dedupInterval: "10s" },
    writer: "replicas",
    lengthMs: 90_000,
    speed: 8,
  },
  {
    ...plain,
    id: "churn",
    key: "7",
    name: "Series churn",
    watch:
      "Every four seconds all pods are replaced. Data grows as before, but each new series adds entries to the index: watch the index, not the glass.",
    writer: "churn",
    series: 24,
    lengthMs: 60_000,
    speed: 4,
  },
  {
    ...plain,
    id: "snapshot",
    key: "8",
    name: "A snapshot during a merge",
    watch:
      "A snapshot is taken while all parts are being merged. It links the files of one instant, sources or result, and copies none. Sources that are merged away stay for as long as the snapshot links them.",
    script: [
      { at: 22_000, kind: "snapshot" },
      { at: 36_300, kind: "merge" },
      { at: 36_300, kind: "snapshot" },
    ],
    lengthMs: 60_000,
    speed: 4,
  },
  {
    ...plain,
    id: "retention",
    key: "9",
    name: "Retention passes",
    watch:
      "One day is kept. It is just before midnight, at the end of the 1st of March. When the last instant of February is older than a day, its partition is dropped as a whole. No file of it is read or rewritten.",
    options: { retention: "1d" },
    startTime: Date.UTC(2024, 2, 1, 23, 58, 30),
    script: [{ at: 4_500, kind: "late" }],
    lengthMs: 150_000,
    speed: 8,
  },
  {
    ...plain,
    id: "crash",
    key: "0",
    name: "Crash here",
    watch:
      "The engine is stopped without a word, as by kill -9. What is on disk, below the neck, is found again. Raw rows and in-memory parts, the last seconds, are gone. The server keeps no log of them either.",
    script: [{ at: 23_700, kind: "crash" }],
    lengthMs: 40_000,
    speed: 2,
  },
  {
    ...plain,
    id: "tabs",
    key: "t",
    name: "A second tab takes over",
    watch:
      "Two tabs have opened one database. One holds the engine, the other works through it. Each second's rows go to the log, too. When the holder is killed, the other tab opens its files: the log gives back what was in memory alone.",
    options: { retention: "90d", durableWithin: "1s" },
    hasTabs: true,
    script: [{ at: 41_300, kind: "crash" }],
    lengthMs: 75_000,
    speed: 4,
  },
  {
    ...plain,
    id: "full",
    key: "f",
    name: "Storage fills up",
    watch:
      "There is room for 64 kB. Flushes to disk begin to fail, and say so. In-memory parts stay and can still be searched, and what is on disk stays as it is.",
    options: { retention: "90d", quotaBytes: 64_000, memoryBytes: LITTLE_MEMORY },
    writer: "noise",
    series: 200,
    lengthMs: 60_000,
    speed: 4,
  },
  {
    ...plain,
    id: "import",
    key: "i",
    name: "A month is imported",
    watch:
      "One and a half million samples of noise come into February at once. They are merged fifteen parts at a time. A result above 10 MB, the lowest limit there is, is a big part, and is not merged with small ones any more.",
    options: { retention: "90d", memoryBytes: LITTLE_MEMORY },
    script: [
      { at: 3_300, kind: "import" },
      { at: 14_300, kind: "merge" },
    ],
    lengthMs: 25_000,
    speed: 1,
  },
  {
    ...plain,
    id: "many",
    key: "m",
    name: "A thousand series",
    watch:
      "A whole fleet is scraped. A part has a block for each series, so that parts of a few seconds are mostly headers. Merges make samples cheap.",
    series: 1000,
    lengthMs: 120_000,
    speed: 8,
  },
];

export const situationOf = (id: string): Situation => SITUATIONS.find((situation) => situation.id === id) ?? (SITUATIONS[0] as Situation);
