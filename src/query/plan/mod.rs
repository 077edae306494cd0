//! What is computed where: every node of an expression gets the instants it is computed for, and reads of stored samples are told
//! from what is computed of rows.

mod instant;
mod lower;
mod reach;
mod scalar;

pub use lower::{Instants, Obstacle, lower, window};
pub use reach::{Reach, is_restless, reach};
pub use scalar::{are_literals, are_scalars};

use super::language::ast::{ExprId, Expression, Matcher, Span};
use super::series::grid::Grid;

/// An expression with the work of each of its nodes, children before parents.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The expression.
    pub expression: Expression,
    /// One for each node.
    pub steps: Vec<Step>,
    /// For each node whether it is a number by itself, and not rows.
    pub is_scalar: Vec<bool>,
    /// For each node whether it is a number of the text, or computed of such alone.
    pub is_literal: Vec<bool>,
}

/// What becomes of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The instants it is computed for.
    pub grid: Grid,
    /// How its rows come about.
    pub work: Work,
}

/// How the rows of a node come about.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// They don't: another node's work has it in it.
    None,
    /// Of the rows of its children, as the node says.
    Node,
    /// They are those of another node, at other instants that are in the same places. One instant may stand for all.
    Same(ExprId),
    /// Of stored samples.
    Leaf(Leaf),
    /// Of another node's rows, whose values are taken for samples.
    Resample(Resample),
}

/// The samples of a window become one value an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windowed {
    /// The rollup's name.
    pub rollup: String,
    /// How long the window is; without one it follows the step, or the lookback.
    pub window_ms: Option<i64>,
    /// The call's other arguments, in order.
    pub parameters: Vec<ExprId>,
    /// Where the call's first argument stands in the text, or what stands there without a call.
    pub first_argument: Span,
    /// Whether the metric's name stays though the rollup would drop it.
    pub keep_metric_names: bool,
}

/// A rollup of stored samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Which series.
    pub matchers: Vec<Vec<Matcher>>,
    /// What is made of each one's samples.
    pub windowed: Windowed,
    /// Where the windows end.
    pub grid: Grid,
    /// The aggregation that takes the rows in as they come.
    pub fold: Option<ExprId>,
}

/// A rollup of rows: a subquery.
#[derive(Clone, Debug, PartialEq)]
pub struct Resample {
    /// Whose rows.
    pub of: ExprId,
    /// What is made of them.
    pub windowed: Windowed,
    /// Where the windows end.
    pub grid: Grid,
}

/// An expression that is nothing but a window, such as `m[5m]` or `rate(m[5m])[1h:1m]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WholeWindow {
    /// The selector or the expression inside.
    pub of: ExprId,
    /// Its samples are later.
    pub after_ms: i64,
    /// None is later.
    pub until_ms: i64,
    /// The instants of a subquery; none for a selector, whose samples are stored.
    pub inner: Option<Grid>,
}

/// For what instants, and by whose rules, an expression is planned.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The instants of the whole expression.
    pub grid: Grid,
    /// The language.
    pub dialect: super::dialect::Dialect,
    /// What `start()` is.
    pub start_ms: i64,
    /// What `end()` is.
    pub end_ms: i64,
    /// What `now()` is.
    pub now_ms: i64,
    /// The step of PromQL's subqueries that name none.
    pub default_step_ms: i64,
    /// The most instants a subquery may have.
    pub max_points: usize,
}
