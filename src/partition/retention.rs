//! What is too old goes (engine-behaviour §8).

use super::Partition;
use super::parts::PartEntry;
use crate::error::Result;
use crate::runtime::Lane;
use crate::time::MINUTE_MS;
use crate::trace::event::Event;
use std::rc::Rc;

const RETENTION_INTERVAL_MS: i64 = 7 * MINUTE_MS;

impl Partition {
    /// Every seven minutes.
    pub(super) async fn run_retention_ticker(self: Rc<Self>) {
        while !self.is_stopping.get() {
            let due = self.context.now() + RETENTION_INTERVAL_MS;
            self.context.changed_or_until(&self.stop, self.stop.version(), due).await;
            if !self.is_stopping.get() {
                self.apply_retention();
            }
        }
    }

    /// Retires parts all of whose samples are older than the retention. Their files go when nobody reads them any more;
    /// should the process end before that, the next start finds them and comes here again.
    pub fn apply_retention(&self) {
        let deadline = self.context.now().saturating_sub(self.options.retention_ms);
        let is_over =
            |entry: &&Rc<PartEntry>| entry.lease().is_none() && entry.part().header().max_timestamp < deadline;
        let over: Vec<_> = self.parts.borrow().iter().filter(is_over).cloned().collect();
        if !over.is_empty() {
            self.apply_retired(&over);
        }
    }

    /// Whether the whole month is older than the retention.
    pub fn is_over(&self) -> bool {
        self.name.range().max < self.context.now().saturating_sub(self.options.retention_ms)
    }

    /// Takes the partition out of service: rows that wait are forgotten, parts retired. Its directories are removed when the
    /// last reader has let go, by a job that waits for that. The caller has taken it off its own list before.
    pub async fn drop_partition(self: &Rc<Self>) {
        self.stop_jobs().await;
        drop(self.raw_rows.borrow_mut().take(None));
        let parts: Vec<_> = self.parts.borrow().iter().cloned().collect();
        if !parts.is_empty() {
            self.apply_retired(&parts);
        }
        drop(parts);
        // From now on no merge starts, so nothing is written into the directories any more.
        let Some(anchor) = self.anchor.take() else { return };
        anchor.weigh(vec![self.small_dir.clone(), self.big_dir.clone()]);
        let is_held = Rc::downgrade(&anchor);
        drop(anchor);
        self.context.trouble_is_over(&self.place());
        self.context.emit(|| Event::PartitionDropped { partition: self.label.clone() });
        let partition = self.clone();
        self.context.spawn(Lane::Janitor, async move {
            loop {
                let seen = partition.graveyard.arrived.version();
                if let Err(error) = partition.bury().await {
                    partition.degraded(&error, "files of a dropped month stay until the next try");
                    partition.departs(Some(Err(error)));
                    partition.context.sleep_until(partition.context.now() + MINUTE_MS).await;
                    continue;
                }
                if is_held.strong_count() == 0 && partition.graveyard.is_empty() {
                    partition.departs(Some(Ok(())));
                    return;
                }
                partition.departs(None);
                partition.context.changed(&partition.graveyard.arrived, seen).await;
            }
        });
    }

    fn departs(&self, state: Option<Result<()>>) {
        self.departure.replace(state);
        self.buried.raise();
    }

    /// Whether it was dropped and its directories are gone.
    pub fn is_gone(&self) -> bool {
        matches!(*self.departure.borrow(), Some(Ok(())))
    }

    /// Waits until the directories of a partition that was dropped are gone.
    ///
    /// # Errors
    /// What the storage says when it does not remove them.
    pub async fn wait_until_gone(&self) -> Result<()> {
        loop {
            let seen = self.buried.version();
            if let Some(state) = &*self.departure.borrow() {
                return state.clone().map_err(|error| error.at(self.place()));
            }
            self.context.changed(&self.buried, seen).await;
        }
    }
}
