//! Opening: a connection within a deadline, a look at what is stored before anything is written, and the taking over.

use super::{CHUNKS, ENTRIES, FORMAT, META, PREFIX, STORES, Trouble, chunk_range, number, whole_number};
use crate::collections::sorted_map::SortedMap;
use crate::collections::u64_set::U64Set;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::fs::directory::{Directory, InodeId};
use js_sys::{Array, Function, Promise, Reflect};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbFactory, IdbRequest, IdbTransaction};

/// So long the browser may take for one step. Other tabs can hold up any of them: one that deletes the database and waits for
/// a third, or one that was frozen in the midst of a transaction.
const DEADLINE_MS: i32 = 10_000;

/// Storages refuse with `quota` for a while after files were removed from them, as some browsers remove them later: so often, and
/// after such a pause, a database is taken over again.
const ATTEMPTS_WITHOUT_ROOM: usize = 10;
const PAUSE_WITHOUT_ROOM_MS: i32 = 500;

/// Keys of `meta`.
pub(super) const EPOCH: &str = "epoch";
/// The greatest epoch there has been. It stays when the other is removed, so that none comes twice.
const LAST_EPOCH: &str = "lastEpoch";
pub(super) const COMMITS: &str = "commits";
const LAYOUT: &str = "format";

/// Size of a file that still grows. Nothing leads to it; when its writer is gone, it is cleared.
pub(super) const GROWING: f64 = -1.0;

/// Files of one writer are numbered from its epoch times this on, so that a reader never takes one for another that was
/// removed.
const FILES_OF_AN_EPOCH: u64 = 1 << 32;
/// The last epoch that gets numbers of its own: they have to stay below 2^53.
const LAST_NUMBERED_EPOCH: u64 = 1 << 20;

/// What a transaction is for. A durable one is on disk when it completes.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Read,
    Write,
    WriteDurably,
}

/// The small numbers of `meta`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
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

// ---- the connection ----------------------------------------------------------------------------------------------------

/// `indexedDB` of the window or the worker.
pub(super) fn factory() -> Result<IdbFactory> {
    match Reflect::get(&js_sys::global(), &"indexedDB".into()) {
        Ok(found) if found.is_object() => Ok(found.unchecked_into()),
        Ok(_) => Err(kept_out("it has no IndexedDB")),
        Err(refused) => Err(kept_out(&format!("{refused:?}"))),
    }
}

fn kept_out(why: &str) -> Error {
    let what_to_do =
        "allow this site to store data, leave the private window, or open the database with storage \"memory\"";
    Error::new(ErrorKind::Unsupported, format!("this browser keeps no data for this page ({why}); {what_to_do}"))
}

/// Connects to the database of this name, and creates it if it may. `NotFound` when it would have to.
pub(super) async fn connect(name: &str, may_create: bool) -> Attempt<IdbDatabase> {
    let request =
        factory()?.open_with_u32(&format!("{PREFIX}{name}"), FORMAT).map_err(|refused| open_error(&refused))?;
    let (may_create, is_missing) = (Rc::new(Cell::new(may_create)), Rc::new(Cell::new(false)));
    let on_upgrade = Closure::<dyn FnMut()>::new({
        let (request, may_create, is_missing) = (request.clone(), may_create.clone(), is_missing.clone());
        move || {
            // Without its stores the database is of no use, and whoever looks for them says so.
            let Ok(db) = request.result().map(IdbDatabase::from) else { return };
            // There is no earlier layout, so that a database without stores is a new one.
            if may_create.get() {
                for store in STORES {
                    let _ = db.create_object_store(store);
                }
                if let Some(meta) = request.transaction().and_then(|creating| creating.object_store(META).ok()) {
                    let _ = meta.put_with_key(&FORMAT.into(), &LAYOUT.into());
                }
            } else if let Some(creating) = request.transaction() {
                is_missing.set(true);
                let _ = creating.abort();
            }
        }
    });
    request.set_onupgradeneeded(Some(on_upgrade.as_ref().unchecked_ref()));
    let outcome = finish(&request).await;
    let db: IdbDatabase = match outcome {
        Ok(db) => db.unchecked_into(),
        Err(Trouble::Refused(refused)) if is_version_error(&refused) => return Err(other_version(name).await.into()),
        Err(_) if is_missing.get() => {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no database \"{name}\"")).into());
        }
        Err(Trouble::Refused(refused)) => return Err(open_error(&refused).into()),
        Err(trouble) => {
            // Should it be opened after all, nobody wants it any more, and it would stand in others' way.
            may_create.set(false);
            on_upgrade.forget();
            let close = Closure::once_into_js({
                let request = request.clone();
                move || request.result().map(|db| IdbDatabase::from(db).close()).unwrap_or_default()
            });
            request.set_onsuccess(Some(close.unchecked_ref()));
            return Err(trouble);
        }
    };
    let there = Reflect::get(&db, &"objectStoreNames".into()).map(|names| Array::from(&names)).unwrap_or_default();
    match STORES.iter().find(|store| !there.includes(&JsValue::from_str(store), 0)) {
        None => {
            request.set_onupgradeneeded(None);
            Ok(db)
        }
        Some(missing) => {
            db.close();
            Err(Error::corrupt(format!(
                "the database \"{name}\" has no object store {missing:?}: the browser or another program has removed a part of it. Nothing was changed; destroy(\"{name}\") begins anew"
            ))
            .into())
        }
    }
}

