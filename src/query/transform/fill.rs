//! Functions that mend rows: gaps, resets, noise.

use super::{Call, Function, Known, Names};
use crate::error::Result;
use crate::query::series::row::Row;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::row_by_row("keep_last_value", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        each(call, |values| carry(values.iter_mut()))
    }),
    Function::row_by_row("keep_next_value", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        each(call, |values| carry(values.iter_mut().rev()))
    }),
    Function::row_by_row("interpolate", Known::MetricsQl, (1, 1), Names::Keep, |call| each(call, interpolate)),
    Function::row_by_row("remove_resets", Known::MetricsQl, (1, 1), Names::Keep, |call| each(call, remove_resets)),
    Function::row_by_row("smooth_exponential", Known::MetricsQl, (2, 2), Names::Keep, smooth_exponential),
];

/// Runs over the values of each row.
pub(super) fn each(call: &mut Call, mut of: impl FnMut(&mut [f64])) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    rows.iter_mut().for_each(|row| of(&mut row.values));
    Ok(rows)
}

fn carry<'a>(values: impl Iterator<Item = &'a mut f64>) {
    let mut carried = f64::NAN;
    for value in values {
        if value.is_nan() {
            *value = carried;
        } else {
            carried = *value;
        }
    }
}

/// Draws lines over gaps. Before the first value and behind the last one the line is level.
fn interpolate(values: &mut [f64]) {
    let mut at = 0;
    while at < values.len() {
        if !values[at].is_nan() {
            at += 1;
            continue;
        }
        let end = values[at..].iter().position(|value| !value.is_nan()).map_or(values.len(), |length| at + length);
        let before = if at > 0 { values[at - 1] } else { f64::NAN };
        let after = values.get(end).copied().unwrap_or(before);
        let mut value = if before.is_nan() { after } else { before };
        let rise = (after - value) / (end - at + 1) as f64;
        for gap in &mut values[at..end] {
            value += rise;
            *gap = value;
        }
        at = end;
    }
}

/// A counter without its drops. A drop of less than an eighth is a counter that was read out of order.
fn remove_resets(values: &mut [f64]) {
    let (mut correction, mut before) = (0.0, f64::NAN);
    for value in values.iter_mut().filter(|value| !value.is_nan()) {
        let drop = before - *value;
        if drop > 0.0 {
            correction += if drop * 8.0 < before { drop } else { before };
        }
        before = *value;
        *value += correction;
    }
}

fn smooth_exponential(call: &mut Call) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let factors = call.arguments.numbers()?;
    for row in &mut rows {
        let Some(first) = row.values.iter().position(|value| !value.is_nan()) else { continue };
        // What never comes to an end, as `ttf` has it, is left out of the mean. A gap right behind such a beginning has no mean, as on
        // the server.
        let first = first + row.values[first..].iter().position(|value| !value.is_infinite()).unwrap_or(0);
        let mut mean = row.values[first];
        let pairs = row.values.iter_mut().zip(&factors).skip(first + 1);
        for (value, &factor) in pairs.filter(|(value, _)| !value.is_nan()) {
            let factor = if factor.is_nan() { 1.0 } else { factor.clamp(0.0, 1.0) };
            if value.is_finite() {
                mean = mean * (1.0 - factor) + *value * factor;
            }
            *value = mean;
        }
    }
    Ok(rows)
}
