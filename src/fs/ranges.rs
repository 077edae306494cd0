//! Files that lie somewhere in what a page was handed, such as a tar, and are read a range at a time when they are wanted. Nothing
//! there is changed: what an engine changes, it changes in memory.

use super::directory::Directory;
use super::overlay::{Overlay, Step, StoredRange};
use super::{Change, Completion, FilePath, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use js_sys::{Function, Promise, Reflect, Uint8Array};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Where a file begins in one of the things that were handed in.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Which one.
    pub source: u32,
    /// The first byte there.
    pub offset: u64,
}

/// Files in what was handed in.
pub struct RangeFileSystem(Rc<Shared>);

struct Shared {
    read: Function,
    state: RefCell<State>,
    notify: Box<dyn Fn()>,
}

struct State {
    overlay: Overlay,
    starts: SortedMap<u64, Start>,
    done: Vec<Completion>,
    stats: FileSystemStats,
}

impl RangeFileSystem {
    /// Files with their lengths, and small ones with their content. `read` is asked for a source, an offset and a length, and promises
    /// the bytes; `notify` as in [`super::OpfsReader::open`].
    ///
    /// # Errors
    /// `Invalid` for what is no path.
    pub fn new(
        stored: impl Iterator<Item = (String, Start, u64)>,
        made: impl Iterator<Item = (String, Vec<u8>)>,
        read: Function,
        notify: impl Fn() + 'static,
    ) -> Result<Self> {
        let (mut paths, mut sizes, mut starts) = (Vec::new(), SortedMap::new(), SortedMap::new());
        for (id, (path, start, size_bytes)) in (0..).zip(stored) {
            paths.push((FilePath::new(&path)?, id));
            sizes.insert(id, size_bytes);
            starts.insert(id, start);
        }
        let mut overlay = Overlay::over(Directory::restore(paths.into_iter().collect(), &sizes)?);
        let put =
            |(path, content): (String, Vec<u8>)| Ok(Change::Put { file: FilePath::new(&path)?, bytes: content.into() });
        overlay.carry_out(Request::Commit { changes: made.map(put).collect::<Result<_>>()? })?;
        let state = State { overlay, starts, done: Vec::new(), stats: FileSystemStats::default() };
        Ok(Self(Rc::new(Shared { read, state: RefCell::new(state), notify: Box::new(notify) })))
    }
}

impl FileSystem for RangeFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        let state = &mut *self.0.state.borrow_mut();
        if let Request::Refresh = request {
            return state.finish(op, Ok(Reply::Refreshed(false)));
        }
        match state.overlay.carry_out(request) {
            Ok(Step::Stored(wanted)) if wanted.range.is_empty() => state.finish(op, Ok(Reply::Bytes(Bytes::new()))),
            Ok(Step::Stored(StoredRange { inode, file, range })) => match state.starts.get(&inode).copied() {
                Some(start) => spawn_local(read(Rc::downgrade(&self.0), self.0.read.clone(), op, file, start, range)),
                None => state.finish(op, Err(Error::internal(format!("{file}: nobody knows where it lies")))),
            },
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
}

async fn read(me: Weak<Shared>, read: Function, op: OpId, file: FilePath, start: Start, range: Range<u64>) {
    let range = start.offset.saturating_add(range.start)..start.offset.saturating_add(range.end);
    let bytes = read_range(&read, start.source, &range).await;
    let Some(shared) = me.upgrade() else { return };
    {
        let state = &mut *shared.state.borrow_mut();
        let result = bytes.map_err(|error| error.at(&file)).map(|bytes| {
            state.stats.read_bytes += bytes.len() as u64;
            Reply::Bytes(bytes.into())
        });
        state.finish(op, result);
    }
    (shared.notify)();
}

/// A range of one of the things that were handed in.
///
/// # Errors
/// `Storage` with what JavaScript says; `Corrupt` when it has fewer bytes.
pub async fn read_range(read: &Function, source: u32, range: &Range<u64>) -> Result<Vec<u8>> {
    let failed = |error: JsValue| {
        let code = Reflect::get(&error, &"code".into()).ok().and_then(|code| code.as_string());
        let message =
            error.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{error:?}"), |error| error.message().into());
        // Who closes it waits for no server.
        let kind = if code.as_deref() == Some("closed") { ErrorKind::Closed } else { ErrorKind::Storage };
        Error::new(kind, format!("the snapshot can't be read any more: {message}"))
    };
    let (offset, length) = (range.start as f64, (range.end - range.start) as f64);
    let promise = read.call3(&JsValue::UNDEFINED, &source.into(), &offset.into(), &length.into()).map_err(failed)?;
    let bytes = JsFuture::from(Promise::resolve(&promise)).await.map_err(failed)?;
    let bytes: Uint8Array = bytes.dyn_into().map_err(failed)?;
    let bytes = bytes.to_vec();
    if bytes.len() as u64 != range.end - range.start {
        return Err(Error::corrupt(format!("{} bytes came where {range:?} was asked for", bytes.len())));
    }
    Ok(bytes)
}
