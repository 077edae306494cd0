//! The facts an observer can learn. Past tense, ids, counts and ranges; emitted at the end of an `apply`.

use crate::time::TimestampMs;
use serde::Serialize;

/// Names a part for the lifetime of the process, whatever its class. Never reused.
pub type PartId = u64;

/// Names a merge for the lifetime of the process. Never reused.
pub type MergeId = u64;

/// How a part is treated; its bytes are the same in all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartClass {
    /// Four buffers in memory; searchable, not yet durable.
    InMemory,
    /// In a directory below `data/small`.
    Small,
    /// In a directory below `data/big`.
    Big,
}

/// Why parts are being merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeReason {
    /// In-memory parts of the right age go to disk (every five seconds, for a snapshot, at the end).
    Flush,
    /// A small or big merger found a good choice.
    Background,
    /// More than 256 small parts: the caller that added rows helps.
    Assisted,
    /// `/internal/force_merge`.
    Forced,
    /// Final de-duplication of a past month.
    Deduplication,
}

/// Why a merger took just these parts (engine-behaviour §4.1).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeChoice {
    /// The parts that were in no merge and could have been taken, by size, the smallest first; of equal ones the later first.
    pub considered: Vec<PartId>,
    /// The sizes of these parts in bytes.
    pub considered_bytes: Vec<u64>,
    /// How many times larger than its largest source the result is.
    pub gain: f64,
    /// The least gain that is worth a merge.
    pub min_gain: f64,
    /// The largest result that was allowed, in bytes.
    pub max_output_bytes: u64,
}

