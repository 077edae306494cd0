//! The numbers that series get, and how many series there are.

use crate::error::{Error, Result};
use std::cell::Cell;

/// Metric ids, in the order in which they are given out.
pub(super) struct MetricIds {
    next: Cell<u64>,
    /// Ids below were there when the index was opened.
    pub(super) first: u64,
    /// How many of these were found, once they are counted.
    found: Cell<Option<u64>>,
    given_out: Cell<u64>,
}

impl MetricIds {
    pub(super) fn new(first: u64) -> Self {
        Self { next: Cell::new(first), first, found: Cell::new(None), given_out: Cell::new(0) }
    }

    /// An id that no series has.
    ///
    /// # Errors
    /// `Corrupt` when there is none left.
    pub(super) fn take(&self) -> Result<u64> {
        let metric_id = self.next.get();
        self.next.set(metric_id.checked_add(1).ok_or_else(|| Error::corrupt("all metric ids are used up"))?);
        Ok(metric_id)
    }

    /// Those that are given out from here on are greater than `greatest`.
    pub(super) fn skip(&self, greatest: u64) {
        self.next.set(self.next.get().max(greatest.saturating_add(1)));
    }

    /// A series was registered.
    pub(super) fn count_new(&self) {
        self.given_out.set(self.given_out.get() + 1);
    }

    /// So many series were there when the index was opened.
    pub(super) fn found(&self, series: u64) {
        self.found.set(Some(series));
    }

    /// How many series there are, once they are counted.
    pub(super) fn series(&self) -> Option<u64> {
        self.found.get().map(|found| found + self.given_out.get())
    }
}
