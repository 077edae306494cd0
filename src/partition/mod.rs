//! Partitions: one calendar month of samples (engine-behaviour §2 to §8).
//!
//! Rows wait in shards, become in-memory parts within a second, are on disk some seconds later, and are merged into fewer,
//! larger parts from then on. A [`Partition`] puts together those who do that: each looks after a state of its own.

mod background;
mod disk;
mod flush;
mod forced;
mod live_parts;
mod merge;
mod month;
mod options;
pub mod parts;
pub mod raw_rows;
mod recover;
mod removal;
mod retention;
mod search;
mod snapshot;
mod state;

pub use options::{EnsureIndexDurable, MergeLimits, PartitionOptions};
pub use parts::{IdSource, PartEntry, PartList};
pub use snapshot::{PartitionSnapshot, snapshot_dirs};
pub use state::{MergeCounters, MergeLook, MergeState, PartState, PartitionState, ShardState};

use crate::error::Result;
use crate::log::LogRecord;
use crate::metric::row::{Rows, SeriesIndex};
use crate::runtime::{Context, Lane, Signal};
use crate::time::{PartitionName, TimestampMs};
use crate::trace::event::{Event, PartClass};
use background::BackgroundMerger;
use disk::DiskFlusher;
use flush::RowFlusher;
use live_parts::LiveParts;
use merge::Merges;
use month::Month;
use removal::Remover;
use std::rc::Rc;

/// What a row takes while it waits: four bytes of series, eight of timestamp, eight of value.
pub const RAW_ROW_BYTES: u64 = 20;

/// One month: its rows that wait, its parts, and the jobs that look after them.
pub struct Partition {
    month: Rc<Month>,
    parts: Rc<LiveParts>,
    row_flusher: Rc<RowFlusher>,
    disk_flusher: Rc<DiskFlusher>,
    merges: Rc<Merges>,
    small_merger: Rc<BackgroundMerger>,
    big_merger: Rc<BackgroundMerger>,
    remover: Rc<Remover>,
}

impl Partition {
    /// A month without parts.
    fn new(context: &Context, options: Rc<PartitionOptions>, name: PartitionName) -> Rc<Self> {
        let month = Month::new(context, options, name);
        let remover = Remover::new(month.clone());
        let parts = LiveParts::new(month.clone(), remover.clone());
        let merges = Merges::new(month.clone(), parts.clone(), remover.clone());
        let small_merger = BackgroundMerger::new(merges.clone(), PartClass::Small);
        let big_merger = BackgroundMerger::new(merges.clone(), PartClass::Big);
        let row_flusher = RowFlusher::new(month.clone(), parts.clone(), small_merger.clone());
        let disk_flusher = DiskFlusher::new(merges.clone());
        Rc::new(Self { month, parts, row_flusher, disk_flusher, merges, small_merger, big_merger, remover })
    }

    /// The month.
    pub fn name(&self) -> PartitionName {
        self.month.name
    }

    /// The parts of this instant. Holding the list keeps them readable.
    pub fn parts(&self) -> Rc<PartList> {
        self.parts.list()
    }

    /// Raised whenever the list of parts, a lease or the queue of conversions has changed.
    pub fn changed(&self) -> &Signal {
        self.parts.changed()
    }

    // ---- rows come in ----------------------------------------------------------------------------------------------

    /// Adds many samples of one series, all of this month. They can be searched after the next flush.
    pub fn add_run(&self, series: SeriesIndex, timestamps: &[TimestampMs], values: &[f64]) {
        self.row_flusher.add_run(series, timestamps, values);
    }

    /// Adds one sample each of many series at one instant of this month.
    pub fn add_scrape(&self, series: &[SeriesIndex], timestamp: TimestampMs, values: &[f64]) {
        self.row_flusher.add_scrape(series, timestamp, values);
    }

    /// Adds any rows of this month, as columns of one length.
    pub fn add_columns(&self, series: &[SeriesIndex], timestamps: &[TimestampMs], values: &[f64]) {
        self.row_flusher.add_columns(series, timestamps, values);
    }

    /// Rows that were taken out of their shards and are not in a part yet. Whoever adds rows waits while these are too many.
    pub fn pending_conversion_rows(&self) -> u64 {
        self.row_flusher.pending_conversion_rows()
    }

    /// Rows that can't be searched yet.
    pub fn pending_rows(&self) -> u64 {
        self.row_flusher.pending_rows()
    }

    /// Rows that are not durable: those that wait, and those of in-memory parts, unless the log has them.
    pub fn rows_at_stake(&self) -> u64 {
        let parts = self.parts.in_memory();
        let at_stake = parts.iter().filter(|entry| entry.is_at_stake());
        self.pending_rows() + at_stake.map(|entry| entry.part().header().rows).sum::<u64>()
    }

