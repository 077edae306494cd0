//! Prometheus text exposition, as the server's `/api/v1/import/prometheus` reads it.
//!
//! ```text
//! name{label="value",...} value [timestamp] [# anything]
//! ```
//!
//! Taken over from the server (1.79.5):
//! - Words are apart by blanks and tabs; none is needed behind `}`, and some may stand before `{` and around labels. A comma
//!   may end the labels. A carriage return before the line feed is dropped.
//! - Lines that begin with `#` are comments: types, help texts and units aren't kept. So is what follows a `#` behind the
//!   value: exemplars aren't kept either.
//! - `\\`, `\"` and `\n` are the escapes in label values; other backslashes stand for themselves. Names and label names are
//!   taken as they are, whatever their characters.
//! - Labels without name or value are left out. A label `__name__` replaces the name. A line without a name before `{` is
//!   refused.
//! - Numbers are `12`, `-1.5`, `1e5`, and `NaN`, `Inf`, `Infinity` in any case with any sign; `+5`, `.5`, `5.`, `0x10` and
//!   `1_000` are refused.
//! - Timestamps from -2^31 up to 2^31 are seconds, others milliseconds; what is less than a millisecond is cut off. A
//!   timestamp of 0 is none.
//!
//! Taken over from later servers (1.117 and up) and from Prometheus 3: names may stand in quotes, with the escapes of values, that of a
//! metric as first thing inside of the braces or behind a comma: `{"cpu.load","host.name"="a"} 1`. OpenMetrics is read by the same rules.
//!
//! Otherwise than on the server, a name ends at the first blank: `a 1 # {trace="x"} 2` is the sample `a 1`, and not one of a
//! metric called `a 1 #`. And label names hold no closing braces, and no quotes but round the whole of them.

use super::number::take_float;
use super::{Refused, Unexpected, lines, skip};
use crate::collections::equality::are_equal_bytes;
use crate::error::{Error, Result};
use crate::metric::name::NAME_LABEL;
use std::borrow::Cow;

/// Timestamps below it in magnitude are seconds.
const SECONDS_BELOW: f64 = (1_u64 << 31) as f64;

/// One sample of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The text of `name{labels}` as it stands, trimmed: equal texts are equal series, so it can be the key of a cache. Only
    /// [`parse_series`] checks the labels.
    pub series: &'a [u8],
    /// It is what the sink has expected.
    pub is_expected: bool,
    /// Milliseconds; None when the line has no timestamp or 0.
    pub timestamp: Option<i64>,
    /// The value; any NaN is the plain one, so never the stale marker.
    pub value: f64,
}

/// Takes the samples of a body.
pub trait SampleSink {
    /// Takes the next sample, in order. An error refuses its line with that reason.
    ///
    /// # Errors
    /// The sink's own.
    fn take(&mut self, sample: Sample<'_>) -> Result<()>;

    /// The text of a series that was taken before and is likely to come next, as scrapes repeat their lines in one order. A line
    /// that begins with it is not looked through for the end of its labels.
    fn expected(&self) -> Option<&[u8]> {
        None
    }
}

impl<F: FnMut(Sample<'_>) -> Result<()>> SampleSink for F {
    fn take(&mut self, sample: Sample<'_>) -> Result<()> {
        self(sample)
    }
}

/// Reads a body of whole lines, of which `first_line` is the number of the first; the last may lack its line feed. Malformed
/// lines, and those that the sink does not take, are refused. It is no generic, so that it is compiled here, for speed.
pub fn parse(body: &[u8], first_line: u64, refused: &mut Refused, sink: &mut dyn SampleSink) {
    for (number, line) in lines(body, first_line) {
        match parse_line(line, sink.expected()) {
            Ok(None) => {}
            Ok(Some(sample)) => {
                if let Err(error) = sink.take(sample) {
                    refused.add(number, || error.message().to_owned());
                }
            }
            Err(unexpected) => refused.add(number, || unexpected.to_string()),
        }
    }
}

/// The length of the expected series at the front of a line, if it is there and ends there.
#[inline]
fn expected_len(line: &[u8], expected: Option<&[u8]>) -> Option<usize> {
    let expected = expected?;
    let (front, behind) = line.split_at_checked(expected.len())?;
    if !are_equal_bytes(front, expected) || !behind.first().is_some_and(|byte| is_blank(*byte)) {
        return None;
    }
    // Labels may follow a name at a distance.
    (skip_blanks(behind).first() != Some(&b'{')).then_some(front.len())
}

#[inline]
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[inline]
fn skip_blanks(text: &[u8]) -> &[u8] {
    skip(text, is_blank)
}

/// Whether nothing that counts is left of a line.
#[inline]
fn is_over(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b'#'))
}

