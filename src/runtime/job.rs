//! What the scheduler and the context know of a job: its name, its lane, and what it waits for.

use super::signal::{Signal, Woken};
use super::task_id::TaskId;
use crate::fs::OpId;
use crate::time::TimestampMs;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;

/// Work is counted in units of roughly one row handled once; see [`super::Context::spend`].
pub type Units = u64;

/// A job: it owns all it touches.
pub type Job = Pin<Box<dyn Future<Output = ()>>>;

/// Priorities, the most urgent first. A lane with a floor gets that share of the work even when others never rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Lane {
    /// Requests somebody waits for: searches, ingestion that must look up the index, snapshots.
    Query,
    /// Raw rows to in-memory parts, in-memory parts to disk, index items to disk.
    Flush,
    /// Merges whose result is a small part, and those of the index.
    SmallMerge,
    /// Merges whose result is a big part.
    BigMerge,
    /// Retention, removal of retired files, final de-duplication.
    Janitor,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Query, Self::Flush, Self::SmallMerge, Self::BigMerge, Self::Janitor];

    /// The share of all work, in percent, that this lane can count on while it has something to do.
    pub(super) fn floor_percent(self) -> i64 {
        match self {
            Self::Query => 0, // The first in line needs no floor.
            Self::Flush => 25,
            Self::SmallMerge => 15,
            Self::BigMerge => 10,
            Self::Janitor => 5,
        }
    }
}

/// What jobs note while they are polled, for the scheduler to read.
#[derive(Default)]
pub(super) struct Notes {
    next_task: Cell<u64>,
    /// Jobs that start in a later turn.
    pub(super) spawned: RefCell<Vec<(TaskId, Lane, Job)>>,
    /// Jobs to be dropped.
    pub(super) cancelled: RefCell<Vec<TaskId>>,
    /// What the job that is being polled waits for.
    pub(super) waits: RefCell<Vec<Wait>>,
    /// Units left in its turn.
    pub(super) turn_units_left: Cell<i64>,
    /// Jobs for which a signal was raised.
    pub(super) woken: Woken,
}

impl Notes {
    pub(super) fn spawn(&self, lane: Lane, job: Job) -> TaskId {
        let id = TaskId(self.next_task.get());
        self.next_task.set(id.0 + 1);
        self.spawned.borrow_mut().push((id, lane, job));
        id
    }

    pub(super) fn wait(&self, wait: Wait) {
        self.waits.borrow_mut().push(wait);
    }
}

/// What a suspended job waits for. Any one of several suffices.
#[derive(Debug)]
pub(super) enum Wait {
    Op(OpId),
    /// By the steady clock.
    Until(TimestampMs),
    Signal(Signal, u64),
    /// Its share of work is used up; it can go on in its next turn.
    Turn,
}
