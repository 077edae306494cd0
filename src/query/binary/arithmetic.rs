//! What operators make of two numbers.

use crate::query::language::ast::BinaryOperator;

/// The result of an arithmetic operator; nothing for the others.
pub fn arithmetic(operator: BinaryOperator) -> Option<fn(f64, f64) -> f64> {
    Some(match operator {
        BinaryOperator::Add => |a, b| a + b,
        BinaryOperator::Subtract => |a, b| a - b,
        BinaryOperator::Multiply => |a, b| a * b,
        BinaryOperator::Divide => |a, b| a / b,
        BinaryOperator::Remainder => |a, b| a % b,
        // A staleness marker is a NaN that signals: `powf` alone would give NaN where other NaNs give 1.
        BinaryOperator::Power => |a, b| if b == 0.0 || a == 1.0 { 1.0 } else { a.powf(b) },
        BinaryOperator::Atan2 => f64::atan2,
        _ => return None,
    })
}

/// Whether a comparison holds; nothing for other operators. NaN equals nothing.
pub fn comparison(operator: BinaryOperator) -> Option<fn(f64, f64) -> bool> {
    Some(match operator {
        BinaryOperator::Equal => |a, b| a == b,
        BinaryOperator::NotEqual => |a, b| a != b,
        BinaryOperator::Less => |a, b| a < b,
        BinaryOperator::LessOrEqual => |a, b| a <= b,
        BinaryOperator::Greater => |a, b| a > b,
        BinaryOperator::GreaterOrEqual => |a, b| a >= b,
        _ => return None,
    })
}

/// The same where NaN stands for a gap, and a gap equals a gap.
pub fn comparison_with_gaps(operator: BinaryOperator) -> Option<fn(f64, f64) -> bool> {
    match operator {
        BinaryOperator::Equal => Some(|a, b| a == b || (a.is_nan() && b.is_nan())),
        BinaryOperator::NotEqual => Some(|a, b| a != b && !(a.is_nan() && b.is_nan())),
        operator => comparison(operator),
    }
}

/// The operator for exchanged sides of a comparison.
pub fn exchanged(operator: BinaryOperator) -> BinaryOperator {
    match operator {
        BinaryOperator::Less => BinaryOperator::Greater,
        BinaryOperator::LessOrEqual => BinaryOperator::GreaterOrEqual,
        BinaryOperator::Greater => BinaryOperator::Less,
        BinaryOperator::GreaterOrEqual => BinaryOperator::LessOrEqual,
        operator => operator,
    }
}

/// How the operator is written.
pub fn symbol(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Remainder => "%",
        BinaryOperator::Power => "^",
        BinaryOperator::Atan2 => "atan2",
        BinaryOperator::Equal => "==",
        BinaryOperator::NotEqual => "!=",
        BinaryOperator::Less => "<",
        BinaryOperator::LessOrEqual => "<=",
        BinaryOperator::Greater => ">",
        BinaryOperator::GreaterOrEqual => ">=",
        BinaryOperator::And => "and",
        BinaryOperator::Or => "or",
        BinaryOperator::Unless => "unless",
        BinaryOperator::Default => "default",
        BinaryOperator::If => "if",
        BinaryOperator::IfNot => "ifnot",
    }
}
