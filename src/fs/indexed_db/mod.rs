//! Files in a browser's IndexedDB, in a window or a worker.
//!
//! The database `sandglass:<name>` has four object stores:
//!
//! | store     | key                          | value                                                        |
//! | ---       | ---                          | ---                                                          |
//! | `entries` | path                         | the number of the file                                       |
//! | `inodes`  | the number of the file       | its size in bytes, or -1 while it grows                      |
//! | `chunks`  | [number of the file, index]  | [`CHUNK_BYTES`] as a `Blob`, the last shorter; `Uint8Array` below [`BLOB_BYTES`] |
//! | `meta`    | `format`, `commits`          | 1; commits since the first                                   |
//! |           | `epoch`, `lastEpoch`         | how often a writer has opened it; the same (`connect.rs`)    |
//!
//! A hard link is a second entry with the same number. The first two stores are held in memory while the database is open, so
//! that listing and the checks of a commit need no answer from the browser; contents are only ever read from it.
//!
//! Unpublished files are known in memory alone, their full chunks are stored as they fill. A commit is one transaction:
//! the tails of the files it publishes, the entries, and the count of commits. What was still growing when its writer ended is
//! cleared by the next one: nobody could have committed it any more.
//!
//! Every writing transaction checks that the epoch is still the one that began when the database was opened here. A writer that
//! was put to sleep and has lost its lock meanwhile thus can't overwrite what its successor did. It is told so once and for all.
//!
//! Who opens for reading takes no epoch and writes nothing. It looks at the counts of commits and of entries to see whether there
//! is news.
//!
//! A full storage still lets things be removed, if nothing at all is written with it. So a commit that only removes goes without its
//! count when there is no room for that.
//!
//! A connection can be lost at any time. It is made anew, and what was under way is tried again. Nobody knows of a commit whether
//! it took place before the end; the count of commits tells.

mod connect;

use super::directory::{CommitPlan, Directory, InodeId};
use super::memory::check_range;
use super::overlay::{self, Overlay};
use super::{Completion, FilePath, FileSystem, FileSystemStats, Notice, OpId, Reply, Request};
use crate::collections::sort;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use connect::{
    Access, COMMITS, EPOCH, GROWING, Standing, Stored, connect, factory, listing, look, transaction, unless_failed,
};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, IdbDatabase, IdbKeyRange, IdbRequest, IdbTransaction};

/// Bytes of a chunk, the unit in which files are stored.
pub const CHUNK_BYTES: usize = 128 << 10;

/// Chunks from this size on are stored as a `Blob`, of which a range can be read without the rest, at the price of a second step.
/// Whoever wants a block of a few kilobytes gets no more than that.
///
/// Browsers keep a `Blob` in a file of its own, where Chromium keeps other values of up to 64 KiB in its log-structured index. An
/// index that has to be rewritten on a full disk can be lost with all that is in it, and so can one whose writer is killed in the midst
/// of a long record, so only small pieces may go there.
pub const BLOB_BYTES: usize = 4 << 10;

/// An unpublished file's bytes are stored when so many have come together: a transaction costs about as much as 100 KB, and a flush.
const PUT_BYTES: usize = 8 * CHUNK_BYTES;

const PREFIX: &str = "sandglass:";
const ENTRIES: &str = "entries";
const INODES: &str = "inodes";
const CHUNKS: &str = "chunks";
const META: &str = "meta";
const STORES: [&str; 4] = [ENTRIES, INODES, CHUNKS, META];
/// The layout of the stores; also the version of the database.
const FORMAT: u32 = 1;

const STALLED: &str = "IndexedDB does not answer: another tab is deleting the database or was put to sleep while it used it; close the other tabs of this site and try again";

/// How often it is looked whether the browser gets on with what is under way, and how many looks an operation outlives. A timer that
/// counts looks is not misled by a computer that was put to sleep, as a clock would be. It is longer than a busy disk takes.
const LOOK_MS: i32 = 10_000;
const MAX_LOOKS: usize = 3;

/// How often an operation is tried again after the connection was lost.
const MAX_FAILURES: usize = 5;
/// How long to wait before each further attempt at a new connection.
const PAUSES_MS: [i32; 5] = [0, 50, 250, 1_000, 4_000];

/// A database's files in IndexedDB.
pub struct IndexedDbFileSystem(Rc<Shared>);

struct Shared {
    state: RefCell<State>,
    /// Called when completions have become known outside of `submit` and `poll`. Must not call back into the engine.
    notify: Box<dyn Fn()>,
}

struct State {
    name: String,
    connection: Option<Connection>,
    is_reopening: bool,
    /// Somebody looks from time to time whether the browser gets on.
    watch: Option<connect::Timer>,
    /// How often in a row there was no new connection, for all pauses and attempts.
    rounds_in_vain: usize,
    /// Why nothing can be done any more.
    closed: Option<Error>,
    standing: Standing,
    directory: Directory,
    /// What is done to the files of another one, who writes them.
    overlay: Option<Overlay>,
    growing: SortedMap<InodeId, Growing>,
    /// Operations in the order of submission, those under way among them.
    pending: Vec<Pending>,
    done: Vec<Completion>,
    /// Handlers that may be running at this moment; dropped at the next poll.
    retired: Vec<Flight>,
    /// Likewise for the handlers of a connection.
    lost_connection: Option<Connection>,
    stats: FileSystemStats,
    /// Observers were told that something is wrong with the storage, and not yet that it is over.
    is_in_trouble: bool,
    notices: Vec<Notice>,
}

/// An unpublished file: how many chunks are stored, and what comes behind them.
#[derive(Default)]
struct Growing {
    chunks: u64,
    tail: Vec<u8>,
}

