//! Partitions: one calendar month of samples (engine-behaviour §2 to §8).
//!
//! Rows wait in shards, become in-memory parts within a second, are on disk some seconds later, and are merged into fewer,
//! larger parts from then on.
//!
//! All changes of the list of parts happen in three synchronous functions of this file: [`Partition::apply_found`],
//! [`Partition::apply_merged`] and [`Partition::apply_retired`]. Disk comes first, then memory, then the event.

mod flush;
mod merge;
pub mod parts;
pub mod policy;
pub mod raw_rows;
mod recover;
mod retention;
mod search;
mod snapshot;
mod state;

pub use parts::{IdSource, PartEntry, PartList};
pub use snapshot::{PartitionSnapshot, snapshot_dirs};
pub use state::{MergeCounters, MergeLook, MergeState, PartState, PartitionState, ShardState};

use crate::block::dedup::Dedup;
use crate::collections::sort;
use crate::collections::sorted_map::SortedMap;
use crate::collections::u64_set::U64Set;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::metric::row::{SeriesIndex, SeriesTable};
use crate::part::Part;
use crate::part::merge::MergeCounts;
use crate::runtime::{Context, Lane, Signal};
use crate::time::{PartitionName, TimestampMs, back_off_ms};
use crate::trace::event::{Event, MergeId, MergeReason, PartClass, PartId};
use flush::Conversions;
use parts::{Anchor, Graveyard, Lease, Remains, Retirement};
use policy::MergeLimits;
use raw_rows::{Added, RawRows};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

/// Resolves when all index entries of samples accepted so far are durable.
pub type EnsureIndexDurable = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>>>>>;

/// What all partitions of a database share.
#[derive(Clone)]
pub struct PartitionOptions {
    /// Rows that a shard of raw rows holds, and an in-memory part; see [`raw_rows::max_rows_per_shard`].
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
    /// Ids of parts and merges.
    pub ids: Rc<IdSource>,
    /// Suffixes of part names begin here: the nanoseconds since the epoch when the database was opened.
    pub start_nanos: u64,
}

/// One month: its rows that wait, its parts, and the jobs that look after them.
pub struct Partition {
    context: Context,
    options: Rc<PartitionOptions>,
    name: PartitionName,
    label: String,
    small_dir: FilePath,
    big_dir: FilePath,
    opened_at: TimestampMs,
    raw_rows: RefCell<RawRows>,
    /// Raised when the first row comes to empty shards.
    rows_arrived: Signal,
    conversions: RefCell<Conversions>,
    parts: RefCell<Rc<PartList>>,
    graveyard: Rc<Graveyard>,
    /// Removals that storage has not confirmed yet.
    burials: Cell<usize>,
    /// Raised when one of them has ended.
    buried: Signal,
    /// Of a partition that was dropped: that its files are gone, or why they are not.
    departure: RefCell<Option<Result<()>>>,
    /// `None` once the partition was dropped.
    anchor: RefCell<Option<Rc<Anchor>>>,
    /// Suffix of the next part's name, which also names its temporary directory and its transaction file.
    next_suffix: Cell<u64>,
    running: RefCell<SortedMap<MergeId, RunningMerge>>,
    merged: Cell<MergeCounters>,
    /// What the mergers of small and of big parts found when they looked last.
    looks: Cell<[Option<MergeLook>; 2]>,
    /// Background merges hold back: a forced merge has the floor.
    is_forced: Cell<bool>,
    /// The parts of the last merge that was put off for want of room, of small parts and of big ones.
    put_off: RefCell<[Vec<PartId>; 2]>,
    /// Merges whose output stayed in memory.
    merges_in_memory: Cell<u64>,
    is_stopping: Cell<bool>,
    has_jobs: Cell<bool>,
    stop: Signal,
    changed: Signal,
}

/// A merge as an observer sees it.
#[derive(Clone, Debug)]
struct RunningMerge {
    reason: MergeReason,
    sources: Vec<PartId>,
    output_class: PartClass,
    rows_total: u64,
    bytes_total: u64,
    rows_done: u64,
}

impl Partition {
    /// The month.
    pub fn name(&self) -> PartitionName {
        self.name
    }

    /// The parts of this instant. Holding the list keeps them readable.
    pub fn parts(&self) -> Rc<PartList> {
        self.parts.borrow().clone()
    }

