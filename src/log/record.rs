//! The bytes of the log's files.
//!
//! | bytes | a file                                             |
//! | ---   | ---                                                |
//! | 0..8  | xxhash64 of all that follows, little-endian        |
//! | 8..   | a zstd frame with the content                      |
//!
//! Rows are columns: their count; series, each less the one before; timestamps, each less the one before; of each value the decimal
//! exponent plus [`EXPONENT_OFFSET`], or [`RAW`]; the decimal mantissas; the bits of values that no decimal stands for. Names are
//! entries one behind the other: number, metric id, length, marshaled name. All numbers are varints, but for the exponents, which
//! are bytes, and the bits, which are eight bytes each.

use crate::encoding::decimal;
use crate::encoding::int::{
    put_bytes, put_u64, put_varints, put_varuint, take_bytes, take_u64, take_varints, take_varuint,
};
use crate::encoding::zstd::{self, Effort};
use crate::error::{Error, Result};
use crate::metric::row::{Rows, SeriesIndex};
use crate::time::TimestampMs;
use xxhash_rust::xxh64::xxh64;

/// Rows that a record holds at most: they are packed in one go, which must not take longer than a slice.
pub const MAX_ROWS: usize = 1 << 15;
/// Bytes that names take at most before they are compressed.
pub const MAX_NAMES_BYTES: usize = 4 << 20;
/// No file of the log is longer.
pub const MAX_FILE_BYTES: u64 = 8 << 20;

/// A row's share at the most: varints of series, timestamp and mantissa, the exponent, and a few bytes for the count.
const MAX_CONTENT_BYTES: usize = MAX_ROWS * (10 + 10 + 1 + 10) + 16;

/// In place of a metric id: the index was not asked for the series when its rows were logged.
pub const UNKNOWN_METRIC_ID: u64 = 0;

const EXPONENT_OFFSET: i16 = 100;
/// In place of an exponent: the value is written as it is.
const RAW: u8 = u8::MAX;

/// One entry of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What rows call the series.
    pub number: SeriesIndex,
    /// Its number in the index.
    pub metric_id: u64,
    /// Its name, marshaled.
    pub marshaled: Vec<u8>,
}

/// Appends an entry to the content of a file of names.
pub fn put_name(content: &mut Vec<u8>, number: SeriesIndex, metric_id: u64, marshaled: &[u8]) {
    put_varuint(content, u64::from(number));
    put_varuint(content, metric_id);
    put_bytes(content, marshaled);
}

/// Packs the content of a file.
///
/// # Errors
/// When it can't be compressed.
pub fn pack(content: &[u8]) -> Result<Vec<u8>> {
    let mut file = vec![0; 8];
    zstd::compress(content, Effort::Fast, &mut file)?;
    let checksum = xxh64(&file[8..], 0);
    file[..8].copy_from_slice(&checksum.to_le_bytes());
    Ok(file)
}

fn unpack(file: &[u8], max_len: usize) -> Result<Vec<u8>> {
    let (checksum, frame) =
        file.split_first_chunk().ok_or_else(|| Error::corrupt("it is shorter than its checksum"))?;
    if u64::from_le_bytes(*checksum) != xxh64(frame, 0) {
        return Err(Error::corrupt("its checksum is another one"));
    }
    let mut content = Vec::new();
    zstd::decompress(frame, max_len, &mut content)?;
    Ok(content)
}

/// The content of a file of rows.
pub fn rows_content(rows: &Rows) -> Vec<u8> {
    let mut content = Vec::with_capacity(rows.len() * 8 + 16);
    put_varuint(&mut content, rows.len() as u64);
    let mut deltas = Vec::with_capacity(rows.len());
    differences(rows.series.iter().map(|series| i64::from(*series)), &mut deltas);
    put_varints(&mut content, &deltas);
    differences(rows.timestamps.iter().copied(), &mut deltas);
    put_varints(&mut content, &deltas);
    deltas.clear();
    let mut raw = Vec::new();
    for &value in &rows.values {
        match as_decimal(value) {
            Some((mantissa, exponent)) => {
                content.push(exponent);
                deltas.push(mantissa);
            }
            None => {
                content.push(RAW);
                raw.push(value.to_bits());
            }
        }
    }
    put_varints(&mut content, &deltas);
    raw.into_iter().for_each(|bits| put_u64(&mut content, bits));
    content
}

fn differences(values: impl Iterator<Item = i64>, differences: &mut Vec<i64>) {
    differences.clear();
    let mut last = 0;
    differences.extend(values.map(|value| value.wrapping_sub(std::mem::replace(&mut last, value))));
}

/// The decimal that stands for exactly this value, with its exponent as it is written.
fn as_decimal(value: f64) -> Option<(i64, u8)> {
    if !value.is_finite() {
        return None;
    }
    let (mantissa, exponent) = decimal::split(value);
    let written = exponent.checked_add(EXPONENT_OFFSET).and_then(|written| u8::try_from(written).ok())?;
    let is_exact = decimal::to_float(mantissa, exponent).to_bits() == value.to_bits();
    (is_exact && written != RAW).then_some((mantissa, written))
}

