//! Mistakes in a text and where they are.

use super::ast::Span;
use crate::error::Error;
use std::fmt;

/// What is wrong with a text. Shown as `1:5: parse error: …`, line and column first, as clients expect it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The bytes that the error is about.
    pub span: Span,
    /// The line of its first byte, from 1.
    pub line: u32,
    /// The character in that line, from 1.
    pub column: u32,
    /// What could have stood there; empty if `found` says it all.
    pub expected: String,
    /// What stands there, or what is wrong.
    pub found: String,
}

/// The line of a byte of a text, and the character in that line, both from 1.
pub fn place(text: &str, byte: u32) -> (u32, u32) {
    let before = text.get(..byte as usize).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() as u32 + 1, before[line_start..].chars().count() as u32 + 1)
}

impl ParseError {
    /// Something else was expected at this place of the text.
    #[cold]
    pub fn expected(text: &str, span: Span, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (line, column) = place(text, span.start);
        Self { span, line, column, expected: expected.into(), found: found.into() }
    }

    /// A mistake that no other word in this place would mend.
    #[cold]
    pub fn wrong(text: &str, span: Span, what: impl Into<String>) -> Self {
        Self::expected(text, span, "", what)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, expected, found, .. } = self;
        if expected.is_empty() {
            write!(f, "{line}:{column}: parse error: {found}")
        } else {
            write!(f, "{line}:{column}: parse error: expected {expected}, got {found}")
        }
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Error {
    #[cold]
    fn from(error: ParseError) -> Self {
        Self::invalid(error.to_string())
    }
}
