//! What a request says beside its path: the fields of a form and those of the query string.

use super::HttpRequest;
use crate::time::{DAY_MS, parse_duration_ms};

/// The type of a body of arguments.
const FORM: &str = "application/x-www-form-urlencoded";

/// The arguments of a request, in order; those of a form come first, as in the server's HTTP library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// The arguments of a request.
    pub fn of(request: &HttpRequest) -> Self {
        let is_form = request.content_type.get(..FORM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(FORM));
        let mut arguments = if is_form { Self::parse(&request.body) } else { Self::default() };
        arguments.0.extend(Self::of_query(request).0);
        arguments
    }

    /// The arguments of the query string alone, for requests whose body is something else.
    pub fn of_query(request: &HttpRequest) -> Self {
        let (_, query) = request.uri.split_once('?').unwrap_or((&request.uri, ""));
        Self::parse(query.as_bytes())
    }

    fn parse(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first argument of a name; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The first argument of a name; nothing for one that is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// All arguments of a name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Labels, of all arguments of a name: each is `<name>=<value>`.
    ///
    /// # Errors
    /// A text that names the argument.
    pub fn labels(&self, name: &str) -> Result<Vec<(&str, &str)>, String> {
        let labels = self.all(name).map(|text| {
            text.split_once('=')
                .ok_or_else(|| format!("invalid parameter \"{name}\": <name>=<value> is expected, found {text:?}"))
        });
        labels.collect()
    }

    /// An instant in milliseconds.
    ///
    /// # Errors
    /// A text that names the argument.
    pub fn time_ms(&self, name: &str, now_ms: i64) -> Result<Option<i64>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_time_ms(text, now_ms)
            .map(Some)
            .ok_or_else(|| format!("invalid parameter \"{name}\": cannot parse {text:?} to a valid timestamp"))
    }

    /// A length of time in milliseconds: seconds, or such as `1m30s`.
    ///
    /// # Errors
    /// A text that names the argument. A length below 0 is one.
    pub fn duration_ms(&self, name: &str) -> Result<Option<i64>, String> {
        let text = self.text(name);
        if text.parse::<f64>().is_ok_and(|seconds| seconds < 0.0) {
            return Err(format!("invalid parameter \"{name}\": {text:?} is below 0"));
        }
        self.signed_duration_ms(name)
    }

    /// As [`Arguments::duration_ms`], for a step, whose check has words of its own.
    ///
    /// # Errors
    /// A text that names the argument.
    pub fn signed_duration_ms(&self, name: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e15);
        seconds
            .map(|seconds| (seconds * 1e3).round() as i64)
            .or_else(|| parse_duration_ms(text).ok())
            .map(Some)
            .ok_or_else(|| format!("invalid parameter \"{name}\": cannot parse {text:?} to a valid duration"))
    }

    /// Whether something is switched on: by any value but those that the server takes for no.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !["0", "f", "false", "no"].contains(&value.to_lowercase().as_str()))
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// A text that names the argument.
    pub fn count(&self, name: &str) -> Result<Option<usize>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|_| format!("invalid parameter \"{name}\": {text:?} is no whole number from 0 on"))
    }
}

/// Reads unix seconds, an RFC 3339 time or a part of one from the left (`2024`, `2024-03`, `2024-03-01T12`), or a time before now (`1h`,
/// `-1h`, `now-1h`). Nothing for anything else and for times beyond all that storage knows.
pub fn parse_time_ms(text: &str, now_ms: i64) -> Option<i64> {
    let text = text.trim();
    if let Some(behind_now) = text.strip_prefix("now") {
        return if behind_now.is_empty() { Some(now_ms) } else { relative(behind_now, now_ms) };
    }
    // A year alone has four digits; seconds so early are nobody's samples.
    let is_year = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_year && let Ok(seconds) = text.parse::<f64>() {
        return (seconds.abs() < 1e13).then(|| (seconds * 1e3).round() as i64);
    }
    if text.starts_with('-') {
        return relative(text, now_ms);
    }
    rfc3339_ms(text).or_else(|| now_ms.checked_sub(parse_duration_ms(text).ok()?))
}

