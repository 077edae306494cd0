//! What stands behind an expression: windows, offsets, instants, and the durations in them.

use super::ast::{Duration, ExprId, Modifiers, Node};
use super::missing::Place;
use super::parser::{Parsed, Parser};
use super::position::ParseError;
use super::token::TokenKind;
use super::{duration, number};

impl Parser<'_> {
    /// Reads what stands behind an expression: windows, offsets, instants.
    pub(super) fn modified(&mut self, mut of: ExprId, start: u32) -> Parsed<ExprId> {
        let mut modifiers = Modifiers::default();
        let mut is_modified = false;
        loop {
            if self.is_sign("[") {
                if is_modified {
                    let bracket = self.span();
                    let node = Node::Modified { of, modifiers: std::mem::take(&mut modifiers) };
                    let had_window = matches!(&node, Node::Modified { modifiers, .. } if has_brackets(modifiers));
                    of = self.push(node, start)?;
                    self.window(&mut modifiers)?;
                    if had_window || !modifiers.is_subquery {
                        let what = "the window must stand before offset and @, and only once";
                        return Err(ParseError::wrong(self.text, bracket, what));
                    }
                } else {
                    self.unfold_substituted(&mut of, start)?;
                    self.window(&mut modifiers)?;
                }
            } else if self.is_keyword("offset") {
                if modifiers.offset.is_some() {
                    return Err(ParseError::wrong(self.text, self.span(), "offset may not be given twice"));
                }
                if !is_modified {
                    self.unfold_substituted(&mut of, start)?;
                }
                self.advance();
                modifiers.offset = Some(self.duration(true)?);
            } else if self.is_sign("@") {
                if modifiers.at.is_some() {
                    return Err(ParseError::wrong(self.text, self.span(), "@ may not be given twice"));
                }
                if !is_modified {
                    self.unfold_substituted(&mut of, start)?;
                }
                self.advance();
                modifiers.at = Some(self.instant()?);
            } else if is_modified {
                return self.push(Node::Modified { of, modifiers }, start);
            } else {
                return Ok(of);
            }
            is_modified = true;
        }
    }

    /// What a template put in place of its name gets brackets before it is modified again.
    fn unfold_substituted(&mut self, of: &mut ExprId, start: u32) -> Parsed<()> {
        if matches!(self.made.node(*of), Node::Modified { .. }) {
            *of = self.push(Node::Paren(*of), start)?;
        }
        Ok(())
    }

    /// What stands behind `@`: an operand without modifiers, perhaps with a sign.
    fn instant(&mut self) -> Parsed<ExprId> {
        let start = self.span().start;
        if self.take("-") {
            let of = self.primary()?;
            return self.push(Node::Negative(of), start);
        }
        self.take("+");
        self.primary()
    }

    /// `[window]`, `[window:step]`, `[:step]` and `[:]`.
    fn window(&mut self, modifiers: &mut Modifiers) -> Parsed<()> {
        self.advance();
        if !self.is_sign(":") {
            modifiers.window = Some(self.duration(false)?);
        }
        if self.take(":") {
            modifiers.is_subquery = true;
            if !self.is_sign("]") {
                modifiers.step = Some(self.duration(false)?);
            }
        }
        if let Some(missing) = self.missing(Place::Length) {
            return Err(missing);
        }
        self.expect("]", if modifiers.is_subquery { "\"]\"" } else { "\":\" or \"]\"" })
    }

    /// A duration, a number of seconds, or a template of one of them.
    fn duration(&mut self, may_be_negative: bool) -> Parsed<Duration> {
        let is_negative = may_be_negative && self.take("-");
        if may_be_negative && !is_negative {
            self.take("+");
        }
        let span = self.span();
        let mut length = match self.token().kind {
            TokenKind::Duration => duration::parse(self.word()),
            TokenKind::Number => number::parse(self.word()).and_then(duration::of_seconds),
            TokenKind::Name => self.duration_of_template(),
            _ => None,
        }
        .ok_or_else(|| {
            let is_sign = self.is_sign("+") || self.is_sign("-");
            let missing = self.missing(Place::Length).filter(|_| !is_sign);
            missing.unwrap_or_else(|| self.unexpected("a duration such as 5m"))
        })?;
        self.advance();
        // `1h-5m` without spaces is one duration.
        while self.is_sign("-") && self.span().start == self.tokens[self.at - 1].span.end {
            let next = self.tokens[(self.at + 1).min(self.tokens.len() - 1)];
            let Some(less) = (next.kind == TokenKind::Duration && next.span.start == self.span().end)
                .then(|| duration::parse(self.word_at(self.at + 1)))
                .flatten()
            else {
                break;
            };
            length.milliseconds -= less.milliseconds;
            length.steps -= less.steps;
            self.advance();
            self.advance();
        }
        if !may_be_negative && length.milliseconds <= 0.0 && length.steps <= 0.0 && !self.is_checking() {
            return Err(ParseError::wrong(self.text, span, "the duration must be greater than 0"));
        }
        if is_negative {
            // From 0, so that there is no negative zero.
            length = Duration { milliseconds: 0.0 - length.milliseconds, steps: 0.0 - length.steps };
        }
        Ok(length)
    }
}

fn has_brackets(modifiers: &Modifiers) -> bool {
    modifiers.window.is_some() || modifiers.is_subquery
}
