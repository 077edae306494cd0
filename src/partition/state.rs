//! A partition as `inspect()` shows it.

use super::Partition;
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
        let raw_rows = self.raw_rows.borrow();
        let capacity = raw_rows.max_rows_per_shard() as u64;
        let range = self.name.range();
        PartitionState {
            name: self.label.clone(),
            min_timestamp: range.min,
            max_timestamp: range.max,
            shards: raw_rows.rows_per_shard().map(|rows| ShardState { rows: rows as u64, capacity }).collect(),
            pending_conversion_rows: self.pending_conversion_rows(),
            parts: self.part_states(),
            merges: self.merge_states(),
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
                state: if entry.lease().is_some() { "merging" } else { "live" },
            }
        };
        list.iter().map(state).collect()
    }

    fn merge_states(&self) -> Vec<MergeState> {
        let running = self.running.borrow();
        let state = |(id, merge): (&MergeId, &super::RunningMerge)| MergeState {
            id: *id,
            reason: merge.reason,
            sources: merge.sources.clone(),
            output_class: merge.output_class,
            rows_done: merge.rows_done,
            rows_total: merge.rows_total,
            bytes_total: merge.bytes_total,
        };
        running.iter().map(state).collect()
    }
}
