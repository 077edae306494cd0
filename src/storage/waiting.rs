//! Rows whose series are being looked up. That takes turns of the event loop, which a page that is left does not get: its log takes
//! them with their names, and who reads that looks them up.

use super::Storage;
use super::ingest::is_refused_nan;
use crate::collections::sorted_map::SortedMap;
use crate::log::RowLog;
use crate::metric::row::{Rows, SeriesIndex};
use crate::time::{PartitionName, TimestampMs};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The rows of all calls that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    rows: RefCell<BTreeMap<u64, WaitingRows>>,
    begun: Cell<u64>,
}

/// Rows of one call; its series are handles.
#[derive(Debug)]
struct WaitingRows {
    series: Vec<u32>,
    timestamps: Vec<TimestampMs>,
    values: Vec<f64>,
}

/// Lets the rows wait until it is dropped.
pub(super) struct Wait<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waiting.rows.borrow_mut().remove(&self.number);
    }
}

impl Storage {
    /// Lets rows wait for their series, where there is a log that can take them.
    pub(super) fn let_wait(&self, series: &[u32], timestamps: &[TimestampMs], values: &[f64]) -> Option<Wait<'_>> {
        self.options.log_interval_ms?;
        let waiting = &self.waiting;
        let number = waiting.begun.get();
        waiting.begun.set(number + 1);
        let rows = WaitingRows { series: series.to_vec(), timestamps: timestamps.to_vec(), values: values.to_vec() };
        waiting.rows.borrow_mut().insert(number, rows);
        Some(Wait { waiting, number })
    }

    /// Hands the rows of all calls that wait to the log, and those of calls that have just ceased to. Nothing may be done with the storage any
    /// more, since the first would be there twice.
    pub fn log_waiting_rows(&self) {
        let Some(log) = &self.log else { return };
        self.hand_over();
        let range = self.accepted_times().range;
        let mut months = SortedMap::<PartitionName, Rows>::new();
        for waiting in self.waiting.rows.borrow().values() {
            let WaitingRows { series, timestamps, values } = waiting;
            for at in 0..values.len() {
                // One series or one instant stands for all rows of its call.
                let handle = series[at.min(series.len() - 1)];
                let (timestamp, value) = (timestamps[at.min(timestamps.len() - 1)], values[at]);
                if !range.contains(timestamp) || is_refused_nan(value) {
                    continue;
                }
                let rows = months.get_or_insert_with(PartitionName::of(timestamp), Rows::default);
                rows.series.push(number_in_log(handle));
                rows.timestamps.push(timestamp);
                rows.values.push(value);
            }
        }
        for (_, rows) in months {
            self.log_unnumbered(log, rows);
        }
    }

    /// Records of these rows: as many as their number and the names of their series take.
    fn log_unnumbered(&self, log: &Rc<RowLog>, mut rows: Rows) {
        let mut numbers = rows.series.clone();
        numbers.sort();
        numbers.dedup();
        let name_of = |number: &SeriesIndex| {
            let mut marshaled = Vec::new();
            self.series.borrow().name(handle_in_log(*number)).marshal(&mut marshaled);
            (*number, marshaled)
        };
        let names: Vec<(SeriesIndex, Vec<u8>)> = numbers.iter().map(name_of).collect();
        if log.write_unnumbered(&rows, &names) || rows.len() < 2 {
            return;
        }
        let rest = rows.split_off(rows.len() / 2);
        self.log_unnumbered(log, rows);
        self.log_unnumbered(log, rest);
    }
}

/// What the log calls a series that has no number yet. Those that have one are counted from the other end.
fn number_in_log(handle: u32) -> SeriesIndex {
    SeriesIndex::MAX - 1 - handle
}

/// The series that the log calls so.
fn handle_in_log(number: SeriesIndex) -> u32 {
    SeriesIndex::MAX - 1 - number
}
