//! What is stored: looked at as a whole before anything is written, and taken over by a new writer.

use super::connect::other_layout;
use super::deadline::{finish, finish_transaction, sleep};
use super::layout::{
    CHUNKS, COMMITS, ENDED_EPOCHS, ENTRIES, EPOCH, FORMAT, GROWING, INODES, LAST_EPOCH, LAYOUT, MARK, META, STORES,
    chunk_range, ended_key, number, whole_number,
};
use super::transaction::{Access, end, transaction, unless_failed};
use super::trouble::{Attempt, Trouble};
use crate::collections::sorted_map::SortedMap;
use crate::collections::u64_set::U64Set;
use crate::error::Error;
use crate::fs::FilePath;
use crate::fs::directory::{Directory, InodeId};
use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbRequest, IdbTransaction};

/// Storages refuse with `quota` for a while after files were removed from them, as some browsers remove them later: so often, and
/// after such a pause, a database is taken over again.
const ATTEMPTS_WITHOUT_ROOM: usize = 10;
const PAUSE_WITHOUT_ROOM_MS: i32 = 500;

/// Files of one writer are numbered from its epoch times this on, so that a reader never takes one for another that was
/// removed.
const FILES_OF_AN_EPOCH: u64 = 1 << 32;
/// The last epoch that gets numbers of its own: they have to stay below 2^53.
const LAST_NUMBERED_EPOCH: u64 = 1 << 20;

/// The small numbers of `meta`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Which database of this name it is; 0 for one that was made before there were marks.
    pub mark: u64,
    /// How often a writer has opened the database.
    pub epoch: u64,
    /// Commits since the database was created, but for those that only removed and found no room for the count.
    pub commits: u64,
    /// Names of files. Between two equal counts of commits they only become fewer.
    pub entries: u64,
}

/// A database as one transaction saw it.
pub(super) struct Stored {
    pub standing: Standing,
    pub directory: Directory,
}

/// Makes the database this writer's own, and clears what the last one did not finish. What that left may be all that fills the
/// storage, so that there is no room for the new epoch before it is cleared.
pub(super) async fn take_over(name: &str, db: &IdbDatabase) -> Attempt<Stored> {
    let mut taken = take_over_once(name, db).await;
    for _ in 0..ATTEMPTS_WITHOUT_ROOM {
        if !taken.as_ref().is_err_and(Trouble::is_want_of_room) {
            break;
        }
        clear_without_room(db).await?;
        sleep(PAUSE_WITHOUT_ROOM_MS).await;
        taken = take_over_once(name, db).await;
    }
    taken
}

async fn take_over_once(name: &str, db: &IdbDatabase) -> Attempt<Stored> {
    // Relaxed, as an epoch need not outlive the writers that it keeps apart.
    let transaction = transaction(db, &STORES, Access::Write)?;
    let taken = take_over_within(name, &transaction).await;
    let (standing, (directory, orphans)) = unless_failed(&transaction, taken)?;
    unless_failed(&transaction, clear(&transaction, orphans))?;
    finish_transaction(&transaction).await?;
    Ok(Stored { standing, directory })
}

async fn take_over_within(name: &str, transaction: &IdbTransaction) -> Attempt<(Standing, (Directory, Vec<InodeId>))> {
    let before = standing_of(name, ask_standing(transaction)?).await?;
    let standing = Standing { epoch: before.epoch + 1, ..before };
    let meta = transaction.object_store(META)?;
    for key in [EPOCH, LAST_EPOCH] {
        meta.put_with_key(&number(standing.epoch), &key.into())?;
    }
    meta.put_with_key(&1.into(), &ended_key(before.epoch))?;
    if let Some(long_ended) = before.epoch.checked_sub(ENDED_EPOCHS) {
        meta.delete(&ended_key(long_ended))?;
    }
    let first_file = standing.epoch.min(LAST_NUMBERED_EPOCH) * FILES_OF_AN_EPOCH;
    Ok((standing, directory_of(ask_directory(transaction)?, first_file).await?))
}

/// Clears what the last writer did not finish, in a transaction that only removes, which browsers let pass without any room. Its
/// epoch goes with it: should that writer wake up, it must not commit files that have lost their chunks.
async fn clear_without_room(db: &IdbDatabase) -> Attempt<()> {
    let transaction = transaction(db, &STORES, Access::Write)?;
    let meta = transaction.object_store(META)?;
    let (last_epoch, columns) = (meta.get(&LAST_EPOCH.into())?, ask_directory(&transaction)?);
    // The count of epochs has no second place in databases of earlier builds.
    if finish(&last_epoch).await?.is_undefined() {
        return Ok(());
    }
    let found = directory_of(columns, 0).await;
    let (_, orphans) = unless_failed(&transaction, found)?;
    let cleared = meta.delete(&EPOCH.into()).map_err(Trouble::from).and_then(|_| clear(&transaction, orphans));
    unless_failed(&transaction, cleared)?;
    finish_transaction(&transaction).await
}

