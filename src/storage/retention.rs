//! What is too old goes: whole months at once here, older parts and rows within a partition (engine-behaviour §8).

use super::Storage;
use crate::runtime::Lane;
use crate::time::{MINUTE_MS, TimestampMs, first_tick};
use std::rc::Rc;

impl Storage {
    /// Starts the job that looks for months behind the retention, at full minutes of its life. Minutes in which none can be behind it
    /// are slept through: a manual clock may be moved on by years.
    pub(super) fn start_retention(self: &Rc<Self>) {
        let storage = Rc::downgrade(self);
        let context = self.context.clone();
        self.context.spawn(Lane::Janitor, async move {
            let mut tick = context.now() + MINUTE_MS;
            loop {
                let Some(present) = storage.upgrade() else { return };
                let due = first_tick(tick, MINUTE_MS, present.first_expiry());
                let changed = present.table.changed().clone();
                drop(present);
                let seen = changed.version();
                context.changed_or_until(&changed, seen, due).await;
                // A clock that jumped does not run the checks it has missed.
                tick = first_tick(tick, MINUTE_MS, context.now());
                if context.now() < due {
                    continue;
                }
                tick = context.now() + MINUTE_MS;
                let Some(storage) = storage.upgrade() else { return };
                if context.is_shutting_down() {
                    return;
                }
                storage.drop_expired_partitions().await;
            }
        });
    }

    /// The first instant at which a month will lie behind the retention; the end of time when there is no month.
    fn first_expiry(&self) -> TimestampMs {
        let expiries = self.table.partitions().into_iter().map(|partition| partition.over_at());
        expiries.min().unwrap_or(TimestampMs::MAX)
    }

    /// Drops the months whose last instant lies behind the retention.
    pub async fn drop_expired_partitions(&self) {
        for partition in self.table.partitions() {
            if partition.is_over() {
                self.table.leave(&partition);
                partition.drop_partition().await;
            }
        }
    }
}
