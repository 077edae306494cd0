//! Floats as decimals (part-format §3): a block keeps integer mantissas `m` and one shared exponent `e`, value = m·10^e.
//!
//! Two of the server's habits must be met bit for bit: its `pow10` is a product of two table entries and not a correctly
//! rounded power, and its search for the mantissa walks in steps of 100 until what is left looks like rounding noise.

use std::cell::Cell;

/// Mantissa of +Inf.
pub const INF_POS: i64 = i64::MAX;
/// Mantissa of -Inf.
pub const INF_NEG: i64 = i64::MIN;
/// Mantissa of the stale marker.
pub const STALE: i64 = i64::MAX - 1;
/// The largest mantissa of an ordinary number.
pub const MANTISSA_MAX: i64 = i64::MAX - 2;
/// The smallest mantissa of an ordinary number.
pub const MANTISSA_MIN: i64 = i64::MIN + 1;
/// The bits of the one NaN that is stored: "this series ends here".
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The stale marker as a float.
pub const STALE_NAN: f64 = f64::from_bits(STALE_NAN_BITS);

/// Whether the float is the stale marker, and no other NaN.
#[inline]
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// Whether no value is an infinity or NaN.
pub fn are_finite(values: &[f64]) -> bool {
    // Without a way out of the loop, several are looked at at once.
    values.iter().fold(true, |finite, value| finite & value.is_finite())
}

/// Whether the mantissa stands for an infinity or the stale marker, which no exponent touches.
#[inline]
pub fn is_special(mantissa: i64) -> bool {
    !(MANTISSA_MIN..=MANTISSA_MAX).contains(&mantissa)
}

/// 10^n as the server computes it (part-format §3.2): `+Inf` above 308 and 0 below -323.
pub fn pow10(n: i32) -> f64 {
    match n {
        309.. => f64::INFINITY,
        0.. => P32[n.cast_unsigned() as usize / 32] * P1[n.cast_unsigned() as usize % 32],
        -323.. => N32[n.unsigned_abs() as usize / 32] / P1[n.unsigned_abs() as usize % 32],
        _ => 0.0,
    }
}

#[rustfmt::skip]
const P1: [f64; 32] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31,
];
const P32: [f64; 10] = [1e0, 1e32, 1e64, 1e96, 1e128, 1e160, 1e192, 1e224, 1e256, 1e288];
const N32: [f64; 11] = [1e0, 1e-32, 1e-64, 1e-96, 1e-128, 1e-160, 1e-192, 1e-224, 1e-256, 1e-288, 1e-320];

/// 10^0 to 10^18 as integers.
const INT_POW10: [i64; 19] = {
    let mut table = [1; 19];
    let mut i = 1;
    while i < 19 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// Splits one float into mantissa and exponent (part-format §3.3). The sign of zero is lost.
pub fn split(value: f64) -> (i64, i16) {
    if value == 0.0 {
        (0, 0)
    } else if is_stale_nan(value) {
        (STALE, 0)
    } else if value == f64::INFINITY {
        (INF_POS, 0)
    } else if value == f64::NEG_INFINITY {
        (INF_NEG, 0)
    } else {
        let (mantissa, exponent) = split_positive(value.abs());
        // Both ways below stay under 1e17, so the limit is never reached.
        let mantissa = i64::try_from(mantissa).unwrap_or(MANTISSA_MAX);
        if value > 0.0 { (mantissa.min(MANTISSA_MAX), exponent) } else { ((-mantissa).max(MANTISSA_MIN), exponent) }
    }
}

fn split_positive(value: f64) -> (u64, i16) {
    const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;
    if value < TWO_POW_64 && value.trunc() == value {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and below 2^64")]
        split_integer(value as u64)
    } else {
        split_fraction(value)
    }
}

fn split_integer(mut mantissa: u64) -> (u64, i16) {
    let mut exponent = 0;
    while mantissa >= 1 << 55 {
        mantissa /= 10;
        exponent += 1;
    }
    while mantissa != 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        exponent += 1;
    }
    (mantissa, exponent)
}

