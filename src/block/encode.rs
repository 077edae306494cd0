//! From rows to a block's bytes (part-format §7, steps 3 to 5).

use super::dedup::Dedup;
use super::{Block, Form};
use crate::collections::equality::are_equal_columns;
use crate::encoding::decimal;
use crate::encoding::marshal::{MIN_COMPRESSIBLE_LEN, MarshalType, marshal_int64s};
use crate::encoding::zstd::Effort;
use crate::error::{Error, Result};
use crate::metric::tsid::Tsid;

/// The timestamps that were encoded last, with their bytes.
#[derive(Clone, Debug, Default)]
pub struct TimestampsMemo {
    timestamps: Vec<i64>,
    precision_bits: u8,
    effort: Effort,
    marshal_type: MarshalType,
    data: Vec<u8>,
}

impl TimestampsMemo {
    fn marshal(&mut self, timestamps: &[i64], bits: u8, effort: Effort, out: &mut Vec<u8>) -> Result<MarshalType> {
        let is_same =
            (bits, effort) == (self.precision_bits, self.effort) && are_equal_columns(timestamps, &self.timestamps);
        if !is_same {
            self.timestamps.clear();
            self.data.clear();
            (self.marshal_type, _) = marshal_int64s(timestamps, bits, effort, &mut self.data)?;
            self.timestamps.extend_from_slice(timestamps);
            (self.precision_bits, self.effort) = (bits, effort);
        }
        out.extend_from_slice(&self.data);
        Ok(self.marshal_type)
    }
}

impl Block {
    /// Fills the block with rows of one series: sorted timestamps in ms and as many values, at most 8192.
    ///
    /// Values become decimals here, so what is read back later is what the block holds from now on. De-duplication, when
    /// asked for, is applied after that.
    pub fn fill_from_rows(
        &mut self,
        tsid: Tsid,
        timestamps: &[i64],
        values: &[f64],
        precision_bits: u8,
        dedup: Option<Dedup>,
    ) {
        debug_assert_eq!(timestamps.len(), values.len());
        debug_assert!(timestamps.is_sorted());
        self.reset();
        self.header.tsid = tsid;
        self.header.precision_bits = precision_bits;
        self.timestamps.extend_from_slice(timestamps);
        self.header.scale = decimal::to_decimal(values, &mut self.mantissas);
        self.columns_changed();
        if let Some(dedup) = dedup {
            self.deduplicate_columns(dedup);
        }
    }

    /// A new block from rows; see [`Block::fill_from_rows`].
    pub fn from_rows(tsid: Tsid, timestamps: &[i64], values: &[f64], precision_bits: u8, dedup: Option<Dedup>) -> Self {
        let mut block = Self::default();
        block.fill_from_rows(tsid, timestamps, values, precision_bits, dedup);
        block
    }

    /// Applies de-duplication to the block on its way into a part; decodes it when it has to.
    ///
    /// A block that loses nothing keeps its bytes.
    pub fn deduplicate(&mut self, dedup: Dedup) -> Result<()> {
        self.decode()?;
        self.deduplicate_columns(dedup);
        Ok(())
    }

    fn deduplicate_columns(&mut self, dedup: Dedup) {
        let rows = self.timestamps.len();
        dedup.mantissas(&mut self.timestamps, &mut self.mantissas);
        if self.timestamps.len() != rows {
            self.columns_changed();
        }
    }

    /// Encodes the block unless it is, and completes the header but for the offsets. The block must not be empty.
    pub fn encode(&mut self, effort: Effort) -> Result<()> {
        self.encode_columns(effort, None)
    }

    /// As [`Block::encode`], but takes the timestamps' bytes from the block that was encoded with the same memo before, when
    /// both have the same timestamps: series of one scrape target do.
    pub fn encode_after(&mut self, effort: Effort, memo: &mut TimestampsMemo) -> Result<()> {
        self.encode_columns(effort, Some(memo))
    }

    /// Compresses a block anew that was only passed on so far, and keeps what gets smaller by it. Lossy blocks stay as they
    /// are, since they would lose more.
    pub fn recompress(&mut self, effort: Effort, memo: &mut TimestampsMemo) -> Result<()> {
        let longest = self.values_data.len().max(self.timestamps_data.len());
        // What is shorter was never compressed, or too well to gain anything.
        if self.form != Form::Encoded || self.header.precision_bits < 64 || longest < MIN_COMPRESSIBLE_LEN / 2 {
            return Ok(());
        }
        self.decode()?;
        let mut data = Vec::with_capacity(longest);
        let (values_type, _) = marshal_int64s(&self.mantissas, 64, effort, &mut data)?;
        if data.len() < self.values_data.len() {
            std::mem::swap(&mut data, &mut self.values_data);
            self.header.values_marshal_type = values_type;
            self.header.values_block_size = self.values_data.len() as u32;
        }
        data.clear();
        let timestamps_type = memo.marshal(&self.timestamps, 64, effort, &mut data)?;
        if data.len() < self.timestamps_data.len() {
            std::mem::swap(&mut data, &mut self.timestamps_data);
            self.header.timestamps_marshal_type = timestamps_type;
            self.header.timestamps_block_size = self.timestamps_data.len() as u32;
        }
        Ok(())
    }

    fn encode_columns(&mut self, effort: Effort, memo: Option<&mut TimestampsMemo>) -> Result<()> {
        if self.form != Form::Decoded {
            return Ok(());
        }
        if self.timestamps.is_empty() {
            return Err(Error::internal("a block without samples can't be encoded"));
        }
        let bits = self.header.precision_bits;
        self.values_data.clear();
        let (values_type, first_value) = marshal_int64s(&self.mantissas, bits, effort, &mut self.values_data)?;
        self.timestamps_data.clear();
        let timestamps_type = match memo {
            Some(memo) => memo.marshal(&self.timestamps, bits, effort, &mut self.timestamps_data)?,
            None => marshal_int64s(&self.timestamps, bits, effort, &mut self.timestamps_data)?.0,
        };
        self.header.values_marshal_type = values_type;
        self.header.first_value = first_value;
        self.header.timestamps_marshal_type = timestamps_type;
        // 8192 varints take 80 KiB at most.
        self.header.values_block_size = u32::try_from(self.values_data.len()).unwrap_or(u32::MAX);
        self.header.timestamps_block_size = u32::try_from(self.timestamps_data.len()).unwrap_or(u32::MAX);
        // Lossy bytes don't agree with the columns any more, so those are given up.
        self.form = if bits < 64 { Form::Encoded } else { Form::Both };
        Ok(())
    }
}
