//! Deleting series: a tombstone in the index hides them at once, their rows go with the next merges (index-format §5, §6).

use super::Storage;
use super::search::MAX_SERIES;
use crate::error::{Error, ErrorKind, Result};
use crate::log::UNKNOWN_METRIC_ID;
use crate::metric::filter::TagFilter;
use crate::time::TimeRange;

impl Storage {
    /// Hides all series that pass the filters of one of the lists, whenever they have samples. Returns how many. A series of the same name that gets samples
    /// later is a new one.
    ///
    /// # Errors
    /// `Limit` for more than [`MAX_SERIES`] series; `Quota` where the storage is full and the log has rows of these series that would come
    /// back; what storage says.
    pub async fn delete_series(&self, filter_lists: &[Vec<TagFilter>]) -> Result<u64> {
        // Rows still in shards belong to series the index may not show yet.
        self.flush().await?;
        // Rows of the log had better be in parts, whose merges leave out what was deleted. A full storage does not take them, and must
        // let deletions through all the same: whoever reads the log leaves out series that were deleted, too.
        let mut is_full = None;
        if self.log.as_ref().is_some_and(|log| log.live_records() > 0) {
            for partition in self.table.partitions() {
                let brought = partition.bring_to_disk().await;
                let brought = brought.or_else(|error| match error.kind() {
                    ErrorKind::Quota => {
                        is_full = Some(error);
                        Ok(())
                    }
                    _ => Err(error),
                });
                self.unless_dropped(&partition, brought)?;
            }
        }
        if is_full.is_none() {
            self.logged_ids.borrow_mut().values_mut().for_each(|ids| _ = ids.remove(&UNKNOWN_METRIC_ID));
        }
        let _passage = self.preparing.enter(&self.context).await;
        let mut metric_ids = Vec::new();
        for filters in filter_lists {
            let tsids = self.index.search_tsids(filters, TimeRange::ALL, MAX_SERIES).await?;
            metric_ids.extend(tsids.iter().map(|tsid| tsid.metric_id));
        }
        metric_ids.sort_unstable();
        metric_ids.dedup();
        let series = metric_ids.len() as u64;
        {
            let logged_ids = self.logged_ids.borrow();
            let logged = metric_ids.iter().filter_map(|metric_id| logged_ids.get(metric_id)).flatten();
            let logged: Vec<u64> = logged.copied().collect();
            // By no id would the log's next reader know these rows for deleted ones.
            if let Some(error) = is_full.filter(|_| logged.contains(&UNKNOWN_METRIC_ID)) {
                return Err(Error::new(
                    ErrorKind::Quota,
                    format!(
                        "rows of a series that is to be deleted lie in the log alone: {error}; delete it again when there is room"
                    ),
                ));
            }
            metric_ids.extend(logged.into_iter().filter(|id| *id != UNKNOWN_METRIC_ID));
        }
        self.index.delete_series(&metric_ids).await?;
        self.context.arrivals().note_all();
        let generation = self.index.generation();
        self.series.borrow_mut().unresolve_all(generation);
        Ok(series)
    }
}
