//! What a push sends: exports of windows of time as bodies of their own, places to go on from, and what came late for one that follows.

use super::answer::PushPiece;
use super::export::{ExportCursor, LINE_SAMPLES};
use super::selection::selected_or_all;
use super::{Shared, transfer};
use crate::collections::u64_set::U64Set;
use crate::error::{Error, Result};
use crate::formats::export::ExportFormat;
use crate::storage::Storage;
use crate::storage::search::{MAX_SERIES, Reading};
use crate::time::{TimeRange, TimestampMs};

/// A body has about so many bytes before it is compressed: what is sent again when an answer was lost.
const BODY_BYTES: usize = 256 * 1024;

/// Begins with a window of time, at a place of it.
pub(super) async fn open(
    storage: &Storage,
    shared: &Shared,
    format: ExportFormat,
    selector: Option<&str>,
    range: TimeRange,
    from: &str,
) -> Result<u32> {
    let place = if from.is_empty() { None } else { Some(from.parse()?) };
    let selectors: Vec<_> = selector.into_iter().collect();
    let mut cursor = ExportCursor::open(storage, format, &selectors, range).await?.in_bodies(BODY_BYTES);
    if let Some(place) = place {
        cursor.skip_to(&place);
    }
    Ok(transfer::keep_cursor(shared, cursor))
}

/// The next body; none at the end of the window, which closes it.
pub(super) async fn next(storage: &Storage, shared: &Shared, id: u32) -> Result<Option<PushPiece>> {
    let (mut cursor, place) = shared.cursors.take_export(id)?;
    let before = cursor.samples();
    let body = cursor.next(storage).await;
    let samples = cursor.samples() - before;
    let next = cursor.place().map_or_else(String::new, |place| place.to_string());
    if !matches!(body, Ok(None)) {
        place.put_back(cursor);
    }
    Ok(body?.map(|body| PushPiece { body, samples, next }))
}

/// In which windows of `window_ms`, of which each begins with a multiple of it, the selected series have samples within `range`: where
/// these begin, in order.
///
/// # Errors
/// `Invalid` for a selector or a length that makes no sense, `Limit` for too many series; what storage says.
pub(super) async fn windows(
    storage: &Storage,
    selector: Option<&str>,
    range: TimeRange,
    window_ms: i64,
) -> Result<Vec<TimestampMs>> {
    if window_ms < 1 {
        return Err(Error::invalid("a window of a push must be at least a millisecond long"));
    }
    let series = storage.find_series(&selected_or_all(selector)?, range, MAX_SERIES).await?;
    let view = storage.view(range);
    let mut numbers = U64Set::default();
    for found in &series {
        let mut last = None;
        // A piece at a time, so that it takes little memory however long a series is.
        for piece in storage.pieces(&view, found, range, LINE_SAMPLES).await? {
            let mut reading = Reading::in_passing(u64::MAX);
            for samples in storage.read_in(&view, &[found], piece, &mut reading).await? {
                for timestamp in samples.timestamps {
                    // No sample is older than the epoch.
                    let number = (timestamp / window_ms).unsigned_abs();
                    if last.replace(number) != Some(number) {
                        numbers.insert(number);
                    }
                }
            }
            storage.context().spend(reading.rows + 1).await;
        }
    }
    Ok(numbers.iter().map(|number| number as i64 * window_ms).collect())
}

/// Begins with what has come late for `watch` since the last call, and says from when to when that is; none when nothing has.
pub(super) async fn late(
    storage: &Storage,
    shared: &Shared,
    watch: &str,
    format: ExportFormat,
    selector: Option<&str>,
) -> Result<Option<(u32, TimeRange)>> {
    let late = storage.late().take(watch);
    let Some(range) = late.range() else { return Ok(None) };
    let opened = async {
        // What was noted may still be raw rows, which no export has.
        storage.flush().await?;
        let selectors: Vec<_> = selector.into_iter().collect();
        ExportCursor::open(storage, format, &selectors, range).await
    };
    let mut cursor = match opened.await {
        Ok(cursor) => cursor.in_bodies(BODY_BYTES),
        Err(error) => {
            storage.late().put_back(watch, late);
            return Err(error);
        }
    };
    cursor.narrow(|metric_id| late.series.get(&metric_id).copied().or(late.others));
    Ok(Some((transfer::keep_cursor(shared, cursor), range)))
}
