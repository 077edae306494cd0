//! Numbers in labels, spelled as the servers spell them.

use std::fmt::Write;

/// In plain decimal, never with an exponent.
pub fn plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        value.to_string()
    }
}

/// The shortest digits, with an exponent below 1e-4 and from 1e6 on.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return plain(value);
    }
    let text = format!("{value:e}");
    let exponent: i32 = text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    if (-4..6).contains(&exponent) { plain(value) } else { with_exponent(&text) }
}

/// The shortest digits, with an exponent below 1e-4 and from 1e21 on.
pub fn printed(value: f64) -> String {
    let is_plain = !value.is_finite() || value == 0.0 || (1e-4..1e21).contains(&value.abs());
    if is_plain { plain(value) } else { with_exponent(&format!("{value:e}")) }
}

/// A number that Rust has written with an exponent, as the servers write it.
pub fn with_exponent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    put_with_exponent(&mut out, text);
    out
}

/// Adds such a number: its exponent has a sign, and two digits at least.
pub fn put_with_exponent(out: &mut String, text: &str) {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    // Writing to a string can't fail.
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

/// Reads a number as it stands in a label such as `le`. Nothing else than a whole number text is read.
pub fn parse(text: &str) -> Option<f64> {
    text.parse().ok()
}
