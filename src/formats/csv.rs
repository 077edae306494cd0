//! Comma-separated values, as the server's `/api/v1/import/csv` reads them and its `/api/v1/export/csv` prints them.
//!
//! What the columns are is said by a format such as `1:label:symbol,2:time:custom:Jan 2 2006,4:metric:price`: positions from 1 on, and of
//! each column whether it is a time, a label or a metric's value. Times are `unix_s`, `unix_ms`, `unix_ns`, `rfc3339` or `custom:` with a
//! layout ([`TimeLayout`](super::time_layout::TimeLayout)).
//!
//! Taken over from the server (1.79.5): columns may stand in quotes, in which two quotes are one; other columns than those of the format are
//! skipped; a line that has fewer is refused, and so is one with a value that is no number. Empty lines say nothing. As on later
//! servers, the empty value of a metric is none.

use super::number::{put_float, put_integer, take_float, take_integer};
use super::rows::{Labels, RowSink, begin_key, check_line, put_counted};
use super::time_layout::{RFC3339, TimeLayout};
use super::{Refused, Unexpected, lines};
use crate::error::{Error, Result};
use crate::metric::name::{MetricName, NAME_LABEL};
use std::borrow::Cow;

/// The largest position of a column.
const MAX_COLUMNS: usize = 65_536;

/// How a column tells the time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Time {
    Seconds,
    Milliseconds,
    Nanoseconds,
    Layout(TimeLayout),
}

impl Time {
    fn of_format(format: &str) -> Result<Self> {
        Ok(match format {
            "unix_s" => Self::Seconds,
            "unix_ms" => Self::Milliseconds,
            "unix_ns" => Self::Nanoseconds,
            "rfc3339" => Self::Layout(TimeLayout::new(RFC3339)),
            other => match other.strip_prefix("custom:") {
                Some(layout) => Self::Layout(TimeLayout::new(layout)),
                None => {
                    let known = "unix_s, unix_ms, unix_ns, rfc3339 or custom:<layout>";
                    return Err(Error::invalid(format!("the times of a column are {known}, found {other:?}")));
                }
            },
        })
    }

    fn milliseconds(&self, text: &[u8]) -> Option<i64> {
        let integer = || take_integer(text).filter(|(_, len)| *len == text.len()).map(|(number, _)| number);
        match self {
            Self::Seconds => integer()?.checked_mul(1000),
            Self::Milliseconds => integer(),
            Self::Nanoseconds => Some(integer()? / 1_000_000),
            Self::Layout(layout) => layout.parse(text),
        }
    }

    fn print(&self, timestamp: i64, out: &mut Vec<u8>) {
        match self {
            Self::Seconds => put_integer(timestamp / 1000, out),
            Self::Milliseconds => put_integer(timestamp, out),
            // Beyond 64 bits, digits are the honest answer.
            Self::Nanoseconds => match timestamp.checked_mul(1_000_000) {
                Some(nanoseconds) => put_integer(nanoseconds, out),
                None => out.extend_from_slice(format!("{timestamp}000000").as_bytes()),
            },
            Self::Layout(layout) => {
                let mut text = Vec::new();
                layout.format(timestamp, &mut text);
                put_field(&text, out);
            }
        }
    }
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Skipped,
    Time(Time),
    Label(String),
    Metric(String),
}

/// The columns of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    columns: Vec<Column>,
}

impl CsvFormat {
    /// Reads a format: `<position>:<type>:<name or time format>`, apart by commas.
    ///
    /// # Errors
    /// `Invalid` says which entry can't be used and why.
    pub fn parse(text: &str) -> Result<Self> {
        let mut columns = Vec::new();
        for entry in text.split(',') {
            let wrong = |what: &str| Err(Error::invalid(format!("the entry {entry:?} of the CSV format {what}")));
            let mut parts = entry.splitn(3, ':');
            let (Some(position), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                return wrong("is not <position>:<type>:<name>, such as 1:label:host");
            };
            let position = match position.parse::<usize>() {
                Ok(position @ 1..=MAX_COLUMNS) => position - 1,
                _ => return wrong(&format!("has no position from 1 to {MAX_COLUMNS}")),
            };
            let column = match kind {
                _ if name.is_empty() => return wrong("has no name"),
                "time" => Column::Time(Time::of_format(name)?),
                "label" => Column::Label(name.to_owned()),
                "metric" => Column::Metric(name.to_owned()),
                _ => return wrong("is of no type that is known: time, label or metric"),
            };
            if matches!(column, Column::Time(_)) && columns.iter().any(|column| matches!(column, Column::Time(_))) {
                return wrong("is a second time");
            }
            if columns.len() <= position {
                columns.resize(position + 1, Column::Skipped);
            }
            if columns[position] != Column::Skipped {
                return wrong("has a position that another has");
            }
            columns[position] = column;
        }
        if !columns.iter().any(|column| matches!(column, Column::Metric(_))) {
            return Err(Error::invalid(format!("the CSV format {text:?} has no column with a metric")));
        }
        Ok(Self { columns })
    }
}

