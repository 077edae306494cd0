//! The log that an earlier process has left, or that the writer goes on with, becomes in-memory parts again. Nothing is written.

use super::Storage;
use super::series::registered_mark;
use crate::error::{Error, Result};
use crate::log::{LogRecord, LoggedNames, Replay, ReplayedRows, UNKNOWN_METRIC_ID};
use crate::metric::row::Rows;
use crate::time::{MAX_TIMESTAMP_MS, TimeRange, date_of};
use std::collections::HashMap;
use std::rc::Rc;

impl Storage {
    /// Takes in all rows of the log that was found, and makes them searchable.
    ///
    /// # Errors
    /// `Corrupt` with the file that can't be understood; what storage says.
    pub(super) async fn replay(&self, found: &Replay) -> Result<()> {
        let mut names_of = Vec::new();
        // One without records may go at any time.
        for (generation, _) in found.record_counts().filter(|(_, records)| *records > 0) {
            names_of.push((generation, found.names(&self.context, generation).await?));
        }
        // A series whose entry a crash has taken from the index gets an id that no other series has in the log.
        let logged_ids = names_of.iter().flat_map(|(_, names)| names.values().map(|(_, metric_id)| *metric_id));
        if let Some(greatest) = logged_ids.max() {
            self.index.skip_metric_ids(greatest);
        }
        for (generation, names) in names_of {
            for number in found.records(generation) {
                let replayed = found.read(&self.context, generation, number, &names).await?;
                let record = self.log.as_ref().map(|log| log.adopt(&replayed));
                self.replay_rows(replayed, &names, record).await?;
            }
        }
        if !found.is_empty() {
            self.flush().await?;
        }
        Ok(())
    }

    async fn replay_rows(
        &self,
        replayed: ReplayedRows,
        names: &LoggedNames,
        record: Option<Rc<LogRecord>>,
    ) -> Result<()> {
        let (rows, handles, by_number) = self.wanted_rows(replayed.rows, names)?;
        let mut distinct = handles.clone();
        distinct.sort();
        distinct.dedup();
        // A clock that was set back does not undo what was accepted before.
        let range = TimeRange { min: self.accepted_times().range.min, max: MAX_TIMESTAMP_MS };
        self.prepare(&distinct, &rows.timestamps, range).await?;
        self.note_logged_ids(names, &by_number);
        let partition = rows.timestamps.first().and_then(|first| self.table.partition_of(*first));
        let Some((_, partition)) = partition else {
            if let (Some(log), Some(record)) = (&self.log, record) {
                log.abandon(&[record]);
            }
            return Ok(());
        };
        for (&handle, &timestamp) in handles.iter().zip(&rows.timestamps) {
            let date = date_of(timestamp);
            self.register_day(handle, date, registered_mark(date));
        }
        let series = {
            let known = self.series.borrow();
            handles.iter().map(|handle| known.row_series(*handle)).collect()
        };
        partition.add_logged(Rows { series, ..rows }, record);
        Ok(())
    }

    /// A crash may have taken the index' entry of a series whose rows the log kept: the series has another id now, and whoever
    /// deletes it must name both, or the log's next reader would not know it for the same.
    fn note_logged_ids(&self, names: &LoggedNames, by_number: &HashMap<u32, Option<u32>>) {
        let known = self.series.borrow();
        let mut logged_ids = self.logged_ids.borrow_mut();
        for (number, handle) in by_number {
            let Some(tsid) = handle.and_then(|handle| known.tsid(handle)) else { continue };
            let Some((_, logged_id)) = names.get(number) else { continue };
            // Rows that waited for their series have the unknown one in the log.
            if *logged_id != tsid.metric_id {
                logged_ids.entry(tsid.metric_id).or_default().insert(*logged_id);
            }
        }
    }

    /// The rows that are neither too old nor of deleted series, the handles of their series, and those by the log's numbers.
    fn wanted_rows(&self, mut rows: Rows, names: &LoggedNames) -> Result<(Rows, Vec<u32>, HashMap<u32, Option<u32>>)> {
        let (deleted, oldest) = (self.index.deleted(), self.accepted_times().range.min);
        let mut known: HashMap<u32, Option<u32>> = HashMap::new();
        let mut handles = Vec::with_capacity(rows.len());
        let mut kept = 0;
        for at in 0..rows.len() {
            let number = rows.series[at];
            let handle = match known.get(&number) {
                Some(handle) => *handle,
                None => {
                    let is_deleted = |metric_id: u64| metric_id != UNKNOWN_METRIC_ID && deleted.contains(metric_id);
                    let wanted = names.get(&number).filter(|(_, metric_id)| !is_deleted(*metric_id));
                    let handle = wanted.map(|(name, _)| self.series.borrow_mut().known_handle(name.clone()));
                    let handle = handle.transpose().map_err(|error| Error::corrupt(error.message()).at("log"))?;
                    known.insert(number, handle);
                    handle
                }
            };
            let Some(handle) = handle.filter(|_| rows.timestamps[at] >= oldest) else { continue };
            handles.push(handle);
            rows.timestamps[kept] = rows.timestamps[at];
            rows.values[kept] = rows.values[at];
            kept += 1;
        }
        rows.timestamps.truncate(kept);
        rows.values.truncate(kept);
        Ok((rows, handles, known))
    }
}
