//! The end of a query: rows become the answer.

use super::binary::matching::shown;
use super::dialect::Dialect;
use super::series::labels::{Labels, NAME};
use super::series::row::{Presence, Row};
use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// In which order the rows of an answer come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their labels.
    Labels,
    /// As they are: the expression has sorted them.
    AsTheyAre,
}

/// The answer's rows: names that are to be dropped are, rows without values are gone, and no two have the same labels. Where elements count
/// for themselves, rows of equal labels become one if they never meet.
///
/// # Errors
/// `Invalid` for two rows with the same labels.
pub fn finish(rows: Vec<Row>, dialect: Dialect, order: Order) -> Result<Vec<Row>> {
    let mut seen: HashMap<Labels, usize> = HashMap::new();
    let mut finished: Vec<Row> = Vec::with_capacity(rows.len());
    for mut row in rows.into_iter().filter(Row::has_values) {
        if row.drop_name {
            row.labels.remove(NAME);
            row.drop_name = false;
        }
        match seen.get(&row.labels) {
            None => {
                seen.insert(row.labels.clone(), finished.len());
                finished.push(row);
            }
            Some(_) if dialect == Dialect::MetricsQl => {
                return Err(Error::invalid(format!("duplicate output timeseries: {}", shown(&row.labels))));
            }
            Some(&number) => merge(&mut finished[number], &row)?,
        }
    }
    if order == Order::Labels {
        finished.sort_by(|a, b| match dialect {
            Dialect::MetricsQl => by_name_first(&a.labels, &b.labels),
            Dialect::PromQl => a.labels.cmp(&b.labels),
        });
    }
    Ok(finished)
}

/// Judges rows in the middle of an expression, where names still matter even if they go at the end.
///
/// # Errors
/// `Invalid` for two elements with the same labels at one instant.
pub fn check(rows: &[Row]) -> Result<()> {
    let mut seen: HashMap<&Labels, Presence> = HashMap::new();
    for row in rows {
        let taken = seen.entry(&row.labels).or_insert_with(|| Presence::none(row.values.len()));
        for position in (0..row.values.len()).filter(|&position| row.is_present(position)) {
            if taken.get(position) {
                return Err(Error::invalid("vector cannot contain metrics with the same labelset"));
            }
            taken.set(position, true);
        }
    }
    Ok(())
}

fn by_name_first(a: &Labels, b: &Labels) -> Ordering {
    fn tags(labels: &Labels) -> impl Iterator<Item = (&Rc<str>, &Rc<str>)> {
        labels.iter().filter(|(name, _)| &***name != NAME)
    }
    a.get(NAME).cmp(b.get(NAME)).then_with(|| tags(a).cmp(tags(b)))
}

/// Adds elements to a row of the same labels.
fn merge(into: &mut Row, from: &Row) -> Result<()> {
    let points = into.values.len();
    let mut present = Presence::none(points);
    for position in 0..points {
        let (is_here, is_there) = (into.is_present(position), from.is_present(position));
        if is_here && is_there {
            return Err(Error::invalid("vector cannot contain metrics with the same labelset"));
        }
        if is_there {
            into.values[position] = from.values[position];
        }
        present.set(position, is_here || is_there);
    }
    let values = std::mem::take(&mut into.values);
    *into = Row::with_presence(std::mem::take(&mut into.labels), values, present);
    Ok(())
}
