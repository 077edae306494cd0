//! The header of a block: whose samples they are, where they lie and how they are encoded (part-format §5).

use std::cmp::Ordering;

use super::{MAX_BLOCK_SIZE, MAX_ROWS_PER_BLOCK};
use crate::encoding::int;
use crate::encoding::marshal::MarshalType;
use crate::error::{Error, Result};
use crate::metric::tsid::Tsid;

/// The header of a block, 81 bytes in an index block, all big-endian, signed fields zig-zagged.
///
/// ```text
///  0         24        32        40          48                 56
///  ┌─────────┬─────────┬─────────┬───────────┬──────────────────┬──────────────────┐
///  │ TSID    │ min_    │ max_    │ first_    │ timestamps_      │ values_          │
///  │         │timestamp│timestamp│ value     │ block_offset     │ block_offset     │
///  └─────────┴─────────┴─────────┴───────────┴──────────────────┴──────────────────┘
///  64                  68             72       76    78          79       80       81
///  ┌───────────────────┬──────────────┬────────┬─────┬───────────┬────────┬─────────┐
///  │ timestamps_       │ values_      │ rows_  │scale│timestamps_│values_ │precision│
///  │ block_size        │ block_size   │ count  │     │ type      │ type   │ bits    │
///  └───────────────────┴──────────────┴────────┴─────┴───────────┴────────┴─────────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockHeader {
    /// The series.
    pub tsid: Tsid,
    /// The first timestamp in ms; also the first value of the timestamps' encoding.
    pub min_timestamp: i64,
    /// The last timestamp in ms.
    pub max_timestamp: i64,
    /// The first mantissa.
    pub first_value: i64,
    /// Where the encoded timestamps begin in `timestamps.bin`. Adjacent blocks may share them.
    pub timestamps_block_offset: u64,
    /// Where the encoded mantissas begin in `values.bin`.
    pub values_block_offset: u64,
    /// Length of the encoded timestamps in bytes.
    pub timestamps_block_size: u32,
    /// Length of the encoded mantissas in bytes.
    pub values_block_size: u32,
    /// Number of samples.
    pub rows_count: u32,
    /// The decimal exponent that all mantissas share.
    pub scale: i16,
    /// How the timestamps are encoded.
    pub timestamps_marshal_type: MarshalType,
    /// How the mantissas are encoded.
    pub values_marshal_type: MarshalType,
    /// Significant bits that were kept, 1 to 64; 64 is lossless.
    pub precision_bits: u8,
}

impl BlockHeader {
    /// Length of the marshaled form in bytes.
    pub const SIZE: usize = 81;

    /// The order of blocks in a part and of block streams in a merge: by series, then by time (engine-behaviour §5).
    pub fn order(&self, other: &Self) -> Ordering {
        if self.tsid.metric_id == other.tsid.metric_id {
            self.min_timestamp.cmp(&other.min_timestamp)
        } else {
            self.tsid.cmp(&other.tsid)
        }
    }

    /// Appends the 81 bytes.
    pub fn marshal(&self, out: &mut Vec<u8>) {
        self.tsid.marshal(out);
        int::put_i64(out, self.min_timestamp);
        int::put_i64(out, self.max_timestamp);
        int::put_i64(out, self.first_value);
        int::put_u64(out, self.timestamps_block_offset);
        int::put_u64(out, self.values_block_offset);
        int::put_u32(out, self.timestamps_block_size);
        int::put_u32(out, self.values_block_size);
        int::put_u32(out, self.rows_count);
        int::put_i16(out, self.scale);
        out.extend([self.timestamps_marshal_type as u8, self.values_marshal_type as u8, self.precision_bits]);
    }

    /// Reads a header from the front of `src`, checks it and returns it with the rest.
    pub fn unmarshal(src: &[u8]) -> Result<(Self, &[u8])> {
        if src.len() < Self::SIZE {
            return Err(Error::corrupt(format!("a block header takes {} bytes, found {}", Self::SIZE, src.len())));
        }
        let (tsid, src) = Tsid::unmarshal(src)?;
        let (min_timestamp, src) = int::take_i64(src)?;
        let (max_timestamp, src) = int::take_i64(src)?;
        let (first_value, src) = int::take_i64(src)?;
        let (timestamps_block_offset, src) = int::take_u64(src)?;
        let (values_block_offset, src) = int::take_u64(src)?;
        let (timestamps_block_size, src) = int::take_u32(src)?;
        let (values_block_size, src) = int::take_u32(src)?;
        let (rows_count, src) = int::take_u32(src)?;
        let (scale, src) = int::take_i16(src)?;
        let Some((&[timestamps_type, values_type, precision_bits], rest)) = src.split_first_chunk() else {
            return Err(Error::corrupt("a block header ends before its types"));
        };
        let header = Self {
            tsid,
            min_timestamp,
            max_timestamp,
            first_value,
            timestamps_block_offset,
            values_block_offset,
            timestamps_block_size,
            values_block_size,
            rows_count,
            scale,
            timestamps_marshal_type: MarshalType::try_from(timestamps_type)?,
            values_marshal_type: MarshalType::try_from(values_type)?,
            precision_bits,
        };
        header.validate()?;
        Ok((header, rest))
    }

    /// Checks counts, sizes and precision; the types are right by construction.
    pub fn validate(&self) -> Result<()> {
        if self.rows_count == 0 || self.rows_count as usize > 2 * MAX_ROWS_PER_BLOCK {
            let most = 2 * MAX_ROWS_PER_BLOCK;
            return Err(Error::corrupt(format!("a block has 1 to {most} rows, found {}", self.rows_count)));
        }
        if !(1..=64).contains(&self.precision_bits) {
            return Err(Error::corrupt(format!("precision bits are 1 to 64, found {}", self.precision_bits)));
        }
        let size = self.timestamps_block_size.max(self.values_block_size);
        if size as usize > 2 * MAX_BLOCK_SIZE {
            return Err(Error::corrupt(format!("a block has at most {} bytes, found {size}", 2 * MAX_BLOCK_SIZE)));
        }
        Ok(())
    }
}
