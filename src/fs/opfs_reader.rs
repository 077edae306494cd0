//! A database in the origin private file system that somebody else writes, opened for reading, in a window or a worker.
//!
//! Handles exclude all others, so a reader has none: it looks at the files as they are at the moment, which takes a turn of
//! the event loop for each read. Nothing in the storage is changed. The two files of the journal are read one after the
//! other while somebody may be writing them; what does not fit together then is read again.

use super::directory::{Directory, InodeId};
use super::journal::{self, HEAD_BYTES, Location, MAX_JOURNAL_BYTES, Replayed, holds_journal};
use super::opfs::{held, passing_error_of, root, subdirectory};
use super::overlay::{Overlay, Step, StoredRange, gone};
use super::{Completion, FilePath, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use js_sys::Uint8Array;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, FileSystemDirectoryHandle, FileSystemFileHandle};

/// A writer that commits all the time is not chased for ever.
const MAX_ATTEMPTS: usize = 20;

/// The files of a database as its last commit has left them.
pub struct OpfsReader(Rc<Shared>);

struct Shared {
    home: FileSystemDirectoryHandle,
    files: FileSystemDirectoryHandle,
    state: RefCell<State>,
    /// Called when completions have become known outside of `submit` and `poll`. Must not call back into the engine.
    notify: Box<dyn Fn()>,
}

struct State {
    overlay: Overlay,
    /// The commit that is seen.
    version: (u64, u64),
    locations: SortedMap<InodeId, Location>,
    /// Of stored files that a page going away may not have written.
    contents: SortedMap<u64, Vec<u8>>,
    /// Stored files that were read before. They never change.
    known: SortedMap<u64, File>,
    done: Vec<Completion>,
    stats: FileSystemStats,
}

impl OpfsReader {
    /// Opens what is stored in `sandglass/<directory>/` now. `notify` as in [`super::OpfsFileSystem::open`].
    ///
    /// # Errors
    /// `Unsupported` without such a file system and for a database of another version; `NotFound` when there is no database;
    /// `Corrupt` when its journal is damaged; `Storage` when the browser refuses.
    pub async fn open(directory: &str, notify: impl Fn() + 'static) -> Result<Self> {
        let home = subdirectory(&subdirectory(&root().await?, "sandglass", false).await?, directory, false).await?;
        let files = subdirectory(&home, "files", false).await?;
        let (replayed, read_bytes) = look(&home).await?;
        let version = replayed.version();
        let overlay = Overlay::over(Directory::restore(replayed.paths, &replayed.sizes)?);
        let stats = FileSystemStats { read_bytes, ..Default::default() };
        let Replayed { locations, contents, .. } = replayed;
        let known = SortedMap::new();
        let state = RefCell::new(State { overlay, version, locations, contents, known, done: Vec::new(), stats });
        Ok(Self(Rc::new(Shared { home, files, state, notify: Box::new(notify) })))
    }
}

impl FileSystem for OpfsReader {
    fn submit(&mut self, op: OpId, request: Request) {
        let state = &mut *self.0.state.borrow_mut();
        if let Request::Refresh = request {
            spawn_local(refresh(Rc::downgrade(&self.0), self.0.home.clone(), op));
            return;
        }
        match state.overlay.carry_out(request) {
            Ok(Step::Stored(StoredRange { inode, file, range })) if !range.is_empty() => {
                let Some(location) = state.locations.get(&inode).copied() else {
                    state.finish(op, Err(Error::corrupt(format!("{file}: the journal does not say where it lies"))));
                    return;
                };
                let range = location.offset + range.start..location.offset + range.end;
                if let Some(content) = state.contents.get(&location.stored) {
                    let bytes = held(content, &range).map(Bytes::copy_from_slice).map_err(|error| error.at(&file));
                    state.finish(op, bytes.map(Reply::Bytes));
                    return;
                }
                let known = state.known.get(&location.stored).cloned();
                spawn_local(read(
                    Rc::downgrade(&self.0),
                    self.0.files.clone(),
                    known,
                    op,
                    location.stored,
                    file,
                    range,
                ));
            }
            Ok(Step::Stored(_)) => state.finish(op, Ok(Reply::Bytes(Bytes::new()))),
            Ok(Step::Done(reply)) => state.finish(op, Ok(reply)),
            Err(error) => state.finish(op, Err(error)),
        }
    }

    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        done.append(&mut self.0.state.borrow_mut().done);
    }

    fn stats(&self) -> FileSystemStats {
        let state = self.0.state.borrow();
        let mut stats = state.stats;
        state.overlay.count(&mut stats);
        stats
    }
}

