//! Which paths there are, which file each of them names, and what a commit makes of them. No content, no input or output.
//!
//! A file is an *inode* with a size and a number of names. Directories are implied by paths.

use super::{Change, Entry, EntryKind, FilePath, FileSystemStats};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;

/// Names the content of a file, whatever its paths. Never reused.
pub(super) type InodeId = u64;

/// What is known of a file beside its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode {
    pub size_bytes: u64,
    /// Paths that name this file.
    pub links: u64,
    /// Takes no more appends: it went through a commit.
    pub published: bool,
}

/// The paths and files of one database.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    paths: SortedMap<FilePath, InodeId>,
    inodes: SortedMap<InodeId, Inode>,
    next_inode: InodeId,
    stored_bytes: u64,
}

/// The outcome of a commit that can be carried out: what each path and each file becomes.
#[derive(Debug, Default)]
pub(super) struct CommitPlan {
    /// The inode each changed path names from now on; `None` for a path that is gone.
    pub paths: SortedMap<FilePath, Option<InodeId>>,
    /// What each changed inode is from now on; `None` when its last name is gone.
    pub inodes: SortedMap<InodeId, Option<Inode>>,
    /// The content of the files that `Put` wrote.
    pub contents: SortedMap<InodeId, Bytes>,
    /// Some of these do not go again within seconds.
    pub has_lasting_contents: bool,
    /// Bytes handed over by `Put`.
    pub written_bytes: u64,
}

impl CommitPlan {
    /// Whether nothing is added, neither a file nor a name.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only IndexedDB makes a difference"))]
    pub fn only_removes(&self) -> bool {
        self.paths.values().all(Option::is_none)
    }
}

impl Directory {
    /// A directory as it was stored.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a browser's storages keep directories"))]
    pub fn restore(paths: SortedMap<FilePath, InodeId>, sizes: &SortedMap<InodeId, u64>) -> Result<Self> {
        let mut inodes = SortedMap::<InodeId, Inode>::new();
        let mut stored_bytes = 0;
        for (path, id) in &paths {
            let size_bytes = *sizes
                .get(id)
                .ok_or_else(|| Error::corrupt(format!("{path}: names file {id}, of which no size is stored")))?;
            let inode = inodes.get_or_insert_with(*id, || {
                stored_bytes += size_bytes;
                Inode { size_bytes, links: 0, published: true }
            });
            inode.links += 1;
        }
        let next_inode = inodes.keys().next_back().map_or(0, |last| last + 1);
        Ok(Self { paths, inodes, next_inode, stored_bytes })
    }

    /// The entries directly in `dir`, sorted by name.
    pub fn list(&self, dir: &FilePath) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut from = below(dir);
        // One step an entry: behind a directory, the search goes on behind all that lies in it.
        while let Some((path, id)) = self.paths.starting_at(from.as_str()).next() {
            let Some(rest) = path.below(dir) else { break };
            match rest.split_once('/') {
                None => {
                    let size_bytes = self.inodes.get(id).map_or(0, |inode| inode.size_bytes);
                    entries.push(Entry { name: rest.into(), kind: EntryKind::File { size_bytes } });
                    from = format!("{path}\0");
                }
                Some((name, _)) => {
                    entries.push(Entry { name: name.into(), kind: EntryKind::Directory });
                    // '0' is the character after '/'.
                    from = format!("{}0", dir.join(name).as_str());
                }
            }
        }
        // "b.c" comes before "b/c" among paths, but after "b" among names.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The file that a path names.
    pub fn find(&self, file: &FilePath) -> Result<(InodeId, Inode)> {
        let found = self.paths.get(file).and_then(|id| Some((*id, *self.inodes.get(id)?)));
        found.ok_or_else(|| not_found(file))
    }

    /// What is known of a file.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only browser storages keep directories"))]
    pub fn inode(&self, id: InodeId) -> Option<Inode> {
        self.inodes.get(&id).copied()
    }

    /// Gives new files numbers from `next` on.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only browser storages keep directories"))]
    pub fn reserve_inodes(&mut self, next: InodeId) {
        self.next_inode = self.next_inode.max(next);
    }

    /// The greatest number that was given out, whatever has become of it.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only OPFS writes the whole directory down"))]
    pub fn last_inode(&self) -> Option<InodeId> {
        self.next_inode.checked_sub(1)
    }

