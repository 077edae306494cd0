//! In-memory parts to disk (engine-behaviour §3).

use super::live_parts::LiveParts;
use super::merge::Merges;
use super::month::Month;
use super::options::MIN_PARTS_TO_MERGE_FINALLY;
use super::parts::{PartEntry, bytes_of};
use crate::error::{Error, ErrorKind, Result};
use crate::merge::Leasable;
use crate::merge::policy::{self, MAX_PARTS_TO_MERGE};
use crate::runtime::{Lane, beside};
use crate::time::{SECOND_MS, TimestampMs, back_off_ms};
use crate::trace::event::{MergeId, MergeReason, PartId};
use std::cell::Cell;
use std::rc::Rc;

const INTERVAL_MS: i64 = 5 * SECOND_MS;
/// An in-memory part of this age goes to disk.
const DISK_AGE_S: i64 = 5;
/// With a log, in-memory parts go to disk when the oldest is so old, or when they or the log are so large; and at once when
/// rows are not logged.
const LOGGED_DISK_AGE_S: i64 = 30;
const MAX_LOGGED_PART_BYTES: u64 = 8 << 20;
const MAX_LOG_BYTES: u64 = 4 << 20;
/// So many of them become one part.
const MAX_LOGGED_PARTS_TO_MERGE: usize = 64;
/// A merge that has not moved at so many looks in a row, with so much time before each, is stuck.
const LOOKS_AT_STUCK: u32 = 3;
const LOOK_INTERVAL_MS: i64 = 10 * SECOND_MS;
/// With so many in-memory parts that the storage does not take, they are merged where they are.
const MAX_REFUSED_PARTS: usize = 2 * MAX_PARTS_TO_MERGE;

/// Brings in-memory parts to disk.
pub(super) struct DiskFlusher {
    merges: Rc<Merges>,
    /// Merges whose output stayed in memory.
    merges_in_memory: Cell<u64>,
}

impl DiskFlusher {
    pub(super) fn new(merges: Rc<Merges>) -> Rc<Self> {
        Rc::new(Self { merges, merges_in_memory: Cell::new(0) })
    }

    fn month(&self) -> &Month {
        &self.merges.month
    }

    fn parts(&self) -> &LiveParts {
        &self.merges.parts
    }

    /// When in-memory parts of the right age go to disk next.
    pub(super) fn next_flush(&self) -> TimestampMs {
        self.month().next_tick(self.interval_ms())
    }

    fn interval_ms(&self) -> i64 {
        self.month().options.log_interval_ms().unwrap_or(INTERVAL_MS)
    }

    /// Those that are to go to disk now, of the in-memory parts that are in no merge.
    fn due(&self) -> Vec<Rc<PartEntry>> {
        let now_s = self.month().context.now().div_euclid(SECOND_MS);
        // One from the future was made before the clock was set back.
        let is_older =
            |entry: &PartEntry, age_s: i64| !(0..age_s).contains(&(now_s - entry.created().div_euclid(SECOND_MS)));
        let Some(log) = self.month().options.log.as_ref().filter(|log| log.interval_ms().is_some()) else {
            return self.parts().free_in_memory(|entry| is_older(entry, DISK_AGE_S));
        };
        let free = self.parts().free_in_memory(|_| true);
        let is_due = free.iter().any(|entry| entry.is_at_stake() || is_older(entry, LOGGED_DISK_AGE_S))
            || log.live_bytes() >= MAX_LOG_BYTES
            || bytes_of(&free) >= MAX_LOGGED_PART_BYTES;
        if is_due { free } else { Vec::new() }
    }

    /// Every five seconds, while there are in-memory parts; ever more rarely while the storage does not take them, and at once
    /// when it has more room or has taken what somebody else wrote here.
    pub(super) async fn run_ticker(self: Rc<Self>) {
        let mut failures = 0;
        let grown = self.month().context.room().grown().clone();
        let recovered = self.month().context.health().recovered().clone();
        while !self.month().is_stopping() {
            let seen = self.parts().changed().version();
            if self.parts().free_in_memory(|_| true).is_empty() {
                if self.parts().in_memory().is_empty() {
                    // A merge in the background may have taken the last ones.
                    failures = 0;
                    self.month().context.trouble_is_over(&self.month().place());
                }
                self.month().context.changed(self.parts().changed(), seen).await;
                continue;
            }
            let now = self.month().context.now();
            let stop = self.month().stopped();
            if failures == 0 {
                self.month().context.first_of(&[stop], self.next_flush()).await;
            } else {
                let seen = [stop, (&grown, grown.version()), (&recovered, recovered.version())];
                self.month().context.first_of(&seen, now + back_off_ms(INTERVAL_MS, failures)).await;
            }
            if self.month().is_stopping() {
                return;
            }
            if failures > 0 && !self.month().context.health().is_in_trouble(&self.month().place()) {
                // What has come since goes when it would have gone without all this.
                failures = 0;
                continue;
            }
            match self.store(self.due()).await {
                Ok(()) => failures = 0,
                // The parts stay and are tried again.
                Err(_) => {
                    failures += 1;
                    self.merge_refused_parts().await;
                }
            }
        }
    }