fn split_fraction(value: f64) -> (u64, i16) {
    let mut value = value;
    let mut precision = 1e12;
    let mut exponent: i16 = 0;
    if !(1e-6..=1e6).contains(&value) {
        if value > 1e6 {
            precision = 1e15;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 1023·0.302 in magnitude")]
        {
            exponent = (f64::from(binary_exponent(value).clamp(-1022, 1023)) * std::f64::consts::LOG10_2) as i16;
        }
        value *= pow10(-i32::from(exponent));
    }
    // Infinity (from subnormals times +Inf) and NaN both end the loop at once.
    while value < precision {
        let whole = value.trunc();
        let rest = value - whole;
        if rest * precision < whole {
            value = whole;
            break;
        }
        if (1.0 - rest) * precision < whole {
            value = whole + 1.0;
            break;
        }
        value *= 100.0;
        exponent -= 2;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "truncation is the rule here")]
    let mantissa = value as u64;
    // At most one zero goes; the format knows no more.
    if mantissa.is_multiple_of(10) { (mantissa / 10, exponent + 1) } else { (mantissa, exponent) }
}

/// `x` such that `value = fraction · 2^x` with the fraction in `[0.5, 1)`; `value` is positive and finite.
fn binary_exponent(value: f64) -> i32 {
    let biased = |bits: u64| ((bits >> 52) & 0x7ff) as i32;
    match biased(value.to_bits()) {
        0 => biased((value * 18_014_398_509_481_984.0).to_bits()) - 1022 - 54,
        exponent => exponent - 1022,
    }
}

/// Adding this float moves an integer below 2^51 in magnitude into the lowest mantissa bits (and rounds it to one).
const MAGIC: f64 = 6_755_399_441_055_744.0;
const MAGIC_LIMIT: f64 = 2_251_799_813_685_248.0;

/// Splits a column of floats into mantissas, which are appended, and their shared exponent (part-format §3.4).
///
/// The smallest exponent wins; if a large value can't be scaled that far, the shared exponent is raised just so far that
/// everything fits, and small values lose low digits.
pub fn to_decimal(values: &[f64], mantissas: &mut Vec<i64>) -> i16 {
    let start = mantissas.len();
    if let Some(exponent) = integers_to_decimal(values, mantissas) {
        return exponent;
    }
    mantissas.truncate(start);
    mantissas.resize(start + values.len(), 0);
    // The exponents are needed until the shared one is known; the buffer is kept for the next block.
    thread_local!(static EXPONENTS: Cell<Vec<i16>> = const { Cell::new(Vec::new()) });
    let mut exponents = EXPONENTS.take();
    exponents.clear();
    exponents.resize(values.len(), 0);
    let shared = fractions_to_decimal(values, &mut mantissas[start..], &mut exponents);
    EXPONENTS.set(exponents);
    shared
}

/// The whole column when all of it is integers below 2^51; otherwise leaves rubbish behind and returns `None`.
///
/// Then no value overflows at exponent 0, so the shared exponent is the smallest number of trailing zeros.
fn integers_to_decimal(values: &[f64], mantissas: &mut Vec<i64>) -> Option<i16> {
    const PIECE: usize = 128;
    let start = mantissas.len();
    mantissas.reserve(values.len());
    for piece in values.chunks(PIECE) {
        let mut all_integers = true;
        for &value in piece {
            all_integers &= ((value + MAGIC) - MAGIC == value) & (value.abs() < MAGIC_LIMIT);
        }
        if !all_integers {
            return None;
        }
        mantissas
            .extend(piece.iter().map(|&value| (value + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()).cast_signed()));
    }
    let column = &mut mantissas[start..];
    let mut exponent = 0;
    // Zeros have exponent 0 by definition, so a column with one stays as it is.
    while !column.is_empty() && column.iter().all(|&mantissa| mantissa != 0 && mantissa % 10 == 0) {
        column.iter_mut().for_each(|mantissa| *mantissa /= 10);
        exponent += 1;
    }
    Some(exponent)
}

