//! Which nodes are numbers by themselves.

use crate::query::dialect::Dialect;
use crate::query::functions::signature::Kind;
use crate::query::functions::table;
use crate::query::language::ast::{ExprId, Expression, Node};

/// For each node whether it is a number that stands in the text, or computed of such alone.
pub fn are_literals(expression: &Expression) -> Vec<bool> {
    let mut literals: Vec<bool> = Vec::with_capacity(expression.nodes.len());
    for node in &expression.nodes {
        let is = |id: &ExprId| literals[id.0 as usize];
        let is_literal = match node {
            Node::Number(_) => true,
            Node::Paren(of) | Node::Negative(of) => is(of),
            Node::Binary { left, right, .. } => is(left) && is(right),
            _ => false,
        };
        literals.push(is_literal);
    }
    literals
}

/// For each node whether it is a number by itself: in PromQL by its type, in MetricsQL literals, `time()` and what is computed of them.
pub fn are_scalars(expression: &Expression, dialect: Dialect) -> Vec<bool> {
    let mut scalars: Vec<bool> = Vec::with_capacity(expression.nodes.len());
    for node in &expression.nodes {
        let is = |id: &ExprId| scalars[id.0 as usize];
        let is_scalar = match node {
            Node::Number(_) | Node::Duration(_) => true,
            Node::Paren(of) | Node::Negative(of) => is(of),
            Node::Binary { left, right, .. } => is(left) && is(right),
            Node::Call { function, .. } => match dialect {
                Dialect::MetricsQl => function == "time",
                Dialect::PromQl => {
                    table::function(function, dialect).is_some_and(|function| function.result == Kind::Scalar)
                }
            },
            _ => false,
        };
        scalars.push(is_scalar);
    }
    scalars
}
