//! Blocks of a part one by one, for people to look at.

use super::search::index_block;
use super::{Part, PartFile};
use crate::block::BlockHeader;
use crate::block::inspect::BlockDetails;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Context;
use bytes::Bytes;

/// Headers of up to `count` blocks, from the one at position `from` on in the part's order.
///
/// # Errors
/// `Corrupt` when an index block can't be read.
pub async fn block_headers(context: &Context, part: &Part, from: u64, count: usize) -> Result<Vec<BlockHeader>> {
    let mut headers = Vec::new();
    let mut skip = from;
    for (at, row) in part.metaindex().iter().enumerate() {
        let in_row = u64::from(row.block_headers_count);
        if skip >= in_row {
            skip -= in_row;
            continue;
        }
        if headers.len() >= count {
            break;
        }
        let block = index_block(context, part, at).await?;
        headers.extend(block.iter().skip(skip as usize).take(count - headers.len()));
        context.spend(block.len() as u64).await;
        skip = 0;
    }
    Ok(headers)
}

/// The block at position `at`, taken to pieces.
///
/// # Errors
/// `NotFound` when the part has fewer blocks, `Corrupt` when it can't be decoded.
pub async fn inspect_block(context: &Context, part: &Part, at: u64) -> Result<BlockDetails> {
    let header = block_headers(context, part, at, 1).await?.pop().ok_or_else(|| {
        let blocks = part.header().blocks;
        Error::new(
            ErrorKind::NotFound,
            format!("there is no block {at}; the part's {blocks} blocks are counted from 0"),
        )
    })?;
    let timestamps = (header.timestamps_block_offset, header.timestamps_block_size);
    let values = (header.values_block_offset, header.values_block_size);
    let timestamps = read(context, part, PartFile::Timestamps, timestamps).await?;
    let values = read(context, part, PartFile::Values, values).await?;
    context.spend(u64::from(header.rows_count)).await;
    BlockDetails::of(header, timestamps, values)
}

/// A const block has no bytes, and its offset does not matter.
async fn read(context: &Context, part: &Part, file: PartFile, (offset, size): (u64, u32)) -> Result<Bytes> {
    if size == 0 {
        return Ok(Bytes::new());
    }
    let end = offset.saturating_add(u64::from(size));
    if end > part.file_size(file) {
        let (name, size) = (file.name(), part.file_size(file));
        return Err(Error::corrupt(format!("a block lies at {offset} to {end} of {name}, which has {size} bytes")));
    }
    part.read(context, file, offset..end).await
}
