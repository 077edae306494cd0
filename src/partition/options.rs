//! What all partitions of a database share.

use super::parts::IdSource;
use crate::block::dedup::Dedup;
use crate::collections::u64_set::U64Set;
use crate::error::Result;
use crate::log::RowLog;
use crate::metric::row::SeriesTable;
use crate::trace::event::PartClass;
use std::pin::Pin;
use std::rc::Rc;

/// Resolves when all index entries of samples accepted so far are durable.
pub type EnsureIndexDurable = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>>>>>;

/// Fewer parts than this are not worth a final merge.
pub(super) const MIN_PARTS_TO_MERGE_FINALLY: usize = 3;

/// Limits on what a merge may produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeLimits {
    /// A larger result is a big part.
    pub max_small_part_bytes: u64,
    /// The largest result of all.
    pub max_output_bytes: u64,
}

impl MergeLimits {
    /// The class of the part that parts of so many bytes together are merged into.
    pub fn output_class(&self, input_bytes: u64) -> PartClass {
        if input_bytes > self.max_small_part_bytes { PartClass::Big } else { PartClass::Small }
    }
}

/// What all partitions of a database share.
#[derive(Clone)]
pub struct PartitionOptions {
    /// Rows that a shard of raw rows holds, and an in-memory part; see [`super::raw_rows::max_rows_per_shard`].
    pub max_rows_per_shard: usize,
    /// Shards of raw rows.
    pub shards: usize,
    /// Significant bits of values to keep, 1 to 64; 64 is lossless.
    pub precision_bits: u8,
    /// De-duplication during conversions and merges; `None` is off.
    pub dedup: Option<Dedup>,
    /// Samples older than this are dropped, in ms.
    pub retention_ms: i64,
    /// Limits on the results of merges.
    pub limits: MergeLimits,
    /// After so many ms without a merge fewer parts are merged too; 0 is never.
    pub final_merge_delay_ms: i64,
    /// Metric ids of deleted series, as they are when a merge starts.
    pub deleted: Rc<dyn Fn() -> Rc<U64Set>>,
    /// The series that rows refer to.
    pub series: Rc<SeriesTable>,
    /// Called before data becomes durable: a sample on disk without its series in the index would be lost.
    pub ensure_index_durable: EnsureIndexDurable,
    /// Where rows are durable before their parts are. Who only reads has none.
    pub log: Option<Rc<RowLog>>,
    /// Whether rows and the parts made of them are told as they come. A reader tells of all its parts when it takes its place.
    pub announces: bool,
    /// Ids of parts and merges.
    pub ids: Rc<IdSource>,
    /// Suffixes of part names begin here: the nanoseconds since the epoch when the database was opened.
    pub start_nanos: u64,
}

impl PartitionOptions {
    /// Between two records of the log so much time passes; when none is written, parts go to disk in the server's rhythm.
    pub(super) fn log_interval_ms(&self) -> Option<i64> {
        self.log.as_ref().and_then(|log| log.interval_ms())
    }
}
