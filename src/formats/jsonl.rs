//! JSON lines as the server's `/api/v1/export` prints and its `/api/v1/import` reads them: a piece of one series a line.
//!
//! ```text
//! {"metric":{"__name__":"up","job":"node"},"values":[1,0.5],"timestamps":[1710000000000,1710000010000]}
//! ```
//!
//! Taken over from the server (1.79.5):
//! - The keys may stand in any order; of a repeated key the first counts, other keys are skipped.
//! - Values are numbers, or bare `Inf`, `+Inf`, `-Inf` and `NaN`, which aren't JSON but what its export prints. Timestamps
//!   are whole milliseconds. Both lists have the same length, and at least one element.
//! - Strings may hold control characters, and escapes that aren't JSON's stay as they stand.
//!
//! Otherwise than on that server:
//! - `null` is the stale marker, which its export prints so (and its import refuses).
//! - The strings `"Infinity"`, `"-Infinity"` and `"NaN"` are values too, as on later servers; so is a bare `Infinity`.
//! - A label is a string or `null`, which is none; the server takes other values for none as well. Lines that aren't UTF-8
//!   are refused.
//! - The export prints every NaN as `null`, where 1.79.5 prints a bare `NaN` when the first value of a line is one; and it
//!   prints U+FFFD for what isn't UTF-8 in labels.

use super::number::{put_float, put_integer, take_float, take_integer};
use super::{Refused, Unexpected, lines};
use crate::encoding::decimal::STALE_NAN;
use crate::error::Result;
use crate::metric::name::MetricName;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// What a line says: `timestamps` and `values` have the same length, which isn't 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'a> {
    /// Keys and values in the order of the line, at least one; `__name__` is one of the keys.
    pub labels: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// Milliseconds, in the order of the line.
    pub timestamps: &'a [i64],
    /// The values; a NaN is either the stale marker or the plain one.
    pub values: &'a [f64],
}

/// Reads a body of whole lines, of which `first_line` is the number of the first; the last may lack its line feed.
///
/// `on_line` is called once for every line, in order. An error that it returns refuses the line with that reason, as do
/// malformed lines. Blank lines say nothing.
pub fn parse(body: &[u8], first_line: u64, refused: &mut Refused, on_line: &mut dyn FnMut(Line<'_>) -> Result<()>) {
    let mut columns = Columns::default();
    for (number, line) in lines(body, first_line) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let taken = columns.read(line).and_then(|()| {
            let Columns { labels, timestamps, values } = &columns;
            on_line(Line { labels, timestamps, values }).map_err(|error| error.message().to_owned())
        });
        if let Err(reason) = taken {
            refused.add(number, || reason);
        }
    }
}

type Taken<'a, T> = std::result::Result<(T, &'a str), Unexpected<'a>>;

