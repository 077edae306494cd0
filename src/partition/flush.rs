//! Raw rows to in-memory parts (engine-behaviour §2).

use super::background::BackgroundMerger;
use super::live_parts::LiveParts;
use super::month::Month;
use super::options::PartitionOptions;
use super::parts::Logged;
use super::raw_rows::{Added, RawRows};
use super::state::ShardState;
use crate::error::{Error, Result};
use crate::log::LogRecord;
use crate::log::record::MAX_ROWS;
use crate::metric::row::{Rows, SeriesIndex};
use crate::part::Part;
use crate::part::inmemory::{ConversionOptions, part_from_rows};
use crate::runtime::{Lane, Signal};
use crate::time::{SECOND_MS, TimestampMs};
use crate::trace::event::{Event, MergeReason, PartClass, PartId};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How often rows become parts when there is no log; with one, as often as that is written.
const INTERVAL_MS: i64 = SECOND_MS;
/// Rows that are taken out together become so many records of the log at most.
const MAX_RECORDS: usize = 4;
/// With more small parts than this, conversion helps merging before it goes on.
const MAX_SMALL_PARTS: usize = 256;

/// Takes rows in, and makes in-memory parts of them.
pub(super) struct RowFlusher {
    month: Rc<Month>,
    parts: Rc<LiveParts>,
    small_merger: Rc<BackgroundMerger>,
    raw_rows: RefCell<RawRows>,
    /// Raised when the first row comes to empty shards.
    rows_arrived: Signal,
    conversions: RefCell<Conversions>,
}

/// Whether the job that works off the queue runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Converter {
    /// It has ended with an empty queue, or has given up.
    #[default]
    Idle,
    /// It runs.
    Running,
}

/// Rows on their way from shards into parts. One job works them off in order.
#[derive(Debug, Default)]
struct Conversions {
    queue: VecDeque<Batch>,
    /// Rows in the queue and in the conversion under way.
    pending_rows: u64,
    /// Batches ever queued, and ever converted.
    queued: u64,
    converted: u64,
    converter: Converter,
    /// Why the job gave up last; the rows are still in the queue.
    failure: Option<Error>,
}

/// The rows of one flush.
#[derive(Debug)]
struct Batch {
    rows: u64,
    /// Each becomes a part.
    chunks: VecDeque<Rows>,
    parts: Vec<PartId>,
    /// Holds the rows of the only chunk.
    record: Option<Rc<LogRecord>>,
}

/// Who makes rows durable that are taken out of their shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    /// The log, where there is one, and the part in time.
    Log,
    /// The part, which is brought to disk at once.
    Part,
}

impl PartitionOptions {
    fn conversion(&self) -> ConversionOptions {
        ConversionOptions { precision_bits: self.precision_bits, dedup: self.dedup }
    }
}

impl RowFlusher {
    pub(super) fn new(month: Rc<Month>, parts: Rc<LiveParts>, small_merger: Rc<BackgroundMerger>) -> Rc<Self> {
        let raw_rows = RawRows::new(month.options.shards, month.options.max_rows_per_shard);
        Rc::new(Self {
            month,
            parts,
            small_merger,
            raw_rows: RefCell::new(raw_rows),
            rows_arrived: Signal::default(),
            conversions: RefCell::default(),
        })
    }

    // ---- rows come in ----------------------------------------------------------------------------------------------

    /// Adds many samples of one series, all of this month. They can be searched after the next flush.
    pub(super) fn add_run(self: &Rc<Self>, series: SeriesIndex, timestamps: &[TimestampMs], values: &[f64]) {
        let added = self.raw_rows.borrow_mut().add_run(series, timestamps, values, self.month.context.now());
        self.rows_added(timestamps.len(), added);
    }

    /// Adds one sample each of many series at one instant of this month.
    pub(super) fn add_scrape(self: &Rc<Self>, series: &[SeriesIndex], timestamp: TimestampMs, values: &[f64]) {
        let added = self.raw_rows.borrow_mut().add_scrape(series, timestamp, values, self.month.context.now());
        self.rows_added(series.len(), added);
    }

    /// Adds any rows of this month, as columns of one length.
    pub(super) fn add_columns(self: &Rc<Self>, series: &[SeriesIndex], timestamps: &[TimestampMs], values: &[f64]) {
        let added = self.raw_rows.borrow_mut().add_columns(series, timestamps, values, self.month.context.now());
        self.rows_added(timestamps.len(), added);
    }