impl State {
    fn finish(&mut self, op: OpId, result: Result<Reply>) {
        self.stats.operations += 1;
        self.done.push(Completion { op, result });
    }

    fn show(&mut self, replayed: Replayed) -> Result<bool> {
        let version = replayed.version();
        if version == self.version {
            return Ok(false);
        }
        self.overlay = Overlay::over(Directory::restore(replayed.paths, &replayed.sizes)?);
        self.version = version;
        self.locations = replayed.locations;
        self.contents = replayed.contents;
        self.known = SortedMap::new();
        Ok(true)
    }
}

/// Ends an operation, unless its file system is gone.
fn finish(me: &Weak<Shared>, op: OpId, result: impl FnOnce(&mut State) -> Result<Reply>) {
    let Some(shared) = me.upgrade() else { return };
    {
        let state = &mut *shared.state.borrow_mut();
        let result = result(state);
        state.finish(op, result);
    }
    (shared.notify)();
}

async fn refresh(me: Weak<Shared>, home: FileSystemDirectoryHandle, op: OpId) {
    let looked = look(&home).await;
    finish(&me, op, |state| {
        let (replayed, read_bytes) = looked?;
        state.stats.read_bytes += read_bytes;
        state.show(replayed).map(Reply::Refreshed)
    });
}

async fn read(
    me: Weak<Shared>,
    files: FileSystemDirectoryHandle,
    known: Option<File>,
    op: OpId,
    number: u64,
    file: FilePath,
    range: Range<u64>,
) {
    let found = async {
        let stored = match known {
            Some(stored) => stored,
            None => stored_file(&files, &number.to_string()).await?,
        };
        let bytes = bytes_of(&stored, &range).await?;
        Ok((stored, bytes))
    };
    let found: Result<_> = found.await;
    finish(&me, op, |state| {
        // Whatever it is: the file is not there any more as it was.
        let (stored, bytes) = found.map_err(|_| gone(&file))?;
        let len = bytes.len() as u64;
        state.stats.read_bytes += len;
        state.known.insert(number, stored);
        if len != range.end - range.start {
            return Err(Error::corrupt(format!("{file}: {len} bytes are stored where {range:?} was asked for")));
        }
        Ok(Reply::Bytes(bytes.into()))
    });
}

/// Reads the journal, and how many bytes that was.
async fn look(home: &FileSystemDirectoryHandle) -> Result<(Replayed, u64)> {
    let mut read_bytes = 0;
    let mut attempt = 1;
    loop {
        let looked = async {
            let mut contents = [Vec::new(), Vec::new()];
            for (name, content) in ["journal-a", "journal-b"].into_iter().zip(&mut contents) {
                let file = stored_file(home, name).await?;
                let len = (file.size() as u64).min(2 * MAX_JOURNAL_BYTES);
                *content = bytes_of(&file, &(0..len.min(HEAD_BYTES as u64))).await?;
                if holds_journal(content)? {
                    *content = bytes_of(&file, &(0..len)).await?;
                }
                read_bytes += content.len() as u64;
            }
            let nothing = || Error::new(ErrorKind::NotFound, "OPFS: there is no journal, so no database to read");
            journal::replay([&contents[0], &contents[1]])?.ok_or_else(nothing)
        };
        match looked.await {
            Ok(replayed) => return Ok((replayed, read_bytes)),
            Err(error) if attempt == MAX_ATTEMPTS || error.kind() == ErrorKind::Unsupported => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

/// A file as it is now. One that is written afterwards can't be read any more.
async fn stored_file(dir: &FileSystemDirectoryHandle, name: &str) -> Result<File> {
    let file: FileSystemFileHandle = JsFuture::from(dir.get_file_handle(name))
        .await
        .map_err(|error| passing_error_of(error).at(name))?
        .unchecked_into();
    let file = JsFuture::from(file.get_file()).await.map_err(|error| passing_error_of(error).at(name))?;
    Ok(file.unchecked_into())
}

/// As much of a range as there is.
async fn bytes_of(file: &File, range: &Range<u64>) -> Result<Vec<u8>> {
    let slice = file.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(passing_error_of)?;
    let buffer = JsFuture::from(slice.array_buffer()).await.map_err(passing_error_of)?;
    Ok(Uint8Array::new(&buffer).to_vec())
}
