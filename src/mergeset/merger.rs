//! Merges the parts of a table (engine-behaviour §4.1).

use super::files::TableFiles;
use super::live_parts::LiveParts;
use super::merge::{PartMerge, Source};
use super::part::Part;
use crate::encoding::zstd::Effort;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::merge::policy::{self, PartSize};
use crate::merge::transaction::Transaction;
use crate::merge::{Leasable, Lease, PutOff};
use crate::runtime::Signal;
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs, back_off_ms};
use crate::trace::event::{Event, MergeId};
use std::cell::Cell;
use std::rc::Rc;

/// Bytes read at a time of each file of each source of a merge.
pub(super) const READ_AHEAD: u64 = 128 << 10;
/// The largest part that a merge makes, in bytes.
const MAX_PART_SIZE: u64 = 400_000_000_000;
/// A final merge is content with two parts.
const MIN_PARTS_TO_MERGE_FINALLY: usize = 2;
/// After so long without a merge fewer parts are merged.
const FINAL_MERGE_DELAY_MS: i64 = 30 * SECOND_MS;
/// From so many items on compression takes its time.
const THOROUGH_ITEMS: u64 = 1 << 22;
/// A merge for which the storage had no room in the end, though nobody had said so before, is not soon tried again.
const QUOTA_SLEEP_MS: i64 = 10 * MINUTE_MS;

/// Merges parts of one table.
pub(super) struct Merger {
    files: Rc<TableFiles>,
    parts: Rc<LiveParts>,
    next_merge: Cell<MergeId>,
    /// Raised when a merge has ended.
    ended: Signal,
    /// By the names of the parts.
    put_off: PutOff<String>,
}

impl Merger {
    pub(super) fn new(files: Rc<TableFiles>, parts: Rc<LiveParts>) -> Self {
        Self { files, parts, next_merge: Cell::new(0), ended: Signal::default(), put_off: PutOff::default() }
    }

    /// Whether a merge is under way.
    pub(super) fn is_merging(&self) -> bool {
        self.parts.list().iter().any(|part| part.standing().lease().is_some())
    }

    /// Waits until no merge is under way.
    pub(super) async fn wait_until_none(&self) {
        loop {
            let seen = self.ended.version();
            if !self.is_merging() {
                return;
            }
            self.files.context.changed(&self.ended, seen).await;
        }
    }

    /// Merges the best choice of parts; `false` when there is nothing worth it.
    pub(super) async fn merge_best(&self, is_final: bool) -> Result<bool> {
        let parts = self.parts.list();
        let is_free =
            |part: &&Rc<Part>| part.standing().is_free() && !part.standing().is_suspect() && !part.is_in_memory();
        let free: Vec<&Rc<Part>> = parts.iter().filter(is_free).collect();
        let sizes: Vec<PartSize> =
            free.iter().map(|part| PartSize { bytes: part.size_bytes(), min_timestamp: 0 }).collect();
        let spare = self.files.context.room().spare_for_merges();
        let chosen = |limit: u64| -> Vec<Rc<Part>> {
            let choice = policy::select(&sizes, limit, is_final.then_some(MIN_PARTS_TO_MERGE_FINALLY));
            choice.parts.into_iter().map(|at| free[at].clone()).collect()
        };
        let sources = chosen(MAX_PART_SIZE.min(spare));
        if sources.is_empty() {
            // With more room there might be one.
            if sizes.iter().map(|size| size.bytes).sum::<u64>() > spare {
                self.put_off(&chosen(MAX_PART_SIZE));
            }
            return Ok(false);
        }
        let merge = self.next_merge.replace(self.next_merge.get() + 1);
        let lease = Lease::new(merge, sources, self.ended.clone());
        drop(parts);
        let result = self.merge(&lease).await;
        match result.as_ref().err().map(Error::kind) {
            Some(ErrorKind::Corrupt) => lease.parts().iter().for_each(|part| part.standing().mark_suspect()),
            Some(ErrorKind::Quota) => self.put_off(lease.parts()),
            _ => {}
        }
        result.map(|()| true)
    }

