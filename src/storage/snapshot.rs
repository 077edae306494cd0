//! Snapshots: an instant of the whole database, shared with it by hard links (engine-behaviour §6, data-dir-layout §4).

use super::table::Table;
use crate::archive::Layout;
use crate::archive::layout::{Rearrangement, Target};
use crate::archive::place::hex_name;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Change, EntryKind, FilePath};
use crate::index::Index;
use crate::index::{COMPOSITE_TIMESTAMP_FILE, CONVERTED_FILE};
use crate::part::{MIN_DEDUP_INTERVAL_FILE, PartHeader};
use crate::partition::snapshot_dirs;
use crate::runtime::{Context, Turnstile};
use crate::time::format_seconds;
use crate::trace::event::Event;
use bytes::Bytes;
use std::cell::Cell;

/// One file of a snapshot as a server wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Path below the server's `-storageDataPath`.
    pub path: String,
    /// Where its bytes are.
    pub source: FileSource,
    /// Its length.
    pub size_bytes: u64,
}

/// Where the bytes of a snapshot's file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// In this file of the database.
    Stored(FilePath),
    /// Here: the layout has the file, and the database has none of its kind.
    Made(Vec<u8>),
}

/// A file of a snapshot: its path on a server, where it lies, its length.
type OwnFile = (String, FilePath, u64);

