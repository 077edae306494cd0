//! Counters of changes that jobs wait on.

use std::cell::Cell;
use std::rc::Rc;

/// A counter of changes that a job can wait on: "the list of parts has changed", "this merge has ended".
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<Cell<u64>>);

impl Signal {
    /// Tells all who wait.
    pub fn raise(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// The present count, to be handed to [`Context::changed`].
    pub fn version(&self) -> u64 {
        self.0.get()
    }
}
