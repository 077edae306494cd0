//! What the metaindex of a data part and that of an index part say of their index blocks.

use crate::error::{Error, Result};

/// One index block as a row of a metaindex describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexBlockPlace {
    /// Where it begins in `index.bin`.
    pub offset: u64,
    /// Its length.
    pub size: u32,
    /// Headers of blocks in it.
    pub blocks: u32,
}

/// How many blocks the index blocks describe together.
///
/// # Errors
/// `Corrupt` unless they lie one behind the other in the `index_size` bytes of `index.bin`.
pub fn count_blocks(places: impl Iterator<Item = IndexBlockPlace>, index_size: u64) -> Result<u64> {
    let (mut blocks, mut end) = (0_u64, 0_u64);
    for place in places {
        if place.offset != end {
            return Err(Error::corrupt(format!("an index block begins at {}, where {end} is expected", place.offset)));
        }
        end += u64::from(place.size);
        blocks += u64::from(place.blocks);
    }
    if end != index_size {
        return Err(Error::corrupt(format!("the index blocks end at {end} of {index_size} bytes of index.bin")));
    }
    Ok(blocks)
}
