//! A text cut into words and signs.

use super::ast::Span;
use super::position::ParseError;
use super::{duration, number};

/// What sort of token it is. Which one it is says its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or a keyword, perhaps with backslashes.
    Name,
    /// A number without a sign.
    Number,
    /// A duration without a sign.
    Duration,
    /// A text with its quotes.
    Text,
    /// Brackets, commas, operators.
    Sign,
    /// Behind the last one.
    End,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Its sort.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Span,
}

/// Signs of two characters, which win over those of one.
const LONG_SIGNS: &[&str] = &["==", "!=", "<=", ">=", "=~", "!~"];
const SHORT_SIGNS: &str = "+-*/%^=<>(){}[],:@";

fn begins_name(character: char) -> bool {
    character.is_alphabetic() || matches!(character, '_' | '\\')
}

/// All tokens of a text; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
    // In square brackets a colon stands between window and step, elsewhere it is a letter.
    let mut is_in_brackets = false;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, len) = match character {
            _ if character.is_whitespace() => {
                at += character.len_utf8();
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' | '\'' | '`' => (TokenKind::Text, quoted_len(text, at, character)?),
            '0'..='9' => number_or_duration(text, at)?,
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => number_or_duration(text, at)?,
            ':' if !is_in_brackets => (TokenKind::Name, name_len(rest, is_in_brackets)),
            _ if begins_name(character) => (TokenKind::Name, name_len(rest, is_in_brackets)),
            _ => match LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (TokenKind::Sign, sign.len()),
                None if SHORT_SIGNS.contains(character) => (TokenKind::Sign, 1),
                None => {
                    let span = Span { start: at as u32, end: (at + character.len_utf8()) as u32 };
                    return Err(ParseError::wrong(text, span, format!("unexpected character {character:?}")));
                }
            },
        };
        match character {
            '[' => is_in_brackets = true,
            ']' => is_in_brackets = false,
            _ => {}
        }
        tokens.push(Token { kind, span: Span { start: at as u32, end: (at + len) as u32 } });
        at += len;
    }
    tokens.push(Token { kind: TokenKind::End, span: Span { start: at as u32, end: at as u32 } });
    Ok(tokens)
}

/// Letters, digits, `_`, `.`, `:`, and anything behind a backslash.
fn name_len(rest: &str, is_in_brackets: bool) -> usize {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices() {
        let is_part =
            character.is_alphanumeric() || matches!(character, '_' | '.' | '\\') || character == ':' && !is_in_brackets;
        if !is_escaped && !is_part {
            return at;
        }
        is_escaped = !is_escaped && character == '\\';
    }
    rest.len()
}

fn quoted_len(text: &str, start: usize, quote: char) -> Result<usize, ParseError> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        if byte == quote as u8 && !is_escaped {
            return Ok(at + 1 - start);
        }
        is_escaped = !is_escaped && byte == b'\\' && quote != '`';
    }
    let span = Span { start: start as u32, end: text.len() as u32 };
    Err(ParseError::wrong(text, span, format!("the text that begins with {quote} has no closing quote")))
}

fn number_or_duration(text: &str, start: usize) -> Result<(TokenKind, usize), ParseError> {
    let bytes = &text.as_bytes()[start..];
    let digits_len = bytes.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_')).count();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let mut len = bytes.iter().take_while(|byte| is_part(byte)).count();
    // The sign of an exponent belongs to the number, if digits follow.
    if len == digits_len + 1
        && matches!(bytes[digits_len], b'e' | b'E')
        && matches!(bytes.get(len), Some(b'+' | b'-'))
        && bytes.get(len + 1).is_some_and(u8::is_ascii_digit)
    {
        len += 1;
        len += bytes[len..].iter().take_while(|byte| is_part(byte)).count();
    }
    let word = &text[start..start + len];
    if duration::parse(word).is_some() {
        return Ok((TokenKind::Duration, len));
    }
    if number::parse(word).is_some() {
        return Ok((TokenKind::Number, len));
    }
    let span = Span { start: start as u32, end: (start + len) as u32 };
    Err(ParseError::expected(text, span, "a number or a duration such as 1h30m", format!("{word:?}")))
}
