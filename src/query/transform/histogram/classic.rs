//! Quantiles and fractions of histograms, element by element: over `le`, with the bucket of all observations.

use super::Call;
use super::buckets::{self, Histogram};
use crate::error::Result;
use crate::query::number;
use crate::query::remarks::Remark;
use crate::query::series::row::{Presence, Row};
use std::cell::Cell;

/// A drop between buckets of no more than this share is noise of floats.
const NOISE: f64 = 1e-12;

/// An upper bound and how many observations lie at it or below.
type Bucket = (f64, f64);

/// Each histogram's number at each instant at which it has buckets.
fn each(rows: Vec<Row>, points: usize, of: impl Fn(usize, &mut Vec<Bucket>) -> f64) -> Vec<Row> {
    let mut there = Vec::new();
    let compute = |Histogram { labels, buckets }| {
        let mut present = Presence::none(points);
        let mut values = vec![f64::NAN; points];
        for (position, value) in values.iter_mut().enumerate() {
            there.clear();
            let buckets = buckets.iter().filter(|bucket: &&buckets::Bucket| bucket.row.is_present(position));
            there.extend(buckets.map(|bucket| (bucket.bound, bucket.row.values[position])));
            if !there.is_empty() {
                present.set(position, true);
                *value = of(position, &mut there);
            }
        }
        Row::with_presence(labels, values, present)
    };
    buckets::group(rows).into_iter().map(compute).collect()
}

/// Adds up buckets of equal bounds and lifts those that have less than the one before; nothing without a bucket of all observations, or
/// without any. Tells whether any was lifted by more than noise.
fn repair(buckets: &mut Vec<Bucket>, was_lifted: &Cell<bool>) -> Option<f64> {
    if buckets.last()?.0 != f64::INFINITY {
        return None;
    }
    buckets.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 += next.1;
        }
        is_same
    });
    let mut before = f64::NEG_INFINITY;
    let mut is_lifted = false;
    for (_, count) in buckets.iter_mut() {
        let is_noise = (*count - before).abs() <= NOISE * count.abs().max(before.abs());
        if before.is_finite() && (*count < before || is_noise) {
            is_lifted |= !is_noise;
            *count = before;
        }
        before = *count;
    }
    let total = buckets.last()?.1;
    was_lifted.set(was_lifted.get() || is_lifted && total != 0.0);
    (total != 0.0).then_some(total)
}

fn quantile_of(quantile: f64, buckets: &mut Vec<Bucket>, was_lifted: &Cell<bool>) -> f64 {
    if quantile.is_nan() {
        return f64::NAN;
    } else if quantile < 0.0 {
        return f64::NEG_INFINITY;
    } else if quantile > 1.0 {
        return f64::INFINITY;
    }
    let Some(total) = repair(buckets, was_lifted) else { return f64::NAN };
    if buckets.len() < 2 {
        return f64::NAN;
    }
    let mut rank = quantile * total;
    let last = buckets.len() - 1;
    let found = buckets[..last].iter().position(|(_, count)| *count >= rank).unwrap_or(last);
    if found == last {
        return buckets[last - 1].0;
    }
    let (end, mut count) = buckets[found];
    if found == 0 && end <= 0.0 {
        return end;
    }
    let mut start = 0.0;
    if found > 0 {
        let (bound, below) = buckets[found - 1];
        start = bound;
        count -= below;
        rank -= below;
    }
    start + (end - start) * (rank / count)
}

pub fn histogram_quantile(call: &mut Call) -> Result<Vec<Row>> {
    let quantiles = call.arguments.numbers()?;
    let rows = call.arguments.rows()?;
    remark_on_bounds(call, &rows, 1);
    let was_lifted = Cell::new(false);
    let found = each(rows, call.context.grid.points, |position, buckets| {
        quantile_of(quantiles[position], buckets, &was_lifted)
    });
    if let Some(on_call) = &call.context.remarks {
        on_call.remarks.check_quantiles(quantiles.into_iter(), on_call.argument(0));
        if was_lifted.get() {
            on_call.remarks.add(Remark::ForcedMonotonicity, on_call.argument(1));
        }
    }
    Ok(found)
}

/// Says of rows that they are no buckets, since they have no bound.
fn remark_on_bounds(call: &Call, rows: &[Row], argument: usize) {
    let Some(on_call) = &call.context.remarks else { return };
    for row in rows.iter().filter(|row| row.has_values()) {
        let bound = row.labels.get(buckets::BOUND);
        if number::parse(bound).is_none() {
            on_call.remarks.add(Remark::BucketLabel(bound), on_call.argument(argument));
        }
    }
}

/// How many observations lie at or below a value, interpolated inside of the bucket that holds it.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let mut below = 0.0;
    let mut start = if buckets[0].0 > 0.0 { 0.0 } else { f64::NEG_INFINITY };
    for &(end, count) in buckets {
        if start >= value {
            return below;
        }
        if end > value {
            return if start == f64::NEG_INFINITY {
                count
            } else if end == f64::INFINITY {
                below
            } else {
                below + (count - below) * (value - start) / (end - start)
            };
        }
        (start, below) = (end, count);
    }
    below
}

fn fraction_of(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    let Some(total) = repair(buckets, &Cell::new(false)) else { return f64::NAN };
    if lower.is_nan() || upper.is_nan() {
        f64::NAN
    } else if lower >= upper {
        0.0
    } else {
        (rank_of(upper, buckets) - rank_of(lower, buckets)) / total
    }
}

pub fn histogram_fraction(call: &mut Call) -> Result<Vec<Row>> {
    let (lowers, uppers) = (call.arguments.numbers()?, call.arguments.numbers()?);
    let rows = call.arguments.rows()?;
    remark_on_bounds(call, &rows, 2);
    Ok(each(rows, call.context.grid.points, |position, buckets| {
        fraction_of(lowers[position], uppers[position], buckets)
    }))
}
