//! Rows whose series are being looked up. That takes turns of the event loop, which a page that is left does not get: its log takes
//! them with their names, and who reads that looks them up.

use super::Storage;
use super::ingest::is_refused_nan;
use crate::collections::sorted_map::SortedMap;
use crate::metric::row::{Rows, SeriesIndex};
use crate::time::{PartitionName, TimestampMs};
use std::cell::RefCell;
use std::rc::Rc;

/// The rows of all calls that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(RefCell<Vec<Rc<WaitingRows>>>);

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
    rows: Rc<WaitingRows>,
}

impl Waiting {
    pub(super) fn begin(&self, series: Vec<u32>, timestamps: &[TimestampMs], values: &[f64]) -> Wait<'_> {
        let rows = Rc::new(WaitingRows { series, timestamps: timestamps.to_vec(), values: values.to_vec() });
        self.0.borrow_mut().push(rows.clone());
        Wait { waiting: self, rows }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waiting.0.borrow_mut().retain(|rows| !Rc::ptr_eq(rows, &self.rows));
    }
}

impl Storage {
    /// Hands the rows of all calls that wait to the log. Nothing may be done with the storage any more, since they would be there twice.
    pub fn log_waiting_rows(&self) {
        let Some(log) = &self.log else { return };
        let range = self.gate().range;
        let mut months = SortedMap::<PartitionName, Rows>::new();
        let mut handles = Vec::new();
        for waiting in self.waiting.0.borrow().iter() {
            for (at, &handle) in waiting.series.iter().enumerate() {
                let (timestamp, value) = (waiting.timestamps[at], waiting.values[at]);
                if !range.contains(timestamp) || is_refused_nan(value) {
                    continue;
                }
                let rows = months.get_or_insert_with(PartitionName::of(timestamp), Rows::default);
                rows.series.push(number_in_log(handle));
                rows.timestamps.push(timestamp);
                rows.values.push(value);
                handles.push(handle);
            }
        }
        handles.sort_unstable();
        handles.dedup();
        let name_of = |handle: &u32| {
            let mut marshaled = Vec::new();
            self.series.borrow().name(*handle).marshal(&mut marshaled);
            (number_in_log(*handle), marshaled)
        };
        let names: Vec<(SeriesIndex, Vec<u8>)> = handles.iter().map(name_of).collect();
        for rows in months.values() {
            log.write_unnumbered(rows, &names);
        }
    }
}

/// What the log calls a series that has no number yet. Those that have one are counted from the other end.
fn number_in_log(handle: u32) -> SeriesIndex {
    SeriesIndex::MAX - 1 - handle
}
