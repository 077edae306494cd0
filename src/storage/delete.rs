//! Deleting series: a tombstone in the index hides them at once, their rows go with the next merges (index-format §5, §6).

use super::Storage;
use super::search::MAX_SERIES;
use crate::error::Result;
use crate::metric::filter::Selector;
use crate::time::TimeRange;

impl Storage {
    /// Hides all series that match, whenever they have samples. Returns how many. A series of the same name that gets samples
    /// later is a new one.
    ///
    /// # Errors
    /// `Invalid` for a selector that can't be read; what storage says.
    pub async fn delete_series(&self, selector: &str) -> Result<u64> {
        let filters = Selector::parse(selector)?.filters;
        // Rows still in shards belong to series the index may not show yet.
        self.flush().await?;
        // The log calls series by their names, which a tombstone does not hide.
        if self.log.as_ref().is_some_and(|log| log.live_records() > 0) {
            for partition in self.table.partitions() {
                let brought = partition.bring_to_disk().await;
                self.unless_dropped(&partition, brought)?;
            }
        }
        let _passage = self.preparing.enter(&self.context).await;
        let tsids = self.index.search_tsids(&filters, TimeRange::ALL, MAX_SERIES).await?;
        let metric_ids: Vec<u64> = tsids.iter().map(|tsid| tsid.metric_id).collect();
        self.index.delete_series(&metric_ids).await?;
        let generation = self.index.generation();
        self.series.borrow_mut().unresolve_all(generation);
        Ok(metric_ids.len() as u64)
    }
}
