//! Operators that look at whole rows, where NaN stands for a gap and is computed with as any number.

use super::Binary;
use super::arithmetic;
use super::matching::{self, Table};
use crate::error::{Error, Result};
use crate::query::call::Context;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::overlap;
use crate::query::series::row::Row;

/// The result of an arithmetic operator or a comparison.
pub async fn apply(
    binary: &Binary,
    mut left: Vec<Row>,
    mut right: Vec<Row>,
    context: &Context<'_>,
) -> Result<Vec<Row>> {
    if arithmetic::comparison(binary.operator).is_none() {
        left.retain(Row::has_values);
        right.retain(Row::has_values);
    }
    if left.is_empty() || right.is_empty() {
        return Ok(Vec::new());
    }
    if binary.matching.is_none() && binary.join.is_none() {
        if is_scalar(&left) {
            for row in &mut right {
                drop_name(binary, row);
                compute(binary, &left[0].values, &mut row.values, true);
                context.spend(row.values.len()).await;
            }
            return Ok(right);
        }
        if is_scalar(&right) {
            for row in &mut left {
                drop_name(binary, row);
                compute(binary, &right[0].values, &mut row.values, false);
                context.spend(row.values.len()).await;
            }
            return Ok(left);
        }
    }
    match &binary.join {
        None => one_to_one(binary, left, right, context).await,
        Some(join) if join.is_left => many_to_one(binary, left, right, true, context).await,
        Some(_) => many_to_one(binary, right, left, false, context).await,
    }
}

/// Whether a side is one row without labels.
pub fn is_scalar(rows: &[Row]) -> bool {
    matches!(rows, [row] if row.labels.is_empty())
}

fn drop_name(binary: &Binary, row: &mut Row) {
    if binary.drops_names() {
        row.labels.remove(NAME);
    }
}

/// Puts the result in the place of one side's values.
fn compute(binary: &Binary, other: &[f64], values: &mut [f64], other_is_left: bool) {
    let pairs = values.iter_mut().zip(other);
    if let Some(of) = arithmetic::arithmetic(binary.operator) {
        if other_is_left {
            pairs.for_each(|(value, &other)| *value = of(other, *value));
        } else {
            pairs.for_each(|(value, &other)| *value = of(*value, other));
        }
    } else if let Some(holds) = arithmetic::comparison_with_gaps(binary.operator) {
        for (value, &other) in pairs {
            let (left, right) = if other_is_left { (other, *value) } else { (*value, other) };
            *value = match (holds(left, right), binary.is_bool) {
                (true, false) => left,
                (false, false) => f64::NAN,
                (_, true) if left.is_nan() => f64::NAN,
                (holds, true) => f64::from(u8::from(holds)),
            };
        }
    }
}

async fn one_to_one(binary: &Binary, left: Vec<Row>, right: Vec<Row>, context: &Context<'_>) -> Result<Vec<Row>> {
    let table = Table::new(&left, &right, binary.matching.as_ref(), true);
    let (mut left, mut right) = (slots(left), slots(right));
    let mut made = Vec::new();
    for (lefts, rights) in table.left.iter().zip(&table.right) {
        if lefts.is_empty() || rights.is_empty() {
            continue;
        }
        let mut row = single(binary, "left", &mut left, lefts)?;
        let other = single(binary, "right", &mut right, rights)?;
        drop_name(binary, &mut row);
        match &binary.matching {
            Some(matching) if matching.is_on => {
                row.labels.retain(|name| matching.labels.iter().any(|label| label == name))
            }
            Some(matching) => row.labels.retain(|name| !matching.labels.iter().any(|label| label == name)),
            None => {}
        }
        compute(binary, &other.values, &mut row.values, false);
        context.spend(row.values.len()).await;
        made.push(row);
    }
    Ok(made)
}

fn slots(rows: Vec<Row>) -> Vec<Option<Row>> {
    rows.into_iter().map(Some).collect()
}

/// The one row of a group, into which rows that follow it in time are merged.
fn single(binary: &Binary, side: &str, rows: &mut [Option<Row>], group: &[usize]) -> Result<Row> {
    let mut taken = group.iter().filter_map(|&number| rows[number].take());
    let Some(mut first) = taken.next() else { return Err(Error::internal("a group of rows is empty")) };
    // The last ones first, as the server does.
    let others: Vec<Row> = taken.collect();
    for other in others.iter().rev() {
        if !overlap::merge(&mut first.values, &other.values) {
            return Err(Error::invalid(format!(
                "duplicate time series on the {side} side of {} {}: {} and {}",
                arithmetic::symbol(binary.operator),
                shown_matching(binary),
                shown_tags(&first),
                shown_tags(other)
            )));
        }
    }
    Ok(first)
}

fn shown_tags(row: &Row) -> String {
    let mut labels = row.labels.clone();
    labels.remove(NAME);
    matching::shown(&labels)
}

fn shown_matching(binary: &Binary) -> String {
    let matching = binary
        .matching
        .as_ref()
        .map(|matching| format!("{} ({})", if matching.is_on { "on" } else { "ignoring" }, matching.labels.join(", ")));
    let join = binary.join.as_ref().map(|join| {
        format!("{} ({})", if join.is_left { "group_left" } else { "group_right" }, join.include.join(", "))
    });
    [matching, join].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

async fn many_to_one(
    binary: &Binary,
    many: Vec<Row>,
    one: Vec<Row>,
    many_is_left: bool,
    context: &Context<'_>,
) -> Result<Vec<Row>> {
    let Some(join) = &binary.join else { return Err(Error::internal("a join without its modifier")) };
    let table = Table::new(&many, &one, binary.matching.as_ref(), true);
    let mut many = slots(many);
    let mut made = Vec::new();
    for (of_many, of_one) in table.left.iter().zip(&table.right) {
        if of_one.is_empty() {
            continue;
        }
        for mut row in of_many.iter().filter_map(|&number| many[number].take()) {
            drop_name(binary, &mut row);
            // Rows of the one side that give the same labels must follow each other in time.
            let mut candidates: Vec<(Row, Vec<f64>)> = Vec::new();
            for other in of_one.iter().map(|&number| &one[number]) {
                let mut labels = row.labels.clone();
                matching::include(join, binary.matching.as_ref(), &mut labels, &other.labels);
                match candidates.iter_mut().find(|(candidate, _)| same_tags(&candidate.labels, &labels)) {
                    None => candidates.push((Row::new(labels, row.values.clone()), other.values.clone())),
                    Some((_, values)) => {
                        if !overlap::merge(values, &other.values) {
                            return Err(Error::invalid(format!(
                                "duplicate time series on the {} side of `{} {}`: {} and {}",
                                if many_is_left { "right" } else { "left" },
                                arithmetic::symbol(binary.operator),
                                shown_matching(binary),
                                shown_tags(&one[of_one[0]]),
                                shown_tags(other)
                            )));
                        }
                    }
                }
            }
            for (mut candidate, values) in candidates {
                compute(binary, &values, &mut candidate.values, !many_is_left);
                context.spend(values.len()).await;
                made.push(candidate);
            }
        }
    }
    Ok(made)
}

fn same_tags(a: &Labels, b: &Labels) -> bool {
    let tags = |labels: &Labels| {
        labels.iter().filter(|(name, _)| &***name != NAME).map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>()
    };
    tags(a) == tags(b)
}
