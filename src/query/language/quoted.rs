//! Quoted texts and escaped names.

/// What is wrong with a text in quotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadEscape {
    /// Where the escape begins, counted from the opening quote.
    pub at: usize,
    /// What could have stood there.
    pub expected: &'static str,
}

/// The text between quotes, which are there. Backquotes know no escapes, the others know Go's.
pub(super) fn unquote(quoted: &str) -> Result<String, BadEscape> {
    let inside = &quoted[1..quoted.len() - 1];
    if quoted.starts_with('`') || !inside.contains('\\') {
        return Ok(inside.to_owned());
    }
    // Escapes can name single bytes, of which several make a character.
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at..];
        let bad = |expected| BadEscape { at: quoted.len() - 1 - escape.len(), expected };
        let used = unescape(escape, &mut bytes).map_err(bad)?;
        rest = &escape[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| BadEscape { at: 0, expected: "escapes that make UTF-8 characters" })
}

/// Appends what an escape stands for and tells its length.
fn unescape(escape: &str, bytes: &mut Vec<u8>) -> Result<usize, &'static str> {
    let character = escape.as_bytes().get(1).copied();
    let simple = match character {
        Some(b'a') => 7,
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 11,
        Some(byte @ (b'\\' | b'"' | b'\'' | b'`')) => byte,
        Some(b'x') => {
            bytes.push(digits(escape, 2..4, 16).ok_or("two hexadecimal digits behind \\x")? as u8);
            return Ok(4);
        }
        Some(b'0'..=b'3') => {
            bytes.push(digits(escape, 1..4, 8).ok_or("three octal digits behind the backslash")? as u8);
            return Ok(4);
        }
        Some(letter @ (b'u' | b'U')) => {
            let end = if letter == b'u' { 6 } else { 10 };
            let number = digits(escape, 2..end, 16).ok_or("four hexadecimal digits behind \\u or eight behind \\U")?;
            let character = char::from_u32(number).ok_or("the number of a character")?;
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(end);
        }
        _ => return Err("one of a b f n r t v x u U, a quote or a backslash behind the backslash"),
    };
    bytes.push(simple);
    Ok(2)
}

fn digits(text: &str, range: std::ops::Range<usize>, radix: u32) -> Option<u32> {
    let digits = text.get(range)?;
    let is_digits = digits.chars().all(|digit| digit.is_digit(radix));
    is_digits.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

/// A text in double quotes.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..'\x20' | '\x7f' => out.push_str(&format!("\\x{:02x}", character as u32)),
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// A name without its backslashes: `wind\-speed` is `wind-speed`, `\x20` a space.
pub(super) fn unescape_name(name: &str) -> String {
    if !name.contains('\\') {
        return name.to_owned();
    }
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = &rest[at..];
        let numbered = match escape.as_bytes().get(1) {
            Some(b'x') => digits(escape, 2..4, 16).map(|number| (number, 4)),
            Some(b'u') => digits(escape, 2..6, 16).map(|number| (number, 6)),
            _ => None,
        };
        let numbered = numbered.and_then(|(number, len)| Some((char::from_u32(number)?, len)));
        let literal = || escape[1..].chars().next().map(|character| (character, 1 + character.len_utf8()));
        let Some((character, len)) = numbered.or_else(literal) else { break };
        plain.push(character);
        rest = &escape[len..];
    }
    plain.push_str(rest);
    plain
}
