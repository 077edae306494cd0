//! Operators element by element: at each instant an element is there or not, and NaN is a value.

use super::Binary;
use super::arithmetic;
use super::matching::{self, Table};
use crate::error::{Error, Result};
use crate::query::call::Context;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::{Presence, Row};
use std::collections::HashMap;

/// No row is there.
const NOBODY: u32 = u32::MAX;

/// What the operator makes of two elements; nothing where a comparison does not hold. `kept` stays where it holds.
fn compute(binary: &Binary, left: f64, right: f64, kept: f64) -> Option<f64> {
    if let Some(of) = arithmetic::arithmetic(binary.operator) {
        return Some(of(left, right));
    }
    let holds = arithmetic::comparison(binary.operator).is_some_and(|holds| holds(left, right));
    match (binary.is_bool, holds) {
        (true, holds) => Some(f64::from(u8::from(holds))),
        (false, true) => Some(kept),
        (false, false) => None,
    }
}

/// Two scalars; a comparison always gives 0 or 1.
pub fn of_scalars(binary: &Binary, left: Row, right: &Row) -> Row {
    let binary = Binary { is_bool: true, ..binary.clone() };
    let pairs = left.values.iter().zip(&right.values);
    let values = pairs.map(|(&a, &b)| compute(&binary, a, b, a).unwrap_or(f64::NAN)).collect();
    Row::with_all(Labels::default(), values)
}

/// Rows and a scalar. Where a comparison holds the row's element stays, whichever side it stands on.
pub async fn with_scalar(
    binary: &Binary,
    rows: Vec<Row>,
    scalar: &[f64],
    scalar_is_left: bool,
    context: &Context<'_>,
) -> Vec<Row> {
    let mut made = Vec::with_capacity(rows.len());
    for mut row in rows {
        row.drop_name |= binary.drops_names();
        let mut computed = Vec::with_capacity(row.values.len());
        let mut present = Presence::none(row.values.len());
        for (position, (&value, &scalar)) in row.values.iter().zip(scalar).enumerate() {
            let (left, right) = if scalar_is_left { (scalar, value) } else { (value, scalar) };
            let result = if row.is_present(position) { compute(binary, left, right, value) } else { None };
            present.set(position, result.is_some());
            computed.push(result.unwrap_or(f64::NAN));
        }
        made.push(Row { drop_name: row.drop_name, ..Row::with_presence(row.labels, computed, present) });
        context.spend(scalar.len()).await;
    }
    made
}

/// Matches elements of two sides.
pub async fn join(binary: &Binary, left: Vec<Row>, right: Vec<Row>, context: &Context<'_>) -> Result<Vec<Row>> {
    if left.is_empty() || right.is_empty() {
        return Ok(Vec::new());
    }
    let one_is_right = binary.join.as_ref().is_none_or(|join| join.is_left);
    let (many, one) = if one_is_right { (&left, &right) } else { (&right, &left) };
    let table = Table::new(many, one, binary.matching.as_ref(), true);
    let points = left[0].values.len();
    let mut made = Vec::new();
    let mut who = vec![NOBODY; points];
    for (number, key) in table.keys.iter().enumerate() {
        if table.left[number].is_empty() || table.right[number].is_empty() {
            continue;
        }
        find_the_one(key, one, &table.right[number], one_is_right, &mut who)?;
        context.spend(table.right[number].len() * points).await;
        join_group(binary, many, &table.left[number], one, (one_is_right, &who), &mut made, context).await?;
    }
    Ok(made)
}

/// Which row of the one side is there at each instant.
fn find_the_one(key: &Labels, one: &[Row], group: &[usize], one_is_right: bool, who: &mut [u32]) -> Result<()> {
    who.fill(NOBODY);
    for &number in group {
        let there = who.iter_mut().enumerate().filter(|(position, _)| one[number].is_present(*position));
        for (_, found) in there {
            if *found != NOBODY {
                return Err(Error::invalid(format!(
                    "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}];many-to-many \
                     matching not allowed: matching labels must be unique on one side",
                    matching::shown(key),
                    if one_is_right { "right" } else { "left" },
                    shown_element(&one[number]),
                    shown_element(&one[*found as usize]),
                )));
            }
            *found = number as u32;
        }
    }
    Ok(())
}

/// The elements of one group. Each pair of rows that meets becomes a row.
async fn join_group(
    binary: &Binary,
    many: &[Row],
    group: &[usize],
    one: &[Row],
    (one_is_right, who): (bool, &[u32]),
    made: &mut Vec<Row>,
    context: &Context<'_>,
) -> Result<()> {
    // Labels of results and the instants at which they are taken.
    let mut taken: HashMap<Labels, Presence> = HashMap::new();
    for row in group.iter().map(|&number| &many[number]) {
        context.spend(who.len()).await;
        let mut columns: HashMap<u32, (Vec<f64>, Presence)> = HashMap::new();
        let mut order = Vec::new();
        for (position, &number) in who.iter().enumerate() {
            if number == NOBODY || !row.is_present(position) {
                continue;
            }
            let (mine, other) = (row.values[position], one[number as usize].values[position]);
            let (left, right) = if one_is_right { (mine, other) } else { (other, mine) };
            let Some(value) = compute(binary, left, right, left) else { continue };
            let (values, present) = columns.entry(number).or_insert_with(|| {
                order.push(number);
                (vec![f64::NAN; who.len()], Presence::none(who.len()))
            });
            values[position] = value;
            present.set(position, true);
        }
        for number in order {
            let Some((values, present)) = columns.remove(&number) else { continue };
            let (labels, drop_name) = result_labels(binary, row, &one[number as usize]);
            // One to one, no second element of the group may have a result at all.
            let key = if binary.join.is_none() { Labels::default() } else { shown(&labels, drop_name) };
            let seen = taken.entry(key).or_insert_with(|| Presence::none(who.len()));
            for position in (0..who.len()).filter(|&position| present.get(position)) {
                if seen.get(position) {
                    return Err(Error::invalid(if binary.join.is_none() {
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                    } else {
                        "multiple matches for labels: grouping labels must ensure unique matches"
                    }));
                }
                seen.set(position, true);
            }
            made.push(Row { drop_name, ..Row::with_presence(labels, values, present) });
        }
    }
    Ok(())
}

/// All labels in braces, the name among them.
fn shown_element(row: &Row) -> String {
    let labels = row.shown_labels();
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn shown(labels: &Labels, drop_name: bool) -> Labels {
    let mut labels = labels.clone();
    if drop_name {
        labels.remove(NAME);
    }
    labels
}

fn result_labels(binary: &Binary, many: &Row, one: &Row) -> (Labels, bool) {
    let mut labels = many.labels.clone();
    let mut drop_name = many.drop_name || binary.drops_names();
    match (&binary.join, &binary.matching) {
        (None, Some(matching)) if matching.is_on => {
            labels.retain(|name| matching.labels.iter().any(|label| label == name))
        }
        (None, Some(matching)) => labels.retain(|name| !matching.labels.iter().any(|label| label == name)),
        (None, None) => {}
        (Some(join), matching) => {
            if join.prefix.is_none() && join.include.iter().any(|label| label == NAME) {
                drop_name = one.drop_name;
            }
            matching::include(join, matching.as_ref(), &mut labels, &one.labels);
        }
    }
    (labels, drop_name)
}
