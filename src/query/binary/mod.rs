//! Operators between two sides.

pub mod arithmetic;
mod elements;
pub mod matching;
mod rows;
mod sets;

use super::call::Context;
use super::dialect::Dialect;
use super::language::ast::{BinaryOperator, Join, Matching};
use super::series::row::Row;
use crate::error::{Error, Result};

/// An operator with all that stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub operator: BinaryOperator,
    /// Whose rules hold.
    pub dialect: Dialect,
    /// Whether a comparison gives 0 and 1.
    pub is_bool: bool,
    /// `on` or `ignoring`.
    pub matching: Option<Matching>,
    /// `group_left` or `group_right`.
    pub join: Option<Join>,
    /// Whether names stay.
    pub keep_metric_names: bool,
}

/// One side of an operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// A number for each instant, never absent. In MetricsQL number literals and `time()` are such.
    Scalar(Row),
    /// The rows of an expression.
    Rows(Vec<Row>),
}

impl Side {
    fn into_rows(self) -> Vec<Row> {
        match self {
            Self::Scalar(row) => vec![row],
            Self::Rows(rows) => rows,
        }
    }
}

impl Binary {
    /// An operator without anything beside it.
    pub fn new(operator: BinaryOperator, dialect: Dialect) -> Self {
        Self { operator, dialect, is_bool: false, matching: None, join: None, keep_metric_names: false }
    }

    /// The operator's rows. Two scalars give one row without labels.
    ///
    /// # Errors
    /// `Invalid` where several rows match one.
    pub async fn apply(&self, left: Side, right: Side, context: &Context<'_>) -> Result<Vec<Row>> {
        match self.dialect {
            Dialect::MetricsQl => self.apply_to_rows(left, right, context).await,
            Dialect::PromQl => self.apply_to_elements(left, right, context).await,
        }
    }

    /// What MetricsQL makes of two numbers that stand in the text: they are computed as it is read, by rules of their own for NaN.
    pub fn of_literals(&self, left: f64, right: f64) -> f64 {
        if let Some(compute) = arithmetic::arithmetic(self.operator) {
            return compute(left, right);
        }
        if let Some(holds) = arithmetic::comparison_with_gaps(self.operator) {
            return match (self.is_bool, holds(left, right)) {
                (true, holds) => f64::from(u8::from(holds)),
                (false, true) => left,
                (false, false) => f64::NAN,
            };
        }
        match self.operator {
            BinaryOperator::Default if left.is_nan() => right,
            BinaryOperator::If if right.is_nan() => f64::NAN,
            BinaryOperator::IfNot if !right.is_nan() => f64::NAN,
            BinaryOperator::Unless => f64::NAN,
            _ => left,
        }
    }

    async fn apply_to_rows(&self, left: Side, right: Side, context: &Context<'_>) -> Result<Vec<Row>> {
        // `0.5 < x` keeps the values of x, as `x > 0.5` does.
        if arithmetic::comparison(self.operator).is_some()
            && matches!((&left, &right), (Side::Scalar(_), Side::Rows(_)))
        {
            let mut exchanged = self.clone();
            exchanged.operator = arithmetic::exchanged(self.operator);
            if let Some(join) = &mut exchanged.join {
                join.is_left = !join.is_left;
            }
            return rows::apply(&exchanged, right.into_rows(), left.into_rows(), context).await;
        }
        let (left, right) = (left.into_rows(), right.into_rows());
        match self.is_set() {
            true => Ok(sets::of_rows(self, left, right, context).await),
            false => rows::apply(self, left, right, context).await,
        }
    }

    async fn apply_to_elements(&self, left: Side, right: Side, context: &Context<'_>) -> Result<Vec<Row>> {
        match (left, right) {
            (left, right)
                if matches!(self.operator, BinaryOperator::Default | BinaryOperator::If | BinaryOperator::IfNot) =>
            {
                Ok(sets::of_rows(self, left.into_rows(), right.into_rows(), context).await)
            }
            (Side::Rows(left), Side::Rows(right)) if self.is_set() => {
                Ok(sets::of_elements(self, left, right, context).await)
            }
            (Side::Rows(left), Side::Rows(right)) => elements::join(self, left, right, context).await,
            _ if self.is_set() => Err(Error::invalid(format!(
                "set operator {:?} not allowed in binary scalar expression",
                arithmetic::symbol(self.operator)
            ))),
            (Side::Scalar(left), Side::Scalar(right)) => Ok(vec![elements::of_scalars(self, left, &right)]),
            (Side::Rows(rows), Side::Scalar(scalar)) => {
                Ok(elements::with_scalar(self, rows, &scalar.values, false, context).await)
            }
            (Side::Scalar(scalar), Side::Rows(rows)) => {
                Ok(elements::with_scalar(self, rows, &scalar.values, true, context).await)
            }
        }
    }

    fn is_set(&self) -> bool {
        arithmetic::arithmetic(self.operator).is_none() && arithmetic::comparison(self.operator).is_none()
    }

    /// Whether results lose their names.
    fn drops_names(&self) -> bool {
        !self.keep_metric_names && (self.is_bool || arithmetic::comparison(self.operator).is_none())
    }
}
