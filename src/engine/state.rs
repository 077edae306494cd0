//! The engine's whole state, for people to look at.

use super::{Clock, Config, Engine};
use crate::fs::FileSystemStats;
use crate::index::IndexState;
use crate::partition::PartitionState;
use crate::runtime::scheduler::LaneState;
use crate::storage::series::SeriesState;
use crate::storage::{IngestCounters, ReadCounters, Storage};
use crate::time::TimestampMs;
use crate::trace::event::PartClass;
use serde::Serialize;

/// What `inspect()` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineState {
    /// The engine's time.
    pub now: TimestampMs,
    /// Whose clock it follows.
    pub clock: Clock,
    /// How the database was opened.
    pub config: Config,
    /// One for each month, oldest first.
    pub partitions: Vec<PartitionState>,
    /// The inverted index; absent while the database is not open.
    pub index: Option<IndexState>,
    /// What ingestion knows of series.
    pub series: Option<SeriesState>,
    /// What ingestion has counted since the database was opened.
    pub ingested: IngestCounters,
    /// What the last reading of samples has cost; absent before the first one.
    pub last_read: Option<ReadCounters>,
    /// Jobs and what they wait for.
    pub scheduler: SchedulerState,
    /// What lies in the storage back end, and the traffic with it.
    pub file_system: FileSystemStats,
    /// Memory in use.
    pub memory: MemoryState,
    /// Events that were dropped, since the observer did not take them out in time.
    pub events_dropped: u64,
}

/// The scheduler.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchedulerState {
    /// The lanes, the most urgent first.
    pub lanes: Vec<LaneState>,
    /// The earliest instant for which a job waits.
    pub next_due: Option<TimestampMs>,
}

/// Memory in use, in bytes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryState {
    /// Cached blocks of data and index.
    pub cache_bytes: u64,
    /// Upper bound of the above.
    pub cache_limit_bytes: u64,
    /// Blocks found in the cache since the start.
    pub cache_hits: u64,
    /// Blocks that had to be read.
    pub cache_misses: u64,
    /// Rows in shards.
    pub raw_rows_bytes: u64,
    /// In-memory parts.
    pub in_memory_part_bytes: u64,
}

/// A row in a shard: four bytes of series, eight of timestamp, eight of value.
const RAW_ROW_BYTES: u64 = 20;

impl EngineState {
    pub(super) fn of(engine: &Engine, storage: Option<&Storage>) -> Self {
        let partitions: Vec<PartitionState> = storage
            .map(|storage| storage.table().partitions().iter().map(|partition| partition.state()).collect())
            .unwrap_or_default();
        let cache = engine.context.block_cache().stats();
        let shards = partitions.iter().flat_map(|partition| &partition.shards);
        let raw_rows: u64 = shards.map(|shard| shard.rows).sum();
        let parts = partitions.iter().flat_map(|partition| &partition.parts);
        let in_memory = parts.filter(|part| part.class == PartClass::InMemory);
        let memory = MemoryState {
            cache_bytes: cache.bytes,
            cache_limit_bytes: cache.budget_bytes,
            cache_hits: cache.hits,
            cache_misses: cache.misses,
            raw_rows_bytes: raw_rows * RAW_ROW_BYTES,
            in_memory_part_bytes: in_memory.map(|part| part.bytes).sum(),
        };
        Self {
            now: engine.now(),
            clock: engine.clock,
            config: engine.shared.config.clone(),
            partitions,
            index: storage.map(|storage| storage.index().state()),
            series: storage.map(Storage::series_state),
            ingested: storage.map(Storage::ingest_counters).unwrap_or_default(),
            last_read: storage.and_then(Storage::last_read),
            scheduler: SchedulerState { lanes: engine.scheduler.lanes(), next_due: engine.scheduler.next_due() },
            file_system: engine.context.file_system_stats(),
            memory,
            events_dropped: engine.context.with_trace(|trace| trace.dropped()),
        }
    }
}
