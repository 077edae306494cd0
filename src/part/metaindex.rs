//! The metaindex: one row for each index block, read whole when a part is opened (part-format §6.3).

use super::header::PartHeader;
use crate::block::MAX_ROWS_PER_BLOCK;
use crate::encoding::int;
use crate::encoding::zstd::{self, Effort};
use crate::error::{Error, Result};
use crate::merge::index_blocks::{IndexBlockPlace, count_blocks};
use crate::metric::tsid::Tsid;
use crate::time::{TimeRange, TimestampMs};

/// The longest compressed index block.
pub const MAX_INDEX_BLOCK_SIZE: u32 = 131_072;

/// A cluster's rows have the numbers of account and project in front (part-format §1).
const CLUSTER_ROW_SIZE: usize = MetaindexRow::SIZE + 8;

/// One index block as the metaindex describes it: 56 bytes.
///
/// ```text
///  0         24          28        36        44             52           56
///  ┌─────────┬───────────┬─────────┬─────────┬──────────────┬────────────┐
///  │ TSID of │ number of │ min_    │ max_    │ offset in    │ compressed │
///  │ first   │ headers   │timestamp│timestamp│ index.bin    │ size       │
///  └─────────┴───────────┴─────────┴─────────┴──────────────┴────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaindexRow {
    /// The series of the first header in the index block.
    pub tsid: Tsid,
    /// How many headers the index block holds; at least 1.
    pub block_headers_count: u32,
    /// The first timestamp of all these blocks.
    pub min_timestamp: TimestampMs,
    /// The last timestamp of all these blocks.
    pub max_timestamp: TimestampMs,
    /// Where the index block begins in `index.bin`.
    pub index_block_offset: u64,
    /// Length of the compressed index block in bytes.
    pub index_block_size: u32,
}

impl MetaindexRow {
    /// Length of the marshaled form in bytes.
    pub const SIZE: usize = 56;

    /// Appends the 56 bytes of the marshaled form.
    pub fn marshal(&self, out: &mut Vec<u8>) {
        self.tsid.marshal(out);
        int::put_u32(out, self.block_headers_count);
        int::put_i64(out, self.min_timestamp);
        int::put_i64(out, self.max_timestamp);
        int::put_u64(out, self.index_block_offset);
        int::put_u32(out, self.index_block_size);
    }

    /// Reads a row from the front of `src`, checks it, and returns it with the rest.
    pub fn unmarshal(src: &[u8]) -> Result<(Self, &[u8])> {
        let (tsid, src) = Tsid::unmarshal(src)?;
        let (block_headers_count, src) = int::take_u32(src)?;
        let (min_timestamp, src) = int::take_i64(src)?;
        let (max_timestamp, src) = int::take_i64(src)?;
        let (index_block_offset, src) = int::take_u64(src)?;
        let (index_block_size, src) = int::take_u32(src)?;
        if block_headers_count == 0 {
            return Err(Error::corrupt("a metaindex row describes an index block without headers"));
        }
        if index_block_size > MAX_INDEX_BLOCK_SIZE {
            return Err(Error::corrupt(format!(
                "an index block has at most {MAX_INDEX_BLOCK_SIZE} bytes, the metaindex says {index_block_size}"
            )));
        }
        if min_timestamp > max_timestamp {
            return Err(Error::corrupt(format!(
                "a metaindex row begins at {min_timestamp}, behind its end at {max_timestamp}"
            )));
        }
        let row =
            Self { tsid, block_headers_count, min_timestamp, max_timestamp, index_block_offset, index_block_size };
        Ok((row, src))
    }

    /// From the first to the last timestamp of the blocks.
    pub fn range(&self) -> TimeRange {
        TimeRange { min: self.min_timestamp, max: self.max_timestamp }
    }
}

/// Appends the frame that is `metaindex.bin`.
pub fn write_metaindex(rows: &[MetaindexRow], effort: Effort, out: &mut Vec<u8>) -> Result<()> {
    let mut content = Vec::with_capacity(rows.len() * MetaindexRow::SIZE);
    for row in rows {
        row.marshal(&mut content);
    }
    zstd::compress(&content, effort, out)
}

