//! Final de-duplication of past months (engine-behaviour §7).

use super::Storage;
use crate::runtime::Lane;
use crate::time::{HOUR_MS, PartitionName};
use std::rc::Rc;

impl Storage {
    /// Starts the job that looks once an hour for past months that were merged with a smaller interval than is wanted now.
    pub(super) fn start_final_deduplication(self: &Rc<Self>) {
        if self.options.dedup_interval_ms <= 0 {
            return;
        }
        let storage = Rc::downgrade(self);
        let context = self.context.clone();
        self.context.spawn(Lane::Janitor, async move {
            loop {
                let Some(present) = storage.upgrade() else { return };
                let changed = present.table.changed().clone();
                let is_empty = present.table.partitions().is_empty();
                drop(present);
                if is_empty {
                    let seen = changed.version();
                    context.changed(&changed, seen).await;
                }
                context.sleep_until(context.now() + HOUR_MS).await;
                let Some(storage) = storage.upgrade() else { return };
                if context.is_shutting_down() {
                    return;
                }
                storage.deduplicate_past_months().await;
            }
        });
    }

    /// Merges the past months that need it, one after the other; the current month is left to ordinary merges.
    pub async fn deduplicate_past_months(&self) {
        let current = PartitionName::of(self.context.now());
        for partition in self.table.partitions() {
            if partition.name() >= current || !partition.needs_final_deduplication() {
                continue;
            }
            if let Err(error) = partition.deduplicate_finally().await {
                self.report(&error.at(format!("final de-duplication of {}", partition.name())));
            }
        }
    }
}
