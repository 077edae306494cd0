//! From which time on answers may have changed since somebody asked last: whatever becomes searchable notes its least timestamp.

use crate::time::TimestampMs;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// How many arrivals are remembered; who asked before the oldest of them is told that all may have changed.
const REMEMBERED: usize = 1_024;

/// A moment between two arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Which engine it is one of.
    pub epoch: u32,
    /// How many arrivals there had been.
    pub arrivals: u64,
}

/// What became searchable, or stopped being so, one after the other.
#[derive(Debug, Default)]
pub struct Arrivals {
    epoch: Cell<u32>,
    count: Cell<u64>,
    /// Number and least timestamp of each, both ascending. One that reaches back before earlier ones stands for them.
    latest: RefCell<VecDeque<(u64, TimestampMs)>>,
    /// The last one that was forgotten, or stood for more than its own time.
    forgotten: Cell<u64>,
}

impl Arrivals {
    /// Marks of other engines are told from ours by this number.
    pub fn set_epoch(&self, epoch: u32) {
        self.epoch.set(epoch);
    }

    /// Samples from this time on have become searchable.
    pub fn note(&self, least: TimestampMs) {
        let number = self.count.get() + 1;
        self.count.set(number);
        let mut latest = self.latest.borrow_mut();
        while latest.back().is_some_and(|(_, earlier)| *earlier >= least) {
            latest.pop_back();
        }
        latest.push_back((number, least));
        if latest.len() > REMEMBERED
            && let Some((number, _)) = latest.pop_front()
        {
            self.forgotten.set(number);
        }
    }

    /// Answers may have changed at any time.
    pub fn note_all(&self) {
        self.note(TimestampMs::MIN);
    }

    /// This moment.
    pub fn mark(&self) -> Mark {
        Mark { epoch: self.epoch.get(), arrivals: self.count.get() }
    }

    /// From which time on answers may have changed since `mark`: the end of time if they have not, its beginning if that is not known.
    pub fn least_since(&self, mark: Mark) -> TimestampMs {
        if mark.epoch != self.epoch.get() || mark.arrivals < self.forgotten.get() || mark.arrivals > self.count.get() {
            return TimestampMs::MIN;
        }
        let latest = self.latest.borrow();
        let first = latest.partition_point(|(number, _)| *number <= mark.arrivals);
        latest.get(first).map_or(TimestampMs::MAX, |(_, least)| *least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_time_since_a_mark_is_that_of_all_arrivals_behind_it() {
        let arrivals = Arrivals::default();
        let before = arrivals.mark();
        assert_eq!(arrivals.least_since(before), TimestampMs::MAX);
        arrivals.note(100);
        let between = arrivals.mark();
        arrivals.note(200);
        assert_eq!((arrivals.least_since(before), arrivals.least_since(between)), (100, 200));
        arrivals.note(50);
        assert_eq!((arrivals.least_since(before), arrivals.least_since(between)), (50, 50));
        let late = arrivals.mark();
        arrivals.note_all();
        assert_eq!(arrivals.least_since(late), TimestampMs::MIN);
        assert_eq!(arrivals.least_since(arrivals.mark()), TimestampMs::MAX);
    }

    #[test]
    fn marks_that_are_too_old_or_of_another_engine_know_nothing() {
        let arrivals = Arrivals::default();
        let first = arrivals.mark();
        for least in 0..=REMEMBERED as i64 {
            arrivals.note(least);
        }
        assert_eq!(arrivals.least_since(first), TimestampMs::MIN);
        assert_eq!(arrivals.least_since(Mark { arrivals: 1, ..first }), 1);
        assert_eq!(arrivals.least_since(Mark { epoch: 1, ..arrivals.mark() }), TimestampMs::MIN);
        assert_eq!(arrivals.least_since(Mark { arrivals: u64::MAX, ..first }), TimestampMs::MIN);
    }
}
