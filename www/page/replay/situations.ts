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
  /** What is done otherwise than by a server, or not shown; and which server's version it follows. */
  leavesOut: string;
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
    leavesOut:
      "This follows 1.72, without a log, as that server has none. The page hands the rows over as numbers. A server reads texts from many senders, on all its processors. Here all takes turns in one thread, and the clock stands still while the engine works: a flush or a merge takes no time. Since 1.85 in-memory parts have a list of their own, and are merged in memory first.",
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
    leavesOut:
      "This follows 1.72. How late a sample may be is the retention’s matter alone: 90 days here. Older samples are refused, and so are samples more than two days ahead. A server also remembers answers of earlier queries, which late samples can make wrong. The engine of this room remembers none.",
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
    leavesOut:
      "This follows 1.72. With little memory, as here, a shard holds 10,000 rows; with more it holds up to 500,000. A server has a shard for every eight processors, and fills them in turn. Here there is one. The burst comes in twelve calls of 1,100 rows.",
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
    leavesOut:
      "This follows 1.72, with its limit of 256. On a server those who write wait while they help. Here the clock stands still for a merge, so that nobody is seen to wait. Since 1.85 in-memory parts have a list of their own, with a limit of its own.",
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
    leavesOut:
      "The format is the same from 1.72 to 1.150, though other versions may compress the same rows to other bytes. The four series are made up, and come four times a second so that blocks grow quickly. No value is infinite and none is a stale marker, which have mantissas of their own. A server that is started with -precisionBits below 64 drops further digits of values.",
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
    leavesOut:
      "This follows 1.72, but for its rule of which sample stays: that is the rule of newer servers. Of several samples at one instant the largest stays, as since 1.85, and a stale marker only where there is no other, as since 1.134. Both replicas are played by this page. They send the same values, 400 ms apart; real ones read at different instants, and get different values. When a month is over, it is merged once more to drop the duplicates that it still has. March is not over here.",
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
    leavesOut:
      "This follows 1.72: one index for all months. Since 1.133 each month has its own. A server writes the entries of the next day ahead of time: 1.72 during the whole day, 1.79.5 in its last hour. Here the first samples of a day write them. Pods that are gone stay in the index for at least the retention, which is longer than this lasts.",
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
    leavesOut:
      "This follows 1.72. A merge of so few rows is over at once; time stands still here so that it can be seen. A server’s snapshot has symbolic links to folders of hard links. They are resolved here when it is downloaded. A browser has no hard links: here a file has several names, and goes with the last one.",
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
    leavesOut:
      "This follows 1.72, which looks for such months once a minute, as this engine does. Within a month that stays, old parts go when all their samples are too old, and single rows go when they are merged. Neither comes up here. The names of series stay in the index for at least the retention. Since 1.133 the index of a month goes with the month.",
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
    leavesOut:
      "This follows 1.72. The storage of this room carries out a write as a whole or not at all. A disk can tear one, and a power cut can take what a disk only said to have stored. The room Live also keeps a log, which a server has not. Newer servers have a setting for how often they bring memory to disk, -inmemoryDataFlushInterval.",
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
    leavesOut:
      "The parts follow 1.72. Its server has neither tabs nor a log. Both tabs are played by this one page. The engine, its log, and what it finds when it is opened again are real, over files in memory. Messages between the tabs take no time here, and the lock goes over at once; a browser takes some milliseconds for both. A tab of the package keeps what it has sent, up to 1 MiB, until the engine says that it is durable; here the page looks up what the database does not have, and sends that. A tab that is closed or reloaded in order hands over what it has before it goes, and loses nothing: this one is killed.",
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
    leavesOut:
      "Parts and merges follow 1.72; what is done without room does not. That server takes no samples any more when less than 10 MB are free, which -storage.minFreeDiskSpaceBytes changes. It ends when it cannot write a part all the same. This engine goes on, because a browser’s storage can be full at any time. In a browser it keeps some room free for removals. Here nobody tells it how much room there is, and it learns from what is refused.",
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
    leavesOut:
      "This follows 1.72. The page hands over columns of 10,000 numbers. A server reads an import from a request’s body. Its limit of small parts follows from the memory that caches leave; this room has little, so that the limit is the lowest. On a server small and big parts have mergers of their own, and several of them work at once. Here they take turns, and the clock stands still for them.",
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
    leavesOut:
      "This follows 1.72. All series are read at one instant, so that all blocks of a part share one copy of their timestamps. A server spreads what it scrapes over the interval, so that only the series of one target have the same timestamps. The picture has twelve colours for the thousand series, and shows 64 grains of a scrape.",
    series: 1000,
    lengthMs: 120_000,
    speed: 8,
  },
];

export const situationOf = (id: string): Situation => SITUATIONS.find((situation) => situation.id === id) ?? (SITUATIONS[0] as Situation);
