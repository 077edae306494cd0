//! Operators that choose among the values of their sides.

use super::Binary;
use super::matching::{self, Table};
use super::rows::is_scalar;
use crate::query::call::Context;
use crate::query::language::ast::BinaryOperator;
use crate::query::series::labels::Labels;
use crate::query::series::row::{Presence, Row};
use std::collections::HashMap;

/// By whole rows, where NaN stands for a gap.
pub async fn of_rows(binary: &Binary, mut left: Vec<Row>, right: Vec<Row>, context: &Context<'_>) -> Vec<Row> {
    let table = Table::new(&left, &right, binary.matching.as_ref(), true);
    let operator = binary.operator;
    if operator == BinaryOperator::Default && left.is_empty() {
        return right;
    }
    // A right side of one row without labels stands beside each group of the left one.
    let right_groups = table.right.iter().filter(|group| !group.is_empty()).count();
    let falls_back = matches!(operator, BinaryOperator::If | BinaryOperator::IfNot | BinaryOperator::Default)
        && right_groups == 1
        && is_scalar(&right);
    for (of_left, of_right) in table.left.iter().zip(&table.right) {
        let beside: Vec<&[f64]> = match of_right.as_slice() {
            [] if falls_back => vec![&right[0].values],
            of_right => of_right.iter().map(|&number| &right[number].values[..]).collect(),
        };
        for &number in of_left {
            let values = &mut left[number].values;
            match operator {
                BinaryOperator::And | BinaryOperator::If => {
                    keep(values, |at| beside.iter().any(|row| !row[at].is_nan()))
                }
                BinaryOperator::Unless | BinaryOperator::IfNot => {
                    keep(values, |at| beside.iter().all(|row| row[at].is_nan()));
                }
                _ => fill(values, &beside),
            }
            let looked_at = values.len() * (1 + beside.len());
            context.spend(looked_at).await;
        }
    }
    // `or` and `default` keep empty rows, which another operator may fill.
    let fills = matches!(operator, BinaryOperator::Or | BinaryOperator::Default);
    let mut made: Vec<Row> = order(left, &table.left).into_iter().filter(|row| fills || row.has_values()).collect();
    if operator == BinaryOperator::Or {
        let is_new: Vec<bool> = table.left.iter().map(Vec::is_empty).collect();
        let numbers: Vec<Vec<usize>> = table
            .right
            .into_iter()
            .zip(is_new)
            .map(|(group, is_new)| if is_new { group } else { Vec::new() })
            .collect();
        made.extend(order(right, &numbers));
    }
    made
}

fn order(rows: Vec<Row>, groups: &[Vec<usize>]) -> Vec<Row> {
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    groups.iter().flatten().filter_map(|&number| rows[number].take()).collect()
}

fn keep(values: &mut [f64], is_kept: impl Fn(usize) -> bool) {
    for (position, value) in values.iter_mut().enumerate() {
        if !is_kept(position) {
            *value = f64::NAN;
        }
    }
}

fn fill(values: &mut [f64], beside: &[&[f64]]) {
    for (position, value) in values.iter_mut().enumerate().filter(|(_, value)| value.is_nan()) {
        if let Some(found) = beside.iter().map(|row| row[position]).find(|found| !found.is_nan()) {
            *value = found;
        }
    }
}

/// Element by element, at each instant for itself.
pub async fn of_elements(binary: &Binary, left: Vec<Row>, right: Vec<Row>, context: &Context<'_>) -> Vec<Row> {
    let key_of = |row: &Row| matching::key(&row.labels, binary.matching.as_ref(), true);
    let is_or = binary.operator == BinaryOperator::Or;
    let (kept, others) = if is_or { (right, left) } else { (left, right) };
    // At which instants a key appears on the other side.
    let mut seen: HashMap<Labels, Presence> = HashMap::new();
    for row in &others {
        let bits = seen.entry(key_of(row)).or_insert_with(|| Presence::none(row.values.len()));
        (0..row.values.len()).filter(|&at| row.is_present(at)).for_each(|at| bits.set(at, true));
        context.spend(row.values.len()).await;
    }
    let wants_seen = binary.operator == BinaryOperator::And;
    let mut chosen = Vec::new();
    for mut row in kept {
        let bits = seen.get(&key_of(&row));
        for position in 0..row.values.len() {
            if bits.is_some_and(|bits| bits.get(position)) != wants_seen {
                row.clear(position);
            }
        }
        context.spend(row.values.len()).await;
        if row.has_values() {
            chosen.push(row);
        }
    }
    if is_or { others.into_iter().chain(chosen).collect() } else { chosen }
}