    /// Raised whenever the list of parts, a lease or the queue of conversions has changed.
    pub fn changed(&self) -> &Signal {
        &self.changed
    }

    // ---- rows come in ----------------------------------------------------------------------------------------------

    /// Adds many samples of one series, all of this month. They can be searched after the next flush.
    pub fn add_run(self: &Rc<Self>, series: SeriesIndex, timestamps: &[TimestampMs], values: &[f64]) {
        let added = self.raw_rows.borrow_mut().add_run(series, timestamps, values, self.context.now());
        self.rows_added(timestamps.len(), added);
    }

    /// Adds one sample each of many series at one instant of this month.
    pub fn add_scrape(self: &Rc<Self>, series: &[SeriesIndex], timestamp: TimestampMs, values: &[f64]) {
        let added = self.raw_rows.borrow_mut().add_scrape(series, timestamp, values, self.context.now());
        self.rows_added(series.len(), added);
    }

    /// Adds any rows of this month, as columns of one length.
    pub fn add_columns(self: &Rc<Self>, series: &[SeriesIndex], timestamps: &[TimestampMs], values: &[f64]) {
        let added = self.raw_rows.borrow_mut().add_columns(series, timestamps, values, self.context.now());
        self.rows_added(timestamps.len(), added);
    }

    fn rows_added(self: &Rc<Self>, rows: usize, added: Added) {
        if rows == 0 {
            return;
        }
        self.context.emit(|| Event::RowsAdded {
            partition: self.label.clone(),
            shard: added.shard as u32,
            rows: rows as u64,
            pending_rows: added.pending_rows as u64,
        });
        match added.overflow {
            Some(overflow) => self.queue_conversion(overflow),
            // The ticker sleeps while there is nothing to flush.
            None if added.pending_rows == rows => self.rows_arrived.raise(),
            None => {}
        }
    }

    /// Rows that were taken out of their shards and are not in a part yet. Whoever adds rows waits while these are too many.
    pub fn pending_conversion_rows(&self) -> u64 {
        self.conversions.borrow().pending_rows
    }

    /// Rows that are not durable: those that wait, and those of in-memory parts.
    pub fn rows_in_memory(&self) -> u64 {
        self.pending_rows() + self.in_memory_parts().iter().map(|entry| entry.part().header().rows).sum::<u64>()
    }

    /// Bytes that the above take.
    pub fn bytes_in_memory(&self) -> u64 {
        /// Four bytes of series, eight of timestamp, eight of value.
        const RAW_ROW_BYTES: u64 = 20;
        /// What a part takes beside its content.
        const PART_BYTES: u64 = 1 << 10;
        let parts = self.in_memory_parts();
        self.pending_rows() * RAW_ROW_BYTES
            + parts.iter().map(|entry| entry.part().size_bytes() + PART_BYTES).sum::<u64>()
    }

    /// Rows that can't be searched yet.
    pub fn pending_rows(&self) -> u64 {
        self.raw_rows.borrow().len() as u64 + self.pending_conversion_rows()
    }

    // ---- life ------------------------------------------------------------------------------------------------------

    /// Starts the tickers and the background merges. Once.
    pub fn start_jobs(self: &Rc<Self>) {
        if self.has_jobs.replace(true) {
            return;
        }
        let spawn = |lane, job: Pin<Box<dyn Future<Output = ()>>>| self.context.spawn(lane, job);
        spawn(Lane::Flush, Box::pin(self.clone().run_raw_rows_ticker()));
        spawn(Lane::Flush, Box::pin(self.clone().run_disk_ticker()));
        spawn(Lane::SmallMerge, Box::pin(self.clone().run_merger(PartClass::Small)));
        spawn(Lane::BigMerge, Box::pin(self.clone().run_merger(PartClass::Big)));
        spawn(Lane::Janitor, Box::pin(self.clone().run_janitor()));
        spawn(Lane::Janitor, Box::pin(self.clone().run_retention_ticker()));
    }

