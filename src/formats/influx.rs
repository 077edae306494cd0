//! The line protocol of InfluxDB, as the server's `/write` reads it.
//!
//! ```text
//! measurement,tag=value field=1,other=2i 1710000000000000000
//! ```
//!
//! Taken over from the server (1.79.5):
//! - Every field is a series of its own: `measurement_field` with the tags as labels. Without a measurement it is `field`.
//! - `\ `, `\,`, `\=` and `\\` are the escapes in names and tags; other backslashes stand for themselves. Tags without name or value are
//!   left out; a tag without `=` refuses its line.
//! - Field values are numbers, `1i`, `1u`, `t`, `true`, `f` and `false` in some cases, and texts in quotes: one that isn't a number
//!   counts as 0, and so does anything else that isn't one.
//! - The database of the request becomes the label `db`, unless a tag is called so.
//! - Without a precision, a timestamp's size says whether it is in seconds, milliseconds, microseconds or nanoseconds. 0 is none.
//! - A malformed line is refused, and its neighbours are taken.
//!
//! A line whose tags would be repeated for too many fields is refused, too.

use super::number::{take_float, take_integer};
use super::rows::{Labels, RowSink, begin_key, check_line, put_counted, series_of};
use super::{Refused, Unexpected, lines};
use crate::error::Error;
use crate::metric::name::NAME_LABEL;

/// The label that holds the database of a request.
const DATABASE_LABEL: &[u8] = b"db";

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Told from the timestamp's size.
    #[default]
    Detected,
    /// As many of its units make a millisecond.
    PerMillisecond(i64),
    /// As many milliseconds make one of its units.
    Milliseconds(i64),
}

impl Precision {
    /// The precision of a request's argument `precision`; what the server doesn't know is detected.
    pub fn of_argument(argument: &str) -> Self {
        match argument {
            "ns" | "n" => Self::PerMillisecond(1_000_000),
            "u" | "us" | "µ" | "µs" => Self::PerMillisecond(1000),
            "ms" => Self::PerMillisecond(1),
            "s" => Self::Milliseconds(1000),
            "m" => Self::Milliseconds(60_000),
            "h" => Self::Milliseconds(3_600_000),
            _ => Self::Detected,
        }
    }

    /// Milliseconds of a timestamp; of `now` when it is 0.
    fn milliseconds(self, timestamp: i64, now: i64) -> i64 {
        match self {
            Self::Milliseconds(unit) if timestamp == 0 => now - now.rem_euclid(unit),
            _ if timestamp == 0 => now,
            Self::PerMillisecond(units) => timestamp / units,
            Self::Milliseconds(unit) => timestamp.saturating_mul(unit),
            Self::Detected => match timestamp {
                100_000_000_000_000_000.. => timestamp / 1_000_000,
                100_000_000_000_000.. => timestamp / 1000,
                100_000_000_000.. => timestamp,
                _ => timestamp.saturating_mul(1000),
            },
        }
    }
}

/// What a request says of all its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What timestamps count.
    pub precision: Precision,
    /// The argument `db`; empty when there is none.
    pub database: String,
}

/// Reads a body of whole lines, of which `first_line` is the number of the first; the last may lack its line feed. `now` is for lines
/// without a timestamp.
pub fn parse(body: &[u8], first_line: u64, options: &Options, now: i64, refused: &mut Refused, sink: &mut dyn RowSink) {
    let mut reader = Reader { options, key: Vec::new(), labels: Labels::default(), fields: Vec::new() };
    for (number, line) in lines(body, first_line) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        if let Err(error) = reader.read(line, now, sink) {
            refused.add(number, || error.message().to_owned());
        }
    }
}

struct Reader<'a> {
    options: &'a Options,
    key: Vec<u8>,
    labels: Labels,
    /// Where the names of a line's fields lie in it, and their values.
    fields: Vec<(std::ops::Range<usize>, f64)>,
}

fn unexpected<T>(expected: &'static str, found: &[u8]) -> Result<T, Error> {
    Err(Error::invalid(Unexpected { expected, found }.to_string()))
}

