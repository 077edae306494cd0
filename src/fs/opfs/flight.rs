//! What an operation that waits for a handle has done so far.

use crate::fs::directory::{CommitPlan, InodeId};
use crate::fs::journal::Location;

/// How far an operation has come.
pub(super) enum Flight {
    Append {
        inode: InodeId,
        created: bool,
    },
    Commit {
        plan: CommitPlan,
        content: NewContent,
        /// How many commits there were before. One more makes another plan necessary.
        commits_before: u64,
    },
}

/// What a commit has to store before it is one.
pub(super) struct NewContent {
    /// Files that are written together, in the stored file `together`.
    pub(super) small: Vec<InodeId>,
    pub(super) together: Option<u64>,
    /// What lies in `together`, when that is no file: the journal holds it.
    pub(super) held: Option<Vec<u8>>,
    /// Files that have begun to be stored.
    pub(super) large: Vec<InodeId>,
    /// Stored files that are not written and flushed yet.
    pub(super) unwritten: Vec<u64>,
}

impl NewContent {
    /// Where the new files lie once they are stored, with their lengths.
    pub(super) fn locations(&self, plan: &CommitPlan) -> Vec<(InodeId, u64, Location)> {
        let size_of = |id: &InodeId| plan.inodes.get(id).copied().flatten().map_or(0, |inode| inode.size_bytes);
        let mut offset = 0;
        let small = self.small.iter().map(|id| {
            let location = Location { stored: self.together.unwrap_or(*id), offset };
            offset += size_of(id);
            (*id, size_of(id), location)
        });
        let mut locations: Vec<_> = small.collect();
        locations.extend(self.large.iter().map(|id| (*id, size_of(id), Location { stored: *id, offset: 0 })));
        locations
    }
}