    /// Stops the jobs, flushes all rows to disk and removes what nobody reads any more. Background merges give up, flushes
    /// are finished.
    ///
    /// # Errors
    /// When storage fails; the rows stay in memory then, and closing can be tried again.
    pub async fn shutdown(self: &Rc<Self>) -> Result<()> {
        self.stop_jobs().await;
        self.make_durable().await?;
        // What the janitor has begun to remove is waited for, too: whoever opens the database next must not see files vanish
        // that it has just listed.
        loop {
            self.bury().await?;
            let seen = self.buried.version();
            if self.burials.get() > 0 {
                self.context.changed(&self.buried, seen).await;
            } else if self.graveyard.is_empty() {
                return Ok(());
            }
        }
    }

    /// Makes all rows that were added before durable.
    ///
    /// # Errors
    /// When storage fails; the rows stay in memory, can be searched, and are tried again.
    pub async fn make_durable(self: &Rc<Self>) -> Result<()> {
        self.flush_raw_rows().await?;
        self.flush_to_disk().await
    }

    /// Tells all jobs to end and waits for merges that are under way.
    async fn stop_jobs(&self) {
        self.is_stopping.set(true);
        self.stop.raise();
        self.rows_arrived.raise();
        self.graveyard.arrived.raise();
        self.changed.raise();
        self.wait_for_merges().await;
    }

    /// Waits until no merge is under way.
    async fn wait_for_merges(&self) {
        loop {
            let seen = self.changed.version();
            if self.running.borrow().is_empty() {
                return;
            }
            self.context.changed(&self.changed, seen).await;
        }
    }

