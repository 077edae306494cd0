//! How far the value of one instant sees: which samples and which other instants it may depend on. A query that is followed is
//! evaluated only where something has changed as far as this allows.

use crate::query::dialect::Dialect;
use crate::query::language::ast::{BinaryOperator, ExprId, Expression, Node};
use crate::query::rollup::call::PROMQL_LOOKBACK_MS;

/// Rollups of MetricsQL that look at nothing but the samples in their window, which is as wide as it is written or as a step.
const WITHIN_THEIR_WINDOW: &[&str] = &[
    "avg_over_time",
    "count_over_time",
    "first_over_time",
    "last_over_time",
    "max_over_time",
    "median_over_time",
    "min_over_time",
    "present_over_time",
    "quantile_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
];
/// Those that look at the sample before it, too, or make it wider. How far depends on how often a series is scraped, which is estimated
/// from the first samples of the whole range.
const BY_SCRAPE_INTERVAL: &[&str] = &["delta", "deriv_fast", "idelta", "ideriv", "increase", "irate", "rate"];
/// Aggregations of MetricsQL that give an instant nothing where no row has a value at it, and see no other instant.
const INSTANT_BY_INSTANT: &[&str] = &["avg", "count", "max", "median", "min", "quantile", "stddev", "stdvar", "sum"];
/// Functions of MetricsQL that leave gaps as they are.
const VALUE_BY_VALUE: &[&str] = &["abs", "ceil", "exp", "floor", "ln", "log10", "log2", "sqrt"];
/// Aggregations of PromQL that choose among rows and not among the elements of an instant.
const BY_ROWS: &[&str] = &["limit_ratio", "limitk"];
/// Functions whose values change though no sample and no instant does.
const RESTLESS: &[&str] = &["now", "rand", "rand_exponential", "rand_normal"];

/// From how long before an instant to how long after it samples may count for its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Samples that are older than this don't.
    pub back_ms: i64,
    /// Samples that are later than this don't; more than 0 with a negative offset alone.
    pub ahead_ms: i64,
    /// Whether that holds only as long as it makes no difference how often a series is thought to be scraped.
    pub needs_steady_gaps: bool,
}

/// How far each instant of an expression sees, if its value depends on no other instant of the query and not on where the range begins
/// and ends. In PromQL that is so but for `@`. MetricsQL looks at whole rows in many places: here stand those where it does not.
pub fn reach(expression: &Expression, dialect: Dialect, step_ms: i64, lookback_ms: Option<i64>) -> Option<Reach> {
    let needs_steady_gaps = match dialect {
        Dialect::PromQl => expression.nodes.iter().all(is_local_in_promql).then_some(false),
        Dialect::MetricsQl => gaps_in_metricsql(expression),
    };
    needs_steady_gaps
        .map(|needs_steady_gaps| Reach { needs_steady_gaps, ..sum_of_reaches(expression, step_ms, lookback_ms) })
}

/// Whether the answer may be another one at the next moment, though nothing has become searchable and the range is the same.
pub fn is_restless(expression: &Expression) -> bool {
    let is_restless =
        |node: &Node| matches!(node, Node::Call { function, .. } if RESTLESS.contains(&function.as_str()));
    expression.nodes.iter().any(is_restless)
}

/// No further than all windows and offsets together.
fn sum_of_reaches(expression: &Expression, step_ms: i64, lookback_ms: Option<i64>) -> Reach {
    let mut reach = Reach::default();
    for node in &expression.nodes {
        let (back_ms, ahead_ms) = match node {
            Node::Selector(_) => (lookback_ms.unwrap_or(PROMQL_LOOKBACK_MS), 0),
            Node::Modified { modifiers, .. } => {
                let offset_ms = modifiers.offset.map_or(0, |offset| offset.in_milliseconds(step_ms));
                let window_ms = modifiers.window.map_or(0, |window| window.in_milliseconds(step_ms));
                (window_ms.max(0).saturating_add(offset_ms.max(0)), offset_ms.saturating_neg().max(0))
            }
            _ => (0, 0),
        };
        reach.back_ms = reach.back_ms.saturating_add(back_ms);
        reach.ahead_ms = reach.ahead_ms.saturating_add(ahead_ms);
    }
    reach
}

