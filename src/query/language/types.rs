//! What may be handed to what. Both languages check how many arguments a call has; PromQL also checks what they are.

use super::ast::{BinaryOperator, ExprId, Expression, Matching, Modifiers, Node};
use super::position::ParseError;
use crate::query::dialect::Dialect;
use crate::query::functions::signature::{Function, Kind};
use crate::query::functions::table;

/// Checks a whole expression, children first.
pub(super) fn check(expression: &Expression, text: &str, dialect: Dialect) -> Result<(), ParseError> {
    let mut checker = Checker { expression, text, dialect, kinds: Vec::with_capacity(expression.nodes.len()) };
    for at in 0..expression.nodes.len() {
        let kind = checker.kind_of(ExprId(at as u32))?;
        checker.kinds.push(kind);
    }
    Ok(())
}

struct Checker<'a> {
    expression: &'a Expression,
    text: &'a str,
    dialect: Dialect,
    /// Of all nodes before the one that is looked at.
    kinds: Vec<Kind>,
}

impl Checker<'_> {
    fn kind(&self, id: ExprId) -> Kind {
        self.kinds[id.0 as usize]
    }

    fn is_prom_ql(&self) -> bool {
        self.dialect == Dialect::PromQl
    }

    #[cold]
    fn wrong<T>(&self, id: ExprId, what: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::wrong(self.text, self.expression.spans[id.0 as usize], what))
    }

    #[cold]
    fn expected<T>(&self, id: ExprId, expected: impl Into<String>, found: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::expected(self.text, self.expression.spans[id.0 as usize], expected, found))
    }

    fn kind_of(&self, id: ExprId) -> Result<Kind, ParseError> {
        match self.expression.node(id) {
            Node::Number(_) | Node::Duration(_) => Ok(Kind::Scalar),
            Node::Text(_) => Ok(Kind::Text),
            Node::Selector(_) => Ok(Kind::Series),
            Node::Modified { of, modifiers } => self.modified(id, *of, modifiers),
            Node::Call { function, arguments, .. } => match table::function(function, self.dialect) {
                Some(line) => {
                    self.arguments(id, line, arguments)?;
                    Ok(line.result)
                }
                // `start()` and `end()` behind `@`.
                None if arguments.is_empty() => Ok(Kind::Scalar),
                None => self.wrong(id, format!("{function} takes no arguments")),
            },
            Node::Aggregate { operator, arguments, .. } => {
                if let Some(line) = table::aggregate(operator, self.dialect) {
                    self.arguments(id, line, arguments)?;
                }
                Ok(Kind::Series)
            }
            Node::Binary { operator, left, right, is_bool, matching, .. } => {
                self.binary(id, *operator, *left, *right, *is_bool, matching.as_ref())
            }
            Node::Negative(of) => match self.kind(*of) {
                kind @ (Kind::Scalar | Kind::Series) => Ok(kind),
                kind if self.is_prom_ql() => {
                    self.expected(id, "type scalar or instant vector behind a sign", kind.name())
                }
                kind => Ok(kind),
            },
            Node::List(_) if self.is_prom_ql() => self.wrong(id, "PromQL has no unions such as (a, b); use or"),
            Node::List(_) => Ok(Kind::Series),
            Node::Paren(of) => Ok(self.kind(*of)),
        }
    }

    fn modified(&self, id: ExprId, of: ExprId, modifiers: &Modifiers) -> Result<Kind, ParseError> {
        let is_windowed = modifiers.window.is_some() || modifiers.is_subquery;
        if !self.is_prom_ql() {
            return Ok(if is_windowed { Kind::Range } else { self.kind(of) });
        }
        if let Some(at) = modifiers.at {
            let is_instant = |id: ExprId| match self.expression.node(id) {
                Node::Number(_) | Node::Duration(_) => true,
                Node::Call { function, .. } => matches!(function.as_str(), "start" | "end"),
                _ => false,
            };
            let is_signed = matches!(self.expression.node(at), Node::Negative(of) if is_instant(*of));
            if !is_signed && !is_instant(at) {
                return self.expected(at, "unix seconds, start() or end() behind @", "another expression");
            }
        }
        let is_selector = matches!(self.expression.node(of), Node::Selector(_));
        if modifiers.is_subquery {
            return match self.kind(of) {
                _ if modifiers.window.is_none() => self.wrong(id, "a subquery must have a window, such as [5m:1m]"),
                Kind::Series => Ok(Kind::Range),
                kind => self.expected(of, "type instant vector before a subquery", kind.name()),
            };
        }
        if is_windowed {
            if !is_selector {
                return self.wrong(id, "a window can only stand behind a selector; write [5m:] for a subquery");
            }
            return Ok(Kind::Range);
        }
        if !is_selector {
            return self.wrong(id, "offset and @ can only stand behind a selector or a subquery");
        }
        Ok(Kind::Series)
    }

    fn arguments(&self, id: ExprId, line: &Function, arguments: &[ExprId]) -> Result<(), ParseError> {
        let (least, most, given) = (line.least_arguments(), line.most_arguments(), arguments.len());
        if given < least || most.is_some_and(|most| given > most) {
            let expected = match most {
                Some(most) if most == least => format!("{} of {}", counted(least), line.name),
                Some(most) if given > most => format!("at most {} of {}", counted(most), line.name),
                _ => format!("at least {} of {}", counted(least), line.name),
            };
            return self.expected(id, expected, given.to_string());
        }
        if !self.is_prom_ql() {
            return Ok(());
        }
        for (position, &argument) in arguments.iter().enumerate() {
            let (Some(wanted), kind) = (line.argument(position, given), self.kind(argument)) else { continue };
            if wanted.kind != kind {
                let expected = format!("type {} in call to {}", wanted.kind.name(), line.name);
                return self.expected(argument, expected, kind.name());
            }
        }
        Ok(())
    }

    fn binary(
        &self,
        id: ExprId,
        operator: BinaryOperator,
        left: ExprId,
        right: ExprId,
        is_bool: bool,
        matching: Option<&Matching>,
    ) -> Result<Kind, ParseError> {
        let kinds = [self.kind(left), self.kind(right)];
        let are_scalars = kinds == [Kind::Scalar; 2];
        let result = if are_scalars { Kind::Scalar } else { Kind::Series };
        if !self.is_prom_ql() {
            return Ok(result);
        }
        for (side, kind) in [left, right].into_iter().zip(kinds) {
            if !matches!(kind, Kind::Scalar | Kind::Series) {
                return self.expected(
                    side,
                    format!("type scalar or instant vector beside {}", operator.text()),
                    kind.name(),
                );
            }
        }
        if are_scalars && operator.is_comparison() && !is_bool {
            return self.wrong(id, "a comparison of two scalars must have the modifier bool");
        }
        let has_scalar = kinds.contains(&Kind::Scalar);
        if operator.is_set() && has_scalar {
            return self.wrong(id, format!("the operator {} does not work on scalars", operator.text()));
        }
        if has_scalar && matching.is_some_and(|matching| !matching.labels.is_empty()) {
            return self.wrong(id, "labels can only be matched between two instant vectors");
        }
        Ok(result)
    }
}

/// So many arguments, in words.
pub(super) fn counted(arguments: usize) -> String {
    if arguments == 1 { "1 argument".to_owned() } else { format!("{arguments} arguments") }
}
