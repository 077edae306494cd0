//! Files in a browser's IndexedDB, in a window or a worker.
//!
//! The database `sandglass:<name>` has four object stores:
//!
//! | store     | key                | value                                             |
//! | ---       | ---                | ---                                               |
//! | `entries` | path               | the inode's number                                |
//! | `inodes`  | the inode's number | size of the file in bytes                         |
//! | `chunks`  | [inode, index]     | `Uint8Array` of [`CHUNK_BYTES`], the last shorter |
//! | `meta`    | `format`, `owner`  | 1; a random number, the last that opened it       |
//!
//! A hard link is a second entry with the same inode. The first two stores are held in memory while the database is open, so
//! that listing and the checks of a commit need no answer from the browser; contents are only ever read from it.
//!
//! Unpublished files are known in memory alone, their full chunks are stored as they fill. A commit is one transaction:
//! the tails of the files it publishes, and the entries. Chunks that no entry leads to are cleared at the next start.
//! An unpublished file is therefore gone after a restart, whether synced or not; nobody could have committed it any more.
//!
//! Every writing transaction checks that the owner is still the one that opened the database here. A second tab that got past
//! the lock thus can't be overwritten by the first.

use super::directory::{CommitPlan, Directory, InodeId};
use super::memory::check_range;
use super::{Completion, FilePath, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::collections::sort;
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

/// Bytes of a chunk, the unit in which files are stored and read.
///
/// Chromium keeps values up to 64 KiB in its index and larger ones in files of their own. With 60 KiB a read of 4 KiB took
/// 0.4 ms and one of 1 MiB ran at 60 MB/s; with 128 KiB it is 0.8 ms and 180 MB/s, and writing is half as fast again.
pub const CHUNK_BYTES: usize = 128 << 10;

/// An unpublished file's bytes are stored when so many have come together: a transaction costs about as much as 100 KB.
const PUT_BYTES: usize = 4 * CHUNK_BYTES;

const PREFIX: &str = "sandglass:";
const ENTRIES: &str = "entries";
const INODES: &str = "inodes";
const CHUNKS: &str = "chunks";
const META: &str = "meta";
const STORES: [&str; 4] = [ENTRIES, INODES, CHUNKS, META];
/// The layout of the stores; also the version of the database.
const FORMAT: u32 = 1;

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
    /// Why nothing can be done any more.
    closed: Option<Error>,
    owner: f64,
    directory: Directory,
    growing: SortedMap<InodeId, Growing>,
    /// Operations in the order of submission, those under way among them.
    pending: Vec<Pending>,
    done: Vec<Completion>,
    /// Handlers that may be running at this moment; dropped at the next poll.
    retired: Vec<Flight>,
    /// Likewise for the handlers of a connection.
    lost_connection: Option<Connection>,
    stats: FileSystemStats,
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
    is_retry: bool,
}

/// An operation that waits for the browser. Its handlers live as long as it does.
struct Flight {
    transaction: IdbTransaction,
    request: Option<IdbRequest>,
    handlers: Vec<Handler>,
    effect: Effect,
    /// The owner has changed.
    fenced: Rc<Cell<bool>>,
}

type Handler = Closure<dyn FnMut()>;

/// What becomes true when the browser has done its part.
enum Effect {
    Read { inode: InodeId, range: Range<u64> },
    Append { inode: InodeId, created: bool, grown: Growing },
    Commit(CommitPlan),
}

/// What a transaction is for. A durable one is on disk when it completes, and so is what was written before it.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
    WriteDurably,
}

enum Step {
    Done(Reply),
    UnderWay(Flight),
}

