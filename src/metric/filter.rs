//! Selectors such as `up{job="node",instance=~"a|b"}` and what they mean, as the server understands them.
//!
//! A label that a series does not have is the same as one with the empty value. Regular expressions are anchored at both ends.
//! Their syntax is RE2's without Unicode classes such as `\pL` (`regex_syntax` rewrites it for the `regex-lite` crate); `.` does not match
//! a line feed, except in the forms `.*` and `.+` at the ends of a literal, which the server matches without its engine.

use super::regex_cost::{self, MAX_MATCH_STEPS};
use super::regex_syntax;
use crate::error::{Error, ErrorKind, Result};
use regex_lite::{Regex, RegexBuilder};

/// The longest selector that is read.
const MAX_SELECTOR_LEN: usize = 1 << 20;
/// The most memory a compiled regular expression may take.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// One condition on one label.
#[derive(Clone, Debug)]
pub struct TagFilter {
    key: Vec<u8>,
    negative: bool,
    matcher: Matcher,
}

/// What a value must be, before a negation.
#[derive(Clone, Debug)]
enum Matcher {
    /// One of these, sorted.
    OneOf(Vec<Vec<u8>>),
    /// Something that begins with `prefix` and goes on as `rest` says.
    Pattern { prefix: Vec<u8>, rest: Rest },
}

impl Matcher {
    /// Whether it is `.*`.
    fn is_anything(&self) -> bool {
        match self {
            Self::Pattern { prefix, rest: Rest::Wildcards { before, literal, after } } => {
                let is_optional = |wildcard: &Option<Wildcard>| *wildcard != Some(Wildcard::Some);
                prefix.is_empty() && literal.is_empty() && is_optional(before) && is_optional(after)
            }
            _ => false,
        }
    }
}

/// What follows a literal prefix.
#[derive(Clone, Debug)]
enum Rest {
    /// An optional wildcard, a literal, an optional wildcard.
    Wildcards { before: Option<Wildcard>, literal: Vec<u8>, after: Option<Wildcard> },
    /// The whole value, prefix included, matched by a regular expression, whose machine has so many states.
    Regex { regex: Regex, states: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wildcard {
    /// `.*`
    Any,
    /// `.+`
    Some,
}

/// What regular expressions mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegexRule {
    /// As the server understands them, with its exceptions.
    Server,
    /// `.` is every character, and a negation finds what the condition does not.
    Plain,
}

impl TagFilter {
    /// A condition as the server understands it. The empty key and `__name__` stand for the metric group.
    ///
    /// # Errors
    /// `Invalid` for a regular expression that can't be read or is too large.
    pub fn new(key: &[u8], value: &[u8], negative: bool, is_regex: bool) -> Result<Self> {
        Self::with_rule(key, value, negative, is_regex, RegexRule::Server)
    }

    /// The same with regular expressions that mean what `rule` says.
    ///
    /// # Errors
    /// As [`TagFilter::new`].
    pub fn with_rule(key: &[u8], value: &[u8], negative: bool, is_regex: bool, rule: RegexRule) -> Result<Self> {
        let key = if key == b"__name__" { Vec::new() } else { key.to_vec() };
        let matcher = if is_regex { parse_regex(value, rule)? } else { Matcher::OneOf(vec![value.to_vec()]) };
        // On the server `!~".*"` finds the series without the label, where logic would find none.
        if negative && rule == RegexRule::Server && matcher.is_anything() {
            return Ok(Self { key, negative: false, matcher: Matcher::OneOf(vec![Vec::new()]) });
        }
        Ok(Self { key, negative, matcher })
    }

    /// The label's name; empty for the metric group.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether it is one of `!=` and `!~`.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether a series with this value is let through; the empty value stands for a label that is not there.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.accepts(value) != self.negative
    }

