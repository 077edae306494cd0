//! The engine's whole state, for people to look at.

use super::{Clock, Config, Engine};
use crate::error::Error;
use crate::fs::FileSystemStats;
use crate::index::IndexState;
use crate::partition::{PartitionState, RAW_ROW_BYTES};
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
    /// How the storage takes what is written.
    pub storage: StorageState,
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

/// How the storage takes what is written.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageState {
    /// Bytes it has left, as far as it has told; absent when it can't tell or has no end.
    pub room_bytes: Option<u64>,
    /// Bytes of these that are kept for deletions.
    pub head_room_bytes: u64,
    /// Bytes of samples and index entries that are not in it yet.
    pub waiting_bytes: u64,
    /// Up to so many of them samples are accepted while it takes nothing.
    pub waiting_limit_bytes: u64,
    /// Merges that were not begun for want of room, since the database was opened.
    pub merges_put_off: u64,
    /// Whether it refuses to take what waits.
    pub is_degraded: bool,
    /// The last write it has refused since the database was opened.
    pub last_storage_error: Option<ErrorState>,
}

/// An error that was contained.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorState {
    /// Its kind, as the errors that are thrown have it.
    pub code: &'static str,
    /// What, where and what to do.
    pub message: String,
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
            config: storage
                .map_or_else(|| engine.shared.config.clone(), |storage| effective(&engine.shared.config, storage)),
            partitions,
            index: storage.map(|storage| storage.index().state()),
            series: storage.map(Storage::series_state),
            ingested: storage.map(Storage::ingest_counters).unwrap_or_default(),
            last_read: storage.and_then(Storage::last_read),
            scheduler: SchedulerState { lanes: engine.scheduler.lanes(), next_due: engine.scheduler.next_due() },
            file_system: engine.context.file_system_stats(),
            storage: StorageState::of(engine, storage),
            memory,
            events_dropped: engine.context.with_trace(|trace| trace.dropped()),
        }
    }
}

/// How the database was opened, with what it has remembered.
fn effective(config: &Config, storage: &Storage) -> Config {
    let options = storage.options();
    Config { retention_ms: options.retention_ms, dedup_interval_ms: options.dedup_interval_ms, ..config.clone() }
}

impl StorageState {
    fn of(engine: &Engine, storage: Option<&Storage>) -> Self {
        let (room, health) = (engine.context.room(), engine.context.health());
        let state = |error: Error| ErrorState { code: error.kind().code(), message: error.message().to_owned() };
        Self {
            room_bytes: room.left_bytes(),
            head_room_bytes: room.head_room_bytes(),
            waiting_bytes: storage.map_or(0, Storage::waiting_bytes),
            waiting_limit_bytes: storage.map_or(0, Storage::waiting_limit_bytes),
            merges_put_off: room.merges_put_off(),
            is_degraded: health.is_degraded(),
            last_storage_error: health.last_storage_error().map(state),
        }
    }
}
