//! Finds the blocks of given series in a part and reads their samples.

use super::PartFile;
use super::index_block::read_index_block;
use super::pages::{Keeping, start_read};
use super::reader::Part;
use crate::block::{BlockHeader, Decoder};
use crate::error::{Error, ErrorKind, Result};
pub use crate::metric::samples::Samples;
use crate::metric::tsid::Tsid;
use crate::runtime::{BlockKey, Context, MemoryShare};
use crate::time::TimeRange;
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// A block that holds samples of a wanted series, as far as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBlock {
    /// Index of the series among those asked for.
    pub series: u32,
    /// The block.
    pub header: BlockHeader,
}

impl FoundBlock {
    /// Whether all of its samples lie in the range.
    fn is_within(&self, range: TimeRange) -> bool {
        self.header.min_timestamp >= range.min && self.header.max_timestamp <= range.max
    }
}

/// The blocks of `tsids` (sorted, without repetition) that overlap `range`, in the part's order.
///
/// # Errors
/// `Corrupt` when an index block can't be read.
pub async fn find_blocks(context: &Context, part: &Part, tsids: &[Tsid], range: TimeRange) -> Result<Vec<FoundBlock>> {
    debug_assert!(tsids.is_sorted(), "series are asked for in order");
    let mut found = Vec::new();
    let mut found_rows = 0;
    let rows = part.metaindex();
    let (mut next, mut at_row) = (0, 0);
    while next < tsids.len() && part.header().range().overlaps(&range) {
        // Blocks of a series may begin in the index block before the first one that begins with it.
        at_row = at_row.max(rows.partition_point(|row| row.tsid < tsids[next]).saturating_sub(1));
        let Some(row) = rows.get(at_row) else { break };
        let last_tsid = rows.get(at_row + 1).map(|row| row.tsid);
        next += tsids[next..].partition_point(|tsid| *tsid < row.tsid);
        if next == tsids.len() {
            break;
        }
        if row.range().overlaps(&range) && last_tsid.is_none_or(|last| tsids[next] <= last) {
            let headers = index_block(context, part, at_row).await?;
            let before = found.len();
            collect(&headers, &tsids[next..], next, range, &mut found);
            found_rows += found[before..].iter().map(|block| u64::from(block.header.rows_count)).sum::<u64>();
            check_rows(part, found_rows)?;
            context.spend(headers.len() as u64).await;
        }
        at_row += 1;
        // The last series of this index block may go on in the next one.
        match last_tsid {
            Some(last) => next += tsids[next..].partition_point(|tsid| *tsid < last),
            None => break,
        }
    }
    Ok(found)
}

/// One index block of a part.
pub async fn index_block(context: &Context, part: &Part, row: usize) -> Result<Rc<Vec<BlockHeader>>> {
    let Some(row) = part.metaindex().get(row) else {
        return Err(Error::internal(format!("there is no index block {row}")));
    };
    let key = BlockKey { owner: part.cached().owner(context, PartFile::Index), offset: row.index_block_offset };
    if let Some(headers) = context.block_cache().get::<Vec<BlockHeader>>(key) {
        return Ok(headers);
    }
    let end = row.index_block_offset.saturating_add(u64::from(row.index_block_size));
    let frame = part.read(context, PartFile::Index, row.index_block_offset..end).await?;
    let headers = Rc::new(read_index_block(&frame, row)?);
    let rows: u64 = headers.iter().map(|header| u64::from(header.rows_count)).sum();
    check_rows(part, rows)?;
    context.block_cache().insert(key, headers.clone(), (headers.len() * size_of::<BlockHeader>()) as u64);
    Ok(headers)
}

/// A part has the rows that its header says, whatever its blocks say: memory is taken by their count.
fn check_rows(part: &Part, rows: u64) -> Result<()> {
    if rows > part.header().rows {
        let stated = part.header().rows;
        return Err(Error::corrupt(format!("a part of {stated} rows holds more: {rows} rows in some of its blocks")));
    }
    Ok(())
}

fn collect(headers: &[BlockHeader], tsids: &[Tsid], first: usize, range: TimeRange, found: &mut Vec<FoundBlock>) {
    let mut headers = headers;
    for (i, tsid) in tsids.iter().enumerate() {
        headers = &headers[headers.partition_point(|header| header.tsid < *tsid)..];
        if headers.is_empty() {
            return;
        }
        for header in headers.iter().take_while(|header| header.tsid == *tsid) {
            if (TimeRange { min: header.min_timestamp, max: header.max_timestamp }).overlaps(&range) {
                found.push(FoundBlock { series: (first + i) as u32, header: *header });
            }
        }
    }
}

/// Blocks that lie close together are read at once, up to so many bytes of each file.
const MAX_READ_LEN: u64 = 256 << 10;
/// A gap that is cheaper to read than to leave out.
const MAX_GAP_LEN: u64 = 16 << 10;