    /// Work that [`TagFilter::matches`] takes for this value, in the units of jobs, to be spent before.
    ///
    /// # Errors
    /// `Limit` when it is more than may be done in one piece.
    pub fn cost(&self, value: &[u8]) -> Result<u64> {
        let Matcher::Pattern { prefix, rest: Rest::Regex { states, .. } } = &self.matcher else { return Ok(1) };
        if !value.starts_with(prefix) {
            return Ok(1);
        }
        let steps = states.saturating_mul(value.len() as u64 + 1);
        if steps > MAX_MATCH_STEPS {
            let message = format!(
                "a regular expression of some {states} states takes too long for the {} bytes of a value; repeat less in it, or \
                 write alternatives as plain texts",
                value.len()
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(10 + 2 * steps)
    }

    /// Whether a series without the label is let through.
    pub fn matches_empty(&self) -> bool {
        self.matches(b"")
    }

    /// Whether the value is what the condition names, before a negation.
    pub fn accepts(&self, value: &[u8]) -> bool {
        match &self.matcher {
            Matcher::OneOf(values) => values.binary_search_by(|accepted| accepted[..].cmp(value)).is_ok(),
            Matcher::Pattern { prefix, rest } => {
                value.strip_prefix(&prefix[..]).is_some_and(|behind_prefix| match rest {
                    Rest::Wildcards { before, literal, after } => fits(behind_prefix, *before, literal, *after),
                    Rest::Regex { regex, .. } => regex.is_match(&String::from_utf8_lossy(value)),
                })
            }
        }
    }

    /// The values it names before a negation, sorted, if they can be told one by one.
    pub fn values(&self) -> Option<&[Vec<u8>]> {
        match &self.matcher {
            Matcher::OneOf(values) => Some(values),
            Matcher::Pattern { .. } => None,
        }
    }

    /// What all values it names begin with.
    pub fn prefix(&self) -> &[u8] {
        match &self.matcher {
            Matcher::OneOf(values) if values.len() == 1 => &values[0],
            Matcher::OneOf(_) => b"",
            Matcher::Pattern { prefix, .. } => prefix,
        }
    }
}

fn fits(value: &[u8], before: Option<Wildcard>, literal: &[u8], after: Option<Wildcard>) -> bool {
    let at_least = |wildcard: Option<Wildcard>| usize::from(wildcard == Some(Wildcard::Some));
    match (before, after) {
        (None, None) => value == literal,
        (None, Some(_)) => value.len() >= literal.len() + at_least(after) && value.starts_with(literal),
        (Some(_), None) => value.len() >= literal.len() + at_least(before) && value.ends_with(literal),
        (Some(_), Some(_)) => {
            let (skip, leave) = (at_least(before), at_least(after));
            value.len() >= literal.len() + skip + leave
                && (literal.is_empty()
                    || value[skip..value.len() - leave].windows(literal.len()).any(|window| window == literal))
        }
    }
}

/// Characters that mean something in a regular expression.
fn is_meta(character: char) -> bool {
    r"\.+*?()|[]{}^$".contains(character)
}

fn parse_regex(pattern: &[u8], rule: RegexRule) -> Result<Matcher> {
    let pattern = std::str::from_utf8(pattern).map_err(|_| Error::invalid("a regular expression must be UTF-8"))?;
    // Alternatives of plain texts are a set, however many they are.
    if !pattern.contains(|character| is_meta(character) && character != '|') {
        let mut values: Vec<Vec<u8>> = pattern.split('|').map(|value| value.as_bytes().to_vec()).collect();
        values.sort();
        values.dedup();
        return Ok(Matcher::OneOf(values));
    }
    let written = pattern;
    let pattern = &*regex_syntax::of_servers(pattern);
    // Checked even where it is not needed for matching, so that a mistake is always told.
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$"))
        .dot_matches_new_line(rule == RegexRule::Plain)
        .size_limit(MAX_REGEX_BYTES)
        .build()
        .map_err(|error| {
            Error::invalid(format!(
                "cannot use the regular expression {written:?}: {error}; Unicode classes such as \\pL are not supported"
            ))
        })?;
    // What the pattern begins with, unless its last character is quantified or the pattern has alternatives.
    let mut prefix_len = pattern.find(is_meta).unwrap_or(pattern.len());
    if pattern[prefix_len..].starts_with(['*', '?', '{']) {
        prefix_len = pattern[..prefix_len].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    if pattern.contains('|') {
        prefix_len = 0;
    }
    let (prefix, rest) = pattern.split_at(prefix_len);
    let prefix = prefix.as_bytes().to_vec();
    let (before, rest) = leading_wildcard(rest);
    let literal_len = rest.find(is_meta).unwrap_or(rest.len());
    let (literal, rest) = rest.split_at(literal_len);
    let (after, rest) = leading_wildcard(rest);
    if rest.is_empty() {
        return Ok(Matcher::Pattern {
            prefix,
            rest: Rest::Wildcards { before, literal: literal.as_bytes().to_vec(), after },
        });
    }
    Ok(Matcher::Pattern { prefix, rest: Rest::Regex { regex, states: regex_cost::states(pattern) } })
}

fn leading_wildcard(pattern: &str) -> (Option<Wildcard>, &str) {
    let (wildcard, rest) = match pattern.as_bytes() {
        [b'.', b'*', ..] => (Wildcard::Any, &pattern[2..]),
        [b'.', b'+', ..] => (Wildcard::Some, &pattern[2..]),
        _ => return (None, pattern),
    };
    // `.*?` and `.+{2}` are something else.
    if rest.starts_with(['?', '*', '+', '{']) { (None, pattern) } else { (Some(wildcard), rest) }
}

/// Conditions that must all hold.
#[derive(Clone, Debug)]
pub struct Selector {
    /// At least one.
    pub filters: Vec<TagFilter>,
}

impl Selector {
    /// Reads `name`, `name{label="value",…}` or `{label="value",…}` with `=`, `!=`, `=~`, `!~`. Values stand in double or single
    /// quotes, with Go's escapes, or in backquotes, without any. Label names that are no identifiers stand in quotes too.
    ///
    /// # Errors
    /// `Invalid`, with the position, for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_SELECTOR_LEN {
            return Err(Error::invalid(format!(
                "a selector of {} bytes is longer than {MAX_SELECTOR_LEN}",
                text.len()
            )));
        }
        let mut parser = Parser { text, at: 0 };
        let mut filters = Vec::new();
        parser.skip_space();
        if let Some(name) = parser.identifier() {
            filters.push(TagFilter::new(b"", name.as_bytes(), false, false)?);
            parser.skip_space();
        }
        if parser.take("{") {
            loop {
                parser.skip_space();
                if parser.take("}") {
                    break;
                }
                filters.push(parser.filter()?);
                parser.skip_space();
                if parser.take("}") {
                    break;
                }
                if !parser.take(",") {
                    return Err(parser.expected("\",\" or \"}\""));
                }
            }
            parser.skip_space();
        }
        if parser.at < text.len() {
            return Err(parser.expected(if filters.is_empty() {
                "a metric name or \"{\""
            } else {
                "the end of the selector"
            }));
        }
        if filters.is_empty() {
            return Err(Error::invalid(format!(
                "the selector {text:?} has no condition; write such as {{__name__!=\"\"}} for all series"
            )));
        }
        Ok(Self { filters })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, what: &str) -> Error {
        let found = match self.rest().chars().next() {
            Some(character) => format!("found {character:?}"),
            None => "it ends there".into(),
        };
        Error::invalid(format!("in the selector {:?}, at byte {}: expected {what}, {found}", self.text, self.at))
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        self.at += if is_there { token.len() } else { 0 };
        is_there
    }

    /// Letters, digits, `_`, `:` and `.`, not beginning with a digit.
    fn identifier(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':' | '.');
        let len = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        if len == 0 || rest.starts_with(|character: char| character.is_ascii_digit()) {
            return None;
        }
        self.at += len;
        Some(&rest[..len])
    }