struct Pending {
    op: OpId,
    request: Request,
    flight: Option<Flight>,
    /// Something is awaited that is no transaction: the look for news, which takes several, or the bytes of a `Blob`.
    is_awaited: bool,
    /// So often it was found to be under way.
    looks: usize,
    failures: usize,
    /// A commit that only removes, and that the storage has refused for want of room. It is not counted, since that would write.
    is_uncounted: bool,
    /// A commit that may have taken place before the connection was lost.
    in_doubt: Option<CommitPlan>,
    /// What it fails with if it turns out not to have taken place: it was tried often enough.
    given_up: Option<Error>,
}

/// An operation that waits for the browser. Its handlers live as long as it does.
struct Flight {
    transaction: IdbTransaction,
    request: Option<IdbRequest>,
    handlers: Vec<Handler>,
    effect: Effect,
    epoch: Rc<Cell<Epoch>>,
}

/// What a writing transaction has found of the epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Epoch {
    /// Nothing yet: the transaction is not at its end.
    Unknown,
    /// This writer's, so that nothing stands in the way of its end.
    Own,
    /// That of another one.
    Others,
}

type Handler = Closure<dyn FnMut()>;

/// What becomes true when the browser has done its part.
enum Effect {
    Read { inode: InodeId, range: Range<u64> },
    Append { inode: InodeId, created: bool, grown: Growing },
    Commit(CommitPlan),
}

enum Step {
    Done(Reply),
    UnderWay(Flight),
}

/// Why a call of the browser failed.
enum Trouble {
    /// The connection is gone; a new one may do.
    Lost,
    /// The browser does not answer, most likely since another tab stands in the way. It may answer later.
    Stalled,
    Failed(Error),
    /// What the browser has thrown.
    Refused(JsValue),
}

impl Trouble {
    /// The name and the message of what was thrown.
    fn describe(thrown: &JsValue) -> String {
        let message = Reflect::get(thrown, &"message".into()).ok().and_then(|text| text.as_string());
        format!("{}: {}", connect::name_of(thrown), message.unwrap_or_else(|| format!("{thrown:?}")))
    }

    /// As an error of who opens or deletes a database: what stands in the way is for people to remove. Later on it is no reason
    /// to end the database, and only `Storage`.
    fn at_opening(self) -> Error {
        match self {
            Self::Stalled => Error::new(ErrorKind::Locked, STALLED),
            trouble => trouble.into(),
        }
    }

    fn is_want_of_room(&self) -> bool {
        match self {
            Self::Failed(error) => error.kind() == ErrorKind::Quota,
            Self::Refused(thrown) => is_want_of_room(thrown),
            Self::Lost | Self::Stalled => false,
        }
    }

    /// Whether a new connection may do.
    fn is_loss(&self) -> bool {
        match self {
            Self::Lost => true,
            Self::Stalled | Self::Failed(_) => false,
            Self::Refused(thrown) => matches!(
                connect::name_of(thrown).as_str(),
                "InvalidStateError" | "UnknownError" | "AbortError" | "TransactionInactiveError" | "NotReadableError"
            ),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<JsValue> for Trouble {
    fn from(thrown: JsValue) -> Self {
        Self::Refused(thrown)
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let thrown = match trouble {
            Trouble::Lost => return Error::new(ErrorKind::Storage, "IndexedDB: the browser has closed the connection"),
            Trouble::Stalled => return Error::new(ErrorKind::Storage, STALLED),
            Trouble::Failed(error) => return error,
            Trouble::Refused(thrown) => thrown,
        };
        let kind = match connect::name_of(&thrown).as_str() {
            _ if is_want_of_room(&thrown) => ErrorKind::Quota,
            // An object store is gone.
            "NotFoundError" => ErrorKind::Corrupt,
            _ => ErrorKind::Storage,
        };
        Error::new(kind, format!("IndexedDB: {}", Trouble::describe(&thrown)))
    }
}

/// Chromium has another name for it when it finds the disk full while it writes the file of a `Blob`.
fn is_want_of_room(thrown: &JsValue) -> bool {
    match connect::name_of(thrown).as_str() {
        "QuotaExceededError" => true,
        "DataError" => Trouble::describe(thrown).contains("(IOError)"),
        _ => false,
    }
}

type Attempt<T> = std::result::Result<T, Trouble>;

impl IndexedDbFileSystem {
    /// Opens or creates a database to write it, and reads its directory. `notify` is called, from the browser's event loop,
    /// whenever [`FileSystem::poll`] has something new; it must not call into the file system or the engine, only schedule a call.
    ///
    /// # Errors
    /// `Unsupported` where the browser keeps no data and for a database of another version, `Corrupt` for a directory that is
    /// none, `Locked` when others hold up the browser for too long, `Storage` and `Quota` when it refuses. Nothing is changed then.
    pub async fn open(name: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let db = connect(name, true).await.map_err(Trouble::at_opening)?;
        match connect::take_over(name, &db).await {
            Ok(stored) => Ok(Self::over(name, db, stored, false, notify)),
            Err(trouble) => {
                db.close();
                Err(trouble.at_opening())
            }
        }
    }

    /// Opens a database that another one writes. Nothing of it is changed; what [`FileSystem`] is asked to change is changed in
    /// memory.
    ///
    /// # Errors
    /// As [`IndexedDbFileSystem::open`], `NotFound` when there is no database yet.
    pub async fn open_for_reading(name: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let db = connect(name, false).await.map_err(Trouble::at_opening)?;
        match look(name, &db, None).await.and_then(|stored| stored.ok_or(Trouble::Lost)) {
            Ok(stored) => Ok(Self::over(name, db, stored, true, notify)),
            Err(trouble) => {
                db.close();
                Err(trouble.at_opening())
            }
        }
    }

    fn over(name: &str, db: IdbDatabase, stored: Stored, for_reading: bool, notify: impl Fn() + 'static) -> Self {
        let Stored { standing, directory } = stored;
        Self(Rc::new_cyclic(|me| Shared {
            state: RefCell::new(State {
                name: name.into(),
                connection: Some(Connection::new(db, me)),
                is_reopening: false,
                watch: None,
                rounds_in_vain: 0,
                closed: None,
                standing,
                overlay: for_reading.then(|| Overlay::over(directory.clone())),
                directory,
                growing: SortedMap::new(),
                pending: Vec::new(),
                done: Vec::new(),
                retired: Vec::new(),
                lost_connection: None,
                stats: FileSystemStats::default(),
                is_in_trouble: false,
                notices: Vec::new(),
            }),
            notify: Box::new(notify),
        }))
    }

    /// Deletes a database; one that does not exist is deleted already. Waits until other tabs have let go of it.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB, `Locked` when other tabs don't let go of it, `Storage` when the browser refuses.
    pub async fn destroy(name: &str) -> Result<()> {
        let request = factory()?.delete_database(&format!("{PREFIX}{name}")).map_err(Trouble::from)?;
        connect::finish(&request).await.map(drop).map_err(Trouble::at_opening)
    }

    /// The names of all databases; empty where the browser can't tell.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB, `Storage` when the browser refuses.
    pub async fn list_databases() -> Result<Vec<String>> {
        let name_of = |entry| Reflect::get(&entry, &"name".into()).ok()?.as_string();
        let mut names: Vec<String> = listing()
            .await?
            .iter()
            .filter_map(|entry| Some(name_of(entry)?.strip_prefix(PREFIX)?.to_owned()))
            .collect();
        sort::sort(&mut names);
        Ok(names)
    }

    /// Lets go of the connection in the midst of all that is under way, as a browser does at times. `and_undoes`: transactions
    /// that have not completed are undone; else they may complete without telling. The next operation makes a new connection.
    pub fn lose_connection(&self, and_undoes: bool) {
        let me = Rc::downgrade(&self.0);
        with_state(&me, |state, me| {
            let flights = state.pending.iter().filter_map(|pending| pending.flight.as_ref());
            for flight in flights.filter(|_| and_undoes) {
                // It can only fail when the transaction is at its end already.
                let _ = flight.transaction.abort();
            }
            state.lose_connection(me);
            state.advance(me);
        });
    }
}

impl FileSystem for IndexedDbFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        let mut state = self.0.state.borrow_mut();
        state.pending.push(Pending {
            op,
            request,
            flight: None,
            is_awaited: false,
            looks: 0,
            failures: 0,
            is_uncounted: false,
            in_doubt: None,
            given_up: None,
        });
        state.advance(&Rc::downgrade(&self.0));
    }

    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        let mut state = self.0.state.borrow_mut();
        state.retired.clear();
        state.lost_connection = None;
        done.append(&mut state.done);
    }

