//! Ranges of values, in which histograms count them as the server does: eighteen to a decade, from 1e-9 to 1e18, and one at each end
//! for what is beyond.

use super::number::with_exponent;

/// The label that names a range by its bounds.
pub const VMRANGE: &str = "vmrange";

const LEAST_EXPONENT: i32 = -9;
const GREATEST_EXPONENT: i32 = 18;
const RANGES_OF_DECADE: usize = 18;
/// The ranges that have two bounds of their own.
const BOUNDED: usize = (GREATEST_EXPONENT - LEAST_EXPONENT) as usize * RANGES_OF_DECADE;

/// How many ranges there are.
pub const RANGES: usize = BOUNDED + 2;

/// Which range a value is in; nothing for values that histograms leave out.
pub fn range_of(value: f64) -> Option<usize> {
    if value.is_nan() || value < 0.0 {
        return None;
    }
    // The server's decimal logarithm is this product, too. That of `log10` differs in its last digit, which tells where a value falls
    // that is next to a bound.
    let logarithm = value.ln() * std::f64::consts::LOG10_E;
    let place = (logarithm - f64::from(LEAST_EXPONENT)) * RANGES_OF_DECADE as f64;
    if place < 0.0 {
        return Some(0);
    }
    if place >= BOUNDED as f64 {
        return Some(BOUNDED + 1);
    }
    let below = place as usize;
    // A bound belongs to the range below it, as `le` has it.
    Some(if place == below as f64 && below > 0 { below } else { below + 1 })
}

/// A range as the label has it: `1.000e+00...1.136e+00`.
pub fn name(range: usize) -> String {
    match range {
        0 => format!("0...{}", bound(0)),
        range if range > BOUNDED => format!("{}...+Inf", bound(BOUNDED)),
        range => format!("{}...{}", bound(range - 1), bound(range)),
    }
}

/// The upper bound of a range.
fn bound(range: usize) -> String {
    let exponent = f64::from(LEAST_EXPONENT) + range as f64 / RANGES_OF_DECADE as f64;
    with_exponent(&format!("{:.3e}", 10f64.powf(exponent)))
}