/// Reads a body of whole lines, of which `first_line` is the number of the first; the last may lack its line feed. `now` is for lines
/// without a time.
pub fn parse(
    body: &[u8],
    first_line: u64,
    format: &CsvFormat,
    now: i64,
    refused: &mut Refused,
    sink: &mut dyn RowSink,
) {
    let mut reader = Reader { format, key: Vec::new(), labels: Labels::default(), values: Vec::new() };
    for (number, line) in lines(body, first_line) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if let Err(error) = reader.read(line, now, sink) {
            refused.add(number, || error.message().to_owned());
        }
    }
}

struct Reader<'a> {
    format: &'a CsvFormat,
    key: Vec<u8>,
    labels: Labels,
    /// Names of metrics with their values.
    values: Vec<(&'a str, f64)>,
}

impl Reader<'_> {
    fn read(&mut self, line: &[u8], now: i64, sink: &mut dyn RowSink) -> Result<()> {
        let unexpected = |expected, found| Err(Error::invalid(Unexpected { expected, found }.to_string()));
        self.values.clear();
        self.labels.clear();
        begin_key(&mut self.key, b'C');
        let mut timestamp = now;
        let mut rest = Some(line);
        for (at, column) in self.format.columns.iter().enumerate() {
            let Some(text) = rest else {
                let expected = self.format.columns.len();
                return Err(Error::invalid(format!("expected {expected} columns or more, found {at}")));
            };
            let (field, behind) = take_field(text)?;
            rest = behind;
            match column {
                Column::Skipped => {}
                Column::Time(time) => match time.milliseconds(&field) {
                    Some(milliseconds) => timestamp = milliseconds,
                    None => return unexpected("a time as the format says", &field),
                },
                Column::Label(name) => {
                    put_counted(&mut self.key, name.as_bytes());
                    put_counted(&mut self.key, &field);
                    self.labels.push(name.as_bytes(), &field);
                }
                Column::Metric(_) if field.is_empty() => {}
                Column::Metric(name) => match take_float(&field) {
                    Some((value, len)) if len == field.len() => self.values.push((name, value)),
                    _ => return unexpected("a value", &field),
                },
            }
        }
        let (labels, labels_end) = (self.labels.len(), self.key.len());
        check_line(labels_end, self.values.len())?;
        for &(name, value) in &self.values {
            self.key.truncate(labels_end);
            put_counted(&mut self.key, name.as_bytes());
            let series = match sink.known(&self.key) {
                Some(series) => series,
                None => {
                    self.labels.truncate(labels);
                    self.labels.push(NAME_LABEL, name.as_bytes());
                    sink.learn(&self.key, &self.labels)?
                }
            };
            sink.sample(series, timestamp, value);
        }
        Ok(())
    }
}

/// The first column of a line, and what follows its comma.
fn take_field(text: &[u8]) -> Result<(Cow<'_, [u8]>, Option<&[u8]>)> {
    let Some(inner) = text.strip_prefix(b"\"") else {
        let len = memchr::memchr(b',', text).unwrap_or(text.len());
        return Ok((Cow::Borrowed(&text[..len]), text.get(len + 1..)));
    };
    let mut at = 0;
    let mut field = Cow::Borrowed(&inner[..0]);
    loop {
        let Some(len) = memchr::memchr(b'"', &inner[at..]) else {
            return Err(Error::invalid(Unexpected { expected: "quotes that close a column", found: text }.to_string()));
        };
        let part = &inner[at..at + len];
        at += len + 1;
        match &mut field {
            Cow::Borrowed([]) => field = Cow::Borrowed(part),
            _ => field.to_mut().extend_from_slice(part),
        }
        match inner.get(at) {
            Some(b'"') => {
                field.to_mut().push(b'"');
                at += 1;
            }
            Some(b',') => return Ok((field, inner.get(at + 1..))),
            None => return Ok((field, None)),
            Some(_) => {
                let unexpected = Unexpected { expected: "a comma behind a column in quotes", found: &inner[at..] };
                return Err(Error::invalid(unexpected.to_string()));
            }
        }
    }
}