/// Adjacent blocks with the bytes of two files that hold them.
struct Batch {
    blocks: Range<usize>,
    timestamps: Range<u64>,
    values: Range<u64>,
}

/// What a search has read so far, and what it may read still.
#[derive(Debug, Default)]
pub struct Reading {
    /// How many samples may be read in all.
    limit: u64,
    /// How many more.
    budget: u64,
    /// Parts in which blocks were found.
    pub parts: u64,
    /// Blocks that were decoded.
    pub blocks: u64,
    /// Rows of these blocks, those outside of the range included.
    pub rows: u64,
    /// Bytes of these blocks' data.
    pub bytes: u64,
    /// The memory of the samples, drawn from the context's budget.
    pub memory: Option<MemoryShare>,
    /// What of the data is kept in the cache.
    pub keeping: Keeping,
    /// Series whose samples have not come in the order of time since this was last emptied.
    pub disordered: Vec<u32>,
}

/// What a sample takes: a timestamp and a value.
const SAMPLE_BYTES: u64 = 16;

impl Reading {
    /// Nothing was read so far; up to `budget` samples may be, as far as there is memory.
    pub fn with_budget(budget: u64) -> Self {
        Self { limit: budget, budget, ..Self::default() }
    }

    /// As [`Reading::with_budget`], for who reads all once: nothing is kept for the next one.
    pub fn in_passing(budget: u64) -> Self {
        Self { keeping: Keeping::nothing(), ..Self::with_budget(budget) }
    }

    /// Makes room for more samples of a series.
    ///
    /// # Errors
    /// `Limit` when there is no memory left for them.
    pub fn reserve(&mut self, context: &Context, columns: &mut Samples, samples: usize) -> Result<()> {
        if columns.timestamps.capacity() - columns.len() >= samples {
            return Ok(());
        }
        // A column grows by halves at the least: it would be copied with each of many parts otherwise.
        let more = samples.max(columns.len() / 2);
        let grown = (columns.len() + more - columns.timestamps.capacity()) as u64;
        self.memory.get_or_insert_with(|| context.memory().share()).grow(grown * SAMPLE_BYTES)?;
        let reserved = columns.timestamps.try_reserve_exact(more).and_then(|()| columns.values.try_reserve_exact(more));
        reserved.map_err(|_| {
            let message = format!(
                "{more} more samples are {} bytes, which this page's memory has not left, though the budget has; ask for less at once: fewer \
                 series, a shorter time, or an export, which needs little",
                more as u64 * SAMPLE_BYTES
            );
            Error::new(ErrorKind::Limit, message)
        })
    }
}

/// Appends the samples of `blocks` that lie in `range` to the columns of their series, in the part's order, and keeps account.
///
/// # Errors
/// `Corrupt` when a block can't be decoded, `Limit` when the budget is used up.
pub async fn read_blocks(
    context: &Context,
    part: &Part,
    blocks: &[FoundBlock],
    range: TimeRange,
    reading: &mut Reading,
    samples: &mut [Samples],
) -> Result<()> {
    let result = read_in_batches(context, part, blocks, range, reading, samples).await;
    if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt) {
        // It may have been read wrongly: who tries again reads it anew.
        part.cached().forget(context);
    }
    result
}

async fn read_in_batches(
    context: &Context,
    part: &Part,
    blocks: &[FoundBlock],
    range: TimeRange,
    reading: &mut Reading,
    samples: &mut [Samples],
) -> Result<()> {
    reading.parts += u64::from(!blocks.is_empty());
    let mut decoder = Decoder::default();
    let mut cut = Samples::default();
    let mut batches = batches(part, blocks)?.into_iter();
    // The next batch is on its way while this one is decoded.
    let mut under_way = batches.next().map(|batch| start_reading(context, part, batch, &mut reading.keeping));
    while let Some((batch, timestamps, values)) = under_way {
        under_way = batches.next().map(|batch| start_reading(context, part, batch, &mut reading.keeping));
        let (timestamps, values) = (timestamps.await?, values.await?);
        for at in batch.blocks {
            let block = &blocks[at];
            let header = &block.header;
            let Some(columns) = samples.get_mut(block.series as usize) else {
                return Err(Error::internal(format!("there are no columns for series {}", block.series)));
            };
            let start = columns.len();
            // Of a block that is cut by the range only what is asked for takes memory that stays.
            let is_whole = block.is_within(range);
            if is_whole && columns.timestamps.capacity() - start < header.rows_count as usize {
                reading.reserve(context, columns, rows_ahead(block.series, &blocks[at..], range))?;
            }
            let into = if is_whole { &mut *columns } else { &mut cut };
            let added = decoder.append(
                header,
                slice(
                    &timestamps,
                    batch.timestamps.start,
                    header.timestamps_block_offset,
                    header.timestamps_block_size,
                )?,
                slice(&values, batch.values.start, header.values_block_offset, header.values_block_size)?,
                range,
                &mut into.timestamps,
                &mut into.values,
            )?;
            if !is_whole {
                reading.reserve(context, columns, added + rows_ahead(block.series, &blocks[at + 1..], range))?;
                columns.timestamps.append(&mut cut.timestamps);
                columns.values.append(&mut cut.values);
            }
            if let [.., before, first] = columns.timestamps[..columns.len().min(start + 1)]
                && added > 0
                && first < before
            {
                reading.disordered.push(block.series);
            }
            reading.budget = reading.budget.checked_sub(added as u64).ok_or_else(|| too_many_samples(reading.limit))?;
            reading.blocks += 1;
            reading.rows += u64::from(header.rows_count);
            reading.bytes += u64::from(header.timestamps_block_size) + u64::from(header.values_block_size);
            context.spend(u64::from(header.rows_count) / 4 + 5).await;
        }
    }
    Ok(())
}