/// Reads `metaindex.bin` of a part whose `index.bin` has `index_size` bytes.
///
/// # Errors
/// `Corrupt` unless it holds whole rows, at least one, sorted by TSID, each pointing into `index.bin`.
pub fn read_metaindex(frame: &[u8], index_size: u64) -> Result<Vec<MetaindexRow>> {
    // An index block takes ten bytes at the very least, so this is more than any true metaindex holds.
    let max_rows = usize::try_from(index_size / 8 + 1).unwrap_or(usize::MAX);
    let mut content = Vec::new();
    zstd::decompress(frame, max_rows.saturating_mul(MetaindexRow::SIZE), &mut content)?;
    if content.is_empty() || content.len() % MetaindexRow::SIZE != 0 {
        if !content.is_empty() && content.len() % CLUSTER_ROW_SIZE == 0 {
            return Err(Error::corrupt(format!(
                "its metaindex has rows of {CLUSTER_ROW_SIZE} bytes, as vmstorage of a cluster writes; only a single server's parts are read, so export from the cluster by /api/v1/export/native"
            )));
        }
        return Err(Error::corrupt(format!(
            "a metaindex holds at least one row of {} bytes, found {} bytes",
            MetaindexRow::SIZE,
            content.len()
        )));
    }
    let mut rows: Vec<MetaindexRow> = Vec::with_capacity(content.len() / MetaindexRow::SIZE);
    let mut rest = &content[..];
    while !rest.is_empty() {
        let (row, tail) = MetaindexRow::unmarshal(rest)?;
        rest = tail;
        if rows.last().is_some_and(|before| before.tsid > row.tsid) {
            return Err(Error::corrupt("the rows of a metaindex are not sorted by TSID"));
        }
        let end = row.index_block_offset.checked_add(u64::from(row.index_block_size));
        if end.is_none_or(|end| end > index_size) {
            return Err(Error::corrupt(format!(
                "an index block of {} bytes at {} lies outside of index.bin, which has {index_size} bytes",
                row.index_block_size, row.index_block_offset
            )));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Compares a part's metaindex with its header, before any of the two is believed: a search skips by ranges, and memory is taken by
/// counts.
///
/// # Errors
/// `Corrupt` unless the rows describe as many blocks over the same time, and index blocks that lie one behind the other in the
/// `index_size` bytes of `index.bin`.
pub fn check_metaindex(rows: &[MetaindexRow], header: &PartHeader, index_size: u64) -> Result<()> {
    let places = rows.iter().map(|row| IndexBlockPlace {
        offset: row.index_block_offset,
        size: row.index_block_size,
        blocks: row.block_headers_count,
    });
    let blocks = count_blocks(places, index_size)?;
    let min = rows.iter().map(|row| row.min_timestamp).min().unwrap_or(TimestampMs::MAX);
    let max = rows.iter().map(|row| row.max_timestamp).max().unwrap_or(TimestampMs::MIN);
    if blocks != header.blocks || (min, max) != (header.min_timestamp, header.max_timestamp) {
        return Err(Error::corrupt(format!(
            "it describes {blocks} blocks from {min} to {max}, the part's name {} from {} to {}",
            header.blocks, header.min_timestamp, header.max_timestamp
        )));
    }
    if header.rows > blocks.saturating_mul(2 * MAX_ROWS_PER_BLOCK as u64) {
        return Err(Error::corrupt(format!("{} rows can't lie in {blocks} blocks", header.rows)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_part_is_told_by_the_length_of_its_rows() {
        let message = |bytes: usize| {
            let mut frame = Vec::new();
            zstd::compress(&vec![1; bytes], Effort::Fast, &mut frame).unwrap();
            read_metaindex(&frame, 10_000).unwrap_err().message().to_owned()
        };
        assert!(message(2 * CLUSTER_ROW_SIZE).contains("vmstorage"));
        assert!(message(MetaindexRow::SIZE + 1).contains("found 57 bytes"));
    }
}