/// The columns of a line, kept from line to line for their memory.
#[derive(Default)]
struct Columns<'a> {
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl<'a> Columns<'a> {
    /// Reads a line, or says why it can't be used.
    fn read(&mut self, line: &'a [u8]) -> std::result::Result<(), String> {
        self.labels.clear();
        self.timestamps.clear();
        self.values.clear();
        let line = str::from_utf8(line).map_err(|error| format!("expected UTF-8: {error}"))?;
        self.take_line(line)
            .map_err(|unexpected| format!("column {}: {unexpected}", line.len() - unexpected.found.len() + 1))?;
        let [labels, values, timestamps] = [self.labels.len(), self.values.len(), self.timestamps.len()];
        match () {
            () if labels == 0 => Err("expected labels in \"metric\", found none".into()),
            () if values == 0 => Err("expected numbers in \"values\", found none".into()),
            () if values != timestamps => {
                Err(format!("expected as many timestamps as values, found {timestamps} and {values}"))
            }
            () => Ok(()),
        }
    }

    fn take_line(&mut self, line: &'a str) -> std::result::Result<(), Unexpected<'a>> {
        let [mut has_labels, mut has_values, mut has_timestamps] = [false; 3];
        let (mut has_more, mut rest) = open(line, '{', "an object")?;
        while has_more {
            let (key, value) = take_key(rest)?;
            let is_first = |seen: &mut bool| !std::mem::replace(seen, true);
            rest = match &*key {
                "metric" if is_first(&mut has_labels) => self.take_labels(value)?,
                "values" if is_first(&mut has_values) => take_list(value, &mut self.values, take_value)?,
                "timestamps" if is_first(&mut has_timestamps) => {
                    take_list(value, &mut self.timestamps, take_timestamp)?
                }
                _ => skip_value(value)?,
            };
            (has_more, rest) = another(rest, '}')?;
        }
        match skip_space(rest) {
            "" => Ok(()),
            rest => unexpected("nothing behind the object", rest),
        }
    }

    fn take_labels(&mut self, text: &'a str) -> std::result::Result<&'a str, Unexpected<'a>> {
        let (mut has_more, mut rest) = open(text, '{', "an object of labels")?;
        while has_more {
            let (key, text) = take_key(rest)?;
            let (value, behind) = match text.strip_prefix("null") {
                Some(behind) => (Cow::Borrowed(""), behind),
                None => take_string(text, "a label value in quotes")?,
            };
            self.labels.push((key, value));
            (has_more, rest) = another(behind, '}')?;
        }
        Ok(rest)
    }
}

fn unexpected<'a, T>(expected: &'static str, found: &'a str) -> std::result::Result<T, Unexpected<'a>> {
    Err(Unexpected { expected, found: found.as_bytes() })
}

#[inline]
fn skip_space(text: &str) -> &str {
    text.trim_ascii_start()
}

/// Reads the opening bracket of a list or object: whether there is a first element, and the text from it on, else behind the
/// closing bracket.
fn open<'a>(text: &'a str, bracket: char, expected: &'static str) -> Taken<'a, bool> {
    let text = skip_space(text);
    let Some(rest) = text.strip_prefix(bracket) else { return unexpected(expected, text) };
    let rest = skip_space(rest);
    Ok(match rest.strip_prefix(if bracket == '{' { '}' } else { ']' }) {
        Some(behind) => (false, behind),
        None => (true, rest),
    })
}

/// Reads what follows an element: whether it is another one, and the text from there on, as [`open`] does.
#[inline]
fn another(text: &str, closing: char) -> Taken<'_, bool> {
    let text = skip_space(text);
    if let Some(rest) = text.strip_prefix(',') {
        Ok((true, skip_space(rest)))
    } else if let Some(rest) = text.strip_prefix(closing) {
        Ok((false, rest))
    } else {
        unexpected("a comma or a closing bracket", text)
    }
}

/// Reads a list of numbers into `out`.
fn take_list<'a, T>(
    text: &'a str,
    out: &mut Vec<T>,
    take: impl Fn(&'a str) -> Taken<'a, T>,
) -> std::result::Result<&'a str, Unexpected<'a>> {
    let (mut has_more, mut rest) = open(text, '[', "a list")?;
    while has_more {
        let (number, behind) = take(rest)?;
        out.push(number);
        (has_more, rest) = another(behind, ']')?;
    }
    Ok(rest)
}

#[inline]
fn take_value(text: &str) -> Taken<'_, f64> {
    match take_float(text.as_bytes()) {
        Some((value, len)) => Ok((value, &text[len..])),
        None => take_named_value(text),
    }
}

/// Reads a value that isn't spelled as a number.
fn take_named_value(text: &str) -> Taken<'_, f64> {
    const NAMES: [(&str, f64); 4] = [
        ("null", STALE_NAN),
        ("\"Infinity\"", f64::INFINITY),
        ("\"-Infinity\"", f64::NEG_INFINITY),
        ("\"NaN\"", f64::NAN),
    ];
    match NAMES.iter().find_map(|&(name, value)| Some((value, text.strip_prefix(name)?))) {
        Some(taken) => Ok(taken),
        None => unexpected("a number or null", text),
    }
}

#[inline]
fn take_timestamp(text: &str) -> Taken<'_, i64> {
    match take_integer(text.as_bytes()) {
        Some((timestamp, len)) => Ok((timestamp, &text[len..])),
        None => unexpected("whole milliseconds in 64 bits", text),
    }
}

