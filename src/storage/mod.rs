//! The storage: a table of monthly partitions, the inverted index, and what leads through both: ingestion, search,
//! snapshots, retention (engine-behaviour §2, §6, §8, §10).

pub mod deduplication;
pub mod delete;
mod hints;
pub mod ingest;
pub mod inspect;
pub mod late;
pub mod prometheus;
pub mod recover;
mod replay;
pub mod restore;
pub mod retention;
pub mod search;
pub mod series;
mod settings;
pub mod snapshot;
pub mod table;
pub mod text;
mod waiting;

use crate::error::{Error, Result};
use crate::index::Index;
use crate::log::RowLog;
use crate::partition::{IdSource, Partition, RAW_ROW_BYTES};
use crate::runtime::{Context, Turnstile};
use crate::time::{MAX_RETENTION_MS, TimestampMs};
use series::SeriesRegistry;
use snapshot::Snapshots;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use table::Table;
use waiting::Waiting;

/// Samples may lie this far in the future (data-dir-layout §6).
const FUTURE_LIMIT_MS: i64 = 2 * crate::time::DAY_MS;

/// How a storage is opened.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// Older samples are refused and dropped.
    pub retention_ms: i64,
    /// Of the samples of a series in one such interval only the last is kept; 0 keeps all.
    pub dedup_interval_ms: i64,
    /// The retention is wanted just so; else it is for a database that remembers none.
    pub gives_retention: bool,
    /// The same of the interval.
    pub gives_dedup_interval: bool,
    /// The instant of opening; ids and suffixes count from its nanoseconds.
    pub start_time: TimestampMs,
    /// Upper bound for caches of cold data, in bytes.
    pub cache_bytes: u64,
    /// Memory the sizing formulas count with.
    pub memory_bytes: u64,
    /// Significant bits kept of each value.
    pub precision_bits: u8,
    /// After so long without a merge a partition is merged down further; 0 is never.
    pub final_merge_delay_ms: i64,
    /// Rows are written to a log this often; without it they are durable when their parts are.
    pub log_interval_ms: Option<i64>,
    /// No jobs are started: another one writes the files.
    pub read_only: bool,
    /// Ids of parts and merges go on from where they were when the files are opened anew.
    pub ids: Rc<IdSource>,
}

impl StorageOptions {
    /// Options with the defaults for what is not given.
    ///
    /// # Errors
    /// `Invalid` for a retention below a day and for negative values.
    pub fn from_config(retention_ms: i64, dedup_interval_ms: i64, start_time: TimestampMs) -> Result<Self> {
        if retention_ms < crate::time::DAY_MS {
            return Err(Error::invalid(format!(
                "a retention of {retention_ms} ms is less than a day, the least there is; write such as \"30d\""
            )));
        }
        if dedup_interval_ms < 0 {
            return Err(Error::invalid(format!(
                "a de-duplication interval of {dedup_interval_ms} ms is negative; 0 keeps all samples"
            )));
        }
        if !(0..=crate::time::MAX_TIMESTAMP_MS).contains(&start_time) {
            return Err(Error::invalid(format!("{start_time} is no instant from 1970 to 9999, in milliseconds")));
        }
        Ok(Self {
            retention_ms: retention_ms.min(MAX_RETENTION_MS),
            dedup_interval_ms,
            gives_retention: true,
            gives_dedup_interval: true,
            start_time,
            cache_bytes: 64 << 20,
            memory_bytes: 4 << 30,
            precision_bits: 64,
            final_merge_delay_ms: 0,
            log_interval_ms: None,
            read_only: false,
            ids: Rc::default(),
        })
    }

    /// Memory that is given out by request: a quarter of what there is. Columns are copied when they grow and when they are handed
    /// out, and the rest is for caches, merges, and files that are kept in memory.
    pub fn budget_bytes(&self) -> u64 {
        (self.memory_bytes / 4).max(16 << 20)
    }

    /// Memory for the names of series that get samples: half of what there is.
    pub fn series_bytes(&self) -> u64 {
        (self.memory_bytes / 2).max(16 << 20)
    }

    /// Nanoseconds of the start, from which ids and suffixes count; from the year 2262 on some that leave room for counting.
    pub fn start_nanos(&self) -> u64 {
        (self.start_time as u64).saturating_mul(1_000_000).min(u64::MAX / 2)
    }
}

