//! Instants, ranges, months and durations. All times are milliseconds since the Unix epoch in UTC; nothing here reads a clock.

use crate::error::{Error, Result};
use std::fmt;

/// Milliseconds since the Unix epoch. A plain integer, since columns of them are stored and compared by the million.
pub type TimestampMs = i64;

/// Milliseconds in one second, minute, hour and day.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day. A *date* in the index is `timestamp / DAY_MS`.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest retention the format's rules allow: 100 years of twelve 31-day months (data-dir-layout §6).
pub const MAX_RETENTION_MS: i64 = 3_214_080_000_000;
/// The last instant a partition can hold: the end of the year 9999. Later timestamps cannot be written in a part's name.
pub const MAX_TIMESTAMP_MS: i64 = 253_402_300_799_999;

/// Days since the epoch, as the index counts them. Timestamps before the epoch belong to day 0, as samples never lie there.
pub fn date_of(timestamp: TimestampMs) -> u64 {
    u64::try_from(timestamp / DAY_MS).unwrap_or(0)
}

/// How long to wait before the next try after so many failures in a row: `first_ms`, doubled each time, up to a minute.
pub fn back_off_ms(first_ms: i64, failures: u32) -> i64 {
    (first_ms << failures.saturating_sub(1).min(16)).min(MINUTE_MS)
}

/// A range of instants, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant of the range.
    pub min: TimestampMs,
    /// Last instant of the range.
    pub max: TimestampMs,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { min: i64::MIN, max: i64::MAX };

    /// Whether the two ranges share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// Whether `timestamp` lies in the range.
    pub fn contains(&self, timestamp: TimestampMs) -> bool {
        self.min <= timestamp && timestamp <= self.max
    }
}

/// One UTC calendar month, which is what a partition holds. Displayed as `YYYY_MM`, its directory name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionName {
    year: i32,
    month: u8,
}

impl PartitionName {
    /// The month that holds `timestamp`, which is clamped to the years 1970 to 9999.
    pub fn of(timestamp: TimestampMs) -> Self {
        let (year, month, _) = civil_from_days(timestamp.clamp(0, MAX_TIMESTAMP_MS).div_euclid(DAY_MS));
        Self { year, month }
    }

