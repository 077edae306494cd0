//! Raw rows to in-memory parts, in-memory parts to disk (engine-behaviour §2, §3).

use super::{Partition, PartitionOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::row::Rows;
use crate::part::inmemory::{ConversionOptions, part_from_rows};
use crate::runtime::{Lane, beside};
use crate::time::{SECOND_MS, TimestampMs, back_off_ms};
use crate::trace::event::{Event, MergeId, MergeReason, PartClass, PartId};
use std::collections::VecDeque;
use std::rc::Rc;

use super::parts::PartEntry;
use super::policy::{self, MAX_PARTS_TO_MERGE};

const RAW_ROWS_INTERVAL_MS: i64 = SECOND_MS;
const DISK_INTERVAL_MS: i64 = 5 * SECOND_MS;
/// An in-memory part of this age goes to disk.
const DISK_AGE_S: i64 = 5;
/// A merge that has not moved at so many looks in a row, with so much time before each, is stuck.
const LOOKS_AT_STUCK: u32 = 3;
const LOOK_INTERVAL_MS: i64 = 10 * SECOND_MS;
/// With so many in-memory parts that the storage does not take, they are merged where they are.
const MAX_REFUSED_PARTS: usize = 2 * MAX_PARTS_TO_MERGE;
/// With more small parts than this, conversion helps merging before it goes on.
const MAX_SMALL_PARTS: usize = 256;

/// Rows on their way from shards into parts. One job works them off in order.
#[derive(Debug, Default)]
pub(super) struct Conversions {
    queue: VecDeque<Batch>,
    /// Rows in the queue and in the conversion under way.
    pub(super) pending_rows: u64,
    /// Batches ever queued, and ever converted.
    queued: u64,
    converted: u64,
    is_running: bool,
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
}

impl PartitionOptions {
    fn conversion(&self) -> ConversionOptions {
        ConversionOptions { precision_bits: self.precision_bits, dedup: self.dedup }
    }
}

/// The first multiple of `interval` after `from` that lies behind `now`.
fn next_tick(from: TimestampMs, interval: i64, now: TimestampMs) -> TimestampMs {
    from + (now.saturating_sub(from).div_euclid(interval) + 1) * interval
}

impl Partition {
    /// Makes all rows that were added before searchable.
    ///
    /// # Errors
    /// When rows can't be encoded; they are kept and tried again later.
    pub async fn flush_raw_rows(self: &Rc<Self>) -> Result<()> {
        let rows = self.raw_rows.borrow_mut().take(None);
        self.queue_conversion(rows);
        let target = {
            let mut conversions = self.conversions.borrow_mut();
            conversions.failure = None;
            conversions.queued
        };
        self.wake_converter();
        loop {
            let seen = self.changed.version();
            {
                let conversions = self.conversions.borrow();
                if conversions.converted >= target {
                    return Ok(());
                }
                if let Some(failure) = &conversions.failure {
                    return Err(failure.clone());
                }
            }
            self.context.changed(&self.changed, seen).await;
        }
    }

    /// Every second, while there are rows.
    pub(super) async fn run_raw_rows_ticker(self: Rc<Self>) {
        while !self.is_stopping.get() {
            let seen = self.rows_arrived.version();
            if self.raw_rows.borrow().is_empty() && self.conversions.borrow().queue.is_empty() {
                self.context.changed(&self.rows_arrived, seen).await;
                continue;
            }
            let due = next_tick(self.opened_at, RAW_ROWS_INTERVAL_MS, self.context.now());
            self.context.changed_or_until(&self.stop, self.stop.version(), due).await;
            if self.is_stopping.get() {
                return;
            }
            let rows = self.raw_rows.borrow_mut().take(Some(self.context.now()));
            self.queue_conversion(rows);
            self.wake_converter();
        }
    }

    /// Queues rows, cut into chunks of the size of a shard, and wakes the job that makes parts of them.
    pub(super) fn queue_conversion(self: &Rc<Self>, mut rows: Rows) {
        if rows.is_empty() {
            return;
        }
        let max_rows = self.raw_rows.borrow().max_rows_per_shard();
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
            conversions.queue.push_back(Batch { rows: count, chunks, parts: Vec::new() });
        }
        self.wake_converter();
    }

    fn wake_converter(self: &Rc<Self>) {
        let mut conversions = self.conversions.borrow_mut();
        if !conversions.queue.is_empty() && !conversions.is_running {
            conversions.is_running = true;
            self.context.spawn(Lane::Flush, self.clone().run_converter());
        }
    }

    /// Works off the queue and ends. A job of its own, since rows must not depend on the patience of whoever asked for a flush.
    async fn run_converter(self: Rc<Self>) {
        loop {
            let Some(mut batch) = self.conversions.borrow_mut().queue.pop_front() else { break };
            while let Some(rows) = batch.chunks.pop_front() {
                match part_from_rows(&self.context, &rows, &self.options.series, self.options.conversion()).await {
                    Ok(part) => {
                        batch.parts.extend(part.map(|part| self.apply_created(PartClass::InMemory, part)));
                        self.conversions.borrow_mut().pending_rows -= rows.len() as u64;
                        self.raw_rows.borrow_mut().recycle(rows);
                    }
                    Err(error) => {
                        if self.conversions.borrow().failure.is_none() {
                            self.degraded(&error, "rows wait in memory until they can be encoded");
                        }
                        batch.chunks.push_front(rows);
                        let mut conversions = self.conversions.borrow_mut();
                        conversions.queue.push_front(batch);
                        conversions.failure = Some(error);
                        conversions.is_running = false;
                        self.changed.raise();
                        return;
                    }
                }
            }
            self.conversions.borrow_mut().converted += 1;
            self.changed.raise();
            self.context.emit(|| Event::RawRowsFlushed {
                partition: self.label.clone(),
                rows: batch.rows,
                parts: batch.parts,
            });
            if self.parts.borrow().small.len() > MAX_SMALL_PARTS && !self.is_stopping.get() {
                // An error is in the trace, and the merge is tried again at the next flush.
                let _ = self.merge_small_parts(MergeReason::Assisted, false).await;
            }
        }
        self.conversions.borrow_mut().is_running = false;
    }

    pub(super) fn next_raw_rows_flush(&self) -> TimestampMs {
        next_tick(self.opened_at, RAW_ROWS_INTERVAL_MS, self.context.now())
    }

    pub(super) fn next_disk_flush(&self) -> TimestampMs {
        next_tick(self.opened_at, DISK_INTERVAL_MS, self.context.now())
    }

    // ---- to disk ---------------------------------------------------------------------------------------------------

    /// Every five seconds, while there are in-memory parts; ever more rarely while the storage does not take them, and at once
    /// when it has more room or has taken what somebody else wrote here.
    pub(super) async fn run_disk_ticker(self: Rc<Self>) {
        let mut failures = 0;
        let grown = self.context.room().grown().clone();
        let recovered = self.context.health().recovered().clone();
        while !self.is_stopping.get() {
            let seen = self.changed.version();
            if self.free_in_memory_parts(|_| true).is_empty() {
                if self.in_memory_parts().is_empty() {
                    // A merge in the background may have taken the last ones.
                    failures = 0;
                    self.context.trouble_is_over(&self.place());
                }
                self.context.changed(&self.changed, seen).await;
                continue;
            }
            let now = self.context.now();
            let stop = (&self.stop, self.stop.version());
            if failures == 0 {
                self.context.first_of(&[stop], next_tick(self.opened_at, DISK_INTERVAL_MS, now)).await;
            } else {
                let seen = [stop, (&grown, grown.version()), (&recovered, recovered.version())];
                self.context.first_of(&seen, now + back_off_ms(DISK_INTERVAL_MS, failures)).await;
            }
            if self.is_stopping.get() {
                return;
            }
            if failures > 0 && !self.context.health().is_in_trouble(&self.place()) {
                // What has come since goes when it would have gone without all this.
                failures = 0;
                continue;
            }
            let now_s = self.context.now().div_euclid(SECOND_MS);
            // One from the future was made before the clock was set back.
            let is_old =
                |entry: &PartEntry| !(0..DISK_AGE_S).contains(&(now_s - entry.created().div_euclid(SECOND_MS)));
            match self.merge_optimal(self.free_in_memory_parts(is_old), MergeReason::Flush).await {
                Ok(_) => failures = 0,
                // The parts stay and are tried again.
                Err(_) => {
                    failures += 1;
                    self.merge_refused_parts().await;
                }
            }
        }
    }

    /// As long as the storage takes no part, they must not become too many to be searched quickly.
    async fn merge_refused_parts(self: &Rc<Self>) {
        loop {
            let free = self.free_in_memory_parts(|entry| !entry.is_suspect());
            if free.len() <= MAX_REFUSED_PARTS || self.is_stopping.get() {
                return;
            }
            let sizes: Vec<_> = free.iter().map(|entry| entry.size()).collect();
            let choice = policy::select(&sizes, u64::MAX, true);
            let chosen: Vec<_> = choice.parts.iter().map(|&at| free[at].clone()).collect();
            if chosen.is_empty() || self.merge_in_memory(self.lease_free(chosen)).await.is_err() {
                return;
            }
        }
    }

    pub(super) fn in_memory_parts(&self) -> Vec<Rc<PartEntry>> {
        let list = self.parts.borrow();
        list.small.iter().filter(|entry| entry.class() == PartClass::InMemory).cloned().collect()
    }

    /// In-memory parts that are in no merge.
    fn free_in_memory_parts(&self, filter: impl Fn(&PartEntry) -> bool) -> Vec<Rc<PartEntry>> {
        let mut parts = self.in_memory_parts();
        parts.retain(|entry| entry.lease().is_none() && filter(entry));
        parts
    }

    /// Makes all in-memory parts of this instant durable, whatever their age. Rows that wait in shards are not touched.
    ///
    /// # Errors
    /// When storage fails; the parts stay in memory.
    pub async fn flush_to_disk(self: &Rc<Self>) -> Result<()> {
        let mut wanted: Vec<PartId> = Vec::new();
        let mut merges_in_memory = None;
        loop {
            let seen = self.changed.version();
            // What was merged in memory is in memory still, under another name.
            if merges_in_memory.replace(self.merges_in_memory.get()) != Some(self.merges_in_memory.get()) {
                wanted = self.in_memory_parts().iter().map(|entry| entry.id()).collect();
            }
            let free = self.free_in_memory_parts(|entry| wanted.contains(&entry.id()));
            if !free.is_empty() {
                self.merge_in_job(Lane::Flush, free, MergeReason::Flush).await?;
                continue;
            }
            if !wanted.iter().any(|id| self.parts.borrow().contains(*id)) {
                return Ok(());
            }
            // The rest is in other merges.
            self.context.changed(&self.changed, seen).await;
        }
    }

    /// Merges fifteen parts at a time until all have been written to disk once (engine-behaviour §3).
    pub(super) async fn merge_optimal(
        self: &Rc<Self>,
        parts: Vec<Rc<PartEntry>>,
        reason: MergeReason,
    ) -> Result<Vec<Rc<PartEntry>>> {
        let mut waiting = self.lease_free(parts);
        let has_parts = !waiting.parts.is_empty();
        let mut outputs = Vec::new();
        while !waiting.parts.is_empty() {
            let lease = waiting.take(MAX_PARTS_TO_MERGE, self.options.ids.next_merge());
            let watched = self.tell_when_stuck(lease.merge);
            match beside(self.merge(lease, reason, None), watched).await {
                Ok(output) => outputs.extend(output),
                Err(error) => {
                    if error.kind() != ErrorKind::Aborted {
                        let consequence = "its last rows stay in memory, can be searched, and are tried again";
                        self.context.trouble(&self.place(), &error, consequence);
                    }
                    return Err(error);
                }
            }
        }
        if has_parts {
            self.context.trouble_is_over(&self.place());
        }
        Ok(outputs)
    }

    /// Says that a merge is stuck when it has not moved for half a minute: a storage that never answers fails nothing, and what
    /// waits for it must not become more without end. The merge goes on should the answer come after all. Looks are counted and not
    /// only time, as a clock that jumps ahead proves nothing.
    async fn tell_when_stuck(&self, merge: MergeId) {
        let rows_done = || self.running.borrow().get(&merge).map(|running| running.rows_done);
        let (mut looks, mut seen) = (0, Some(0));
        while looks < LOOKS_AT_STUCK {
            self.context.sleep_until(self.context.now() + LOOK_INTERVAL_MS).await;
            let now_done = rows_done();
            looks = if seen == now_done { looks + 1 } else { 0 };
            seen = now_done;
        }
        let error = Error::new(ErrorKind::Storage, "the storage has not answered for half a minute");
        self.context.trouble(&self.place(), &error, "its last rows wait in memory and can be searched");
    }

    /// As [`Partition::merge_optimal`], in a job of its own: a merge that has begun to commit must not be dropped with the
    /// request that asked for it.
    pub(super) async fn merge_in_job(
        self: &Rc<Self>,
        lane: Lane,
        parts: Vec<Rc<PartEntry>>,
        reason: MergeReason,
    ) -> Result<Vec<Rc<PartEntry>>> {
        let partition = self.clone();
        self.in_job(lane, async move { partition.merge_optimal(parts, reason).await }).await
    }

    /// Runs `work` in a job of its own and waits for its result.
    pub(super) async fn in_job<T: 'static>(
        self: &Rc<Self>,
        lane: Lane,
        work: impl Future<Output = Result<T>> + 'static,
    ) -> Result<T> {
        let result = Rc::new(std::cell::RefCell::new(None));
        let done = crate::runtime::Signal::default();
        let seen = done.version();
        self.context.spawn(lane, {
            let (result, done) = (result.clone(), done.clone());
            async move {
                result.replace(Some(work.await));
                done.raise();
            }
        });
        self.context.changed(&done, seen).await;
        let result = result.take();
        result.unwrap_or_else(|| Err(Error::new(ErrorKind::Aborted, "the job ended without a result")))
    }
}
