//! Selectors: `up{job="node",instance=~"a|b"}`, `{"name", "label"="value"}`, several lists of conditions with `or`.

use super::ast::{ExprId, MatchOperator, Matcher, Node, Span, cost_of_crossed, crossed};
use super::parser::{Parsed, Parser};
use super::position::ParseError;
use super::quoted::unescape_name;
use super::template::Found;
use super::token::TokenKind;
use crate::error::{Error, ErrorKind, Result};
use crate::metric::filter::{RegexRule, TagFilter};
use crate::query::dialect::Dialect;
use crate::query::series::labels::NAME;

/// The longest selector that stands by itself: lists of alternatives grow long.
const MAX_SELECTOR_LEN: usize = 1 << 20;

/// Conditions that a selector has with what a request adds to it.
const MAX_CONDITIONS: usize = 50_000;
/// What a regular expression costs, in nodes, when it must be tried on the empty text.
const REGEX_COST: usize = 2_000;

impl Matcher {
    /// A condition on the metric's name.
    pub(super) fn name(value: String) -> Self {
        Self { label: NAME.to_owned(), operator: MatchOperator::Equal, value }
    }

    /// The condition as storage takes it. PromQL's regular expressions have their plain meaning, MetricsQL's the server's.
    ///
    /// # Errors
    /// `Invalid` for a regular expression that can't be read or is too large.
    pub fn to_tag_filter(&self, dialect: Dialect) -> Result<TagFilter> {
        let is_negative = matches!(self.operator, MatchOperator::NotEqual | MatchOperator::NotRegex);
        let is_regex = matches!(self.operator, MatchOperator::Regex | MatchOperator::NotRegex);
        let rule = match dialect {
            Dialect::MetricsQl => RegexRule::Server,
            Dialect::PromQl => RegexRule::Plain,
        };
        TagFilter::with_rule(self.label.as_bytes(), self.value.as_bytes(), is_negative, is_regex, rule)
            .map_err(|error| error.at(format_args!("label {:?}", self.label)))
    }
}

/// A selector's conditions as storage takes them: series that fit all filters of one of the lists are found.
///
/// # Errors
/// `Invalid` for a regular expression that can't be read or is too large.
pub fn tag_filters(lists: &[Vec<Matcher>], dialect: Dialect) -> Result<Vec<Vec<TagFilter>>> {
    lists.iter().map(|list| list.iter().map(|matcher| matcher.to_tag_filter(dialect)).collect()).collect()
}

/// Reads a selector by itself, as `select`, `labels` and `export` take it: everything that either language accepts.
///
/// # Errors
/// [`ParseError`] for anything else, and for a selector without conditions, which would mean all series by mistake.
pub fn parse_selector(text: &str) -> std::result::Result<Vec<Vec<Matcher>>, ParseError> {
    let mut parser = Parser::within(text, Dialect::MetricsQl, MAX_SELECTOR_LEN)?;
    let start = parser.span();
    let name = match parser.token().kind {
        TokenKind::Name => {
            let name = unescape_name(parser.word());
            parser.advance();
            Some(name)
        }
        _ => None,
    };
    let lists = match name {
        Some(name) if !parser.is_sign("{") => vec![vec![Matcher::name(name)]],
        name if parser.is_sign("{") => parser.braces(name)?,
        _ => return Err(parser.unexpected("a metric name or \"{\"")),
    };
    parser.expect_end("the end of the selector")?;
    if lists.iter().any(Vec::is_empty) {
        let what = "the selector has no condition; write {__name__!=\"\"} for all series";
        return Err(ParseError::wrong(text, start, what));
    }
    Ok(lists)
}

