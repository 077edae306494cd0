//! Aggregates that make a row of each value, or of each range of values.

use super::group::Group;
use crate::error::{Error, ErrorKind, Result};
use crate::query::call::Context;
use crate::query::dialect::Dialect;
use crate::query::language::ast::Grouping;
use crate::query::number;
use crate::query::series::labels::Labels;
use crate::query::series::row::Row;
use std::collections::HashMap;

/// Rows up to this number may be made whatever they are made of.
const FREE_ROWS: usize = 2_000;
/// Beyond it, so many of each row.
const ROWS_OF_ONE: usize = 16;

/// How `count_values` groups: never by its own label.
pub fn grouping_without(label: &str, grouping: Option<&Grouping>) -> Option<Grouping> {
    let mut grouping = grouping?.clone();
    if grouping.is_without {
        grouping.labels.push(label.into());
    } else {
        grouping.labels.retain(|name| name != label);
    }
    Some(grouping)
}

/// How often each value occurs, each in a row with the value in a label.
///
/// # Errors
/// `Limit` when there are far more values than rows.
pub async fn count_values(label: &str, group: &Group, context: &Context<'_>) -> Result<Vec<Row>> {
    let (dialect, points) = (context.dialect, context.grid.points);
    // By bits, where all NaNs are one. Both zeros are one number for the server, but two texts for Prometheus.
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    let mut made: Vec<(f64, Vec<f64>)> = Vec::new();
    let most = match dialect {
        Dialect::MetricsQl => FREE_ROWS.max(ROWS_OF_ONE * group.rows.len()),
        Dialect::PromQl => usize::MAX,
    };
    for row in &group.rows {
        for (position, &value) in row.values.iter().enumerate() {
            if !row.is_present(position) {
                continue;
            }
            let value = match dialect {
                _ if value.is_nan() => f64::NAN,
                Dialect::MetricsQl => value + 0.0,
                Dialect::PromQl => value,
            };
            let number = *numbers.entry(value.to_bits()).or_insert(made.len());
            if number == made.len() {
                if made.len() >= most || (made.len() + 1).saturating_mul(points) > context.max_values {
                    return Err(Error::new(
                        ErrorKind::Limit,
                        format!(
                            "count_values: too many timeseries after aggregation; more than {} of {} series; round the \
                             values first",
                            made.len(),
                            group.rows.len()
                        ),
                    ));
                }
                made.push((value, vec![0.0; points]));
            }
            made[number].1[position] += 1.0;
        }
        context.spend(points).await;
    }
    made.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = made.into_iter().map(|(value, mut counts)| {
        counts.iter_mut().filter(|count| **count == 0.0).for_each(|count| *count = f64::NAN);
        let mut labels = group.key.clone();
        labels.set(label, number::plain(value));
        Row::new(labels, counts)
    });
    Ok(rows.collect())
}

/// The least bound of the histogram that has a name of its own.
const LOWEST_EXPONENT: i32 = -9;
const HIGHEST_EXPONENT: i32 = 18;
const RANGES_OF_DECADE: usize = 18;
const RANGE_COUNT: usize = (HIGHEST_EXPONENT - LOWEST_EXPONENT) as usize * RANGES_OF_DECADE;

/// Which range a value falls into: the first holds what is too small, the last what is too large.
fn range_of(value: f64) -> Option<usize> {
    if value.is_nan() || value < 0.0 {
        return None;
    }
    let place = (value.log10() - f64::from(LOWEST_EXPONENT)) * RANGES_OF_DECADE as f64;
    if place < 0.0 {
        return Some(0);
    }
    if place >= RANGE_COUNT as f64 {
        return Some(RANGE_COUNT + 1);
    }
    let number = place as usize;
    // Bounds belong to the range below them, as `le` has it.
    Some(if place == number as f64 && number > 0 { number } else { number + 1 })
}

fn bound(number: usize) -> String {
    let multiplier = 10f64.powf(1.0 / RANGES_OF_DECADE as f64);
    let mut value = 10f64.powi(LOWEST_EXPONENT);
    (0..number).for_each(|_| value *= multiplier);
    exponential(value)
}

/// Three digits behind the point and a signed exponent of two digits: `1.136e-09`.
fn exponential(value: f64) -> String {
    let text = format!("{value:.3e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn range_name(number: usize) -> String {
    match number {
        0 => format!("0...{}", exponential(10f64.powi(LOWEST_EXPONENT))),
        number if number > RANGE_COUNT => format!("{}...+Inf", exponential(10f64.powi(HIGHEST_EXPONENT))),
        number => format!("{}...{}", bound(number - 1), bound(number)),
    }
}

/// How many values fall into each range, each in a row with the range in the label `vmrange`.
pub async fn histogram(group: &Group, context: &Context<'_>) -> Vec<Row> {
    let points = context.grid.points;
    let mut columns: Vec<Option<Vec<f64>>> = vec![None; RANGE_COUNT + 2];
    for row in &group.rows {
        for (position, &value) in row.values.iter().enumerate() {
            if let Some(range) = range_of(value) {
                columns[range].get_or_insert_with(|| vec![0.0; points])[position] += 1.0;
            }
        }
        context.spend(points).await;
    }
    let rows = columns.into_iter().enumerate().filter_map(|(range, column)| {
        let mut labels: Labels = group.key.clone();
        labels.set("vmrange", range_name(range));
        Some(Row::new(labels, column?))
    });
    rows.collect()
}
