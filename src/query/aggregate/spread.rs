//! Aggregates that look at how the values of one instant lie: quantiles, deviations, outliers, shares.

use super::group::Group;
use super::rank::{self, End};
use crate::query::call::Context;
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
async fn column(rows: &[Row], context: &Context<'_>, mut of_instant: impl FnMut(usize, &[f64]) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(rows.len());
    let mut made = Vec::with_capacity(context.grid.points);
    for position in 0..context.grid.points {
        values.clear();
        values.extend(at(rows, position));
        made.push(of_instant(position, &values));
        context.spend_sorting(rows.len()).await;
    }
    made
}

/// A quantile of each instant.
pub async fn quantile(group: Group, quantiles: &[f64], context: &Context<'_>) -> Row {
    let mut sorted = Vec::new();
    match context.dialect {
        Dialect::MetricsQl => {
            let values = column(&group.rows, context, |position, values| {
                quantile::of(quantiles[position], values.iter().copied(), &mut sorted)
            });
            Row::new(group.key, values.await)
        }
        Dialect::PromQl => {
            let mut present = Presence::none(quantiles.len());
            let mut values = Vec::with_capacity(quantiles.len());
            for (position, &quantile) in quantiles.iter().enumerate() {
                let there = group.rows.iter().filter(|row| row.is_present(position));
                sorted.clear();
                // NaN is less than all numbers.
                sorted.extend(
                    there.map(|row| row.values[position]).map(|v| if v.is_nan() { -f64::NAN.abs() } else { v }),
                );
                sorted.sort_unstable_by(f64::total_cmp);
                present.set(position, !sorted.is_empty());
                values.push(quantile::of_sorted(quantile, &sorted));
                context.spend_sorting(group.rows.len()).await;
            }
            Row::with_presence(group.key, values, present)
        }
    }
}

/// Several quantiles of each instant, each as a row with its number in a label.
pub async fn quantiles(label: &str, quantiles: &[f64], group: &Group, context: &Context<'_>) -> Vec<Row> {
    let points = context.grid.points;
    let mut sorted = Vec::new();
    let mut columns: Vec<Vec<f64>> = vec![Vec::with_capacity(points); quantiles.len()];
    for position in 0..points {
        quantile::sort_into(at(&group.rows, position), &mut sorted);
        for (column, &quantile) in columns.iter_mut().zip(quantiles) {
            column.push(quantile::of_sorted(quantile, &sorted));
        }
        context.spend_sorting(group.rows.len()).await;
    }
    let rows = columns.into_iter().zip(quantiles).map(|(values, &quantile)| {
        let mut labels = group.key.clone();
        labels.set(label, number::short(quantile));
        Row::new(labels, values)
    });
    rows.collect()
}

async fn medians(rows: &[Row], context: &Context<'_>) -> Vec<f64> {
    let mut scratch = Vec::new();
    column(rows, context, |_, values| quantile::of(0.5, values.iter().copied(), &mut scratch)).await
}

async fn deviations(rows: &[Row], context: &Context<'_>) -> Vec<f64> {
    let mut scratch = Vec::new();
    column(rows, context, |_, values| quantile::median_deviation(values.iter().copied(), &mut scratch)).await
}

/// The median distance from the median.
pub async fn mad(group: Group, context: &Context<'_>) -> Row {
    let values = deviations(&group.rows, context).await;
    Row::new(group.key, values)
}

/// Rows that lie further from the median than `tolerances` times the median distance, once at least.
pub async fn outliers_mad(group: Group, tolerances: &[f64], context: &Context<'_>) -> Vec<Row> {
    let medians = medians(&group.rows, context).await;
    let deviations = deviations(&group.rows, context).await;
    let lies_outside = |row: &Row| {
        row.values
            .iter()
            .enumerate()
            .any(|(position, value)| (value - medians[position]).abs() > deviations[position] * tolerances[position])
    };
    group.rows.into_iter().filter(lies_outside).collect()
}

/// Rows that lie outside of the middle half by more than 1.5 times its width, once at least.
pub async fn outliers_iqr(group: Group, context: &Context<'_>) -> Vec<Row> {
    let mut sorted = Vec::new();
    let mut bounds: Vec<(f64, f64)> = Vec::with_capacity(context.grid.points);
    for position in 0..context.grid.points {
        quantile::sort_into(at(&group.rows, position), &mut sorted);
        let (low, high) = (quantile::of_sorted(0.25, &sorted), quantile::of_sorted(0.75, &sorted));
        let margin = 1.5 * (high - low);
        bounds.push((low - margin, high + margin));
        context.spend_sorting(group.rows.len()).await;
    }
    let lies_outside =
        |row: &Row| row.values.iter().zip(&bounds).any(|(value, (lower, upper))| value > upper || value < lower);
    group.rows.into_iter().filter(lies_outside).collect()
}

/// The rows that lie furthest from the median.
pub async fn outliersk(group: Group, counts: &[f64], context: &Context<'_>) -> Vec<Row> {
    let medians = medians(&group.rows, context).await;
    let distance =
        |row: &Row| row.values.iter().zip(&medians).map(|(value, median)| (value - median) * (value - median)).sum();
    rank::by_row(End::Top, group, counts, None, distance, context).await
}

/// Each value as a share of the instant's sum; negative values have none.
pub async fn share(mut group: Group, context: &Context<'_>) -> Vec<Row> {
    for position in 0..context.grid.points {
        let sum: f64 = at(&group.rows, position).filter(|value| *value >= 0.0).sum();
        for row in &mut group.rows {
            let value = &mut row.values[position];
            *value = if *value >= 0.0 { *value / sum } else { f64::NAN };
        }
        context.spend(group.rows.len()).await;
    }
    group.rows
}

/// How many standard deviations each value lies from the instant's mean.
pub async fn zscore(mut group: Group, context: &Context<'_>) -> Vec<Row> {
    for position in 0..context.grid.points {
        let (mut mean, mut count, mut squares) = (0.0, 0.0, 0.0);
        for value in at(&group.rows, position).filter(|value| !value.is_nan()) {
            count += 1.0;
            let before = value - mean;
            mean += before / count;
            squares += before * (value - mean);
        }
        let deviation = f64::sqrt(squares / count);
        group.rows.iter_mut().for_each(|row| row.values[position] = (row.values[position] - mean) / deviation);
        context.spend(group.rows.len()).await;
    }
    group.rows.iter_mut().for_each(|row| row.labels.remove(NAME));
    group.rows
}

/// The most frequent value of each instant, the least of equally frequent ones.
pub async fn mode(group: Group, context: &Context<'_>) -> Row {
    let mut sorted = Vec::new();
    let values = column(&group.rows, context, |_, values| {
        quantile::sort_into(values.iter().copied(), &mut sorted);
        let (mut mode, mut most) = (f64::NAN, 0);
        for run in sorted.chunk_by(|a, b| a == b) {
            if run.len() > most {
                (mode, most) = (run[0], run.len());
            }
        }
        mode
    });
    Row::new(group.key, values.await)
}

/// How many different values each instant has.
pub async fn distinct(group: Group, context: &Context<'_>) -> Row {
    let mut sorted = Vec::new();
    let values = column(&group.rows, context, |_, values| {
        quantile::sort_into(values.iter().copied(), &mut sorted);
        match sorted.chunk_by(|a, b| a == b).count() {
            0 => f64::NAN,
            count => count as f64,
        }
    });
    Row::new(group.key, values.await)
}