/// The sample of a line, or none when it is empty or a comment.
#[inline]
fn parse_line<'a>(line: &'a [u8], expected: Option<&[u8]>) -> std::result::Result<Option<Sample<'a>>, Unexpected<'a>> {
    let line = skip_blanks(line.strip_suffix(b"\r").unwrap_or(line));
    if is_over(line) {
        return Ok(None);
    }
    let unexpected = |expected, found| Err(Unexpected { expected, found });
    let expected_len = expected_len(line, expected);
    let series_len = match expected_len {
        Some(len) => len,
        None => {
            let name_len = name_len(line);
            let rest = skip_blanks(&line[name_len..]);
            if rest.first() == Some(&b'{') {
                let Some(len) = labels_len(rest) else { return unexpected("labels that end with a brace", rest) };
                line.len() - rest.len() + len
            } else {
                name_len
            }
        }
    };
    let rest = skip_blanks(&line[series_len..]);
    let Some((value, rest)) = take_word(rest) else { return unexpected("a value", rest) };
    let timestamp = if is_over(rest) {
        None
    } else {
        let Some((timestamp, behind)) = take_word(rest) else { return unexpected("a timestamp", rest) };
        if !is_over(behind) {
            return unexpected("nothing behind the timestamp", behind);
        }
        let Some(milliseconds) = to_milliseconds(timestamp) else {
            return unexpected("a timestamp in seconds or milliseconds", rest);
        };
        (milliseconds != 0).then_some(milliseconds)
    };
    Ok(Some(Sample { series: &line[..series_len], is_expected: expected_len.is_some(), timestamp, value }))
}

/// Bytes before the first blank or brace.
#[inline]
fn name_len(line: &[u8]) -> usize {
    memchr::memchr3(b' ', b'\t', b'{', line).unwrap_or(line.len())
}

/// Bytes of the labels with both braces; braces inside quotes don't count. None when they have no end.
#[inline]
fn labels_len(labels: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'}', labels.get(at..)?)?;
        if labels[at] == b'}' {
            return Some(at + 1);
        }
        at += 1;
        loop {
            at += memchr::memchr2(b'"', b'\\', labels.get(at..)?)?;
            if labels[at] == b'"' {
                break;
            }
            // What is escaped can't end the quotes.
            at += 2;
        }
        at += 1;
    }
}

/// Reads a number that ends with the line, a blank or a comment; returns what follows the blanks behind it.
#[inline]
fn take_word(text: &[u8]) -> Option<(f64, &[u8])> {
    let (value, len) = take_float(text)?;
    let rest = &text[len..];
    match rest.first() {
        Some(&byte) if !is_blank(byte) && byte != b'#' => None,
        _ => Some((value, skip_blanks(rest))),
    }
}

#[inline]
fn to_milliseconds(timestamp: f64) -> Option<i64> {
    let is_seconds = (-SECONDS_BELOW..SECONDS_BELOW).contains(&timestamp);
    let milliseconds = if is_seconds { timestamp * 1000.0 } else { timestamp };
    (milliseconds.abs() < i64::MAX as f64).then_some(milliseconds as i64)
}

