//! The table: one partition for each month that has samples.

use crate::collections::sorted_map::SortedMap;
use crate::error::Result;
use crate::partition::{Partition, PartitionOptions};
use crate::runtime::Context;
use crate::time::{PartitionName, TimeRange, TimestampMs};
use std::cell::RefCell;
use std::rc::Rc;

/// The partitions by month.
pub struct Table {
    context: Context,
    partition_options: Rc<PartitionOptions>,
    has_jobs: bool,
    partitions: RefCell<SortedMap<PartitionName, Rc<Partition>>>,
    /// The partition of the last sample: most samples go where the one before went.
    last_used: RefCell<Option<(TimeRange, Rc<Partition>)>>,
}

impl Table {
    pub(super) fn new(context: Context, partition_options: Rc<PartitionOptions>, has_jobs: bool) -> Self {
        Self { context, partition_options, has_jobs, partitions: RefCell::default(), last_used: RefCell::default() }
    }

    /// The partitions of this instant, oldest month first. Holding one keeps its files.
    pub fn partitions(&self) -> Vec<Rc<Partition>> {
        self.partitions.borrow().values().cloned().collect()
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
    /// reader has no jobs, and tells when its storage takes its place.
    pub(super) async fn open_partition(&self, name: PartitionName) -> Result<Rc<Partition>> {
        if let Some(partition) = self.partitions.borrow().get(&name) {
            return Ok(partition.clone());
        }
        let partition = Partition::open(&self.context, self.partition_options.clone(), name).await?;
        self.partitions.borrow_mut().insert(name, partition.clone());
        if self.has_jobs {
            Partition::announce(std::slice::from_ref(&partition));
            partition.start_jobs();
        }
        Ok(partition)
    }

    /// Takes a partition off the table. Whoever holds it may finish.
    pub(super) fn remove(&self, name: PartitionName) -> Option<Rc<Partition>> {
        self.last_used.replace(None);
        self.partitions.borrow_mut().remove(&name)
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