/// Reads a key and its colon; returns the text from the value on.
fn take_key(text: &str) -> Taken<'_, Cow<'_, str>> {
    let (key, behind) = take_string(text, "a key in quotes")?;
    let behind = skip_space(behind);
    match behind.strip_prefix(':') {
        Some(value) => Ok((key, skip_space(value))),
        None => unexpected("a colon behind a key", behind),
    }
}

/// Reads a string with its quotes.
fn take_string<'a>(text: &'a str, expected: &'static str) -> Taken<'a, Cow<'a, str>> {
    let Some(inner) = text.strip_prefix('"') else { return unexpected(expected, text) };
    let Some(plain) = memchr::memchr2(b'"', b'\\', inner.as_bytes()) else {
        return unexpected("quotes that close a string", text);
    };
    if inner.as_bytes()[plain] == b'"' {
        return Ok((Cow::Borrowed(&inner[..plain]), &inner[plain + 1..]));
    }
    match take_escaped(inner) {
        Some((string, behind)) => Ok((Cow::Owned(string), behind)),
        None => unexpected("quotes that close a string", text),
    }
}

/// Reads up to closing quotes, resolving escapes; those that aren't JSON's stay as they stand.
fn take_escaped(mut text: &str) -> Option<(String, &str)> {
    let mut string = String::new();
    loop {
        let at = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
        string.push_str(&text[..at]);
        let behind = &text[at + 1..];
        if text.as_bytes()[at] == b'"' {
            return Some((string, behind));
        }
        let (character, len) = match behind.bytes().next()? {
            byte @ (b'"' | b'\\' | b'/') => (char::from(byte), 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'u' => take_utf16(behind).unwrap_or(('\\', 0)),
            _ => ('\\', 0),
        };
        string.push(character);
        text = &behind[len..];
    }
}

/// Reads a character spelled `uXXXX`, or as a pair of surrogates `uXXXX\uXXXX`; returns its length too.
fn take_utf16(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        u16::from_str_radix(digits?, 16).ok()
    };
    let first = unit(1)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, 5));
    }
    let second = text.get(5..7).filter(|&escape| escape == "\\u").and_then(|_| unit(7))?;
    Some((char::decode_utf16([first, second]).next()?.ok()?, 11))
}

/// Skips any value, without recursion.
fn skip_value(text: &str) -> std::result::Result<&str, Unexpected<'_>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match (values.next(), text.get(values.byte_offset()..)) {
        (Some(Ok(_)), Some(behind)) => Ok(behind),
        _ => unexpected("a JSON value", text),
    }
}

/// Appends one line of `/api/v1/export`, ended by a line feed: labels as [`MetricName::labels`] gives them, numbers with the
/// fewest digits that read back as the same float. The columns have the same length.
pub fn write_export_line(name: &MetricName, timestamps: &[i64], values: &[f64], out: &mut Vec<u8>) {
    debug_assert_eq!(timestamps.len(), values.len());
    out.extend_from_slice(b"{\"metric\":{");
    for (at, (key, value)) in name.labels().enumerate() {
        put_comma(at, out);
        put_string(key, out);
        out.push(b':');
        put_string(value, out);
    }
    out.extend_from_slice(b"},\"values\":[");
    for (at, &value) in values.iter().enumerate() {
        put_comma(at, out);
        put_float(value, out);
    }
    out.extend_from_slice(b"],\"timestamps\":[");
    for (at, &timestamp) in timestamps.iter().enumerate() {
        put_comma(at, out);
        put_integer(timestamp, out);
    }
    out.extend_from_slice(b"]}\n");
}

