//! Opening a partition: what a process that ended at any moment has left behind is set right (data-dir-layout §1.1, §7).

use super::flush::Conversions;
use super::parts::{Anchor, Graveyard, PartList};
use super::raw_rows::RawRows;
use super::{Partition, PartitionOptions};
use crate::collections::sorted_map::SortedMap;
use crate::error::Result;
use crate::fs::{Entry, EntryKind, FilePath};
use crate::part::{Part, PartHeader};
use crate::runtime::{Context, Signal, join_all};
use crate::time::PartitionName;
use crate::trace::event::PartClass;
use crate::transaction::{Home, is_service_dir};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

impl Partition {
    /// Opens the month, or begins it when nothing of it is stored. No job runs before [`Partition::start_jobs`].
    ///
    /// # Errors
    /// `Corrupt` when a directory is no readable part or a transaction file makes no sense: nothing is touched then that
    /// was not said to be removed before.
    pub async fn open(context: &Context, options: Rc<PartitionOptions>, name: PartitionName) -> Result<Rc<Self>> {
        let label = name.to_string();
        let dirs = dirs_of(name);
        Home { dirs: &dirs, may_lose_all: true }.recover(context).await?;
        let [small_dir, big_dir] = dirs;
        let graveyard = Rc::new(Graveyard::default());
        let partition = Rc::new(Self {
            raw_rows: RefCell::new(RawRows::new(options.shards, options.max_rows_per_shard)),
            rows_arrived: Signal::default(),
            conversions: RefCell::new(Conversions::default()),
            parts: RefCell::new(Rc::new(PartList::default())),
            anchor: RefCell::new(Some(Anchor::new(graveyard.clone()))),
            graveyard,
            burials: Cell::new(0),
            buried: Signal::default(),
            departure: RefCell::default(),
            next_suffix: Cell::new(options.start_nanos),
            running: RefCell::new(SortedMap::new()),
            merged: Cell::default(),
            looks: Cell::default(),
            is_forced: Cell::new(false),
            put_off: RefCell::default(),
            merges_in_memory: Cell::new(0),
            is_stopping: Cell::new(false),
            has_jobs: Cell::new(false),
            stop: Signal::default(),
            changed: Signal::default(),
            opened_at: context.now(),
            context: context.clone(),
            options,
            name,
            label,
            small_dir,
            big_dir,
        });
        let mut parts = Vec::new();
        partition.open_parts(PartClass::Small, &partition.small_dir, &mut parts).await?;
        partition.open_parts(PartClass::Big, &partition.big_dir, &mut parts).await?;
        // All at once, so that their numbers are in the order in which observers are told of them.
        for (class, part) in parts {
            partition.apply_found(class, part);
        }
        Ok(partition)
    }

    async fn open_parts(&self, class: PartClass, dir: &FilePath, parts: &mut Vec<(PartClass, Part)>) -> Result<()> {
        // Plain files are none of our business, and a directory without files is as good as none.
        let mut entries = self.context.list(dir).await?;
        entries.retain(|entry| entry.kind == EntryKind::Directory && !is_service_dir(&entry.name));
        let open = |entry: &Entry| {
            let dir = dir.join(&entry.name);
            async move { Part::open(&self.context, &dir).await }
        };
        for (entry, part) in entries.iter().zip(join_all(entries.iter().map(open)).await) {
            let Some(part) = part? else { continue };
            if let Ok((_, Some(suffix))) = PartHeader::parse_dir_name(&entry.name) {
                self.next_suffix.set(self.next_suffix.get().max(suffix.saturating_add(1)));
            }
            parts.push((class, part));
        }
        Ok(())
    }
}

/// `data/small/YYYY_MM` and `data/big/YYYY_MM`.
pub(super) fn dirs_of(name: PartitionName) -> [FilePath; 2] {
    ["small", "big"].map(|class| FilePath::root().join(&format!("data/{class}/{name}")))
}
