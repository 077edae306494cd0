//! A partition as `inspect()` shows it.

use super::Partition;
use crate::merge::Leasable;
use crate::time::TimestampMs;
use crate::trace::event::{MergeId, MergeReason, PartClass, PartId};
use serde::Serialize;

/// The whole state of a partition.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionState {
    /// `YYYY_MM`.
    pub name: String,
    /// First instant of the month.
    pub min_timestamp: TimestampMs,
    /// Last instant of the month.
    pub max_timestamp: TimestampMs,
    /// Raw rows that wait.
    pub shards: Vec<ShardState>,
    /// Rows that have left their shards and are being made into parts.
    pub pending_conversion_rows: u64,
    /// All parts, in-memory and small ones first.
    pub parts: Vec<PartState>,
    /// Merges under way.
    pub merges: Vec<MergeState>,
    /// When the shards are emptied next.
    pub next_raw_rows_flush: TimestampMs,
    /// When in-memory parts of the right age go to disk next.
    pub next_disk_flush: TimestampMs,
    /// What the mergers of small and of big parts found when they looked last.
    pub looks: Vec<MergeLook>,
    /// What was written since the partition was opened.
    pub merged: MergeCounters,
}

/// What a merger found when it looked for something to merge (engine-behaviour §4.1).
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeLook {
    /// `Small` stands for in-memory and small parts.
    pub class: PartClass,
    /// When it looked.
    pub time: TimestampMs,
    /// Parts that were in no merge.
    pub free_parts: u64,
    /// Parts it chose; 0 when nothing was worth merging.
    pub chosen_parts: u64,
    /// How many times larger than its largest source the best result would be; 0 when no parts were balanced enough.
    pub gain: f64,
    /// The least gain that is worth a merge.
    pub min_gain: f64,
}

/// What flushes and merges have written.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeCounters {
    /// In-memory parts that went to disk.
    pub flushes: WriteCounters,
    /// Merges of all other reasons.
    pub merges: WriteCounters,
    /// Looks for something to merge that found nothing worth it.
    pub put_off: u64,
    /// Merges that gave up.
    pub aborted: u64,
}

/// What was written to disk as parts.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteCounters {
    /// Merges.
    pub done: u64,
    /// Rows written.
    pub rows: u64,
    /// Bytes of the parts written.
    pub bytes: u64,
}

/// A shard of raw rows.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardState {
    /// Rows that wait in it.
    pub rows: u64,
    /// Rows it holds before it is emptied at once.
    pub capacity: u64,
}

/// A part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartState {
    /// Its number.
    pub id: PartId,
    /// Its class.
    pub class: PartClass,
    /// Its directory's name; empty for in-memory parts.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Blocks in it.
    pub blocks: u64,
    /// Sum of its four files' sizes.
    pub bytes: u64,
    /// First timestamp.
    pub min_timestamp: TimestampMs,
    /// Last timestamp.
    pub max_timestamp: TimestampMs,
    /// When it was made or found.
    pub created: TimestampMs,
    /// `live` or `merging`.
    pub state: &'static str,
}

/// A merge under way.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeState {
    /// The merge.
    pub id: MergeId,
    /// Why it runs.
    pub reason: MergeReason,
    /// The parts it reads.
    pub sources: Vec<PartId>,
    /// Class of the part it makes.
    pub output_class: PartClass,
    /// Rows read so far.
    pub rows_done: u64,
    /// Rows in the sources.
    pub rows_total: u64,
    /// Bytes of the sources.
    pub bytes_total: u64,
}

impl Partition {
    /// The state of this instant.
    pub fn state(&self) -> PartitionState {
        let range = self.month.name.range();
        PartitionState {
            name: self.month.label.clone(),
            min_timestamp: range.min,
            max_timestamp: range.max,
            shards: self.row_flusher.shards(),
            pending_conversion_rows: self.pending_conversion_rows(),
            parts: self.part_states(),
            merges: self.merges.running(),
            next_raw_rows_flush: self.row_flusher.next_flush(),
            next_disk_flush: self.disk_flusher.next_flush(),
            looks: [&self.small_merger, &self.big_merger].into_iter().filter_map(|merger| merger.last_look()).collect(),
            merged: self.merges.counters(),
        }
    }

    fn part_states(&self) -> Vec<PartState> {
        let list = self.parts();
        let state = |entry: &std::rc::Rc<super::PartEntry>| {
            let header = entry.part().header();
            PartState {
                id: entry.id(),
                class: entry.class(),
                name: entry.name().to_owned(),
                rows: header.rows,
                blocks: header.blocks,
                bytes: entry.part().size_bytes(),
                min_timestamp: header.min_timestamp,
                max_timestamp: header.max_timestamp,
                created: entry.created(),
                state: if entry.standing().lease().is_some() { "merging" } else { "live" },
            }
        };
        list.iter().map(state).collect()
    }
}
