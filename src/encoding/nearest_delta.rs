//! Differences from item to item, for gauges (part-format §4.2, §4.4).

use super::int;
use crate::error::{Error, Result};

/// Appends the n-1 differences of a column as varints. With fewer than 64 precision bits the low bits of the differences
/// are cleared, which compresses better and changes the values.
///
/// An empty column appends nothing.
pub fn marshal(values: &[i64], precision_bits: u8, out: &mut Vec<u8>) {
    if precision_bits >= 64 { marshal_exact(values, out) } else { marshal_rounded(values, precision_bits, out) }
}

fn marshal_exact(values: &[i64], out: &mut Vec<u8>) {
    let mut deltas = [0; int::PIECE];
    out.reserve(values.len());
    for (previous, next) in values.chunks(int::PIECE).zip(values.get(1..).unwrap_or_default().chunks(int::PIECE)) {
        for ((delta, &previous), &next) in deltas.iter_mut().zip(previous).zip(next) {
            *delta = next.wrapping_sub(previous);
        }
        int::put_varint_piece(out, &deltas[..next.len()]);
    }
}

fn marshal_rounded(values: &[i64], precision_bits: u8, out: &mut Vec<u8>) {
    let Some((&first, later)) = values.split_first() else { return };
    let precision_bits = u32::from(precision_bits);
    let mut value = first;
    let mut zeroed_bits = trailing_zero_bits(first, precision_bits);
    for &next in later {
        let delta;
        (delta, zeroed_bits) = step(next, value, precision_bits, zeroed_bits);
        int::put_varint(out, delta);
        value = value.wrapping_add(delta);
    }
}

/// Appends the `n` values that begin with `first` and go on with the differences in `data`.
///
/// `n` counts `first`; it must be at least 1, and `data` must hold exactly n-1 varints.
pub fn unmarshal(first: i64, data: &[u8], n: usize, out: &mut Vec<i64>) -> Result<()> {
    if n == 0 {
        return Err(Error::corrupt("a nearest-delta column has at least one value, found a count of 0"));
    }
    let start = out.len();
    out.push(first);
    let rest = int::take_varints(data, n - 1, out)?;
    if !rest.is_empty() {
        return Err(Error::corrupt(format!("{} bytes too many behind {n} nearest-delta values", rest.len())));
    }
    let mut value = 0_i64;
    for item in &mut out[start..] {
        value = value.wrapping_add(*item);
        *item = value;
    }
    Ok(())
}

/// How many low bits of a number are beyond the precision.
pub(super) fn trailing_zero_bits(value: i64, precision_bits: u32) -> u32 {
    bit_len(value).saturating_sub(precision_bits)
}

fn bit_len(value: i64) -> u32 {
    64 - value.unsigned_abs().leading_zeros()
}

/// One lossy difference, and how many low bits it has cleared (part-format §4.4).
pub(super) fn step(next: i64, previous: i64, precision_bits: u32, zeroed_bits: u32) -> (i64, u32) {
    let delta = next.wrapping_sub(previous);
    let bits = bit_len(next);
    if delta == 0 || bits <= precision_bits {
        return (delta, zeroed_bits.saturating_sub(1));
    }
    let excess = bits - precision_bits;
    if excess > zeroed_bits + 4 {
        return (delta, zeroed_bits + 2);
    }
    if excess + 4 < zeroed_bits {
        return (delta, zeroed_bits - 2);
    }
    // With at least one bit of precision the excess is at most 63.
    let size = delta.unsigned_abs() & (u64::MAX << excess);
    (if delta < 0 { size.wrapping_neg() } else { size }.cast_signed(), excess)
}