/// Why a browser does not open a database.
fn open_error(refused: &JsValue) -> Error {
    match name_of(refused).as_str() {
        // Sandboxed frames, storage switched off, private windows: browsers differ in the word for it.
        "SecurityError" | "InvalidStateError" | "NotAllowedError" | "NotSupportedError" => {
            kept_out(&Trouble::describe(refused))
        }
        _ => Trouble::from(refused.clone()).into(),
    }
}

fn is_version_error(refused: &JsValue) -> bool {
    name_of(refused) == "VersionError"
}

pub(super) fn name_of(thrown: &JsValue) -> String {
    Reflect::get(thrown, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default()
}

/// The version of IndexedDB's is the layout's.
async fn other_version(name: &str) -> Error {
    let version_of = |entry: JsValue| {
        let own = Reflect::get(&entry, &"name".into()).ok()?.as_string()?.strip_prefix(PREFIX)? == name;
        Reflect::get(&entry, &"version".into()).ok()?.as_f64().filter(|_| own)
    };
    let layout = listing().await.ok().and_then(|entries| entries.iter().find_map(version_of));
    other_layout(name, layout)
}

fn other_layout(name: &str, layout: Option<f64>) -> Error {
    let layout = layout.map_or_else(|| format!("later than {FORMAT}"), |layout| layout.to_string());
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the database \"{name}\" was written by another version of this package: its layout is {layout}, this version knows {FORMAT}. Nothing was changed; open it with the version that wrote it"
        ),
    )
}

/// What `indexedDB.databases()` says; nothing where there is no such call.
pub(super) async fn listing() -> Result<Array> {
    let factory = factory()?;
    let Some(databases) =
        Reflect::get(&factory, &"databases".into()).ok().and_then(|found| found.dyn_into::<Function>().ok())
    else {
        return Ok(Array::new());
    };
    let promise = databases.call0(&factory).map_err(Trouble::from)?;
    Ok(Array::from(&in_time(Promise::resolve(&promise)).await?))
}

// ---- what is stored ----------------------------------------------------------------------------------------------------

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
        transaction.object_store(super::INODES)?.delete(&number(orphan))?;
        transaction.object_store(CHUNKS)?.delete(&chunk_range(orphan, 0.0, f64::INFINITY)?)?;
    }
    Ok(end(transaction)?)
}

