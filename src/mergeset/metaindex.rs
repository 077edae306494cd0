//! The metaindex: one row for each index block, read whole when a part is opened (index-format §1.3).

use super::header::PartHeader;
use crate::encoding::int::{put_bytes, put_u32, put_u64, take_bytes, take_u32, take_u64};
use crate::encoding::zstd::{self, Effort};
use crate::error::{Error, Result};
use crate::merge::index_blocks::{IndexBlockPlace, count_blocks};

/// The longest compressed index block.
pub const MAX_INDEX_BLOCK_SIZE: u32 = 131_072;

/// One index block as the metaindex describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaindexRow {
    /// The first item of its first block.
    pub first_item: Vec<u8>,
    /// How many headers it holds; at least 1.
    pub block_headers_count: u32,
    /// Where it begins in `index.bin`.
    pub index_block_offset: u64,
    /// Its compressed length in bytes.
    pub index_block_size: u32,
}

impl MetaindexRow {
    /// Appends the marshaled form.
    pub fn marshal(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.first_item);
        put_u32(out, self.block_headers_count);
        put_u64(out, self.index_block_offset);
        put_u32(out, self.index_block_size);
    }

    /// Reads a row from the front of `src`, checks it, and returns it with the rest.
    pub fn unmarshal(src: &[u8]) -> Result<(Self, &[u8])> {
        let (first_item, src) = take_bytes(src)?;
        let (block_headers_count, src) = take_u32(src)?;
        let (index_block_offset, src) = take_u64(src)?;
        let (index_block_size, src) = take_u32(src)?;
        if block_headers_count == 0 {
            return Err(Error::corrupt("a metaindex row describes an index block without headers"));
        }
        if index_block_size > MAX_INDEX_BLOCK_SIZE {
            return Err(Error::corrupt(format!(
                "an index block has at most {MAX_INDEX_BLOCK_SIZE} bytes, the metaindex says {index_block_size}"
            )));
        }
        let row = Self { first_item: first_item.to_vec(), block_headers_count, index_block_offset, index_block_size };
        Ok((row, src))
    }
}

/// Appends the frame that is `metaindex.bin`.
pub fn write_metaindex(rows: &[MetaindexRow], effort: Effort, out: &mut Vec<u8>) -> Result<()> {
    let mut content = Vec::new();
    for row in rows {
        row.marshal(&mut content);
    }
    zstd::compress(&content, effort, out)
}

/// Reads `metaindex.bin` of a part whose `index.bin` has `index_size` bytes.
///
/// # Errors
/// `Corrupt` unless it holds whole rows, at least one, sorted by first item, each pointing into `index.bin`.
pub fn read_metaindex(frame: &[u8], index_size: u64) -> Result<Vec<MetaindexRow>> {
    // A row describes at least 10 bytes of index.bin, and its first item has at most 64 KiB. As memory grows with what is
    // really decoded, the product only has to stop frames that expand beyond all measure.
    const MAX_ROW_LEN: u64 = 65_536 + 32;
    let max_len = (index_size / 10 + 1).saturating_mul(MAX_ROW_LEN).min(1 << 28);
    let mut content = Vec::new();
    zstd::decompress(frame, usize::try_from(max_len).unwrap_or(usize::MAX), &mut content)?;
    if content.is_empty() {
        return Err(Error::corrupt("a metaindex holds at least one row, found none"));
    }
    let mut rows: Vec<MetaindexRow> = Vec::new();
    let mut rest = &content[..];
    while !rest.is_empty() {
        let (row, tail) = MetaindexRow::unmarshal(rest)?;
        rest = tail;
        if rows.last().is_some_and(|before| before.first_item > row.first_item) {
            return Err(Error::corrupt("the rows of a metaindex are not sorted by first item"));
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

/// Compares a part's metaindex with its description, before any of the two is believed: a search skips by first items.
///
/// # Errors
/// `Corrupt` unless the rows describe as many blocks from the same item on, and index blocks that lie one behind the other in the
/// `index_size` bytes of `index.bin`.
pub fn check_metaindex(rows: &[MetaindexRow], header: &PartHeader, index_size: u64) -> Result<()> {
    let places = rows.iter().map(|row| IndexBlockPlace {
        offset: row.index_block_offset,
        size: row.index_block_size,
        blocks: row.block_headers_count,
    });
    let blocks = count_blocks(places, index_size)?;
    if blocks != header.blocks {
        return Err(Error::corrupt(format!("it describes {blocks} blocks, metadata.json {}", header.blocks)));
    }
    if rows.first().is_none_or(|row| row.first_item != header.first_item)
        || rows.last().is_none_or(|row| row.first_item > header.last_item)
    {
        return Err(Error::corrupt("it does not begin with the first item, or goes on behind the last one"));
    }
    Ok(())
}
