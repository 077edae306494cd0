//! Snapshots: hard links to the immutable files of one instant (engine-behaviour §6).

use super::Partition;
use super::parts::PartList;
use crate::error::Result;
use crate::fs::{Change, FilePath};
use std::rc::Rc;

/// What a partition gives to a snapshot.
pub struct PartitionSnapshot {
    /// The links to make.
    pub changes: Vec<Change>,
    /// Keeps the parts' files in place. To be held until the changes are committed.
    pub guard: Rc<PartList>,
    /// Parts that are linked.
    pub parts: u64,
    /// Sum of their files' sizes, the four data files of each.
    pub linked_bytes: u64,
}

impl Partition {
    /// Brings all rows that were added before to disk and lists the links that make up the snapshot `name`.
    ///
    /// # Errors
    /// When rows can't be flushed.
    pub async fn snapshot(&self, name: &str) -> Result<PartitionSnapshot> {
        self.bring_to_disk().await?;
        // From here on nothing waits: the list is of one instant, and whatever merges do later, its files stay.
        let guard = self.parts();
        let mut snapshot = PartitionSnapshot { changes: Vec::new(), guard, parts: 0, linked_bytes: 0 };
        for entry in snapshot.guard.iter() {
            // Rows that came while others were flushed are not part of the snapshot.
            let Some(dir) = entry.part().dir() else { continue };
            let class_dir = dir.parent().parent();
            let to = format!("snapshots/{name}/{}/{}", self.month.label, dir.name());
            snapshot.changes.push(Change::Link { from: dir.clone(), to: class_dir.join(&to) });
            snapshot.parts += 1;
            snapshot.linked_bytes += entry.part().size_bytes();
        }
        Ok(snapshot)
    }
}

/// The directories that hold the data of a snapshot: `data/small/snapshots/<name>` and the same below `big`.
pub fn snapshot_dirs(name: &str) -> [FilePath; 2] {
    ["small", "big"].map(|class| FilePath::root().join(&format!("data/{class}/snapshots/{name}")))
}
