//! What is too old goes (engine-behaviour §8).

use super::Partition;
use super::live_parts::LiveParts;
use super::month::Month;
use super::parts::PartEntry;
use crate::error::Result;
use crate::merge::Leasable;
use crate::runtime::Lane;
use crate::time::{MINUTE_MS, TimestampMs, first_tick};
use crate::trace::event::Event;
use std::rc::Rc;

const RETENTION_INTERVAL_MS: i64 = 7 * MINUTE_MS;

/// Retires parts that are too old at every seventh minute, until stopped. Ticks at which no part can be too old are slept through.
pub(super) async fn run_ticker(month: Rc<Month>, parts: Rc<LiveParts>) {
    let mut tick = month.context.now() + RETENTION_INTERVAL_MS;
    while !month.is_stopping() {
        let changed = (parts.changed(), parts.changed().version());
        let oldest = parts.list().iter().map(|entry| entry.part().header().max_timestamp).min();
        let expiry = oldest.map_or(TimestampMs::MAX, |oldest| month.expiry(oldest));
        let due = first_tick(tick, RETENTION_INTERVAL_MS, expiry);
        month.context.first_of(&[month.stopped(), changed], due).await;
        if month.is_stopping() {
            return;
        }
        if month.context.now() < due {
            tick = first_tick(tick, RETENTION_INTERVAL_MS, month.context.now());
            continue;
        }
        retire_expired(&month, &parts);
        tick = month.context.now() + RETENTION_INTERVAL_MS;
    }
}

/// Retires parts all of whose samples are older than the retention. Their files go when nobody reads them any more;
/// should the process end before that, the next start finds them and comes here again.
fn retire_expired(month: &Month, parts: &LiveParts) {
    let deadline = month.retention_deadline();
    let is_expired =
        |entry: &&Rc<PartEntry>| entry.standing().is_free() && entry.part().header().max_timestamp < deadline;
    let expired: Vec<_> = parts.list().iter().filter(is_expired).cloned().collect();
    parts.retire(&expired);
}

impl Partition {
    /// Whether the whole month is older than the retention.
    pub fn is_over(&self) -> bool {
        self.month.name.range().max < self.month.retention_deadline()
    }

    /// The first instant at which [`Partition::is_over`].
    pub fn over_at(&self) -> TimestampMs {
        self.month.expiry(self.month.name.range().max)
    }

    /// Takes the partition out of service: rows that wait are forgotten, parts retired. Its directories are removed when the
    /// last reader has let go, by a job that waits for that. The caller has taken it off its own list before.
    pub async fn drop_partition(&self) {
        self.stop_jobs();
        self.row_flusher.forget_rows().await;
        // Last, so that none begins before the parts are retired.
        self.merges.wait_until_none().await;
        let parts: Vec<_> = self.parts().iter().cloned().collect();
        self.parts.retire(&parts);
        drop(parts);
        let Some(removal) = self.remover.leave_directories() else { return };
        let context = &self.month.context;
        context.trouble_is_over(&self.month.place());
        context.emit(|| Event::PartitionDropped { partition: self.month.label.clone() });
        context.spawn(Lane::Janitor, removal);
    }

    /// Whether it was dropped and its directories are gone.
    pub fn is_gone(&self) -> bool {
        self.remover.is_gone()
    }

    /// Waits until the directories of a partition that was dropped are gone.
    ///
    /// # Errors
    /// What the storage says when it does not remove them.
    pub async fn wait_until_gone(&self) -> Result<()> {
        self.remover.wait_until_gone().await
    }
}