fn fractions_to_decimal(values: &[f64], mantissas: &mut [i64], exponents: &mut [i16]) -> i16 {
    let mut shared = i16::MAX;
    let pieces = values.chunks(PIECE).zip(mantissas.chunks_mut(PIECE)).zip(exponents.chunks_mut(PIECE));
    let mut specials = false;
    for ((values, mantissas), exponents) in pieces {
        if let Some(smallest) = split_piece(values, mantissas, exponents) {
            shared = shared.min(smallest);
            continue;
        }
        for ((&value, mantissa), exponent) in values.iter().zip(mantissas).zip(exponents) {
            (*mantissa, *exponent) = split(value);
            if is_special(*mantissa) {
                specials = true;
            } else {
                shared = shared.min(*exponent);
            }
        }
    }
    if shared >= 0 {
        // Only below exponent 0 do the unreduced mantissas of `split_piece` lead to the same result.
        for ((&value, mantissa), exponent) in values.iter().zip(&mut *mantissas).zip(&mut *exponents) {
            (*mantissa, *exponent) = split(value);
        }
        shared = i16::MAX;
        for (&mantissa, &exponent) in mantissas.iter().zip(&*exponents) {
            if !is_special(mantissa) {
                shared = shared.min(exponent);
            }
        }
    } else if !specials && scale_up(mantissas, exponents, shared) {
        return shared;
    }
    scale(mantissas, exponents, shared)
}

/// How many floats are split together.
const PIECE: usize = 64;

/// Splits a piece whose values are all 0 or between 1e-6 and 1e6 in magnitude, in step, and returns the smallest exponent.
///
/// It is `split_fraction` turned inside out, so that each step runs over all values and vectorises. Mantissas keep their
/// trailing zeros, which makes no difference once they are brought to a shared exponent below 0.
fn split_piece(values: &[f64], mantissas: &mut [i64], exponents: &mut [i16]) -> Option<i16> {
    let mut in_range = true;
    for value in values {
        in_range &= (*value == 0.0) | ((value.abs() >= 1e-6) & (value.abs() <= 1e6));
    }
    if !in_range {
        return None;
    }
    // The last lanes are filled up with zeros, which need no steps. Fixed sizes keep the lanes in registers.
    let mut smallest = 0;
    let (whole_lanes, last) = values.as_chunks::<LANES>();
    let (mantissa_lanes, last_mantissas) = mantissas.as_chunks_mut::<LANES>();
    let (exponent_lanes, last_exponents) = exponents.as_chunks_mut::<LANES>();
    for ((values, mantissas), exponents) in whole_lanes.iter().zip(mantissa_lanes).zip(exponent_lanes) {
        smallest = smallest.min(split_lanes(values, mantissas, exponents));
    }
    if !last.is_empty() {
        let (mut values, mut mantissas, mut exponents) = ([0.0; LANES], [0; LANES], [0; LANES]);
        values[..last.len()].copy_from_slice(last);
        smallest = smallest.min(split_lanes(&values, &mut mantissas, &mut exponents));
        last_mantissas.copy_from_slice(&mantissas[..last.len()]);
        last_exponents.copy_from_slice(&exponents[..last.len()]);
    }
    let even = mantissas.iter().zip(exponents).any(|(&mantissa, exponent)| *exponent == smallest && mantissa % 10 != 0);
    Some(if even { smallest } else { smallest + 1 })
}

/// How many floats go through the steps together, in registers.
const LANES: usize = 8;

#[inline]
fn split_lanes(values: &[f64; LANES], mantissas: &mut [i64; LANES], exponents: &mut [i16; LANES]) -> i16 {
    let mut left = values.map(f64::abs);
    let steps = settle(&mut left);
    let mut most_steps = 0;
    for i in 0..LANES {
        // Below 2^51, and what is past the precision is truncated.
        let whole = whole_part(left[i]).copysign(values[i]);
        mantissas[i] = (whole + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()).cast_signed();
        exponents[i] = -2 * steps[i];
        most_steps = most_steps.max(steps[i]);
    }
    -2 * most_steps
}

