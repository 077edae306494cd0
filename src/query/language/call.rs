//! What begins with a name: calls, aggregations, numbers that are words, metrics.

use super::ast::{ExprId, Grouping, Node};
use super::missing::Place;
use super::parser::{Parsed, Parser};
use super::position::ParseError;
use super::quoted::unescape_name;
use super::token::TokenKind;
use crate::query::dialect::Dialect;
use crate::query::functions::table;

impl Parser<'_> {
    /// Reads what begins with the name that is the token.
    pub(super) fn named(&mut self, start: u32) -> Parsed<ExprId> {
        let word = self.word();
        if self.is_next_sign("(") {
            if word.eq_ignore_ascii_case("with") {
                return self.with(start);
            }
            return self.call(start);
        }
        let is_metric = self.is_next_sign("{");
        if !is_metric {
            let number = match () {
                () if word.eq_ignore_ascii_case("inf") => Some(f64::INFINITY),
                () if word.eq_ignore_ascii_case("nan") => Some(f64::NAN),
                () => None,
            };
            if let Some(number) = number {
                self.advance();
                return self.push(Node::Number(number), start);
            }
            // `sum by (job) (up)`; a metric may be called `sum` too.
            if let Some(operator) = self.aggregate_name(word) {
                self.advance();
                if let Some(grouping) = self.grouping()? {
                    return self.aggregate(operator, Some(grouping), start);
                }
                return self.metric(word, start);
            }
        }
        self.advance();
        self.metric(word, start)
    }

    fn aggregate_name(&self, word: &str) -> Option<String> {
        if self.templates.find(word).is_some() {
            return None;
        }
        let operator = word.to_ascii_lowercase();
        table::aggregate(&operator, self.dialect).map(|_| operator)
    }

    /// `by (…)` or `without (…)`, if it is there.
    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let is_without = self.is_keyword("without");
        if !(is_without || self.is_keyword("by")) || !self.is_next_sign("(") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(Grouping { is_without, labels: self.label_list()? }))
    }

    fn aggregate(&mut self, operator: String, grouping: Option<Grouping>, start: u32) -> Parsed<ExprId> {
        self.expect("(", "\"(\"")?;
        let arguments = self.arguments()?;
        let grouping = if grouping.is_some() { grouping } else { self.grouping()? };
        let mut limit = None;
        if self.is_keyword("limit") && self.tokens[self.at + 1].kind == TokenKind::Number {
            self.advance();
            limit = Some(self.word().parse::<u64>().map_err(|_| self.unexpected("a whole number of rows"))?);
            self.advance();
        }
        self.push(Node::Aggregate { operator, arguments, grouping, limit }, start)
    }

    /// A name with round brackets behind it.
    fn call(&mut self, start: u32) -> Parsed<ExprId> {
        let name = self.word();
        if let Some(template) = self.templates.find(name) {
            self.advance();
            self.advance();
            return self.call_template(template, start);
        }
        if let Some(operator) = self.aggregate_name(name) {
            self.advance();
            return self.aggregate(operator, None, start);
        }
        // MetricsQL calls functions in any case.
        let lower = if self.dialect == Dialect::MetricsQl { name.to_ascii_lowercase() } else { name.to_owned() };
        let is_known = table::function(&lower, self.dialect).is_some();
        let is_instant = matches!(lower.as_str(), "start" | "end");
        if !is_known && !is_instant {
            if let Some(missing) = self.missing(Place::Call) {
                return Err(missing);
            }
            let name = unescape_name(name).chars().take(80).collect::<String>();
            let meant = table::meant(&name, self.dialect).map_or_else(String::new, |meant| format!("; {meant}"));
            let what = format!("unknown function {name:?}{meant}");
            return Err(ParseError::wrong(self.text, self.span(), what));
        }
        self.advance();
        self.advance();
        let first_node = self.made.nodes.len();
        let arguments = self.arguments()?;
        if let Some(made) = self.builtin_template(&lower, &arguments, first_node, start)? {
            // The operators that it is made of drop names all the same.
            self.take_keyword("keep_metric_names");
            return Ok(made);
        }
        let keep_metric_names = self.take_keyword("keep_metric_names");
        self.push(Node::Call { function: lower, arguments, keep_metric_names }, start)
    }
}