    /// Adds the rows of a record that was found in the log, all of this month; without a record, of somebody else's log.
    pub fn add_logged(&self, rows: Rows, record: Option<Rc<LogRecord>>) {
        self.row_flusher.add_logged(rows, record);
    }

    /// Bytes that the above take.
    pub fn bytes_in_memory(&self) -> u64 {
        /// What a part takes beside its content.
        const PART_BYTES: u64 = 1 << 10;
        let parts = self.parts.in_memory();
        self.pending_rows() * RAW_ROW_BYTES
            + parts.iter().map(|entry| entry.part().size_bytes() + PART_BYTES).sum::<u64>()
    }

    // ---- life ------------------------------------------------------------------------------------------------------

    /// Starts the tickers and the background merges. Once.
    pub fn start_jobs(&self) {
        if !self.month.begin_work() {
            return;
        }
        let context = &self.month.context;
        context.spawn(Lane::Flush, self.row_flusher.clone().run_ticker());
        context.spawn(Lane::Flush, self.disk_flusher.clone().run_ticker());
        context.spawn(Lane::SmallMerge, self.small_merger.clone().run());
        context.spawn(Lane::BigMerge, self.big_merger.clone().run());
        context.spawn(Lane::Janitor, self.remover.clone().run_janitor());
        context.spawn(Lane::Janitor, retention::run_ticker(self.month.clone(), self.parts.clone()));
    }

    /// Hands all rows that were added before to the log, in this very turn, which may be the last one that a page gets.
    pub fn hand_over(&self) {
        self.row_flusher.hand_over();
    }

    /// Makes all rows that were added before searchable.
    ///
    /// # Errors
    /// When rows can't be encoded; they are kept and tried again later.
    pub async fn flush_raw_rows(&self) -> Result<()> {
        self.row_flusher.flush().await
    }

    /// Makes all in-memory parts of this instant durable, whatever their age. Rows that wait in shards are not touched.
    ///
    /// # Errors
    /// When storage fails; the parts stay in memory.
    pub async fn flush_to_disk(&self) -> Result<()> {
        self.disk_flusher.flush().await
    }

    /// Makes all rows that were added before durable: in the log, or else on disk.
    ///
    /// # Errors
    /// When storage fails; the rows stay in memory, can be searched, and are tried again.
    pub async fn make_durable(&self) -> Result<()> {
        let Some(log) = self.month.options.log.as_ref().filter(|log| log.interval_ms().is_some()) else {
            return self.bring_to_disk().await;
        };
        self.flush_raw_rows().await?;
        log.settled().await;
        let is_done = !self.parts.in_memory().iter().any(|entry| entry.is_at_stake());
        if is_done { Ok(()) } else { self.flush_to_disk().await }
    }

    /// Brings all rows that were added before to disk.
    ///
    /// # Errors
    /// As above.
    pub async fn bring_to_disk(&self) -> Result<()> {
        self.row_flusher.flush_unlogged().await?;
        self.flush_to_disk().await
    }

    /// Stops the jobs, flushes all rows to disk and removes what nobody reads any more. Background merges give up, flushes
    /// are finished.
    ///
    /// # Errors
    /// When storage fails; the rows stay in memory then, and closing can be tried again.
    pub async fn shutdown(&self) -> Result<()> {
        self.stop_jobs();
        self.merges.wait_until_none().await;
        self.bring_to_disk().await?;
        self.remover.remove_all_unread().await
    }

    /// Tells all jobs to end.
    fn stop_jobs(&self) {
        self.month.stop();
        self.row_flusher.wake();
        self.remover.wake();
        self.parts.changed().raise();
    }

    // ---- whoever watches -------------------------------------------------------------------------------------------

    /// Tells whoever watches of partitions and the parts in them, in the order of the parts' numbers. Not while they are opened,
    /// which may fail halfway.
    pub fn announce(partitions: &[Rc<Self>]) {
        let parts_of = |partition: &Rc<Self>| {
            let parts = partition.parts();
            parts.iter().map(|entry| (entry.clone(), partition.clone())).collect::<Vec<_>>()
        };
        let mut parts: Vec<(Rc<PartEntry>, Rc<Self>)> = partitions.iter().flat_map(parts_of).collect();
        parts.sort_by_key(|(entry, _)| entry.id());
        for (entry, partition) in &parts {
            partition.parts.emit_created(entry, None);
        }
        for partition in partitions {
            partition.month.context.emit(|| Event::PartitionCreated { partition: partition.month.label.clone() });
        }
    }

    /// Tells whoever watches that the partition and its parts are seen through other lists from now on.
    pub fn leave(&self) {
        let parts = self.parts();
        for entry in parts.iter() {
            self.month.context.emit(|| Event::PartRetired { part: entry.id(), partition: self.month.label.clone() });
            self.month.context.emit(|| Event::PartRemoved { part: entry.id(), partition: self.month.label.clone() });
        }
        self.month.context.emit(|| Event::PartitionDropped { partition: self.month.label.clone() });
    }
}
