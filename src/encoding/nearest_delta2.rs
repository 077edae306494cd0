//! Differences of differences, for counters and timestamps (part-format §4.2, §4.4).

use super::int;
use super::nearest_delta::{step, trailing_zero_bits};
use crate::error::{Error, Result};

/// Appends the first difference and the n-2 second differences of a column as varints, with low bits cleared when there are
/// fewer than 64 precision bits.
///
/// A column of fewer than two values appends nothing.
pub fn marshal(values: &[i64], precision_bits: u8, out: &mut Vec<u8>) {
    let [first, second, ..] = values else { return };
    int::put_varint(out, second.wrapping_sub(*first));
    if precision_bits >= 64 { marshal_exact(values, out) } else { marshal_rounded(values, precision_bits, out) }
}

fn marshal_exact(values: &[i64], out: &mut Vec<u8>) {
    let mut deltas = [0; int::PIECE];
    let (Some(middle), Some(last)) = (values.get(1..), values.get(2..)) else { return };
    out.reserve(values.len());
    let pieces = values.chunks(int::PIECE).zip(middle.chunks(int::PIECE)).zip(last.chunks(int::PIECE));
    for ((before, previous), next) in pieces {
        for (((delta, &before), &previous), &next) in deltas.iter_mut().zip(before).zip(previous).zip(next) {
            *delta = next.wrapping_sub(previous).wrapping_sub(previous.wrapping_sub(before));
        }
        int::put_varint_piece(out, &deltas[..next.len()]);
    }
}

fn marshal_rounded(values: &[i64], precision_bits: u8, out: &mut Vec<u8>) {
    let [first, second, later @ ..] = values else { return };
    let precision_bits = u32::from(precision_bits);
    let mut delta = second.wrapping_sub(*first);
    let mut value = *second;
    let mut zeroed_bits = trailing_zero_bits(value, precision_bits);
    for &next in later {
        let delta2;
        (delta2, zeroed_bits) = step(next.wrapping_sub(value), delta, precision_bits, zeroed_bits);
        int::put_varint(out, delta2);
        delta = delta.wrapping_add(delta2);
        value = value.wrapping_add(delta);
    }
}

/// Appends the `n` values that begin with `first` and go on with the differences in `data`.
///
/// `n` counts `first`; it must be at least 2, and `data` must hold exactly n-1 varints.
pub fn unmarshal(first: i64, data: &[u8], n: usize, out: &mut Vec<i64>) -> Result<()> {
    if n < 2 {
        return Err(Error::corrupt(format!("a nearest-delta2 column has at least two values, found a count of {n}")));
    }
    let start = out.len();
    out.push(first);
    let rest = int::take_varints(data, n - 1, out)?;
    if !rest.is_empty() {
        return Err(Error::corrupt(format!("{} bytes too many behind {n} nearest-delta2 values", rest.len())));
    }
    let mut value = first;
    let mut delta = 0_i64;
    for item in &mut out[start + 1..] {
        delta = delta.wrapping_add(*item);
        value = value.wrapping_add(delta);
        *item = value;
    }
    Ok(())
}