/// The labels of a series text, `__name__` first, escapes resolved. A key may occur more than once: the last one counts.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::error::ErrorKind::Invalid) says where the text isn't `name{label="value",...}`.
pub fn parse_series(series: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    read_series(series).map_err(|unexpected| Error::invalid(unexpected.to_string()))
}

type Labels = Vec<(Vec<u8>, Vec<u8>)>;

fn read_series(series: &[u8]) -> std::result::Result<Labels, Unexpected<'_>> {
    let unexpected = |expected, found| Err(Unexpected { expected, found });
    let (name, rest) = series.split_at(name_len(series));
    let mut labels = vec![(NAME_LABEL.to_vec(), name.to_vec())];
    let rest = skip_blanks(rest);
    if rest.is_empty() {
        return if name.is_empty() { unexpected("the name of a metric", series) } else { Ok(labels) };
    }
    let Some(mut rest) = rest.strip_prefix(b"{") else { return unexpected("labels", rest) };
    loop {
        rest = skip_blanks(rest);
        if let Some(behind) = rest.strip_prefix(b"}") {
            let behind = skip_blanks(behind);
            return match () {
                () if labels[0].1.is_empty() => unexpected("the name of a metric", series),
                () if behind.is_empty() => Ok(labels),
                () => unexpected("nothing behind the labels", behind),
            };
        }
        let (key, quoted) = match rest.strip_prefix(b"\"") {
            Some(inner) => {
                let Some((key, behind)) = take_quoted(inner) else {
                    return unexpected("quotes that close the name of a label", rest);
                };
                let behind = skip_blanks(behind);
                match behind.first() {
                    Some(b'=') => (Cow::Owned(key), &behind[1..]),
                    // Alone in quotes it is the name of the metric.
                    Some(b',' | b'}') if labels[0].1.is_empty() && !key.is_empty() => {
                        labels[0].1 = key;
                        rest = behind.strip_prefix(b",").unwrap_or(behind);
                        continue;
                    }
                    Some(b',' | b'}') => return unexpected("one name of a metric", rest),
                    _ => return unexpected("a label such as \"a\"=\"b\"", rest),
                }
            }
            None => {
                let Some(key_len) = memchr::memchr(b'=', rest) else {
                    return unexpected("a label such as a=\"b\"", rest);
                };
                (Cow::Borrowed(rest[..key_len].trim_ascii_end()), &rest[key_len + 1..])
            }
        };
        let quoted = skip_blanks(quoted);
        let Some(value) = quoted.strip_prefix(b"\"") else { return unexpected("a label value in quotes", quoted) };
        let Some((value, behind)) = take_quoted(value) else {
            return unexpected("quotes that close a label value", quoted);
        };
        if !key.is_empty() && !value.is_empty() {
            labels.push((key.into_owned(), value));
        }
        let behind = skip_blanks(behind);
        rest = match behind.first() {
            Some(b',') => &behind[1..],
            Some(b'}') => behind,
            _ => return unexpected("a comma or a brace behind a label", behind),
        };
    }
}

