//! The storage as jobs see it: requests go in, completions come out.

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Completion, FileSystem, Notice, OpId, Reply, Request};
use crate::time::TimestampMs;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

/// The file system, and what is under way in it.
pub(super) struct Mailbox {
    fs: RefCell<Box<dyn FileSystem>>,
    next_op: Cell<u64>,
    in_flight: RefCell<HashSet<OpId>>,
    completed: RefCell<HashMap<OpId, Result<Reply>>>,
    /// Those that were completed since the scheduler has last looked.
    arrived: RefCell<Vec<OpId>>,
    /// Kept for its memory.
    scratch: RefCell<Vec<Completion>>,
    /// Why the storage will never carry out anything again.
    lost: RefCell<Option<Error>>,
}

impl Mailbox {
    pub(super) fn new(fs: Box<dyn FileSystem>) -> Self {
        Self {
            fs: RefCell::new(fs),
            next_op: Cell::new(0),
            in_flight: RefCell::default(),
            completed: RefCell::default(),
            arrived: RefCell::default(),
            scratch: RefCell::default(),
            lost: RefCell::default(),
        }
    }

    /// The file system, for what is no request.
    pub(super) fn with_fs<T>(&self, use_fs: impl FnOnce(&mut dyn FileSystem) -> T) -> T {
        use_fs(&mut **self.fs.borrow_mut())
    }

    pub(super) fn submit(&self, request: Request) -> OpId {
        let op = OpId(self.next_op.get());
        self.next_op.set(op.0 + 1);
        self.in_flight.borrow_mut().insert(op);
        self.fs.borrow_mut().submit(op, request);
        op
    }

    /// Fetches what the file system has finished, and returns what it has to tell.
    pub(super) fn collect(&self, now: TimestampMs) -> Vec<Notice> {
        let mut scratch = self.scratch.take();
        let mut notices = Vec::new();
        self.with_fs(|fs| {
            fs.poll(now, &mut scratch);
            fs.take_notices(&mut notices);
        });
        let mut in_flight = self.in_flight.borrow_mut();
        let mut completed = self.completed.borrow_mut();
        for Completion { op, result } in scratch.drain(..) {
            if let Err(error) = &result
                && matches!(error.kind(), ErrorKind::Locked | ErrorKind::Closed)
            {
                self.lost.borrow_mut().get_or_insert_with(|| error.clone());
            }
            // Nobody waits for the operations of a job that was cancelled.
            if in_flight.remove(&op) {
                completed.insert(op, result);
                self.arrived.borrow_mut().push(op);
            }
        }
        self.scratch.replace(scratch);
        notices
    }

    /// What was completed since the last call.
    pub(super) fn take_arrived(&self) -> Vec<OpId> {
        self.arrived.take()
    }

    pub(super) fn has(&self, op: OpId) -> bool {
        self.completed.borrow().contains_key(&op)
    }

    pub(super) fn take(&self, op: OpId) -> Option<Result<Reply>> {
        self.completed.borrow_mut().remove(&op)
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&self, op: OpId) {
        self.in_flight.borrow_mut().remove(&op);
        self.completed.borrow_mut().remove(&op);
    }

    pub(super) fn lost(&self) -> Option<Error> {
        self.lost.borrow().clone()
    }
}
