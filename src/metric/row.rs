//! Raw rows as columns (part-format §2), and the table that gives every known series a dense number.

use super::tsid::Tsid;
use crate::time::TimestampMs;
use std::cell::RefCell;

/// Index of a series in a [`SeriesTable`]. Rows carry it instead of the 24 bytes of a TSID.
pub type SeriesIndex = u32;

/// The series that rows refer to, numbered densely from 0 in the order in which they were met.
///
/// Shared by all partitions of a database. Entries are never taken back, so an index stays good as long as the table lives.
#[derive(Debug, Default)]
pub struct SeriesTable {
    tsids: RefCell<Vec<Tsid>>,
}

impl SeriesTable {
    /// Adds a series. Adding one a second time gives it a second index, which does no harm.
    pub fn push(&self, tsid: Tsid) -> SeriesIndex {
        let mut tsids = self.tsids.borrow_mut();
        tsids.push(tsid);
        // Four billion TSIDs would not fit into memory.
        (tsids.len() - 1) as SeriesIndex
    }

    /// The TSID of a series that [`SeriesTable::push`] has numbered. An index from elsewhere panics.
    pub fn tsid(&self, series: SeriesIndex) -> Tsid {
        self.tsids.borrow()[series as usize]
    }

    /// Number of series.
    pub fn len(&self) -> usize {
        self.tsids.borrow().len()
    }

    /// Whether there are no series.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows as three columns of one length: series, timestamp in ms, value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The series of each row.
    pub series: Vec<SeriesIndex>,
    /// The timestamp of each row.
    pub timestamps: Vec<TimestampMs>,
    /// The value of each row.
    pub values: Vec<f64>,
}

impl Rows {
    /// No rows, with room for `capacity`.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            series: Vec::with_capacity(capacity),
            timestamps: Vec::with_capacity(capacity),
            values: Vec::with_capacity(capacity),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Appends one row.
    pub fn push(&mut self, series: SeriesIndex, timestamp: TimestampMs, value: f64) {
        self.series.push(series);
        self.timestamps.push(timestamp);
        self.values.push(value);
    }

    /// Appends columns of one length.
    pub fn extend_from_columns(&mut self, series: &[SeriesIndex], timestamps: &[TimestampMs], values: &[f64]) {
        debug_assert!(series.len() == timestamps.len() && series.len() == values.len(), "columns of one length");
        self.series.extend_from_slice(series);
        self.timestamps.extend_from_slice(timestamps);
        self.values.extend_from_slice(values);
    }

    /// Appends samples of one series.
    pub fn extend_from_run(&mut self, series: SeriesIndex, timestamps: &[TimestampMs], values: &[f64]) {
        self.series.resize(self.series.len() + timestamps.len(), series);
        self.timestamps.extend_from_slice(timestamps);
        self.values.extend_from_slice(values);
    }

    /// Appends a sample each of many series at one instant.
    pub fn extend_from_scrape(&mut self, series: &[SeriesIndex], timestamp: TimestampMs, values: &[f64]) {
        self.series.extend_from_slice(series);
        self.timestamps.resize(self.timestamps.len() + series.len(), timestamp);
        self.values.extend_from_slice(values);
    }

    /// Takes the rows behind the first `at` out.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        Self {
            series: self.series.split_off(at),
            timestamps: self.timestamps.split_off(at),
            values: self.values.split_off(at),
        }
    }

    /// Moves all rows of `other` behind those here.
    pub fn append(&mut self, other: &mut Self) {
        self.series.append(&mut other.series);
        self.timestamps.append(&mut other.timestamps);
        self.values.append(&mut other.values);
    }
}

/// Smallest and greatest timestamp, and whether some value is NaN, in one pass.
pub fn survey(timestamps: &[i64], values: &[f64]) -> (i64, i64, bool) {
    let mut min = i64::MAX;
    let mut max = i64::MIN;
    for &timestamp in timestamps {
        min = min.min(timestamp);
        max = max.max(timestamp);
    }
    let mut has_nan = false;
    for value in values {
        has_nan |= value.is_nan();
    }
    (min, max, has_nan)
}