    fn stats(&self) -> FileSystemStats {
        let state = self.0.state.borrow();
        let mut stats = state.stats;
        match &state.overlay {
            Some(overlay) => overlay.count(&mut stats),
            None => state.directory.count(&mut stats),
        }
        stats
    }

    fn take_notices(&mut self, notices: &mut Vec<Notice>) {
        notices.append(&mut self.0.state.borrow_mut().notices);
    }
}

// ---- carrying out ------------------------------------------------------------------------------------------------------

impl State {
    /// Starts every operation that nothing stands in the way of.
    fn advance(&mut self, me: &Weak<Shared>) {
        let mut at = 0;
        while at < self.pending.len() {
            if self.pending[at].flight.is_some() || self.pending[at].is_awaited || !self.may_start(at) {
                at += 1;
                continue;
            }
            if let Some(error) = &self.closed {
                let error = error.clone();
                self.complete(at, Err(error));
                continue;
            }
            if self.connection.is_none() {
                self.reopen(me);
                return;
            }
            if self.overlay.is_some() && matches!(self.pending[at].request, Request::Refresh) {
                self.start_looking(me, at);
                at += 1;
                continue;
            }
            let request = self.pending[at].request.clone();
            match self.start(me, at, &request) {
                Ok(Step::Done(reply)) => self.complete(at, Ok(reply)),
                Ok(Step::UnderWay(flight)) => {
                    self.pending[at].flight = Some(flight);
                    self.pending[at].looks = 0;
                    self.watch(me);
                    at += 1;
                }
                Err(trouble) => self.stumble(at, trouble),
            }
        }
    }

    /// Commits go one at a time; everything else only waits for operations on the same files.
    fn may_start(&self, at: usize) -> bool {
        let request = &self.pending[at].request;
        let is_commit = |request: &Request| matches!(request, Request::Commit { .. });
        !self.pending[..at]
            .iter()
            .any(|before| (is_commit(request) && is_commit(&before.request)) || request.must_follow(&before.request))
    }

    fn complete(&mut self, at: usize, result: Result<Reply>) {
        let pending = self.pending.remove(at);
        self.retired.extend(pending.flight);
        self.stats.operations += 1;
        self.done.push(Completion { op: pending.op, result });
    }

    /// Looks from time to time whether the browser gets on, as long as something is under way. A transaction that another tab began
    /// before it was put to sleep holds up all that need the same stores.
    fn watch(&mut self, me: &Weak<Shared>) {
        if self.watch.is_some() {
            return;
        }
        let (timer, passed) = connect::Timer::start(LOOK_MS);
        self.watch = Some(timer);
        let me = me.clone();
        spawn_local(async move {
            let mut next = Some(passed);
            while let Some(passed) = next.take() {
                // It is never rejected.
                let _ = JsFuture::from(passed).await;
                with_state(&me, |state, me| {
                    state.give_up_what_stalls();
                    state.advance(me);
                    state.watch = None;
                    if state.pending.iter().any(|pending| !pending.waits()) {
                        let (timer, passed) = connect::Timer::start(LOOK_MS);
                        state.watch = Some(timer);
                        next = Some(passed);
                    }
                });
            }
        });
    }