    fn filter(&mut self) -> Result<TagFilter> {
        let (key, was_quoted) = match self.identifier() {
            Some(key) => (key.as_bytes().to_vec(), false),
            None => (self.quoted("a label name or \"}\"")?, true),
        };
        self.skip_space();
        let (negative, is_regex) = if self.take("=~") {
            (false, true)
        } else if self.take("!~") {
            (true, true)
        } else if self.take("!=") {
            (true, false)
        } else if self.take("=") {
            (false, false)
        } else if was_quoted && self.rest().starts_with([',', '}']) {
            // A quoted string by itself is a metric name.
            return TagFilter::new(b"", &key, false, false);
        } else {
            return Err(self.expected("one of = != =~ !~"));
        };
        self.skip_space();
        let value = self.quoted("a quoted value")?;
        TagFilter::new(&key, &value, negative, is_regex)
    }

    fn quoted(&mut self, what: &str) -> Result<Vec<u8>> {
        let quote = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => quote,
            _ => return Err(self.expected(what)),
        };
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let Some(character) = self.rest().chars().next() else { return Err(self.expected("the closing quote")) };
            self.at += character.len_utf8();
            match character {
                _ if character == quote => return Ok(value),
                '\\' if quote != '`' => self.escape(&mut value)?,
                _ => value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escape(&mut self, value: &mut Vec<u8>) -> Result<()> {
        let Some(character) = self.rest().chars().next() else { return Err(self.expected("a character to escape")) };
        let simple = match character {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' | '"' | '\'' | '`' => character as u8,
            'x' => return self.numeric_escape(2, value),
            'u' => return self.numeric_escape(4, value),
            'U' => return self.numeric_escape(8, value),
            _ => return Err(self.expected("one of a b f n r t v x u U, a quote or a backslash behind the backslash")),
        };
        self.at += 1;
        value.push(simple);
        Ok(())
    }

    fn numeric_escape(&mut self, digits: usize, value: &mut Vec<u8>) -> Result<()> {
        let number = self.rest().get(1..=digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = number.and_then(|text| u32::from_str_radix(text, 16).ok());
        let number = number.ok_or_else(|| self.expected(&format!("{digits} hexadecimal digits")))?;
        if digits == 2 {
            value.push(number as u8);
        } else {
            let character = char::from_u32(number).ok_or_else(|| self.expected("the number of a character"))?;
            value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.at += 1 + digits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `m{l<condition>}` finds among these values of `l`; the empty one is a series without it.
    fn found(condition: &str) -> Vec<&'static str> {
        let selector = Selector::parse(&format!("m{{l{condition}}}")).unwrap();
        ["", "ab", "AB", "a\nb", "b"]
            .into_iter()
            .filter(|value| selector.filters[1].matches(value.as_bytes()))
            .collect()
    }

    /// The answers of a server v1.79.5 to the same questions.
    #[test]
    fn conditions_mean_what_they_mean_to_the_server() {
        assert_eq!(found(r#"=~"a.b""#), [""; 0]);
        assert_eq!(found(r#"=~"a.*b""#), ["ab", "a\nb"]);
        assert_eq!(found(r#"=~".+""#), ["ab", "AB", "a\nb", "b"]);
        assert_eq!(found(r#"=~"ab|""#), ["", "ab"]);
        assert_eq!(found(r#"=~"""#), [""]);
        assert_eq!(found(r#"!~"ab|""#), ["AB", "a\nb", "b"]);
        assert_eq!(found(r#"!~".*""#), [""]);
        assert_eq!(found(r#"!~".+""#), [""]);
        assert_eq!(found(r#"=~".*""#), ["", "ab", "AB", "a\nb", "b"]);
        assert_eq!(found(r#"="""#), [""]);
        assert_eq!(found(r#"!="""#), ["ab", "AB", "a\nb", "b"]);
        assert_eq!(found("='ab'"), ["ab"]);
        assert_eq!(found("=`ab`"), ["ab"]);
        assert_eq!(found(r#"=~"(?i)ab""#), ["ab", "AB"]);
        assert_eq!(found(r#"=~"[[:lower:]]+""#), ["ab", "b"]);
        assert_eq!(found(r#"=~"\\w+""#), ["ab", "AB", "b"]);
    }

    #[test]
    fn other_patterns_agree_with_the_regular_expression() {
        for pattern in [
            "a+",
            "ab*",
            "ab?",
            "a{1}b",
            "(a|A)(b|B)",
            "a|b",
            ".*b",
            ".+b",
            "a.*",
            ".b",
            "ab.*?",
            ".*b.*",
            ".+b.+",
            "x|.*b",
            "a[b]",
            "a\\.b",
        ] {
            let filter = TagFilter::new(b"l", pattern.as_bytes(), false, true).unwrap();
            let regex = Regex::new(&format!("^(?:{pattern})$")).unwrap();
            for value in ["", "a", "b", "ab", "aab", "abb", "aB", "AB", "xb", "bx", "xbx", "a.b", "abx", "x"] {
                assert_eq!(filter.accepts(value.as_bytes()), regex.is_match(value), "{pattern} on {value:?}");
                assert!(
                    !filter.accepts(value.as_bytes()) || value.as_bytes().starts_with(filter.prefix()),
                    "{pattern}"
                );
            }
        }
        assert_eq!(TagFilter::new(b"l", b"node_.*", false, true).unwrap().prefix(), b"node_");
        assert_eq!(
            TagFilter::new(b"l", b"b|a", false, true).unwrap().values(),
            Some(&[b"a".to_vec(), b"b".to_vec()][..])
        );
    }

    #[test]
    fn selectors_are_read() {
        let filters = |text: &str| Selector::parse(text).unwrap().filters.len();
        assert_eq!(filters("up"), 1);
        assert_eq!(filters("a:b.c{}"), 1);
        assert_eq!(filters(r#" up { job = "x" , instance !~ 'y' , } "#), 3);
        assert_eq!(filters(r#"{"täg name"="x"}"#), 1);
        let name = Selector::parse(r#"{"a name"}"#).unwrap();
        assert_eq!((name.filters[0].key(), name.filters[0].values().unwrap()), (&b""[..], &[b"a name".to_vec()][..]));
        let escaped = Selector::parse(r#"{l="\"\\\n\x01\u00e4"}"#).unwrap();
        assert_eq!(escaped.filters[0].values().unwrap()[0], "\"\\\n\u{1}ä".as_bytes());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let message = |text: &str| Selector::parse(text).unwrap_err().message().to_owned();
        assert!(
            message(r#"up{job="x"#).contains("at byte 9: expected the closing quote, it ends there"),
            "{}",
            message(r#"up{job="x"#)
        );
        for bad in [
            "",
            "{}",
            "{",
            "up{",
            "up}",
            "up{job}",
            "up{job=}",
            "up{job=x}",
            r#"{l=~"a["}"#,
            r#"{l="a" or l="b"}"#,
            "1up",
            "up{,}",
            r#"{l="\q"}"#,
            r#"{l="\xZZ"}"#,
            r#"up{} x"#,
        ] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
        let huge = format!("{{l=~\"{}\"}}", "(a{1000}){1000}");
        assert!(Selector::parse(&huge).is_err());
    }
}
