//! A column of integers as one block of bytes (part-format §4): timestamps and mantissas alike.

use super::zstd::{self, Effort};
use super::{int, nearest_delta, nearest_delta2};
use crate::error::{Error, Result};
use serde::Serialize;

/// How a column is encoded; one byte in the block header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MarshalType {
    /// The number 0 passes the header's check, but nothing can be decoded from it.
    #[default]
    Undefined = 0,
    /// zstd over [`MarshalType::NearestDelta2`].
    ZstdNearestDelta2 = 1,
    /// One difference for all: the payload is one varint.
    DeltaConst = 2,
    /// All items are the first value: the payload is empty.
    Const = 3,
    /// zstd over [`MarshalType::NearestDelta`].
    ZstdNearestDelta = 4,
    /// Differences of differences: counters and timestamps.
    NearestDelta2 = 5,
    /// Differences: gauges.
    NearestDelta = 6,
}

impl TryFrom<u8> for MarshalType {
    type Error = Error;

    fn try_from(byte: u8) -> Result<Self> {
        Ok(match byte {
            0 => Self::Undefined,
            1 => Self::ZstdNearestDelta2,
            2 => Self::DeltaConst,
            3 => Self::Const,
            4 => Self::ZstdNearestDelta,
            5 => Self::NearestDelta2,
            6 => Self::NearestDelta,
            _ => return Err(Error::corrupt(format!("a marshal type is between 0 and 6, found {byte}"))),
        })
    }
}

/// Payloads shorter than this are never compressed.
pub const MIN_COMPRESSIBLE_LEN: usize = 128;

/// Appends the encoded column to `out` and returns how it was encoded, with its first value.
///
/// The column must not be empty; an empty one is encoded as nothing at all, of type const with first value 0.
pub fn marshal_int64s(
    values: &[i64],
    precision_bits: u8,
    effort: Effort,
    out: &mut Vec<u8>,
) -> Result<(MarshalType, i64)> {
    let Some(&first) = values.first() else { return Ok((MarshalType::Const, 0)) };
    if let Some(delta) = const_delta(values) {
        if delta == 0 {
            return Ok((MarshalType::Const, first));
        }
        int::put_varint(out, delta);
        return Ok((MarshalType::DeltaConst, first));
    }
    let start = out.len();
    let is_counter = matches!(Course::of_varying(values), Course::Counter { .. });
    let (plain, compressed) = if !is_counter {
        // Gauges lose more than counters by the same rounding, so the lowest settings are lifted a little.
        let bits = if precision_bits < 6 { precision_bits + 2 } else { precision_bits };
        nearest_delta::marshal(values, bits, out);
        (MarshalType::NearestDelta, MarshalType::ZstdNearestDelta)
    } else {
        nearest_delta2::marshal(values, precision_bits, out);
        (MarshalType::NearestDelta2, MarshalType::ZstdNearestDelta2)
    };
    let kept = compress_in_place(start, effort, out)?;
    Ok((if kept { compressed } else { plain }, first))
}

/// Replaces `out[start..]` by its zstd frame when that pays, i.e. saves a tenth.
fn compress_in_place(start: usize, effort: Effort, out: &mut Vec<u8>) -> Result<bool> {
    let payload_end = out.len();
    let payload_len = payload_end - start;
    if payload_len < MIN_COMPRESSIBLE_LEN {
        return Ok(false);
    }
    let mut payload = PAYLOAD.take();
    payload.clear();
    payload.extend_from_slice(&out[start..]);
    out.truncate(start);
    let result = zstd::compress(&payload, effort, out);
    #[expect(clippy::cast_precision_loss, reason = "the server compares these very doubles")]
    let pays = (out.len() - start) as f64 <= 0.9 * payload_len as f64;
    if !pays {
        out.truncate(start);
        out.extend_from_slice(&payload);
    }
    PAYLOAD.set(payload);
    result.map(|()| pays)
}

thread_local!(static PAYLOAD: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) });

