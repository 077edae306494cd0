//! Quantiles and shares of histograms whose gaps are mended: over `le` and `vmrange`, in whole rows.

use super::Call;
use super::buckets::{self, Histogram};
use crate::error::{Error, ErrorKind, Result};
use crate::query::number;
use crate::query::series::row::Row;

/// A number with the bounds that it lies between.
#[derive(Clone, Copy)]
struct Estimate {
    value: f64,
    lower: f64,
    upper: f64,
}

impl Estimate {
    const NONE: Self = Self::exactly(f64::NAN);

    const fn exactly(value: f64) -> Self {
        Self { value, lower: value, upper: value }
    }
}

/// The histograms of the next argument, with equal bounds merged.
fn histograms(rows: Vec<Row>) -> Vec<Histogram> {
    let mut histograms = buckets::group(buckets::ranges_to_bounds(rows));
    histograms.iter_mut().for_each(buckets::merge_equal_bounds);
    histograms
}

/// A row for each histogram, and one for each bound if a label for them is named.
fn estimate(
    histograms: &[Histogram],
    bounds_label: Option<&str>,
    of: impl Fn(usize, &[f64], &[f64]) -> Estimate,
) -> Vec<Row> {
    let mut made = Vec::new();
    let (mut bounds, mut counts) = (Vec::new(), Vec::new());
    for Histogram { labels, buckets } in histograms {
        bounds.clear();
        bounds.extend(buckets.iter().map(|bucket| bucket.bound));
        let points = buckets.first().map_or(0, |bucket| bucket.row.values.len());
        let mut columns = [Vec::with_capacity(points), Vec::new(), Vec::new()];
        for position in 0..points {
            counts.clear();
            counts.extend(buckets.iter().map(|bucket| bucket.row.values[position]));
            buckets::repair(&mut counts);
            let estimate = of(position, &bounds, &counts);
            columns[0].push(estimate.value);
            if bounds_label.is_some() {
                columns[1].push(estimate.lower);
                columns[2].push(estimate.upper);
            }
        }
        let [value, lower, upper] = columns;
        made.push(Row::new(labels.clone(), value));
        if let Some(label) = bounds_label {
            for (bound, values) in [("lower", lower), ("upper", upper)] {
                let mut labels = labels.clone();
                labels.set(label, bound);
                made.push(Row::new(labels, values));
            }
        }
    }
    made
}

fn bounds_label(call: &mut Call) -> Result<Option<String>> {
    if call.arguments.left() == 0 {
        return Ok(None);
    }
    Ok(Some(call.arguments.text()?).filter(|label| !label.is_empty()))
}

fn quantile_of(quantile: f64, bounds: &[f64], counts: &[f64]) -> Estimate {
    let total = counts.last().copied().unwrap_or(0.0);
    // Not less, not greater: a quantile that is NaN has none.
    if quantile.is_nan() || total == 0.0 {
        return Estimate::NONE;
    }
    if quantile < 0.0 {
        return Estimate { value: f64::NEG_INFINITY, lower: f64::NEG_INFINITY, upper: counts[0] };
    }
    if quantile > 1.0 {
        return Estimate { value: f64::INFINITY, lower: total, upper: f64::INFINITY };
    }
    let wanted = total * quantile;
    let (mut count_before, mut bound_before) = (0.0, 0.0);
    for (&bound, &count) in bounds.iter().zip(counts) {
        if count <= 0.0 {
            bound_before = bound;
        } else if count < wanted {
            (count_before, bound_before) = (count, bound);
        } else if bound.is_infinite() {
            break;
        } else if count == count_before {
            return Estimate { value: bound_before, lower: bound_before, upper: count };
        } else {
            let share = (wanted - count_before) / (count - count_before);
            return Estimate {
                value: bound_before + (bound - bound_before) * share,
                lower: bound_before,
                upper: bound,
            };
        }
    }
    let highest = bounds.iter().rev().copied().find(|bound| !bound.is_infinite()).unwrap_or(f64::NAN);
    Estimate { value: highest, lower: highest, upper: f64::INFINITY }
}

