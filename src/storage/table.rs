//! The table: one partition for each month that has samples.

use crate::collections::sorted_map::SortedMap;
use crate::error::Result;
use crate::partition::{Partition, PartitionOptions};
use crate::runtime::{Context, Signal};
use crate::time::{PartitionName, TimeRange, TimestampMs};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The partitions by month.
pub struct Table {
    context: Context,
    partition_options: Rc<PartitionOptions>,
    has_jobs: bool,
    /// Whether they run.
    has_begun: Cell<bool>,
    partitions: RefCell<SortedMap<PartitionName, Rc<Partition>>>,
    /// Months that were dropped and whose files may still be there.
    leaving: RefCell<SortedMap<PartitionName, Rc<Partition>>>,
    /// The partition of the last sample: most samples go where the one before went.
    last_used: RefCell<Option<(TimeRange, Rc<Partition>)>>,
    /// Raised when a partition was opened.
    changed: Signal,
}

impl Table {
    pub(super) fn new(context: Context, partition_options: Rc<PartitionOptions>, has_jobs: bool) -> Self {
        Self {
            context,
            partition_options,
            has_jobs,
            has_begun: Cell::new(false),
            partitions: RefCell::default(),
            leaving: RefCell::default(),
            last_used: RefCell::default(),
            changed: Signal::default(),
        }
    }

    /// The partitions of this instant, oldest month first. Holding one keeps its files.
    pub fn partitions(&self) -> Vec<Rc<Partition>> {
        self.partitions.borrow().values().cloned().collect()
    }

    /// Whether a partition is still on the table.
    pub(super) fn has(&self, partition: &Rc<Partition>) -> bool {
        self.partitions.borrow().values().any(|present| Rc::ptr_eq(present, partition))
    }

    /// The partitions that share an instant with `range`, oldest first.
    pub fn partitions_in(&self, range: TimeRange) -> Vec<Rc<Partition>> {
        let overlapping = |partition: &&Rc<Partition>| partition.name().range().overlaps(&range);
        self.partitions.borrow().values().filter(overlapping).cloned().collect()
    }

    /// The partition that holds `timestamp`, with its month's range, if it is open.
    pub(super) fn partition_of(&self, timestamp: TimestampMs) -> Option<(TimeRange, Rc<Partition>)> {
        if let Some((range, partition)) = &*self.last_used.borrow()
            && range.contains(timestamp)
        {
            return Some((*range, partition.clone()));
        }
        let name = PartitionName::of(timestamp);
        let found = (name.range(), self.partitions.borrow().get(&name)?.clone());
        self.last_used.replace(Some(found.clone()));
        Some(found)
    }

    /// Opens the partition of a month, which is created when it does not exist, tells whoever watches and starts its jobs. A
    /// reader has no jobs, and tells when its storage takes its place. The month must not be [leaving](Table::is_leaving).
    pub(super) async fn open_partition(&self, name: PartitionName) -> Result<Rc<Partition>> {
        if let Some(partition) = self.partitions.borrow().get(&name) {
            return Ok(partition.clone());
        }
        let partition = Partition::open(&self.context, self.partition_options.clone(), name).await?;
        self.partitions.borrow_mut().insert(name, partition.clone());
        self.changed.raise();
        if self.has_jobs {
            Partition::announce(std::slice::from_ref(&partition));
            if self.has_begun.get() {
                partition.start_jobs();
            }
        }
        Ok(partition)
    }

    /// Starts the jobs of all partitions, those that are opened later included. Before that nothing is merged, brought to disk or removed: a
    /// database that can't be opened stays as it is.
    pub(super) fn start_jobs(&self) {
        self.has_begun.set(self.has_jobs);
        if self.has_jobs {
            self.partitions.borrow().values().for_each(|partition| partition.start_jobs());
        }
    }

    /// Raised when a partition was opened.
    pub(super) fn changed(&self) -> &Signal {
        &self.changed
    }

    /// Takes a partition that will be dropped off the table. Whoever holds it may finish.
    pub(super) fn leave(&self, partition: &Rc<Partition>) {
        self.last_used.replace(None);
        self.partitions.borrow_mut().remove(&partition.name());
        let mut leaving = self.leaving.borrow_mut();
        leaving.retain(|_, partition| !partition.is_gone());
        leaving.insert(partition.name(), partition.clone());
    }

    /// Whether the month was dropped and its files may still be there. A clock that is set back can bring it to life again, but
    /// not before they are gone: its new parts would be removed with the old ones.
    pub(super) fn is_leaving(&self, name: PartitionName) -> bool {
        self.leaving.borrow().get(&name).is_some_and(|partition| !partition.is_gone())
    }

    /// Waits until the files of a month that was dropped are gone.
    ///
    /// # Errors
    /// What the storage says when it does not remove them, which is tried again all the same.
    pub(super) async fn wait_until_left(&self, name: PartitionName) -> Result<()> {
        let leaving = self.leaving.borrow().get(&name).cloned();
        match leaving {
            Some(partition) => partition.wait_until_gone().await,
            None => Ok(()),
        }
    }

    /// Rows that a shard holds at most.
    pub fn max_rows_per_shard(&self) -> u64 {
        self.partition_options.max_rows_per_shard as u64
    }

    /// Rows that were taken out of full shards and are not in parts yet, over all partitions.
    pub fn pending_conversion_rows(&self) -> u64 {
        self.partitions.borrow().values().map(|partition| partition.pending_conversion_rows()).sum()
    }
}
