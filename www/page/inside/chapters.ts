// The chapters: one idea each, beside the picture that shows it. Text and what the engine does meanwhile.

import { type History, SEED } from "../model/history";
import type { CounterName } from "./counters";
import { SOURCES } from "./steps";

export interface Chapter {
  id: string;
  title: string;
  /** Paragraphs. Between asterisks stands a word that is defined here, before it is used anywhere. */
  text: readonly string[];
  /** What to do or to look at. */
  look: string;
  /** What the engine or a server does besides, and which server it is that this follows. */
  leavesOut: string;
  /** What it counts. */
  counters: readonly CounterName[];
  /** Where it is in the code. */
  files: readonly string[];
  history: History;
  /** Milliseconds: it is shown from here to there. */
  from: number;
  to: number;
  speed: number;
  /** What is looked into at its end: the largest part, or in it the block of a metric. */
  zoom?: "part" | { metric: string };
  /** Whether the index is shown below the picture. */
  index?: true;
  /** What of the merges is shown below the picture: how the last one ran, or all of them over time. */
  merges?: "last" | "time line";
  /** What the picture cannot show: it stands above it, or, for one’s own numbers, below. */
  panel?: "race" | "walk" | "own";
}

/** The words of the lesson, in the order in which they are defined, as they are told to who has forgotten one. */
export const WORDS: readonly (readonly [word: string, says: string])[] = [
  ["series", "a set of labels that samples belong to, its name among them"],
  ["sample", "one value of a series at one instant"],
  ["TSID", "24 bytes that stand for a series’ labels: the order of series wherever they are sorted"],
  ["row", "a sample on its way into a part: TSID, instant, value"],
  ["partition", "all samples of one calendar month"],
  ["shard", "a heap of rows in memory; a server has one for every eight processors"],
  ["block", "up to 8,192 samples of one series, encoded together"],
  ["part", "sorted blocks with an index of their own; it never changes"],
  ["in-memory part", "a part that is in memory alone, and gone when the process dies"],
  ["small part", "a part on disk that merges may take"],
  ["big part", "a part on disk that is above the limit of a small one"],
  ["merge", "many parts read in order and written as one"],
  ["write amplification", "bytes that were written for each byte that is there"],
  ["header", "81 bytes in front of the data of a block: whose it is, where it lies, how it is encoded"],
  ["mantissa", "the integer that a value becomes; one decimal exponent stands for all of a block"],
  ["varint", "an integer in as few bytes as it needs: seven bits in each"],
  ["ZSTD", "a general compressor, tried on what is 128 bytes and more"],
  ["metric id", "the unique number of a series, the last eight bytes of its TSID"],
  ["mergeset", "sorted byte strings in immutable parts, which are merged as data is"],
  ["read amplification", "rows that were decoded for each one of the answer"],
  ["snapshot", "a copy of the database at one instant, made of links"],
];

const steady: History = { situation: "steady", seed: SEED, actions: [] };
const merged: History = { ...steady, actions: [{ at: 60_300, kind: "merge" }] };

