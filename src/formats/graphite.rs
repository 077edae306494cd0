//! Graphite's plaintext protocol.
//!
//! ```text
//! servers.web1.cpu;datacenter=west 0.5 1710000000
//! ```
//!
//! Taken over from the server (1.150): the last word is the timestamp in whole seconds, of which 0 and -1 mean now, the one before it the
//! value; with two words there is no timestamp. Words are apart by blanks and tabs. Tags without name or value are left out. A name
//! may not be empty nor hold blanks. Timestamps are cut to whole seconds.

use super::number::take_float;
use super::rows::{Labels, RowSink, begin_key, series_of};
use super::{Refused, Unexpected, lines, skip};
use crate::error::Error;
use crate::metric::name::NAME_LABEL;

/// Reads a body of whole lines, of which `first_line` is the number of the first; the last may lack its line feed. `now` is for lines
/// without a timestamp.
pub fn parse(body: &[u8], first_line: u64, now: i64, refused: &mut Refused, sink: &mut dyn RowSink) {
    let now = now - now.rem_euclid(1000);
    let (mut key, mut labels) = (Vec::new(), Labels::default());
    for (number, line) in lines(body, first_line) {
        let line = trim(line.strip_suffix(b"\r").unwrap_or(line));
        if line.is_empty() {
            continue;
        }
        if let Err(error) = read(line, now, &mut key, &mut labels, sink) {
            refused.add(number, || error.message().to_owned());
        }
    }
}

fn read(line: &[u8], now: i64, key: &mut Vec<u8>, labels: &mut Labels, sink: &mut dyn RowSink) -> Result<(), Error> {
    let unexpected = |expected, found| Err(Error::invalid(Unexpected { expected, found }.to_string()));
    let Some((front, last)) = split_last(line) else { return unexpected("a value behind the name", b"") };
    let (path, value, timestamp) = match split_last(front) {
        Some((path, value)) => (path, value, Some(last)),
        None => (front, last, None),
    };
    let number = |text: &[u8]| take_float(text).filter(|(_, len)| *len == text.len()).map(|(number, _)| number);
    let milliseconds = match timestamp {
        None => now,
        // What isn't a number of 64 bits is far outside of all retention.
        Some(text) => match number(text) {
            Some(seconds) if seconds.is_nan() => return unexpected("a timestamp in seconds", text),
            Some(seconds) => match seconds as i64 {
                0 | -1 => now,
                seconds => seconds.saturating_mul(1000),
            },
            None => return unexpected("a timestamp in seconds", text),
        },
    };
    let Some(value) = number(value) else { return unexpected("a value", value) };
    if path.iter().any(|byte| is_blank(*byte)) {
        return unexpected("a name without blanks", path);
    }
    begin_key(key, b'G');
    key.extend_from_slice(path);
    let series = series_of(sink, key, labels, |labels| fill_labels(labels, path))?;
    sink.sample(series, milliseconds, value);
    Ok(())
}

fn fill_labels(labels: &mut Labels, path: &[u8]) -> Result<(), Error> {
    let mut parts = path.split(|byte| *byte == b';');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() {
        return Err(Error::invalid(Unexpected { expected: "the name of a metric", found: path }.to_string()));
    }
    for tag in parts {
        let len = memchr::memchr(b'=', tag).unwrap_or(tag.len());
        let value = tag.get(len + 1..).unwrap_or_default();
        if len > 0 && !value.is_empty() {
            labels.push(&tag[..len], value);
        }
    }
    labels.push(NAME_LABEL, name);
    Ok(())
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(text: &[u8]) -> &[u8] {
    let text = skip(text, is_blank);
    &text[..text.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1)]
}

/// The last word, and what stands before the blanks in front of it.
fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| is_blank(*byte))?;
    Some((trim(&text[..at]), &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::Kept;
    use super::*;

    fn parsed(body: &str) -> (Vec<String>, Refused) {
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        parse(body.as_bytes(), 1, 1_710_000_009_123, &mut refused, &mut kept);
        (kept.lines(), refused)
    }

    #[test]
    fn names_tags_values_and_times() {
        for (line, taken) in [
            ("a.b.c 1.5 1710000000", "__name__=a.b.c 1.5@1710000000000"),
            ("a\t \t1  1710000000 \r", "__name__=a 1@1710000000000"),
            (" a 1 1710000000.9", "__name__=a 1@1710000000000"),
            ("a 1", "__name__=a 1@1710000009000"),
            ("a 1 0", "__name__=a 1@1710000009000"),
            ("a 1 -1", "__name__=a 1@1710000009000"),
            ("a;x=y;empty=;none;p=q=r -1e3 1", "__name__=a|p=q=r|x=y -1000@1000"),
        ] {
            assert_eq!(parsed(line), (vec![taken.to_owned()], Refused::default()), "{line:?}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for (line, reason) in [
            ("a", "expected a value behind the name, found the end of the line"),
            ("a x", "expected a value, found \"x\""),
            ("a 1 x", "expected a timestamp in seconds, found \"x\""),
            ("a b 1 1", "expected a name without blanks, found \"a b\""),
            (";x=y 1 1", "expected the name of a metric, found \";x=y\""),
            ("a 1 NaN", "expected a timestamp in seconds, found \"NaN\""),
        ] {
            let (lines, refused) = parsed(&format!("ok 1 5\n{line}\nok 2 6"));
            assert_eq!(lines, ["__name__=ok 1@5000 2@6000"], "{line}");
            assert_eq!(refused, Refused { count: 1, reasons: vec![(2, reason.into())] }, "{line}");
        }
    }
}