/// Reads a file of rows.
///
/// # Errors
/// `Corrupt` for what is none.
pub fn read_rows(file: &[u8]) -> Result<Rows> {
    let content = unpack(file, MAX_CONTENT_BYTES)?;
    let (count, rest) = take_varuint(&content)?;
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_ROWS);
    let count = count.ok_or_else(|| Error::corrupt(format!("it has more than {MAX_ROWS} rows")))?;
    let (mut series, mut timestamps) = (Vec::new(), Vec::new());
    let rest = take_sums(rest, count, &mut series)?;
    let rest = take_sums(rest, count, &mut timestamps)?;
    let (exponents, rest) =
        rest.split_at_checked(count).ok_or_else(|| Error::corrupt(format!("it ends before {count} exponents")))?;
    let mut mantissas = Vec::new();
    let decimals = exponents.iter().filter(|exponent| **exponent != RAW).count();
    let mut raw = take_varints(rest, decimals, &mut mantissas)?;
    let mut mantissas = mantissas.into_iter();
    let mut values = Vec::with_capacity(count);
    for &exponent in exponents {
        values.push(if exponent == RAW {
            let (bits, rest) = take_u64(raw)?;
            raw = rest;
            f64::from_bits(bits)
        } else {
            decimal::to_float(mantissas.next().unwrap_or_default(), i16::from(exponent) - EXPONENT_OFFSET)
        });
    }
    if !raw.is_empty() {
        return Err(Error::corrupt(format!("{} bytes follow the last row", raw.len())));
    }
    let series: Option<Vec<SeriesIndex>> = series.into_iter().map(|series| series.try_into().ok()).collect();
    let series = series.ok_or_else(|| Error::corrupt("a series has no possible number"))?;
    Ok(Rows { series, timestamps, values })
}

/// Takes differences and adds them up.
fn take_sums<'a>(src: &'a [u8], count: usize, sums: &mut Vec<TimestampMs>) -> Result<&'a [u8]> {
    let rest = take_varints(src, count, sums)?;
    let mut last = 0_i64;
    for sum in sums {
        last = last.wrapping_add(*sum);
        *sum = last;
    }
    Ok(rest)
}

/// Reads a file of names.
///
/// # Errors
/// `Corrupt` for what is none.
pub fn read_names(file: &[u8]) -> Result<Vec<Name>> {
    let content = unpack(file, MAX_NAMES_BYTES)?;
    let mut rest = &content[..];
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (number, behind) = take_varuint(rest)?;
        let (metric_id, behind) = take_varuint(behind)?;
        let (marshaled, behind) = take_bytes(behind)?;
        rest = behind;
        let number = number.try_into().map_err(|_| Error::corrupt("a series has no possible number"))?;
        names.push(Name { number, metric_id, marshaled: marshaled.to_vec() });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::default();
        for (at, value) in [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, f64::INFINITY, std::f64::consts::PI, 123_456.78, -17.5]
            .into_iter()
            .chain([f64::from_bits(0x7ff0_0000_0000_0002)])
            .enumerate()
        {
            rows.push((at as u32 * 7) % 5, 1_700_000_000_000 - at as i64 * 1_000, value);
        }
        rows
    }

    #[test]
    fn rows_come_back_bit_by_bit() {
        for rows in [Rows::default(), rows()] {
            let read = read_rows(&pack(&rows_content(&rows)).unwrap()).unwrap();
            assert_eq!((&read.series, &read.timestamps), (&rows.series, &rows.timestamps));
            let bits = |rows: &Rows| rows.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read), bits(&rows));
        }
    }

    #[test]
    fn names_come_back() {
        let mut content = Vec::new();
        put_name(&mut content, 7, u64::MAX, b"name\x01");
        put_name(&mut content, 0, 3, b"");
        let names = read_names(&pack(&content).unwrap()).unwrap();
        assert_eq!(names[0], Name { number: 7, metric_id: u64::MAX, marshaled: b"name\x01".to_vec() });
        assert_eq!(names[1], Name { number: 0, metric_id: 3, marshaled: Vec::new() });
    }

    #[test]
    fn a_scrape_takes_few_bytes_a_sample() {
        let mut rows = Rows::default();
        for series in 0..1_000 {
            rows.push(series, 1_700_000_000_000, f64::from(series * 977 % 100_000) / 100.0);
        }
        let len = pack(&rows_content(&rows)).unwrap().len();
        assert!(len < 4_000, "{len} bytes");
    }

    #[test]
    fn what_is_damaged_or_absurd_is_corrupt() {
        let file = pack(&rows_content(&rows())).unwrap();
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_rows(&damaged).is_err(), "bit {bit}");
        }
        // With a right checksum, too, nothing panics and nothing large is allocated.
        let content = rows_content(&rows());
        for bit in 0..content.len() * 8 {
            let mut damaged = content.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = read_rows(&pack(&damaged).unwrap());
            let _ = read_names(&pack(&damaged).unwrap());
        }
        for cut in 0..content.len() {
            assert!(read_rows(&pack(&content[..cut]).unwrap()).is_err());
        }
    }
}
