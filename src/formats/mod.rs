//! Text and bytes to rows and back.
//!
//! Bodies arrive in pieces of whole lines. A line that can't be read is counted and reported, and its neighbours are taken.

mod number;
mod rows;

pub mod body;
pub mod compression;
pub mod csv;
pub mod export;
pub mod graphite;
mod histogram;
pub mod influx;
pub mod jsonl;
pub mod native;
pub mod otlp;
pub mod prometheus;
mod protobuf;
pub mod remote_write;
pub mod remote_writer;
mod text_encoding;
pub mod time_layout;

pub use rows::{Labels, RowSink};

/// Reasons that are kept; the others are only counted.
const MAX_REASONS: usize = 10;
/// Bytes of a line that a reason quotes.
const MAX_QUOTED_BYTES: usize = 40;

/// What was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Lines refused.
    pub count: u64,
    /// Line number and reason of the first ten.
    pub reasons: Vec<(u64, String)>,
}

impl Refused {
    /// Counts a line; `reason` is only asked when it is kept.
    pub fn add(&mut self, line: u64, reason: impl FnOnce() -> String) {
        self.count += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push((line, reason()));
        }
    }
}

/// What stood where something else was expected. Becomes text only when it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unexpected<'a> {
    expected: &'static str,
    /// The line from there on.
    found: &'a [u8],
}

impl std::fmt::Display for Unexpected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, found ", self.expected)?;
        match self.found.get(..MAX_QUOTED_BYTES) {
            _ if self.found.is_empty() => write!(f, "the end of the line"),
            Some(start) => write!(f, "{:?}...", String::from_utf8_lossy(start)),
            None => write!(f, "{:?}", String::from_utf8_lossy(self.found)),
        }
    }
}

/// The lines of a body with their numbers, without the line feeds.
fn lines(body: &[u8], first_line: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = body;
    let mut number = first_line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = (number, &rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        number = number.saturating_add(1);
        Some(line)
    })
}

/// What is left of `text` behind the bytes that are `blank`.
fn skip(text: &[u8], blank: impl Fn(u8) -> bool) -> &[u8] {
    &text[text.iter().position(|&byte| !blank(byte)).unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_the_last_needs_no_line_feed() {
        let of = |body: &'static str| lines(body.as_bytes(), 7).collect::<Vec<_>>();
        assert_eq!(of(""), []);
        assert_eq!(of("\n"), [(7, &b""[..])]);
        assert_eq!(of("a\n\nb"), [(7, &b"a"[..]), (8, b""), (9, b"b")]);
        assert_eq!(of("a\nb\n"), [(7, &b"a"[..]), (8, b"b")]);
    }

    #[test]
    fn ten_reasons_are_kept_and_all_are_counted() {
        let mut refused = Refused::default();
        (1..=1000).for_each(|line| refused.add(line, || line.to_string()));
        assert_eq!((refused.count, refused.reasons.len()), (1000, 10));
        assert_eq!(refused.reasons[9], (10, "10".into()));
    }

    #[test]
    fn reasons_quote_little_of_a_long_line() {
        let line = "é".repeat(10_000);
        let reason = Unexpected { expected: "a value", found: line.as_bytes() }.to_string();
        assert!(reason.len() < 200 && reason.ends_with("..."), "{reason}");
        let reason = Unexpected { expected: "a value", found: b"" }.to_string();
        assert_eq!(reason, "expected a value, found the end of the line");
    }
}
