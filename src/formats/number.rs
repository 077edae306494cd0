//! Floats and integers as decimal text, the way the server reads and prints them.

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Below it every integer is a float.
const EXACT_INTEGERS: u64 = 1 << 53;
/// Decimal digits that always fit in 64 bits.
const MAX_DIGITS: usize = 19;

/// Reads digits from `at` on into `number`, which wraps; returns where they end.
#[inline]
fn take_digits(text: &[u8], mut at: usize, number: &mut u64) -> usize {
    while let Some(digit @ 0..=9) = text.get(at).map(|byte| byte.wrapping_sub(b'0')) {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

/// Reads the float at the front of `text`: its value, correctly rounded, and its length.
///
/// The grammar is the server's: `-?digits(.digits)?([eE][+-]?digits)?`, where the digits behind the point may be missing in front of
/// an exponent, or `nan`, `inf` and `infinity` in any case with any
/// sign. So `+5`, `.5`, `5.`, `0x10` and `1_000` are no numbers. Too large ones are infinite.
#[inline]
pub(super) fn take_float(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let mut mantissa = 0;
    let mut at = take_digits(text, start, &mut mantissa);
    let mut digits = at - start;
    if digits == 0 {
        return take_named(text);
    }
    let mut exponent = 0;
    if text.get(at) == Some(&b'.') {
        let point = at;
        at = take_digits(text, at + 1, &mut mantissa);
        let decimals = at - point - 1;
        if decimals == 0 && !matches!(text.get(at), Some(b'e' | b'E')) {
            return None;
        }
        digits += decimals;
        exponent = -i64::try_from(decimals).ok()?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = text.get(at + 1);
        let start = at + 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
        let mut power = 0;
        at = take_digits(text, start, &mut power);
        // The bound keeps the sum far from overflow and wrapped powers out of the fast path.
        match at - start {
            0 => return None,
            1..=4 if sign == Some(&b'-') => exponent -= power as i64,
            1..=4 => exponent += power as i64,
            _ => exponent = i64::MAX,
        }
    }
    let power = POWERS.get(usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX));
    let value = match power {
        // Both operands are exact, so one operation rounds correctly.
        Some(power) if digits <= MAX_DIGITS && mantissa <= EXACT_INTEGERS => {
            let mantissa = mantissa as f64;
            let value = if exponent < 0 { mantissa / power } else { mantissa * power };
            if is_negative { -value } else { value }
        }
        _ => str::from_utf8(&text[..at]).ok()?.parse().ok()?,
    };
    Some((value, at))
}

/// Infinities and NaN.
#[cold]
fn take_named(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let unsigned = &text[sign..];
    let begins = |name: &str| unsigned.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let infinity = if text.first() == Some(&b'-') { f64::NEG_INFINITY } else { f64::INFINITY };
    [("infinity", infinity), ("inf", infinity), ("nan", f64::NAN)]
        .into_iter()
        .find(|(name, _)| begins(name))
        .map(|(name, value)| (value, sign + name.len()))
}

/// Reads the integer at the front of `text`: its value and its length. None when there is none or it needs more than 64 bits.
#[inline]
pub(super) fn take_integer(text: &[u8]) -> Option<(i64, usize)> {
    let start = usize::from(text.first() == Some(&b'-'));
    let mut magnitude = 0;
    let end = take_digits(text, start, &mut magnitude);
    match end - start {
        0 => None,
        1..MAX_DIGITS => Some((if start == 1 { -(magnitude as i64) } else { magnitude as i64 }, end)),
        _ => Some((str::from_utf8(&text[..end]).ok()?.parse().ok()?, end)),
    }
}

/// Appends a float as the server's export spells it: integers of 64 bits in full, others with the fewest digits that read back
/// as the same float, but for -0, which is printed as the integer 0; never with an exponent; infinities as `+Inf` and `-Inf`;
/// every NaN, and so the stale marker, as `null`.
pub(super) fn put_float(value: f64, out: &mut Vec<u8>) {
    let integer = value as i64;
    // 2^63 isn't what it was clamped to.
    if integer as f64 == value && integer != i64::MAX {
        put_integer(integer, out);
    } else if value.is_finite() {
        put_plain(zmij::Buffer::new().format_finite(value).as_bytes(), out);
    } else if value.is_nan() {
        out.extend_from_slice(b"null");
    } else {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    }
}

/// Appends a number such as `-1.25e-7` or `3.0` without exponent and needless decimals.
fn put_plain(number: &[u8], out: &mut Vec<u8>) {
    let (mantissa, power) = match number.iter().position(|&byte| byte == b'e') {
        Some(at) => (&number[..at], take_integer(skip_plus(&number[at + 1..])).map_or(0, |(power, _)| power)),
        None => (number, 0),
    };
    let (sign, mantissa) = mantissa.split_at(usize::from(mantissa.first() == Some(&b'-')));
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let integer = &mantissa[..point];
    let decimals = match mantissa.get(point + 1..) {
        None | Some(b"0") => &[][..],
        Some(decimals) => decimals,
    };
    out.extend_from_slice(sign);
    if power == 0 {
        out.extend_from_slice(integer);
        if !decimals.is_empty() {
            out.push(b'.');
            out.extend_from_slice(decimals);
        }
    } else if power < 0 {
        // With an exponent, one digit other than 0 stands before the point.
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (power.unsigned_abs() as usize).saturating_sub(integer.len()), b'0');
        out.extend_from_slice(integer);
        out.extend_from_slice(decimals);
    } else {
        let (before, behind) = decimals.split_at(decimals.len().min(power as usize));
        out.extend_from_slice(integer);
        out.extend_from_slice(before);
        out.resize(out.len() + power as usize - before.len(), b'0');
        if !behind.is_empty() {
            out.push(b'.');
            out.extend_from_slice(behind);
        }
    }
}

