//! A mutable set of items over immutable parts: items arrive, are flushed into parts, and parts are merged.
//!
//! A new part is written below `tmp/` and made visible by one commit. A merge's commit also puts a transaction file that
//! lists the sources, so that they are removed either when their last reader has let go or when the table is opened again
//! (data-dir-layout §1.1).
//!
//! When the storage does not take a part made of new items, it stays in memory, where it can be searched, and is tried again
//! together with what has come since.

use super::files::TableFiles;
use super::flush::Flusher;
use super::live_parts::LiveParts;
pub use super::live_parts::PartList;
use super::merge::PrepareBlock;
use super::merger::Merger;
use super::part::Part;
use super::removal::Remover;
use super::search::TableSearch;
use crate::error::Result;
use crate::fs::{Change, Entry, EntryKind, FilePath};
use crate::merge::Leasable;
use crate::merge::transaction::{Home, is_service_dir};
use crate::runtime::{Context, Lane, join_all};
use serde::Serialize;
use std::rc::Rc;

/// How a table works.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// May rewrite blocks before they are written.
    pub prepare: PrepareBlock,
    /// The least number that new parts' names end with.
    pub first_suffix: u64,
}

/// One part as `inspect()` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartState {
    /// Its directory's name; empty while it is in memory alone.
    pub name: String,
    /// Items in it.
    pub items: u64,
    /// Blocks in it.
    pub blocks: u64,
    /// Sum of its data files' sizes.
    pub bytes: u64,
    /// Whether it is being merged.
    pub is_merging: bool,
}

/// A table as `inspect()` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    /// Its directory's name: 16 hex digits.
    pub name: String,
    /// Its parts, in the order in which they were made.
    pub parts: Vec<PartState>,
    /// Items that are not in the storage yet.
    pub pending_items: u64,
    /// Bytes of these items.
    pub pending_bytes: u64,
}

/// A table: its directory, its parts, and those who look after them. Methods that wait take no `&mut`: what they change is
/// changed in one go.
pub struct Table {
    files: Rc<TableFiles>,
    parts: Rc<LiveParts>,
    flusher: Rc<Flusher>,
    merger: Rc<Merger>,
}

impl Table {
    /// Opens the table in `dir`, and sets right what a process that ended at any moment has left behind. No job runs before
    /// [`Table::start_jobs`].
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when a directory is no readable part or a transaction file makes no sense.
    pub async fn open(
        context: &Context,
        dir: FilePath,
        options: TableOptions,
        remover: Rc<Remover>,
    ) -> Result<Rc<Self>> {
        Home { dirs: std::slice::from_ref(&dir), may_lose_all: false }.recover(context).await?;
        let mut parts = PartList::new();
        let mut next_suffix = options.first_suffix;
        let mut entries = context.list(&dir).await?;
        entries.retain(|entry| entry.kind == EntryKind::Directory && !is_service_dir(&entry.name));
        let open = |entry: &Entry| {
            let dir = dir.join(&entry.name);
            async move { Part::open(context, &dir).await }
        };
        for (entry, part) in entries.iter().zip(join_all(entries.iter().map(open)).await) {
            let part = match part {
                Err(error) => {
                    context.leave_out(&dir.join(&entry.name), error)?;
                    continue;
                }
                Ok(part) => part,
            };
            let Some(part) = part else { continue };
            next_suffix = next_suffix.max(part.suffix().saturating_add(1));
            parts.push(Rc::new(part));
        }
        parts.sort_by_key(|part| part.suffix());
        let files = Rc::new(TableFiles::new(context, dir, options.prepare, next_suffix));
        let parts = Rc::new(LiveParts::new(files.clone(), remover, parts));
        let merger = Rc::new(Merger::new(files.clone(), parts.clone()));
        let flusher = Rc::new(Flusher::new(files.clone(), parts.clone(), merger.clone()));
        Ok(Rc::new(Self { files, parts, flusher, merger }))
    }

    /// Spawns the flusher and the merger.
    pub fn start_jobs(self: &Rc<Self>) {
        self.files.context.spawn(Lane::Flush, self.flusher.clone().run());
        self.files.context.spawn(Lane::SmallMerge, self.merger.clone().run());
    }

    /// Lets the jobs end. Items that wait are not flushed.
    pub fn close(&self) {
        self.files.close();
        self.flusher.wake();
        self.parts.changed().raise();
    }