impl Reader<'_> {
    fn read(&mut self, line: &[u8], now: i64, sink: &mut dyn RowSink) -> Result<(), Error> {
        let Some(front) = find_unescaped(line, b' ') else {
            return unexpected("a blank and fields", &line[line.len()..]);
        };
        let fields = skip_blanks(&line[front + 1..]);
        let behind = self.read_fields(line, fields)?;
        let timestamp = match behind {
            b"" => 0,
            text => match take_integer(text) {
                Some((timestamp, len)) if len == text.len() => timestamp,
                _ => return unexpected("a whole number as timestamp", text),
            },
        };
        let timestamp = self.options.precision.milliseconds(timestamp, now);
        let front = &line[..front];
        check_line(front.len() + self.options.database.len(), self.fields.len())?;
        for (name, value) in &self.fields {
            let name = &line[name.clone()];
            begin_key(&mut self.key, b'I');
            put_counted(&mut self.key, self.options.database.as_bytes());
            put_counted(&mut self.key, front);
            self.key.extend_from_slice(name);
            let fill = |labels: &mut Labels| fill_labels(labels, front, name, &self.options.database);
            let series = series_of(sink, &self.key, &mut self.labels, fill)?;
            sink.sample(series, timestamp, *value);
        }
        Ok(())
    }

    /// Reads all fields before any sample is taken, so that a line is taken whole or not at all; returns what follows them.
    fn read_fields<'t>(&mut self, line: &[u8], mut text: &'t [u8]) -> Result<&'t [u8], Error> {
        self.fields.clear();
        loop {
            let at = line.len() - text.len();
            let Some(name_len) = find_unescaped(text, b'=') else { return unexpected("a field such as a=1", text) };
            if name_len == 0 {
                return unexpected("the name of a field", text);
            }
            let value = &text[name_len + 1..];
            let len = value_len(value);
            self.fields.push((at..at + name_len, field_value(&value[..len])?));
            match value.get(len) {
                Some(b',') => text = &value[len + 1..],
                Some(_) => return Ok(skip_blanks(&value[len + 1..])),
                None => return Ok(b""),
            }
        }
    }
}

/// The labels of one field's series.
fn fill_labels(labels: &mut Labels, front: &[u8], field: &[u8], database: &str) -> Result<(), Error> {
    let measurement_len = find_unescaped(front, b',').unwrap_or(front.len());
    let mut tags = front.get(measurement_len + 1..);
    let mut has_database = false;
    while let Some(text) = tags {
        let len = find_unescaped(text, b',').unwrap_or(text.len());
        let tag = &text[..len];
        tags = text.get(len + 1..);
        let Some(name_len) = find_unescaped(tag, b'=') else { return unexpected("a tag such as a=b", tag) };
        let value = &tag[name_len + 1..];
        if name_len > 0 && !value.is_empty() {
            has_database |= &tag[..name_len] == DATABASE_LABEL;
            labels.push_with(|out| unescape(&tag[..name_len], out), |out| unescape(value, out));
        }
    }
    if !has_database && !database.is_empty() {
        labels.push(DATABASE_LABEL, database.as_bytes());
    }
    labels.push_with(
        |out| out.extend_from_slice(NAME_LABEL),
        |out| {
            unescape(&front[..measurement_len], out);
            if measurement_len > 0 {
                out.push(b'_');
            }
            unescape(field, out);
        },
    );
    Ok(())
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    super::skip(text, |byte| byte == b' ')
}