/// Reads up to closing quotes: the text with its escapes resolved, and what follows the quotes.
fn take_quoted(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    loop {
        let at = memchr::memchr2(b'"', b'\\', text)?;
        value.extend_from_slice(&text[..at]);
        if text[at] == b'"' {
            return Some((value, &text[at + 1..]));
        }
        match text.get(at + 1)? {
            b'n' => value.push(b'\n'),
            &escaped @ (b'"' | b'\\') => value.push(escaped),
            &other => value.extend_from_slice(&[b'\\', other]),
        }
        text = &text[at + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parsed = (Vec<(String, Option<i64>, f64)>, Refused);

    /// Samples with their labels as `{a="b"}`.
    fn parsed(body: &[u8]) -> Parsed {
        let (mut samples, mut refused) = (Vec::new(), Refused::default());
        parse(body, 1, &mut refused, &mut |sample: Sample<'_>| {
            let labels = parse_series(sample.series)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect();
            samples.push((labels.join("|"), sample.timestamp, sample.value));
            Ok(())
        });
        (samples, refused)
    }

    fn one(line: &str) -> Option<(String, Option<i64>, f64)> {
        let (mut samples, refused) = parsed(line.as_bytes());
        assert_eq!(samples.len() + refused.count as usize, 1, "{line:?}: {samples:?} {refused:?}");
        samples.pop()
    }

    #[test]
    fn blanks_may_stand_nearly_anywhere() {
        for line in [
            "m 1 1710000001000",
            "m\t1\t1710000001000",
            " \t m  \t 1 \t 1710000001000 \t ",
            "m 1 1710000001000\r",
            "m 1 1710000001000 \r\n",
            "m{} 1 1710000001000",
            "m {} 1 1710000001000",
            "m{}1 1710000001000",
            "m 1 1710000001000 # {a=\"b\"} 5",
            "m 1 1710000001000#",
            "m 1 1710000001.0005",
            "m 1 1.710000001e12",
        ] {
            assert_eq!(one(line), Some(("__name__=m".into(), Some(1_710_000_001_000), 1.0)), "{line:?}");
        }
        for line in ["m{a=\"b\",c=\"d\"}1", "m {\ta\t=\t\"b\"\t,\tc = \"d\" , } 1", "m\t{c=\"x\",a=\"b\",c=\"d\",}\t1"]
        {
            let (labels, timestamp, value) = one(line).unwrap();
            assert!(labels.starts_with("__name__=m|") && labels.ends_with("c=d"), "{line:?}: {labels}");
            assert_eq!((timestamp, value), (None, 1.0), "{line:?}");
        }
    }

    #[test]
    fn label_values_may_hold_what_ends_labels_elsewhere() {
        for (quoted, value) in [
            ("x#y", "x#y"),
            ("x}y", "x}y"),
            ("x{y", "x{y"),
            ("x,y=z", "x,y=z"),
            (r#"x\"y"#, "x\"y"),
            (r"x\\", r"x\"),
            (r#"x\\\""#, r#"x\""#),
            (r"x\ny", "x\ny"),
            (r"x\ty\q\u0041", r"x\ty\q\u0041"),
            ("Zürich 東京 🚀", "Zürich 東京 🚀"),
            ("x\0y", "x\0y"),
        ] {
            let labels = one(&format!("m{{a=\"{quoted}\"}} 1")).unwrap().0;
            assert_eq!(labels, format!("__name__=m|a={value}"));
        }
    }

    #[test]
    fn names_are_taken_as_they_are() {
        for name in ["é", "m-a.b:c/d", "m\"x\"", "m,b", "m}", "m#x", "1", "m\\n", "true"] {
            assert_eq!(one(&format!("{name} 2")), Some((format!("__name__={name}"), None, 2.0)));
        }
        assert_eq!(one("m{a b=\"c\"} 1").unwrap().0, "__name__=m|a b=c");
        assert_eq!(one("m{__name__=\"x\"} 1").unwrap().0, "__name__=m|__name__=x");
    }

    #[test]
    fn names_in_quotes() {
        for (line, labels) in [
            (r#"{"cpu.load"} 1"#, "__name__=cpu.load"),
            (r#"{ "cpu.load" , } 1"#, "__name__=cpu.load"),
            (r#"{"a b{c} \"d\" \\ \n",x="y"} 1"#, "__name__=a b{c} \"d\" \\ \n|x=y"),
            (r#"{"cpu.load","host.name"="a",b="c"} 1"#, "__name__=cpu.load|host.name=a|b=c"),
            (r#"{b="c", "cpu.load"} 1"#, "__name__=cpu.load|b=c"),
            (r#"cpu{"host.name" = "a", c="d"} 1"#, "__name__=cpu|host.name=a|c=d"),
            (r#"cpu{"empty"="",c="d"}1"#, "__name__=cpu|c=d"),
        ] {
            assert_eq!(one(line), Some((labels.into(), None, 1.0)), "{line}");
        }
        for (series, reason) in [
            (r#"{"a","b"}"#, "expected one name of a metric, found \"\\\"b\\\"}\""),
            (r#"a{"b"}"#, "expected one name of a metric, found \"\\\"b\\\"}\""),
            (r#"{"a" "b"="c"}"#, "expected a label such as \"a\"=\"b\", found \"\\\"a\\\" \\\"b\\\"=\\\"c\\\"}\""),
            (r#"{""}"#, "expected one name of a metric, found \"\\\"\\\"}\""),
            (r#"{"a"="b"}"#, "expected the name of a metric, found \"{\\\"a\\\"=\\\"b\\\"}\""),
            ("{}", "expected the name of a metric, found \"{}\""),
        ] {
            assert_eq!(parse_series(series.as_bytes()).unwrap_err().message(), reason, "{series}");
        }
    }

    #[test]
    fn a_body_of_open_metrics() {
        let body = "# TYPE a counter\n# UNIT a seconds\na_total{b=\"c\"} 3 1710000001.5 # {trace_id=\"x\"} 1 1710000000\na_created{b=\"c\"} 1.5e9\n# EOF\n";
        let (samples, refused) = parsed(body.as_bytes());
        assert_eq!(refused, Refused::default());
        let total = ("__name__=a_total|b=c".to_owned(), Some(1_710_000_001_500), 3.0);
        assert_eq!(samples, [total, ("__name__=a_created|b=c".into(), None, 1.5e9)]);
    }

    #[test]
    fn labels_without_name_or_value_are_left_out() {
        for labels in ["", "a=\"\"", "a=\"\",b=\"\",", "=\"x\"", " =\"x\"", "__name__=\"\""] {
            assert_eq!(one(&format!("m{{{labels}}} 1")).unwrap().0, "__name__=m", "{labels}");
        }
    }

    #[test]
    fn malformed_lines_are_refused_and_name_what_they_hold() {
        for (line, reason) in [
            ("m", "expected a value, found the end of the line"),
            ("m # 1", "expected a value, found \"# 1\""),
            ("m x", "expected a value, found \"x\""),
            ("bad line without value", "expected a value, found \"line without value\""),
            ("m 1_000", "expected a value, found \"1_000\""),
            ("m 0x10", "expected a value, found \"0x10\""),
            ("m 1\rb 2", "expected a value, found \"1\\rb 2\""),
            ("m{a=\"x\"}1\u{a0}", "expected a value, found \"1\\u{a0}\""),
            ("m 1 x", "expected a timestamp, found \"x\""),
            ("m 1 2 3", "expected nothing behind the timestamp, found \"3\""),
            ("m 1 NaN", "expected a timestamp in seconds or milliseconds, found \"NaN\""),
            ("m 1 1e300", "expected a timestamp in seconds or milliseconds, found \"1e300\""),
            ("{a=\"b\"} 1", "expected the name of a metric, found \"{a=\\\"b\\\"}\""),
            ("m{a=\"b} 1", "expected labels that end with a brace, found \"{a=\\\"b} 1\""),
            ("m{a=\"b\\", "expected labels that end with a brace, found \"{a=\\\"b\\\\\""),
            ("m{a=b} 1", "expected a label value in quotes, found \"b}\""),
            ("m{a='b'} 1", "expected a label value in quotes, found \"'b'}\""),
            ("m{a} 1", "expected a label such as a=\"b\", found \"a}\""),
            ("m{,} 1", "expected a label such as a=\"b\", found \",}\""),
            ("m{a=\"b\" c=\"d\"} 1", "expected a comma or a brace behind a label, found \"c=\\\"d\\\"}\""),
        ] {
            let (samples, refused) = parsed(format!("ok 1\n{line}\n\nok 2\n").as_bytes());
            assert_eq!(samples.len(), 2, "{line:?}");
            assert_eq!(refused, Refused { count: 1, reasons: vec![(2, reason.into())] }, "{line:?}");
        }
        for line in ["m{a=\"b\",,} 1", "m{a=\"b\";c=\"d\"} 1", "m{a=\"b\" 1", "m{ 1", "m{a=} 1", "m 1 -", "m 1 \u{b}"] {
            assert_eq!(one(line), None, "{line:?}");
        }
    }

    #[test]
    fn timestamps_are_seconds_or_milliseconds() {
        for (text, timestamp) in [
            ("0", None),
            ("-0", None),
            ("0.0001", None),
            ("0.5", Some(500)),
            ("1", Some(1000)),
            ("-1", Some(-1000)),
            ("1710000001.9999", Some(1_710_000_001_999)),
            ("2147483647", Some(2_147_483_647_000)),
            ("2147483648", Some(2_147_483_648)),
            ("-2147483648", Some(-2_147_483_648_000)),
            ("-2147483649", Some(-2_147_483_649)),
            ("1710000001000.7", Some(1_710_000_001_000)),
        ] {
            assert_eq!(one(&format!("m 1 {text}")).unwrap().1, timestamp, "{text}");
        }
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        let body = "# TYPE m counter\n # m 1\n#\n\n \t \r\n\r\n# EOF";
        assert_eq!(parsed(body.as_bytes()), (vec![], Refused::default()));
    }

    #[test]
    fn exemplars_do_not_become_labels() {
        assert_eq!(one("m 1 # {trace=\"x\"} 0.5 2"), Some(("__name__=m".into(), None, 1.0)));
        assert_eq!(one("m{a=\"b\"} 1 # {trace=\"x\"} 0.5"), Some(("__name__=m|a=b".into(), None, 1.0)));
    }

    #[test]
    fn an_error_of_the_receiver_refuses_only_its_line() {
        let mut refused = Refused::default();
        let mut taken = 0;
        parse(b"a 1\nb 2\nc 3", 10, &mut refused, &mut |sample: Sample<'_>| match sample.series {
            b"b" => Err(Error::invalid("no b")),
            _ => {
                taken += 1;
                Ok(())
            }
        });
        assert_eq!((taken, refused), (2, Refused { count: 1, reasons: vec![(11, "no b".into())] }));
    }

    /// Takes samples and expects each time the text that it is told.
    struct Expecting(&'static [u8], Vec<(Vec<u8>, f64)>);

    impl SampleSink for Expecting {
        fn take(&mut self, sample: Sample<'_>) -> Result<()> {
            self.1.push((sample.series.to_vec(), sample.value));
            Ok(())
        }
        fn expected(&self) -> Option<&[u8]> {
            Some(self.0)
        }
    }

    #[test]
    fn what_is_expected_changes_no_answer() {
        let body = b"m 1\nm{a=\"b\"} 2\nm {a=\"b\"} 3\nmm 4\nm{a=\"b\"}5\nm{a=\"b\"}\n  m 6 7\nm\n";
        let plain = {
            let mut sink = Expecting(b"no such series", Vec::new());
            let mut refused = Refused::default();
            parse(body, 1, &mut refused, &mut sink);
            (sink.1, refused)
        };
        for expected in [&b"m"[..], b"m{a=\"b\"}", b"", b"mm", b"m {a=\"b\"}"] {
            let mut sink = Expecting(expected, Vec::new());
            let mut refused = Refused::default();
            parse(body, 1, &mut refused, &mut sink);
            assert_eq!((sink.1, refused), plain, "{:?}", str::from_utf8(expected));
        }
    }
}