    /// Makes an unpublished file longer, and the file itself when it is not there.
    pub fn append(&mut self, file: &FilePath, len: u64) -> Result<InodeId> {
        if !file.parent().as_str().split('/').any(|component| component == "tmp") {
            return Err(Error::invalid(format!("{file}: files grow only below a directory named tmp")));
        }
        let id = match self.paths.get(file) {
            Some(id) => *id,
            None => {
                let exists = |path: &FilePath| self.paths.contains_key(path);
                self.check_free(file, exists, !self.is_directory(file))?;
                let id = self.new_number();
                self.paths.insert(file.clone(), id);
                self.inodes.insert(id, Inode { size_bytes: 0, links: 1, published: false });
                id
            }
        };
        let inode = self.inodes.get_mut(&id).ok_or_else(|| not_found(file))?;
        if inode.published {
            return Err(Error::invalid(format!("{file}: a published file never changes")));
        }
        inode.size_bytes += len;
        self.stored_bytes += len;
        Ok(id)
    }

    /// Undoes the last append to a file, which could not be stored.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "appends to memory don't fail halfway"))]
    pub fn take_back_append(&mut self, file: &FilePath, id: InodeId, len: u64, created: bool) {
        self.stored_bytes -= len;
        if created {
            self.paths.remove(file);
            self.inodes.remove(&id);
        } else if let Some(inode) = self.inodes.get_mut(&id) {
            inode.size_bytes -= len;
        }
    }

    /// Checks all changes in order and says what comes of them. Only the count of inodes moves.
    pub fn plan(&mut self, changes: &[Change]) -> Result<CommitPlan> {
        let mut plan = CommitPlan::default();
        for change in changes {
            match change {
                Change::Publish { from, to } => self.plan_publish(&mut plan, from, to)?,
                Change::Link { from, to } => self.plan_link(&mut plan, from, to)?,
                Change::Put { file, bytes } | Change::PutBriefly { file, bytes } => {
                    plan.has_lasting_contents |= matches!(change, Change::Put { .. });
                    if let Some(id) = self.planned(&plan, file) {
                        self.unlink(&mut plan, file, id);
                    }
                    self.check_target(&plan, file)?;
                    let id = self.new_number();
                    let size_bytes = bytes.len() as u64;
                    plan.paths.insert(file.clone(), Some(id));
                    plan.inodes.insert(id, Some(Inode { size_bytes, links: 1, published: true }));
                    plan.contents.insert(id, bytes.clone());
                    plan.written_bytes += size_bytes;
                }
                Change::Remove { path } => {
                    for (path, id) in self.planned_tree(&plan, path) {
                        self.unlink(&mut plan, &path, id);
                    }
                }
            }
        }
        Ok(plan)
    }

