//! Chunks of float samples: each timestamp by the difference of its distance from the last, each value by the bits in which it differs
//! from the one before.

use crate::encoding::int::unzigzag;
use crate::error::{Error, Result};
use crate::time::TimestampMs;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Floats.
    Xor,
    /// Native histograms, of integers or of floats.
    Histogram,
}

impl Encoding {
    /// Reads the byte in front of a chunk.
    ///
    /// # Errors
    /// `Corrupt` for one that no Prometheus writes.
    pub fn parse(byte: u8) -> Result<Self> {
        match byte {
            1 => Ok(Self::Xor),
            2 | 3 => Ok(Self::Histogram),
            other => Err(Error::corrupt(format!("a chunk has the encoding {other}, which is not known"))),
        }
    }
}

/// How many samples a chunk of any encoding has.
///
/// # Errors
/// `Corrupt` when it is too short to tell.
pub fn sample_count(data: &[u8]) -> Result<u16> {
    match data {
        [high, low, ..] => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(Error::corrupt("a chunk is too short")),
    }
}

/// Appends the samples of a chunk of floats.
///
/// # Errors
/// `Corrupt` when it ends before its last sample.
pub fn decode(data: &[u8], timestamps: &mut Vec<TimestampMs>, values: &mut Vec<f64>) -> Result<()> {
    let count = sample_count(data)?;
    let mut bits = Bits { bytes: &data[2..], at: 0 };
    let (mut timestamp, mut delta, mut value) = (0i64, 0i64, 0u64);
    let (mut leading, mut trailing) = (0u32, 0u32);
    for number in 0..count {
        match number {
            0 => {
                timestamp = bits.varint()?;
                value = bits.take(64)?;
            }
            1 => {
                delta = bits.uvarint()? as i64;
                timestamp = timestamp.wrapping_add(delta);
                value = bits.value(value, &mut leading, &mut trailing)?;
            }
            _ => {
                delta = delta.wrapping_add(bits.delta_of_delta()?);
                timestamp = timestamp.wrapping_add(delta);
                value = bits.value(value, &mut leading, &mut trailing)?;
            }
        }
        timestamps.push(timestamp);
        values.push(f64::from_bits(value));
    }
    Ok(())
}

/// Bits, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Position of the next bit.
    at: usize,
}

impl Bits<'_> {
    /// The next bits, at most 64, as a number.
    fn take(&mut self, mut count: u32) -> Result<u64> {
        let mut number = 0;
        while count > 0 {
            let byte =
                *self.bytes.get(self.at / 8).ok_or_else(|| Error::corrupt("a chunk ends before its last sample"))?;
            let left = 8 - (self.at % 8) as u32;
            let taken = left.min(count);
            let piece = u64::from(byte >> (left - taken)) & ((1 << taken) - 1);
            number = number << taken | piece;
            self.at += taken as usize;
            count -= taken;
        }
        Ok(number)
    }

    fn uvarint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.take(8)?;
            number |= (byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::corrupt("a number in a chunk does not end"))
    }

    fn varint(&mut self) -> Result<i64> {
        self.uvarint().map(unzigzag)
    }

    fn delta_of_delta(&mut self) -> Result<i64> {
        let mut ones = 0;
        while ones < 4 && self.take(1)? == 1 {
            ones += 1;
        }
        let size = match ones {
            0 => return Ok(0),
            1 => 14,
            2 => 17,
            3 => 20,
            _ => return Ok(self.take(64)? as i64),
        };
        let number = self.take(size)? as i64;
        Ok(if number > 1 << (size - 1) { number - (1 << size) } else { number })
    }

    fn value(&mut self, last: u64, leading: &mut u32, trailing: &mut u32) -> Result<u64> {
        if self.take(1)? == 0 {
            return Ok(last);
        }
        if self.take(1)? == 1 {
            *leading = self.take(5)? as u32;
            // 64 does not fit into six bits, and 0 is not needed.
            let significant = match self.take(6)? as u32 {
                0 => 64,
                some => some,
            };
            *trailing = 64u32
                .checked_sub(*leading + significant)
                .ok_or_else(|| Error::corrupt("a value in a chunk has more than 64 bits"))?;
        }
        let significant = self.take(64 - *leading - *trailing)?;
        Ok(last ^ significant << *trailing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(data: &[u8]) -> Result<Vec<(i64, f64)>> {
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        decode(data, &mut timestamps, &mut values)?;
        Ok(timestamps.into_iter().zip(values).collect())
    }

    #[test]
    fn constant_samples_take_a_bit_each() {
        // Count 3; timestamp 1 as a varint; 1.5; a distance of 10; the value, the distance and the value as before.
        let mut data = vec![0, 3, 2];
        data.extend(1.5f64.to_bits().to_be_bytes());
        data.extend([10, 0]);
        assert_eq!(decoded(&data), Ok(vec![(1, 1.5), (11, 1.5), (21, 1.5)]));
        for cut in 0..data.len() {
            assert!(decoded(&data[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn any_bytes_are_samples_or_an_error() {
        let mut state = 7u64;
        for _ in 0..2_000 {
            let mut data = vec![0, 40];
            for _ in 0..60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                data.push((state >> 33) as u8);
            }
            let _ = decoded(&data);
        }
    }
}