/// Undoes a transaction that was not put together as a whole. What there is of it would come to its end by itself else.
pub(super) fn unless_failed<T>(transaction: &IdbTransaction, outcome: Attempt<T>) -> Attempt<T> {
    if outcome.is_err() {
        // It can only fail when the transaction is at its end already.
        let _ = transaction.abort();
    }
    outcome
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
    let transaction = transaction(db, &[META, ENTRIES, super::INODES], Access::Read)?;
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

type Attempt<T> = std::result::Result<T, Trouble>;

fn ask_standing(transaction: &IdbTransaction) -> Attempt<[IdbRequest; 5]> {
    let meta = transaction.object_store(META)?;
    let get = |key: &str| meta.get(&key.into());
    // Answers come in this order, and are waited for in it.
    let entries = transaction.object_store(ENTRIES)?;
    Ok([get(LAYOUT)?, get(EPOCH)?, get(LAST_EPOCH)?, get(COMMITS)?, entries.count()?])
}

async fn standing_of(name: &str, [layout, epoch, last_epoch, commits, entries]: [IdbRequest; 5]) -> Attempt<Standing> {
    let layout = finish(&layout).await?.as_f64();
    if layout != Some(f64::from(FORMAT)) {
        return Err(other_layout(name, layout).into());
    }
    let count = |value: JsValue, what| if value.is_undefined() { Ok(0) } else { whole_number(&value, what) };
    let (epoch, last_epoch) = (finish(&epoch).await?, finish(&last_epoch).await?);
    Ok(Standing {
        epoch: count(if epoch.is_undefined() { last_epoch } else { epoch }, "epoch")?,
        commits: count(finish(&commits).await?, "count of commits")?,
        entries: count(finish(&entries).await?, "count of names")?,
    })
}

fn ask_directory(transaction: &IdbTransaction) -> Attempt<[IdbRequest; 4]> {
    let entries = transaction.object_store(ENTRIES)?;
    let inodes = transaction.object_store(super::INODES)?;
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

/// `db.transaction(stores, mode, { durability })`; web-sys has it without durability only. Older browsers ignore that.
pub(super) fn transaction(
    db: &IdbDatabase,
    stores: &[&str],
    access: Access,
) -> std::result::Result<IdbTransaction, JsValue> {
    let names: Array = stores.iter().map(|store| JsValue::from_str(store)).collect();
    let (mode, durability) = match access {
        Access::Read => ("readonly", "default"),
        Access::Write => ("readwrite", "relaxed"),
        Access::WriteDurably => ("readwrite", "strict"),
    };
    let options = js_sys::Object::new();
    Reflect::set(&options, &"durability".into(), &durability.into())?;
    let function: Function = Reflect::get(db, &"transaction".into())?.dyn_into()?;
    function.call3(db, &names, &mode.into(), &options)?.dyn_into()
}

/// Lets a transaction that has made all its requests come to its end. It would wait for this tab to look at each answer else, and all
/// that need the same stores with it, however long the tab is put to sleep.
#[expect(deprecated, reason = "an early draft had no such method; all browsers with wasm SIMD have it")]
pub(super) fn end(transaction: &IdbTransaction) -> std::result::Result<(), JsValue> {
    transaction.commit()
}

// ---- promises with a deadline ------------------------------------------------------------------------------------------

/// The result of a request; an await of it does not end the transaction.
pub(super) async fn finish(request: &IdbRequest) -> Attempt<JsValue> {
    let ended = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    let outcome = in_time(ended).await;
    request.set_onsuccess(None);
    request.set_onerror(None);
    match outcome {
        Ok(_) => Ok(request.result()?),
        Err(Trouble::Refused(event)) => Err(Trouble::Refused(request.error()?.map_or(event, JsValue::from))),
        Err(trouble) => Err(trouble),
    }
}

async fn finish_transaction(transaction: &IdbTransaction) -> Attempt<()> {
    let ended = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    let outcome = in_time(ended).await;
    transaction.set_oncomplete(None);
    transaction.set_onabort(None);
    match outcome {
        Ok(_) => Ok(()),
        Err(Trouble::Refused(event)) => Err(transaction.error().map_or(event, JsValue::from).into()),
        Err(trouble) => Err(trouble),
    }
}

/// What a promise comes to, unless the browser takes too long.
async fn in_time(promise: Promise) -> Attempt<JsValue> {
    // An object that nothing else resolves with.
    let late: JsValue = js_sys::Object::new().into();
    let timer = after(DEADLINE_MS, &late);
    match JsFuture::from(Promise::race(&Array::of2(&promise, &timer))).await {
        Ok(value) if value == late => Err(Trouble::Stalled),
        Ok(value) => Ok(value),
        Err(refused) => Err(Trouble::Refused(refused)),
    }
}

/// Waits.
pub(super) async fn sleep(ms: i32) {
    // It is never rejected.
    let _ = JsFuture::from(after(ms, &JsValue::UNDEFINED)).await;
}

/// A timer that ends with this value: one that is set keeps all of a database's memory, though the database was closed.
pub(super) struct Timer(JsValue);

impl Timer {
    /// Starts a timer, and a promise that resolves when it is due.
    pub(super) fn start(ms: i32) -> (Self, Promise) {
        let mut id = JsValue::UNDEFINED;
        let passed = Promise::new(&mut |resolve, _| {
            if let Some(set_timeout) = global_function("setTimeout") {
                id = set_timeout.call2(&js_sys::global(), &resolve, &ms.into()).unwrap_or_default();
            }
        });
        (Self(id), passed)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(clear_timeout) = global_function("clearTimeout") {
            let _ = clear_timeout.call1(&js_sys::global(), &self.0);
        }
    }
}

/// Windows and workers have it.
fn global_function(name: &str) -> Option<Function> {
    Reflect::get(&js_sys::global(), &name.into()).ok().and_then(|found| found.dyn_into::<Function>().ok())
}

/// A promise that resolves with `value` after some time.
fn after(ms: i32, value: &JsValue) -> Promise {
    Promise::new(&mut |resolve, _| {
        if let Some(set_timeout) = global_function("setTimeout") {
            let _ = set_timeout.call3(&js_sys::global(), &resolve, &ms.into(), value);
        }
    })
}
