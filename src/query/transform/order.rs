//! Rows in another order, and only some of them.

use super::{Call, Function, Known, Names};
use crate::error::{Error, Result};
use crate::query::series::row::Row;
use std::cmp::Ordering;

const ANY: usize = usize::MAX;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::rows("sort", Known::MetricsQl, (1, 1), Names::Keep, |call| by_last_values(call, false)),
    Function::rows("sort_desc", Known::MetricsQl, (1, 1), Names::Keep, |call| by_last_values(call, true)),
    Function::rows("sort", Known::PromQl, (1, 1), Names::Keep, |call| by_value(call, false)),
    Function::rows("sort_desc", Known::PromQl, (1, 1), Names::Keep, |call| by_value(call, true)),
    Function::rows("sort_by_label", Known::MetricsQl, (2, ANY), Names::Keep, |call| by_labels(call, str::cmp, false)),
    Function::rows("sort_by_label_desc", Known::MetricsQl, (2, ANY), Names::Keep, |call| {
        by_labels(call, str::cmp, true)
    }),
    Function::rows("sort_by_label", Known::PromQl, (1, ANY), Names::Keep, |call| by_all_labels(call, false)),
    Function::rows("sort_by_label_desc", Known::PromQl, (1, ANY), Names::Keep, |call| by_all_labels(call, true)),
    Function::rows("sort_by_label_numeric", Known::MetricsQl, (2, ANY), Names::Keep, |call| {
        by_labels(call, numeric, false)
    }),
    Function::rows("sort_by_label_numeric_desc", Known::MetricsQl, (2, ANY), Names::Keep, |call| {
        by_labels(call, numeric, true)
    }),
    Function::rows("limit_offset", Known::MetricsQl, (3, 3), Names::Keep, limit_offset),
];

/// By the last values, where these are equal by the ones before them, and so on. A gap is less than any value in both directions.
fn by_last_values(call: &mut Call, descending: bool) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let compare = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (false, false) if descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => b.cmp(&a),
    };
    rows.sort_by(|a, b| {
        let pairs = a.values.iter().zip(&b.values).rev();
        pairs.map(|(&a, &b)| compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    Ok(rows)
}

/// By the first instant's values, which an instant query has alone; NaN comes last in both directions.
fn by_value(call: &mut Call, descending: bool) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let value = |row: &Row| row.values.first().copied().unwrap_or(f64::NAN);
    rows.sort_by(|a, b| match (value(a), value(b)) {
        (a, b) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
        (a, b) if descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        (a, b) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    });
    Ok(rows)
}

fn by_labels(call: &mut Call, compare: fn(&str, &str) -> Ordering, descending: bool) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let labels = call.arguments.texts()?;
    rows.sort_by(|a, b| {
        let orders = labels.iter().map(|label| compare(a.labels.get(label), b.labels.get(label)));
        let order = orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
        if descending { order.reverse() } else { order }
    });
    Ok(rows)
}

/// By some labels as people count, and then by all.
fn by_all_labels(call: &mut Call, descending: bool) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let labels = call.arguments.texts()?;
    rows.sort_by(|a, b| {
        let mut orders = labels.iter().map(|label| numeric(a.labels.get(label), b.labels.get(label)));
        let order = orders.find(|order| order.is_ne()).unwrap_or_else(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    });
    Ok(rows)
}

/// Numbers inside of texts count as numbers, which come before other characters where only one side has one.
fn numeric(mut a: &str, mut b: &str) -> Ordering {
    loop {
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let (number_a, rest_a) = a.split_at(number_length(a));
        let (number_b, rest_b) = b.split_at(number_length(b));
        if !number_a.is_empty() || !number_b.is_empty() {
            let order = match (number_a.parse::<f64>(), number_b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a.total_cmp(&b),
                (a, b) => a.is_err().cmp(&b.is_err()),
            };
            if order.is_ne() {
                return order;
            }
        }
        let (text_a, next_a) = rest_a.split_at(text_length(rest_a));
        let (text_b, next_b) = rest_b.split_at(text_length(rest_b));
        if text_a != text_b {
            return text_a.cmp(text_b);
        }
        (a, b) = (next_a, next_b);
    }
}

/// How long a number with sign and point is at the beginning of a text.
fn number_length(text: &str) -> usize {
    let sign = usize::from(text.starts_with(['-', '+']));
    let (mut has_digit, mut has_point) = (false, false);
    for (at, byte) in text.bytes().enumerate().skip(sign) {
        match byte {
            b'0'..=b'9' => has_digit = true,
            b'.' if !has_point => has_point = true,
            _ => return if has_digit { at } else { 0 },
        }
    }
    if has_digit { text.len() } else { 0 }
}

/// How long a text goes on without a digit, at least one character.
fn text_length(text: &str) -> usize {
    text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len())
}

fn limit_offset(call: &mut Call) -> Result<Vec<Row>> {
    let whole = |number: f64, what: &str| {
        if number >= 0.0 {
            Ok(number as usize)
        } else {
            Err(Error::invalid(format!("limit_offset: cannot obtain {what} arg: {number} is not a number of series")))
        }
    };
    let limit = whole(call.arguments.number()?, "limit")?;
    let offset = whole(call.arguments.number()?, "offset")?;
    let rows = call.arguments.rows()?.into_iter().filter(Row::has_values).collect::<Vec<_>>();
    // An offset behind the end is none, as on the server.
    let offset = if rows.len() >= offset { offset } else { 0 };
    Ok(rows.into_iter().skip(offset).take(limit).collect())
}
