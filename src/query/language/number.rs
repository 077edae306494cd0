//! Numbers as they are written in expressions: `1.5`, `1e3`, `0x1F`, `1_000`, `4Ki`.

/// What stands behind a number and multiplies it, in lower case.
const MULTIPLIERS: &[(&str, f64)] = &[
    ("kib", 1024.0),
    ("ki", 1024.0),
    ("kb", 1e3),
    ("k", 1e3),
    ("mib", 1_048_576.0),
    ("mi", 1_048_576.0),
    ("mb", 1e6),
    ("gib", 1_073_741_824.0),
    ("gi", 1_073_741_824.0),
    ("gb", 1e9),
    ("g", 1e9),
    ("tib", 1_099_511_627_776.0),
    ("ti", 1_099_511_627_776.0),
    ("tb", 1e12),
    ("t", 1e12),
];

/// The value of a number without a sign; none if the text is something else.
pub(super) fn parse(text: &str) -> Option<f64> {
    if text.contains('_') {
        let bytes = text.as_bytes();
        let is_between = |at: usize| {
            at > 0 && bytes[at - 1].is_ascii_hexdigit() && bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit)
        };
        if !text.match_indices('_').all(|(at, _)| is_between(at)) {
            return None;
        }
        return parse(&text.replace('_', ""));
    }
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            return with_radix(&text[2..], radix);
        }
    }
    let digits_end = text.bytes().rposition(|byte| byte.is_ascii_digit() || byte == b'.')? + 1;
    let (number, suffix) = text.split_at(digits_end);
    let multiplier = match suffix {
        "" => 1.0,
        // A small m is minutes.
        "M" => 1e6,
        _ => MULTIPLIERS.iter().find(|(name, _)| suffix.eq_ignore_ascii_case(name))?.1,
    };
    Some(decimal(number)? * multiplier)
}

/// Digits of a power of two; as many as there are, since a float takes them all.
fn with_radix(digits: &str, radix: u32) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0.0, |value, digit| Some(value * f64::from(radix) + f64::from(digit.to_digit(radix)?)))
}

/// `12`, `12.5`, `.5`, `5.`, `1e-3`, correctly rounded.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if mantissa.len() <= usize::from(mantissa.contains('.')) || !is_digits(integer) || !is_digits(fraction) {
        return None;
    }
    let exponent = match exponent {
        None => 0,
        Some(digits) => {
            let (is_negative, digits) = match digits.as_bytes().first()? {
                b'-' => (true, &digits[1..]),
                b'+' => (false, &digits[1..]),
                _ => (false, digits),
            };
            if digits.is_empty() || !is_digits(digits) {
                return None;
            }
            // More digits than these only say that the number is far out of range.
            let digits = digits.trim_start_matches('0');
            let size = if digits.len() > 6 {
                1 << 20
            } else {
                digits.bytes().fold(0, |size, digit| size * 10 + i32::from(digit - b'0'))
            };
            if is_negative { -size } else { size }
        }
    };
    let integer = integer.trim_start_matches('0').as_bytes();
    let fraction = fraction.trim_end_matches('0').as_bytes();
    Some(minimal_lexical::parse_float(integer.iter(), fraction.iter(), exponent))
}

/// The shortest text that is read as the same number. Infinite ones and NaN are words.
pub(super) fn print(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Inf" } else { "-Inf" });
    } else {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        out.push_str(text.strip_suffix(".0").unwrap_or(text));
    }
}

/// The same without an exponent, for numbers with a unit behind them.
pub(super) fn print_plain(value: f64, out: &mut String) {
    out.push_str(&format!("{value}"));
}
