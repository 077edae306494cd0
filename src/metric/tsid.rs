//! The internal identity of a series (part-format §2).

use crate::encoding::int;
use crate::error::{Error, Result};

/// The identity of a series: 24 bytes, ordered field by field, which is also the order of its bytes.
///
/// ```text
///  0                8        12       16               24
///  ┌────────────────┬────────┬────────┬────────────────┐
///  │ metric_group_id│ job_id │instance│ metric_id      │   all big-endian
///  └────────────────┴────────┴────────┴────────────────┘
/// ```
///
/// `metric_id` alone identifies the series; the other fields only put related series next to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tsid {
    /// Hash of the metric group, i.e. of the metric's name without labels.
    pub metric_group_id: u64,
    /// Hash of the value of the first label.
    pub job_id: u32,
    /// Hash of the value of the second label.
    pub instance_id: u32,
    /// The unique number of the series.
    pub metric_id: u64,
}

impl Tsid {
    /// Length of the marshaled form in bytes.
    pub const SIZE: usize = 24;

    /// Appends the 24 bytes of the marshaled form.
    pub fn marshal(&self, out: &mut Vec<u8>) {
        int::put_u64(out, self.metric_group_id);
        int::put_u32(out, self.job_id);
        int::put_u32(out, self.instance_id);
        int::put_u64(out, self.metric_id);
    }

    /// Reads a TSID from the front of `src` and returns it with the rest; fails when fewer than 24 bytes are there.
    pub fn unmarshal(src: &[u8]) -> Result<(Self, &[u8])> {
        if src.len() < Self::SIZE {
            return Err(Error::corrupt(format!("a TSID takes {} bytes, found {}", Self::SIZE, src.len())));
        }
        let (metric_group_id, src) = int::take_u64(src)?;
        let (job_id, src) = int::take_u32(src)?;
        let (instance_id, src) = int::take_u32(src)?;
        let (metric_id, src) = int::take_u64(src)?;
        Ok((Self { metric_group_id, job_id, instance_id, metric_id }, src))
    }
}
