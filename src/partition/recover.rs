//! Opening a partition: what a process that ended at any moment has left behind is set right (data-dir-layout §1.1, §7).

use super::flush::Conversions;
use super::parts::{Anchor, Graveyard, PartList};
use super::raw_rows::RawRows;
use super::{Partition, PartitionOptions};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::fs::{Change, Entry, EntryKind, FilePath};
use crate::part::{Part, PartHeader};
use crate::runtime::{Context, Signal, join_all};
use crate::time::PartitionName;
use crate::trace::event::PartClass;
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
        let [small_dir, big_dir] = dirs_of(name);
        for dir in [&small_dir, &big_dir] {
            replay_transactions(context, dir, [&small_dir, &big_dir]).await?;
        }
        for dir in [&small_dir, &big_dir] {
            remove_leftovers(context, dir).await?;
        }
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

fn is_service_dir(name: &str) -> bool {
    name == "tmp" || name == "txn" || name == "snapshots"
}

/// Finishes what transaction files announce: their sources go, and their result, if it is still temporary, gets its name.
async fn replay_transactions(context: &Context, dir: &FilePath, partition_dirs: [&FilePath; 2]) -> Result<()> {
    let transactions = dir.join("txn");
    for entry in context.list(&transactions).await? {
        let EntryKind::File { size_bytes } = entry.kind else { continue };
        if is_unfinished_file(&entry.name) {
            continue;
        }
        let file = transactions.join(&entry.name);
        let text = context.read(&file, 0..size_bytes).await?;
        let transaction = Transaction::parse(&text, partition_dirs).map_err(|error| error.at(&file))?;
        let mut changes: Vec<Change> = transaction.old_parts.into_iter().map(|path| Change::Remove { path }).collect();
        // A commit publishes and writes this file at once, so that something temporary is left only by other writers.
        let has_tmp = !context.list(&transaction.tmp).await?.is_empty();
        match transaction.dst {
            Some(dst) if has_tmp && context.list(&dst).await?.is_empty() => {
                changes.push(Change::Publish { from: transaction.tmp, to: dst });
            }
            _ => changes.push(Change::Remove { path: transaction.tmp }),
        }
        changes.push(Change::Remove { path: file });
        context.commit(changes).await?;
    }
    Ok(())
}

/// `<name>.tmp.<digits>`: a file that was being written by the server when it ended.
fn is_unfinished_file(name: &str) -> bool {
    name.rsplit_once(".tmp.").is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes parts that were being written, and what is left of transaction files.
async fn remove_leftovers(context: &Context, dir: &FilePath) -> Result<()> {
    let mut changes = Vec::new();
    for name in ["tmp", "txn"] {
        let path = dir.join(name);
        if !context.list(&path).await?.is_empty() {
            changes.push(Change::Remove { path });
        }
    }
    if changes.is_empty() { Ok(()) } else { context.commit(changes).await }
}

/// The content of a transaction file (data-dir-layout §1.1).
struct Transaction {
    old_parts: Vec<FilePath>,
    tmp: FilePath,
    dst: Option<FilePath>,
}

impl Transaction {
    /// Reads it. All paths must lie below the partition's directories, as what they name is removed.
    fn parse(text: &[u8], partition_dirs: [&FilePath; 2]) -> Result<Self> {
        let fail = |why: &str| Error::corrupt(format!("the transaction file can't be carried out: {why}"));
        let text = std::str::from_utf8(text).map_err(|_| fail("it is not text"))?;
        let text = text.strip_suffix('\n').ok_or_else(|| fail("its last line has no end"))?;
        let path = |text: &str| {
            let path = FilePath::new(text).map_err(|_| fail("a path is not relative to the database"))?;
            if !partition_dirs.iter().any(|dir| path.below(dir).is_some()) {
                return Err(fail("a path lies outside of the partition"));
            }
            Ok(path)
        };
        let mut lines: Vec<&str> = text.split('\n').collect();
        let last = lines.pop().unwrap_or_default();
        let (tmp, dst) = last.split_once(" -> ").ok_or_else(|| fail("its last line has no arrow"))?;
        Ok(Self {
            old_parts: lines.into_iter().map(path).collect::<Result<_>>()?,
            tmp: path(tmp)?,
            dst: if dst.is_empty() { None } else { Some(path(dst)?) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::transaction_text;

    #[test]
    fn transactions_come_back_and_strange_ones_are_refused() {
        let [small, big] = dirs_of(PartitionName::parse("2024_03").unwrap());
        let (old, tmp, dst) = (small.join("a"), big.join("tmp/1"), big.join("b"));
        let text = transaction_text(&[&old], &tmp, Some(&dst));
        assert_eq!(text, "data/small/2024_03/a\ndata/big/2024_03/tmp/1 -> data/big/2024_03/b\n");
        let read = |text: &str| Transaction::parse(text.as_bytes(), [&small, &big]);
        let transaction = read(&text).unwrap();
        assert_eq!((transaction.old_parts, transaction.tmp, transaction.dst), (vec![old], tmp.clone(), Some(dst)));
        assert!(read(&transaction_text(&[], &tmp, None)).unwrap().dst.is_none());
        for bad in [
            "",
            "data/small/2024_03/a",
            "data/small/2024_03/a\n",
            "/data/small/2024_03/a -> \n",
            "data/small/2024_03 -> \n",
            "data/small/2024_03/../2024_04/a -> \n",
            "data/small/2024_04/a -> \n",
            "indexdb/a\ndata/small/2024_03/tmp/1 -> \n",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn unfinished_files_are_told_by_their_name() {
        assert!(is_unfinished_file("18EA49F6C41E3204.tmp.12"));
        assert!(!is_unfinished_file("18EA49F6C41E3204"));
        assert!(!is_unfinished_file("18EA49F6C41E3204.tmp.x"));
    }
}