    fn give_up_what_stalls(&mut self) {
        let mut stalled = Vec::new();
        for pending in self.pending.iter_mut().filter(|pending| !pending.waits()) {
            pending.looks += 1;
            if pending.looks >= MAX_LOOKS {
                stalled.push(pending.op);
            }
        }
        for op in stalled {
            let Some(at) = self.pending.iter().position(|pending| pending.op == op) else { continue };
            self.pending[at].is_awaited = false;
            let Some(mut flight) = self.pending[at].flight.take() else {
                self.stumble(at, Trouble::Stalled);
                continue;
            };
            // Before the epoch is known a transaction can't come to its end, and so not behind our back either.
            let is_undone = flight.transaction.abort().is_ok() && flight.epoch.get() == Epoch::Unknown;
            self.conclude(at, &mut flight, Err(Trouble::Stalled), !is_undone);
        }
    }

    /// An operation failed: for good, or the connection did and the operation is tried again on a new one.
    fn stumble(&mut self, at: usize, trouble: Trouble) {
        if matches!(trouble, Trouble::Stalled) {
            self.trouble(Trouble::Stalled.into());
        }
        let pending = &mut self.pending[at];
        if trouble.is_loss() && pending.failures < MAX_FAILURES {
            pending.failures += 1;
            self.connection = None;
        } else if pending.in_doubt.is_some() {
            // It can't be said to have failed before a new connection has told.
            pending.given_up = Some(trouble.into());
            self.connection = None;
        } else {
            self.complete(at, Err(trouble.into()));
        }
    }

    fn start(&mut self, me: &Weak<Shared>, at: usize, request: &Request) -> Attempt<Step> {
        let op = self.pending[at].op;
        if let Some(overlay) = &mut self.overlay {
            return match (request, overlay.carry_out(request.clone())?) {
                (Request::Read { range, .. }, overlay::Step::Stored(inode)) => self.start_reading(me, at, inode, range),
                (_, overlay::Step::Stored(_)) => Err(Trouble::Lost),
                (_, overlay::Step::Done(reply)) => Ok(Step::Done(reply)),
            };
        }
        match request {
            Request::List { dir } => Ok(Step::Done(Reply::Entries(self.directory.list(dir)))),
            Request::Read { file, range } => {
                let (inode, known) = self.directory.find(file)?;
                check_range(file, range, known.size_bytes)?;
                self.start_reading(me, at, inode, range)
            }
            Request::Append { file, bytes } => {
                let len = bytes.len() as u64;
                let created = self.directory.find(file).is_err();
                let inode = self.directory.append(file, len)?;
                let growing = self.growing.get_or_insert_with(inode, Growing::default);
                if growing.tail.len() + bytes.len() < PUT_BYTES {
                    growing.tail.extend_from_slice(bytes);
                    self.stats.written_bytes += len;
                    return Ok(Step::Done(Reply::Done));
                }
                let started = self.start_append(me, op, inode, created, bytes);
                if started.is_err() {
                    self.take_back_append(file, inode, len, created);
                }
                started.map(Step::UnderWay)
            }
            Request::Refresh => Ok(Step::Done(Reply::Refreshed(false))),
            Request::Commit { changes } => {
                let plan = self.directory.plan(changes)?;
                self.start_commit(me, op, plan, !self.pending[at].is_uncounted).map(Step::UnderWay)
            }
        }
    }

    fn start_reading(&mut self, me: &Weak<Shared>, at: usize, inode: InodeId, range: &Range<u64>) -> Attempt<Step> {
        let op = self.pending[at].op;
        let range = range.clone();
        let stored_chunks = self.growing.get(&inode).map_or(u64::MAX, |growing| growing.chunks);
        let first = range.start / CHUNK_BYTES as u64;
        let end = range.end.div_ceil(CHUNK_BYTES as u64).min(stored_chunks);
        if range.is_empty() || first >= end {
            return Ok(Step::Done(Reply::Bytes(self.assemble(at, inode, &range, &[])?)));
        }
        let transaction = self.transaction(&[CHUNKS], Access::Read)?;
        let chunks = transaction.object_store(CHUNKS)?;
        let request = if first + 1 == end {
            chunks.get(&chunk_key(inode, first as f64))?
        } else {
            chunks.get_all_with_key(&chunk_range(inode, first as f64, (end - 1) as f64)?)?
        };
        let mut flight = Flight::new(transaction, Effect::Read { inode, range });
        let on_success = flight.handler(settles(me, op, true));
        request.set_onsuccess(Some(&on_success));
        flight.request = Some(request);
        let on_abort = flight.handler(settles(me, op, false));
        flight.transaction.set_onabort(Some(&on_abort));
        Ok(Step::UnderWay(flight))
    }

    fn start_append(
        &self,
        me: &Weak<Shared>,
        op: OpId,
        inode: InodeId,
        created: bool,
        bytes: &Bytes,
    ) -> Attempt<Flight> {
        let before = self.growing.get(&inode).ok_or_else(|| Error::corrupt("a file that does not grow"))?;
        let mut writes = Vec::new();
        if before.chunks == 0 {
            writes.push(Write::put(INODES, number(inode), GROWING.into()));
        }
        let mut index = before.chunks;
        let mut put = |chunk: &[u8]| {
            let put =
                chunk_value(chunk).map(|value| writes.push(Write::put(CHUNKS, chunk_key(inode, index as f64), value)));
            index += 1;
            put
        };
        let whole = before.tail.chunks_exact(CHUNK_BYTES);
        let mut tail = whole.remainder().to_vec();
        for chunk in whole {
            put(chunk)?;
        }
        let mut rest = &bytes[..];
        if !tail.is_empty() {
            let fills_chunk = rest.len().min(CHUNK_BYTES - tail.len());
            tail.extend_from_slice(&rest[..fills_chunk]);
            rest = &rest[fills_chunk..];
        }
        if tail.len() == CHUNK_BYTES {
            put(&tail)?;
            tail.clear();
        }
        let whole = rest.chunks_exact(CHUNK_BYTES);
        tail.extend_from_slice(whole.remainder());
        for chunk in whole {
            put(chunk)?;
        }
        let grown = Growing { chunks: index, tail };
        // Durably: browsers flush the file of a `Blob` with the transaction that puts it, and not with the commit that leads to it.
        self.start_writing(
            me,
            op,
            &[CHUNKS, INODES, META],
            Access::WriteDurably,
            &writes,
            Effect::Append { inode, created, grown },
        )
    }