/// Why samples were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DropReason {
    /// They are older than the retention.
    TooOld,
    /// They are more than two days ahead.
    TooNew,
    /// Their values are NaN, other than the staleness marker.
    NotANumber,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Rows were appended to a raw-rows shard. Not yet visible to queries.
    RowsAdded {
        /// `YYYY_MM`.
        partition: String,
        /// Index of the shard within the partition.
        shard: u32,
        /// Rows added by this call.
        rows: u64,
        /// Rows that now wait in the shard.
        pending_rows: u64,
    },
    /// A partition's raw rows were taken out of its shards and became in-memory parts.
    RawRowsFlushed {
        /// `YYYY_MM`.
        partition: String,
        /// Rows that left the shards.
        rows: u64,
        /// In-memory parts made of them.
        parts: Vec<PartId>,
    },
    /// A part joined its partition's list and can be searched.
    PartCreated {
        /// The part.
        part: PartId,
        /// `YYYY_MM`.
        partition: String,
        /// Its class.
        class: PartClass,
        /// Its directory's name; empty for in-memory parts.
        name: String,
        /// Rows in it.
        rows: u64,
        /// Blocks in it.
        blocks: u64,
        /// Sum of its four files' sizes.
        bytes: u64,
        /// First timestamp.
        min_timestamp: TimestampMs,
        /// Last timestamp.
        max_timestamp: TimestampMs,
        /// The merge that made it; absent for parts made from raw rows or found when the database was opened.
        merge: Option<MergeId>,
    },
    /// A merge has leased its sources.
    MergeStarted {
        /// The merge.
        merge: MergeId,
        /// `YYYY_MM`.
        partition: String,
        /// Why it runs.
        reason: MergeReason,
        /// The parts it reads.
        sources: Vec<PartId>,
        /// Rows in the sources.
        rows: u64,
        /// Bytes of the sources.
        bytes: u64,
        /// Class of the part it makes.
        output_class: PartClass,
        /// How the sources were chosen; absent when they were not: all of an age, or all there are, were taken.
        choice: Option<MergeChoice>,
    },
    /// A merge is under way; at most one such event for each slice of work.
    MergeProgressed {
        /// The merge.
        merge: MergeId,
        /// `YYYY_MM`.
        partition: String,
        /// Rows written so far.
        rows_done: u64,
        /// Rows in the sources.
        rows_total: u64,
    },
    /// A merge's output took its sources' place, in one atomic step.
    MergeFinished {
        /// The merge.
        merge: MergeId,
        /// `YYYY_MM`.
        partition: String,
        /// The new part; absent when no row was left.
        output: Option<PartId>,
        /// Rows written.
        rows_merged: u64,
        /// Rows dropped, since their series was deleted or their time has passed.
        rows_deleted: u64,
        /// Rows dropped by de-duplication.
        rows_deduplicated: u64,
    },
    /// A merge gave up and released its sources, which are untouched.
    MergeAborted {
        /// The merge.
        merge: MergeId,
        /// `YYYY_MM`.
        partition: String,
        /// Why.
        message: String,
    },
    /// A part left its partition's list. Readers that hold it go on reading.
    PartRetired {
        /// The part.
        part: PartId,
        /// `YYYY_MM`.
        partition: String,
    },
    /// A retired part's last reader is gone, and so are its files.
    PartRemoved {
        /// The part.
        part: PartId,
        /// `YYYY_MM`.
        partition: String,
    },
    /// A month got its partition.
    PartitionCreated {
        /// `YYYY_MM`.
        partition: String,
    },
    /// A month fell out of the retention, or was removed.
    PartitionDropped {
        /// `YYYY_MM`.
        partition: String,
    },
    /// New series were written into the index.
    SeriesRegistered {
        /// How many.
        series: u64,
    },
    /// Pending index items became a part of the index.
    IndexFlushed {
        /// Generation, 16 hex digits.
        table: String,
        /// Items in the part.
        items: u64,
        /// Its directory's name.
        part: String,
    },
    /// Parts of the index were merged into one.
    IndexMerged {
        /// Generation, 16 hex digits.
        table: String,
        /// Names of the sources.
        sources: Vec<String>,
        /// Name of the result.
        part: String,
        /// Items in the result.
        items: u64,
    },
    /// A new index generation became current.
    IndexRotated {
        /// The new current generation.
        current: String,
        /// The generation before it.
        previous: String,
        /// The generation that was dropped.
        dropped: String,
    },
    /// A snapshot was asked for; data and index are being flushed.
    SnapshotStarted {
        /// Its name.
        name: String,
    },
    /// A snapshot is complete.
    SnapshotCreated {
        /// Its name.
        name: String,
        /// Data parts linked.
        parts: u64,
        /// Files linked, those of the index included.
        files: u64,
        /// Their size; no byte of them was copied.
        linked_bytes: u64,
    },
    /// A snapshot was deleted.
    SnapshotDeleted {
        /// Its name.
        name: String,
    },
    /// A merge was not begun, since its result would not fit into the room that is left. Told once for a choice of parts; it is
    /// made up for when there is room.
    MergePutOff {
        /// `YYYY_MM`.
        partition: String,
        /// The parts it would have read.
        sources: Vec<PartId>,
        /// Bytes of the sources: what the result may take at the most.
        needed_bytes: u64,
        /// Bytes the storage has left, those that are kept for deleting not counted; 0 when it has refused without telling.
        room_bytes: u64,
    },
    /// As `MergePutOff`, for parts of the index.
    IndexMergePutOff {
        /// Generation, 16 hex digits.
        table: String,
        /// Names of the parts it would have read.
        sources: Vec<String>,
        /// Bytes of the sources.
        needed_bytes: u64,
        /// Bytes the storage has left, those that are kept for deleting not counted; 0 when it has refused without telling.
        room_bytes: u64,
    },
    /// Something went wrong that the engine could contain; nothing that was acknowledged is lost. When the storage refuses to
    /// write, this is told once, and `Restored` when all that waited is written.
    Degraded {
        /// The `code` that an error of this kind has.
        code: &'static str,
        /// What, where and what follows.
        message: String,
    },
    /// All samples of a call were dropped, as a rule of the format wants it. Told the first time for each reason.
    SamplesDropped {
        /// Which rule.
        reason: DropReason,
        /// How many.
        samples: u64,
        /// What, why, and what to do.
        message: String,
    },
    /// A series had more labels, or longer ones, than the format's rules allow. Told the first time.
    LabelsCut {
        /// Labels of this series that were left out or shortened.
        labels: u64,
        /// Which series, and by which rule.
        message: String,
    },
    /// An export holds labels that are not UTF-8, which JSON can't hold. Told the first time.
    LabelsNotUtf8 {
        /// Series of this export that have such labels.
        series: u64,
        /// What follows from that.
        message: String,
    },
    /// The database was opened with a shorter retention than it had. Told before anything is removed.
    RetentionShortened {
        /// The retention it had.
        before_ms: i64,
        /// The one it has now.
        after_ms: i64,
        /// The months that go as a whole, `YYYY_MM`.
        partitions: Vec<String>,
        /// What follows from that.
        message: String,
    },
    /// What the storage had refused to write is written.
    Restored {
        /// The `code` of what is over.
        code: &'static str,
    },
}

impl Event {
    /// What it says in words; nothing for those that are numbers alone.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::MergeAborted { message, .. }
            | Self::Degraded { message, .. }
            | Self::SamplesDropped { message, .. }
            | Self::LabelsCut { message, .. }
            | Self::LabelsNotUtf8 { message, .. }
            | Self::RetentionShortened { message, .. } => Some(message),
            _ => None,
        }
    }
}

/// An event with its place in the engine's history.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StampedEvent {
    /// Position in the history, counted from 0 without gaps (dropped events included).
    pub sequence: u64,
    /// The engine's time when it happened.
    pub time: TimestampMs,
    /// The fact.
    #[serde(flatten)]
    pub event: Event,
}