#[inline]
fn put_comma(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

/// Appends a string in quotes with the server's choice of escapes.
fn put_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..=0x1f | b'<' | b'\'' => {
                    const HEX: [u8; 16] = *b"0123456789abcdef";
                    let [high, low] = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                }
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// The lines of a body, printed again by the export.
    fn parsed(body: &[u8]) -> (String, Refused) {
        let (mut printed, mut refused) = (Vec::new(), Refused::default());
        parse(body, 1, &mut refused, &mut |line| {
            let labels = line.labels.iter().map(|(key, value)| (&**key, &**value));
            write_export_line(&MetricName::from_labels(labels), line.timestamps, line.values, &mut printed);
            Ok(())
        });
        (String::from_utf8(printed).unwrap(), refused)
    }

    fn line_of(metric: &str, values: &str, timestamps: &str) -> String {
        format!("{{\"metric\":{metric},\"values\":{values},\"timestamps\":{timestamps}}}")
    }

    fn reason(line: &str) -> String {
        let (printed, refused) = parsed(line.as_bytes());
        assert_eq!((printed.as_str(), refused.count), ("", 1), "{line:?}: {printed}");
        refused.reasons[0].1.clone()
    }

    fn taken(line: &str) -> String {
        let (printed, refused) = parsed(line.as_bytes());
        assert_eq!(refused, Refused::default(), "{line:?}");
        printed.strip_suffix('\n').unwrap().to_owned()
    }

    const NAME: &str = r#"{"__name__":"m"}"#;

    #[test]
    fn what_the_export_prints_is_read_back() {
        for values in ["[1]", "[1,-2.5,0.00000015]", "[+Inf,-Inf,null]", "[123456789012345700000000000000,0]"] {
            let timestamps: Vec<_> =
                (0..values.split(',').count()).map(|i| (1_710_000_001_000 + i as u64).to_string()).collect();
            let line = line_of(NAME, values, &format!("[{}]", timestamps.join(",")));
            assert_eq!(taken(&line), line);
        }
    }

    #[test]
    fn null_is_the_stale_marker_and_nan_is_not() {
        let line = line_of(NAME, r#"[null,NaN,"NaN",nan,1e400,"Infinity","-Infinity",inf]"#, "[1,2,3,4,5,6,7,8]");
        let mut values = Vec::new();
        parse(line.as_bytes(), 1, &mut Refused::default(), &mut |line| {
            values.extend(line.values.iter().map(|value| value.to_bits()));
            Ok(())
        });
        let [stale, nan, inf] = [STALE_NAN, f64::NAN, f64::INFINITY].map(f64::to_bits);
        assert_eq!(values, [stale, nan, nan, nan, inf, inf, f64::NEG_INFINITY.to_bits(), inf]);
    }

    #[test]
    fn keys_in_any_order_and_space_anywhere() {
        let expected = line_of(NAME, "[1,2]", "[3,4]");
        for line in [
            r#"{"timestamps":[3,4],"values":[1,2],"metric":{"__name__":"m"}}"#,
            "  { \"metric\" : { \"__name__\" :\t\"m\" } , \"values\" : [ 1 , 2 ] , \"timestamps\" : [ 3 , 4 ] }  \r",
            r#"{"x":{"a":[1,{"b":null}]},"metric":{"__name__":"m"},"y":"]}","values":[1,2],"z":-1e5,"timestamps":[3,4]}"#,
            r#"{"metric":{"__name__":"m"},"values":[1,2],"timestamps":[3,4],"values":[7],"metric":0}"#,
            r#"{"\u006detric":{"__na\u006de__":"m","a":null,"b":""},"values":[01,2e0],"timestamps":[3,4]}"#,
        ] {
            assert_eq!(taken(line), expected, "{line}");
        }
    }

    #[test]
    fn strings_are_escaped_and_come_back() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain("東\u{2028}🚀".chars()).collect();
        let mut line = Vec::new();
        write_export_line(&MetricName::from_labels([("a", all.as_str())]), &[1], &[1.0], &mut line);
        assert_eq!(parsed(&line), (String::from_utf8(line.clone()).unwrap(), Refused::default()));
        let metric = serde_json::from_slice::<serde_json::Value>(&line).unwrap();
        assert_eq!(metric["metric"]["a"], all);
    }

    #[test]
    fn escapes_as_the_server_takes_and_prints_them() {
        for (written, printed) in [
            (r#"\u00fc\ud83d\ude80\n\t\r\b\f\"\\\/"#, "ü🚀\\n\\t\\r\\u0008\\u000c\\\"\\\\/"),
            (r"\ud800", r"\\ud800"),
            (r"\ud800\u0041", r"\\ud800A"),
            (r"\udc00\ud800", r"\\udc00\\ud800"),
            (r"\u12", r"\\u12"),
            (r"\u+123", r"\\u+123"),
            (r"\x\é", r"\\x\\é"),
            ("x\ty<'>&\u{7f}", "x\\ty\\u003c\\u0027>&\u{7f}"),
        ] {
            let metric = |value: &str| format!("{{\"__name__\":\"m\",\"a\":\"{value}\"}}");
            assert_eq!(taken(&line_of(&metric(written), "[1]", "[2]")), line_of(&metric(printed), "[1]", "[2]"));
        }
        let mut line = Vec::new();
        write_export_line(&MetricName::from_labels([(&b"a"[..], &b"x\xff\xfey\xe6\x9d"[..])]), &[1], &[1.0], &mut line);
        assert!(String::from_utf8(line).unwrap().contains("\"x\u{fffd}\u{fffd}y\u{fffd}\""));
    }

    #[test]
    fn malformed_lines_are_refused_and_say_where() {
        for (line, expected) in [
            ("[1]".to_owned(), "column 1: expected an object, found \"[1]\""),
            ("{}".into(), "expected labels in \"metric\", found none"),
            ("{bad".into(), "column 2: expected a key in quotes, found \"bad\""),
            ("{\"metric".into(), "column 2: expected quotes that close a string, found \"\\\"metric\""),
            (line_of("{}", "[1]", "[1]"), "expected labels in \"metric\", found none"),
            (line_of(NAME, "[]", "[]"), "expected numbers in \"values\", found none"),
            (line_of(NAME, "[1,2]", "[1]"), "expected as many timestamps as values, found 1 and 2"),
            (line_of(NAME, "[1]", "[1,2]"), "expected as many timestamps as values, found 2 and 1"),
            (line_of(NAME, "[1,]", "[1]"), "column 40: expected a number or null, found \"],\\\"timestamps\\\":[1]}\""),
        ] {
            assert_eq!(reason(&line), expected, "{line}");
        }
        for values in [
            "1",
            "{}",
            "[[1]]",
            "[true]",
            "[\"1\"]",
            "[\"Inf\"]",
            "[1 2]",
            "[1",
            "[+5]",
            "[.5]",
            "[5.]",
            "[nul]",
            "[,]",
        ] {
            reason(&line_of(NAME, values, "[1]"));
        }
        for timestamps in
            ["[1.5]", "[\"1\"]", "[null]", "[1e3]", "[9223372036854775808]", "[NaN]", "1", "[1]}", "[1]x", "[1]]"]
        {
            reason(&line_of(NAME, "[1]", timestamps));
        }
        for metric in [
            "[]",
            "null",
            "\"m\"",
            r#"{"a":1}"#,
            r#"{"a":["x"]}"#,
            r#"{"a"}"#,
            r#"{"a":"x""#,
            r#"{"a":"x",}"#,
            r#"{"a":"x\"}"#,
        ] {
            reason(&line_of(metric, "[1]", "[1]"));
        }
        let line = line_of(NAME, "[1]", "[1]");
        reason(&line[..line.len() - 1]);
        reason(&format!("{line}{line}"));
        reason(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
        reason(&format!("{{\"a\":{}", "[".repeat(100_000)));
    }

    #[test]
    fn a_bad_line_does_not_lose_its_neighbours() {
        let good = line_of(NAME, "[1]", "[2]");
        let mut body = format!("{good}\n\n{{bad\n \r\n{good}\n").into_bytes();
        body.extend_from_slice(b"{\"metric\":{\"a\":\"\xff\"},\"values\":[1],\"timestamps\":[1]}\n");
        body.extend_from_slice(good.as_bytes());
        let (printed, refused) = parsed(&body);
        assert_eq!(printed, format!("{good}\n{good}\n{good}\n"));
        let lines: Vec<u64> = refused.reasons.iter().map(|reason| reason.0).collect();
        assert_eq!((refused.count, &lines[..]), (2, &[3, 6][..]));
        assert!(refused.reasons[1].1.starts_with("expected UTF-8: "), "{refused:?}");

        let mut refused = Refused::default();
        parse(good.as_bytes(), 7, &mut refused, &mut |_| Err(Error::invalid("full")));
        assert_eq!(refused, Refused { count: 1, reasons: vec![(7, "full".into())] });
    }
}