    fn start_commit(&self, me: &Weak<Shared>, op: OpId, plan: CommitPlan, is_counted: bool) -> Attempt<Flight> {
        let mut writes = Vec::new();
        for (&id, inode) in &plan.inodes {
            let Some(inode) = inode else {
                writes.push(Write::delete(INODES, number(id)));
                writes.push(Write::delete(CHUNKS, chunk_range(id, 0.0, f64::INFINITY)?));
                continue;
            };
            let (first, content) = match (self.growing.get(&id), plan.contents.get(&id)) {
                (Some(growing), _) => (growing.chunks, &growing.tail[..]),
                (None, Some(content)) => (0, &content[..]),
                // Only the count of its names has changed, which is not stored.
                (None, None) => continue,
            };
            for (index, chunk) in content.chunks(CHUNK_BYTES).enumerate() {
                writes.push(Write::put(CHUNKS, chunk_key(id, first as f64 + index as f64), chunk_value(chunk)?));
            }
            writes.push(Write::put(INODES, number(id), JsValue::from_f64(inode.size_bytes as f64)));
        }
        for (path, id) in &plan.paths {
            writes.push(Write { store: ENTRIES, key: JsValue::from_str(path.as_str()), value: id.map(number) });
        }
        if is_counted {
            writes.push(Write::put(META, COMMITS.into(), number(self.standing.commits + 1)));
        }
        self.start_writing(me, op, &STORES, Access::WriteDurably, &writes, Effect::Commit(plan))
    }

    /// Begins a transaction when all that goes into it has been made: making a value may fail, in ways that no code here sees, and the
    /// browser would store what it had got until then.
    fn start_writing(
        &self,
        me: &Weak<Shared>,
        op: OpId,
        stores: &[&str],
        access: Access,
        writes: &[Write],
        effect: Effect,
    ) -> Attempt<Flight> {
        let transaction = self.transaction(stores, access)?;
        let mut flight = Flight::new(transaction.clone(), effect);
        let written = writes
            .iter()
            .try_for_each(|write| write.carry_out(&transaction))
            .map_err(Trouble::from)
            .and_then(|()| flight.settle_when_written(me, op, self.standing.epoch));
        unless_failed(&transaction, written)?;
        Ok(flight)
    }

    fn transaction(&self, stores: &[&str], access: Access) -> Attempt<IdbTransaction> {
        let Some(connection) = &self.connection else {
            return Err(Trouble::Lost);
        };
        Ok(transaction(&connection.db, stores, access)?)
    }

    /// The browser has done its part of an operation, or has given it up.
    fn settle(&mut self, me: &Weak<Shared>, op: OpId, success: bool) {
        let Some(at) = self.pending.iter().position(|pending| pending.op == op) else { return };
        let Some(mut flight) = self.pending[at].flight.take() else { return };
        let outcome = if success { self.take_effect(me, at, &mut flight) } else { Err(flight.trouble()) };
        if flight.epoch.get() == Epoch::Others {
            self.closed = Some(fenced());
        }
        if outcome.is_ok() {
            self.answers_again();
        }
        let leaves_doubt = matches!(&outcome, Err(trouble) if trouble.is_loss());
        self.conclude(at, &mut flight, outcome, leaves_doubt);
        self.retired.push(flight);
    }

    /// Draws the consequences. `leaves_doubt`: what failed may have taken place all the same.
    fn conclude(&mut self, at: usize, flight: &mut Flight, outcome: Attempt<Option<Reply>>, leaves_doubt: bool) {
        if let Effect::Commit(plan) = &mut flight.effect
            && leaves_doubt
        {
            self.pending[at].in_doubt = Some(std::mem::take(plan));
        }
        if outcome.is_err()
            && let (Request::Append { file, bytes }, Effect::Append { inode, created, .. }) =
                (&self.pending[at].request, &flight.effect)
        {
            let (file, len) = (file.clone(), bytes.len() as u64);
            self.take_back_append(&file, *inode, len, *created);
        }
        match (outcome, &flight.effect) {
            (Ok(Some(reply)), _) => self.complete(at, Ok(reply)),
            (Ok(None), _) => {}
            // It is tried again at once.
            (Err(trouble), Effect::Commit(plan))
                if trouble.is_want_of_room() && plan.only_removes() && !self.pending[at].is_uncounted =>
            {
                self.pending[at].is_uncounted = true;
            }
            (Err(trouble), _) => self.stumble(at, trouble),
        }
    }

    /// What an operation answers; nothing yet when bytes are still to be fetched.
    fn take_effect(&mut self, me: &Weak<Shared>, at: usize, flight: &mut Flight) -> Attempt<Option<Reply>> {
        match &mut flight.effect {
            Effect::Read { inode, range } => {
                let result = flight.request.as_ref().map_or(Ok(JsValue::UNDEFINED), IdbRequest::result)?;
                let chunks = if Array::is_array(&result) { Array::from(&result) } else { Array::of1(&result) };
                let (pieces, fetching) = pieces(&chunks, range)?;
                if fetching.length() == 0 {
                    return self
                        .assemble(at, *inode, range, &pieces)
                        .map(Reply::Bytes)
                        .map(Some)
                        .map_err(Trouble::from);
                }
                self.start_fetching(me, at, *inode, range.clone(), pieces, &fetching);
                Ok(None)
            }
            Effect::Append { inode, grown, .. } => {
                if let Request::Append { bytes, .. } = &self.pending[at].request {
                    self.stats.written_bytes += bytes.len() as u64;
                }
                self.growing.insert(*inode, std::mem::take(grown));
                Ok(Some(Reply::Done))
            }
            Effect::Commit(plan) => {
                let plan = std::mem::take(plan);
                self.committed(&plan, !self.pending[at].is_uncounted);
                Ok(Some(Reply::Done))
            }
        }
    }