/// Blocks for which room is made at once. Their rows are believed before they are decoded, so they are not many.
const MAX_BLOCKS_AHEAD: usize = 32;

/// The rows of the first blocks, as far as they are the series' and lie in the range: with room for all of them a column does not
/// grow block by block.
fn rows_ahead(series: u32, blocks: &[FoundBlock], range: TimeRange) -> usize {
    let ahead = blocks.iter().take(MAX_BLOCKS_AHEAD);
    let ahead = ahead.take_while(|block| block.series == series && block.is_within(range));
    ahead.map(|block| block.header.rows_count as usize).sum()
}

#[cold]
fn too_many_samples(limit: u64) -> Error {
    let message = format!(
        "more samples match than the {limit} that one search may read; narrow the selector or the time range, or let a query read more by its option maxSamples"
    );
    Error::new(ErrorKind::Limit, message)
}

fn slice(bytes: &Bytes, start: u64, offset: u64, size: u32) -> Result<&[u8]> {
    let from = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
    if size == 0 {
        return Ok(&[]);
    }
    bytes
        .get(from..from.saturating_add(size as usize))
        .ok_or_else(|| Error::corrupt(format!("{size} bytes at {offset} lie outside of what was read")))
}

fn start_reading(
    context: &Context,
    part: &Part,
    batch: Batch,
    keeping: &mut Keeping,
) -> (Batch, impl Future<Output = Result<Bytes>> + use<>, impl Future<Output = Result<Bytes>> + use<>) {
    let timestamps = start_read(context, part, PartFile::Timestamps, batch.timestamps.clone(), keeping);
    let values = start_read(context, part, PartFile::Values, batch.values.clone(), keeping);
    (batch, timestamps, values)
}

/// Cuts blocks, which are in the part's order, into groups that are read at once.
fn batches(part: &Part, blocks: &[FoundBlock]) -> Result<Vec<Batch>> {
    let mut batches: Vec<Batch> = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let header = &block.header;
        let timestamps =
            bytes_of(part, PartFile::Timestamps, header.timestamps_block_offset, header.timestamps_block_size)?;
        let values = bytes_of(part, PartFile::Values, header.values_block_offset, header.values_block_size)?;
        if let Some(batch) = batches.last_mut()
            && let Some(joint_timestamps) = joint(&batch.timestamps, &timestamps)
            && let Some(joint_values) = joint(&batch.values, &values)
        {
            batch.blocks.end = i + 1;
            batch.timestamps = joint_timestamps;
            batch.values = joint_values;
            continue;
        }
        batches.push(Batch { blocks: i..i + 1, timestamps, values });
    }
    Ok(batches)
}

fn bytes_of(part: &Part, file: PartFile, offset: u64, size: u32) -> Result<Range<u64>> {
    // A const block has no bytes, and its offset does not matter.
    if size == 0 {
        return Ok(0..0);
    }
    let end = offset.saturating_add(u64::from(size));
    if end > part.file_size(file) {
        return Err(Error::corrupt(format!(
            "a block lies at {offset} to {end} of {}, which has {} bytes",
            file.name(),
            part.file_size(file)
        )));
    }
    Ok(offset..end)
}

/// One range that covers both, when reading it at once pays.
fn joint(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    if a.is_empty() || b.is_empty() {
        return Some(if a.is_empty() { b.clone() } else { a.clone() });
    }
    let joint = a.start.min(b.start)..a.end.max(b.end);
    let close = b.start >= a.start && b.start <= a.end.saturating_add(MAX_GAP_LEN);
    (close && joint.end - joint.start <= MAX_READ_LEN).then_some(joint)
}
