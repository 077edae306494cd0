//! Samples of given series in a month, from all its parts.

use super::Partition;
use super::parts::PartList;
use crate::error::Result;
use crate::metric::tsid::Tsid;
use crate::part::Part;
use crate::part::search::{FoundBlock, Reading, Samples, find_blocks, read_blocks};
use crate::time::TimeRange;

impl Partition {
    /// Appends the samples of `tsids` (sorted, without repetition) that lie in `range` to `samples`, which has an entry for each:
    /// sorted by time behind what was there; samples with equal timestamps are all kept. `parts` is the list of some instant,
    /// which keeps every part readable, whatever is merged meanwhile.
    ///
    /// # Errors
    /// `Corrupt` when a part is damaged where it was read, `Limit` when the budget is used up.
    pub async fn search(
        &self,
        parts: &PartList,
        tsids: &[Tsid],
        range: TimeRange,
        reading: &mut Reading,
        samples: &mut [Samples],
    ) -> Result<()> {
        let mut in_order: Vec<_> = parts.iter().collect();
        // Parts mostly follow one another in time, and then so do the samples of each series.
        in_order.sort_by_key(|entry| entry.part().header().min_timestamp);
        let mut found: Vec<Vec<FoundBlock>> = Vec::with_capacity(in_order.len());
        let mut rows = vec![0usize; tsids.len()];
        for entry in &in_order {
            let part = entry.part();
            let blocks =
                find_blocks(&self.month.context, part, tsids, range).await.map_err(|error| error.at(place(part)))?;
            for block in &blocks {
                // A block that is cut by the range is only counted when it is read: many of them would announce far too much.
                let TimeRange { min, max } = range;
                if block.header.min_timestamp >= min && block.header.max_timestamp <= max {
                    rows[block.series as usize] += block.header.rows_count as usize;
                }
            }
            found.push(blocks);
        }
        let starts: Vec<usize> = samples.iter().map(Samples::len).collect();
        for (columns, rows) in samples.iter_mut().zip(&rows) {
            reading.reserve(&self.month.context, columns, *rows)?;
            self.month.context.spend(10).await;
        }
        for (entry, blocks) in in_order.iter().zip(&found) {
            let part = entry.part();
            read_blocks(&self.month.context, part, blocks, range, reading, samples)
                .await
                .map_err(|error| error.at(place(part)))?;
        }
        let mut disordered = std::mem::take(&mut reading.disordered);
        disordered.sort();
        disordered.dedup();
        for series in disordered {
            if let (Some(columns), Some(&start)) = (samples.get_mut(series as usize), starts.get(series as usize)) {
                columns.sort_from(start);
                self.month.context.spend((columns.len() - start) as u64 / 4).await;
            }
        }
        Ok(())
    }

    /// The blocks of `tsids` (sorted, without repetition) that overlap `range`, of all parts.
    ///
    /// # Errors
    /// `Corrupt` when a part is damaged where it was read.
    pub async fn find_blocks(&self, parts: &PartList, tsids: &[Tsid], range: TimeRange) -> Result<Vec<FoundBlock>> {
        let mut found = Vec::new();
        for entry in parts.iter() {
            let part = entry.part();
            let blocks = find_blocks(&self.month.context, part, tsids, range).await;
            found.extend(blocks.map_err(|error| error.at(place(part)))?);
        }
        Ok(found)
    }
}

fn place(part: &Part) -> String {
    part.dir().map_or_else(|| "in-memory part".to_owned(), ToString::to_string)
}
