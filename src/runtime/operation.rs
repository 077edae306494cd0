//! What a job asks of the storage, and waiting for it.

use super::context::Context;
use super::job::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Change, Entry, EntryKind, FilePath, OpId, Reply, Request};
use bytes::Bytes;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::Poll;

/// What bytes are written for, which says whether they may take the head-room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They add data: what would eat into the head-room is refused.
    Data,
    /// They are needed to get rid of data.
    Upkeep,
}

impl Context {
    /// The entries directly in `dir`, sorted by name; none when it does not exist.
    pub fn list(&self, dir: &FilePath) -> List {
        List(self.operation(Request::List { dir: dir.clone() }))
    }

    /// Exactly the bytes `range` of a file. The read is submitted at once, so that several may be under way.
    pub fn read(&self, file: &FilePath, range: Range<u64>) -> Read {
        let wanted_len = range.end.saturating_sub(range.start);
        let operation = self.operation(Request::Read { file: file.clone(), range });
        Read { operation, file: file.clone(), wanted_len }
    }

    /// A whole small file; `None` when it does not exist.
    pub async fn read_small_file(&self, file: &FilePath) -> Result<Option<Bytes>> {
        let size = self.list(&file.parent()).await?.iter().find_map(|entry| match entry.kind {
            EntryKind::File { size_bytes } if entry.name == file.name() => Some(size_bytes),
            _ => None,
        });
        match size {
            Some(size_bytes) => self.read(file, 0..size_bytes).await.map(Some),
            None => Ok(None),
        }
    }

    /// Adds bytes to a file below `tmp/`.
    ///
    /// # Errors
    /// `Quota` when data would eat into the head-room; what the storage says.
    pub fn append(&self, file: &FilePath, bytes: Bytes, purpose: Purpose) -> Done {
        let room = self.room();
        if purpose == Purpose::Data
            && let Err(refused) = room.check(bytes.len() as u64, file.as_str())
        {
            return Done { operation: Err(refused), removes: false };
        }
        room.written(bytes.len() as u64);
        self.write(Request::Append { file: file.clone(), bytes }, false)
    }

    /// Carries out all changes or none; they are durable when it returns.
    pub fn commit(&self, changes: Vec<Change>) -> Done {
        let mut removes = false;
        for change in &changes {
            match change {
                Change::Put { bytes, .. } | Change::PutBriefly { bytes, .. } => self.room().written(bytes.len() as u64),
                Change::Remove { .. } => removes = true,
                _ => {}
            }
        }
        self.write(Request::Commit { changes }, removes)
    }

    fn write(&self, request: Request, removes: bool) -> Done {
        Done { operation: Ok(self.operation(request)), removes }
    }

    /// Takes down what became of a write.
    fn note(&self, result: &Result<Reply>, removes: bool) {
        match result {
            Ok(_) if removes => self.room().removed(),
            Ok(_) => {}
            Err(error) => {
                self.health().storage_failed(error);
                if error.kind() == ErrorKind::Quota {
                    self.room().falls_short();
                }
            }
        }
    }

    /// Looks whether the writer of files that are open for reading has committed since; they are what it left from then on.
    pub async fn refresh(&self) -> Result<bool> {
        match self.operation(Request::Refresh).await? {
            Reply::Refreshed(has_moved) => Ok(has_moved),
            reply => Err(unexpected(&reply)),
        }
    }

    #[inline(never)]
    fn operation(&self, request: Request) -> Operation {
        let op = self.0.mailbox.submit(request);
        // Memory answers at once, so that a job over it never suspends for storage.
        self.collect_completions();
        Operation { context: self.clone(), op, finished: false }
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Storage, format!("the storage back end answered with the wrong kind of reply: {reply:?}"))
}

// The leaves of all jobs are types of their own, whose `poll` is never inlined: the compiler would repeat what an `async fn`
// does in every job that awaits it.

/// See [`Context::list`].
#[must_use = "futures do nothing unless awaited"]
pub struct List(Operation);

impl Future for List {
    type Output = Result<Vec<Entry>>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.0.poll_reply().map(|reply| match reply? {
            Reply::Entries(entries) => Ok(entries),
            reply => Err(unexpected(&reply)),
        })
    }
}

/// See [`Context::read`].
#[must_use = "futures do nothing unless awaited"]
pub struct Read {
    operation: Operation,
    file: FilePath,
    wanted_len: u64,
}

impl Future for Read {
    type Output = Result<Bytes>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.operation.poll_reply().map(|reply| match reply? {
            Reply::Bytes(bytes) if bytes.len() as u64 == self.wanted_len => Ok(bytes),
            Reply::Bytes(bytes) => Err(Error::corrupt(format!(
                "{}: {} bytes were read where {} were asked for",
                self.file,
                bytes.len(),
                self.wanted_len
            ))),
            reply => Err(unexpected(&reply)),
        })
    }
}

/// A change of storage, see [`Context::commit`].
#[must_use = "futures do nothing unless awaited"]
pub struct Done {
    /// What was refused at once is its reason.
    operation: Result<Operation>,
    removes: bool,
}

impl Future for Done {
    type Output = Result<()>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let removes = self.removes;
        match &mut self.operation {
            Err(refused) => Poll::Ready(Err(refused.clone())),
            Ok(operation) => operation.poll_reply().map(|result| {
                operation.context.note(&result, removes);
                result.map(drop)
            }),
        }
    }
}

/// One storage operation under way.
struct Operation {
    context: Context,
    op: OpId,
    finished: bool,
}

impl Future for Operation {
    type Output = Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.poll_reply()
    }
}

impl Operation {
    #[inline(never)]
    fn poll_reply(&mut self) -> Poll<Result<Reply>> {
        match self.context.0.mailbox.take(self.op) {
            Some(result) => {
                self.finished = true;
                Poll::Ready(result)
            }
            None => {
                self.context.0.notes.wait(Wait::Op(self.op));
                Poll::Pending
            }
        }
    }
}

impl Drop for Operation {
    #[inline(never)]
    fn drop(&mut self) {
        if !self.finished {
            self.context.0.mailbox.forget(self.op);
        }
    }
}
