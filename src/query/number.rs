//! Numbers in labels, spelled as the servers spell them.

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
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return plain(value);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Reads a number as it stands in a label such as `le`. Nothing else than a whole number text is read.
pub fn parse(text: &str) -> Option<f64> {
    text.parse().ok()
}