    fn rows_added(self: &Rc<Self>, rows: usize, added: Added) {
        if rows == 0 {
            return;
        }
        if self.month.options.announces {
            self.month.context.emit(|| Event::RowsAdded {
                partition: self.month.label.clone(),
                shard: added.shard as u32,
                rows: rows as u64,
                pending_rows: added.pending_rows as u64,
            });
        }
        match added.overflow {
            Some(overflow) => self.queue_conversion(overflow, None),
            // The ticker sleeps while there is nothing to flush.
            None if added.pending_rows == rows => self.rows_arrived.raise(),
            None => {}
        }
    }

    /// Rows that were taken out of their shards and are not in a part yet.
    pub(super) fn pending_conversion_rows(&self) -> u64 {
        self.conversions.borrow().pending_rows
    }

    /// Rows that can't be searched yet.
    pub(super) fn pending_rows(&self) -> u64 {
        self.raw_rows.borrow().len() as u64 + self.pending_conversion_rows()
    }

    /// The shards of raw rows as observers see them.
    pub(super) fn shards(&self) -> Vec<ShardState> {
        let raw_rows = self.raw_rows.borrow();
        let capacity = raw_rows.max_rows_per_shard() as u64;
        raw_rows.rows_per_shard().map(|rows| ShardState { rows: rows as u64, capacity }).collect()
    }

    /// Forgets the rows that are in no part yet, and lets the log forget them. Nothing is on its way into a part afterwards; of what is
    /// at present, a part is made.
    pub(super) async fn forget_rows(&self) {
        drop(self.raw_rows.borrow_mut().take(None));
        loop {
            let seen = self.parts.changed().version();
            // Again, as what could not be encoded goes back to the queue.
            self.forget_queue();
            if self.conversions.borrow().converter == Converter::Idle {
                return;
            }
            self.month.context.changed(self.parts.changed(), seen).await;
        }
    }

    fn forget_queue(&self) {
        let mut conversions = self.conversions.borrow_mut();
        let batches = std::mem::take(&mut conversions.queue);
        if batches.is_empty() {
            return;
        }
        let rows = |batch: &Batch| batch.chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        conversions.pending_rows -= batches.iter().map(rows).sum::<u64>();
        // Whoever waits for these waits no longer.
        conversions.converted += batches.len() as u64;
        if let Some(log) = &self.month.options.log {
            // What is in a part already goes with it.
            let records =
                batches.iter().filter(|batch| batch.parts.is_empty()).filter_map(|batch| batch.record.clone());
            log.abandon(&records.collect::<Vec<_>>());
        }
        self.parts.changed().raise();
    }

    /// Lets the ticker see that it is to end.
    pub(super) fn wake(&self) {
        self.rows_arrived.raise();
    }

    /// When the shards are emptied next.
    pub(super) fn next_flush(&self) -> TimestampMs {
        self.month.next_tick(self.month.options.log_interval_ms().unwrap_or(INTERVAL_MS))
    }

    // ---- rows become parts -----------------------------------------------------------------------------------------

    /// Logs all rows that were added before, here and now; parts of them are made later.
    pub(super) fn hand_over(self: &Rc<Self>) {
        self.take_out(None, Keeper::Log);
    }

    /// Makes all rows that were added before searchable, and logs them.
    ///
    /// # Errors
    /// When rows can't be encoded; they are kept and tried again later.
    pub(super) async fn flush(self: &Rc<Self>) -> Result<()> {
        self.take_out(None, Keeper::Log);
        self.converted().await
    }

