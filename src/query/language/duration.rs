//! Lengths of time as they are written: `1h30m`, `1.5d`, `5i`.

use super::ast::Duration;
use super::number;

/// The units and their milliseconds, the longest first; `i` is a step of the query and has none.
const UNITS: &[(&str, f64)] = &[
    ("y", 365.0 * 86_400_000.0),
    ("w", 7.0 * 86_400_000.0),
    ("d", 86_400_000.0),
    ("h", 3_600_000.0),
    ("m", 60_000.0),
    ("s", 1_000.0),
    ("ms", 1.0),
    ("i", 0.0),
];
/// The longest that can be written, so that no sum with a timestamp overflows.
const MAX_MILLISECONDS: f64 = 1e15;

/// The length of a duration without a sign, in any order of its units; none if the text is something else.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut duration = Duration::default();
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (amount, behind) = rest.split_at(unit_at);
        let amount = number::decimal(amount)?;
        let unit_end = behind.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if unit == "i" {
            duration.steps += amount;
        } else {
            duration.milliseconds += amount * milliseconds;
        }
        rest = behind;
    }
    let is_fit = duration.milliseconds <= MAX_MILLISECONDS && duration.steps <= MAX_MILLISECONDS;
    (is_fit && !text.is_empty()).then_some(duration)
}

/// A bare number of seconds as a length of time.
pub(super) fn of_seconds(seconds: f64) -> Option<Duration> {
    let milliseconds = seconds * 1e3;
    (milliseconds.abs() <= MAX_MILLISECONDS).then_some(Duration { milliseconds, steps: 0.0 })
}

/// The text that is read as the same duration. Both parts of one sign share it.
pub(super) fn print(duration: &Duration, out: &mut String) {
    let Duration { milliseconds, steps } = *duration;
    let is_negative = milliseconds < 0.0 || milliseconds == 0.0 && steps < 0.0;
    if is_negative {
        out.push('-');
    }
    let sign = if is_negative { -1.0 } else { 1.0 };
    if milliseconds != 0.0 || steps == 0.0 {
        print_milliseconds(milliseconds * sign, out);
    }
    if steps != 0.0 {
        if steps * sign < 0.0 {
            out.push('-');
        }
        number::print_plain(steps.abs(), out);
        out.push('i');
    }
}

fn print_milliseconds(milliseconds: f64, out: &mut String) {
    if milliseconds == 0.0 {
        out.push_str("0s");
        return;
    }
    if milliseconds.fract() != 0.0 {
        number::print_plain(milliseconds, out);
        out.push_str("ms");
        return;
    }
    let mut rest = milliseconds as u64;
    // Years and weeks are left out: nobody counts in them exactly.
    for (unit, size) in &UNITS[2..7] {
        let amount = rest / *size as u64;
        rest %= *size as u64;
        if amount > 0 {
            out.push_str(&amount.to_string());
            out.push_str(unit);
        }
    }
}
