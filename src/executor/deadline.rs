//! When a query has taken longer than it may.
//!
//! It is the time that somebody waits for an answer, and is read off the stopwatch: people set their clocks while a query is under way, and
//! a manual clock stands still.

use super::trace::Stopwatch;
use crate::error::{Error, Result};
use std::rc::Rc;

/// The end of the time that a query has.
#[derive(Clone)]
pub(super) struct Deadline {
    stopwatch: Rc<dyn Stopwatch>,
    began_ms: f64,
    timeout_ms: i64,
}

impl Deadline {
    /// The time begins.
    pub(super) fn begin(stopwatch: Rc<dyn Stopwatch>, timeout_ms: i64) -> Self {
        Self { began_ms: stopwatch.milliseconds(), stopwatch, timeout_ms }
    }

    /// Whether there is time left.
    ///
    /// # Errors
    /// A timeout when there is none.
    pub(super) fn check(&self) -> Result<()> {
        if self.stopwatch.milliseconds() - self.began_ms <= self.timeout_ms as f64 {
            return Ok(());
        }
        Err(Error::timeout(format!("the query has taken longer than its timeout of {} ms", self.timeout_ms)))
    }
}