/// Appends the `n` values of an encoded column to `out`. After an error `out` holds what it held before.
///
/// For const and delta-const columns the bytes say nothing about `n`, so callers bound it (a block header allows 16384).
pub fn unmarshal_int64s(
    marshal_type: MarshalType,
    first: i64,
    data: &[u8],
    n: usize,
    out: &mut Vec<i64>,
) -> Result<()> {
    let start = out.len();
    let result = match marshal_type {
        MarshalType::Undefined => Err(Error::corrupt("a column of marshal type 0 can't be decoded")),
        MarshalType::Const => unmarshal_const(first, data, n, out),
        MarshalType::DeltaConst => unmarshal_delta_const(first, data, n, out),
        MarshalType::NearestDelta => nearest_delta::unmarshal(first, data, n, out),
        MarshalType::NearestDelta2 => nearest_delta2::unmarshal(first, data, n, out),
        MarshalType::ZstdNearestDelta => zstd::with_decompressed(data, max_payload_len(n), |payload| {
            nearest_delta::unmarshal(first, payload, n, out)
        }),
        MarshalType::ZstdNearestDelta2 => zstd::with_decompressed(data, max_payload_len(n), |payload| {
            nearest_delta2::unmarshal(first, payload, n, out)
        }),
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// The most that `n` values can take as varints: decompression stops there.
fn max_payload_len(n: usize) -> usize {
    n.saturating_mul(int::MAX_VARINT_LEN)
}

fn unmarshal_const(first: i64, data: &[u8], n: usize, out: &mut Vec<i64>) -> Result<()> {
    if !data.is_empty() {
        return Err(Error::corrupt(format!("a const column has no data, found {} bytes", data.len())));
    }
    out.resize(out.len() + n, first);
    Ok(())
}

fn unmarshal_delta_const(first: i64, data: &[u8], n: usize, out: &mut Vec<i64>) -> Result<()> {
    let (delta, rest) = int::take_varint(data)?;
    if !rest.is_empty() {
        return Err(Error::corrupt(format!("{} bytes too many in a delta-const column", rest.len())));
    }
    let mut next = first;
    out.extend((0..n).map(|_| {
        let value = next;
        next = next.wrapping_add(delta);
        value
    }));
    Ok(())
}

/// The difference that all neighbours of a column have in common; 0 for a single value.
fn const_delta(values: &[i64]) -> Option<i64> {
    let [first, second, ..] = values else { return Some(0) };
    let delta = second.wrapping_sub(*first);
    // Columns that aren't constant mostly show it within the first piece; within a piece there is no branch.
    const PIECE: usize = 32;
    let differs = |(before, after): (&[i64], &[i64])| {
        before.iter().zip(after).fold(0, |bits, (a, b)| bits | (b.wrapping_sub(*a) ^ delta)) != 0
    };
    (!values.chunks(PIECE).zip(values[1..].chunks(PIECE)).any(differs)).then_some(delta)
}

/// How a column goes, which decides how it is encoded (part-format §4, §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Course {
    /// All items are equal.
    Const,
    /// All neighbours differ by the same.
    DeltaConst,
    /// A gauge, since an item is negative.
    Negative {
        /// Which item.
        at: usize,
    },
    /// A gauge, since an item fell to more than an eighth of the one before it.
    Falls {
        /// Which item.
        at: usize,
    },
    /// A gauge: each fall looks like a counter's reset, but there are too many of them.
    Resets {
        /// How many.
        resets: usize,
    },
    /// A counter.
    Counter {
        /// Falls that look like resets.
        resets: usize,
    },
}

impl Course {
    /// How a column goes. An empty one is const.
    pub fn of(values: &[i64]) -> Self {
        match const_delta(values) {
            Some(0) => Self::Const,
            Some(_) => Self::DeltaConst,
            None => Self::of_varying(values),
        }
    }

    /// A column that moves up and down (differences pay), or only up, as counters and timestamps do (part-format §4.1).
    fn of_varying(values: &[i64]) -> Self {
        let Some(&first) = values.first() else { return Self::Const };
        if first < 0 {
            return Self::Negative { at: 0 };
        }
        let mut resets = 0;
        for (at, (&previous, &value)) in values.iter().zip(&values[1..]).enumerate() {
            if value < previous {
                // A fall to more than an eighth is a gauge; to less looks like a counter that began anew.
                if value < 0 {
                    return Self::Negative { at: at + 1 };
                }
                if value > previous >> 3 {
                    return Self::Falls { at: at + 1 };
                }
                resets += 1;
            }
        }
        if resets > 2 && resets > values.len() >> 3 { Self::Resets { resets } } else { Self::Counter { resets } }
    }
}

/// The varints of an encoded column of `n` values, as they are behind zstd; the stored bytes themselves when they are not
/// compressed.
///
/// # Errors
/// `Corrupt` for a frame that can't be decompressed or is larger than `n` varints.
pub fn varints_of(marshal_type: MarshalType, data: &[u8], n: usize) -> Result<Vec<u8>> {
    match marshal_type {
        MarshalType::ZstdNearestDelta | MarshalType::ZstdNearestDelta2 => {
            zstd::with_decompressed(data, max_payload_len(n), |payload| Ok(payload.to_vec()))
        }
        _ => Ok(data.to_vec()),
    }
}

/// Repairs timestamps that were stored with fewer than 64 precision bits: a sequence that never falls, from `min` to `max`
/// (part-format §4.4).
pub fn ensure_non_decreasing(timestamps: &mut [i64], min: i64, max: i64) {
    let [first, ..] = timestamps else { return };
    *first = min;
    let mut previous = min;
    for timestamp in &mut *timestamps {
        previous = previous.max(*timestamp);
        *timestamp = previous;
    }
    if let Some((last, before)) = timestamps.split_last_mut()
        && *last != max
    {
        *last = max;
        for timestamp in before.iter_mut().rev().take_while(|timestamp| **timestamp > max) {
            *timestamp = max;
        }
    }
}
