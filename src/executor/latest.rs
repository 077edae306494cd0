//! The newest sample of each series.

use super::{RawSeries, stored_range};
use crate::encoding::decimal::is_stale_nan;
use crate::error::Result;
use crate::metric::filter::TagFilter;
use crate::storage::Storage;
use crate::storage::search::{MAX_SAMPLES, MAX_SERIES, Reading};
use crate::time::TimeRange;

/// Series that are read at a time.
const BATCH_SERIES: usize = 64;

/// The newest sample of each matching series in a range. A series whose newest sample says that it has ended has none.
///
/// # Errors
/// `Limit` where too much matches; what storage says.
pub async fn latest(storage: &Storage, filters: &[Vec<TagFilter>], range: TimeRange) -> Result<Vec<RawSeries>> {
    let range = stored_range(range.min, range.max);
    let series = storage.find_series(filters, range, MAX_SERIES).await?;
    let view = storage.view(range);
    let mut reading = Reading::with_budget(MAX_SAMPLES);
    let mut memory = storage.context().memory().share();
    let mut found = Vec::with_capacity(series.len());
    for batch in series.chunks(BATCH_SERIES) {
        let wanted: Vec<_> = batch.iter().collect();
        for (samples, series) in storage.read_in(&view, &wanted, range, &mut reading).await?.into_iter().zip(batch) {
            if let (Some(&timestamp), Some(&value)) = (samples.timestamps.last(), samples.values.last())
                && !is_stale_nan(value)
            {
                let labels = super::leaf::labels_of(series);
                let series = RawSeries { labels, timestamps: vec![timestamp], values: vec![value] };
                memory.grow(series.memory_bytes())?;
                found.push(series);
            }
        }
    }
    storage.note_read(series.len(), &reading, found.len() as u64);
    Ok(found)
}