/// Conditions of which one of `lists` and one of `more` must hold; `lists` alone where there are no more.
///
/// # Errors
/// `Limit` where they multiply to too many.
pub fn both(lists: &[Vec<Matcher>], more: &[Vec<Matcher>]) -> Result<Vec<Vec<Matcher>>> {
    if more.is_empty() {
        return Ok(lists.to_vec());
    }
    let combined = cost_of_crossed(lists, more);
    if combined > MAX_CONDITIONS {
        let message =
            format!("a selector with its extra filters has {combined} conditions, more than {MAX_CONDITIONS}");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    Ok(crossed(lists, more))
}

impl MatchOperator {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// The name of a selector that has a name and nothing else.
pub(super) fn bare_name(node: &Node) -> Option<&str> {
    match node {
        Node::Selector(lists) => match &lists[..] {
            [list] => match &list[..] {
                [only] if only.label == NAME && only.operator == MatchOperator::Equal => Some(&only.value),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

impl Parser<'_> {
    /// A metric's name, which was the last token, and what stands in braces behind it.
    pub(super) fn metric(&mut self, word: &str, start: u32) -> Parsed<ExprId> {
        if let Some(template) = self.templates.find(word) {
            return self.use_template(template, word, start);
        }
        self.plain_metric(word, start)
    }

    /// The same, if no template has this name.
    pub(super) fn plain_metric(&mut self, word: &str, start: u32) -> Parsed<ExprId> {
        let name = unescape_name(word);
        let lists = if self.is_sign("{") { self.braces(Some(name))? } else { vec![vec![Matcher::name(name)]] };
        self.selector_node(lists, start)
    }

    /// Appends a selector. PromQL refuses one that every series without labels would fit.
    pub(super) fn selector_node(&mut self, lists: Vec<Vec<Matcher>>, start: u32) -> Parsed<ExprId> {
        if self.dialect == Dialect::PromQl && !self.is_checking() {
            for list in &lists {
                if self.fits_nothing(list, start)? {
                    let what = "a selector must have at least one condition that the empty text does not fit";
                    return Err(ParseError::wrong(self.text, Span { start, end: start + 1 }, what));
                }
            }
        }
        self.push(Node::Selector(lists), start)
    }

    /// Whether a series without labels would fit.
    fn fits_nothing(&mut self, list: &[Matcher], start: u32) -> Parsed<bool> {
        let needs_regex =
            |matcher: &&Matcher| matches!(matcher.operator, MatchOperator::Regex | MatchOperator::NotRegex);
        if list
            .iter()
            .filter(|one| !needs_regex(one))
            .any(|one| (one.operator == MatchOperator::Equal) != one.value.is_empty())
        {
            return Ok(false);
        }
        for matcher in list.iter().filter(needs_regex) {
            self.charge(REGEX_COST, start)?;
            let filter = matcher.to_tag_filter(self.dialect).map_err(|error: Error| {
                ParseError::wrong(self.text, Span { start, end: start + 1 }, error.message())
            })?;
            if !filter.matches_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The conditions in braces, each list with that of the name in front.
    pub(super) fn braces(&mut self, name: Option<String>) -> Parsed<Vec<Vec<Matcher>>> {
        self.expect("{", "\"{\"")?;
        let base: Vec<Matcher> = name.into_iter().map(Matcher::name).collect();
        let mut lists = Vec::new();
        let mut list = base.clone();
        let mut is_first = true;
        let is_named_outside = !base.is_empty();
        let mut is_named = is_named_outside;
        while !self.take("}") {
            if !is_first && self.is_keyword("or") {
                self.advance();
                lists.push(std::mem::replace(&mut list, base.clone()));
                is_named = is_named_outside;
            } else if !is_first {
                self.expect(",", "\",\", \"or\" or \"}\"")?;
                if self.take("}") {
                    break;
                }
            }
            is_first = false;
            let (span, first) = (self.span(), list.len());
            let is_quoted_name = self.condition(&mut list)?;
            // A name in front or in quotes settles it in PromQL; braces alone may have several conditions on it.
            let has_name = list[first..].iter().any(|matcher| matcher.label == NAME);
            if is_named && has_name && self.dialect == Dialect::PromQl {
                return Err(ParseError::wrong(self.text, span, "the metric's name may not be given twice"));
            }
            is_named |= is_quoted_name;
        }
        lists.push(list);
        self.charge(lists.len(), 0)?;
        Ok(lists)
    }

    /// One condition: a label with a value, a quoted name, or a template of conditions. Tells whether it was a quoted name.
    fn condition(&mut self, list: &mut Vec<Matcher>) -> Parsed<bool> {
        let span = self.span();
        let label = match self.token().kind {
            TokenKind::Name => {
                let word = self.word();
                self.advance();
                if self.is_sign(",") || self.is_sign("}") || self.is_keyword("or") {
                    let Some(matchers) = self.conditions_of_template(word, span)? else {
                        return Err(self.unexpected("one of = != =~ !~"));
                    };
                    list.extend(matchers);
                    return Ok(false);
                }
                unescape_name(word)
            }
            TokenKind::Text => {
                let name = self.unquoted()?;
                if self.is_sign(",") || self.is_sign("}") || self.is_keyword("or") {
                    list.push(Matcher::name(name));
                    return Ok(true);
                }
                name
            }
            _ => return Err(self.unexpected("a label name or \"}\"")),
        };
        let operator = match self.word() {
            "=" => MatchOperator::Equal,
            "!=" => MatchOperator::NotEqual,
            "=~" => MatchOperator::Regex,
            "!~" => MatchOperator::NotRegex,
            _ => return Err(self.unexpected("one of = != =~ !~")),
        };
        self.advance();
        let value = self.condition_value()?;
        list.push(Matcher { label, operator, value });
        Ok(false)
    }

    /// A quoted text or a template of one, and what is added to it.
    fn condition_value(&mut self) -> Parsed<String> {
        let mut value = String::new();
        loop {
            let start = self.span().start;
            match self.token().kind {
                TokenKind::Text => value.push_str(&self.unquoted()?),
                TokenKind::Name => {
                    match self.templates.find(self.word()).map(|template| self.templates.found(template)) {
                        Some(Found::Nodes([Node::Text(text)])) => value.push_str(text),
                        Some(Found::Unknown) => {}
                        _ => return Err(self.unexpected("a quoted value")),
                    }
                    self.advance();
                }
                _ => return Err(self.unexpected("a quoted value")),
            }
            self.charge(value.len() / 64, start)?;
            if !self.take("+") {
                return Ok(value);
            }
        }
    }

    /// `(a, "b", c)`: names of labels. A template of names stands for them, `*` for all.
    pub(super) fn label_list(&mut self) -> Parsed<Vec<String>> {
        self.expect("(", "\"(\"")?;
        let mut labels = Vec::new();
        while !self.take(")") {
            match self.token().kind {
                TokenKind::Name => {
                    let word = self.word();
                    match self.templates.find(word) {
                        Some(template) => self.labels_of_template(template, &mut labels)?,
                        None => labels.push(unescape_name(word)),
                    }
                    self.advance();
                }
                TokenKind::Text => labels.push(self.unquoted()?),
                _ if self.take("*") => labels.push("*".to_owned()),
                _ => return Err(self.unexpected("a label name or \")\"")),
            }
            if !self.take(",") {
                self.expect(")", "\",\" or \")\"")?;
                break;
            }
        }
        Ok(labels)
    }
}
