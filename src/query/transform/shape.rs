//! Scalars, vectors, unions, what is absent, and the query's own times.

use super::{Call, Function, Known, Names};
use crate::error::{Error, Result};
use crate::query::binary::{Binary, Side};
use crate::query::call::Argument;
use crate::query::dialect::Dialect;
use crate::query::language::ast::{BinaryOperator, MatchOperator, Matcher};
use crate::query::number;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::Row;
use std::collections::HashSet;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::rows("union", Known::MetricsQl, (0, usize::MAX), Names::Keep, union),
    Function::rows("", Known::MetricsQl, (0, usize::MAX), Names::Keep, union),
    Function::rows("absent", Known::Both, (1, 2), Names::Keep, absent),
    Function::rows("scalar", Known::MetricsQl, (1, 1), Names::Keep, scalar_of_row),
    Function::rows("scalar", Known::PromQl, (1, 1), Names::Keep, scalar_of_elements),
    Function::rows("vector", Known::MetricsQl, (1, 1), Names::Keep, |call| call.arguments.rows()),
    Function::rows("vector", Known::PromQl, (1, 1), Names::Keep, |call| {
        Ok(vec![Row::with_all(Labels::default(), call.arguments.numbers()?)])
    }),
    Function::rows("drop_empty_series", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        Ok(call.arguments.rows()?.into_iter().filter(Row::has_values).collect())
    }),
    Function::in_turns("ru", Known::MetricsQl, (2, 2), Names::Keep, |call| Box::pin(resource_use(call))),
    Function::rows("time", Known::Both, (0, 0), Names::Keep, |call| Ok(vec![call.context.time()])),
    Function::rows("pi", Known::Both, (0, 0), Names::Keep, |call| Ok(vec![call.context.number(std::f64::consts::PI)])),
    Function::rows("now", Known::MetricsQl, (0, 0), Names::Keep, |call| seconds(call, call.context.now_ms)),
    Function::rows("step", Known::MetricsQl, (0, 0), Names::Keep, |call| seconds(call, call.context.grid.step_ms)),
    Function::rows("start", Known::MetricsQl, (0, 0), Names::Keep, |call| seconds(call, call.context.grid.start_ms)),
    Function::rows("end", Known::MetricsQl, (0, 0), Names::Keep, |call| {
        seconds(call, call.context.grid.range_end_ms())
    }),
];

fn seconds(call: &Call, milliseconds: i64) -> Result<Vec<Row>> {
    Ok(vec![call.context.number(milliseconds as f64 / 1e3)])
}

/// The rows of all arguments; of rows with the same labels the first one.
fn union(call: &mut Call) -> Result<Vec<Row>> {
    if call.arguments.left() == 0 {
        return Ok(vec![call.context.number(f64::NAN)]);
    }
    let mut seen = HashSet::new();
    let mut made = Vec::new();
    while call.arguments.left() > 0 {
        made.extend(call.arguments.rows()?.into_iter().filter(|row| seen.insert(row.labels.clone())));
    }
    Ok(made)
}

/// The labels that `absent(selector)` shows: those that the selector fixes. In PromQL a later condition on a label leaves it open.
pub fn labels_of_absent(selector: &[Vec<Matcher>], dialect: Dialect) -> Labels {
    let [matchers] = selector else { return Labels::default() };
    let mut labels = Labels::default();
    let mut was_fixed = HashSet::new();
    for matcher in matchers.iter().filter(|matcher| matcher.label != NAME) {
        let is_fixed = matcher.operator == MatchOperator::Equal;
        match dialect {
            Dialect::MetricsQl if is_fixed => labels.set(&matcher.label, matcher.value.as_str()),
            Dialect::PromQl if is_fixed && was_fixed.insert(matcher.label.as_str()) => {
                labels.set(&matcher.label, matcher.value.as_str());
            }
            Dialect::PromQl => labels.remove(&matcher.label),
            Dialect::MetricsQl => {}
        }
    }
    labels
}

/// One where no row has a value.
fn absent(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let labels = match call.arguments.take() {
        None => Labels::default(),
        Some(Argument::Labels(labels)) => labels,
        Some(_) => return Err(Error::invalid("absent: unexpected number of args; got 2; want 1")),
    };
    let is_absent = |position: usize| !rows.iter().any(|row| row.is_present(position));
    let values = (0..call.context.grid.points).map(|position| if is_absent(position) { 1.0 } else { f64::NAN });
    Ok(vec![Row::new(labels, values.collect())])
}

/// The only row without its labels, or the number that a text is.
fn scalar_of_row(call: &mut Call) -> Result<Vec<Row>> {
    match call.arguments.take() {
        Some(Argument::Text(text)) => Ok(vec![call.context.number(number::parse(&text).unwrap_or(f64::NAN))]),
        Some(Argument::Rows(mut rows)) if rows.len() == 1 => {
            rows[0].labels = Labels::default();
            Ok(rows)
        }
        _ => Ok(vec![call.context.number(f64::NAN)]),
    }
}

/// The only element of each instant; NaN where there is none or more than one.
fn scalar_of_elements(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let only = |position: usize| {
        let mut there = rows.iter().filter(|row| row.is_present(position));
        match (there.next(), there.next()) {
            (Some(row), None) => row.values[position],
            _ => f64::NAN,
        }
    };
    Ok(vec![call.context.column((0..call.context.grid.points).map(only).collect())])
}

/// How much of something is used, in percent, from what is free and what there is.
async fn resource_use(call: &mut Call<'_>) -> Result<Vec<Row>> {
    let mut free = call.arguments.rows()?;
    let all = call.arguments.rows()?;
    let at_least_zero = |rows: &mut Vec<Row>| {
        rows.iter_mut().flat_map(|row| &mut row.values).filter(|value| **value < 0.0).for_each(|value| *value = 0.0);
    };
    at_least_zero(&mut free);
    let context = call.context;
    let compute = async |left: Vec<Row>, operator, right: Vec<Row>| {
        Binary::new(operator, Dialect::MetricsQl).apply(Side::Rows(left), Side::Rows(right), context).await
    };
    let mut used = compute(all.clone(), BinaryOperator::Subtract, free).await?;
    at_least_zero(&mut used);
    let mut all = all;
    at_least_zero(&mut all);
    let share = compute(used, BinaryOperator::Divide, all).await?;
    compute(share, BinaryOperator::Multiply, vec![context.number(100.0)]).await
}