fn relative(text: &str, now_ms: i64) -> Option<i64> {
    let (sign, length) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => return None,
    };
    now_ms.checked_add(sign * parse_duration_ms(length).ok()?)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

fn rfc3339_ms(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let (text, zone_ms) = without_zone(text)?;
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    let number = |text: &str, width: usize| {
        let is_number = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<i64>().ok() } else { None }
    };
    let mut fields = date.split('-');
    let year = number(fields.next()?, 4)?;
    let mut next = |least: i64, most: i64| match fields.next() {
        Some(field) => number(field, 2).filter(|value| (least..=most).contains(value)),
        None => Some(least),
    };
    let (month, day) = (next(1, 12)?, next(1, 31)?);
    if fields.next().is_some() {
        return None;
    }
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut seconds = 0;
    let clock_fields: Vec<&str> = if clock.is_empty() { Vec::new() } else { clock.split(':').collect() };
    for (field, (most, unit)) in clock_fields.iter().zip([(23, 3_600), (59, 60), (60, 1)]) {
        seconds += number(field, 2).filter(|value| *value <= most)? * unit;
    }
    if clock_fields.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milliseconds: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let days = days_since_epoch(year, month, day);
    // A day that its month does not have leads into the next month.
    if days_since_epoch(year + month / 12, month % 12 + 1, 1) <= days {
        return None;
    }
    Some(days * DAY_MS + seconds * 1_000 + milliseconds - zone_ms)
}

/// Cuts `Z` or `+02:00` off, and says how far it is ahead of UTC.
fn without_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return Some((rest, 0));
    }
    let Some(at) = text.len().checked_sub(6).filter(|at| matches!(text.as_bytes()[*at], b'+' | b'-')) else {
        return Some((text, 0));
    };
    // `2024-03` ends in six characters that begin with a sign, too, but has no colon.
    let Some((hours, minutes)) = text[at + 1..].split_once(':') else { return Some((text, 0)) };
    let ahead_ms = (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000;
    Some((&text[..at], if text.as_bytes()[at] == b'-' { -ahead_ms } else { ahead_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_pairs_cut_at_the_first_sign_of_equality() {
        let arguments = Arguments::parse(b"extra_label=job=web&other=1&extra_label=a=b%3Dc&extra_label=empty=");
        assert_eq!(arguments.labels("extra_label"), Ok(vec![("job", "web"), ("a", "b=c"), ("empty", "")]));
        let refused = Arguments::parse(b"extra_label=job=web&extra_label=host").labels("extra_label").unwrap_err();
        assert_eq!(refused, "invalid parameter \"extra_label\": <name>=<value> is expected, found \"host\"");
    }

    #[test]
    fn times_are_read_as_the_servers_read_them() {
        let now_ms = 1_710_000_000_000;
        for (text, expected) in [
            ("1710000000", Some(1_710_000_000_000)),
            ("1710000000.123", Some(1_710_000_000_123)),
            ("2024-03-09T16:00:00Z", Some(1_710_000_000_000)),
            ("2024-03-09T18:00:00.5+02:00", Some(1_710_000_000_500)),
            ("2024-03-09T12:00:00-04:00", Some(1_710_000_000_000)),
            ("90m", Some(now_ms - 5_400_000)),
            ("-1h30m", Some(now_ms - 5_400_000)),
            ("2024-03-09", Some(1_709_942_400_000)),
            ("2024-03", Some(1_709_251_200_000)),
            ("2024", Some(1_704_067_200_000)),
            ("2024-02-29", Some(1_709_164_800_000)),
            ("2023-02-29", None),
            ("2024-12-31T23:59:59Z", Some(1_735_689_599_000)),
            ("now", Some(now_ms)),
            ("now-1h", Some(now_ms - 3_600_000)),
            ("-5m", Some(now_ms - 300_000)),
            ("yesterday", None),
            ("2024-13-01", None),
            ("NaN", None),
            ("ä", None),
        ] {
            assert_eq!(parse_time_ms(text, now_ms), expected, "{text}");
        }
    }
}