/// What is printed of each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Printed {
    Value,
    Timestamp(Time),
    Label(String),
}

/// The columns of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumns(Vec<Printed>);

impl CsvColumns {
    /// Reads names of columns, apart by commas: `__value__`, `__timestamp__` (in milliseconds), `__timestamp__:` with a time format, and
    /// names of labels, of which `__name__` is one.
    ///
    /// # Errors
    /// `Invalid` for no column and for a time format that isn't known.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            let example = "__name__,__value__,__timestamp__:unix_s";
            return Err(Error::invalid(format!("an export as CSV needs a format, such as {example}")));
        }
        let column = |name: &str| {
            Ok(match (name, name.strip_prefix("__timestamp__:")) {
                ("__value__", _) => Printed::Value,
                ("__timestamp__", _) => Printed::Timestamp(Time::Milliseconds),
                (_, Some(format)) => Printed::Timestamp(Time::of_format(format)?),
                _ => Printed::Label(name.to_owned()),
            })
        };
        Ok(Self(text.split(',').map(column).collect::<Result<_>>()?))
    }

    /// Appends a line for each sample of a series. The columns have the same length. NaNs, the stale marker among them, are `NaN`.
    pub fn write(&self, name: &MetricName, timestamps: &[i64], values: &[f64], out: &mut Vec<u8>) {
        for (&timestamp, &value) in timestamps.iter().zip(values) {
            for (at, column) in self.0.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                match column {
                    Printed::Value if value.is_nan() => out.extend_from_slice(b"NaN"),
                    Printed::Value => put_float(value, out),
                    Printed::Timestamp(time) => time.print(timestamp, out),
                    // A column without a name is empty, and no metric's name.
                    Printed::Label(label) if label.is_empty() => {}
                    Printed::Label(label) => put_field(name.value(label.as_bytes()), out),
                }
            }
            out.push(b'\n');
        }
    }
}