/// Multiplies by 100 until what is behind the point is noise, drops that, and returns how many times it was.
#[inline]
fn settle(left: &mut [f64; LANES]) -> [i16; LANES] {
    const PRECISION: f64 = 1e12;
    let mut steps = [0_i64; LANES];
    // 1e-6 takes nine steps to reach 1e12; ten find nothing left to do.
    for _ in 0..10 {
        let mut taken = 0;
        for (left, steps) in left.iter_mut().zip(&mut steps) {
            let value = *left;
            let whole = whole_part(value);
            let rest = value - whole;
            let down = rest * PRECISION < whole;
            let up = (1.0 - rest) * PRECISION < whole;
            let open = (value < PRECISION) & (value != 0.0);
            // A value that is a whole number stays what it is in every later step, so no mask of the finished is needed.
            let next = if up { whole + 1.0 } else { value * 100.0 };
            let next = if down { whole } else { next };
            *left = if open { next } else { value };
            let step = i64::from(open & !down & !up);
            *steps += step;
            taken |= step;
        }
        if taken == 0 {
            break;
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most ten")]
    steps.map(|steps| steps as i16)
}

/// The integer part of a float below 2^51 and not negative.
#[inline]
fn whole_part(value: f64) -> f64 {
    let rounded = (value + MAGIC) - MAGIC;
    if rounded > value { rounded - 1.0 } else { rounded }
}

/// Brings all mantissas to a shared exponent when all of them fit, else changes nothing and says so.
fn scale_up(mantissas: &mut [i64], exponents: &[i16], shared: i16) -> bool {
    // A bound for all first: it mostly suffices.
    let mut sizes = 0;
    let mut highest = shared;
    for (&mantissa, &exponent) in mantissas.iter().zip(exponents) {
        sizes |= (mantissa ^ (mantissa >> 63)).cast_unsigned();
        highest = highest.max(exponent);
    }
    let limit = INT_POW10.get((highest - shared).cast_unsigned() as usize).map_or(0, |power| i64::MAX / power);
    if sizes >= limit.cast_unsigned() && !each_fits(mantissas, exponents, shared) {
        return false;
    }
    for (mantissa, &exponent) in mantissas.iter_mut().zip(exponents) {
        let up = exponent - shared;
        *mantissa = if up < 0 {
            *mantissa / 10
        } else {
            // Past the table only zeros are left.
            *mantissa * INT_POW10.get(up.cast_unsigned() as usize).copied().unwrap_or(0)
        };
    }
    true
}

/// Whether no mantissa overflows at the shared exponent, which is below all others or one above.
fn each_fits(mantissas: &[i64], exponents: &[i16], shared: i16) -> bool {
    let mut largest = 0.0_f64;
    for (&mantissa, &exponent) in mantissas.iter().zip(exponents) {
        let up = (exponent - shared).max(0).cast_unsigned();
        let power = P1.get(up as usize).copied().unwrap_or(f64::INFINITY);
        #[expect(clippy::cast_precision_loss, reason = "an estimate with a margin")]
        let scaled = (mantissa as f64 * power).abs();
        // NaN is 0·Inf: zero always fits, and is not larger than anything.
        largest = if scaled > largest { scaled } else { largest };
    }
    largest <= 9.2e18
}

/// The general rule of part-format §3.4 from the loop over `need` on, with its wrapping 16-bit arithmetic.
fn scale(mantissas: &mut [i64], exponents: &[i16], smallest: i16) -> i16 {
    let mut down = 0;
    for (&mantissa, &exponent) in mantissas.iter().zip(exponents) {
        down = down.max(exponent.wrapping_sub(smallest).wrapping_sub(headroom(mantissa)));
    }
    let shared = smallest.wrapping_add(down);
    for (mantissa, &exponent) in mantissas.iter_mut().zip(exponents) {
        if !is_special(*mantissa) {
            *mantissa = shift(*mantissa, i32::from(exponent) - i32::from(shared));
        }
    }
    shared
}

/// Multiplies by 10 `by` times, or divides with truncation when `by` is negative.
#[inline]
fn shift(mantissa: i64, by: i32) -> i64 {
    match INT_POW10.get(by.unsigned_abs() as usize) {
        Some(power) if by >= 0 => mantissa.wrapping_mul(*power),
        Some(power) => mantissa / power,
        None => 0,
    }
}

/// How often a mantissa can be multiplied by 10 (part-format §3.4); 1024 stands for "as often as you like".
fn headroom(mantissa: i64) -> i16 {
    if mantissa == 0 || is_special(mantissa) {
        return 1024;
    }
    let size = mantissa.unsigned_abs();
    // 1233 / 4096 is log10(2) but for a hair: the guess is right or one too many, which the table corrects.
    let guess = ((size.leading_zeros() * 1233) >> 12).min(18);
    let fits = size <= (i64::MAX / INT_POW10[guess as usize]).unsigned_abs();
    if fits { guess as i16 } else { guess as i16 - 1 }
}

/// Brings two columns of mantissas to one exponent, which is returned (part-format §3.6).
pub fn calibrate_scale(a: &mut [i64], a_exponent: i16, b: &mut [i64], b_exponent: i16) -> i16 {
    if a.is_empty() {
        return b_exponent;
    }
    if a_exponent == b_exponent || b.is_empty() {
        return a_exponent;
    }
    let (large, small, large_exponent, small_exponent) =
        if a_exponent > b_exponent { (a, b, a_exponent, b_exponent) } else { (b, a, b_exponent, a_exponent) };
    let mut up = large_exponent.wrapping_sub(small_exponent);
    let mut down = 0;
    for &mantissa in &*large {
        down = down.max(up.wrapping_sub(headroom(mantissa)));
    }
    up = up.wrapping_sub(down);
    for mantissa in large {
        if !is_special(*mantissa) {
            *mantissa = shift(*mantissa, i32::from(up));
        }
    }
    if down > 0 {
        for mantissa in small {
            if !is_special(*mantissa) {
                *mantissa = shift(*mantissa, -i32::from(down));
            }
        }
    }
    small_exponent.wrapping_add(down)
}

/// Appends the floats of a column of mantissas with a shared exponent (part-format §3.5).
pub fn to_floats(mantissas: &[i64], exponent: i16, floats: &mut Vec<f64>) {
    let mut sizes = 0;
    for &mantissa in mantissas {
        sizes |= mantissa ^ (mantissa >> 63);
    }
    // No mantissa reaches 2^51 in magnitude, so the conversion is exact and can be done by addition, which vectorises.
    if sizes < 1 << 51 {
        let exact = |&mantissa: &i64| {
            f64::from_bits(mantissa.wrapping_add(MAGIC.to_bits().cast_signed()).cast_unsigned()) - MAGIC
        };
        let power = pow10(i32::from(exponent).abs());
        match exponent {
            0 => floats.extend(mantissas.iter().map(exact)),
            ..0 => floats.extend(mantissas.iter().map(|mantissa| exact(mantissa) / power)),
            _ => floats.extend(mantissas.iter().map(|mantissa| exact(mantissa) * power)),
        }
    } else {
        floats.extend(mantissas.iter().map(|&mantissa| to_float(mantissa, exponent)));
    }
}

/// One mantissa with its exponent as a float (part-format §3.5).
pub fn to_float(mantissa: i64, exponent: i16) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest float is the rule")]
    match mantissa {
        INF_POS => f64::INFINITY,
        INF_NEG => f64::NEG_INFINITY,
        STALE => STALE_NAN,
        _ if exponent < 0 => mantissa as f64 / pow10(-i32::from(exponent)),
        _ if exponent > 0 => mantissa as f64 * pow10(i32::from(exponent)),
        _ => mantissa as f64,
    }
}
