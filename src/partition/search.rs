//! Samples of given series in a month, from all its parts.

use super::Partition;
use super::parts::PartList;
use crate::collections::sort;
use crate::error::Result;
use crate::metric::tsid::Tsid;
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
        sort::sort_by_key(&mut in_order, |entry| entry.part().header().min_timestamp);
        let place =
            |part: &crate::part::Part| part.dir().map_or_else(|| "in-memory part".to_owned(), ToString::to_string);
        let mut found: Vec<Vec<FoundBlock>> = Vec::with_capacity(in_order.len());
        let mut rows = vec![0usize; tsids.len()];
        for entry in &in_order {
            let part = entry.part();
            let blocks =
                find_blocks(&self.month.context, part, tsids, range).await.map_err(|error| error.at(place(part)))?;
            for block in &blocks {
                rows[block.series as usize] += block.header.rows_count as usize;
            }
            found.push(blocks);
        }
        let starts: Vec<usize> = samples.iter().map(Samples::len).collect();
        // What the headers announce is believed up to a length that no single block's lie can make costly.
        const MAX_RESERVED_ROWS: usize = 1 << 20;
        for (columns, rows) in samples.iter_mut().zip(&rows) {
            columns.timestamps.reserve((*rows).min(MAX_RESERVED_ROWS));
            columns.values.reserve((*rows).min(MAX_RESERVED_ROWS));
        }
        for (entry, blocks) in in_order.iter().zip(&found) {
            let part = entry.part();
            read_blocks(&self.month.context, part, blocks, range, reading, samples)
                .await
                .map_err(|error| error.at(place(part)))?;
        }
        for ((columns, start), rows) in samples.iter_mut().zip(starts).zip(rows) {
            if rows > 0 {
                columns.sort_from(start);
                self.month.context.spend(rows as u64 / 16).await;
            }
        }
        Ok(())
    }
}
