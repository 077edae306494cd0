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
  ["shard", "a buffer of rows in memory, not sorted; a server of 1.72 has one for every eight processors"],
  ["block", "up to 8,192 samples of one series, encoded together"],
  ["part", "sorted blocks with an index of their own; it never changes"],
  ["in-memory part", "a part that is in memory alone, and gone when the process dies"],
  ["small part", "a part on disk below the limit of a big one"],
  ["big part", "a part on disk that is above the limit of a small one"],
  ["merge", "many parts read in order and written as one"],
  ["write amplification", "bytes that were written for each byte that is there"],
  ["header", "81 bytes in index.bin for each block: whose it is, where its data lies, how it is encoded"],
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
      "A *series* is a set of labels. A *sample* is one value of a series at one instant. When a sample arrives, the engine looks its labels up in the index and finds a *TSID*: 24 bytes that stand for these labels from here on. New labels get a new TSID, and entries in the index.",
      "TSID, instant and value are a *row*. A row goes to the *partition* of its month, and is appended to a *shard*, a heap of rows in memory. Nothing is sorted, encoded or written yet. That is why writing is cheap. No query can see the row yet.",
    ],
    look: "Twelve series are scraped each second. Every grain is a row; its colour is its series, and stays so.",
    leavesOut:
      "This follows 1.72. A server has a shard for every eight processors, so that writers wait less for one another. Here there is one. Since 1.79 a server writes the entries of the index before the rows, and not after them.",
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
      "Once a second the engine empties the shards. It sorts their rows by TSID and then by time, cuts them into *blocks* of one series each, and encodes the blocks. Sorted blocks with an index of their own are a *part*. This one is an *in-memory part*: four buffers in memory, with the same bytes that a part has on disk.",
      "From now on queries find these samples. They are not durable yet: if the process dies, they are gone.",
    ],
    look: "The heap of mixed grains becomes a brick with an ordered stripe: the same rows, sorted by series.",
    leavesOut:
      "This follows 1.72, where in-memory parts stand in the list of small ones. Since 1.85 they have a list of their own, and are merged in memory first. A shard that is full before its second is over is emptied at once: see the situation “A burst overflows a shard”.",
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
      "Every five seconds the engine takes the in-memory parts that are at least five seconds old, and makes one *small part* on disk of up to fifteen of them. It writes the part below the folder tmp, has it synced, and moves it to its place in one transaction.",
      "What is below the neck survives a crash. There is no write-ahead log on the server, and none in this room, which keeps to the server's rhythm: samples are durable five to eleven seconds after they came, and a kill -9 takes the last eleven seconds at most.",
    ],
    look: "Bricks pass through the neck. A crash takes those above it, and none below it.",
    leavesOut:
      "This follows 1.72. A power cut may take more, if the disk has not stored what it was told to. The room Live also keeps a log, so that its samples are durable within a second.",
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
      "Each block has a *header* of 81 bytes. A query has to look into every part whose time it touches. Many small parts mean many lookups and short blocks: a whole header for five samples.",
      "A *merge* reads many parts in order and writes them as one part, with long blocks that compress well. The price is *write amplification*: the same rows are written again. So the engine merges only when it pays: it takes up to 15 parts of like size, whose result is at least 7.5 times as large as the largest of them. A result above a limit is a *big part*. Big parts are not rewritten for the sake of small ones.",
    ],
    look: "Watch “bytes a sample” fall and “write amplification” rise. The time line below the picture shows which part came from which.",
    leavesOut:
      "This follows 1.72, with its limit of 15 parts and its factor of 7.5. On a server small and big parts have mergers of their own, each half as many as there are processors. Here merges take turns in one thread. The limit of a small part follows from the memory that caches leave.",
    counters: ["parts", "bytes", "written"],
    files: ["src/merge/policy.rs"],
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
      "A merge costs once: bytes are read and written. It saves with every query from then on: a query reads one block in place of forty, and looks into one index in place of forty.",
      "Above the picture are two engines with the same samples. In one the samples lie in forty small parts, as if nothing had been merged. In the other one these parts were merged. Both answer the same select, in turns that last equally long.",
    ],
    look: "Press “Race”. Each bar shows how many selects an engine has answered. Below the bar stands what one select reads. The last line says what the merge had to move, and how much of that the selects have saved so far.",
    leavesOut:
      "The merges here are those of 1.72. Both engines have all their bytes in memory. On a disk forty parts are forty places to read at, and the distance grows. A server spreads the parts of one select over its processors.",
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
      "Every source of a merge is a stream of blocks, sorted by TSID and time. A heap orders the streams by their next block, and the smallest block comes out first. Blocks of one series that meet are decoded and joined, up to 8,192 rows. A block that meets no other is copied as it is.",
      "No query waits for a merge: queries go on reading the old parts. Who writes waits for one only when more than 256 parts stand in the list, as in the situation “257 small parts”. When the result is complete, one transaction puts it in the place of its sources. The old files are removed when the last reader has let go of them.",
    ],
    look: "All parts are merged, fifteen at a time. Below the picture each line is a source, and each square a block. The row below them is the result.",
    leavesOut:
      "This follows 1.72. A merge also drops duplicates, and rows that are older than the retention: see the situations of these names. Servers up to 1.89 have transaction files for the swap. Newer ones write a new list of parts instead.",
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
      "A block is up to 8,192 samples of one series. Its timestamps and its values are encoded separately, and lie in two files. The header says which series the block is of, where its data lies, and how it is encoded.",
      "Headers are collected in index blocks of 64 KiB, which lie compressed in index.bin. The file metaindex.bin has one line for each index block. It is all that is read when a part is opened. Series that are scraped together have the same timestamps, and neighbours share one copy of them.",
    ],
    look: "You are inside the largest part. Choose a block to see its bytes.",
    leavesOut:
      "The format of these four files is the same in every server from 1.72 to 1.150. Only the name of the folder has changed, and the place of its facts: since 1.90 that is metadata.json.",
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
      "Values become integers, *mantissas*, with one decimal exponent for the whole block. This keeps about 12 to 15 significant decimal digits of each value. Of a counter the second differences are stored, of a gauge the plain differences, of a constant nothing. Differences become *varints*, seven bits in each byte, so that a small number takes one byte. From 128 bytes on *ZSTD* is tried, and kept if it saves a tenth.",
      "The encoder decides by looking. A column is a gauge if it is negative somewhere, or falls to more than an eighth of the value before. A deeper fall looks like the reset of a counter; where more than two falls, and more than one item in eight, look so, the column is a gauge after all.",
    ],
    look: "At the end you look into the counter. Go up one step by the path above the picture, and open the gauge, the constant and the noise. Or paste numbers of your own below.",
    leavesOut:
      "A server that is started with -precisionBits below 64 drops further digits of values. The format is the same from 1.72 to 1.150; levels of ZSTD differ, and so may the bytes.",
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
      "The index is a *mergeset*: sorted byte strings in immutable parts, flushed and merged much as data is. Each series has a number. Some of the strings lead from a label to these numbers, the *metric ids*, for all days and for each day. Others lead from a metric id to its TSID, or to its name.",
      "A select intersects the lists of metric ids, and sorts the TSIDs that it finds. In each part it then reads only index blocks that can hold one of them, and only blocks whose time it wants. How many rows it decodes for each row of the answer is its *read amplification*.",
    ],
    look: "Every four seconds all pods are replaced, and their series with them. At the end the last ten seconds are read: see how many blocks of how many parts that takes. Below the picture is the index, with the items by which a series is found.",
    leavesOut:
      "Regular expressions walk through all values of a label, within limits. A server remembers answers of the index for a while. The index here is that of 1.72, one for all months. Since 1.133 each month has its own.",
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
      "A query for one series and a window of time narrows down what it reads, step by step. The index leads from labels to the TSID. Of the parts, those remain whose time meets the window. Of their blocks, those remain that have the TSID and meet the window. Their headers tell that.",
      "Only these blocks are decoded, from their first row to their last. Rows outside the window are thrown away. The others are merged by time into the answer.",
    ],
    look: "Each line is a part, from its first instant to its last. Move the window, or choose another series: see what is passed over, what is read, and what of it is answered.",
    leavesOut:
      "A server first reads the headers of all parts, and then decodes blocks on all its processors. The blocks that it reads are the same since 1.72. A function such as rate also reads from before the window, as far as it looks back.",
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
      "Files of parts never change. So a *snapshot*, a copy of the database at one instant, is a list of hard links to the files of that instant. No byte of them is copied, however large they are. What waits in memory is brought to disk first, so that the snapshot is complete.",
      "A snapshot costs something only later: the files of parts that are merged away stay for as long as a snapshot links them.",
    ],
    look: "Point at a snapshot below the picture. The parts that it links, as far as they are still in the database, get a dashed line round them.",
    leavesOut:
      "This follows 1.72. A server’s snapshot has symbolic links to folders of hard links. They are resolved here when it is downloaded. A browser has no hard links: here a file has several names, and goes with the last one.",
    counters: ["parts", "bytes"],
    files: ["src/storage/snapshot.rs", "src/partition/snapshot.rs"],
    history: {
      ...steady,
      actions: [
        { at: 42_300, kind: "snapshot" },
        { at: 46_300, kind: "merge" },
      ],
    },
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
    leavesOut:
      "This follows 1.72. The storage of this room carries out a write as a whole or not at all; that a disk may tear one is tried in the project’s tests. Newer servers have a setting for how often they bring memory to disk, -inmemoryDataFlushInterval.",
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
