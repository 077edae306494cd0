//! Counters of changes that jobs wait on.

use super::task_id::TaskId;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Jobs that may have something to do, for the scheduler to look at.
pub(super) type Woken = Rc<RefCell<Vec<TaskId>>>;

/// A counter of changes that a job can wait on: "the list of parts has changed", "this merge has ended".
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    version: Cell<u64>,
    /// The jobs that wait for the next change, and where they are told of it.
    waiting: RefCell<BTreeMap<TaskId, Woken>>,
}

impl Signal {
    /// Tells all who wait.
    pub fn raise(&self) {
        self.0.version.set(self.version() + 1);
        for (job, woken) in self.0.waiting.take() {
            woken.borrow_mut().push(job);
        }
    }

    /// The present count, to be handed to [`Context::changed`](super::Context::changed).
    pub fn version(&self) -> u64 {
        self.0.version.get()
    }

    /// A job waits for the next change.
    pub(super) fn wake_at_change(&self, job: TaskId, woken: &Woken) {
        self.0.waiting.borrow_mut().insert(job, woken.clone());
    }

    /// It waits no more.
    pub(super) fn forget(&self, job: TaskId) {
        self.0.waiting.borrow_mut().remove(&job);
    }
}