fn skip_plus(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"+").unwrap_or(text)
}

/// Appends an integer.
pub(super) fn put_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(text: &str) -> Option<f64> {
        take_float(text.as_bytes()).filter(|&(_, len)| len == text.len()).map(|(value, _)| value)
    }

    fn printed(value: f64) -> String {
        let mut out = Vec::new();
        put_float(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_may_be_missing_in_front_of_an_exponent() {
        assert_eq!(float("5.e3"), Some(5000.0));
        assert_eq!(float("-5.E-1"), Some(-0.5));
        assert_eq!(float("123456789012345678901.e300"), Some(f64::INFINITY));
        for bad in ["5.", "5.e", ".e3", "5.x"] {
            assert_eq!(float(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_that_the_server_takes() {
        for (text, value) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("00012", 12.0),
            ("-3.25", -3.25),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            ("1.5e-7", 1.5e-7),
            ("9007199254740993", 9007199254740992.0),
            ("0.1234567890123456789", 0.123_456_789_012_345_68),
            ("123456789012345678901234567890", 1.234_567_890_123_456_8e29),
            ("1.7976931348623157e308", f64::MAX),
            ("5e-324", 5e-324),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("1e-400", 0.0),
            ("1e99999999999999999999", f64::INFINITY),
            ("0e99999999999999999999", 0.0),
            ("1e18446744073709551617", f64::INFINITY),
            ("Inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("+infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(float(text).map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
        for text in ["NaN", "nan", "-NaN", "+NAN"] {
            assert!(float(text).is_some_and(f64::is_nan), "{text}");
        }
        assert_eq!(float(&format!("{}1", "0".repeat(5000))), Some(1.0));
        assert_eq!(float(&format!("1e-{}7", "0".repeat(50))), Some(1e-7));
    }

    #[test]
    fn texts_that_the_server_refuses() {
        for text in [
            "", "-", "+", ".", ".5", "5.", "-.5", "+5", "--5", "+-5", "1e", "1e+", "e5", "0x10", "0x1p4", "1_000",
            "1,5", "1f", "1.2.3", "infin", "in", "na", "true", "\"1\"", "1 2",
        ] {
            assert_eq!(float(text), None, "{text}");
        }
    }

    #[test]
    fn integers_up_to_the_ends_of_64_bits() {
        for value in [0, 7, -7, 999_999_999_999_999_999, 1_000_000_000_000_000_000, i64::MAX, i64::MIN] {
            let text = value.to_string();
            assert_eq!(take_integer(text.as_bytes()), Some((value, text.len())));
        }
        for text in ["", "-", "x", "9223372036854775808", "-9223372036854775809", "99999999999999999999999"] {
            assert_eq!(take_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn floats_are_printed_in_the_servers_spelling() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1e21, "1000000000000000000000"),
            (1.5e21, "1500000000000000000000"),
            (1.5e-7, "0.00000015"),
            (-1.25e-7, "-0.000000125"),
            (12.47, "12.47"),
            // Halfway between .2 and .3: the even one.
            (2_251_799_813_685_249.0 / 4.0, "562949953421312.2"),
            (1e16, "10000000000000000"),
            (9007199254740992.0, "9007199254740992"),
            (144115188075855872.0, "144115188075855872"),
            (-9223372036854775808.0, "-9223372036854775808"),
            (9223372036854775808.0, "9223372036854776000"),
            (123456789012345678.0, "123456789012345680"),
            (1.234_567_890_123_457e29, "123456789012345700000000000000"),
            (0.000_123_456_789, "0.000123456789"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "null"),
            (f64::from_bits(0x7ff0_0000_0000_0002), "null"),
        ] {
            assert_eq!(printed(value), text);
        }
        assert_eq!(printed(f64::MAX).len(), 309);
        assert_eq!(printed(5e-324), format!("0.{}5", "0".repeat(323)));
    }

    #[test]
    fn every_float_survives_printing_bit_for_bit() {
        let mut bits = 88_172_645_463_325_252_u64;
        for round in 0..200_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            // Any float, then short decimals of all sizes.
            let value = match round % 2 {
                0 => f64::from_bits(bits),
                _ => (bits >> (bits % 60)) as f64 / 10_f64.powi((bits % 13) as i32),
            };
            if value.is_nan() {
                continue;
            }
            let text = printed(value);
            assert_eq!(float(&text).map(f64::to_bits), Some(value.to_bits()), "{text}");
            if value.is_finite() {
                // Std prints the fewest digits, too, but takes the upper of two that are equally near.
                assert_eq!(text.len(), value.to_string().len(), "{text}");
                let digits = format!("{value:.20e}");
                assert_eq!(float(&digits).map(f64::to_bits), Some(value.to_bits()), "{digits}");
            }
        }
    }
}