/// One database, opened.
pub struct Storage {
    context: Context,
    options: StorageOptions,
    index: Rc<Index>,
    table: Table,
    /// Absent where the files are only read.
    log: Option<Rc<RowLog>>,
    series: RefCell<SeriesRegistry>,
    /// The ids that the log has of series which have other ids now, by these.
    logged_ids: RefCell<HashMap<u64, HashSet<u64>>>,
    waiting: Waiting,
    /// Held by the ingestion that looks series up or creates partitions, so that no series is created twice.
    preparing: Turnstile,
    /// Who appends and has to wait for the flush: one of them looks at each step of it, not all.
    waiting_for_room: Turnstile,
    snapshots: Snapshots,
    ingested: RefCell<IngestCounters>,
    last_read: Cell<Option<ReadCounters>>,
    /// The labels that were added to the texts ingestion remembers.
    last_extra_labels: RefCell<Vec<(String, String)>>,
    /// What was said once and is not said again.
    told: Cell<hints::Told>,
    /// What came late for those who follow.
    late: late::Late,
    /// Bytes that may be accepted before it has to be looked again how many wait, while the storage takes nothing.
    backlog_room: Cell<u64>,
}

/// What ingestion has counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestCounters {
    /// Rows accepted.
    pub rows: u64,
    /// Rows whose value was NaN, other than the staleness marker.
    pub rejected_nan: u64,
    /// Rows older than the retention.
    pub rejected_too_old: u64,
    /// Rows more than two days ahead.
    pub rejected_too_new: u64,
    /// Labels that were left out or shortened since a series had too many or too long ones, each time such a series came.
    pub labels_cut: u64,
}

/// What the last reading of samples has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadCounters {
    /// Series asked for.
    pub series: u64,
    /// Parts in which blocks were found.
    pub parts: u64,
    /// Blocks that were decoded.
    pub blocks: u64,
    /// Rows of these blocks, those outside of the range included.
    pub rows: u64,
    /// Bytes of these blocks' data.
    pub bytes: u64,
    /// Samples handed out.
    pub samples: u64,
}

impl IngestCounters {
    /// Rows that were not accepted.
    pub fn rejected(&self) -> u64 {
        self.rejected_nan + self.rejected_too_old + self.rejected_too_new
    }
}

impl Storage {
    /// Where its jobs run.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The inverted index.
    pub fn index(&self) -> &Rc<Index> {
        &self.index
    }

    /// The partitions.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Its snapshots.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Makes a snapshot and returns its name.
    ///
    /// # Errors
    /// As [`Snapshots::create`]'s.
    pub async fn create_snapshot(&self) -> Result<String> {
        self.snapshots.create(&self.table, &self.index).await
    }

    /// How it was opened.
    pub fn options(&self) -> &StorageOptions {
        &self.options
    }

    /// What ingestion has counted.
    pub fn ingest_counters(&self) -> IngestCounters {
        *self.ingested.borrow()
    }

    /// What the last reading of samples has cost, if there was one.
    pub fn last_read(&self) -> Option<ReadCounters> {
        self.last_read.get()
    }

    /// Series known to ingestion.
    pub fn series_state(&self) -> series::SeriesState {
        self.series.borrow().state()
    }

    /// Pending rows and index items become searchable, as `/internal/force_flush`. In-memory parts are not written to disk, and a
    /// storage that takes nothing is no hindrance.
    ///
    /// # Errors
    /// When rows or items can't be encoded.
    pub async fn flush(&self) -> Result<()> {
        for partition in self.table.partitions() {
            partition.flush_raw_rows().await?;
        }
        self.index.make_searchable().await
    }

    /// All that was accepted before is durable when this returns: rows in the log with the names of their series, or in file
    /// parts and their series in the index.
    ///
    /// # Errors
    /// What storage says. What it did not take stays in memory, can be searched, and is tried again.
    pub async fn sync(&self) -> Result<()> {
        if self.options.log_interval_ms.is_none() {
            let flushed = self.index.flush().await;
            return flushed.and(self.make_rows_durable().await);
        }
        // The log names the series of its rows, so that it waits for no index: a page that is left has one turn to hand it over.
        // The index need not be durable; what is waited for can be found all the same.
        self.hand_over();
        let mut flushed = Ok(());
        for partition in self.table.partitions() {
            let one = partition.flush_raw_rows().await;
            flushed = flushed.and(self.unless_dropped(&partition, one));
        }
        let logged = flushed.and(self.make_rows_durable().await);
        logged.and(self.index.make_searchable().await)
    }

    /// Whether rows go to a log before they are in parts on disk.
    pub fn has_log(&self) -> bool {
        self.options.log_interval_ms.is_some()
    }

    /// All months hand their rows to the log before one of them waits, the newest first: most live samples are in that.
    pub(super) fn hand_over(&self) {
        for partition in self.table.partitions().iter().rev() {
            partition.hand_over();
        }
    }

    async fn make_rows_durable(&self) -> Result<()> {
        let mut result = Ok(());
        for partition in self.table.partitions() {
            let flushed = partition.make_durable().await;
            result = result.and(self.unless_dropped(&partition, flushed));
        }
        result
    }

    /// Bytes of samples and index items that are not in the storage yet.
    pub fn waiting_bytes(&self) -> u64 {
        let partitions = self.table.partitions();
        self.index.pending_bytes() + partitions.iter().map(|partition| partition.bytes_in_memory()).sum::<u64>()
    }

