// The call path from a request down to a block's bytes: each step by the name that readers of VictoriaMetrics know, with the
// file and the function that do it here.

import type { StepName } from "../model/steps";

export interface Step {
  name: StepName;
  what: string;
  says: string;
  /** Where it is done; `tests/it/call_path.rs` holds both to the sources. */
  file: string;
  fn: string;
}

export const STEPS: readonly Step[] = [
  {
    name: "call",
    what: "request handler",
    says: "a scrape, an import or an append hands over rows",
    file: "src/engine/mod.rs",
    fn: "append",
  },
  {
    name: "register",
    what: "index: create TSID",
    says: "labels of a new series become a TSID and index items",
    file: "src/index/register.rs",
    fn: "register_series",
  },
  {
    name: "partition",
    what: "table: partition of the month",
    says: "rows are split by calendar month",
    file: "src/storage/table.rs",
    fn: "partition_of",
  },
  {
    name: "shard",
    what: "rawRows shard: add rows",
    says: "rows are appended; nothing is sorted yet",
    file: "src/partition/raw_rows.rs",
    fn: "add_run",
  },
  {
    name: "flush",
    what: "flush raw rows, each second",
    says: "shards are emptied and cut into chunks",
    file: "src/partition/flush.rs",
    fn: "run_ticker",
  },
  {
    name: "inmemory",
    what: "in-memory part from rows",
    says: "sorted by TSID and time, cut into blocks of one series",
    file: "src/part/inmemory.rs",
    fn: "part_from_rows",
  },
  {
    name: "block",
    what: "block: marshal data",
    says: "decimals, deltas, varints, ZSTD; then an 81-byte header",
    file: "src/encoding/marshal.rs",
    fn: "marshal_int64s",
  },
  {
    name: "disk",
    what: "flush in-memory parts, every 5 s",
    says: "fifteen at a time are merged into one small part on disk",
    file: "src/partition/disk.rs",
    fn: "run_ticker",
  },
  {
    name: "choose",
    what: "get parts to merge",
    says: "the window of like-sized parts with the best gain",
    file: "src/merge/policy.rs",
    fn: "select",
  },
  {
    name: "streams",
    what: "merge block streams",
    says: "a heap walks all sources in order of TSID and time",
    file: "src/part/merge.rs",
    fn: "step",
  },
  {
    name: "swap",
    what: "swap source parts for the result",
    says: "one transaction; a source that leaves the list is counted here",
    file: "src/partition/live_parts.rs",
    fn: "replace",
  },
  {
    name: "big",
    what: "big part",
    says: "results above a fifteenth of the memory that caches leave, 10 MB at least, go below data/big",
    file: "src/partition/options.rs",
    fn: "output_class",
  },
  {
    name: "remove",
    what: "remove retired parts",
    says: "when the last reader has let go",
    file: "src/partition/removal.rs",
    fn: "remove_unread",
  },
  {
    name: "index",
    what: "mergeset: flush and merge",
    says: "index items become parts of the index",
    file: "src/mergeset/table.rs",
    fn: "add_items",
  },
  {
    name: "select",
    what: "search: TSIDs, then blocks",
    says: "only blocks of wanted series and times are read",
    file: "src/part/search.rs",
    fn: "find_blocks",
  },
  {
    name: "retention",
    what: "drop a month",
    says: "a partition older than the retention goes as a whole",
    file: "src/storage/retention.rs",
    fn: "drop_expired_partitions",
  },
  {
    name: "snapshot",
    what: "create snapshot",
    says: "flush, then hard links to the files of one instant",
    file: "src/storage/snapshot.rs",
    fn: "create",
  },
];

/** Where the sources can be read. */
export const SOURCES = "https://github.com/sandglass-tsdb/sandglass/blob/main/";