    /// Tells of a merge that would not fit, or did not.
    fn put_off(&self, parts: &[Rc<Part>]) {
        let sources = parts.iter().map(|part| part.dir().name().to_owned()).collect();
        self.put_off.note(&self.files.context, sources, |sources, room_bytes| Event::IndexMergePutOff {
            table: self.files.name().to_owned(),
            sources,
            needed_bytes: bytes_of(parts),
            room_bytes,
        });
    }

    async fn merge(&self, lease: &Lease<Part>) -> Result<()> {
        let _reservation = self.files.context.room().reserve(bytes_of(lease.parts()));
        let items: u64 = lease.parts().iter().map(|part| part.header().items).sum();
        let effort = if items >= THOROUGH_ITEMS { Effort::Thorough } else { Effort::Fast };
        let sources = lease.parts().iter().map(|part| Source::Part(part.clone(), READ_AHEAD));
        let merge = PartMerge::new(sources, self.files.prepare(), effort);
        let suffix = self.files.new_suffix();
        let Some(part) = self.files.write_part(suffix, merge).await? else {
            return Err(Error::new(ErrorKind::Aborted, "the table is closing"));
        };
        let transaction = self.files.dir.join(&format!("txn/{suffix:016X}"));
        let old_parts: Vec<FilePath> = lease.parts().iter().map(|source| source.dir().clone()).collect();
        let announced = Transaction { old_parts, tmp: self.files.tmp_dir(suffix), dst: Some(part.dir().clone()) };
        self.files.commit_part(suffix, announced.changes(&transaction)).await?;
        let mut paths = announced.old_parts;
        paths.push(transaction);
        self.parts.retire(lease.parts(), paths);
        let (name, items) = (part.dir().name().to_owned(), part.header().items);
        self.parts.replace(Some(Rc::new(part)), lease.parts());
        self.files.context.emit(|| Event::IndexMerged {
            table: self.files.name().to_owned(),
            sources: lease.parts().iter().map(|source| source.dir().name().to_owned()).collect(),
            part: name,
            items,
        });
        Ok(())
    }

    /// Merges when the list of parts has changed, and once more, with less to gain, when it has not for a while.
    pub(super) async fn run(self: Rc<Self>) {
        let context = self.files.context.clone();
        let room_grown = context.room().grown().clone();
        let mut last_merge = context.now();
        let mut is_final = false;
        let mut failures = 0;
        while !self.files.is_closed() && !context.is_shutting_down() {
            let changed = (self.parts.changed(), self.parts.changed().version());
            let grown = (&room_grown, room_grown.version());
            let result = self.merge_best(is_final).await;
            // The clock may have been set back.
            last_merge = last_merge.min(context.now());
            match result {
                Ok(true) => {
                    (last_merge, is_final, failures) = (context.now(), false, 0);
                    continue;
                }
                // Nothing to do until something changes, or until it is time to be content with less.
                Ok(false) if is_final || self.parts.list().len() < 2 => {
                    context.first_of(&[changed, grown], TimestampMs::MAX).await;
                    is_final = false;
                }
                Ok(false) => {
                    let deadline = last_merge + FINAL_MERGE_DELAY_MS;
                    context.first_of(&[changed, grown], deadline).await;
                    is_final = context.now() >= deadline;
                    if is_final {
                        last_merge = context.now();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Aborted => return,
                Err(error) => {
                    failures += 1;
                    let is_full = error.kind() == ErrorKind::Quota;
                    if failures == 1 && !is_full {
                        context
                            .degraded(&error, format!("{}: {error}; its parts stay as they are", self.files.place()));
                    }
                    let delay = if is_full { QUOTA_SLEEP_MS } else { back_off_ms(SECOND_MS, failures) };
                    context.first_of(&[grown], context.now() + delay).await;
                }
            }
        }
    }
}

/// Sum of the parts' sizes: what a part merged from them takes at the most.
fn bytes_of(parts: &[Rc<Part>]) -> u64 {
    parts.iter().map(|part| part.size_bytes()).sum()
}