    /// What [`Storage::waiting_bytes`] may come to while the storage takes nothing: half of what caches may have, at least 4 MiB.
    /// Beyond it no sample is accepted.
    pub fn waiting_limit_bytes(&self) -> u64 {
        (self.options.cache_bytes / 2).max(4 << 20)
    }

    /// Refuses rows when the storage takes nothing and enough waits in memory.
    ///
    /// # Errors
    /// Of the kind that the storage's refusal is of.
    #[inline]
    fn check_backlog(&self, rows: usize) -> Result<()> {
        if self.context.health().is_degraded() { self.check_backlog_of_degraded(rows) } else { Ok(()) }
    }

    #[cold]
    fn check_backlog_of_degraded(&self, rows: usize) -> Result<()> {
        let needed = rows as u64 * RAW_ROW_BYTES;
        // Looked up when what is known to be free is used up, since that takes a walk over all parts.
        if self.backlog_room.get() < needed {
            self.backlog_room.set(self.waiting_limit_bytes().saturating_sub(self.waiting_bytes()));
        }
        if let Some(rest) = self.backlog_room.get().checked_sub(needed) {
            self.backlog_room.set(rest);
            return Ok(());
        }
        let Some(trouble) = self.context.health().trouble() else { return Ok(()) };
        let (waiting, limit) = (self.waiting_bytes(), self.waiting_limit_bytes());
        let message = format!(
            "no more samples are accepted: {waiting} bytes wait in memory for the storage, at most {limit} may, and it takes \
             nothing at present: {trouble}"
        );
        Err(Error::new(trouble.kind(), message))
    }

    /// What came of work on a partition; nothing when its month has fallen out of the retention meanwhile, since it has no
    /// rows then that could be merged or made durable.
    fn unless_dropped(&self, partition: &Rc<Partition>, result: Result<()>) -> Result<()> {
        if self.table.has(partition) { result } else { Ok(()) }
    }

    /// Every partition whose name starts with `partition_prefix` ends with one part.
    ///
    /// # Errors
    /// What storage says; the sources of a failed merge stay as they were.
    pub async fn force_merge(&self, partition_prefix: &str) -> Result<()> {
        for partition in self.table.partitions() {
            if partition.name().to_string().starts_with(partition_prefix) {
                let merged = partition.force_merge().await;
                self.unless_dropped(&partition, merged)?;
            }
        }
        Ok(())
    }

    /// Flushes all, makes it durable and stops the jobs (engine-behaviour §10). It ends in any case.
    ///
    /// # Errors
    /// What storage says, and how many samples it did not take; what was durable before stays so.
    pub async fn close(&self) -> Result<()> {
        self.context.begin_shutdown();
        let mut result = self.index.flush().await;
        for partition in self.table.partitions() {
            result = result.and(partition.shutdown().await);
        }
        result = result.and(self.index.shutdown().await);
        let lost: u64 = self.table.partitions().iter().map(|partition| partition.rows_at_stake()).sum();
        if lost == 0
            && result.is_ok()
            && let Some(log) = &self.log
        {
            // What could not be removed is read again, and removed with the parts made of it.
            result = log.remove_all().await;
        }
        if lost == 0 { result } else { result.map_err(|error| error.at(format!("{lost} samples were not stored"))) }
    }

    /// Ends the jobs of a storage whose files another one takes over within the same engine. It can be read as before.
    ///
    /// # Errors
    /// What storage says.
    pub async fn retire(&self) -> Result<()> {
        // All of them end, whatever the storage says of one: they would go on beside those that come after them.
        let mut result = Ok(());
        for partition in self.table.partitions() {
            let ended = partition.shutdown().await;
            result = result.and(ended);
        }
        let ended = self.index.shutdown().await;
        result.and(ended)
    }

    /// Gives the handles that were given out by `other`, in its place.
    ///
    /// # Errors
    /// None that `other` has not met.
    pub fn adopt_handles(&self, other: &Self) -> Result<()> {
        let mut series = self.series.borrow_mut();
        for name in other.series.borrow().names() {
            series.known_handle(name.clone())?;
        }
        Ok(())
    }

    /// Tells whoever watches that this storage, which only reads, is looked at from now on. It could have failed to open until
    /// then, of which nobody needs to know.
    pub fn enter(&self) {
        Partition::announce(&self.table.partitions());
    }

    /// Tells whoever watches that another storage over the same files has taken this one's place. Searches under way go on.
    pub fn leave(&self) {
        for partition in self.table.partitions() {
            partition.leave();
        }
        self.context.block_cache().clear();
    }

    /// Tells whoever watches of a fault that was contained.
    pub fn report(&self, error: &Error) {
        self.context.degraded(error, error.to_string());
    }
}