export const CHAPTERS: readonly Chapter[] = [
  {
    id: "a-sample-arrives",
    title: "A sample arrives",
    text: [
      "A *series* is a set of labels; a *sample* is one value of it at one instant. When a sample comes, its labels are looked up and become a *TSID*: 24 bytes that stand for them from here on. Labels that nobody has seen get a new one, and entries in the index.",
      "TSID, instant and value are a *row*. It goes to the *partition* of its month and is appended to a *shard*, a heap of rows in memory. Nothing is sorted, nothing encoded, nothing written: this is why writing is cheap. No query can see the row yet.",
    ],
    look: "Twelve series are scraped each second. Every grain is a row; its colour is its series, and stays so.",
    leavesOut: "This follows 1.72. A server has a shard for every eight processors, so that writers wait less for one another; here there is one. From 1.79 on it writes the entries of the index before the rows, and not after them.",
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
      "Once a second the shards are emptied. Their rows are sorted by TSID, then by time, cut into *blocks* of one series each, and encoded. The sorted blocks with an index of their own are a *part*; this one is an *in-memory part*, four buffers with just the bytes that a part has on disk.",
      "From now on queries find these samples. They are not durable: if the process dies, they are gone.",
    ],
    look: "The heap of mixed grains becomes a brick whose stripe is in order: same rows, sorted by series.",
    leavesOut: "This follows 1.72, where in-memory parts stand in the list of small ones; from 1.85 on they have a list of their own and are merged in memory first. A shard that is full before its second is over is emptied at once: see the situation “A burst overflows a shard”.",
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
      "Every five seconds, in-memory parts that are at least five seconds old go to disk: up to fifteen of them become one *small part*. It is written below tmp, synced, and moved to its place by one transaction.",
      "Below the neck is what survives. There is no write-ahead log on the server, and none in this room, which keeps to the server's rhythm: samples are durable five to eleven seconds after they came, and a kill -9 takes at most the last twelve.",
    ],
    look: "Bricks run through the neck. Those above it are lost by a crash, those below are not.",
    leavesOut: "This follows 1.72. What a power cut takes of what was synced depends on the disk below. The room Live keeps a log besides, so that its samples are durable within a second.",
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
      "Each block has a *header* of 81 bytes, and a query must look into every part whose time it touches. Many small parts mean many lookups, and short blocks: a header for five samples.",
      "A *merge* reads many parts in order and writes them as one, with long blocks that compress well. The price is *write amplification*: bytes are written again. So parts are merged only when it pays: up to 15 of like size, whose result is at least 7.5 times the largest. A result above the limit is a *big part*, and is not rewritten for the sake of small ones.",
    ],
    look: "Watch bytes a sample fall and write amplification rise. The time line below the picture tells which part came from which.",
    leavesOut: "This follows 1.72, with its bound of 15 parts and its factor of 7.5. A server has mergers of small and of big parts, each half as many as processors; here they take turns in one thread. The limit of a small part follows from the memory that caches leave.",
    counters: ["parts", "bytes", "written"],
    files: ["src/partition/policy.rs"],
    history: steady,
    from: 15_500,
    to: 75_000,
    speed: 8,
    merges: "time line",
  },
  {
    id: "what-a-merge-saves",
    title: "What a merge saves",
    text: [
      "A merge is paid for once, in bytes read and written. What it saves is saved by every query from then on: one block in place of forty, one look into an index in place of forty.",
      "Above the picture stand two engines with the very same samples. One has them in forty small parts, as if nothing had ever been merged; the other one had them merged. Both are asked the same select, in turns, and each turn has the same time.",
    ],
    look: "Let them race. Each bar is how many selects were answered; beside it stands what one of them has read. Below it: what the merge had to move, and how much of that the selects have saved so far.",
    leavesOut: "This engine’s merges are those of 1.72. Both have all their bytes in memory; from a disk, forty parts are forty places to read at, and the distance grows. A server spreads the parts of one select over its processors.",
    counters: ["parts", "bytes"],
    files: ["src/part/search.rs", "src/part/merge.rs"],
    history: steady,
    from: 70_000,
    to: 75_000,
    speed: 4,
    panel: "race",
  },
  {
    id: "how-a-merge-runs",
    title: "How a merge runs",
    text: [
      "Every source is a stream of blocks, sorted by TSID and time. A heap holds the streams by their next block; the smallest comes out first. Blocks of one series that meet are decoded and joined, up to 8,192 rows; a block that stands alone is passed on as bytes, without being decoded.",
      "No query waits for a merge: all go on reading the old parts. Who writes waits for one only when more than 256 parts stand in the list, as in the situation “257 small parts”. When the result is complete, one transaction puts it in their place; the old files go when the last reader has let go.",
    ],
    look: "All parts are merged, fifteen at a time. Below the picture each line is a source, each square a block; the row below is the result.",
    leavesOut: "This follows 1.72. Rows that are older than the retention and duplicates are dropped on the way, as in the situations of these names. A server has transaction files for this up to 1.89; newer ones write a new list of parts instead.",
    counters: ["merges", "parts", "written"],
    files: ["src/part/merge.rs", "src/partition/merge.rs"],
    history: merged,
    from: 58_500,
    to: 62_500,
    speed: 0.5,
    merges: "last",
  },
  {
    id: "what-a-block-is",
    title: "What a block is",
    text: [
      "A block is up to 8,192 samples of one series. Its timestamps and its values are encoded each for itself and lie in two files; the header says whose they are, where they lie and how they are encoded.",
      "Headers are collected in index blocks of 64 KiB, compressed in index.bin. One line for each index block stands in metaindex.bin, which alone is read when a part is opened. Scraped together, many series have the same timestamps: neighbours share one copy.",
    ],
    look: "You are inside of the largest part. Choose a block to see its bytes.",
    leavesOut: "These four files have had the same bytes in every server from 1.72 to 1.150; only the name of the folder and the place of its facts have changed, to metadata.json in 1.90.",
    counters: ["parts", "bytes"],
    files: ["src/block/header.rs", "src/part/index_block.rs", "src/part/writer.rs"],
    history: merged,
    from: 62_000,
    to: 62_500,
    speed: 1,
    zoom: "part",
  },
  {
    id: "how-numbers-shrink",
    title: "How numbers shrink",
    text: [
      "Values become integers, *mantissas*, with one decimal exponent for the whole block, which keeps about 12 to 15 significant decimal digits of each. Of a counter, second differences are stored; of a gauge, plain ones; of a constant, nothing. The differences become *varints*, with seven bits in each byte: small numbers take one. From 128 bytes on, *ZSTD* is tried, and kept when it saves a tenth.",
      "The encoder decides by looking: a column that is negative somewhere, or falls to more than an eighth of the value before, is a gauge.",
    ],
    look: "Here is the counter. Go up one step by the path above the picture and open the gauge, the constant and the noise beside it. Or paste numbers of your own below.",
    leavesOut: "With -precisionBits below 64 a server drops further digits of values. The bytes are the same from 1.72 to 1.150.",
    counters: ["samples", "bytes"],
    files: ["src/encoding/decimal.rs", "src/encoding/marshal.rs", "src/encoding/nearest_delta2.rs"],
    history: { situation: "kinds", seed: SEED, actions: [{ at: 50_300, kind: "merge" }] },
    from: 49_000,
    to: 51_500,
    speed: 1,
    zoom: { metric: "a_counter_total" },
    panel: "own",
  },
  {
    id: "finding-a-series",
    title: "Finding a series",
    text: [
      "The index is a *mergeset*: sorted byte strings in immutable parts, flushed and merged much as data is. Some say which *metric ids*, the numbers of series, carry a label, for all days and for each day; some lead from a metric id to its TSID, some to its name.",
      "A select intersects these lists and sorts the TSIDs it has found. In each part it then needs only index blocks that can hold one of them, and only blocks whose time it wants. How many rows it decodes for each one that it answers is its *read amplification*.",
    ],
    look: "Every four seconds all pods are replaced. Then the last ten seconds are read: see how many blocks of how many parts that took. Below the picture is the index itself, with the very items by which a series is found.",
    leavesOut: "Regular expressions walk all values of a label, within limits. A server remembers answers of the index for a while. This is the index of 1.72, one for all months; from 1.133 on each month has its own.",
    counters: ["samples", "read"],
    files: ["src/index/search.rs", "src/index/schema.rs", "src/part/search.rs"],
    history: { situation: "churn", seed: SEED, actions: [{ at: 26_500, kind: "ask" }] },
    from: 22_000,
    index: true,
    to: 27_500,
    speed: 1,
  },
  {
    id: "a-querys-walk",
    title: "A query’s walk",
    text: [
      "A query for one series and a window of time narrows things down five times. The index leads from labels to the TSID. Of the parts, those remain whose time meets the window. Of their blocks, those that have the TSID and meet the window, by their headers alone.",
      "Only these are decoded, from their first row to their last; the rows outside of the window are thrown away. What is left is merged by time into the answer.",
    ],
    look: "Each line is a part, from its first instant to its last. Move the window and choose another series: see what is passed over, what is read, and what of that is answered.",
    leavesOut: "A server reads headers of all parts first and decodes blocks on all its processors; the blocks it reads are the same from 1.72 on. A function such as rate reads further back than its window, by what it looks behind.",
    counters: ["parts", "samples"],
    files: ["src/storage/search.rs", "src/part/search.rs", "src/block/decode.rs"],
    history: steady,
    from: 92_000,
    to: 98_000,
    speed: 4,
    panel: "walk",
  },
  {
    id: "a-snapshot",
    title: "A snapshot costs nothing",
    text: [
      "Files of parts never change. So a *snapshot*, a copy of the database at one instant, is a list of hard links to the files that exist at that instant: no byte is copied, whatever the size. Before that, what waits in memory is flushed, so that the snapshot is complete.",
      "It costs something only later: parts that are merged away live on for as long as a snapshot links them.",
    ],
    look: "Point at a snapshot below the picture: what it links and still is in the database has a dashed line round it.",
    leavesOut: "This follows 1.72. A server’s snapshot has symbolic links to folders of hard links; here they are resolved when it is downloaded. A browser has no hard links: a file has several names, and goes with its last one.",
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
      "The engine is stopped in the middle of its work, as by kill -9. All that it had in memory is gone: the rows in shards and the in-memory parts, above the neck. All that was on disk is still there: the small and the big parts, below the neck.",
      "Then a new engine opens what is on disk, and goes on. It may find a merge that was cut off. That loses nothing: a merge first writes its result beside its sources, and only then puts it in their place, all at once. So the new engine finds either all sources or the whole result. A result that was only half written it removes.",
    ],
    look: "The crash comes at 23.7 s. Watch the two numbers above the picture: right after it no row waits, and no part is in memory. Below the picture stands how many rows are gone. Then press “Crash” yourself, at any instant.",
    leavesOut: "This follows 1.72. The storage of this room carries out a write as a whole or not at all; that a disk may tear one is tried in the project’s tests. Newer servers have a setting for how often they bring memory to disk, -inmemoryDataFlushInterval.",
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
