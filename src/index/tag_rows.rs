//! Packing: tag rows of one tag become one row with many metric ids, whenever a block of the index is written
//! (index-format §2).

use super::schema::{DATE_TAG_TO_METRIC_IDS, TAG_TO_METRIC_IDS, TagRow};
use crate::encoding::int::put_u64;
use crate::mergeset::ItemsBlock;

/// From this number of metric ids on a row is full.
const FULL_ROW_METRIC_IDS: usize = 64;

/// Packs the rows of an output block. Items stay sorted; the first and the last one never change, so that blocks stay in
/// order. Nothing changes where the result would not be sorted, or where a row can't be read.
pub fn pack_tag_rows(block: &mut ItemsBlock) {
    for kind in [TAG_TO_METRIC_IDS, DATE_TAG_TO_METRIC_IDS] {
        if let Some(packed) = packed(block, kind) {
            *block = packed;
        }
    }
}

/// Metric ids that wait to be written as one row.
#[derive(Default)]
struct Pending<'a> {
    prefix: &'a [u8],
    metric_ids: Vec<u64>,
    row: Vec<u8>,
}

impl Pending<'_> {
    /// `None` when the block is full, which can't be: packing only makes it shorter.
    fn flush(&mut self, out: &mut ItemsBlock) -> Option<()> {
        if self.metric_ids.is_empty() {
            return Some(());
        }
        self.metric_ids.sort_unstable();
        self.metric_ids.dedup();
        self.row.clear();
        self.row.extend_from_slice(self.prefix);
        for metric_id in self.metric_ids.drain(..) {
            put_u64(&mut self.row, metric_id);
        }
        out.push(&self.row).then_some(())
    }
}

/// The block with the rows of one kind packed; `None` where it stays as it is.
fn packed(block: &ItemsBlock, kind: u8) -> Option<ItemsBlock> {
    let (first, last) = (*block.first()?.first()?, *block.last()?.first()?);
    if block.len() <= 2 || first > kind || last < kind {
        return None;
    }
    let mut out = ItemsBlock::default();
    let mut pending = Pending::default();
    for (position, item) in block.iter().enumerate() {
        let is_edge = position == 0 || position + 1 == block.len();
        let row = if is_edge || item.first() != Some(&kind) { None } else { Some(TagRow::parse(item).ok()?) };
        match row {
            Some(row) if row.metric_id_count() < FULL_ROW_METRIC_IDS => {
                if row.prefix != pending.prefix {
                    pending.flush(&mut out)?;
                    pending.prefix = row.prefix;
                }
                pending.metric_ids.extend(row.metric_ids());
                if pending.metric_ids.len() >= FULL_ROW_METRIC_IDS {
                    pending.flush(&mut out)?;
                }
            }
            _ => {
                pending.flush(&mut out)?;
                if !out.push(item) {
                    return None;
                }
            }
        }
    }
    // The last item has flushed what waited.
    out.is_sorted().then_some(out)
}
