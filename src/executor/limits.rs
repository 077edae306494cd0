//! How much work a query may take.

use crate::error::{Error, ErrorKind, Result};

/// The bounds of one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Series that its selectors find, each.
    pub series: usize,
    /// Samples that are decoded for it, in all.
    pub samples: u64,
    /// Instants of a row.
    pub points: usize,
    /// Values of all rows that are held at once.
    pub values: usize,
    /// How long it may take, in milliseconds.
    pub timeout_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series: 300_000, samples: 1_000_000_000, points: 50_000, values: 1 << 25, timeout_ms: 30_000 }
    }
}

impl Limits {
    /// Refuses rows that together have more values than may be held.
    ///
    /// # Errors
    /// `Limit` with both figures.
    pub fn check_values(&self, rows: usize, points: usize) -> Result<()> {
        let values = rows.saturating_mul(points);
        if values <= self.values {
            return Ok(());
        }
        let message = format!(
            "{rows} rows of {points} instants are {values} values, more than the {} that are held at once; aggregate, narrow the selector or take a longer step",
            self.values
        );
        Err(Error::new(ErrorKind::Limit, message))
    }
}
