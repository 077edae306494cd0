//! Exports: series after series, in pieces that take little memory however long a series is.

use super::selection::selected;
use crate::error::Result;
use crate::formats::export::ExportFormat;
use crate::storage::Storage;
use crate::storage::search::{FoundSeries, MAX_SERIES, Reading, View};
use crate::time::TimeRange;

/// A chunk ends with the line that reaches this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// A line ends at about so many samples, and the series goes on in the next one: readers put lines of equal labels together, and none
/// has to hold all samples of a series as one text.
const LINE_SAMPLES: u64 = 16_384;

/// An export that is being read.
pub(super) struct ExportCursor {
    format: ExportFormat,
    /// The series still to come, the next one last.
    series: Vec<FoundSeries>,
    range: TimeRange,
    has_begun: bool,
    /// A line of JSON has no more samples.
    max_samples_per_line: usize,
    /// Of the next series: what there was when it was begun, and the times still to be read, the next ones last.
    begun: Option<(View, Vec<TimeRange>)>,
}

impl ExportCursor {
    /// An export of the series that match any of the selectors, each once; of all without one.
    pub(super) async fn open(
        storage: &Storage,
        format: ExportFormat,
        selectors: &[&str],
        range: TimeRange,
    ) -> Result<Self> {
        let filters = if selectors.is_empty() {
            vec![Vec::new()]
        } else {
            let lists = selectors.iter().map(|selector| selected(selector)).collect::<Result<Vec<_>>>()?;
            lists.into_iter().flatten().collect()
        };
        let mut series = storage.find_series(&filters, range, MAX_SERIES).await?;
        storage.tell_labels_not_utf8(&series);
        series.reverse();
        Ok(Self { format, series, range, has_begun: false, max_samples_per_line: usize::MAX, begun: None })
    }

    /// Ends lines of JSON sooner.
    pub(super) fn cut_lines(&mut self, max_samples: usize) {
        if self.format == ExportFormat::JsonLines {
            self.max_samples_per_line = max_samples;
        }
    }

    /// The next chunk; none at the end. After an error it can go on, when what could not be read can be read at the second attempt.
    pub(super) async fn next(&mut self, storage: &Storage) -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            self.format.begin(self.range, &mut chunk);
        }
        while chunk.len() < CHUNK_BYTES {
            match self.put_piece(storage, &mut chunk).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if chunk.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Appends the next piece of a series to `chunk`, or nothing where the next piece of time is empty; `false` at the end of all series.
    /// After an error it can be tried again.
    async fn put_piece(&mut self, storage: &Storage, chunk: &mut Vec<u8>) -> Result<bool> {
        let Some(found) = self.series.last() else { return Ok(false) };
        if self.begun.is_none() {
            let view = storage.view(self.range);
            let mut pieces = storage.pieces(&view, found, self.range, LINE_SAMPLES).await?;
            pieces.reverse();
            self.begun = Some((view, pieces));
        }
        let Some((view, pieces)) = &mut self.begun else { return Ok(false) };
        if let Some(piece) = pieces.last() {
            let mut reading = Reading::with_budget(u64::MAX);
            for samples in storage.read_in(view, &[found], *piece, &mut reading).await? {
                if !samples.is_empty() {
                    let (timestamps, values) = (&samples.timestamps, &samples.values);
                    let length = self.max_samples_per_line;
                    for (timestamps, values) in timestamps.chunks(length).zip(values.chunks(length)) {
                        self.format.write(&found.name, timestamps, values, chunk)?;
                    }
                    storage.context().spend(2 * samples.len() as u64).await;
                }
                storage.note_read(1, &reading, samples.len() as u64);
            }
            pieces.pop();
        }
        if pieces.is_empty() {
            self.begun = None;
            self.series.pop();
        }
        Ok(true)
    }
}