    /// As above, for a caller who brings the parts to disk at once.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn flush_unlogged(self: &Rc<Self>) -> Result<()> {
        self.take_out(None, Keeper::Part);
        self.converted().await
    }

    /// Rows that were durable in the log before they were added, and all that one record holds.
    pub(super) fn add_logged(self: &Rc<Self>, rows: Rows, record: Option<Rc<LogRecord>>) {
        self.queue_conversion(rows, record);
    }

    /// Takes rows out of their shards: all, or at an instant those that are due then.
    fn take_out(self: &Rc<Self>, now: Option<TimestampMs>, keeper: Keeper) {
        let mut rows = self.raw_rows.borrow_mut().take(now);
        let log = self.month.options.log.as_ref();
        let log = log.filter(|log| keeper == Keeper::Log && log.interval_ms().is_some());
        // A page may be closed before the part of many rows is on disk. Of very many the log would only be a second copy.
        let is_logged = log.is_some() && rows.len() <= MAX_RECORDS * MAX_ROWS;
        let most = if is_logged { MAX_ROWS } else { usize::MAX };
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(most));
            let record = log.and_then(|log| log.write(&rows));
            self.queue_conversion(std::mem::replace(&mut rows, rest), record);
        }
    }

    /// Waits until all rows that were taken out so far are in parts.
    async fn converted(self: &Rc<Self>) -> Result<()> {
        let target = {
            let mut conversions = self.conversions.borrow_mut();
            conversions.failure = None;
            conversions.queued
        };
        self.wake_converter();
        loop {
            let seen = self.parts.changed().version();
            {
                let conversions = self.conversions.borrow();
                if conversions.converted >= target {
                    return Ok(());
                }
                if let Some(failure) = &conversions.failure {
                    return Err(failure.clone());
                }
            }
            self.month.context.changed(self.parts.changed(), seen).await;
        }
    }

    /// Every second, while there are rows.
    pub(super) async fn run_ticker(self: Rc<Self>) {
        while !self.month.is_stopping() {
            let seen = self.rows_arrived.version();
            if self.raw_rows.borrow().is_empty() && self.conversions.borrow().queue.is_empty() {
                self.month.context.changed(&self.rows_arrived, seen).await;
                continue;
            }
            let due = self.next_flush();
            self.month.sleep_until(due).await;
            if self.month.is_stopping() {
                return;
            }
            // What is to be durable in time is not left for another second.
            let now = self.month.options.log_interval_ms().is_none().then(|| self.month.context.now());
            self.take_out(now, Keeper::Log);
            self.wake_converter();
        }
    }

    /// Queues rows and wakes the job that makes parts of them. They are cut into chunks of the size of a shard, unless a record
    /// holds them: what the commit of one part removes from the log must be in that part.
    fn queue_conversion(self: &Rc<Self>, mut rows: Rows, record: Option<Rc<LogRecord>>) {
        if rows.is_empty() {
            return;
        }
        let max_rows = if record.is_some() { usize::MAX } else { self.raw_rows.borrow().max_rows_per_shard() };
        let count = rows.len() as u64;
        let mut chunks = VecDeque::new();
        while rows.len() > max_rows {
            let at = (rows.len() - 1) / max_rows * max_rows;
            chunks.push_front(rows.split_off(at));
        }
        chunks.push_front(rows);
        {
            let mut conversions = self.conversions.borrow_mut();
            conversions.pending_rows += count;
            conversions.queued += 1;
            conversions.queue.push_back(Batch { rows: count, chunks, parts: Vec::new(), record });
        }
        self.wake_converter();
    }

    fn wake_converter(self: &Rc<Self>) {
        let mut conversions = self.conversions.borrow_mut();
        if !conversions.queue.is_empty() && conversions.converter == Converter::Idle {
            conversions.converter = Converter::Running;
            self.month.context.spawn(Lane::Flush, self.clone().run_converter());
        }
    }

    /// Works off the queue and ends. A job of its own, since rows must not depend on the patience of whoever asked for a flush.
    async fn run_converter(self: Rc<Self>) {
        loop {
            let Some(mut batch) = self.conversions.borrow_mut().queue.pop_front() else { break };
            while let Some(rows) = batch.chunks.pop_front() {
                match part_from_rows(
                    &self.month.context,
                    &rows,
                    &self.month.options.series,
                    self.month.options.conversion(),
                )
                .await
                {
                    Ok(part) => {
                        batch.parts.extend(part.map(|part| self.add_part(part, batch.record.clone())));
                        self.conversions.borrow_mut().pending_rows -= rows.len() as u64;
                        self.raw_rows.borrow_mut().recycle(rows);
                    }
                    Err(error) => {
                        if self.conversions.borrow().failure.is_none() {
                            self.month.degraded(&error, "rows wait in memory until they can be encoded");
                        }
                        batch.chunks.push_front(rows);
                        let mut conversions = self.conversions.borrow_mut();
                        conversions.queue.push_front(batch);
                        conversions.failure = Some(error);
                        conversions.converter = Converter::Idle;
                        self.parts.changed().raise();
                        return;
                    }
                }
            }
            self.conversions.borrow_mut().converted += 1;
            self.parts.changed().raise();
            if self.month.options.announces {
                self.month.context.emit(|| Event::RawRowsFlushed {
                    partition: self.month.label.clone(),
                    rows: batch.rows,
                    parts: batch.parts,
                });
            }
            if self.parts.list().small.len() > MAX_SMALL_PARTS && self.month.is_working() {
                // An error is in the trace, and the merge is tried again at the next flush.
                let _ = self.small_merger.merge_best(MergeReason::Assisted, false).await;
            }
        }
        self.conversions.borrow_mut().converter = Converter::Idle;
        self.parts.changed().raise();
    }

    fn add_part(&self, part: Part, record: Option<Rc<LogRecord>>) -> PartId {
        let least = part.header().min_timestamp;
        let entry = self.parts.add(PartClass::InMemory, part, Logged::in_record(record));
        self.month.context.arrivals().note(least);
        if self.month.options.announces {
            self.parts.emit_created(&entry, None);
        }
        entry.id()
    }
}
