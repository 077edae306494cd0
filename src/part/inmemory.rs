//! In-memory parts from raw rows (part-format §7).

use super::reader::Part;
use super::writer::BlockStreamWriter;
use crate::block::dedup::Dedup;
use crate::block::{Block, MAX_ROWS_PER_BLOCK};
use crate::encoding::zstd::Effort;
use crate::error::Result;
use crate::metric::row::{Rows, SeriesTable};
use crate::metric::row_sort::{
    NO_SLOT, Slot, count, is_sorted, join_slots, merge_by_time, scatter, sort_by_time as sort_slice_by_time, sort_slots,
};
use crate::metric::tsid::Tsid;
use crate::runtime::Context;
use crate::time::TimestampMs;
use std::cell::Cell;

/// How rows become blocks.
#[derive(Clone, Copy, Debug)]
pub struct ConversionOptions {
    /// Significant bits to keep, 1 to 64; 64 is lossless.
    pub precision_bits: u8,
    /// De-duplication, when it is switched on.
    pub dedup: Option<Dedup>,
}

/// Makes a part of rows in any order; `None` when there are none. Yields to others every few thousand rows.
pub async fn part_from_rows(
    context: &Context,
    rows: &Rows,
    series: &SeriesTable,
    options: ConversionOptions,
) -> Result<Option<Part>> {
    let sorted = sort_by_series(context, rows, series).await?;
    let SortedRows { runs, mut timestamps, mut values } = sorted;
    let mut writer = BlockStreamWriter::new(Effort::Fast);
    let mut block = Block::default();
    let mut start = 0;
    for run in runs {
        let (timestamps, values) = (&mut timestamps[start..run.end], &mut values[start..run.end]);
        start = run.end;
        if !is_sorted(timestamps) {
            sort_by_time(context, timestamps, values).await;
        }
        for (timestamps, values) in timestamps.chunks(MAX_ROWS_PER_BLOCK).zip(values.chunks(MAX_ROWS_PER_BLOCK)) {
            block.fill_from_rows(run.tsid, timestamps, values, options.precision_bits, options.dedup);
            writer.encode_and_write(&mut block)?;
            // A block costs about as much as some twenty rows, however small it is.
            context.spend(timestamps.len() as u64 + 20).await;
        }
    }
    let interval = options.dedup.map_or(0, |dedup| dedup.interval_ms);
    Ok(writer.finish(interval)?.map(Part::in_memory))
}

/// Rows grouped by series in the order of TSIDs; within a series in the order in which they came.
struct SortedRows {
    runs: Vec<Run>,
    timestamps: Vec<TimestampMs>,
    values: Vec<f64>,
}

/// The rows of one series, from the end of the run before it.
struct Run {
    tsid: Tsid,
    end: usize,
}

/// Rows handled between two looks at the budget.
const ROWS_PER_SLICE: usize = 8192;

thread_local! {
    /// For each series its slot in the batch that is being sorted. Kept, as it has an entry for every known series; all
    /// entries are [`NO_SLOT`] between two batches.
    static SLOTS: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// A stable counting sort: only the series of the batch are sorted by comparing, rows are put in place in linear time.
async fn sort_by_series(context: &Context, rows: &Rows, series: &SeriesTable) -> Result<SortedRows> {
    // While this job waits another one finds an empty table and makes its own.
    let mut slot_of = SLOTS.take();
    slot_of.resize(series.len().max(slot_of.len()), NO_SLOT);
    let mut slots: Vec<Slot> = Vec::new();
    let mut counts: Vec<u32> = Vec::new();
    for chunk in rows.series.chunks(ROWS_PER_SLICE) {
        count(chunk, series, &mut slot_of, &mut slots, &mut counts)?;
        context.spend(chunk.len() as u64 / 4).await;
    }
    // Sorted in pieces, so that a hundred thousand series are no long slice; joining sorted pieces is quick.
    for piece in slots.chunks_mut(ROWS_PER_SLICE) {
        sort_slots(piece);
        context.spend(piece.len() as u64 * 4).await;
    }
    if slots.len() > ROWS_PER_SLICE {
        join_slots(&mut slots);
        context.spend(slots.len() as u64).await;
    }

    // A series' entry says which count is its own so far, and which cursor from now on.
    let mut cursors: Vec<u32> = Vec::with_capacity(slots.len());
    let mut runs: Vec<Run> = Vec::with_capacity(slots.len());
    let mut end = 0;
    for (rank, slot) in slots.iter().enumerate() {
        let of_series = &mut slot_of[slot.series as usize];
        cursors.push(end as u32);
        end += counts[*of_series as usize] as usize;
        *of_series = rank as u32;
        match runs.last_mut() {
            // A series that was added to the table twice.
            Some(run) if run.tsid == slot.tsid => run.end = end,
            _ => runs.push(Run { tsid: slot.tsid, end }),
        }
    }
    let mut timestamps = vec![0; rows.len()];
    let mut values = vec![0.0; rows.len()];
    let columns = rows.series.chunks(ROWS_PER_SLICE).zip(rows.timestamps.chunks(ROWS_PER_SLICE));
    for ((series, column), value_column) in columns.zip(rows.values.chunks(ROWS_PER_SLICE)) {
        scatter((series, column, value_column), &slot_of, &mut cursors, &mut timestamps, &mut values);
        context.spend(series.len() as u64 / 2).await;
    }
    for slot in &slots {
        slot_of[slot.series as usize] = NO_SLOT;
    }
    SLOTS.set(slot_of);
    Ok(SortedRows { runs, timestamps, values })
}

/// Sorts the rows of one series by time; rows of one instant keep their order. Bottom-up, so that a long run is no long slice.
async fn sort_by_time(context: &Context, timestamps: &mut [TimestampMs], values: &mut [f64]) {
    let mut rows: Vec<(TimestampMs, f64)> = timestamps.iter().copied().zip(values.iter().copied()).collect();
    for chunk in rows.chunks_mut(ROWS_PER_SLICE) {
        sort_slice_by_time(chunk);
        context.spend(chunk.len() as u64).await;
    }
    let mut width = ROWS_PER_SLICE;
    let mut merged: Vec<(TimestampMs, f64)> = Vec::new();
    while width < rows.len() {
        merged.clear();
        merged.reserve(rows.len());
        for pair in rows.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while !left.is_empty() && !right.is_empty() {
                let most = ROWS_PER_SLICE.min(left.len() + right.len());
                merge_by_time(&mut left, &mut right, most, &mut merged);
                context.spend(most as u64 / 2).await;
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut rows, &mut merged);
        width *= 2;
    }
    for ((timestamp, value), row) in timestamps.iter_mut().zip(values).zip(rows) {
        (*timestamp, *value) = row;
    }
}