/// Where `byte` stands without a backslash before it that counts.
#[inline]
fn find_unescaped(text: &[u8], byte: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(byte, &text[from..])?;
        let slashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if slashes % 2 == 0 {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The length of a field's value: up to a comma or a blank that stands neither in quotes nor behind a backslash.
#[inline]
fn value_len(text: &[u8]) -> usize {
    let mut at = 0;
    let mut is_quoted = false;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => is_quoted = !is_quoted,
            b',' | b' ' if !is_quoted => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

fn field_value(text: &[u8]) -> Result<f64, Error> {
    let whole = |text: &[u8]| take_float(text).filter(|(_, len)| *len == text.len()).map_or(0.0, |(value, _)| value);
    Ok(match text {
        b"" => return unexpected("the value of a field", text),
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => 1.0,
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => 0.0,
        [b'"', inner @ .., b'"'] => whole(inner),
        [b'"', ..] => return unexpected("quotes that close the value of a field", text),
        [digits @ .., b'i'] => match take_integer(digits) {
            Some((value, len)) if len == digits.len() => value as f64,
            _ => return unexpected("an integer of 64 bits before the i", text),
        },
        [digits @ .., b'u'] => match str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok()) {
            Some(value) if digits.first() != Some(&b'+') => value as f64,
            _ => return unexpected("an unsigned integer of 64 bits before the u", text),
        },
        number => whole(number),
    })
}

/// Appends a text with its escapes resolved.
fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        match text.get(at + 1) {
            Some(escaped @ (b' ' | b',' | b'=' | b'\\')) => out.push(*escaped),
            Some(other) => out.extend_from_slice(&[b'\\', *other]),
            None => out.push(b'\\'),
        }
        text = text.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::{Counted, Kept};
    use super::*;

    fn parsed(body: &str, options: &Options) -> (Vec<String>, Refused) {
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        parse(body.as_bytes(), 1, options, 1_710_000_009_123, &mut refused, &mut kept);
        (kept.lines(), refused)
    }

    fn one(line: &str) -> String {
        let (lines, refused) = parsed(line, &Options::default());
        assert_eq!((lines.len(), refused.count), (1, 0), "{line:?}: {lines:?} {refused:?}");
        lines[0].clone()
    }

    #[test]
    fn fields_become_series() {
        let (lines, refused) = parsed(
            "cpu,host=a user=1,sys=2i 1710000000000\n\n# c\r\ncpu,host=a user=3 1710000001000\r\n",
            &Options::default(),
        );
        assert_eq!(refused, Refused::default());
        assert_eq!(
            lines,
            ["__name__=cpu_sys|host=a 2@1710000000000", "__name__=cpu_user|host=a 1@1710000000000 3@1710000001000"]
        );
        assert_eq!(one(",host=a f=1 1710000000000"), "__name__=f|host=a 1@1710000000000");
        assert_eq!(one("m f=1"), "__name__=m_f 1@1710000009123");
        assert_eq!(
            one(r#"m f="a , = \" b",g=1 1710000000000"#.replace(",g=1", "").as_str()),
            "__name__=m_f 0@1710000000000"
        );
        assert_eq!(one(r#"m f="1.5"   1710000000000"#), "__name__=m_f 1.5@1710000000000");
    }

    #[test]
    fn escapes_and_empty_tags() {
        assert_eq!(
            one(r"a\ b\,c,d\=e=f\ g\\,empty=,x=y\z v\ w=1 1710000000000"),
            r"__name__=a b,c_v w|d=e=f g\|x=y\z 1@1710000000000"
        );
    }

    #[test]
    fn the_database_is_a_label_unless_a_tag_is_called_so() {
        let options = Options { database: "tsbs".into(), ..Options::default() };
        assert_eq!(parsed("m f=1 1710000000000", &options).0, ["__name__=m_f|db=tsbs 1@1710000000000"]);
        assert_eq!(parsed("m,db=x f=1 1710000000000", &options).0, ["__name__=m_f|db=x 1@1710000000000"]);
    }

    #[test]
    fn precisions() {
        for (precision, timestamp, milliseconds) in [
            ("", "1710000000", 1_710_000_000_000),
            ("", "1710000000001", 1_710_000_000_001),
            ("", "1710000000001002", 1_710_000_000_001),
            ("", "1710000000001002003", 1_710_000_000_001),
            ("", "0", 1_710_000_009_123),
            ("ns", "1710000000001999999", 1_710_000_000_001),
            ("us", "1710000000001999", 1_710_000_000_001),
            ("ms", "5", 5),
            ("s", "5", 5000),
            ("s", "0", 1_710_000_009_000),
            ("m", "2", 120_000),
            ("h", "1", 3_600_000),
            ("h", "9223372036854775807", i64::MAX),
        ] {
            let options = Options { precision: Precision::of_argument(precision), ..Options::default() };
            let expected = format!("__name__=m_f 1@{milliseconds}");
            assert_eq!(parsed(&format!("m f=1 {timestamp}"), &options).0, [expected], "{precision} {timestamp}");
        }
    }

    #[test]
    fn tags_are_not_repeated_for_any_number_of_fields() {
        let tags = "a".repeat(64 << 10);
        for (fields, is_taken) in [(1023, true), (1024, false)] {
            let fields: Vec<String> = (0..fields).map(|field| format!("f{field}=1")).collect();
            let body = format!("ok f=1 5\nm,t={tags} {} 5\nok f=2 6", fields.join(","));
            let (mut kept, mut refused) = (Counted(0), Refused::default());
            parse(body.as_bytes(), 1, &Options::default(), 0, &mut refused, &mut kept);
            if is_taken {
                assert_eq!((kept.0, refused.count), (1025, 0));
                continue;
            }
            let reason = "65540 bytes of labels for 1024 values of a line are more than 64 MiB together";
            assert_eq!((kept.0, refused.reasons), (2, vec![(2, reason.to_owned())]));
        }
    }

    #[test]
    fn malformed_lines_are_refused_whole() {
        for (line, reason) in [
            ("m", "expected a blank and fields, found the end of the line"),
            ("m ", "expected a field such as a=1, found the end of the line"),
            ("m f", "expected a field such as a=1, found \"f\""),
            ("m =1", "expected the name of a field, found \"=1\""),
            ("m f= 1", "expected the value of a field, found the end of the line"),
            ("m a=1,f=1.5i 1", "expected an integer of 64 bits before the i, found \"1.5i\""),
            ("m f=-1u 1", "expected an unsigned integer of 64 bits before the u, found \"-1u\""),
            ("m f=\"x 1", "expected quotes that close the value of a field, found \"\\\"x 1\""),
            ("m f=1 x", "expected a whole number as timestamp, found \"x\""),
            ("m f=1 1.5", "expected a whole number as timestamp, found \"1.5\""),
            ("m,t f=1 1", "expected a tag such as a=b, found \"t\""),
        ] {
            let (lines, refused) = parsed(&format!("ok f=1 5\n{line}\nok f=2 6"), &Options::default());
            assert_eq!(lines, ["__name__=ok_f 1@5000 2@6000"], "{line}");
            assert_eq!(refused, Refused { count: 1, reasons: vec![(2, reason.into())] }, "{line}");
        }
    }
}