/// Why a call of the browser failed.
enum Trouble {
    /// The connection is gone; a new one may do.
    Lost(Error),
    Failed(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<JsValue> for Trouble {
    fn from(value: JsValue) -> Self {
        let text = |key: &str| Reflect::get(&value, &key.into()).ok().and_then(|text| text.as_string());
        let name = text("name").unwrap_or_default();
        let message = text("message").unwrap_or_else(|| format!("{value:?}"));
        let error = |kind| Error::new(kind, format!("IndexedDB: {name}: {message}"));
        match name.as_str() {
            "QuotaExceededError" => Self::Failed(error(ErrorKind::Quota)),
            "VersionError" => Self::Failed(error(ErrorKind::Unsupported)),
            "InvalidStateError" | "UnknownError" | "AbortError" | "TransactionInactiveError" => {
                Self::Lost(error(ErrorKind::Storage))
            }
            _ => Self::Failed(error(ErrorKind::Storage)),
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(error) | Trouble::Failed(error) => error,
        }
    }
}

type Attempt<T> = std::result::Result<T, Trouble>;

impl IndexedDbFileSystem {
    /// Opens or creates a database and reads its directory. `notify` is called, from the browser's event loop, whenever
    /// [`FileSystem::poll`] has something new; it must not call into the file system or the engine, only schedule a call.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB or for a database of a later version, `Corrupt` for a directory that is none,
    /// `Storage` and `Quota` when the browser refuses.
    pub async fn open(name: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let db = connect(name).await?;
        let owner = js_sys::Math::random();
        let directory = load(&db, owner).await?;
        let shared = Rc::new_cyclic(|me| Shared {
            state: RefCell::new(State {
                name: name.into(),
                connection: Some(Connection::new(db, me)),
                is_reopening: false,
                closed: None,
                owner,
                directory,
                growing: SortedMap::new(),
                pending: Vec::new(),
                done: Vec::new(),
                retired: Vec::new(),
                lost_connection: None,
                stats: FileSystemStats::default(),
            }),
            notify: Box::new(notify),
        });
        Ok(Self(shared))
    }

    /// Deletes a database; one that does not exist is deleted already. Waits until other tabs have let go of it.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB, `Storage` when the browser refuses.
    pub async fn destroy(name: &str) -> Result<()> {
        let request = factory()?.delete_database(&format!("{PREFIX}{name}")).map_err(Trouble::from)?;
        finish_request(&request).await.map(drop).map_err(Error::from)
    }

    /// The names of all databases; empty where the browser can't tell.
    ///
    /// # Errors
    /// `Unsupported` without IndexedDB, `Storage` when the browser refuses.
    pub async fn list_databases() -> Result<Vec<String>> {
        let factory = factory()?;
        let Some(databases) =
            Reflect::get(&factory, &"databases".into()).ok().and_then(|found| found.dyn_into::<Function>().ok())
        else {
            return Ok(Vec::new());
        };
        let promise = databases.call0(&factory).map_err(Trouble::from)?;
        let found = JsFuture::from(Promise::resolve(&promise)).await.map_err(Trouble::from)?;
        let name_of = |entry| Reflect::get(&entry, &"name".into()).ok()?.as_string();
        let mut names: Vec<String> = Array::from(&found)
            .iter()
            .filter_map(|entry| Some(name_of(entry)?.strip_prefix(PREFIX)?.to_owned()))
            .collect();
        sort::sort(&mut names);
        Ok(names)
    }

    /// Lets go of the connection, as a browser may at any time. The next operation makes a new one.
    pub fn disconnect(&self) {
        self.0.state.borrow_mut().connection = None;
    }
}

impl FileSystem for IndexedDbFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        let mut state = self.0.state.borrow_mut();
        state.pending.push(Pending { op, request, flight: None, is_retry: false });
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
        state.directory.count(&mut stats);
        stats
    }
}

// ---- carrying out ------------------------------------------------------------------------------------------------------

