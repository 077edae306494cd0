//! Packing: tag rows of one tag become one row with many metric ids, whenever a block of the index is written
//! (index-format §2).

use super::schema::{DATE_TAG_TO_METRIC_IDS, TAG_TO_METRIC_IDS, TagRow};
use crate::encoding::int::put_u64;

/// From this number of metric ids on a row is full.
const FULL_ROW_METRIC_IDS: usize = 64;

/// Packs the rows of an output block: sorted items in, sorted items out. The first and the last item never change, so that
/// blocks stay in order. Nothing changes where the result would not be sorted, or where a row can't be read.
pub fn pack_tag_rows(mut items: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for kind in [TAG_TO_METRIC_IDS, DATE_TAG_TO_METRIC_IDS] {
        if let Some(packed) = packed(&items, kind) {
            items = packed;
        }
    }
    items
}

/// Metric ids that wait to be written as one row.
#[derive(Default)]
struct Pending<'a> {
    prefix: &'a [u8],
    metric_ids: Vec<u64>,
}

impl Pending<'_> {
    fn flush(&mut self, out: &mut Vec<Vec<u8>>) {
        if self.metric_ids.is_empty() {
            return;
        }
        self.metric_ids.sort_unstable();
        self.metric_ids.dedup();
        let mut row = Vec::with_capacity(self.prefix.len() + 8 * self.metric_ids.len());
        row.extend_from_slice(self.prefix);
        for metric_id in self.metric_ids.drain(..) {
            put_u64(&mut row, metric_id);
        }
        out.push(row);
    }
}

/// The items with the rows of one kind packed; `None` where they stay as they are.
fn packed(items: &[Vec<u8>], kind: u8) -> Option<Vec<Vec<u8>>> {
    let (first, last) = (items.first()?.first().copied()?, items.last()?.first().copied()?);
    if items.len() <= 2 || first > kind || last < kind {
        return None;
    }
    let mut out: Vec<Vec<u8>> = Vec::with_capacity(items.len());
    let mut pending = Pending::default();
    for (position, item) in items.iter().enumerate() {
        let is_edge = position == 0 || position + 1 == items.len();
        let row = if is_edge || item.first() != Some(&kind) { None } else { Some(TagRow::parse(item).ok()?) };
        match row {
            Some(row) if row.metric_id_count() < FULL_ROW_METRIC_IDS => {
                if row.prefix != pending.prefix {
                    pending.flush(&mut out);
                    pending.prefix = row.prefix;
                }
                pending.metric_ids.extend(row.metric_ids());
                if pending.metric_ids.len() >= FULL_ROW_METRIC_IDS {
                    pending.flush(&mut out);
                }
            }
            _ => {
                pending.flush(&mut out);
                out.push(item.clone());
            }
        }
    }
    // The last item has flushed what waited.
    out.is_sorted().then_some(out)
}
