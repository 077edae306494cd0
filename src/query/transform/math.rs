//! Mathematics, value by value.

use super::{Call, Function, Known, Names};
use crate::encoding::decimal;
use crate::error::Result;
use crate::query::series::row::Row;
use std::f64::consts::PI;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::element("abs", Known::Both, Names::Drop, f64::abs),
    Function::element("ceil", Known::MetricsQl, Names::Keep, f64::ceil),
    Function::element("ceil", Known::PromQl, Names::Drop, f64::ceil),
    Function::element("floor", Known::MetricsQl, Names::Keep, f64::floor),
    Function::element("floor", Known::PromQl, Names::Drop, f64::floor),
    Function::element("exp", Known::Both, Names::Drop, f64::exp),
    Function::element("ln", Known::Both, Names::Drop, f64::ln),
    Function::element("log2", Known::Both, Names::Drop, f64::log2),
    Function::element("log10", Known::Both, Names::Drop, f64::log10),
    Function::element("sqrt", Known::Both, Names::Drop, f64::sqrt),
    Function::element("sin", Known::Both, Names::Drop, f64::sin),
    Function::element("cos", Known::Both, Names::Drop, f64::cos),
    Function::element("tan", Known::Both, Names::Drop, f64::tan),
    Function::element("asin", Known::Both, Names::Drop, f64::asin),
    Function::element("acos", Known::Both, Names::Drop, f64::acos),
    Function::element("atan", Known::Both, Names::Drop, f64::atan),
    Function::element("sinh", Known::Both, Names::Drop, f64::sinh),
    Function::element("cosh", Known::Both, Names::Drop, f64::cosh),
    Function::element("tanh", Known::Both, Names::Drop, f64::tanh),
    Function::element("asinh", Known::Both, Names::Drop, f64::asinh),
    Function::element("acosh", Known::Both, Names::Drop, f64::acosh),
    Function::element("atanh", Known::Both, Names::Drop, f64::atanh),
    Function::element("deg", Known::Both, Names::Drop, |v| v * 180.0 / PI),
    Function::element("rad", Known::Both, Names::Drop, |v| v * PI / 180.0),
    Function::element("sgn", Known::MetricsQl, Names::Drop, sign_of_number),
    Function::element("sgn", Known::PromQl, Names::Drop, sign),
    Function::row_by_row("round", Known::MetricsQl, (1, 2), Names::Keep, round_decimal),
    Function::row_by_row("round", Known::PromQl, (1, 2), Names::Drop, round_half_up),
    Function::row_by_row("clamp", Known::MetricsQl, (3, 3), Names::Keep, clamp_number),
    Function::row_by_row("clamp", Known::PromQl, (3, 3), Names::Drop, clamp),
    Function::row_by_row("clamp_min", Known::MetricsQl, (2, 2), Names::Keep, |call| {
        bound(call, |value, least| if value < least { least } else { value })
    }),
    Function::row_by_row("clamp_min", Known::PromQl, (2, 2), Names::Drop, |call| bound(call, greater)),
    Function::row_by_row("clamp_max", Known::MetricsQl, (2, 2), Names::Keep, |call| {
        bound(call, |value, most| if value > most { most } else { value })
    }),
    Function::row_by_row("clamp_max", Known::PromQl, (2, 2), Names::Drop, |call| bound(call, less)),
    Function::row_by_row("bitmap_and", Known::MetricsQl, (2, 2), Names::Drop, |call| bits(call, |a, b| a & b)),
    Function::row_by_row("bitmap_or", Known::MetricsQl, (2, 2), Names::Drop, |call| bits(call, |a, b| a | b)),
    Function::row_by_row("bitmap_xor", Known::MetricsQl, (2, 2), Names::Drop, |call| bits(call, |a, b| a ^ b)),
];

fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// What is neither below nor above zero has no sign, gaps included.
fn sign_of_number(value: f64) -> f64 {
    f64::from(i8::from(value > 0.0) - i8::from(value < 0.0))
}

/// The greater of two, NaN if one is.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The lesser of two, NaN if one is.
fn less(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// Rows, then one number an instant.
fn with_numbers(call: &mut Call, of: impl Fn(f64, f64) -> f64) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let numbers = call.arguments.numbers()?;
    Ok(map_all(call, rows, |position, value| of(value, numbers[position])))
}

fn map_all(call: &Call, mut rows: Vec<Row>, mut of: impl FnMut(usize, f64) -> f64) -> Vec<Row> {
    for row in &mut rows {
        call.drop_name(row);
        call.map(row, &mut of);
    }
    rows
}

fn bound(call: &mut Call, of: fn(f64, f64) -> f64) -> Result<Vec<Row>> {
    with_numbers(call, of)
}

fn clamp_number(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (least, most) = (call.arguments.numbers()?, call.arguments.numbers()?);
    Ok(map_all(call, rows, |position, value| {
        if value > most[position] {
            most[position]
        } else if value < least[position] {
            least[position]
        } else {
            value
        }
    }))
}

/// Where the bounds are out of order there is no element.
fn clamp(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (least, most) = (call.arguments.numbers()?, call.arguments.numbers()?);
    let mut rows = map_all(call, rows, |position, value| greater(least[position], less(most[position], value)));
    for (position, _) in least.iter().zip(&most).enumerate().filter(|(_, (least, most))| most < least) {
        rows.iter_mut().for_each(|row| row.clear(position));
    }
    Ok(rows)
}

fn nearest(call: &mut Call) -> Result<(Vec<Row>, Vec<f64>)> {
    let rows = call.arguments.rows()?;
    let nearest = match call.arguments.left() {
        0 => vec![1.0; call.context.grid.points],
        _ => call.arguments.numbers()?,
    };
    Ok((rows, nearest))
}

fn round_half_up(call: &mut Call) -> Result<Vec<Row>> {
    let (rows, nearest) = nearest(call)?;
    Ok(map_all(call, rows, |position, value| {
        let inverse = 1.0 / nearest[position];
        (value * inverse + 0.5).floor() / inverse
    }))
}

/// To the nearest multiple, away from zero at the half, and then cut to as many decimals as the multiple has.
fn round_decimal(call: &mut Call) -> Result<Vec<Row>> {
    let (rows, nearest) = nearest(call)?;
    let (mut last, mut scale) = (0.0, 0.0);
    Ok(map_all(call, rows, |position, value| {
        let multiple = nearest[position];
        if multiple != last {
            last = multiple;
            scale = decimal::pow10(-i32::from(decimal::split(multiple).1));
        }
        let moved = value + 0.5 * multiple.copysign(value);
        ((moved - moved % multiple) * scale).trunc() / scale
    }))
}

/// Of the whole numbers that values are; a gap stays one.
fn bits(call: &mut Call, of: fn(u64, u64) -> u64) -> Result<Vec<Row>> {
    let whole = |value: f64| if value < 0.0 { value as i64 as u64 } else { value as u64 };
    with_numbers(
        call,
        |value, other| {
            if value.is_nan() || other.is_nan() { f64::NAN } else { of(whole(value), whole(other)) as f64 }
        },
    )
}
