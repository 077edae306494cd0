//! Texts become expressions: operators by their powers, everything else by the word in front.

use super::ast::{BinaryOperator, ExprId, Expression, Join, Matching, Node, Span};
use super::missing::{Missing, Place};
use super::operator::{LEAST_POWER, SIGN_POWER};
use super::position::ParseError;
use super::template::Templates;
use super::token::{Token, TokenKind, tokens};
use super::{duration, number, quoted};
use crate::query::dialect::Dialect;

/// The longest text that is read, in bytes.
pub(super) const MAX_TEXT_LEN: usize = 64 << 10;
/// The most nodes an expression may have, templates expanded.
const MAX_NODES: usize = 50_000;
/// How deep brackets, signs, templates and right sides of operators may be nested. The parser is the only walk that recurses.
const MAX_DEPTH: usize = 200;

/// What every step of the parser gives.
pub(super) type Parsed<T> = Result<T, ParseError>;

/// A text on its way to become an expression.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) dialect: Dialect,
    pub(super) made: Expression,
    pub(super) templates: Templates,
    /// What is left of [`MAX_NODES`].
    pub(super) budget: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// A parser at the beginning of a text.
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Parsed<Self> {
        Self::within(text, dialect, MAX_TEXT_LEN)
    }

    /// The same for a text that may have so many bytes.
    pub(super) fn within(text: &'a str, dialect: Dialect, most_bytes: usize) -> Parsed<Self> {
        if text.len() > most_bytes {
            let what = format!("the text has {} bytes, more than {most_bytes}; make it shorter", text.len());
            return Err(ParseError::wrong("", Span::default(), what));
        }
        Ok(Self {
            text,
            tokens: tokens(text)?,
            at: 0,
            dialect,
            made: Expression::default(),
            templates: Templates::default(),
            budget: MAX_NODES,
            depth: 0,
        })
    }

    /// Reads the whole text as one expression.
    pub(super) fn whole(mut self) -> Parsed<Expression> {
        if self.token().kind == TokenKind::End {
            return Err(ParseError::wrong(self.text, self.span(), "the text has no expression"));
        }
        self.expression(LEAST_POWER)?;
        self.expect_end("an operator or the end")?;
        Ok(self.made)
    }

    // ---- tokens ---------------------------------------------------------------------------------

    pub(super) fn token(&self) -> Token {
        self.tokens[self.at]
    }

    pub(super) fn span(&self) -> Span {
        self.token().span
    }

    /// The text of the token; empty at the end.
    pub(super) fn word(&self) -> &'a str {
        self.word_at(self.at)
    }

    /// The text of the token at a place.
    pub(super) fn word_at(&self, at: usize) -> &'a str {
        let Span { start, end } = self.tokens[at].span;
        &self.text[start as usize..end as usize]
    }

    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.token().kind == TokenKind::Sign && self.word() == sign
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.token().kind == TokenKind::Name && self.word().eq_ignore_ascii_case(keyword)
    }

    /// Whether the token behind this one is that sign.
    pub(super) fn is_next_sign(&self, sign: &str) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|token| token.kind == TokenKind::Sign)
            && self.word_at(self.at + 1) == sign
    }

    /// Takes the sign if it is there.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let is_there = self.is_sign(sign);
        if is_there {
            self.advance();
        }
        is_there
    }

    /// Takes the keyword if it is there.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_there = self.is_keyword(keyword);
        if is_there {
            self.advance();
        }
        is_there
    }

    /// Takes the sign, which must be there.
    pub(super) fn expect(&mut self, sign: &str, expected: &str) -> Parsed<()> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    pub(super) fn expect_end(&self, expected: &str) -> Parsed<()> {
        if self.token().kind == TokenKind::End { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// The error that something else was expected in place of the token.
    #[cold]
    pub(super) fn unexpected(&self, expected: &str) -> ParseError {
        if let Some(missing) = self.missing(Place::Behind) {
            return missing;
        }
        let found = match self.token().kind {
            TokenKind::End => "the end".to_owned(),
            _ => format!("{:?}", self.word().chars().take(40).collect::<String>()),
        };
        ParseError::expected(self.text, self.span(), expected, found)
    }

    /// The error that the token belongs to something that is not there; nothing for any other token.
    pub(super) fn missing(&self, place: Place) -> Option<ParseError> {
        let missing = Missing::of_word(self.word(), place)?;
        Some(ParseError::wrong(self.text, self.span(), missing.message()))
    }

    /// The value of a text in quotes, which is the token.
    pub(super) fn unquoted(&mut self) -> Parsed<String> {
        let span = self.span();
        let value = quoted::unquote(self.word()).map_err(|bad| {
            let start = span.start + bad.at as u32;
            let found = self.text[start as usize..].chars().take(2).collect::<String>();
            ParseError::expected(self.text, Span { start, end: span.end }, bad.expected, format!("{found:?}"))
        })?;
        self.advance();
        Ok(value)
    }

    // ---- nodes ----------------------------------------------------------------------------------

    /// Appends a node that reaches from `start` to the token before this one.
    pub(super) fn push(&mut self, node: Node, start: u32) -> Parsed<ExprId> {
        self.charge(1, start)?;
        let end = if self.at > 0 { self.tokens[self.at - 1].span.end } else { 0 };
        Ok(self.made.push(node, Span { start, end: end.max(start) }))
    }

    /// Takes from what an expression may cost.
    pub(super) fn charge(&mut self, nodes: usize, start: u32) -> Parsed<()> {
        match self.budget.checked_sub(nodes) {
            Some(left) => self.budget = left,
            None => {
                let span = Span { start, end: start };
                let what = format!("the expression has more than {MAX_NODES} nodes with its templates expanded");
                return Err(ParseError::wrong(self.text, span, what));
            }
        }
        Ok(())
    }

    /// Runs a step one level deeper.
    pub(super) fn nested<T>(&mut self, step: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            let what = format!("the expression is nested more than {MAX_DEPTH} levels deep");
            return Err(ParseError::wrong(self.text, self.span(), what));
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    // ---- operators ------------------------------------------------------------------------------

    /// Reads an expression up to an operator that binds less tightly than `least`.
    pub(super) fn expression(&mut self, least: u8) -> Parsed<ExprId> {
        self.nested(|parser| parser.operators(least))
    }

    fn operators(&mut self, least: u8) -> Parsed<ExprId> {
        let start = self.span().start;
        let mut left = self.operand()?;
        while let Some((operator, power)) = self.operator() {
            if power < least {
                break;
            }
            self.advance();
            left = self.right_side(operator, power, left, start)?;
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(BinaryOperator, u8)> {
        matches!(self.token().kind, TokenKind::Sign | TokenKind::Name).then(|| BinaryOperator::of_text(self.word()))?
    }

    fn right_side(&mut self, operator: BinaryOperator, power: u8, left: ExprId, start: u32) -> Parsed<ExprId> {
        let is_bool = self.take_bool(operator)?;
        let matching = self.matching()?;
        let join = self.join(operator, matching.as_ref())?;
        let right = self.expression(if operator.is_right_associative() { power } else { power + 1 })?;
        if let (BinaryOperator::Add, Node::Text(_), Node::Text(_)) =
            (operator, self.made.node(left), self.made.node(right))
        {
            return self.joined_texts(start);
        }
        let keep_metric_names = self.take_keyword("keep_metric_names");
        let node = Node::Binary { operator, left, right, is_bool, matching, join, keep_metric_names };
        let made = self.push(node, start)?;
        // So that it can be told from a `keep_metric_names` of the right side when it is printed.
        if keep_metric_names { self.push(Node::Paren(made), start) } else { Ok(made) }
    }

    /// Two texts with a plus, the last two nodes, become one text.
    fn joined_texts(&mut self, start: u32) -> Parsed<ExprId> {
        let (Some(Node::Text(right)), Some(Node::Text(mut left))) = (self.made.nodes.pop(), self.made.nodes.pop())
        else {
            return Err(self.unexpected("texts"));
        };
        self.made.spans.truncate(self.made.nodes.len());
        left.push_str(&right);
        self.charge(left.len() / 64, start)?;
        self.push(Node::Text(left), start)
    }

    /// `bool` behind a comparison is never a metric's name.
    fn take_bool(&mut self, operator: BinaryOperator) -> Parsed<bool> {
        if !self.is_keyword("bool") {
            return Ok(false);
        }
        if !operator.is_comparison() {
            return Err(ParseError::wrong(self.text, self.span(), "only a comparison may have the modifier bool"));
        }
        self.advance();
        Ok(true)
    }

    fn matching(&mut self) -> Parsed<Option<Matching>> {
        let is_on = self.is_keyword("on");
        if !(is_on || self.is_keyword("ignoring")) || !self.is_next_sign("(") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(Matching { is_on, labels: self.label_list()? }))
    }

    fn join(&mut self, operator: BinaryOperator, matching: Option<&Matching>) -> Parsed<Option<Join>> {
        let is_left = self.is_keyword("group_left");
        let is_join = is_left || self.is_keyword("group_right");
        let Some(matching) = matching.filter(|_| is_join) else { return Ok(None) };
        if operator.is_set() {
            let what = format!("{} may not be used with {}", self.word(), operator.text());
            return Err(ParseError::wrong(self.text, self.span(), what));
        }
        self.advance();
        let include_at = self.span();
        let include = if self.is_sign("(") { self.label_list()? } else { Vec::new() };
        if let Some(label) = include.iter().find(|label| matching.is_on && matching.labels.contains(label)) {
            let what = format!("the label {label:?} may not stand in on and in group_left or group_right at once");
            return Err(ParseError::wrong(self.text, include_at, what));
        }
        let mut prefix = None;
        if self.is_keyword("prefix") && self.tokens[self.at + 1].kind == TokenKind::Text {
            self.advance();
            prefix = Some(self.unquoted()?);
        }
        Ok(Some(Join { is_left, include, prefix }))
    }

    // ---- operands -------------------------------------------------------------------------------

    fn operand(&mut self) -> Parsed<ExprId> {
        let start = self.span().start;
        if self.take("+") {
            return self.expression(SIGN_POWER);
        }
        if self.take("-") {
            let of = self.expression(SIGN_POWER)?;
            return self.push(Node::Negative(of), start);
        }
        let of = self.primary()?;
        self.modified(of, start)
    }

    /// An operand without a sign and without modifiers.
    pub(super) fn primary(&mut self) -> Parsed<ExprId> {
        let start = self.span().start;
        let expected = "a selector, a function, a number, a text or \"(\"";
        match self.token().kind {
            TokenKind::Number => {
                let value = number::parse(self.word()).ok_or_else(|| self.unexpected(expected))?;
                self.advance();
                self.push(Node::Number(value), start)
            }
            TokenKind::Duration => {
                let length = duration::parse(self.word()).ok_or_else(|| self.unexpected(expected))?;
                self.advance();
                self.push(Node::Duration(length), start)
            }
            TokenKind::Text => {
                let text = self.unquoted()?;
                self.push(Node::Text(text), start)
            }
            TokenKind::Name => self.named(start),
            TokenKind::Sign if self.is_sign("{") => {
                let lists = self.braces(None)?;
                self.selector_node(lists, start)
            }
            TokenKind::Sign if self.take("(") => self.bracketed(start),
            TokenKind::Sign if self.at > 0 && matches!(self.word_at(self.at - 1), "<" | ">") => {
                Err(self.missing(Place::Comparison).unwrap_or_else(|| self.unexpected(expected)))
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// What stands in round brackets: one expression or a union of several.
    fn bracketed(&mut self, start: u32) -> Parsed<ExprId> {
        let inside = self.arguments()?;
        let &[only] = &inside[..] else { return self.push(Node::List(inside), start) };
        if self.is_keyword("keep_metric_names")
            && let Some(Node::Binary { keep_metric_names, .. }) = self.made.nodes.get_mut(only.0 as usize)
        {
            *keep_metric_names = true;
            self.advance();
        }
        self.push(Node::Paren(only), start)
    }

    /// Expressions between commas up to the closing bracket, behind the opening one.
    pub(super) fn arguments(&mut self) -> Parsed<Vec<ExprId>> {
        let mut arguments = Vec::new();
        while !self.take(")") {
            arguments.push(self.expression(LEAST_POWER)?);
            if !self.take(",") {
                self.expect(")", "\",\", \")\" or an operator")?;
                break;
            }
        }
        Ok(arguments)
    }
}