    /// Carries a plan out. Between the two, only files that the plan does not touch may have changed.
    pub fn apply(&mut self, plan: &CommitPlan) {
        for (path, id) in &plan.paths {
            match id {
                Some(id) => self.paths.insert(path.clone(), *id),
                None => self.paths.remove(path),
            };
        }
        for (id, inode) in &plan.inodes {
            let before = match inode {
                Some(inode) => self.inodes.insert(*id, *inode),
                None => self.inodes.remove(id),
            };
            self.stored_bytes += inode.map_or(0, |inode| inode.size_bytes);
            self.stored_bytes -= before.map_or(0, |inode| inode.size_bytes);
        }
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &FilePath> {
        self.paths.keys()
    }

    /// Files that have not been through a commit.
    pub fn unpublished(&self) -> impl Iterator<Item = (&FilePath, InodeId)> {
        self.paths
            .iter()
            .filter(|(_, id)| self.inodes.get(id).is_some_and(|inode| !inode.published))
            .map(|(path, id)| (path, *id))
    }

    /// The paths of files that went through a commit, with their numbers.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only OPFS writes the whole directory down"))]
    pub fn published(&self) -> impl Iterator<Item = (&FilePath, InodeId)> {
        let is_published = |id| self.inodes.get(id).is_some_and(|inode| inode.published);
        self.paths.iter().filter(move |(_, id)| is_published(id)).map(|(path, id)| (path, *id))
    }

    /// Fills in what is stored now.
    pub fn count(&self, stats: &mut FileSystemStats) {
        stats.stored_bytes = self.stored_bytes;
        stats.files = self.inodes.len() as u64;
        stats.links = self.paths.len() as u64;
    }

    // ---- planning: the directory as it is, seen through the changes so far --------------------------------------------

    fn plan_publish(&self, plan: &mut CommitPlan, from: &FilePath, to: &FilePath) -> Result<()> {
        if from == to || to.below(from).is_some() {
            return Err(Error::invalid(format!("{from} can't become {to}, which is inside it")));
        }
        let tree = self.planned_tree(plan, from);
        if tree.is_empty() {
            return Err(not_found(from));
        }
        // All names leave before the first arrives, since `from` may lie below `to` as well.
        for path in tree.keys() {
            plan.paths.insert(path.clone(), None);
        }
        self.check_target(plan, to)?;
        for (path, id) in tree {
            let target = path.below(from).map_or_else(|| to.clone(), |rest| to.join(rest));
            plan.paths.insert(target, Some(id));
            self.change_inode(plan, id, |inode| inode.published = true);
        }
        Ok(())
    }

    fn plan_link(&self, plan: &mut CommitPlan, from: &FilePath, to: &FilePath) -> Result<()> {
        let files: Vec<_> = self
            .planned_tree(plan, from)
            .into_iter()
            .filter(|(path, _)| path == from || path.parent() == *from)
            .collect();
        if files.is_empty() {
            return Err(not_found(from));
        }
        for (path, id) in files {
            let target = path.below(from).map_or_else(|| to.clone(), |rest| to.join(rest));
            self.check_target(plan, &target)?;
            if !self.planned_inode(plan, id).is_some_and(|inode| inode.published) {
                return Err(Error::invalid(format!("{path}: only published files can be linked")));
            }
            plan.paths.insert(target, Some(id));
            self.change_inode(plan, id, |inode| inode.links += 1);
        }
        Ok(())
    }

    fn unlink(&self, plan: &mut CommitPlan, path: &FilePath, id: InodeId) {
        plan.paths.insert(path.clone(), None);
        self.change_inode(plan, id, |inode| inode.links -= 1);
        if self.planned_inode(plan, id).is_some_and(|inode| inode.links == 0) {
            plan.inodes.insert(id, None);
            plan.contents.remove(&id);
        }
    }

    fn planned(&self, plan: &CommitPlan, path: &FilePath) -> Option<InodeId> {
        plan.paths.get(path).copied().unwrap_or_else(|| self.paths.get(path).copied())
    }

    fn planned_inode(&self, plan: &CommitPlan, id: InodeId) -> Option<Inode> {
        plan.inodes.get(&id).copied().unwrap_or_else(|| self.inodes.get(&id).copied())
    }

    fn change_inode(&self, plan: &mut CommitPlan, id: InodeId, change: impl FnOnce(&mut Inode)) {
        if let Some(mut inode) = self.planned_inode(plan, id) {
            change(&mut inode);
            plan.inodes.insert(id, Some(inode));
        }
    }

    /// The file at `path`, or all files below it.
    fn planned_tree(&self, plan: &CommitPlan, path: &FilePath) -> SortedMap<FilePath, InodeId> {
        let mut tree: SortedMap<FilePath, InodeId> =
            tree_of(&self.paths, path).map(|(path, id)| (path.clone(), *id)).collect();
        for (path, id) in tree_of(&plan.paths, path) {
            match id {
                Some(id) => tree.insert(path.clone(), *id),
                None => tree.remove(path),
            };
        }
        tree
    }

    fn check_target(&self, plan: &CommitPlan, path: &FilePath) -> Result<()> {
        let exists = |path: &FilePath| self.planned(plan, path).is_some();
        self.check_free(path, exists, self.planned_tree(plan, path).is_empty())
    }

    /// A new file must not lie where something is, nor below a file.
    fn check_free(&self, path: &FilePath, exists: impl Fn(&FilePath) -> bool, nothing_there: bool) -> Result<()> {
        if path.as_str().is_empty() || !nothing_there {
            return Err(Error::invalid(format!("{path}: exists already")));
        }
        let mut ancestor = path.parent();
        while !ancestor.as_str().is_empty() {
            if exists(&ancestor) {
                return Err(Error::invalid(format!("{path}: {ancestor} is a file and no directory")));
            }
            ancestor = ancestor.parent();
        }
        Ok(())
    }

    fn is_directory(&self, path: &FilePath) -> bool {
        self.paths.starting_at(below(path).as_str()).next().is_some_and(|(found, _)| found.below(path).is_some())
    }

    /// A number that was never given out: a file's, or that of stored bytes which several files lie in.
    pub fn new_number(&mut self) -> InodeId {
        self.next_inode += 1;
        self.next_inode - 1
    }
}

/// Where the paths below `dir` begin.
fn below(dir: &FilePath) -> String {
    if dir.as_str().is_empty() { String::new() } else { format!("{dir}/") }
}

/// `path` itself, and all that lies below it. The two may lie apart: "a", "a.b", "a/b".
fn tree_of<'a, T>(paths: &'a SortedMap<FilePath, T>, path: &FilePath) -> impl Iterator<Item = (&'a FilePath, &'a T)> {
    let first = below(path);
    let below_path = paths.starting_at(first.as_str()).take_while({
        let path = path.clone();
        move |(found, _)| found.below(&path).is_some()
    });
    paths.starting_at(path).take(1).filter(move |(found, _)| *found == path).chain(below_path)
}

fn not_found(path: &FilePath) -> Error {
    Error::new(ErrorKind::NotFound, format!("{path}: not found"))
}
