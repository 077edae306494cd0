// The chapters: one idea each, beside the picture that shows it. Text and what the engine does meanwhile.

import { type History, SEED } from "../model/history";
import type { CounterName } from "./counters";
import { SOURCES } from "./steps";

export interface Chapter {
  id: string;
  title: string;
  text: readonly string[];
  /** What to do or to look at. */
  look: string;
  /** What it counts. */
  counters: readonly CounterName[];
  /** Where it is in the code. */
  files: readonly string[];
  history: History;
  /** Milliseconds: it is shown from here to there. */
  from: number;
  to: number;
  speed: number;
  /** What is looked into at its end: the largest part, and a block of it. */
  zoom?: "part" | number;
  /** Whether the index is shown below the picture. */
  index?: true;
}

const steady: History = { situation: "steady", seed: SEED, actions: [] };

export const CHAPTERS: readonly Chapter[] = [
  {
    id: "a-sample-arrives",
    title: "A sample arrives",
    text: [
      "A sample is a series, an instant and a value. The series’ labels are looked up and become a TSID: 24 bytes that stand for them from here on. Labels that nobody has seen get a new one, and entries in the index.",
      "The row goes to the partition of its month and is appended to a shard of raw rows. Nothing is sorted, nothing encoded, nothing written: this is why writing is cheap. No query can see the row yet.",
    ],
    look: "Twelve series are scraped each second. Every grain is a row; its colour is its series, and stays so.",
    counters: ["samples", "waiting"],
    files: ["src/storage/ingest.rs", "src/partition/raw_rows.rs"],
    history: steady,
    from: 0,
    to: 900,
    speed: 0.5,
  },
  {
    id: "one-second-later",
    title: "One second later",
    text: [
      "Once a second the shards are emptied. Their rows are sorted by TSID, then by time, cut into blocks of one series each, and encoded. The result is an in-memory part: four buffers with just the bytes that a part has on disk.",
      "From now on queries find these samples. They are not durable: if the process dies, they are gone.",
    ],
    look: "The heap of mixed grains becomes a brick whose stripe is in order: same rows, sorted by series.",
    counters: ["waiting", "parts"],
    files: ["src/partition/flush.rs", "src/part/inmemory.rs"],
    history: steady,
    from: 900,
    to: 3500,
    speed: 0.5,
  },
  {
    id: "five-seconds-later",
    title: "Five seconds later",
    text: [
      "Every five seconds, in-memory parts that are at least five seconds old go to disk: up to fifteen of them are merged into one small part. It is written below tmp, synced, and moved to its place by one transaction.",
      "Below the neck is what survives. There is no write-ahead log on the server, and none in this room, which keeps to the server's rhythm: samples are durable five to eleven seconds after they came, and a kill -9 takes at most the last twelve.",
    ],
    look: "Bricks run through the neck. Those above it are lost by a crash, those below are not.",
    counters: ["parts", "bytes"],
    files: ["src/partition/flush.rs", "src/part/writer.rs"],
    history: steady,
    from: 3500,
    to: 15_500,
    speed: 2,
  },
  {
    id: "why-merge",
    title: "Why merge?",
    text: [
      "Each part has headers and an index of its own, and a query must look into every part whose time it touches. Many small parts mean many lookups, and short blocks: a header of 81 bytes for five samples.",
      "Merged, the same samples stand in long blocks that compress well. The price is that rows are written again, so parts are merged only when it pays: up to 15 of like size, whose result is at least 7.5 times the largest. A large part is not rewritten for the sake of small ones.",
    ],
    look: "Watch bytes a sample fall and write amplification rise. The bars below the picture are the free parts by size; those in full colour were taken.",
    counters: ["parts", "bytes", "written"],
    files: ["src/partition/policy.rs"],
    history: steady,
    from: 15_500,
    to: 75_000,
    speed: 8,
  },
  {
    id: "how-a-merge-runs",
    title: "How a merge runs",
    text: [
      "Every source is a stream of blocks, sorted by TSID and time. A heap holds the streams by their next block; the smallest comes out first. Blocks of one series that meet are decoded and joined, up to 8,192 rows; a block that stands alone is passed on as bytes, without being decoded.",
      "No query waits for a merge: all go on reading the old parts. Who writes waits for one only when more than 256 parts stand in the list, as in the situation “257 small parts”. When the result is complete, one transaction puts it in their place; the old files go when the last reader has let go.",
    ],
    look: "All parts are merged, fifteen at a time. Below the picture each line is a source, each square a block; the row below is the result.",
    counters: ["merges", "parts", "written"],
    files: ["src/part/merge.rs", "src/partition/merge.rs"],
    history: { ...steady, actions: [{ at: 60_300, kind: "merge" }] },
    from: 58_500,
    to: 62_500,
    speed: 0.5,
  },
  {
    id: "what-a-block-is",
    title: "What a block is",
    text: [
      "A block is up to 8,192 samples of one series. Its timestamps and its values are encoded each for itself and lie in two files; a header of 81 bytes says whose they are, where they lie and how they are encoded.",
      "Headers are collected in index blocks of 64 KiB, compressed in index.bin. One row for each index block stands in metaindex.bin, which alone is read when a part is opened. Scraped together, many series have the same timestamps: neighbours share one copy.",
    ],
    look: "You are inside of the largest part. Choose a block to see its bytes.",
    counters: ["parts", "bytes"],
    files: ["src/block/header.rs", "src/part/index_block.rs", "src/part/writer.rs"],
    history: { ...steady, actions: [{ at: 60_300, kind: "merge" }] },
    from: 62_000,
    to: 62_500,
    speed: 1,
    zoom: "part",
  },
  {
    id: "how-numbers-shrink",
    title: "How numbers shrink",
    text: [
      "Values become integers with one decimal exponent for the whole block, which keeps about 12 to 15 significant decimal digits of each. Of a counter, second differences are stored; of a gauge, plain ones; of a constant, nothing. The differences become varints: small numbers take one byte. From 128 bytes on, ZSTD is tried, and kept when it saves a tenth.",
      "The encoder decides by looking: a column that is negative somewhere, or falls to more than an eighth of the value before, is a gauge.",
    ],
    look: "Here is the counter. Go up one step by the path above the picture and open the gauge, the constant and the noise beside it.",
    counters: ["samples", "bytes"],
    files: ["src/encoding/decimal.rs", "src/encoding/marshal.rs", "src/encoding/nearest_delta2.rs"],
    history: { situation: "kinds", seed: SEED, actions: [{ at: 50_300, kind: "merge" }] },
    from: 49_000,
    to: 51_500,
    speed: 1,
    zoom: 0,
  },
  {
    id: "finding-a-series",
    title: "Finding a series",
    text: [
      "The index is a mergeset: sorted byte strings in immutable parts, flushed and merged much as data is. Some say which metric ids carry a label, for all days and for each day; some lead from a metric id to its TSID, some to its name.",
      "A select intersects these lists and sorts the TSIDs it has found. In each part it then needs only index blocks that can hold one of them, and only blocks whose time it wants. That is what the read counter shows.",
    ],
    look: "Every four seconds all pods are replaced. Then the last ten seconds are read: see how many blocks of how many parts that took. Below the picture is the index itself, with the very items by which a series is found.",
    counters: ["samples", "read"],
    files: ["src/index/search.rs", "src/index/schema.rs", "src/part/search.rs"],
    history: { situation: "churn", seed: SEED, actions: [{ at: 26_500, kind: "ask" }] },
    from: 22_000,
    index: true,
    to: 27_500,
    speed: 1,
  },
  {
    id: "a-snapshot",
    title: "A snapshot costs nothing",
    text: [
      "Files of parts never change. So a copy of the database at one instant is a list of hard links to the files that exist at that instant: no byte is copied, whatever the size. Before that, what waits in memory is flushed, so that the snapshot is complete.",
      "It costs something only later: parts that are merged away live on for as long as a snapshot links them.",
    ],
    look: "Point at a snapshot below the picture: what it links and still is in the database has a dashed line round it.",
    counters: ["parts", "bytes"],
    files: ["src/storage/snapshot.rs", "src/partition/snapshot.rs"],
    history: { ...steady, actions: [{ at: 42_300, kind: "snapshot" }, { at: 46_300, kind: "merge" }] },
    from: 40_000,
    to: 50_000,
    speed: 2,
  },
  {
    id: "a-crash",
    title: "What a crash can take",
    text: [
      "The engine is dropped without a word. Its storage is as it was: a new engine opens it, finishes what transaction files say, removes what lies below tmp, and goes on.",
      "Raw rows and in-memory parts are gone; everything below the neck is there. A merge that was cut off has lost nothing: either its sources are still listed, or its result is, never both and never neither.",
    ],
    look: "Compare the numbers before and after. Then press “Crash” yourself, at any instant you like.",
    counters: ["waiting", "parts"],
    files: ["src/partition/recover.rs", "src/storage/recover.rs"],
    history: { situation: "crash", seed: SEED, actions: [] },
    from: 18_000,
    to: 27_000,
    speed: 1,
  },
];

export const sourceOf = (file: string): string => SOURCES + file;
export const chapterOf = (id: string): Chapter => CHAPTERS.find((chapter) => chapter.id === id) ?? (CHAPTERS[0] as Chapter);
