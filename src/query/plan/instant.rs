//! The instant behind `@`, as far as it follows from the query alone.

use super::Request;
use crate::query::dialect::Dialect;
use crate::query::language::ast::{BinaryOperator, ExprId, Expression, Node};
use crate::query::series::grid::Grid;

/// The value of an expression that reads no samples, in seconds; nothing for one that does.
pub(super) fn constant(expression: &Expression, id: ExprId, grid: Grid, request: &Request) -> Option<f64> {
    // In MetricsQL a subquery has a start and an end of its own.
    let (start_ms, end_ms) = match request.dialect {
        Dialect::MetricsQl => (grid.start_ms, grid.range_end_ms()),
        Dialect::PromQl => (request.start_ms, request.end_ms),
    };
    // The children of a node stand before it, so that the values up to the node can be computed in their order.
    let subtree = expression.subtree(id);
    let mut values: Vec<Option<f64>> = Vec::with_capacity(subtree.nodes.len());
    for node in &subtree.nodes {
        let value = |child: ExprId| values[child.0 as usize];
        let computed = match node {
            Node::Number(number) => Some(*number),
            Node::Duration(duration) => Some(duration.in_milliseconds(grid.step_ms) as f64 / 1e3),
            Node::Paren(of) => value(*of),
            Node::Negative(of) => value(*of).map(|value| -value),
            Node::Binary { operator, left, right, .. } => match (operator, value(*left), value(*right)) {
                (BinaryOperator::Add, Some(left), Some(right)) => Some(left + right),
                (BinaryOperator::Subtract, Some(left), Some(right)) => Some(left - right),
                (BinaryOperator::Multiply, Some(left), Some(right)) => Some(left * right),
                (BinaryOperator::Divide, Some(left), Some(right)) => Some(left / right),
                (BinaryOperator::Remainder, Some(left), Some(right)) => Some(left % right),
                _ => None,
            },
            Node::Call { function, arguments, .. } if arguments.is_empty() => match function.as_str() {
                "start" => Some(start_ms as f64 / 1e3),
                "end" => Some(end_ms as f64 / 1e3),
                "now" => Some(request.now_ms as f64 / 1e3),
                "step" => Some(grid.step_ms as f64 / 1e3),
                "time" => Some(grid.start_ms as f64 / 1e3),
                _ => None,
            },
            _ => None,
        };
        values.push(computed);
    }
    values.pop().flatten()
}
