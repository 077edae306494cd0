//! The loops that sort rows by series and time. They wait for nothing: `src/part/inmemory.rs` cuts the work into slices and calls
//! them for each. Apart from it they also run faster: what lives across an await lies in memory, and is read anew for every row.
//!
//! They lie beside the rows that they sort, and not beside their only caller, since Cargo optimises by package: the rooms of the
//! kernel are compiled for speed, and `part` is none of them.

use super::row::{SeriesIndex, SeriesTable};
use super::tsid::Tsid;
use crate::error::{Error, Result};
use crate::time::TimestampMs;

/// A series that occurs in a batch.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Its TSID, by which slots are sorted.
    pub tsid: Tsid,
    /// Its number in the table.
    pub series: SeriesIndex,
}

/// Marks a series that has no slot.
pub const NO_SLOT: u32 = u32::MAX;

/// Counts the rows of each series: `slot_of` has an entry for every series of the table, `counts` one for every slot.
///
/// # Errors
/// `Internal` for a series that is not in the table.
pub fn count(
    chunk: &[SeriesIndex],
    series: &SeriesTable,
    slot_of: &mut [u32],
    slots: &mut Vec<Slot>,
    counts: &mut Vec<u32>,
) -> Result<()> {
    for &index in chunk {
        let slot = slot_of
            .get_mut(index as usize)
            .ok_or_else(|| Error::internal(format!("series {index} is not in the table")))?;
        if *slot == NO_SLOT {
            *slot = slots.len() as u32;
            slots.push(Slot { tsid: series.tsid(index), series: index });
            counts.push(0);
        }
        counts[*slot as usize] += 1;
    }
    Ok(())
}

/// Puts rows, columns of one length, where the cursor of their series points, and moves it on.
pub fn scatter(
    (series, timestamps, values): (&[SeriesIndex], &[TimestampMs], &[f64]),
    slot_of: &[u32],
    cursors: &mut [u32],
    sorted_timestamps: &mut [TimestampMs],
    sorted_values: &mut [f64],
) {
    for ((&index, &timestamp), &value) in series.iter().zip(timestamps).zip(values) {
        let cursor = &mut cursors[slot_of[index as usize] as usize];
        let at = *cursor as usize;
        *cursor += 1;
        sorted_timestamps[at] = timestamp;
        sorted_values[at] = value;
    }
}

/// Whether the rows of a series came in order.
pub fn is_sorted(timestamps: &[TimestampMs]) -> bool {
    timestamps.is_sorted()
}

/// Sorts slots by TSID.
pub fn sort_slots(slots: &mut [Slot]) {
    slots.sort_unstable_by_key(|slot| slot.tsid);
}

/// Sorts slots of which long pieces are sorted.
pub fn join_slots(slots: &mut [Slot]) {
    slots.sort_by_key(|slot| slot.tsid);
}

/// Sorts rows of one series by time; rows of one instant keep their order.
pub fn sort_by_time(rows: &mut [(TimestampMs, f64)]) {
    rows.sort_by_key(|row| row.0);
}

/// Moves the `most` earliest rows of two sorted columns behind `merged`, those of `left` first where times are equal. Ends early
/// when one of them is used up.
pub fn merge_by_time<'a>(
    left: &mut &'a [(TimestampMs, f64)],
    right: &mut &'a [(TimestampMs, f64)],
    most: usize,
    merged: &mut Vec<(TimestampMs, f64)>,
) {
    for _ in 0..most {
        let takes_left = match (left.first(), right.first()) {
            (Some(left), Some(right)) => left.0 <= right.0,
            _ => break,
        };
        let side = if takes_left { &mut *left } else { &mut *right };
        if let Some((first, rest)) = side.split_first() {
            merged.push(*first);
            *side = rest;
        }
    }
}
