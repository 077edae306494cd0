//! What a chart needs of raw samples: of each column's samples the least, the greatest, the first and the last.

use super::stored_range;
use crate::error::{Error, ErrorKind, Result};
use crate::metric::filter::TagFilter;
use crate::query::series::labels::Labels;
use crate::storage::Storage;
use crate::storage::search::{MAX_SAMPLES, MAX_SERIES, Reading};

/// Series that are read at a time.
const BATCH_SERIES: usize = 16;
/// Values of all series that are held at once.
const MAX_VALUES: usize = 1 << 25;
/// More columns than any screen has.
const MAX_COLUMNS: usize = 100_000;

/// One series in columns of equal length; NaN where a column has no samples.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvelopeRow {
    /// Its labels.
    pub labels: Labels,
    /// The least value of each column.
    pub min: Vec<f64>,
    /// The greatest.
    pub max: Vec<f64>,
    /// The first in time.
    pub first: Vec<f64>,
    /// The last in time.
    pub last: Vec<f64>,
}

/// The envelope of each matching series from `start_ms` to `end_ms`, both included, in equal columns.
///
/// # Errors
/// `Invalid` for a range without columns, `Limit` where too much matches; what storage says.
pub async fn envelope(
    storage: &Storage,
    filters: &[Vec<TagFilter>],
    start_ms: i64,
    end_ms: i64,
    columns: usize,
) -> Result<Vec<EnvelopeRow>> {
    if columns == 0 || columns > MAX_COLUMNS || end_ms <= start_ms {
        return Err(Error::invalid(format!(
            "an envelope needs an end behind its start and 1 to {MAX_COLUMNS} columns; found {start_ms} to {end_ms} in {columns}"
        )));
    }
    let range = stored_range(start_ms, end_ms);
    let series = storage.find_series(filters, range, MAX_SERIES).await?;
    if series.len().saturating_mul(4 * columns) > MAX_VALUES {
        let message = format!(
            "{} series in {columns} columns are more than is held at once; narrow the selector or take fewer columns",
            series.len()
        );
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let view = storage.view(range);
    let mut reading = Reading::with_budget(MAX_SAMPLES);
    let mut memory = storage.context().memory().share();
    let mut rows = Vec::new();
    for batch in series.chunks(BATCH_SERIES) {
        let wanted: Vec<_> = batch.iter().collect();
        for (samples, series) in storage.read_in(&view, &wanted, range, &mut reading).await?.into_iter().zip(batch) {
            let mut row = EnvelopeRow::empty(super::leaf::labels_of(series), columns);
            row.add(&samples.timestamps, &samples.values, start_ms, end_ms);
            storage.context().spend(samples.len() as u64 / 8).await;
            if row.first.iter().any(|value| !value.is_nan()) {
                memory.grow(row.memory_bytes())?;
                rows.push(row);
            }
        }
    }
    storage.note_read(series.len(), &reading, reading.rows);
    Ok(rows)
}

impl EnvelopeRow {
    /// What it takes of the memory.
    pub fn memory_bytes(&self) -> u64 {
        (size_of::<Self>() + 4 * size_of_val(&self.min[..]) + self.labels.memory_bytes()) as u64
    }

    fn empty(labels: Labels, columns: usize) -> Self {
        let nothing = vec![f64::NAN; columns];
        Self { labels, min: nothing.clone(), max: nothing.clone(), first: nothing.clone(), last: nothing }
    }

    /// Takes samples in, which are in order of time. NaNs count for nothing.
    fn add(&mut self, timestamps: &[i64], values: &[f64], start_ms: i64, end_ms: i64) {
        let columns = self.min.len();
        let per_column = columns as f64 / (end_ms - start_ms) as f64;
        for (&at_ms, &value) in timestamps.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
            let column = (((at_ms - start_ms) as f64 * per_column) as usize).min(columns - 1);
            if self.first[column].is_nan() {
                self.first[column] = value;
            }
            self.last[column] = value;
            self.min[column] = self.min[column].min(value);
            self.max[column] = self.max[column].max(value);
        }
    }
}
