//! Index blocks: up to 64 KiB of block headers in one zstd frame (part-format §6.2).

use super::metaindex::MetaindexRow;
use crate::block::BlockHeader;
use crate::encoding::zstd;
use crate::error::{Error, Result};

/// A block's headers are compressed once so many bytes of them wait (checked after a header was added).
pub const INDEX_BLOCK_TARGET_SIZE: usize = 65_536;

/// No writer fills an index block beyond a quarter of this; a bound against frames that expand without end.
const MAX_HEADERS: usize = 4 * INDEX_BLOCK_TARGET_SIZE / BlockHeader::SIZE;

/// Reads the index block that `row` describes.
///
/// # Errors
/// `Corrupt` unless it holds exactly the announced number of valid headers, sorted by TSID from the announced one on and within the
/// announced time.
pub fn read_index_block(frame: &[u8], row: &MetaindexRow) -> Result<Vec<BlockHeader>> {
    let count = row.block_headers_count as usize;
    if count > MAX_HEADERS {
        return Err(Error::corrupt(format!(
            "an index block has at most {MAX_HEADERS} headers, the metaindex says {count}"
        )));
    }
    let expected_len = count.saturating_mul(BlockHeader::SIZE);
    let mut content = Vec::new();
    zstd::decompress(frame, expected_len, &mut content).map_err(|error| error.at("index block"))?;
    if content.len() != expected_len {
        return Err(Error::corrupt(format!(
            "an index block of {count} headers has {expected_len} bytes, found {}",
            content.len()
        )));
    }
    let mut headers: Vec<BlockHeader> = Vec::with_capacity(count);
    let mut rest = &content[..];
    while !rest.is_empty() {
        let (header, tail) = BlockHeader::unmarshal(rest)?;
        rest = tail;
        if headers.last().is_some_and(|before| before.tsid > header.tsid) {
            return Err(Error::corrupt("the headers of an index block are not sorted by TSID"));
        }
        if header.min_timestamp < row.min_timestamp || header.max_timestamp > row.max_timestamp {
            return Err(Error::corrupt(format!(
                "a block from {} to {} lies outside of its index block, which is from {} to {}",
                header.min_timestamp, header.max_timestamp, row.min_timestamp, row.max_timestamp
            )));
        }
        headers.push(header);
    }
    if headers.first().is_some_and(|first| first.tsid != row.tsid) {
        return Err(Error::corrupt("an index block begins with another series than the metaindex says"));
    }
    Ok(headers)
}