    /// Waits for what is wanted of stored `Blob`s. Their transaction has ended; a `Blob` can be read as long as it is held.
    fn start_fetching(
        &mut self,
        me: &Weak<Shared>,
        at: usize,
        inode: InodeId,
        range: Range<u64>,
        mut pieces: Vec<Piece>,
        fetching: &Array,
    ) {
        self.pending[at].is_awaited = true;
        let (me, op) = (me.clone(), self.pending[at].op);
        let fetched = JsFuture::from(Promise::all(fetching));
        spawn_local(async move {
            let fetched = fetched.await;
            with_state(&me, |state, me| {
                let Some(at) = state.pending.iter().position(|pending| pending.op == op) else { return };
                state.pending[at].is_awaited = false;
                match fetched {
                    Ok(buffers) => {
                        let missing = pieces.iter_mut().filter(|piece| piece.bytes.is_none());
                        for (piece, buffer) in missing.zip(Array::from(&buffers).iter()) {
                            piece.bytes = Some(Uint8Array::new(&buffer));
                        }
                        let bytes = state.assemble(at, inode, &range, &pieces);
                        state.complete(at, bytes.map(Reply::Bytes));
                    }
                    Err(refused) => state.stumble(at, refused.into()),
                }
                state.advance(me);
            });
        });
    }

    /// A commit has taken place.
    fn committed(&mut self, plan: &CommitPlan, is_counted: bool) {
        self.directory.apply(plan);
        for id in plan.inodes.keys() {
            self.growing.remove(id);
        }
        self.standing.commits += u64::from(is_counted);
        self.stats.written_bytes += plan.written_bytes;
        self.stats.commits += 1;
    }

    /// The bytes of a range that an operation wants, from what is stored of its beginning and from the tail of a growing file.
    fn assemble(&mut self, at: usize, inode: InodeId, range: &Range<u64>, pieces: &[Piece]) -> Result<Bytes> {
        let Request::Read { file, .. } = &self.pending[at].request else {
            return Err(Error::new(ErrorKind::Storage, "the operation has changed its kind"));
        };
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(len)
            .map_err(|_| Error::new(ErrorKind::Limit, format!("{file}: {len} bytes don't fit into memory")))?;
        for piece in pieces {
            let Some(stored) = &piece.bytes else { break };
            self.stats.read_bytes += u64::from(stored.length());
            let wanted = stored.subarray(piece.wanted.start, piece.wanted.end);
            let old_len = bytes.len();
            bytes.resize(old_len + wanted.length() as usize, 0);
            wanted.copy_to(&mut bytes[old_len..]);
        }
        if let Some(growing) = self.growing.get(&inode) {
            let tail_at = growing.chunks * CHUNK_BYTES as u64;
            let (from, to) = (range.start.saturating_sub(tail_at), range.end.saturating_sub(tail_at));
            bytes.extend_from_slice(growing.tail.get(from as usize..to as usize).unwrap_or(&[]));
        }
        if bytes.len() != len {
            return Err(Error::corrupt(format!(
                "{file}: {} bytes are stored where {len} were asked for, at {}: the browser or another program has removed a part of the database",
                bytes.len(),
                range.start
            )));
        }
        Ok(bytes.into())
    }

    fn take_back_append(&mut self, file: &FilePath, inode: InodeId, len: u64, created: bool) {
        self.directory.take_back_append(file, inode, len, created);
        if created {
            self.growing.remove(&inode);
        }
    }

    // ---- connection ----------------------------------------------------------------------------------------------------

    /// Makes a new connection in the background, and goes on or gives up all that waits.
    fn reopen(&mut self, me: &Weak<Shared>) {
        if std::mem::replace(&mut self.is_reopening, true) {
            return;
        }
        self.trouble(Trouble::Lost.into());
        let (me, name) = (me.clone(), self.name.clone());
        spawn_local(async move {
            let mut connected = reconnect(&name).await;
            for pause_ms in PAUSES_MS {
                if connected.is_ok() || me.strong_count() == 0 {
                    break;
                }
                connect::sleep(pause_ms).await;
                connected = reconnect(&name).await;
            }
            with_state(&me, |state, me| {
                state.is_reopening = false;
                match connected {
                    Ok((db, standing)) => {
                        state.connection = Some(Connection::new(db, me));
                        state.rounds_in_vain = 0;
                        state.resume(standing);
                        state.answers_again();
                    }
                    Err(trouble) => state.remain_unconnected(trouble.into()),
                }
                state.advance(me);
            });
        });
    }

    /// Gives up all that waits, but for a commit of which nobody knows what has become of it: what is known here may not be what is
    /// stored until that is found out. When it can't be found out for minutes, nothing can be done any more.
    fn remain_unconnected(&mut self, error: Error) {
        self.trouble(Error::new(error.kind(), format!("there is no new connection to IndexedDB: {}", error.message())));
        if error.kind() == ErrorKind::NotFound {
            let reason = "the browser has removed the database, to make room or at the user's wish";
            self.closed = Some(Error::new(ErrorKind::Closed, reason));
            return;
        }
        self.rounds_in_vain += 1;
        let is_over = self.rounds_in_vain > MAX_FAILURES;
        if is_over && self.pending.iter().any(|pending| pending.in_doubt.is_some()) {
            self.closed = Some(unknown_outcome(&error));
            return;
        }
        while let Some(at) = self.pending.iter().position(|pending| pending.waits() && pending.in_doubt.is_none()) {
            self.complete(at, Err(error.clone()));
        }
    }