fn share_of(wanted: f64, bounds: &[f64], counts: &[f64]) -> Estimate {
    if wanted.is_nan() || bounds.is_empty() {
        return Estimate::NONE;
    }
    if wanted < 0.0 {
        return Estimate::exactly(0.0);
    }
    if wanted == f64::INFINITY {
        return Estimate::exactly(1.0);
    }
    let total = counts[counts.len() - 1];
    let (mut count_before, mut bound_before) = (0.0, 0.0);
    for (&bound, &count) in bounds.iter().zip(counts) {
        if wanted >= bound {
            (count_before, bound_before) = (count, bound);
            continue;
        }
        let lower = count_before / total;
        if bound.is_infinite() {
            return Estimate { value: lower, lower, upper: 1.0 };
        }
        if bound_before == wanted {
            return Estimate::exactly(lower);
        }
        let part = (count - count_before) / total * (wanted - bound_before) / (bound - bound_before);
        return Estimate { value: lower + part, lower, upper: count / total };
    }
    Estimate::exactly(1.0)
}

pub fn histogram_quantile(call: &mut Call) -> Result<Vec<Row>> {
    let quantiles = call.arguments.numbers()?;
    let rows = call.arguments.rows()?;
    let label = bounds_label(call)?;
    Ok(estimate(&histograms(rows), label.as_deref(), |position, bounds, counts| {
        quantile_of(quantiles[position], bounds, counts)
    }))
}

pub fn histogram_quantiles(call: &mut Call) -> Result<Vec<Row>> {
    let label = call.arguments.text()?;
    let columns = (1..call.arguments.left()).map(|_| call.arguments.numbers()).collect::<Result<Vec<_>>>()?;
    let rows = call.arguments.rows()?;
    let histograms = histograms(rows);
    let (quantiles, points) = (columns.len(), call.context.grid.points);
    if (quantiles * histograms.len()).saturating_mul(points) > call.context.max_values {
        let most = call.context.max_values;
        let message = format!(
            "histogram_quantiles: {quantiles} quantiles of {} histograms at {points} instants are more than the {most} values that are \
             held at once; ask for fewer quantiles, or take a longer step",
            histograms.len()
        );
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let mut made = Vec::new();
    for quantiles in columns {
        let mut rows =
            estimate(&histograms, None, |position, bounds, counts| quantile_of(quantiles[position], bounds, counts));
        let text = number::short(quantiles.first().copied().unwrap_or(f64::NAN));
        rows.iter_mut().for_each(|row| row.labels.set(&label, text.as_str()));
        made.extend(rows);
    }
    Ok(made)
}

pub fn histogram_share(call: &mut Call) -> Result<Vec<Row>> {
    let wanted = call.arguments.numbers()?;
    let rows = call.arguments.rows()?;
    let label = bounds_label(call)?;
    Ok(estimate(&histograms(rows), label.as_deref(), |position, bounds, counts| {
        share_of(wanted[position], bounds, counts)
    }))
}

pub fn histogram_fraction(call: &mut Call) -> Result<Vec<Row>> {
    let (lowers, uppers) = (call.arguments.numbers()?, call.arguments.numbers()?);
    if let (Some(lower), Some(upper)) = (lowers.first(), uppers.first())
        && lower >= upper
    {
        return Err(Error::invalid(format!(
            "histogram_fraction: lower le cannot be greater than upper le; got lower le: {lower}, upper le: {upper}"
        )));
    }
    Ok(estimate(&histograms(call.arguments.rows()?), None, |position, bounds, counts| {
        let share = |wanted: f64| share_of(wanted, bounds, counts).value;
        Estimate::exactly(share(uppers[position]) - share(lowers[position]))
    }))
}
