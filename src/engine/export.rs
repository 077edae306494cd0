//! Exports: series after series as JSON lines, in pieces that take little memory however long a series is.

use super::{Answer, Shared};
use crate::error::{Error, Result};
use crate::formats::jsonl;
use crate::storage::Storage;
use crate::storage::search::{FoundSeries, Reading, View};
use crate::time::TimeRange;
use std::rc::Rc;

/// A chunk ends with the line that reaches this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// A line ends at about so many samples, and the series goes on in the next one: readers put lines of equal labels together, and none
/// has to hold all samples of a series as one text.
const LINE_SAMPLES: u64 = 16_384;

/// An export that is being read.
pub(super) struct ExportCursor {
    /// The series still to come, the next one last.
    series: Vec<FoundSeries>,
    range: TimeRange,
    /// Of the next series: what there was when it was begun, and the times still to be read, the next ones last.
    begun: Option<(View, Vec<TimeRange>)>,
}

impl ExportCursor {
    /// An export of these series, in their order.
    pub(super) fn new(mut series: Vec<FoundSeries>, range: TimeRange) -> Self {
        series.reverse();
        Self { series, range, begun: None }
    }

    /// Appends the next line to `chunk`, or nothing where the next piece of time is empty; `false` at the end of all series. After
    /// an error it can be tried again.
    async fn put_line(&mut self, storage: &Storage, chunk: &mut Vec<u8>) -> Result<bool> {
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
                    jsonl::write_export_line(&found.name, &samples.timestamps, &samples.values, chunk);
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

/// The next chunk of an export.
pub(super) async fn next(storage: Rc<Storage>, shared: Rc<Shared>, id: u32) -> Result<Answer> {
    // Taken out while it is read, so that no borrow lasts over an await.
    let cursor = shared.cursors.borrow_mut().remove(&id);
    let mut cursor =
        cursor.ok_or_else(|| Error::invalid(format!("there is no export {id}; it has ended or was closed")))?;
    let mut chunk = Vec::new();
    while chunk.len() < CHUNK_BYTES {
        match cursor.put_line(&storage, &mut chunk).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                // It can go on, when what could not be read can be read at the second attempt.
                shared.cursors.borrow_mut().insert(id, cursor);
                return if chunk.is_empty() { Err(error) } else { Ok(Answer::Chunk(Some(chunk))) };
            }
        }
    }
    if chunk.is_empty() {
        return Ok(Answer::Chunk(None));
    }
    shared.cursors.borrow_mut().insert(id, cursor);
    Ok(Answer::Chunk(Some(chunk)))
}