    /// Reads a directory name of the form `YYYY_MM`; `None` when it is anything else.
    pub fn parse(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        if bytes.len() != 7 || bytes[4] != b'_' {
            return None;
        }
        let year = digits(&bytes[..4])? as i32;
        let month = digits(&bytes[5..])? as u8;
        ((1970..=9999).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    /// From the first millisecond of the month to the last.
    pub fn range(&self) -> TimeRange {
        let (next_year, next_month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        TimeRange {
            min: days_from_civil(self.year, self.month, 1) * DAY_MS,
            max: days_from_civil(next_year, next_month, 1) * DAY_MS - 1,
        }
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.year, self.month)
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// `YYYYMMDDhhmmss.mmm` in UTC, the way a part's directory name spells an instant (part-format §8.1).
pub fn format_part_timestamp(timestamp: TimestampMs) -> String {
    format!("{}.{:03}", format_seconds(timestamp), timestamp.rem_euclid(SECOND_MS))
}

/// `YYYYMMDDhhmmss` in UTC, the way a snapshot's name begins (data-dir-layout §4).
pub fn format_seconds(timestamp: TimestampMs) -> String {
    let (year, month, day) = civil_from_days(timestamp.div_euclid(DAY_MS));
    let of_day = timestamp.rem_euclid(DAY_MS);
    let (hour, minute, second) = (of_day / HOUR_MS, of_day / MINUTE_MS % 60, of_day / SECOND_MS % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// `YYYY-MM-DDThh:mm:ssZ`.
pub fn format_rfc3339(timestamp: TimestampMs) -> String {
    let text = format_seconds(timestamp);
    let (date, of_day) = text.split_at(8);
    format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..], &of_day[..2], &of_day[2..4], &of_day[4..])
}

/// Reads what [`format_part_timestamp`] writes; `None` for anything that is no valid instant.
pub fn parse_part_timestamp(text: &str) -> Option<TimestampMs> {
    let bytes = text.as_bytes();
    if bytes.len() != 18 || bytes[14] != b'.' {
        return None;
    }
    let field = |from: usize, to: usize| digits(&bytes[from..to]);
    let (year, month, day) = (field(0, 4)? as i32, field(4, 6)? as u8, field(6, 8)? as u8);
    let (hour, minute, second, ms) = (field(8, 10)?, field(10, 12)?, field(12, 14)?, field(15, 18)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day))
        .then_some(days * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + ms)
}

/// Reads a duration: `1500` (milliseconds), or numbers with the units `ms s m h d w y` as in `1h30m`, `0.5s`, `30d`.
/// A year is 365 days. The result is whole milliseconds.
///
/// # Errors
/// `Invalid` when the text is empty, has an unknown unit, is negative or too large.
pub fn parse_duration_ms(text: &str) -> Result<i64> {
    let fail = || {
        Error::invalid(format!(
            "cannot read {text:?} as a duration; write milliseconds or a form such as \"30s\", \"1h30m\", \"30d\""
        ))
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fail());
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let number_len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let number = decimal(&rest[..number_len]).ok_or_else(fail)?;
        rest = &rest[number_len..];
        let unit_len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms = match &rest[..unit_len] {
            "" if rest.is_empty() => 1,
            "ms" => 1,
            "s" => SECOND_MS,
            "m" => MINUTE_MS,
            "h" => HOUR_MS,
            "d" => DAY_MS,
            "w" => 7 * DAY_MS,
            "y" => 365 * DAY_MS,
            _ => return Err(fail()),
        };
        rest = &rest[unit_len..];
        total += number * unit_ms as f64;
    }
    if total > 9e15 {
        return Err(fail());
    }
    Ok(total.round() as i64)
}

/// Reads digits with at most one point among them. Nearly exact, which is enough for what is rounded to whole milliseconds; the
/// standard library's reader needs tables of 10 KB.
fn decimal(text: &str) -> Option<f64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && decimals.is_empty() || decimals.contains('.') {
        return None;
    }
    let append = |number: f64, digit: u8| number * 10.0 + f64::from(digit - b'0');
    let whole = whole.bytes().fold(0.0, append);
    // Further decimals are far below a millisecond, even of years.
    let decimals = &decimals[..decimals.len().min(15)];
    Some(whole + decimals.bytes().fold(0.0, append) / 10f64.powi(decimals.len() as i32))
}

/// `1h0m0s`-style text of a duration as Go prints it, which `min_dedup_interval` holds (part-format §8.1).
pub fn format_go_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    if ms < SECOND_MS {
        return format!("{ms}ms");
    }
    let (hours, minutes) = (ms / HOUR_MS, ms / MINUTE_MS % 60);
    let (seconds, fraction) = (ms / SECOND_MS % 60, ms % SECOND_MS);
    let seconds = if fraction == 0 {
        format!("{seconds}s")
    } else {
        format!("{seconds}.{}s", format!("{fraction:03}").trim_end_matches('0'))
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// Days since the epoch of a date in the proleptic Gregorian calendar, by counting in 400-year eras that begin in March.
pub fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
pub fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    ((year_of_era + era * 400 + i64::from(month <= 2)) as i32, month as u8, day as u8)
}

/// The first of the instants `tick`, `tick + interval_ms`, … that is not before `instant`; the end of time when there is none.
pub fn first_tick(tick: TimestampMs, interval_ms: i64, instant: TimestampMs) -> TimestampMs {
    let ahead = instant.saturating_sub(tick).max(0);
    let ticks = ahead / interval_ms + i64::from(ahead % interval_ms != 0);
    ticks.checked_mul(interval_ms).and_then(|ahead| tick.checked_add(ahead)).unwrap_or(TimestampMs::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_survives_the_calendar_and_back() {
        for days in 0..2_932_897 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(2_932_896), (9999, 12, 31));
    }

    #[test]
    fn a_partition_is_one_calendar_month() {
        let name = PartitionName::of(1_709_164_800_000);
        assert_eq!(name.to_string(), "2024_02");
        assert_eq!(PartitionName::parse("2024_02"), Some(name));
        let TimeRange { min, max } = name.range();
        assert_eq!((max + 1 - min) / DAY_MS, 29);
        assert_eq!(PartitionName::of(max).to_string(), "2024_02");
        assert_eq!(PartitionName::of(max + 1).to_string(), "2024_03");
        for bad in ["2024_13", "2024-02", "24_02", "2024_2", "", "1969_12"] {
            assert_eq!(PartitionName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn part_timestamps_round_trip_and_bad_ones_are_refused() {
        for timestamp in [0, 1, 1_577_836_799_999, 1_709_210_096_789, MAX_TIMESTAMP_MS] {
            assert_eq!(parse_part_timestamp(&format_part_timestamp(timestamp)), Some(timestamp));
        }
        assert_eq!(format_part_timestamp(1_577_836_350_012), "20191231235230.012");
        for bad in ["20190231000000.000", "20191231235230.01", "2019123123523x.012", "20191231245230.012"] {
            assert_eq!(parse_part_timestamp(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_read_and_printed() {
        for (text, ms) in [("1500", 1500), ("30s", 30_000), ("1h30m", 5_400_000), ("0.5s", 500), ("1y", 31_536_000_000)]
        {
            assert_eq!(parse_duration_ms(text), Ok(ms));
        }
        for bad in ["", "abc", "1x", "-1s", "1e3", "s", "99999999999999999y"] {
            assert!(parse_duration_ms(bad).is_err(), "{bad}");
        }
        for (ms, text) in
            [(0, "0s"), (1, "1ms"), (30_000, "30s"), (60_000, "1m0s"), (3_600_000, "1h0m0s"), (1_500, "1.5s")]
        {
            assert_eq!(format_go_duration(ms), text);
        }
    }
}
