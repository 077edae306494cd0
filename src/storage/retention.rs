//! What is too old goes: whole months at once here, older parts and rows within a partition (engine-behaviour §8).

use super::Storage;
use crate::runtime::Lane;
use crate::time::MINUTE_MS;
use std::rc::Rc;

impl Storage {
    /// Starts the job that looks for months behind the retention, once a minute.
    pub(super) fn start_retention(self: &Rc<Self>) {
        let storage = Rc::downgrade(self);
        let context = self.context.clone();
        self.context.spawn(Lane::Janitor, async move {
            loop {
                // A clock that jumped does not run the checks it has missed.
                context.sleep_until(context.now() + MINUTE_MS).await;
                let Some(storage) = storage.upgrade() else { return };
                if context.is_shutting_down() {
                    return;
                }
                storage.drop_expired_partitions().await;
            }
        });
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
