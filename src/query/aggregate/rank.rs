//! Aggregates that keep some rows of each group as they are: the largest, the smallest, any few.

use super::group::Group;
use crate::error::{Error, Result};
use crate::query::call::Context;
use crate::query::dialect::Dialect;
use crate::query::quantile;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::Row;
use std::cmp::Ordering;
use xxhash_rust::xxh64::Xxh64;

/// Which end of an order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `topk` and its kin.
    Top,
    /// `bottomk` and its kin.
    Bottom,
}

/// What a row is judged by as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Its least value.
    Min,
    /// Its greatest value.
    Max,
    /// Its mean.
    Avg,
    /// Its median.
    Median,
    /// Its last value.
    Last,
}

impl Measure {
    fn of(self, values: &[f64], scratch: &mut Vec<f64>) -> f64 {
        let there = values.iter().copied().filter(|value| !value.is_nan());
        match self {
            Self::Min => there.fold(f64::NAN, f64::min),
            Self::Max => there.fold(f64::NAN, f64::max),
            Self::Avg => {
                let (sum, count) = there.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
                sum / f64::from(count)
            }
            Self::Median => quantile::of(0.5, there, scratch),
            Self::Last => values.iter().rev().copied().find(|value| !value.is_nan()).unwrap_or(f64::NAN),
        }
    }
}

/// How the best come last, as the server sorts: NaN before all others for `topk`, behind all others for `bottomk`.
fn worse_first(end: End, a: f64, b: f64) -> Ordering {
    let ascending = match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    };
    if end == End::Top { ascending } else { ascending.reverse() }
}

/// How many of so many rows a scalar asks for.
fn count_of(wanted: f64, rows: usize) -> usize {
    (wanted as usize).min(rows)
}

/// The best `counts` of each instant, the best of the last instant first.
async fn by_instant(end: End, mut group: Group, counts: &[f64], context: &Context<'_>) -> Vec<Row> {
    // Values beside their rows' numbers: an instant's values lie far apart in the rows.
    let mut order: Vec<(f64, usize)> = (0..group.rows.len()).map(|number| (0.0, number)).collect();
    for (position, &count) in counts.iter().enumerate() {
        let rows = &mut group.rows;
        for (value, number) in &mut order {
            *value = rows[*number].values[position];
        }
        order.sort_by(|(a, _), (b, _)| worse_first(end, *a, *b));
        let left_out = order.len() - count_of(count, order.len());
        for (_, number) in &order[..left_out] {
            rows[*number].clear(position);
        }
        context.spend_sorting(rows.len()).await;
    }
    best_first(group.rows, order.into_iter().map(|(_, number)| number))
}

/// The last of `order` first.
fn best_first(rows: Vec<Row>, order: impl DoubleEndedIterator<Item = usize>) -> Vec<Row> {
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    order.rev().filter_map(|number| rows[number].take()).filter(Row::has_values).collect()
}

/// The best `counts` of each instant where NaN is worse than all others and the first of equals is kept.
///
/// # Errors
/// `Invalid` for a count that is NaN.
async fn by_instant_strictly(end: End, mut group: Group, counts: &[f64], context: &Context<'_>) -> Result<Vec<Row>> {
    if counts.iter().any(|count| count.is_nan()) {
        return Err(Error::invalid("Parameter value is NaN"));
    }
    let better_first = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (false, false) => worse_first(end, b, a),
        (a, b) => a.cmp(&b),
    };
    group.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut order: Vec<(f64, usize)> = Vec::new();
    for (position, &count) in counts.iter().enumerate() {
        let rows = &mut group.rows;
        order.clear();
        let there = rows.iter().enumerate().filter(|(_, row)| row.is_present(position));
        order.extend(there.map(|(number, row)| (row.values[position], number)));
        let kept = count_of(count, order.len());
        order.sort_by(|(a, _), (b, _)| better_first(*a, *b));
        for (_, number) in &order[kept..] {
            rows[*number].clear(position);
        }
        context.spend_sorting(rows.len()).await;
    }
    // An instant's rows come best first; a range's are sorted by their labels anyway.
    Ok(if counts.len() == 1 {
        best_first(group.rows, order.into_iter().rev().map(|(_, number)| number))
    } else {
        group.rows.into_iter().filter(Row::has_values).collect()
    })
}

