//! From a block's bytes back to samples (part-format §5, last paragraph).

use super::{Block, BlockHeader, Form};
use crate::encoding::decimal;
use crate::encoding::marshal::{ensure_non_decreasing, unmarshal_int64s};
use crate::error::{Error, Result};
use crate::time::TimeRange;

impl Block {
    /// Decodes timestamps and mantissas unless that was done. After an error the block is as it was.
    pub fn decode(&mut self) -> Result<()> {
        if self.form != Form::Encoded {
            return Ok(());
        }
        self.timestamps.clear();
        self.mantissas.clear();
        decode_timestamps(&self.header, &self.timestamps_data, &mut self.timestamps)?;
        decode_mantissas(&self.header, &self.values_data, &mut self.mantissas)?;
        self.form = Form::Both;
        Ok(())
    }
}

/// Appends the timestamps of an encoded block, sorted, from `min_timestamp` to `max_timestamp`.
pub fn decode_timestamps(header: &BlockHeader, data: &[u8], timestamps: &mut Vec<i64>) -> Result<()> {
    header.validate()?;
    let start = timestamps.len();
    let (min, max) = (header.min_timestamp, header.max_timestamp);
    unmarshal_int64s(header.timestamps_marshal_type, min, data, header.rows_count as usize, timestamps)?;
    let column = &mut timestamps[start..];
    if header.precision_bits < 64 {
        ensure_non_decreasing(column, min, max);
    }
    // Searching and merging rely on the order, so it is not left to trust. No early way out: that would not vectorise.
    let falls = column.iter().zip(&column[1..]).fold(false, |falls, (before, after)| falls | (after < before));
    let last = column.last().copied();
    if falls || last != Some(max) {
        timestamps.truncate(start);
        return Err(Error::corrupt(format!(
            "the timestamps of a block go up from {min} to {max}, found {}, ending at {last:?}",
            if falls { "some going down" } else { "others" }
        )));
    }
    Ok(())
}

/// Appends the mantissas of an encoded block.
pub fn decode_mantissas(header: &BlockHeader, data: &[u8], mantissas: &mut Vec<i64>) -> Result<()> {
    header.validate()?;
    unmarshal_int64s(header.values_marshal_type, header.first_value, data, header.rows_count as usize, mantissas)
}

/// Decodes blocks for queries: straight into columns of timestamps and floats, only what lies in a time range.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    mantissas: Vec<i64>,
}

impl Decoder {
    /// Appends the samples of an encoded block that lie in `range` and returns how many they are.
    ///
    /// After an error both columns are as they were. Values are not decoded when no timestamp is in the range.
    pub fn append(
        &mut self,
        header: &BlockHeader,
        timestamps_data: &[u8],
        values_data: &[u8],
        range: TimeRange,
        timestamps: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<usize> {
        let start = timestamps.len();
        decode_timestamps(header, timestamps_data, timestamps)?;
        let column = &timestamps[start..];
        let from = column.partition_point(|&timestamp| timestamp < range.min);
        let to = column.partition_point(|&timestamp| timestamp <= range.max).max(from);
        timestamps.truncate(start + to);
        timestamps.drain(start..start + from);
        if from == to {
            return Ok(0);
        }
        self.mantissas.clear();
        if let Err(error) = decode_mantissas(header, values_data, &mut self.mantissas) {
            timestamps.truncate(start);
            return Err(error);
        }
        decimal::to_floats(&self.mantissas[from..to], header.scale, values);
        Ok(to - from)
    }
}
