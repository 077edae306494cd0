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
    // As in Go, a zero in front makes an octal number, if it can be one.
    if text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return with_radix(text, 8);
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
    // The standard library takes signs and words, too.
    let is_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    is_number.then(|| text.parse().ok())?
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
