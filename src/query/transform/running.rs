//! What the values so far have in common, and the same of all values.

use super::fill;
use super::{Call, Function, Known, Names};
use crate::error::Result;
use crate::query::series::labels::NAME;
use crate::query::series::row::Row;

/// From what was, a value, and how many places from the first value it lies.
type Step = fn(f64, f64, usize) -> f64;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::row_by_row("running_sum", Known::MetricsQl, (1, 1), Names::Drop, |call| running(call, SUM)),
    Function::row_by_row("running_avg", Known::MetricsQl, (1, 1), Names::Drop, |call| running(call, AVG)),
    Function::row_by_row("running_min", Known::MetricsQl, (1, 1), Names::Drop, |call| running(call, MIN)),
    Function::row_by_row("running_max", Known::MetricsQl, (1, 1), Names::Drop, |call| running(call, MAX)),
    Function::row_by_row("range_sum", Known::MetricsQl, (1, 1), Names::Drop, |call| whole(call, SUM)),
    Function::row_by_row("range_avg", Known::MetricsQl, (1, 1), Names::Drop, |call| whole(call, AVG)),
    Function::row_by_row("range_min", Known::MetricsQl, (1, 1), Names::Drop, |call| whole(call, MIN)),
    Function::row_by_row("range_max", Known::MetricsQl, (1, 1), Names::Drop, |call| whole(call, MAX)),
    Function::row_by_row("range_last", Known::MetricsQl, (1, 1), Names::Keep, |call| fill::each(call, spread_last)),
    Function::row_by_row("range_first", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        fill::each(call, |values| {
            if let Some(first) = values.iter().copied().find(|value| !value.is_nan()) {
                values.iter_mut().filter(|value| !value.is_nan()).for_each(|value| *value = first);
            }
        })
    }),
];

const SUM: Step = |sum, value, _| sum + value;
const AVG: Step = |mean, value, place| mean + (value - mean) / (place + 1) as f64;
const MIN: Step = |least, value, _| if least < value { least } else { value };
const MAX: Step = |most, value, _| if most > value { most } else { value };

/// Names go even where the call asks to keep them, as on the server.
fn running(call: &mut Call, step: Step) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    for row in &mut rows {
        row.labels.remove(NAME);
        let Some(first) = row.values.iter().position(|value| !value.is_nan()) else { continue };
        let mut so_far = row.values[first];
        for (place, value) in row.values[first..].iter_mut().enumerate().skip(1) {
            if !value.is_nan() {
                so_far = step(so_far, *value, place);
            }
            *value = so_far;
        }
    }
    Ok(rows)
}

fn whole(call: &mut Call, step: Step) -> Result<Vec<Row>> {
    let mut rows = running(call, step)?;
    rows.iter_mut().for_each(|row| spread_last(&mut row.values));
    Ok(rows)
}

/// Puts the last value in the place of all that are there.
pub(super) fn spread_last(values: &mut [f64]) {
    if let Some(last) = values.iter().rev().copied().find(|value| !value.is_nan()) {
        values.iter_mut().filter(|value| !value.is_nan()).for_each(|value| *value = last);
    }
}