/// Appends a column, in quotes when it needs them.
fn put_field(field: &[u8], out: &mut Vec<u8>) {
    if memchr::memchr3(b',', b'"', b'\n', field).is_none() {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for &byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::{Counted, Kept};
    use super::*;

    fn parsed(body: &str, format: &str) -> (Vec<String>, Refused) {
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        parse(body.as_bytes(), 1, &CsvFormat::parse(format).unwrap(), 1000, &mut refused, &mut kept);
        (kept.lines(), refused)
    }

    #[test]
    fn columns_are_what_the_format_says() {
        let (lines, refused) = parsed("a,1,x,2\r\n\nb,3,,-4.5e1,more\n", "1:label:l,2:metric:m,4:metric:n");
        assert_eq!(refused, Refused::default());
        assert_eq!(
            lines,
            ["__name__=m|l=a 1@1000", "__name__=m|l=b 3@1000", "__name__=n|l=a 2@1000", "__name__=n|l=b -45@1000"]
        );
        let (lines, _) = parsed("1,5\n2,\n,7", "1:metric:m,2:metric:n");
        assert_eq!(lines, ["__name__=m 1@1000 2@1000", "__name__=n 5@1000 7@1000"]);
        assert_eq!(parsed("1,", "1:metric:m,2:label:l").0, ["__name__=m 1@1000"]);
    }

    #[test]
    fn times() {
        for (format, text, milliseconds) in [
            ("unix_s", "-5", -5000),
            ("unix_ms", "5", 5),
            ("unix_ns", "5999999", 5),
            ("rfc3339", "1970-01-01T00:00:05.5+00:00", 5500),
            ("custom:Jan 2 2006", "Jan 2 1970", 86_400_000),
            ("custom:15:04:05 2006", "00:01:00 1970", 60_000),
        ] {
            let (lines, refused) = parsed(&format!("{text},1"), &format!("1:time:{format},2:metric:m"));
            assert_eq!(
                (lines, refused),
                (vec![format!("__name__=m 1@{milliseconds}")], Refused::default()),
                "{format}"
            );
        }
    }

    #[test]
    fn columns_in_quotes() {
        for (column, value) in
            [(r#""a,b""#, "a,b"), (r#""a""b""#, "a\"b"), (r#""""""#, "\""), (r#""a"""#, ""), (r#""""a"#, "")]
        {
            let (lines, refused) = parsed(&format!("{column},1"), "1:label:l,2:metric:m");
            match value {
                "" => assert_eq!((lines.len(), refused.count), (0, 1), "{column}"),
                value => assert_eq!(lines, [format!("__name__=m|l={value} 1@1000")]),
            }
        }
        assert_eq!(parsed("\"\",1", "1:label:l,2:metric:m").0, ["__name__=m 1@1000"]);
    }

    #[test]
    fn labels_are_not_repeated_for_any_number_of_metrics() {
        let metrics: Vec<String> = (2..=4001).map(|at| format!("{at}:metric:m{at}")).collect();
        let format = CsvFormat::parse(&format!("1:label:l,{}", metrics.join(","))).unwrap();
        let line = |label: usize| format!("{}{}\n", "v".repeat(label), ",1".repeat(4000));
        let body = [line(1), line(100_000), line(10_000)].concat();
        let (mut counted, mut refused) = (Counted(0), Refused::default());
        parse(body.as_bytes(), 1, &format, 1000, &mut refused, &mut counted);
        assert_eq!((counted.0, refused.count, refused.reasons[0].0), (8000, 1, 2));
        assert!(refused.reasons[0].1.contains("for 4000 values of a line are more than 64 MiB"), "{refused:?}");
    }

    #[test]
    fn the_names_of_columns_tell_series_apart() {
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        for format in ["1:label:a,2:metric:m", "1:label:b,2:metric:m", "1:label:a,2:metric:n", "2:metric:m"] {
            parse(b"x,1", 1, &CsvFormat::parse(format).unwrap(), 5, &mut refused, &mut kept);
        }
        let expected = ["__name__=m 1@5", "__name__=m|a=x 1@5", "__name__=m|b=x 1@5", "__name__=n|a=x 1@5"];
        assert_eq!(kept.lines(), expected);
    }

    #[test]
    fn malformed_lines_are_refused() {
        for (line, reason) in [
            ("1", "expected 2 columns or more, found 1"),
            ("x,1", "expected a time as the format says, found \"x\""),
            ("1,x", "expected a value, found \"x\""),
            ("\"1,2", "expected quotes that close a column, found \"\\\"1,2\""),
            ("\"1\"2,3", "expected a comma behind a column in quotes, found \"2,3\""),
        ] {
            let (lines, refused) = parsed(&format!("5,1\n{line}\n6,2"), "1:time:unix_s,2:metric:m");
            assert_eq!(lines, ["__name__=m 1@5000 2@6000"], "{line}");
            assert_eq!(refused, Refused { count: 1, reasons: vec![(2, reason.into())] }, "{line}");
        }
    }

    #[test]
    fn formats_that_can_not_be_used() {
        for format in [
            "",
            "1",
            "1:metric",
            "0:metric:m",
            "x:metric:m",
            "65537:metric:m",
            "1:metric:",
            "1:value:m",
            "1:label:l",
            "1:time:x,2:metric:m",
            "1:time:unix_s,2:time:unix_s,3:metric:m",
            "1:metric:m,1:metric:n",
        ] {
            assert!(CsvFormat::parse(format).is_err(), "{format:?}");
        }
    }

    #[test]
    fn an_export_says_what_it_is_asked_for() {
        let name = MetricName::from_labels([("__name__", "m"), ("l", "a,\"b\"")]);
        let columns = "__name__,l,none,__value__,__timestamp__,__timestamp__:unix_s,__timestamp__:unix_ns,__timestamp__:rfc3339,__timestamp__:custom:Jan 2, 2006";
        let columns = CsvColumns::parse(columns).unwrap();
        let mut out = Vec::new();
        columns.write(&name, &[1_709_474_709_120], &[0.5], &mut out);
        let expected =
            "m,\"a,\"\"b\"\"\",,0.5,1709474709120,1709474709,1709474709120000000,2024-03-03T14:05:09.12Z,Mar 3,\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(CsvColumns::parse("").is_err() && CsvColumns::parse("__timestamp__:x").is_err());
    }
}
