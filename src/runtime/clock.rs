//! The clock that jobs see. It stands still while one runs.

use crate::time::TimestampMs;
use std::cell::Cell;

/// The wall's time, and one that is never set back.
pub(super) struct Clock {
    now: Cell<TimestampMs>,
    /// As `now` at the start, and ahead of it by as much as that was ever set back. Deadlines count by it, so that none moves away.
    steady_now: Cell<TimestampMs>,
}

impl Clock {
    pub(super) fn new(now: TimestampMs) -> Self {
        Self { now: Cell::new(now), steady_now: Cell::new(now) }
    }

    pub(super) fn now(&self) -> TimestampMs {
        self.now.get()
    }

    /// Goes on to `now`, or is set back to it.
    pub(super) fn set(&self, now: TimestampMs) {
        let passed = now.saturating_sub(self.now()).max(0);
        self.now.set(now);
        self.steady_now.set(self.steady_now.get().saturating_add(passed));
    }

    /// An instant as the steady clock has it, as seen from now.
    pub(super) fn steady(&self, deadline: TimestampMs) -> TimestampMs {
        self.steady_now.get().saturating_add(deadline.saturating_sub(self.now()))
    }

    /// When a deadline by the steady clock will come, if nobody sets the clock until then.
    pub(super) fn due(&self, steady_deadline: TimestampMs) -> TimestampMs {
        self.now().saturating_add(steady_deadline.saturating_sub(self.steady_now.get()))
    }

    /// Whether a deadline by the steady clock has come.
    pub(super) fn has_reached(&self, steady_deadline: TimestampMs) -> bool {
        self.steady_now.get() >= steady_deadline
    }
}
