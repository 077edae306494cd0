//! Samples of given series in a month, from all its parts.

use super::Partition;
use crate::error::Result;
use crate::metric::tsid::Tsid;
use crate::part::search::{BlockSamples, SampleRun, find_blocks, read_blocks};
use crate::runtime::Context;
use crate::time::{TimeRange, TimestampMs};

/// Samples of several series as two columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesSamples {
    /// Timestamps, sorted within each series. Equal ones are all there.
    pub timestamps: Vec<TimestampMs>,
    /// As many values.
    pub values: Vec<f64>,
    /// Where the rows of the n-th series asked for end; those of the first begin at 0.
    pub ends: Vec<usize>,
}

impl SeriesSamples {
    /// The samples of the n-th series that was asked for.
    pub fn series(&self, n: usize) -> (&[TimestampMs], &[f64]) {
        let start = if n == 0 { 0 } else { self.ends[n - 1] };
        let rows = start..self.ends[n];
        (&self.timestamps[rows.clone()], &self.values[rows])
    }
}

impl Partition {
    /// The samples of `tsids` (sorted, without repetition) in `range`. Rows that were not flushed are not found.
    ///
    /// # Errors
    /// `Corrupt` when a part can't be read, `Limit` when there are more than `max_samples`.
    pub async fn search(&self, tsids: &[Tsid], range: TimeRange, max_samples: u64) -> Result<SeriesSamples> {
        // The list keeps every part readable, whatever is merged meanwhile.
        let parts = self.parts();
        let mut found = BlockSamples::default();
        for entry in parts.iter() {
            let part = entry.part();
            let place = || part.dir().map_or_else(|| "in-memory part".to_owned(), ToString::to_string);
            let blocks = find_blocks(&self.context, part, tsids, range).await.map_err(|error| error.at(place()))?;
            read_blocks(&self.context, part, &blocks, range, max_samples, &mut found)
                .await
                .map_err(|error| error.at(place()))?;
        }
        Ok(join_runs(&self.context, found, tsids.len()).await)
    }
}

/// Brings runs into the order of series, and the rows of each series into the order of time.
async fn join_runs(context: &Context, mut found: BlockSamples, series: usize) -> SeriesSamples {
    let first_timestamp = |run: &SampleRun| found.timestamps[run.rows.start];
    // Stable, so that equal timestamps keep the order of parts.
    let mut runs = std::mem::take(&mut found.runs);
    runs.sort_by_key(|run| (run.series, first_timestamp(run)));
    let mut samples = SeriesSamples {
        timestamps: Vec::with_capacity(found.timestamps.len()),
        values: Vec::with_capacity(found.values.len()),
        ends: Vec::with_capacity(series),
    };
    let mut rest = &runs[..];
    for n in 0..series {
        let start = samples.timestamps.len();
        let count = rest.iter().take_while(|run| run.series as usize == n).count();
        let (own, others) = rest.split_at(count);
        rest = others;
        for run in own {
            samples.timestamps.extend_from_slice(&found.timestamps[run.rows.clone()]);
            samples.values.extend_from_slice(&found.values[run.rows.clone()]);
        }
        let timestamps = &mut samples.timestamps[start..];
        if !timestamps.is_sorted() {
            // Runs overlap: late samples, or parts that were filled side by side.
            let values = &mut samples.values[start..];
            let mut rows: Vec<(TimestampMs, f64)> = timestamps.iter().copied().zip(values.iter().copied()).collect();
            rows.sort_by_key(|row| row.0);
            for ((timestamp, value), row) in timestamps.iter_mut().zip(values).zip(rows) {
                (*timestamp, *value) = row;
            }
        }
        samples.ends.push(samples.timestamps.len());
        context.spend((samples.timestamps.len() - start) as u64 / 4 + 1).await;
    }
    samples
}