/// The directories a snapshot's files lie in, by the place where a server wants them.
fn roots(name: &str) -> [(&'static str, FilePath); 4] {
    let path = |text: String| FilePath::root().join(&text);
    let [small, big] = snapshot_dirs(name);
    [
        ("data/small", small),
        ("data/big", big),
        ("indexdb", path(format!("indexdb/snapshots/{name}"))),
        ("metadata", path(format!("snapshots/{name}/metadata"))),
    ]
}

/// The snapshots of a database: they are directories, of which nothing is kept in memory.
pub struct Snapshots {
    context: Context,
    /// Held while one is made or deleted; there is one at a time.
    changing: Turnstile,
    /// The number of the next one.
    next: Cell<u64>,
}

impl Snapshots {
    /// Those that are stored. The next one is numbered from `first_number` on, and gets the name of none that is there, whatever the
    /// clock says.
    pub(super) async fn open(context: &Context, first_number: u64) -> Result<Self> {
        let snapshots =
            Self { context: context.clone(), changing: Turnstile::default(), next: Cell::new(first_number) };
        for name in snapshots.list().await? {
            let number = name.split_once('-').and_then(|(_, number)| u64::from_str_radix(number, 16).ok());
            let behind = number.map_or(0, |last| last.saturating_add(1));
            snapshots.next.set(snapshots.next.get().max(behind));
        }
        Ok(snapshots)
    }

    /// Makes a snapshot and returns its name. One is made at a time; later calls wait.
    ///
    /// All rows that were accepted before the call are in it. The data is taken before the index, so that every series with
    /// samples has its index entries.
    ///
    /// # Errors
    /// `Corrupt` when the number in a stored snapshot's name leaves none for this one; what storage says. Nothing of the snapshot
    /// remains then.
    pub(super) async fn create(&self, table: &Table, index: &Index) -> Result<String> {
        let _passage = self.changing.enter(&self.context).await;
        let number = self.next.get();
        // The greatest number comes from the name of a stored snapshot.
        let next = number.checked_add(1).ok_or_else(|| {
            Error::corrupt(
                "a snapshot has the greatest of all numbers, so that no other can follow; delete it and open the database again",
            )
        })?;
        self.next.set(next);
        let name = format!("{}-{number:08X}", format_seconds(self.context.now()));
        self.context.emit(|| Event::SnapshotStarted { name: name.clone() });
        // The table: its partitions by counted reference, so that data may go on changing.
        let mut changes = Vec::new();
        let mut parts_held = Vec::new();
        let (mut parts, mut linked_bytes) = (0, 0);
        for partition in table.partitions() {
            let of_partition = match partition.snapshot(&name).await {
                Ok(of_partition) => of_partition,
                Err(error) if table.has(&partition) => return Err(error),
                // The month has fallen out of the retention meanwhile.
                Err(_) => continue,
            };
            parts += of_partition.parts;
            linked_bytes += of_partition.linked_bytes;
            changes.extend(of_partition.changes);
            parts_held.push(of_partition.guard);
        }
        // Then the index, then the metadata, and all of it in one step.
        let of_index = index.snapshot_changes(&name).await?;
        linked_bytes += of_index.bytes;
        changes.extend(of_index.changes);
        let metadata = FilePath::root().join(COMPOSITE_TIMESTAMP_FILE);
        changes.push(Change::Link {
            from: metadata,
            to: FilePath::root().join(&format!("snapshots/{name}/{COMPOSITE_TIMESTAMP_FILE}")),
        });
        let links_before = self.context.file_system_stats().links;
        self.context.commit(changes).await.map_err(|error| error.at(format!("snapshot {name}")))?;
        drop(parts_held);
        drop(of_index.held);
        let files = self.context.file_system_stats().links.saturating_sub(links_before);
        self.context.emit(|| Event::SnapshotCreated { name: name.clone(), parts, files, linked_bytes });
        Ok(name)
    }

    /// Names of the snapshots, sorted.
    ///
    /// # Errors
    /// What storage says.
    pub async fn list(&self) -> Result<Vec<String>> {
        let entries = self.context.list(&FilePath::root().join("snapshots")).await?;
        Ok(entries.into_iter().map(|entry| entry.name).filter(|name| is_snapshot_name(name)).collect())
    }

    /// Deletes a snapshot. As on the server a well-formed name that does not exist is no error.
    ///
    /// # Errors
    /// `Invalid` for a name no snapshot can have; what storage says.
    pub async fn delete(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let _passage = self.changing.enter(&self.context).await;
        let mut changes: Vec<Change> = roots(name).into_iter().map(|(_, path)| Change::Remove { path }).collect();
        changes.push(Change::Remove { path: FilePath::root().join(&format!("snapshots/{name}")) });
        self.context.commit(changes).await?;
        self.context.emit(|| Event::SnapshotDeleted { name: name.into() });
        Ok(())
    }

    /// Deletes all snapshots.
    ///
    /// # Errors
    /// What storage says; those deleted before stay deleted.
    pub async fn delete_all(&self) -> Result<()> {
        for name in self.list().await? {
            self.delete(&name).await?;
        }
        Ok(())
    }

    /// The files of a snapshot with links resolved, sorted by path: a `-storageDataPath` for any server (data-dir-layout §5).
    ///
    /// # Errors
    /// `Invalid` for a name no snapshot can have, `NotFound` for one that does not exist; what storage says.
    pub async fn files(&self, name: &str, layout: Layout) -> Result<Vec<SnapshotFile>> {
        check_name(name)?;
        let files = self.own_files(name).await?;
        let mut files = match layout {
            Layout::V1_72 => {
                let own =
                    |(path, source, size_bytes)| SnapshotFile { path, source: FileSource::Stored(source), size_bytes };
                files.into_iter().map(own).collect()
            }
            newer => self.rearranged(files, newer).await?,
        };
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The files in a newer layout.
    async fn rearranged(&self, files: Vec<OwnFile>, layout: Layout) -> Result<Vec<SnapshotFile>> {
        let mut rearrangement = Rearrangement::default();
        let mut moved = Vec::with_capacity(files.len());
        for (path, source, size_bytes) in files {
            if let Some((table, CONVERTED_FILE)) = path.rsplit_once('/')
                && let Some(generation) = table.rsplit('/').next().and_then(hex_name)
            {
                rearrangement.generation(generation);
            }
            let mut min_dedup_interval_ms = 0;
            if path.starts_with("data/") && path.ends_with("/metaindex.bin") {
                let file = source.parent().join(MIN_DEDUP_INTERVAL_FILE);
                if let Some(text) = self.context.read_small_file(&file).await? {
                    min_dedup_interval_ms =
                        PartHeader::parse_min_dedup_interval(&text).map_err(|error| error.at(&file))?;
                }
            }
            if let Target::Moved(path) = rearrangement.place(&path, min_dedup_interval_ms)? {
                moved.push(SnapshotFile { path, source: FileSource::Stored(source), size_bytes });
            }
        }
        moved.extend(rearrangement.finish(layout).into_iter().map(|(path, content)| {
            let size_bytes = content.len() as u64;
            SnapshotFile { path, source: FileSource::Made(content), size_bytes }
        }));
        Ok(moved)
    }

    /// The files as they lie in this database, with the paths that a server has for them.
    async fn own_files(&self, name: &str) -> Result<Vec<OwnFile>> {
        let mut files = Vec::new();
        for (root, source) in roots(name) {
            let mut directories = vec![(root.to_owned(), source)];
            while let Some((path, source)) = directories.pop() {
                for entry in self.context.list(&source).await? {
                    let (path, source) = (format!("{path}/{}", entry.name), source.join(&entry.name));
                    match entry.kind {
                        EntryKind::Directory => directories.push((path, source)),
                        EntryKind::File { size_bytes } => files.push((path, source, size_bytes)),
                    }
                }
            }
        }
        if files.is_empty() {
            let message = format!("there is no snapshot {name}; list() names those there are");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(files)
    }

    /// A range of a file that [`Snapshots::files`] named.
    ///
    /// # Errors
    /// `Invalid` for a path outside of all snapshots; `Corrupt` for a range that reaches behind the end; what storage says.
    pub async fn read(&self, source: &str, offset: u64, length: u64) -> Result<Bytes> {
        let file = FilePath::new(source)?;
        if !source.split('/').any(|component| component == "snapshots") {
            return Err(Error::invalid(format!("{source} is no file of a snapshot")));
        }
        let end = offset.checked_add(length).ok_or_else(|| Error::invalid("the range is longer than any file"))?;
        self.context.read(&file, offset..end).await
    }
}

/// `^[0-9]{14}-[0-9A-Fa-f]+$`
fn is_snapshot_name(name: &str) -> bool {
    name.split_once('-').is_some_and(|(time, counter)| {
        time.len() == 14
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && !counter.is_empty()
            && counter.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn check_name(name: &str) -> Result<()> {
    if is_snapshot_name(name) { Ok(()) } else { Err(Error::invalid(format!("invalid snapshotName {name:?}"))) }
}

#[cfg(test)]
mod tests {
    use super::is_snapshot_name;

    #[test]
    fn snapshot_names_are_checked() {
        for good in ["20261122061500-17A3", "20261122061500-0"] {
            assert!(is_snapshot_name(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "20261122061500",
            "20261122061500-",
            "2026112206150-1",
            "20261122061500-1/..",
            "../20261122061500-1",
        ] {
            assert!(!is_snapshot_name(bad), "{bad}");
        }
    }
}
