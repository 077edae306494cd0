//! A file that a merge reads from its beginning to its end, a stretch at a time.

use crate::error::{Error, Result};
use bytes::Bytes;
use std::ops::Range;

/// The stretch of a file that is in memory.
#[derive(Debug, Default)]
pub struct ReadWindow {
    start: u64,
    bytes: Bytes,
}

impl ReadWindow {
    /// A window of bytes that begin at `start` of the file.
    pub fn new(start: u64, bytes: Bytes) -> Self {
        Self { start, bytes }
    }

    /// The bytes of `range`; what is to be read instead when they are not in the window, which is at least `read_ahead` bytes as far
    /// as the file has them.
    ///
    /// # Errors
    /// `Corrupt` when the file ends before the range does.
    pub fn get(
        &self,
        range: Range<u64>,
        read_ahead: u64,
        file: &str,
        file_size: u64,
    ) -> Result<std::result::Result<Bytes, Range<u64>>> {
        if range.is_empty() {
            return Ok(Ok(Bytes::new()));
        }
        if range.end > file_size {
            return Err(outside(file, &range, file_size));
        }
        let (from, to) = (range.start.checked_sub(self.start), range.end.checked_sub(self.start));
        if let (Some(from), Some(to)) = (from, to)
            && to <= self.bytes.len() as u64
        {
            return Ok(Ok(self.bytes.slice(from as usize..to as usize)));
        }
        let end = range.end.max(range.start.saturating_add(read_ahead)).min(file_size);
        Ok(Err(range.start..end))
    }
}

/// Why a range can't be read.
pub fn outside(file: &str, range: &Range<u64>, file_size: u64) -> Error {
    Error::corrupt(format!("bytes {} to {} of {file} are wanted, which has {file_size} bytes", range.start, range.end))
}