fn is_local_in_promql(node: &Node) -> bool {
    match node {
        Node::Modified { modifiers, .. } => modifiers.at.is_none(),
        Node::Aggregate { operator, .. } => !BY_ROWS.contains(&operator.as_str()),
        _ => true,
    }
}

/// Whether the values of instants hang on estimates of how often series are scraped; `None` if they hang on one another.
fn gaps_in_metricsql(expression: &Expression) -> Option<bool> {
    let mut needs_steady_gaps = false;
    let mut left = vec![expression.root()];
    while let Some(id) = left.pop() {
        let is_local = match expression.node(id) {
            Node::Number(_) | Node::Duration(_) => true,
            Node::Paren(of) | Node::Negative(of) => {
                left.push(*of);
                true
            }
            Node::Call { function, arguments, .. } if VALUE_BY_VALUE.contains(&function.as_str()) => {
                left.extend(arguments);
                true
            }
            Node::Selector(_) | Node::Modified { .. } => {
                needs_steady_gaps = true;
                is_plain_selector(expression, id)
            }
            // The selector in it is judged with it.
            Node::Call { function, arguments, .. } => {
                let is_by_interval = BY_SCRAPE_INTERVAL.contains(&function.as_str());
                needs_steady_gaps |= is_by_interval;
                let is_known = is_by_interval || WITHIN_THEIR_WINDOW.contains(&function.as_str());
                is_known && the_only_rows(expression, arguments).is_some_and(|of| is_plain_selector(expression, of))
            }
            Node::Aggregate { operator, arguments, limit: None, .. } => {
                let of = the_only_rows(expression, arguments);
                left.extend(of);
                of.is_some() && INSTANT_BY_INSTANT.contains(&operator.as_str())
            }
            Node::Binary { operator, left: one, right: other, is_bool: false, matching: None, join: None, .. } => {
                left.extend([one, other]);
                is_one_to_one(expression, *operator, *one, *other)
            }
            _ => false,
        };
        if !is_local {
            return None;
        }
    }
    Some(needs_steady_gaps)
}

/// Whether each row has one partner at the most, and what comes of a gap is a gap.
fn is_one_to_one(expression: &Expression, operator: BinaryOperator, left: ExprId, right: ExprId) -> bool {
    use BinaryOperator::{
        Add, Divide, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Multiply, NotEqual, Remainder, Subtract,
    };
    let sides = [without_parentheses(expression, left), without_parentheses(expression, right)];
    let has_number = sides.iter().any(|side| is_number(side));
    // The rows of an aggregation differ in their labels.
    let are_aggregates = sides.iter().all(|side| matches!(side, Node::Aggregate { .. }));
    match operator {
        Add | Subtract | Multiply | Divide | Remainder => has_number || are_aggregates,
        // A value that is compared with a gap may stay.
        Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual => has_number,
        _ => false,
    }
}

/// The argument that is no number of the text, if it is the only one.
fn the_only_rows(expression: &Expression, arguments: &[ExprId]) -> Option<ExprId> {
    let mut rows = arguments.iter().copied().filter(|id| !is_number(without_parentheses(expression, *id)));
    rows.next().filter(|_| rows.next().is_none())
}

/// Whether it is a selector, with a window and an offset at the most.
fn is_plain_selector(expression: &Expression, id: ExprId) -> bool {
    match without_parentheses(expression, id) {
        Node::Selector(_) => true,
        Node::Modified { of, modifiers } => {
            let is_plain = !modifiers.is_subquery && modifiers.step.is_none() && modifiers.at.is_none();
            is_plain && matches!(expression.node(*of), Node::Selector(_))
        }
        _ => false,
    }
}

fn is_number(node: &Node) -> bool {
    matches!(node, Node::Number(_) | Node::Duration(_))
}

fn without_parentheses(expression: &Expression, id: ExprId) -> &Node {
    let mut id = id;
    while let Node::Paren(of) = expression.node(id) {
        id = *of;
    }
    expression.node(id)
}
