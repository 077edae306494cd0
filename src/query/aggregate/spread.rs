//! Aggregates that look at how the values of one instant lie: quantiles, deviations, outliers, shares.

use super::group::Group;
use super::rank::{self, End};
use crate::query::dialect::Dialect;
use crate::query::number;
use crate::query::quantile;
use crate::query::series::labels::NAME;
use crate::query::series::row::{Presence, Row};

/// The values of one instant.
fn at(rows: &[Row], position: usize) -> impl Iterator<Item = f64> + Clone + '_ {
    rows.iter().map(move |row| row.values[position])
}

/// What `of_instant` makes of each instant's values.
fn column(rows: &[Row], points: usize, mut of_instant: impl FnMut(usize, &[f64]) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(rows.len());
    (0..points)
        .map(|position| {
            values.clear();
            values.extend(at(rows, position));
            of_instant(position, &values)
        })
        .collect()
}

/// A quantile of each instant.
pub fn quantile(dialect: Dialect, group: Group, quantiles: &[f64]) -> Row {
    let mut sorted = Vec::new();
    match dialect {
        Dialect::MetricsQl => {
            let values = column(&group.rows, quantiles.len(), |position, values| {
                quantile::of(quantiles[position], values.iter().copied(), &mut sorted)
            });
            Row::new(group.key, values)
        }
        Dialect::PromQl => {
            let mut present = Presence::none(quantiles.len());
            let values = quantiles.iter().enumerate().map(|(position, &quantile)| {
                let there = group.rows.iter().filter(|row| row.is_present(position));
                sorted.clear();
                // NaN is less than all numbers.
                sorted.extend(
                    there.map(|row| row.values[position]).map(|v| if v.is_nan() { -f64::NAN.abs() } else { v }),
                );
                sorted.sort_unstable_by(f64::total_cmp);
                present.set(position, !sorted.is_empty());
                quantile::of_sorted(quantile, &sorted)
            });
            let values = values.collect();
            Row::with_presence(group.key, values, present)
        }
    }
}

/// Several quantiles of each instant, each as a row with its number in a label.
pub fn quantiles(label: &str, quantiles: &[f64], group: &Group, points: usize) -> Vec<Row> {
    let mut sorted = Vec::new();
    let mut columns: Vec<Vec<f64>> = vec![Vec::with_capacity(points); quantiles.len()];
    for position in 0..points {
        quantile::sort_into(at(&group.rows, position), &mut sorted);
        for (column, &quantile) in columns.iter_mut().zip(quantiles) {
            column.push(quantile::of_sorted(quantile, &sorted));
        }
    }
    let rows = columns.into_iter().zip(quantiles).map(|(values, &quantile)| {
        let mut labels = group.key.clone();
        labels.set(label, number::short(quantile));
        Row::new(labels, values)
    });
    rows.collect()
}

fn medians(rows: &[Row], points: usize) -> Vec<f64> {
    let mut scratch = Vec::new();
    column(rows, points, |_, values| quantile::of(0.5, values.iter().copied(), &mut scratch))
}

fn deviations(rows: &[Row], points: usize) -> Vec<f64> {
    let mut scratch = Vec::new();
    column(rows, points, |_, values| quantile::median_deviation(values.iter().copied(), &mut scratch))
}

/// The median distance from the median.
pub fn mad(group: Group, points: usize) -> Row {
    let values = deviations(&group.rows, points);
    Row::new(group.key, values)
}

/// Rows that lie further from the median than `tolerances` times the median distance, once at least.
pub fn outliers_mad(group: Group, tolerances: &[f64]) -> Vec<Row> {
    let medians = medians(&group.rows, tolerances.len());
    let deviations = deviations(&group.rows, tolerances.len());
    let lies_outside = |row: &Row| {
        row.values
            .iter()
            .enumerate()
            .any(|(position, value)| (value - medians[position]).abs() > deviations[position] * tolerances[position])
    };
    group.rows.into_iter().filter(lies_outside).collect()
}

/// Rows that lie outside of the middle half by more than 1.5 times its width, once at least.
pub fn outliers_iqr(group: Group, points: usize) -> Vec<Row> {
    let mut sorted = Vec::new();
    let bounds: Vec<(f64, f64)> = (0..points)
        .map(|position| {
            quantile::sort_into(at(&group.rows, position), &mut sorted);
            let (low, high) = (quantile::of_sorted(0.25, &sorted), quantile::of_sorted(0.75, &sorted));
            let margin = 1.5 * (high - low);
            (low - margin, high + margin)
        })
        .collect();
    let lies_outside =
        |row: &Row| row.values.iter().zip(&bounds).any(|(value, (lower, upper))| value > upper || value < lower);
    group.rows.into_iter().filter(lies_outside).collect()
}

/// The rows that lie furthest from the median.
pub fn outliersk(group: Group, counts: &[f64]) -> Vec<Row> {
    let medians = medians(&group.rows, counts.len());
    rank::by_row(End::Top, group, counts, None, |row| {
        row.values.iter().zip(&medians).map(|(value, median)| (value - median) * (value - median)).sum()
    })
}

/// Each value as a share of the instant's sum; negative values have none.
pub fn share(mut group: Group, points: usize) -> Vec<Row> {
    for position in 0..points {
        let sum: f64 = at(&group.rows, position).filter(|value| *value >= 0.0).sum();
        for row in &mut group.rows {
            let value = &mut row.values[position];
            *value = if *value >= 0.0 { *value / sum } else { f64::NAN };
        }
    }
    group.rows
}

/// How many standard deviations each value lies from the instant's mean.
pub fn zscore(mut group: Group, points: usize) -> Vec<Row> {
    for position in 0..points {
        let (mut mean, mut count, mut squares) = (0.0, 0.0, 0.0);
        for value in at(&group.rows, position).filter(|value| !value.is_nan()) {
            count += 1.0;
            let before = value - mean;
            mean += before / count;
            squares += before * (value - mean);
        }
        let deviation = f64::sqrt(squares / count);
        group.rows.iter_mut().for_each(|row| row.values[position] = (row.values[position] - mean) / deviation);
    }
    group.rows.iter_mut().for_each(|row| row.labels.remove(NAME));
    group.rows
}

/// The most frequent value of each instant, the least of equally frequent ones.
pub fn mode(group: Group, points: usize) -> Row {
    let mut sorted = Vec::new();
    let values = column(&group.rows, points, |_, values| {
        quantile::sort_into(values.iter().copied(), &mut sorted);
        let (mut mode, mut most) = (f64::NAN, 0);
        for run in sorted.chunk_by(|a, b| a == b) {
            if run.len() > most {
                (mode, most) = (run[0], run.len());
            }
        }
        mode
    });
    Row::new(group.key, values)
}

/// How many different values each instant has.
pub fn distinct(group: Group, points: usize) -> Row {
    let mut sorted = Vec::new();
    let values = column(&group.rows, points, |_, values| {
        quantile::sort_into(values.iter().copied(), &mut sorted);
        match sorted.chunk_by(|a, b| a == b).count() {
            0 => f64::NAN,
            count => count as f64,
        }
    });
    Row::new(group.key, values)
}
