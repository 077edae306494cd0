//! Aggregates that make a row of each value, or of each range of values.

use super::group::Group;
use crate::error::{Error, ErrorKind, Result};
use crate::query::call::Context;
use crate::query::dialect::Dialect;
use crate::query::language::ast::Grouping;
use crate::query::number;
use crate::query::series::labels::Labels;
use crate::query::series::row::Row;
use crate::query::vmrange::{self, RANGES, VMRANGE};
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

/// How many values fall into each range, each in a row with the range in the label [`VMRANGE`].
pub async fn histogram(group: &Group, context: &Context<'_>) -> Vec<Row> {
    let points = context.grid.points;
    let mut columns: Vec<Option<Vec<f64>>> = vec![None; RANGES];
    for row in &group.rows {
        for (position, &value) in row.values.iter().enumerate() {
            if let Some(range) = vmrange::range_of(value) {
                columns[range].get_or_insert_with(|| vec![0.0; points])[position] += 1.0;
            }
        }
        context.spend(points).await;
    }
    let rows = columns.into_iter().enumerate().filter_map(|(range, column)| {
        let mut labels: Labels = group.key.clone();
        labels.set(VMRANGE, vmrange::name(range));
        Some(Row::new(labels, column?))
    });
    rows.collect()
}
