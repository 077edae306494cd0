//! Finds values in JSON text without building anything: for the few small documents among the files, and for values that are
//! skipped. A deserialiser would weigh twenty times as much as the rest of what is read here.

/// The members of the object that `text` is, as they stand: keys without their quotes, values as their JSON text. None when
/// `text` is no object.
pub fn members(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let text = text.trim_ascii();
    if text.first() != Some(&b'{') || value_len(text) != Some(text.len()) {
        return None;
    }
    let mut found = Vec::new();
    let mut at = skip_space(text, 1);
    while text.get(at) == Some(&b'"') {
        let value = skip_key(text, at)?;
        let end = value + value_len(&text[value..])?;
        let key = text[at + 1..].split(|byte| *byte == b'"').next()?;
        found.push((key, &text[value..end]));
        // Behind a value stand a comma or the end.
        at = skip_space(text, skip_space(text, end) + 1);
    }
    Some(found)
}

/// The member of this name when it is a whole number that fits.
pub fn integer<T: std::str::FromStr>(members: &[(&[u8], &[u8])], name: &str) -> Option<T> {
    str::from_utf8(member(members, name)?).ok()?.parse().ok()
}

/// The member of this name when it is a string; escapes stay as they stand.
pub fn string<'a>(members: &[(&[u8], &'a [u8])], name: &str) -> Option<&'a [u8]> {
    member(members, name)?.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The text of the member of this name. None when it occurs twice.
pub fn member<'a>(members: &[(&[u8], &'a [u8])], name: &str) -> Option<&'a [u8]> {
    let mut named = members.iter().filter(|(key, _)| *key == name.as_bytes());
    named.next().filter(|_| named.next().is_none()).map(|(_, value)| *value)
}

/// The length of the JSON value at the front of `text`. Takes no more memory than it is nested deep, and does not recurse.
pub fn value_len(text: &[u8]) -> Option<usize> {
    // The brackets that have to be closed, the innermost last.
    let mut closing: Vec<u8> = Vec::new();
    let mut at = 0;
    loop {
        at = match text.get(at)? {
            open @ (b'{' | b'[') => {
                let close = if *open == b'{' { b'}' } else { b']' };
                closing.push(close);
                let first = skip_space(text, at + 1);
                match text.get(first)? {
                    byte if *byte == close => first,
                    _ if close == b'}' => {
                        at = skip_key(text, first)?;
                        continue;
                    }
                    _ => {
                        at = first;
                        continue;
                    }
                }
            }
            b'"' => skip_string(text, at)?,
            b'-' | b'0'..=b'9' => skip_number(text, at)?,
            _ => at + [&b"true"[..], b"false", b"null"].iter().find(|name| text[at..].starts_with(name))?.len(),
        };
        // A value has ended, and perhaps those that hold it.
        loop {
            let Some(close) = closing.last() else { return Some(at) };
            at = skip_space(text, at);
            match text.get(at)? {
                b',' if *close == b'}' => break at = skip_key(text, skip_space(text, at + 1))?,
                b',' => break at = skip_space(text, at + 1),
                byte if byte == close => at += 1,
                _ => return None,
            }
            closing.pop();
        }
    }
}

fn skip_space(text: &[u8], at: usize) -> usize {
    at + text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count())
}

/// From a key to the value behind its colon.
fn skip_key(text: &[u8], at: usize) -> Option<usize> {
    let colon = skip_space(text, skip_string(text, at)?);
    (text.get(colon) == Some(&b':')).then(|| skip_space(text, colon + 1))
}

fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    let mut rest = text.get(at..)?.strip_prefix(b"\"")?;
    loop {
        let (first, behind) = rest.split_first()?;
        rest = match first {
            b'"' => return Some(text.len() - behind.len()),
            b'\\' => match behind.split_first()? {
                (b'u', behind) if behind.get(..4)?.iter().all(u8::is_ascii_hexdigit) => behind.get(4..)?,
                (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', behind) => behind,
                _ => return None,
            },
            0..=0x1f => return None,
            _ => behind,
        };
    }
}

fn skip_number(text: &[u8], mut at: usize) -> Option<usize> {
    let digits = |at: usize| {
        let count = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(at + count)
    };
    at += usize::from(text.get(at) == Some(&b'-'));
    at = if text.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if text.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = digits(at + 1 + sign)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_another_reader_says() {
        let good = [
            "0",
            "-0",
            "12",
            "-1.5",
            "1e5",
            "1E+05",
            "0.1e-7",
            "true",
            "false",
            "null",
            "\"\"",
            r#""a\"b\\\u00e9\n""#,
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1,2]",
            "[ [ ] , { } , \"]\" ]",
            r#"{"a":1}"#,
            r#"{ "a" : [ {"b":null} ] , "c":"}" }"#,
        ];
        for text in good {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{text}");
            for behind in ["", ",", " ", "]", "}", "\n"] {
                assert_eq!(value_len(format!("{text}{behind}").as_bytes()), Some(text.len()), "{text}{behind}");
            }
        }
        let bad = [
            "",
            " ",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "tru",
            "nul",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,]",
            "[1 2]",
            "[1}",
            "{",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{]",
        ];
        for text in bad {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_err(), "{text}");
            assert_eq!(value_len(text.as_bytes()), None, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(value_len(deep.as_bytes()), Some(deep.len()));
        assert_eq!(value_len(&deep.as_bytes()[..deep.len() - 1]), None);
    }

    #[test]
    fn members_are_found_by_name() {
        let text = br#" { "a" : -12 , "b":"x\"y","c":[{"a":7}], "d":1, "d":2,"a\u0062":3 } "#;
        let members = members(text).unwrap();
        assert_eq!(members.len(), 6);
        assert_eq!(integer::<i64>(&members, "a"), Some(-12));
        assert_eq!(integer::<u64>(&members, "a"), None);
        assert_eq!(string(&members, "b"), Some(&br#"x\"y"#[..]));
        assert_eq!(
            (string(&members, "a"), integer::<u8>(&members, "b"), integer::<u8>(&members, "c")),
            (None, None, None)
        );
        assert_eq!(integer::<u8>(&members, "d"), None, "which of the two is meant?");
        for text in ["", "[]", "1", "{\"a\":1", "{\"a\":1}x", "{\"a\":1},", "{\"a\":1,}"] {
            assert_eq!(super::members(text.as_bytes()), None, "{text}");
        }
    }
}
