//! Mean and spread of histograms, as if each observation lay in the middle of its bucket.

use super::Call;
use super::buckets::{self, Histogram};
use crate::error::Result;
use crate::query::series::row::Row;

struct Moments {
    mean: f64,
    variance: f64,
}

fn moments(histogram: &Histogram, position: usize) -> Moments {
    let (mut bound_before, mut count_before) = (0.0, 0.0);
    let (mut sum, mut squares, mut total) = (0.0, 0.0, 0.0);
    for bucket in histogram.buckets.iter().filter(|bucket| !bucket.bound.is_infinite()) {
        let middle = (bucket.bound + bound_before) / 2.0;
        let count = bucket.row.values[position];
        let weight = count - count_before;
        sum += middle * weight;
        squares += middle * middle * weight;
        total += weight;
        (bound_before, count_before) = (bucket.bound, count);
    }
    if total == 0.0 {
        return Moments { mean: f64::NAN, variance: f64::NAN };
    }
    let mean = sum / total;
    // Rounding may bring it below zero. A NaN stays one.
    let variance = squares / total - mean * mean;
    Moments { mean, variance: if variance < 0.0 { 0.0 } else { variance } }
}

fn each(call: &mut Call, of: fn(Moments) -> f64) -> Result<Vec<Row>> {
    let histograms = buckets::group(buckets::ranges_to_bounds(call.arguments.rows()?));
    let points = call.context.grid.points;
    let rows = histograms.into_iter().map(|histogram| {
        let values = (0..points).map(|position| of(moments(&histogram, position))).collect();
        Row::new(histogram.labels, values)
    });
    Ok(rows.collect())
}

pub fn histogram_avg(call: &mut Call) -> Result<Vec<Row>> {
    each(call, |moments| moments.mean)
}

pub fn histogram_stddev(call: &mut Call) -> Result<Vec<Row>> {
    each(call, |moments| moments.variance.sqrt())
}

pub fn histogram_stdvar(call: &mut Call) -> Result<Vec<Row>> {
    each(call, |moments| moments.variance)
}