    fn trouble(&mut self, error: Error) {
        self.is_in_trouble = true;
        self.notices.push(Notice::Trouble(error));
    }

    fn answers_again(&mut self) {
        if std::mem::take(&mut self.is_in_trouble) {
            self.notices.push(Notice::Over);
        }
    }

    /// Finds out what has become of the commit that was under way when the connection was lost.
    fn resume(&mut self, standing: Standing) {
        if self.overlay.is_some() {
            return;
        }
        // Only who reads counts names.
        let standing = Standing { entries: self.standing.entries, ..standing };
        let doubtful =
            self.pending.iter_mut().enumerate().find_map(|(at, pending)| Some((at, pending.in_doubt.take()?)));
        let (at, plan) = doubtful.unzip();
        let expected = Standing { commits: self.standing.commits + 1, ..self.standing };
        match (at, plan) {
            (Some(at), Some(plan)) if standing == expected => {
                self.committed(&plan, true);
                self.complete(at, Ok(Reply::Done));
            }
            // It has not taken place, and is tried again, if not for too long.
            (Some(at), _) if standing == self.standing => {
                match self.pending[at].given_up.take() {
                    // Nobody counted: it may have removed what it was to remove, or not.
                    Some(error) if self.pending[at].is_uncounted => self.closed = Some(unknown_outcome(&error)),
                    Some(error) => self.complete(at, Err(error)),
                    None => {}
                }
            }
            _ if standing == self.standing => {}
            _ => self.closed = Some(fenced()),
        }
    }

    /// The browser has closed the connection: what was under way is tried again.
    fn lose_connection(&mut self, me: &Weak<Shared>) {
        self.lost_connection = self.connection.take();
        let under_way: Vec<OpId> =
            self.pending.iter().filter(|pending| pending.flight.is_some()).map(|pending| pending.op).collect();
        for op in under_way {
            self.settle(me, op, false);
        }
    }

    // ---- reading what another one writes -------------------------------------------------------------------------------

    /// Looks for news in the background.
    fn start_looking(&mut self, me: &Weak<Shared>, at: usize) {
        let Some(connection) = &self.connection else { return };
        self.pending[at].is_awaited = true;
        let (me, op) = (me.clone(), self.pending[at].op);
        let (name, db, seen) = (self.name.clone(), connection.db.clone(), self.standing);
        spawn_local(async move {
            let found = look(&name, &db, Some(seen)).await;
            with_state(&me, |state, me| {
                let Some(at) = state.pending.iter().position(|pending| pending.op == op) else { return };
                state.pending[at].is_awaited = false;
                match found {
                    Ok(found) => {
                        let has_moved = found.is_some();
                        if let Some(Stored { standing, directory }) = found {
                            state.standing = standing;
                            state.overlay = Some(Overlay::over(directory));
                        }
                        state.answers_again();
                        state.complete(at, Ok(Reply::Refreshed(has_moved)));
                    }
                    Err(trouble) => state.stumble(at, trouble),
                }
                state.advance(me);
            });
        });
    }
}

impl Pending {
    /// Whether nothing is being done for it.
    fn waits(&self) -> bool {
        self.flight.is_none() && !self.is_awaited
    }
}

/// A new connection, and what has become of the database meanwhile.
async fn reconnect(name: &str) -> Attempt<(IdbDatabase, Standing)> {
    let db = connect(name, false).await?;
    match connect::standing(name, &db).await {
        Ok(standing) => Ok((db, standing)),
        Err(trouble) => {
            db.close();
            Err(trouble)
        }
    }
}

/// Why a writer can't go on that does not know what is stored.
fn unknown_outcome(error: &Error) -> Error {
    let reason = format!(
        "the connection to IndexedDB was lost during a commit, of which nobody knows what has become ({}); open the database again",
        error.message()
    );
    Error::new(ErrorKind::Closed, reason)
}

/// Why a writer can't write any more.
fn fenced() -> Error {
    let message = "a newer writer has taken the database over, while this one was asleep or had lost its lock; nothing that was not durable is kept. Close this database and open it again";
    Error::new(ErrorKind::Locked, message)
}

/// Runs one step of the file system from the browser's event loop, and tells the owner when there is something to poll.
fn with_state(me: &Weak<Shared>, step: impl FnOnce(&mut State, &Weak<Shared>)) {
    let Some(shared) = me.upgrade() else { return };
    let has_done = {
        let mut state = shared.state.borrow_mut();
        step(&mut state, me);
        !state.done.is_empty() || !state.notices.is_empty()
    };
    if has_done {
        (shared.notify)();
    }
}

fn settles(me: &Weak<Shared>, op: OpId, success: bool) -> impl FnMut() + 'static {
    let me = me.clone();
    move || {
        with_state(&me, |state, me| {
            state.settle(me, op, success);
            state.advance(me);
        });
    }
}

impl Flight {
    fn new(transaction: IdbTransaction, effect: Effect) -> Self {
        Self { transaction, request: None, handlers: Vec::new(), effect, epoch: Rc::new(Cell::new(Epoch::Unknown)) }
    }

    fn handler(&mut self, handle: impl FnMut() + 'static) -> Function {
        let closure = Handler::new(handle);
        let function = closure.as_ref().unchecked_ref::<Function>().clone();
        self.handlers.push(closure);
        function
    }

    /// Settles the operation when the transaction has ended, and lets it end well only while the epoch is the same.
    fn settle_when_written(&mut self, me: &Weak<Shared>, op: OpId, epoch: u64) -> Attempt<()> {
        let request = self.transaction.object_store(META)?.get(&EPOCH.into())?;
        let on_epoch = self.handler({
            let (request, transaction, found) = (request.clone(), self.transaction.clone(), self.epoch.clone());
            move || {
                // This was its last request. Both can only fail when it is at its end already.
                let _ = if request.result().ok().and_then(|stored| stored.as_f64()) == Some(epoch as f64) {
                    found.set(Epoch::Own);
                    connect::end(&transaction)
                } else {
                    found.set(Epoch::Others);
                    transaction.abort()
                };
            }
        });
        request.set_onsuccess(Some(&on_epoch));
        self.request = Some(request);
        let on_complete = self.handler(settles(me, op, true));
        self.transaction.set_oncomplete(Some(&on_complete));
        let on_abort = self.handler(settles(me, op, false));
        self.transaction.set_onabort(Some(&on_abort));
        Ok(())
    }

