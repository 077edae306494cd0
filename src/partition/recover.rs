//! Opening a partition: what a process that ended at any moment has left behind is set right (data-dir-layout §1.1, §7).

use super::month::dirs_of;
use super::parts::Logged;
use super::{Partition, PartitionOptions};
use crate::error::Result;
use crate::fs::{Entry, EntryKind, FilePath};
use crate::merge::transaction::{Home, is_service_dir};
use crate::part::{Part, PartHeader};
use crate::runtime::{Context, join_all};
use crate::time::PartitionName;
use crate::trace::event::PartClass;
use std::rc::Rc;

impl Partition {
    /// Opens the month, or begins it when nothing of it is stored. No job runs before [`Partition::start_jobs`].
    ///
    /// # Errors
    /// `Corrupt` when a directory is no readable part or a transaction file makes no sense: nothing is touched then that
    /// was not said to be removed before.
    pub async fn open(context: &Context, options: Rc<PartitionOptions>, name: PartitionName) -> Result<Rc<Self>> {
        Home { dirs: &dirs_of(name), may_lose_all: true }.recover(context).await?;
        let partition = Self::new(context, options, name);
        let mut parts = Vec::new();
        partition.open_parts(PartClass::Small, &partition.month.small_dir, &mut parts).await?;
        partition.open_parts(PartClass::Big, &partition.month.big_dir, &mut parts).await?;
        // All at once, so that their numbers are in the order in which observers are told of them.
        for (class, part) in parts {
            partition.parts.add(class, part, Logged::default());
        }
        Ok(partition)
    }

    async fn open_parts(&self, class: PartClass, dir: &FilePath, parts: &mut Vec<(PartClass, Part)>) -> Result<()> {
        // Plain files are none of our business, and a directory without files is as good as none.
        let mut entries = self.month.context.list(dir).await?;
        entries.retain(|entry| entry.kind == EntryKind::Directory && !is_service_dir(&entry.name));
        let open = |entry: &Entry| {
            let dir = dir.join(&entry.name);
            async move { Part::open(&self.month.context, &dir).await }
        };
        for (entry, part) in entries.iter().zip(join_all(entries.iter().map(open)).await) {
            let part = match part {
                Err(error) => {
                    self.month.context.leave_out(&dir.join(&entry.name), error)?;
                    continue;
                }
                Ok(part) => part,
            };
            let Some(part) = part else { continue };
            if let Ok((_, Some(suffix))) = PartHeader::parse_dir_name(&entry.name) {
                self.merges.start_behind(suffix);
            }
            parts.push((class, part));
        }
        Ok(())
    }
}