    /// Whether a merge is under way.
    pub fn is_merging(&self) -> bool {
        self.merger.is_merging()
    }

    /// Waits until no merge is under way.
    pub async fn wait_for_merges(&self) {
        self.merger.wait_until_none().await;
    }

    /// The table's directory.
    pub fn dir(&self) -> &FilePath {
        &self.files.dir
    }

    /// The parts of this instant; as long as they are held, they can be read.
    pub fn parts(&self) -> Rc<PartList> {
        self.parts.list()
    }

    /// Items that are not in the storage yet.
    pub fn pending_items(&self) -> u64 {
        self.flusher.raw_items() + self.parts.in_memory().iter().map(|part| part.header().items).sum::<u64>()
    }

    /// Bytes of these items.
    pub fn pending_bytes(&self) -> u64 {
        self.flusher.raw_bytes() + self.parts.in_memory().iter().map(|part| part.size_bytes()).sum::<u64>()
    }

    /// The flush that items added now have to wait for; see [`Table::is_searchable`].
    pub fn flush_number(&self) -> u64 {
        self.flusher.flush_number()
    }

    /// Whether items that were added while [`Table::flush_number`] had this value can be found.
    pub fn is_searchable(&self, flush_number: u64) -> bool {
        self.flusher.is_searchable(flush_number)
    }

    /// A search over the parts of this instant.
    pub fn search(&self) -> TableSearch {
        TableSearch::new(&self.files.context, &self.parts())
    }

    /// Hands `add_items` a function that adds items. They can be found after the next flush.
    ///
    /// # Errors
    /// `Invalid` when an item was longer than 64 KiB; it was left out.
    pub fn add_items(&self, add_items: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<()> {
        self.flusher.add_items(add_items)
    }

    /// Makes all items that were added before searchable and durable.
    ///
    /// # Errors
    /// What the storage says; the items stay in memory, can be searched, and go with the next flush.
    pub async fn flush(&self) -> Result<()> {
        self.flusher.flush().await
    }

    /// Makes all items that were added before searchable. They are durable as well unless the storage refuses to take them.
    ///
    /// # Errors
    /// When items can't be merged; they are kept and go with the next flush.
    pub async fn make_searchable(&self) -> Result<()> {
        self.flusher.make_searchable().await
    }

    /// Writes items into a part of their own, into the head-room if need be.
    ///
    /// # Errors
    /// What the storage says; nothing was added then.
    pub async fn write_at_once(&self, add_items: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<()> {
        self.flusher.write_at_once(add_items).await
    }

    /// Links all files of the table's parts into a directory of the same name below `snapshot_dir`. The parts must be held
    /// until the changes are committed.
    pub fn snapshot_changes(&self, snapshot_dir: &FilePath) -> (Vec<Change>, PartList) {
        let to = snapshot_dir.join(self.files.name());
        // What is in memory has come since the flush before the snapshot.
        let parts: PartList = self.parts().iter().filter(|part| !part.is_in_memory()).cloned().collect();
        let link = |part: &Rc<Part>| Change::Link { from: part.dir().clone(), to: to.join(part.dir().name()) };
        (parts.iter().map(link).collect(), parts)
    }

    /// Takes the whole table out of service: its directory goes when nobody reads its parts any more, nor those that were
    /// merged before. Merges that are under way give up first. Items that wait are forgotten.
    pub async fn retire(&self) {
        self.close();
        let _turn = self.flusher.take_flush_turn().await;
        self.merger.wait_until_none().await;
        self.parts.retire_all();
        self.flusher.forget_items();
        self.files.context.trouble_is_over(&self.files.place());
    }

    /// The greatest item that is less than `key`.
    pub async fn last_below(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut best: Option<Vec<u8>> = None;
        for part in self.parts().iter() {
            let item = super::search::last_below(&self.files.context, part, key).await?;
            best = best.max(item);
        }
        Ok(best)
    }

    /// The table for `inspect()`.
    pub fn state(&self) -> TableState {
        let part_state = |part: &Rc<Part>| PartState {
            name: if part.is_in_memory() { String::new() } else { part.dir().name().to_owned() },
            items: part.header().items,
            blocks: part.header().blocks,
            bytes: part.size_bytes(),
            is_merging: part.standing().lease().is_some(),
        };
        TableState {
            name: self.files.name().to_owned(),
            parts: self.parts().iter().map(part_state).collect(),
            pending_items: self.pending_items(),
            pending_bytes: self.pending_bytes(),
        }
    }
}
