//! Samples that come after later ones of the database were read by somebody who follows time: a push that goes on and on
//! (`src/engine/push.rs`). For each series it is kept from when to when they are, and nothing else, so that it takes little memory however
//! many there are.

use super::Storage;
use crate::error::{Error, ErrorKind, Result};
use crate::time::{TimeRange, TimestampMs};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// How many may follow at once.
const MAX_WATCHES: usize = 64;
/// Of how many series one of them keeps when their late samples are; of all others together it is kept from when to when they are.
const MAX_SERIES: usize = 65_536;

/// What is late for those who follow.
#[derive(Debug)]
pub struct Late {
    watches: RefCell<Vec<Watch>>,
    /// The latest instant that any of them has read up to; only samples up to there can be late.
    until: Cell<TimestampMs>,
}

#[derive(Debug)]
struct Watch {
    name: String,
    /// All up to here has been read.
    until: TimestampMs,
    rows: LateRows,
}

/// From when to when the late samples are.
#[derive(Debug, Default)]
pub struct LateRows {
    /// By metric id.
    pub series: HashMap<u64, TimeRange>,
    /// Of any other series.
    pub others: Option<TimeRange>,
}

impl LateRows {
    /// From the first to the last; none when there are none.
    pub fn range(&self) -> Option<TimeRange> {
        self.series.values().copied().chain(self.others).reduce(both)
    }

    fn note(&mut self, metric_id: u64, range: TimeRange) {
        if let Some(known) = self.series.get_mut(&metric_id) {
            *known = both(*known, range);
        } else if self.series.len() < MAX_SERIES {
            self.series.insert(metric_id, range);
        } else {
            self.note_others(range);
        }
    }

    fn note_others(&mut self, range: TimeRange) {
        self.others = Some(self.others.map_or(range, |known| both(known, range)));
    }

    fn add(&mut self, other: Self) {
        other.series.into_iter().for_each(|(metric_id, range)| self.note(metric_id, range));
        if let Some(range) = other.others {
            self.note_others(range);
        }
    }
}

fn both(a: TimeRange, b: TimeRange) -> TimeRange {
    TimeRange { min: a.min.min(b.min), max: a.max.max(b.max) }
}

impl Default for Late {
    fn default() -> Self {
        Self { watches: RefCell::default(), until: Cell::new(TimestampMs::MIN) }
    }
}

impl Late {
    /// Whether samples from `first` on may be late for anybody.
    #[inline]
    pub(super) fn may_be_late(&self, first: TimestampMs) -> bool {
        first <= self.until.get()
    }

    /// Samples of a series were accepted that reach over `range`.
    pub(super) fn note(&self, metric_id: u64, range: TimeRange) {
        for watch in self.watches.borrow_mut().iter_mut().filter(|watch| range.min <= watch.until) {
            watch.rows.note(metric_id, TimeRange { min: range.min, max: range.max.min(watch.until) });
        }
    }

    /// From now on `name` wants to know of samples up to `until`, which it is about to read.
    ///
    /// # Errors
    /// `Limit` when too many follow.
    pub fn watch(&self, name: &str, until: TimestampMs) -> Result<()> {
        let mut watches = self.watches.borrow_mut();
        if let Some(watch) = watches.iter_mut().find(|watch| watch.name == name) {
            watch.until = until;
        } else if watches.len() < MAX_WATCHES {
            watches.push(Watch { name: name.to_owned(), until, rows: LateRows::default() });
        } else {
            let message = format!("{MAX_WATCHES} pushes follow this database already; end one of them");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        drop(watches);
        self.look_again();
        Ok(())
    }

    /// `name` does not want to know any more.
    pub fn unwatch(&self, name: &str) {
        self.watches.borrow_mut().retain(|watch| watch.name != name);
        self.look_again();
    }

    /// What has come late since the last call.
    pub fn take(&self, name: &str) -> LateRows {
        let mut watches = self.watches.borrow_mut();
        watches
            .iter_mut()
            .find(|watch| watch.name == name)
            .map(|watch| std::mem::take(&mut watch.rows))
            .unwrap_or_default()
    }

    /// What was taken, and could not be read.
    pub fn put_back(&self, name: &str, late: LateRows) {
        let mut watches = self.watches.borrow_mut();
        if let Some(watch) = watches.iter_mut().find(|watch| watch.name == name) {
            watch.rows.add(late);
        }
    }

    fn look_again(&self) {
        self.until.set(self.watches.borrow().iter().map(|watch| watch.until).max().unwrap_or(TimestampMs::MIN));
    }
}

impl Storage {
    /// What comes late for those who follow.
    pub fn late(&self) -> &Late {
        &self.late
    }

    /// Rows of one series were accepted.
    #[inline]
    pub(super) fn note_late(&self, handle: u32, span: TimeRange) {
        if self.late.may_be_late(span.min)
            && let Some(tsid) = self.series.borrow().tsid(handle)
        {
            self.late.note(tsid.metric_id, span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_number_of_series_only_the_time_is_kept() {
        let mut rows = LateRows::default();
        for metric_id in 0..MAX_SERIES as u64 + 3 {
            rows.note(metric_id, TimeRange { min: metric_id as i64, max: metric_id as i64 + 1 });
        }
        rows.note(0, TimeRange { min: 70_000, max: 80_000 });
        let first_of_others = MAX_SERIES as i64;
        assert_eq!(rows.series.len(), MAX_SERIES);
        assert_eq!(rows.others, Some(TimeRange { min: first_of_others, max: first_of_others + 3 }));
        assert_eq!(rows.series[&0], TimeRange { min: 0, max: 80_000 });
        assert_eq!(rows.range(), Some(TimeRange { min: 0, max: 80_000 }));
        let mut later = LateRows::default();
        later.note(1, TimeRange { min: -1, max: 0 });
        later.add(rows);
        assert_eq!(later.series[&1], TimeRange { min: -1, max: 2 });
        assert_eq!(later.others, Some(TimeRange { min: first_of_others, max: first_of_others + 3 }));
        assert_eq!(LateRows::default().range(), None);
    }
}
