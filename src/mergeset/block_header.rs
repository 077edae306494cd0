//! What the index says about one block of items (index-format §1.2), and the index blocks that hold these headers.

use crate::encoding::int::{put_bytes, put_u32, put_u64, take_bytes, take_u32, take_u64};
use crate::encoding::zstd;
use crate::error::{Error, Result};

/// When the headers of an index block have this many bytes, it ends.
pub const INDEX_BLOCK_TARGET_SIZE: usize = 65_536;
/// The longest items data of a block.
pub const MAX_ITEMS_BLOCK_SIZE: u32 = 131_072;
/// The longest lens data of a block.
pub const MAX_LENS_BLOCK_SIZE: u32 = 1_048_576;
/// The most items in a block: what the lens data of the plain form have room for.
pub const MAX_ITEMS_COUNT: u32 = MAX_LENS_BLOCK_SIZE / 8 + 1;
/// The most that the headers of an index block can have: the target, and one header with its two strings behind it.
const MAX_INDEX_BLOCK_CONTENT: usize = INDEX_BLOCK_TARGET_SIZE + 2 * 65_536 + 64;

/// How a block is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarshalType {
    /// Items and lengths as they are.
    Plain,
    /// Prefixes left out, and compressed.
    Zstd,
}

/// The header of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// What all items begin with.
    pub common_prefix: Vec<u8>,
    /// The first item, whole.
    pub first_item: Vec<u8>,
    /// The encoding.
    pub marshal_type: MarshalType,
    /// Number of items, the first one counted; at least 1.
    pub items_count: u32,
    /// Where the items data begin in `items.bin`.
    pub items_block_offset: u64,
    /// Where the lens data begin in `lens.bin`.
    pub lens_block_offset: u64,
    /// Length of the items data in bytes.
    pub items_block_size: u32,
    /// Length of the lens data in bytes.
    pub lens_block_size: u32,
}

impl BlockHeader {
    /// Appends the marshaled form.
    pub fn marshal(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.common_prefix);
        put_bytes(out, &self.first_item);
        out.push(match self.marshal_type {
            MarshalType::Plain => 0,
            MarshalType::Zstd => 1,
        });
        put_u32(out, self.items_count);
        put_u64(out, self.items_block_offset);
        put_u64(out, self.lens_block_offset);
        put_u32(out, self.items_block_size);
        put_u32(out, self.lens_block_size);
    }

    /// Reads a header from the front of `src`, checks it, and returns it with the rest.
    pub fn unmarshal(src: &[u8]) -> Result<(Self, &[u8])> {
        let (common_prefix, src) = take_bytes(src)?;
        let (first_item, src) = take_bytes(src)?;
        let (&marshal_type, src) = src.split_first().ok_or_else(|| Error::corrupt("a block header is cut short"))?;
        let marshal_type = match marshal_type {
            0 => MarshalType::Plain,
            1 => MarshalType::Zstd,
            other => return Err(Error::corrupt(format!("a block's marshal type is 0 or 1, found {other}"))),
        };
        let (items_count, src) = take_u32(src)?;
        let (items_block_offset, src) = take_u64(src)?;
        let (lens_block_offset, src) = take_u64(src)?;
        let (items_block_size, src) = take_u32(src)?;
        let (lens_block_size, src) = take_u32(src)?;
        if items_count == 0 || items_count > MAX_ITEMS_COUNT {
            return Err(Error::corrupt(format!("a block has 1 to {MAX_ITEMS_COUNT} items, found {items_count}")));
        }
        if items_block_size > MAX_ITEMS_BLOCK_SIZE || lens_block_size > MAX_LENS_BLOCK_SIZE {
            return Err(Error::corrupt(format!(
                "a block has at most {MAX_ITEMS_BLOCK_SIZE} bytes of items and {MAX_LENS_BLOCK_SIZE} of lengths, found \
                 {items_block_size} and {lens_block_size}"
            )));
        }
        let header = Self {
            common_prefix: common_prefix.to_vec(),
            first_item: first_item.to_vec(),
            marshal_type,
            items_count,
            items_block_offset,
            lens_block_offset,
            items_block_size,
            lens_block_size,
        };
        Ok((header, src))
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.common_prefix.capacity() + self.first_item.capacity()
    }
}

/// Reads an index block of `count` headers, of a part whose `items.bin` and `lens.bin` have `sizes` bytes.
///
/// # Errors
/// `Corrupt` unless there are exactly that many, sorted by their first items, each pointing into the files.
pub fn read_index_block(frame: &[u8], count: u32, sizes: [u64; 2]) -> Result<Vec<BlockHeader>> {
    let mut content = Vec::new();
    zstd::decompress(frame, MAX_INDEX_BLOCK_CONTENT, &mut content)?;
    let mut headers: Vec<BlockHeader> = Vec::new();
    let mut rest = &content[..];
    while !rest.is_empty() {
        let (header, tail) = BlockHeader::unmarshal(rest)?;
        rest = tail;
        if headers.last().is_some_and(|before| before.first_item > header.first_item) {
            return Err(Error::corrupt("the headers of an index block are not sorted by their first items"));
        }
        let ends = [
            header.items_block_offset.checked_add(u64::from(header.items_block_size)),
            header.lens_block_offset.checked_add(u64::from(header.lens_block_size)),
        ];
        if ends.iter().zip(sizes).any(|(end, size)| end.is_none_or(|end| end > size)) {
            return Err(Error::corrupt(format!(
                "a block's data lie outside of items.bin and lens.bin, which have {} and {} bytes",
                sizes[0], sizes[1]
            )));
        }
        headers.push(header);
    }
    if headers.len() != count as usize {
        return Err(Error::corrupt(format!("an index block of {count} headers holds {}", headers.len())));
    }
    Ok(headers)
}