    /// Why the transaction was aborted.
    fn trouble(&self) -> Trouble {
        if self.epoch.get() == Epoch::Others {
            return Trouble::Failed(fenced());
        }
        match self.transaction.error() {
            Some(error) => JsValue::from(error).into(),
            None => Trouble::Lost,
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
        if let Some(request) = &self.request {
            request.set_onsuccess(None);
        }
    }
}

/// An open connection with its two handlers.
struct Connection {
    db: IdbDatabase,
    _handlers: [Handler; 2],
}

impl Connection {
    fn new(db: IdbDatabase, me: &Weak<Shared>) -> Self {
        let on_close = Handler::new({
            let me = me.clone();
            move || {
                with_state(&me, |state, me| {
                    state.lose_connection(me);
                    state.advance(me);
                });
            }
        });
        let on_version_change = Handler::new({
            let (me, db) = (me.clone(), db.clone());
            move || {
                // Transactions under way still end well.
                db.close();
                with_state(&me, |state, me| {
                    let reason = "the database is being deleted or upgraded by another tab";
                    state.closed = Some(Error::new(ErrorKind::Closed, reason));
                    state.advance(me);
                });
            }
        });
        db.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        db.set_onversionchange(Some(on_version_change.as_ref().unchecked_ref()));
        Self { db, _handlers: [on_close, on_version_change] }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.db.set_onclose(None);
        self.db.set_onversionchange(None);
        self.db.close();
    }
}

// ---- keys and values ---------------------------------------------------------------------------------------------------

fn chunk_key(inode: InodeId, index: f64) -> JsValue {
    Array::of2(&number(inode), &index.into()).into()
}

/// What is stored of a chunk. The browser gets a copy: it keeps the bytes longer than this memory stays where it is.
fn chunk_value(bytes: &[u8]) -> std::result::Result<JsValue, JsValue> {
    let copy = Uint8Array::from(bytes);
    if bytes.len() < BLOB_BYTES {
        return Ok(copy.into());
    }
    Blob::new_with_u8_array_sequence(&Array::of1(&copy)).map(JsValue::from)
}

/// One step of a transaction.
struct Write {
    store: &'static str,
    /// One key, or a range of keys of what is removed.
    key: JsValue,
    /// Absent when it is removed.
    value: Option<JsValue>,
}

impl Write {
    fn put(store: &'static str, key: JsValue, value: JsValue) -> Self {
        Self { store, key, value: Some(value) }
    }

    fn delete(store: &'static str, key: JsValue) -> Self {
        Self { store, key, value: None }
    }

    fn carry_out(&self, transaction: &IdbTransaction) -> std::result::Result<(), JsValue> {
        let store = transaction.object_store(self.store)?;
        match &self.value {
            Some(value) => store.put_with_key(value, &self.key).map(drop),
            None => store.delete(&self.key).map(drop),
        }
    }
}

/// What is wanted of a stored chunk.
struct Piece {
    /// What was read of it; nothing while it is fetched.
    bytes: Option<Uint8Array>,
    /// Where in that the wanted bytes lie.
    wanted: Range<u32>,
}

/// What a range wants of the chunks from its first one on, and the promises of what is in `Blob`s. It ends early where a chunk
/// is none, or where what follows is not where it seems to be.
fn pieces(chunks: &Array, range: &Range<u64>) -> Attempt<(Vec<Piece>, Array)> {
    let (mut pieces, fetching) = (Vec::new(), Array::new());
    let mut chunk_at = range.start / CHUNK_BYTES as u64 * CHUNK_BYTES as u64;
    for chunk in chunks.iter() {
        let blob = chunk.dyn_ref::<Blob>();
        let bytes = chunk.dyn_ref::<Uint8Array>();
        let len = match (blob, bytes) {
            (Some(blob), _) if blob.size() <= CHUNK_BYTES as f64 => blob.size() as u64,
            (_, Some(bytes)) if bytes.length() as usize <= CHUNK_BYTES => u64::from(bytes.length()),
            _ => break,
        };
        // All but the last one are full.
        if len < CHUNK_BYTES as u64 && chunk_at + len < range.end {
            break;
        }
        // Below the chunk's length.
        let start = range.start.saturating_sub(chunk_at).min(len) as u32;
        let end = (range.end - chunk_at).min(len) as u32;
        pieces.push(match blob {
            Some(blob) => {
                let slice = blob.slice_with_f64_and_f64(f64::from(start), f64::from(end))?;
                fetching.push(&slice.array_buffer());
                Piece { bytes: None, wanted: 0..end - start }
            }
            None => Piece { bytes: bytes.cloned(), wanted: start..end },
        });
        chunk_at += len;
        if chunk_at >= range.end {
            break;
        }
    }
    Ok((pieces, fetching))
}

fn chunk_range(inode: InodeId, first: f64, last: f64) -> std::result::Result<JsValue, JsValue> {
    IdbKeyRange::bound(&chunk_key(inode, first), &chunk_key(inode, last)).map(JsValue::from)
}

/// Files and commits are counted, so that their numbers stay below 2^53.
fn number(inode: InodeId) -> JsValue {
    JsValue::from_f64(inode as f64)
}

fn whole_number(value: &JsValue, what: &str) -> Result<u64> {
    match value.as_f64() {
        Some(number) if (0.0..9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0 => Ok(number as u64),
        _ => Err(Error::corrupt(format!("IndexedDB: the {what} is {value:?} and no whole number"))),
    }
}
