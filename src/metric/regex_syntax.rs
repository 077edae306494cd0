//! Regular expressions as the servers write them. Their engine takes for itself some characters that mean something else here, or nothing.

use std::borrow::Cow;

/// The same expression in the syntax of the engine that is used here. What neither takes stays as it is, and is refused by that one.
pub fn of_servers(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains(['{', '[', '\\']) {
        return Cow::Borrowed(pattern);
    }
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            // Route templates such as `/users/{id}` are labels, too.
            '{' if !is_repetition(rest) => {
                out.push_str("\\{");
                &rest[1..]
            }
            _ => plain(rest, &mut out),
        };
    }
    Cow::Owned(out)
}

fn plain<'p>(rest: &'p str, out: &mut String) -> &'p str {
    let length = rest.chars().next().map_or(0, char::len_utf8);
    out.push_str(&rest[..length]);
    &rest[length..]
}

/// `{2}`, `{2,}` or `{2,5}`. Looks no further than at what can be one.
fn is_repetition(rest: &str) -> bool {
    let counts_len = rest.bytes().skip(1).take_while(|byte| byte.is_ascii_digit() || *byte == b',').count();
    let Some(counts) = rest.get(1..=counts_len).filter(|_| rest[1 + counts_len..].starts_with('}')) else {
        return false;
    };
    let is_count = |text: &str| !text.is_empty() && !text.contains(',');
    match counts.split_once(',') {
        None => is_count(counts),
        Some((least, most)) => is_count(least) && (most.is_empty() || is_count(most)),
    }
}

/// An escaped character; a character by its octal number is one by its hexadecimal number.
fn escape<'p>(rest: &'p str, out: &mut String) -> &'p str {
    // `\x{e9}` is no repetition.
    if rest.starts_with("\\x{") {
        let number_len = rest.bytes().skip(3).take_while(u8::is_ascii_hexdigit).count();
        out.push_str(&rest[..3 + number_len]);
        return &rest[3 + number_len..];
    }
    let digits = rest[1..].bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let is_octal = rest[1..].starts_with('0') || digits > 1;
    if is_octal && let Ok(number) = u32::from_str_radix(&rest[1..=digits], 8) {
        out.push_str(&format!("\\x{{{number:x}}}"));
        return &rest[1 + digits..];
    }
    out.push('\\');
    plain(&rest[1..], out)
}

/// A class of characters, in which brackets, `&` and `~` are characters.
fn class<'p>(rest: &'p str, out: &mut String) -> &'p str {
    out.push('[');
    let mut rest = &rest[1..];
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    // A bracket that stands first is one of the characters.
    if let Some(behind) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = behind;
    }
    // Whether a range may begin with the last character, and whether one ends with the next.
    let (mut may_begin, mut ends) = (false, false);
    while let Some(first) = rest.chars().next() {
        if first == '-' && may_begin && !rest[1..].starts_with(']') {
            out.push('-');
            rest = &rest[1..];
            (may_begin, ends) = (false, true);
            continue;
        }
        (may_begin, ends) = (!ends, false);
        rest = match first {
            ']' => {
                out.push(']');
                return &rest[1..];
            }
            '\\' => escape(rest, out),
            '[' => {
                let name_len = named_class_len(rest);
                may_begin &= name_len == 0;
                out.push_str(if name_len > 0 { &rest[..name_len] } else { "\\[" });
                &rest[name_len.max(1)..]
            }
            // Two of them would take something away from the class.
            '&' | '~' | '-' => {
                out.extend(['\\', first]);
                &rest[1..]
            }
            _ => plain(rest, out),
        };
    }
    rest
}

/// How long `[:alpha:]` is, or `[:^alpha:]`; 0 for what is no such name.
fn named_class_len(rest: &str) -> usize {
    let Some(name) = rest.strip_prefix("[:") else { return 0 };
    let name_len = name.bytes().take_while(|byte| *byte == b'^' || byte.is_ascii_lowercase()).count();
    if name[name_len..].starts_with(":]") { name_len + 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_lite::Regex;

    #[test]
    fn brackets_and_braces_are_characters_where_they_are_for_the_servers() {
        for (pattern, fits, fits_not) in [
            ("/users/{id}", "/users/{id}", "/users/id"),
            ("/users/{.*", "/users/{id}/x", "/users/id"),
            ("a{,2}", "a{,2}", "aa"),
            ("a{2}", "aa", "a{2}"),
            ("a{2,}b{1,2}", "aaabb", "abb"),
            ("{", "{", ""),
            ("{a", "{a", "a"),
            ("[[a]]", "[]", "a"),
            ("[a&&b]+", "a&b", "ab~"),
            ("[~~x]", "~", "a"),
            ("[]a]+", "]a]", "b"),
            ("[^]a]", "b", "]"),
            ("[[:alpha:]_]+", "ab_", "a1"),
            ("[{}]+", "{}", "a"),
            (r"\141\x62\0", "ab\0", "ab"),
            (r"caf\x{e9}{1}", "café", "cafe"),
            (r"[\x{e9}-\x{ff}]+", "éê", "e"),
            ("[+--]+", "+,-", "."),
            ("[--/]+", "-./", "+"),
            ("[a-c-e]+", "b-e", "d"),
            ("[a-]+", "a-", "b"),
            ("[-a]+", "a-", "b"),
            (r"[\d-]+", "1-2", "a"),
            ("[[:digit:]-z]+", "1-z", "a"),
            (r"[\141-\143]+", "abc", "d"),
            (r"\{\[\\", r"{[\", "{["),
            ("ä{1}{ö}", "ä{ö}", "ä"),
        ] {
            let regex =
                Regex::new(&format!("^(?:{})$", of_servers(pattern))).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert!(regex.is_match(fits), "{pattern} does not fit {fits}");
            assert!(!regex.is_match(fits_not), "{pattern} fits {fits_not}");
        }
    }

    #[test]
    fn a_million_braces_or_brackets_are_looked_at_once() {
        for pattern in ["{", "[:", "{1", "[[:a", "\\x{"] {
            let long = pattern.repeat(1_000_000 / pattern.len());
            assert!(of_servers(&long).len() >= long.len());
        }
    }

    #[test]
    fn whatever_ends_early_stays_a_mistake() {
        for pattern in ["[a", "[", "[^", "[]", "\\", "(", "\\8", "[[:nope:]]"] {
            assert!(Regex::new(&of_servers(pattern)).is_err(), "{pattern}");
        }
    }
}