/// The last requests of a taking over.
fn clear(transaction: &IdbTransaction, orphans: Vec<InodeId>) -> Attempt<()> {
    for orphan in orphans {
        transaction.object_store(INODES)?.delete(&number(orphan))?;
        transaction.object_store(CHUNKS)?.delete(&chunk_range(orphan, 0.0, f64::INFINITY)?)?;
    }
    Ok(end(transaction)?)
}

/// Reads the directory without changing anything, unless there was no commit since `seen`.
pub(super) async fn look(name: &str, db: &IdbDatabase, seen: Option<Standing>) -> Attempt<Option<Stored>> {
    if let Some(seen) = seen {
        let now = standing(name, db).await?;
        if (now.commits, now.entries) == (seen.commits, seen.entries) {
            return Ok(None);
        }
    }
    // Both of one instant, and all asked for at once, so that the writer need not wait for this tab, should it be put to sleep.
    let transaction = transaction(db, &[META, ENTRIES, INODES], Access::Read)?;
    let (numbers, columns) = (ask_standing(&transaction)?, ask_directory(&transaction)?);
    end(&transaction)?;
    let standing = standing_of(name, numbers).await?;
    let (directory, _) = directory_of(columns, 0).await?;
    Ok(Some(Stored { standing, directory }))
}

/// Who owns the database, and how many commits there were.
pub(super) async fn standing(name: &str, db: &IdbDatabase) -> Attempt<Standing> {
    standing_of(name, ask_standing(&transaction(db, &[META, ENTRIES], Access::Read)?)?).await
}

fn ask_standing(transaction: &IdbTransaction) -> Attempt<[IdbRequest; 6]> {
    let meta = transaction.object_store(META)?;
    let get = |key: &str| meta.get(&key.into());
    // Answers come in this order, and are waited for in it.
    let entries = transaction.object_store(ENTRIES)?;
    Ok([get(LAYOUT)?, get(MARK)?, get(EPOCH)?, get(LAST_EPOCH)?, get(COMMITS)?, entries.count()?])
}

async fn standing_of(
    name: &str,
    [layout, mark, epoch, last_epoch, commits, entries]: [IdbRequest; 6],
) -> Attempt<Standing> {
    let layout = finish(&layout).await?.as_f64();
    if layout != Some(f64::from(FORMAT)) {
        return Err(other_layout(name, layout).into());
    }
    let count = |value: JsValue, what| if value.is_undefined() { Ok(0) } else { whole_number(&value, what) };
    let mark = count(finish(&mark).await?, "mark")?;
    let (epoch, last_epoch) = (finish(&epoch).await?, finish(&last_epoch).await?);
    Ok(Standing {
        mark,
        epoch: count(if epoch.is_undefined() { last_epoch } else { epoch }, "epoch")?,
        commits: count(finish(&commits).await?, "count of commits")?,
        entries: count(finish(&entries).await?, "count of names")?,
    })
}

fn ask_directory(transaction: &IdbTransaction) -> Attempt<[IdbRequest; 4]> {
    let entries = transaction.object_store(ENTRIES)?;
    let inodes = transaction.object_store(INODES)?;
    Ok([entries.get_all_keys()?, entries.get_all()?, inodes.get_all_keys()?, inodes.get_all()?])
}

/// The directory, and the files that were still growing.
async fn directory_of(requests: [IdbRequest; 4], first_file: u64) -> Attempt<(Directory, Vec<InodeId>)> {
    let mut columns = Vec::new();
    for request in &requests {
        columns.push(Array::from(&finish(request).await?));
    }
    let mut sizes = SortedMap::new();
    let mut growing = Vec::new();
    for (id, size) in columns[2].iter().zip(columns[3].iter()) {
        let id = whole_number(&id, "number of a file")?;
        if size.as_f64() == Some(GROWING) {
            growing.push(id);
        } else {
            sizes.insert(id, whole_number(&size, "size of a file")?);
        }
    }
    let mut paths = SortedMap::new();
    let mut named = U64Set::new();
    for (path, id) in columns[0].iter().zip(columns[1].iter()) {
        let path = path.as_string().ok_or_else(|| Error::corrupt("IndexedDB: a path is no text"))?;
        let path = FilePath::new(&path).map_err(|error| Error::corrupt(error.message()))?;
        let id = whole_number(&id, "number of a file")?;
        named.insert(id);
        paths.insert(path, id);
    }
    // The last name and the size go in one transaction.
    if let Some((id, size_bytes)) = sizes.iter().find(|(id, _)| !named.contains(**id)) {
        return Err(Error::corrupt(format!(
            "IndexedDB: file {id} of {size_bytes} bytes has no name: the browser or another program has removed a part of the database"
        ))
        .into());
    }
    let mut directory = Directory::restore(paths, &sizes)?;
    directory.reserve_inodes(first_file);
    Ok((directory, growing))
}