/// The best rows of each instant, where a row is judged as a whole by `measure`. What `remaining` names is a row with the sum of those
/// left out: `name`, or `label=name`.
pub async fn by_row(
    end: End,
    group: Group,
    counts: &[f64],
    remaining: Option<&str>,
    mut measure: impl FnMut(&Row) -> f64,
    context: &Context<'_>,
) -> Vec<Row> {
    let mut measures = Vec::with_capacity(group.rows.len());
    for row in &group.rows {
        measures.push(measure(row));
        context.spend(row.values.len()).await;
    }
    let mut order: Vec<usize> = (0..group.rows.len()).collect();
    order.sort_by(|&a, &b| worse_first(end, measures[a], measures[b]));
    let Group { key, mut rows } = group;
    let remaining = match remaining.filter(|name| !name.is_empty()) {
        Some(name) => {
            let (label, value) = name.split_once('=').unwrap_or((name, name));
            let mut labels = key;
            labels.set(label, value);
            let mut sums = Vec::with_capacity(counts.len());
            for (position, &count) in counts.iter().enumerate() {
                let left_out = &order[..order.len() - count_of(count, order.len())];
                let there =
                    left_out.iter().map(|&number| rows[number].values[position]).filter(|value| !value.is_nan());
                sums.push(there.fold(f64::NAN, |sum, value| if sum.is_nan() { value } else { sum + value }));
                context.spend(left_out.len()).await;
            }
            Some(Row::new(labels, sums))
        }
        None => None,
    };
    for (position, &count) in counts.iter().enumerate() {
        for &number in &order[..order.len() - count_of(count, order.len())] {
            rows[number].clear(position);
        }
        context.spend(rows.len()).await;
    }
    let kept = best_first(rows, order.into_iter());
    remaining.into_iter().filter(Row::has_values).chain(kept).collect()
}

/// `topk_max` and its kin.
pub async fn by_measure(
    end: End,
    measure: Measure,
    group: Group,
    counts: &[f64],
    remaining: Option<&str>,
    context: &Context<'_>,
) -> Vec<Row> {
    let mut scratch = Vec::new();
    by_row(end, group, counts, remaining, |row| measure.of(&row.values, &mut scratch), context).await
}

/// At most `count` rows of each group, the same ones each time.
pub fn any_few(mut group: Group, count: f64) -> Vec<Row> {
    group.rows.sort_by_cached_key(|row| {
        let mut hash = Xxh64::new(0);
        hash.update(row.labels.get(NAME).as_bytes());
        for (name, value) in row.labels.iter().filter(|(name, _)| &***name != NAME) {
            hash.update(name.as_bytes());
            hash.update(value.as_bytes());
        }
        hash.digest()
    });
    group.rows.truncate(count_of(count, usize::MAX));
    group.rows
}

/// The first `counts` rows that are there at each instant.
///
/// # Errors
/// `Invalid` for a count that is NaN.
pub async fn first_few(mut group: Group, counts: &[f64], context: &Context<'_>) -> Result<Vec<Row>> {
    if counts.iter().any(|count| count.is_nan()) {
        return Err(Error::invalid("Parameter value is NaN"));
    }
    for (position, &count) in counts.iter().enumerate() {
        let mut left = count_of(count, group.rows.len());
        for row in group.rows.iter_mut().filter(|row| row.is_present(position)) {
            if left == 0 {
                row.clear(position);
            } else {
                left -= 1;
            }
        }
        context.spend(group.rows.len()).await;
    }
    Ok(group.rows.into_iter().filter(Row::has_values).collect())
}

/// Those rows that a share of 1 divides by their labels; a negative ratio keeps those that the positive one of the same distance from 1
/// leaves out.
///
/// # Errors
/// `Invalid` for a ratio that is NaN.
pub async fn by_ratio(mut group: Group, ratios: &[f64], context: &Context<'_>) -> Result<Vec<Row>> {
    if ratios.iter().any(|ratio| ratio.is_nan()) {
        return Err(Error::invalid("Ratio value is NaN"));
    }
    for row in &mut group.rows {
        let place = place_of(&row.labels);
        for (position, &ratio) in ratios.iter().enumerate() {
            let ratio = ratio.clamp(-1.0, 1.0);
            let is_kept = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
            if !is_kept {
                row.clear(position);
            }
        }
        context.spend(ratios.len()).await;
    }
    Ok(group.rows.into_iter().filter(Row::has_values).collect())
}

/// Where between 0 and 1 labels fall.
fn place_of(labels: &Labels) -> f64 {
    let mut hash = Xxh64::new(0);
    for (name, value) in labels.iter() {
        hash.update(name.as_bytes());
        hash.update(&[0xff]);
        hash.update(value.as_bytes());
        hash.update(&[0xff]);
    }
    hash.digest() as f64 / u64::MAX as f64
}

/// `topk` and `bottomk` by the rules of a dialect.
///
/// # Errors
/// `Invalid` for a count that is NaN, in PromQL.
pub async fn best(end: End, group: Group, counts: &[f64], context: &Context<'_>) -> Result<Vec<Row>> {
    match context.dialect {
        Dialect::MetricsQl => Ok(by_instant(end, group, counts, context).await),
        Dialect::PromQl => by_instant_strictly(end, group, counts, context).await,
    }
}