impl State {
    /// Starts every operation that nothing stands in the way of.
    fn advance(&mut self, me: &Weak<Shared>) {
        let mut at = 0;
        while at < self.pending.len() {
            if self.pending[at].flight.is_some() || !self.may_start(at) {
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
            let Pending { op, request, .. } = &self.pending[at];
            let (op, request) = (*op, request.clone());
            match self.start(me, op, &request) {
                Ok(Step::Done(reply)) => self.complete(at, Ok(reply)),
                Ok(Step::UnderWay(flight)) => {
                    self.pending[at].flight = Some(flight);
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

    /// An operation failed: for good, or the connection did and the operation is tried once more on a new one.
    fn stumble(&mut self, at: usize, trouble: Trouble) {
        match trouble {
            Trouble::Lost(_) if !self.pending[at].is_retry => {
                self.pending[at].is_retry = true;
                self.connection = None;
            }
            trouble => self.complete(at, Err(trouble.into())),
        }
    }

    fn start(&mut self, me: &Weak<Shared>, op: OpId, request: &Request) -> Attempt<Step> {
        match request {
            Request::List { dir } => Ok(Step::Done(Reply::Entries(self.directory.list(dir)))),
            Request::Read { file, range } => self.start_read(me, op, file, range),
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
            // Nothing to do: only a commit can make a file outlive the process, and it writes what is missing.
            Request::Sync { file } => self.directory.find(file).map(|_| Step::Done(Reply::Done)).map_err(Trouble::from),
            Request::Commit { changes } => {
                let plan = self.directory.plan(changes)?;
                self.start_commit(me, op, plan).map(Step::UnderWay)
            }
        }
    }

    fn start_read(&mut self, me: &Weak<Shared>, op: OpId, file: &FilePath, range: &Range<u64>) -> Attempt<Step> {
        let (inode, known) = self.directory.find(file)?;
        check_range(file, range, known.size_bytes)?;
        let range = range.clone();
        let stored_chunks = self.growing.get(&inode).map_or(u64::MAX, |growing| growing.chunks);
        let first = range.start / CHUNK_BYTES as u64;
        let end = range.end.div_ceil(CHUNK_BYTES as u64).min(stored_chunks);
        if range.is_empty() || first >= end {
            return Ok(Step::Done(Reply::Bytes(self.assemble(file, inode, &range, &[])?)));
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
        let transaction = self.transaction(&[CHUNKS, META], Access::Write)?;
        let chunks = transaction.object_store(CHUNKS)?;
        let mut index = before.chunks;
        let mut put = |chunk: &[u8]| {
            // The browser gets a copy: it keeps the bytes longer than this memory stays where it is.
            let put = chunks.put_with_key(&Uint8Array::from(chunk), &chunk_key(inode, index as f64));
            index += 1;
            put.map(drop)
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
        let mut flight = Flight::new(transaction, Effect::Append { inode, created, grown });
        flight.settle_when_written(me, op, self.owner)?;
        Ok(flight)
    }

    fn start_commit(&self, me: &Weak<Shared>, op: OpId, plan: CommitPlan) -> Attempt<Flight> {
        let transaction = self.transaction(&STORES, Access::WriteDurably)?;
        let chunks = transaction.object_store(CHUNKS)?;
        let inodes = transaction.object_store(INODES)?;
        let put_chunk = |id, index: f64, bytes: &[u8]| {
            chunks.put_with_key(&Uint8Array::from(bytes), &chunk_key(id, index)).map(drop)
        };
        for (&id, inode) in &plan.inodes {
            let Some(inode) = inode else {
                inodes.delete(&number(id))?;
                chunks.delete(chunk_range(id, 0.0, f64::INFINITY)?.as_ref())?;
                continue;
            };
            if let Some(growing) = self.growing.get(&id) {
                for (index, chunk) in growing.tail.chunks(CHUNK_BYTES).enumerate() {
                    put_chunk(id, growing.chunks as f64 + index as f64, chunk)?;
                }
            } else if let Some(content) = plan.contents.get(&id) {
                for (index, chunk) in content.chunks(CHUNK_BYTES).enumerate() {
                    put_chunk(id, index as f64, chunk)?;
                }
            } else {
                // Only the count of its names has changed, which is not stored.
                continue;
            }
            inodes.put_with_key(&JsValue::from_f64(inode.size_bytes as f64), &number(id))?;
        }
        let entries = transaction.object_store(ENTRIES)?;
        for (path, id) in &plan.paths {
            let path = JsValue::from_str(path.as_str());
            match id {
                Some(id) => entries.put_with_key(&number(*id), &path)?,
                None => entries.delete(&path)?,
            };
        }
        let mut flight = Flight::new(transaction, Effect::Commit(plan));
        flight.settle_when_written(me, op, self.owner)?;
        Ok(flight)
    }

    fn transaction(&self, stores: &[&str], access: Access) -> Attempt<IdbTransaction> {
        let Some(connection) = &self.connection else {
            return Err(Trouble::Lost(Error::new(ErrorKind::Storage, "IndexedDB: the connection is closed")));
        };
        Ok(transaction(&connection.db, stores, access)?)
    }

    /// The browser has done its part of an operation, or has given it up.
    fn settle(&mut self, op: OpId, success: bool) {
        let Some(at) = self.pending.iter().position(|pending| pending.op == op) else { return };
        let Some(mut flight) = self.pending[at].flight.take() else { return };
        let outcome = if success { self.take_effect(at, &mut flight) } else { Err(flight.trouble()) };
        if outcome.is_err()
            && let (Request::Append { file, bytes }, Effect::Append { inode, created, .. }) =
                (&self.pending[at].request, &flight.effect)
        {
            let (file, len) = (file.clone(), bytes.len() as u64);
            self.take_back_append(&file, *inode, len, *created);
        }
        self.retired.push(flight);
        match outcome {
            Ok(reply) => self.complete(at, Ok(reply)),
            Err(trouble) => self.stumble(at, trouble),
        }
    }

    fn take_effect(&mut self, at: usize, flight: &mut Flight) -> Attempt<Reply> {
        match &mut flight.effect {
            Effect::Read { inode, range } => {
                let result = flight.request.as_ref().map_or(Ok(JsValue::UNDEFINED), IdbRequest::result)?;
                let chunks: Vec<Uint8Array> = if result.is_undefined() {
                    Vec::new()
                } else if Array::is_array(&result) {
                    Array::from(&result).iter().filter_map(|chunk| chunk.dyn_into().ok()).collect()
                } else {
                    result.dyn_into().into_iter().collect()
                };
                let Request::Read { file, .. } = &self.pending[at].request else {
                    return Err(Error::new(ErrorKind::Storage, "the operation has changed its kind").into());
                };
                let file = file.clone();
                self.assemble(&file, *inode, range, &chunks).map(Reply::Bytes).map_err(Trouble::from)
            }
            Effect::Append { inode, grown, .. } => {
                if let Request::Append { bytes, .. } = &self.pending[at].request {
                    self.stats.written_bytes += bytes.len() as u64;
                }
                self.growing.insert(*inode, std::mem::take(grown));
                Ok(Reply::Done)
            }
            Effect::Commit(plan) => {
                self.directory.apply(plan);
                for id in plan.inodes.keys() {
                    self.growing.remove(id);
                }
                self.stats.written_bytes += plan.written_bytes;
                self.stats.commits += 1;
                Ok(Reply::Done)
            }
        }
    }

    /// The bytes of a range, from the chunks that hold its beginning and from the tail of a growing file.
    fn assemble(
        &mut self,
        file: &FilePath,
        inode: InodeId,
        range: &Range<u64>,
        chunks: &[Uint8Array],
    ) -> Result<Bytes> {
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(len)
            .map_err(|_| Error::new(ErrorKind::Limit, format!("{file}: {len} bytes don't fit into memory")))?;
        // Where in the file the next piece begins.
        let mut at = range.start / CHUNK_BYTES as u64 * CHUNK_BYTES as u64;
        for chunk in chunks {
            let chunk_len = u64::from(chunk.length());
            let (start, end) = (range.start.saturating_sub(at).min(chunk_len), (range.end - at).min(chunk_len));
            let old_len = bytes.len();
            bytes.resize(old_len + (end - start) as usize, 0);
            // Below the chunk's length, which is a u32.
            chunk.subarray(start as u32, end as u32).copy_to(&mut bytes[old_len..]);
            at += chunk_len;
            if at >= range.end {
                break;
            }
        }
        if let Some(growing) = self.growing.get(&inode) {
            let tail_at = growing.chunks * CHUNK_BYTES as u64;
            let (from, to) = (range.start.saturating_sub(tail_at), range.end.saturating_sub(tail_at));
            bytes.extend_from_slice(growing.tail.get(from as usize..to as usize).unwrap_or(&[]));
        }
        if bytes.len() != len {
            return Err(Error::corrupt(format!(
                "{file}: {} bytes are stored where {len} were asked for, at {}",
                bytes.len(),
                range.start
            )));
        }
        self.stats.read_bytes += len as u64;
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
        let (me, name) = (me.clone(), self.name.clone());
        spawn_local(async move {
            let connected = connect(&name).await;
            with_state(&me, |state, me| {
                state.is_reopening = false;
                match connected {
                    Ok(db) => state.connection = Some(Connection::new(db, me)),
                    Err(error) => {
                        while let Some(at) = state.pending.iter().position(|pending| pending.flight.is_none()) {
                            state.complete(at, Err(error.clone()));
                        }
                    }
                }
                state.advance(me);
            });
        });
    }

    /// The browser has closed the connection: what was under way is tried again.
    fn lose_connection(&mut self) {
        self.lost_connection = self.connection.take();
        let under_way: Vec<OpId> =
            self.pending.iter().filter(|pending| pending.flight.is_some()).map(|pending| pending.op).collect();
        for op in under_way {
            self.settle(op, false);
        }
    }
}

/// Runs one step of the file system from the browser's event loop, and tells the owner when there is something to poll.
fn with_state(me: &Weak<Shared>, step: impl FnOnce(&mut State, &Weak<Shared>)) {
    let Some(shared) = me.upgrade() else { return };
    let has_done = {
        let mut state = shared.state.borrow_mut();
        step(&mut state, me);
        !state.done.is_empty()
    };
    if has_done {
        (shared.notify)();
    }
}

fn settles(me: &Weak<Shared>, op: OpId, success: bool) -> impl FnMut() + 'static {
    let me = me.clone();
    move || {
        with_state(&me, |state, me| {
            state.settle(op, success);
            state.advance(me);
        });
    }
}

impl Flight {
    fn new(transaction: IdbTransaction, effect: Effect) -> Self {
        Self { transaction, request: None, handlers: Vec::new(), effect, fenced: Rc::default() }
    }

    fn handler(&mut self, handle: impl FnMut() + 'static) -> Function {
        let closure = Handler::new(handle);
        let function = closure.as_ref().unchecked_ref::<Function>().clone();
        self.handlers.push(closure);
        function
    }

    /// Settles the operation when the transaction has ended, and lets it end well only while the owner is the same.
    fn settle_when_written(&mut self, me: &Weak<Shared>, op: OpId, owner: f64) -> Attempt<()> {
        let request = self.transaction.object_store(META)?.get(&"owner".into())?;
        let on_owner = self.handler({
            let (request, transaction, fenced) = (request.clone(), self.transaction.clone(), self.fenced.clone());
            move || {
                if request.result().ok().and_then(|found| found.as_f64()) != Some(owner) {
                    fenced.set(true);
                    // An abort can only fail when the transaction is at its end already.
                    let _ = transaction.abort();
                }
            }
        });
        request.set_onsuccess(Some(&on_owner));
        self.request = Some(request);
        let on_complete = self.handler(settles(me, op, true));
        self.transaction.set_oncomplete(Some(&on_complete));
        let on_abort = self.handler(settles(me, op, false));
        self.transaction.set_onabort(Some(&on_abort));
        Ok(())
    }

    /// Why the transaction was aborted.
    fn trouble(&self) -> Trouble {
        if self.fenced.get() {
            return Trouble::Failed(Error::new(ErrorKind::Locked, "the database was opened elsewhere in the meantime"));
        }
        match self.transaction.error() {
            Some(error) => JsValue::from(error).into(),
            None => Trouble::Lost(Error::new(ErrorKind::Storage, "IndexedDB: the browser has aborted a transaction")),
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
                    state.lose_connection();
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

// ---- opening -----------------------------------------------------------------------------------------------------------

/// `indexedDB` of the window or the worker.
fn factory() -> Result<IdbFactory> {
    match Reflect::get(&js_sys::global(), &"indexedDB".into()) {
        Ok(found) if found.is_object() => Ok(found.unchecked_into()),
        _ => Err(Error::new(ErrorKind::Unsupported, "this environment has no IndexedDB")),
    }
}

async fn connect(name: &str) -> Result<IdbDatabase> {
    let request = factory()?.open_with_u32(&format!("{PREFIX}{name}"), FORMAT).map_err(Trouble::from)?;
    let on_upgrade = Handler::new({
        let request = request.clone();
        move || {
            // Without its stores the database is of no use, and every operation says so.
            if let Ok(db) = request.result() {
                for store in STORES {
                    let _ = db.unchecked_ref::<IdbDatabase>().create_object_store(store);
                }
            }
        }
    });
    request.set_onupgradeneeded(Some(on_upgrade.as_ref().unchecked_ref()));
    let db = finish_request(&request).await;
    request.set_onupgradeneeded(None);
    Ok(db?.unchecked_into())
}

/// Takes the database over and reads its directory; clears what a crash has left.
async fn load(db: &IdbDatabase, owner: f64) -> Result<Directory> {
    let take_over = || -> Attempt<_> {
        let transaction = transaction(db, &STORES, Access::WriteDurably)?;
        let store = |name| transaction.object_store(name);
        store(META)?.put_with_key(&owner.into(), &"owner".into())?;
        let all = |store: IdbObjectStore| Ok::<_, JsValue>((store.get_all_keys()?, store.get_all()?));
        let (entries, inodes) = (all(store(ENTRIES)?)?, all(store(INODES)?)?);
        let chunks = store(CHUNKS)?.get_all_keys()?;
        let format = store(META)?.get(&"format".into())?;
        Ok((transaction, entries, inodes, chunks, format))
    };
    let (transaction, entries, inodes, chunks, format) = take_over()?;
    finish_transaction(&transaction).await?;
    let format = format.result().map_err(Trouble::from)?.as_f64();
    if format.is_some_and(|format| format != f64::from(FORMAT)) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the database has layout {format:?}, this version knows {FORMAT}"),
        ));
    }
    let array = |request: &IdbRequest| Ok::<_, Trouble>(Array::from(&request.result()?));
    let mut sizes = SortedMap::new();
    for (id, size) in array(&inodes.0)?.iter().zip(array(&inodes.1)?.iter()) {
        sizes.insert(whole_number(&id, "inode")?, whole_number(&size, "size of a file")?);
    }
    let mut paths = SortedMap::new();
    for (path, id) in array(&entries.0)?.iter().zip(array(&entries.1)?.iter()) {
        let path = path.as_string().ok_or_else(|| Error::corrupt("a path is no text"))?;
        let path = FilePath::new(&path).map_err(|error| Error::corrupt(error.message()))?;
        paths.insert(path, whole_number(&id, "inode")?);
    }
    let mut orphans = Vec::new();
    for key in array(&chunks)?.iter() {
        let id = whole_number(&Array::from(&key).get(0), "inode of a chunk")?;
        if !sizes.contains_key(&id) {
            orphans.push(id);
        }
    }
    // The chunks of a file lie side by side.
    orphans.dedup();
    clear(db, &orphans, format.is_none()).await?;
    Directory::restore(paths, &sizes)
}

async fn clear(db: &IdbDatabase, orphans: &[InodeId], is_new: bool) -> Result<()> {
    if orphans.is_empty() && !is_new {
        return Ok(());
    }
    let clear = || -> Attempt<_> {
        let transaction = transaction(db, &STORES, Access::WriteDurably)?;
        transaction.object_store(META)?.put_with_key(&FORMAT.into(), &"format".into())?;
        let chunks = transaction.object_store(CHUNKS)?;
        for &id in orphans {
            chunks.delete(chunk_range(id, 0.0, f64::INFINITY)?.as_ref())?;
        }
        Ok(transaction)
    };
    finish_transaction(&clear()?).await
}

/// `db.transaction(stores, mode, { durability })`; web-sys has it without durability only. Older browsers ignore that.
fn transaction(db: &IdbDatabase, stores: &[&str], access: Access) -> std::result::Result<IdbTransaction, JsValue> {
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

fn chunk_key(inode: InodeId, index: f64) -> JsValue {
    Array::of2(&number(inode), &index.into()).into()
}

fn chunk_range(inode: InodeId, first: f64, last: f64) -> std::result::Result<JsValue, JsValue> {
    IdbKeyRange::bound(&chunk_key(inode, first), &chunk_key(inode, last)).map(JsValue::from)
}

/// Inodes are counted from 0, so that they stay far below 2^53.
fn number(inode: InodeId) -> JsValue {
    JsValue::from_f64(inode as f64)
}

fn whole_number(value: &JsValue, what: &str) -> Result<u64> {
    match value.as_f64() {
        Some(number) if (0.0..9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0 => Ok(number as u64),
        _ => Err(Error::corrupt(format!("IndexedDB: the {what} is {value:?} and no whole number"))),
    }
}

// ---- promises, for opening only ----------------------------------------------------------------------------------------

async fn finish_request(request: &IdbRequest) -> Attempt<JsValue> {
    let ended = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    match JsFuture::from(ended).await {
        Ok(_) => Ok(request.result()?),
        Err(event) => Err(request.error()?.map_or(event, JsValue::from).into()),
    }
}

async fn finish_transaction(transaction: &IdbTransaction) -> Result<()> {
    let ended = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    match JsFuture::from(ended).await {
        Ok(_) => Ok(()),
        Err(event) => Err(Trouble::from(transaction.error().map_or(event, JsValue::from)).into()),
    }
}
