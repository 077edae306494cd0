//! A block taken to pieces, for people to look at: what each stage of its encoding holds (part-format §4, §5).

use super::BlockHeader;
use super::decode::{decode_mantissas, decode_timestamps};
use crate::encoding::decimal;
use crate::encoding::marshal::{Course, varints_of};
use crate::error::Result;
use bytes::Bytes;

/// A block at all stages of its encoding.
#[derive(Clone, Debug)]
pub struct BlockDetails {
    /// Its header.
    pub header: BlockHeader,
    /// Timestamps in milliseconds.
    pub timestamps: ColumnDetails,
    /// Mantissas, which the header's scale makes into values.
    pub mantissas: ColumnDetails,
    /// The values.
    pub values: Vec<f64>,
}

/// A column of integers at all stages of its encoding.
#[derive(Clone, Debug)]
pub struct ColumnDetails {
    /// The integers.
    pub integers: Vec<i64>,
    /// What the encoder makes of their course. Blocks of fewer than 64 precision bits may have been encoded by another one,
    /// since their integers have changed by it.
    pub course: Course,
    /// Their differences as varints.
    pub varints: Vec<u8>,
    /// What is stored: the varints or their zstd frame.
    pub stored: Bytes,
}

impl BlockDetails {
    /// Takes an encoded block to pieces.
    ///
    /// # Errors
    /// `Corrupt` when the block can't be decoded.
    pub fn of(header: BlockHeader, timestamps_data: Bytes, values_data: Bytes) -> Result<Self> {
        let rows = header.rows_count as usize;
        let (mut timestamps, mut mantissas, mut values) = (Vec::new(), Vec::new(), Vec::new());
        decode_timestamps(&header, &timestamps_data, &mut timestamps)?;
        decode_mantissas(&header, &values_data, &mut mantissas)?;
        decimal::to_floats(&mantissas, header.scale, &mut values);
        let timestamps_varints = varints_of(header.timestamps_marshal_type, &timestamps_data, rows)?;
        let values_varints = varints_of(header.values_marshal_type, &values_data, rows)?;
        let column = |integers: Vec<i64>, varints, stored| {
            let course = Course::of(&integers);
            ColumnDetails { integers, course, varints, stored }
        };
        Ok(Self {
            header,
            timestamps: column(timestamps, timestamps_varints, timestamps_data),
            mantissas: column(mantissas, values_varints, values_data),
            values,
        })
    }
}