    /// Removes files of retired parts that nobody reads, until stopped.
    async fn run_janitor(self: Rc<Self>) {
        const RETRY_DELAY_MS: i64 = 10_000;
        let mut failures = 0;
        while !self.is_stopping.get() {
            let seen = self.graveyard.arrived.version();
            if self.graveyard.is_empty() {
                self.context.changed(&self.graveyard.arrived, seen).await;
                continue;
            }
            match self.bury().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        self.degraded(&error, "files of merged parts stay until they can be removed");
                    }
                    let retry_at = self.context.now() + back_off_ms(RETRY_DELAY_MS, failures);
                    self.context.changed_or_until(&self.stop, self.stop.version(), retry_at).await;
                }
            }
        }
    }

    /// Removes the files of retired parts that nobody reads any more.
    async fn bury(&self) -> Result<()> {
        let all = self.graveyard.take();
        let remove = |path: &FilePath| crate::fs::Change::Remove { path: path.clone() };
        let changes: Vec<_> = all.iter().flat_map(|remains| &remains.paths).map(remove).collect();
        self.burials.set(self.burials.get() + 1);
        let result = if changes.is_empty() { Ok(()) } else { self.context.commit(changes).await };
        self.burials.set(self.burials.get() - 1);
        self.buried.raise();
        if let Err(error) = result {
            all.into_iter().for_each(|remains| self.graveyard.put(remains));
            return Err(error);
        }
        for part in all.into_iter().flat_map(|remains| remains.parts) {
            self.context.emit(|| Event::PartRemoved { part, partition: self.label.clone() });
        }
        Ok(())
    }

    fn degraded(&self, error: &Error, consequence: &str) {
        self.context.degraded(error, format!("{}: {error}; {consequence}", self.place()));
    }

    /// What its troubles are reported under.
    fn place(&self) -> String {
        format!("partition {}", self.label)
    }

    fn stopped() -> Error {
        Error::new(ErrorKind::Aborted, "the partition is being closed")
    }

    // ---- the three changes of the list -------------------------------------------------------------------------------

    /// A part joins the list, made from raw rows.
    fn apply_created(&self, class: PartClass, part: Part) -> PartId {
        let entry = self.apply_found(class, part);
        self.emit_created(&entry, None);
        entry.id()
    }

    /// A part joins the list, found when the partition is opened; see [`Partition::announce`].
    fn apply_found(&self, class: PartClass, part: Part) -> Rc<PartEntry> {
        let entry = PartEntry::new(self.options.ids.next_part(), class, part, self.context.now());
        assert!(!self.parts.borrow().contains(entry.id()), "part {} exists already", entry.id());
        let list = self.parts.borrow().with(entry.clone());
        self.replace_parts(list);
        entry
    }

    /// A merge's output takes its sources' place. The disk has it so already.
    fn apply_merged(
        &self,
        lease: Lease,
        output: Option<(PartClass, Part)>,
        transaction: Option<FilePath>,
        counts: MergeCounts,
    ) -> Option<Rc<PartEntry>> {
        let merge = lease.merge;
        for source in &lease.parts {
            assert!(self.parts.borrow().contains(source.id()), "part {} left the list under its lease", source.id());
            assert_eq!(source.lease(), Some(merge), "part {} is leased by another merge", source.id());
        }
        let output =
            output.map(|(class, part)| PartEntry::new(self.options.ids.next_part(), class, part, self.context.now()));
        let mut list = self.parts.borrow().without(&lease.parts);
        if let Some(output) = &output {
            list = list.with(output.clone());
        }
        self.replace_parts(list);
        self.retire(&lease.parts, transaction);
        self.running.borrow_mut().remove(&merge);
        if let Some(output) = &output {
            self.emit_created(output, Some(merge));
        }
        self.emit_retired(&lease.parts);
        self.context.emit(|| Event::MergeFinished {
            merge,
            partition: self.label.clone(),
            output: output.as_ref().map(|output| output.id()),
            rows_merged: counts.written,
            rows_deleted: counts.deleted,
            rows_deduplicated: counts.deduplicated,
        });
        output
    }

    /// Parts leave the list and nothing takes their place.
    fn apply_retired(&self, gone: &[Rc<PartEntry>]) {
        for entry in gone {
            assert!(self.parts.borrow().contains(entry.id()), "part {} is not in the list", entry.id());
            assert_eq!(entry.lease(), None, "part {} is in a merge", entry.id());
        }
        let list = self.parts.borrow().without(gone);
        self.replace_parts(list);
        self.retire(gone, None);
        self.emit_retired(gone);
    }

    fn replace_parts(&self, list: PartList) {
        self.parts.replace(Rc::new(list));
        self.changed.raise();
    }

    fn retire(&self, gone: &[Rc<PartEntry>], transaction: Option<FilePath>) {
        let dirs = gone.iter().filter_map(|entry| entry.part().dir().cloned());
        let remains =
            Remains { parts: gone.iter().map(|entry| entry.id()).collect(), paths: dirs.chain(transaction).collect() };
        // A partition that was dropped has no parts left.
        let Some(anchor) = self.anchor.borrow().clone() else { return };
        let retirement = Retirement::new(remains, anchor);
        for entry in gone {
            entry.retire(&retirement);
            entry.part().forget_cached(&self.context);
        }
    }

    fn emit_created(&self, entry: &PartEntry, merge: Option<MergeId>) {
        self.context.emit(|| {
            let header = entry.part().header();
            Event::PartCreated {
                part: entry.id(),
                partition: self.label.clone(),
                class: entry.class(),
                name: entry.name().to_owned(),
                rows: header.rows,
                blocks: header.blocks,
                bytes: entry.part().size_bytes(),
                min_timestamp: header.min_timestamp,
                max_timestamp: header.max_timestamp,
                merge,
            }
        });
    }

    /// Tells whoever watches of partitions and the parts in them, in the order of the parts' numbers. Not while they are opened,
    /// which may fail halfway.
    pub fn announce(partitions: &[Rc<Self>]) {
        let parts_of = |partition: &Rc<Self>| {
            let parts = partition.parts();
            parts.iter().map(|entry| (entry.clone(), partition.clone())).collect::<Vec<_>>()
        };
        let mut parts: Vec<(Rc<PartEntry>, Rc<Self>)> = partitions.iter().flat_map(parts_of).collect();
        sort::sort_by_key(&mut parts, |(entry, _)| entry.id());
        for (entry, partition) in &parts {
            partition.emit_created(entry, None);
        }
        for partition in partitions {
            partition.context.emit(|| Event::PartitionCreated { partition: partition.label.clone() });
        }
    }

    /// Tells whoever watches that the partition and its parts are seen through other lists from now on.
    pub fn leave(&self) {
        let parts = self.parts();
        for entry in parts.iter() {
            self.context.emit(|| Event::PartRetired { part: entry.id(), partition: self.label.clone() });
            self.context.emit(|| Event::PartRemoved { part: entry.id(), partition: self.label.clone() });
        }
        self.context.emit(|| Event::PartitionDropped { partition: self.label.clone() });
    }

    fn emit_retired(&self, gone: &[Rc<PartEntry>]) {
        for entry in gone {
            self.context.emit(|| Event::PartRetired { part: entry.id(), partition: self.label.clone() });
        }
    }
}