    /// Merges parts that stay in memory.
    async fn merge_in_memory(&self, parts: Vec<Rc<PartEntry>>) -> Result<()> {
        self.merges.run_in_memory(self.parts().lease(parts)).await?;
        self.merges_in_memory.set(self.merges_in_memory.get() + 1);
        Ok(())
    }

    /// As long as the storage takes no part, they must not become too many to be searched quickly.
    async fn merge_refused_parts(&self) {
        loop {
            let free = self.parts().free_in_memory(|entry| !entry.standing().is_suspect());
            if free.len() <= MAX_REFUSED_PARTS || self.month().is_stopping() {
                return;
            }
            let sizes: Vec<_> = free.iter().map(|entry| entry.size()).collect();
            let choice = policy::select(&sizes, u64::MAX, Some(MIN_PARTS_TO_MERGE_FINALLY));
            let chosen: Vec<_> = choice.parts.iter().map(|&at| free[at].clone()).collect();
            if chosen.is_empty() || self.merge_in_memory(chosen).await.is_err() {
                return;
            }
        }
    }

    /// Makes all in-memory parts of this instant durable, whatever their age. Rows that wait in shards are not touched.
    ///
    /// # Errors
    /// When storage fails; the parts stay in memory.
    pub(super) async fn flush(self: &Rc<Self>) -> Result<()> {
        let mut wanted: Vec<PartId> = Vec::new();
        let mut merges_in_memory = None;
        loop {
            let seen = self.parts().changed().version();
            // What was merged in memory is in memory still, under another name.
            if merges_in_memory.replace(self.merges_in_memory.get()) != Some(self.merges_in_memory.get()) {
                wanted = self.parts().in_memory().iter().map(|entry| entry.id()).collect();
            }
            let free = self.parts().free_in_memory(|entry| wanted.contains(&entry.id()));
            if !free.is_empty() {
                let flusher = self.clone();
                self.month().in_job(Lane::Flush, async move { flusher.store(free).await }).await?;
                continue;
            }
            if !wanted.iter().any(|id| self.parts().contains(*id)) {
                return Ok(());
            }
            // The rest is in other merges.
            self.month().context.changed(self.parts().changed(), seen).await;
        }
    }

    /// Merges fifteen parts at a time, with a log more, until all have been written to disk once (engine-behaviour §3).
    async fn store(&self, parts: Vec<Rc<PartEntry>>) -> Result<()> {
        let has_log = self.month().options.log_interval_ms().is_some();
        let most = if has_log { MAX_LOGGED_PARTS_TO_MERGE } else { MAX_PARTS_TO_MERGE };
        let mut waiting = self.parts().lease(parts);
        let has_parts = !waiting.parts().is_empty();
        while !waiting.parts().is_empty() {
            let lease = waiting.split_off_first(most, self.month().options.ids.next_merge());
            let watched = self.tell_when_stuck(lease.merge());
            if let Err(error) = beside(self.merges.run(lease, MergeReason::Flush, None), watched).await {
                if error.kind() != ErrorKind::Aborted {
                    let consequence = "its last rows stay in memory, can be searched, and are tried again";
                    self.month().context.trouble(&self.month().place(), &error, consequence);
                }
                return Err(error);
            }
        }
        if has_parts {
            self.month().context.trouble_is_over(&self.month().place());
        }
        Ok(())
    }

    /// Says that a merge is stuck when it has not moved for half a minute: a storage that never answers fails nothing, and what
    /// waits for it must not become more without end. The merge goes on should the answer come after all. Looks are counted and not
    /// only time, as a clock that jumps ahead proves nothing.
    async fn tell_when_stuck(&self, merge: MergeId) {
        let (mut looks, mut seen) = (0, Some(0));
        while looks < LOOKS_AT_STUCK {
            self.month().context.sleep_until(self.month().context.now() + LOOK_INTERVAL_MS).await;
            let now_done = self.merges.rows_done(merge);
            looks = if seen == now_done { looks + 1 } else { 0 };
            seen = now_done;
        }
        let error = Error::new(ErrorKind::Storage, "the storage has not answered for half a minute");
        self.month().context.trouble(&self.month().place(), &error, "its last rows wait in memory and can be searched");
    }
}
