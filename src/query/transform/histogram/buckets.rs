//! Histograms as rows: buckets with an upper bound in `le`, or with a range in `vmrange`.

use crate::query::number;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::overlap;
use crate::query::series::row::Row;
use crate::query::vmrange::VMRANGE;
use std::collections::HashMap;
use std::rc::Rc;

/// The label with a bucket's upper bound.
pub const BOUND: &str = "le";

/// One bucket of a histogram.
pub struct Bucket {
    /// Its upper bound.
    pub bound: f64,
    /// How many observations lie at it or below.
    pub row: Row,
}

/// The buckets of one histogram.
pub struct Histogram {
    /// The labels that its buckets share, without the name.
    pub labels: Labels,
    /// By their bounds.
    pub buckets: Vec<Bucket>,
}

/// Rows by histogram. What has no bound is left out.
pub fn group(rows: Vec<Row>) -> Vec<Histogram> {
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    let mut histograms: Vec<Histogram> = Vec::new();
    for row in rows {
        let Some(bound) = number::parse(row.labels.get(BOUND)) else { continue };
        let mut labels = row.labels.clone();
        labels.remove(NAME);
        labels.remove(BOUND);
        let number = *numbers.entry(labels.clone()).or_insert(histograms.len());
        if number == histograms.len() {
            histograms.push(Histogram { labels, buckets: Vec::new() });
        }
        histograms[number].buckets.push(Bucket { bound, row });
    }
    for histogram in &mut histograms {
        histogram.buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    }
    histograms
}

/// Adds up buckets with equal bounds, which must be sorted.
pub fn merge_equal_bounds(histogram: &mut Histogram) {
    let mut merged: Vec<Bucket> = Vec::with_capacity(histogram.buckets.len());
    for bucket in histogram.buckets.drain(..) {
        match merged.last_mut() {
            Some(last) if last.bound == bucket.bound => {
                last.row.values.iter_mut().zip(&bucket.row.values).for_each(|(sum, value)| *sum += value);
            }
            _ => merged.push(bucket),
        }
    }
    histogram.buckets = merged;
}

struct Range {
    start: f64,
    start_text: Rc<str>,
    end: f64,
    end_text: Rc<str>,
    row: Row,
}

/// Buckets of ranges become buckets of upper bounds; those that have one already stay. What is neither is left out.
pub fn ranges_to_bounds(rows: Vec<Row>) -> Vec<Row> {
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Vec<Range>> = Vec::new();
    let mut made = Vec::new();
    for mut row in rows {
        if row.labels.get(VMRANGE).is_empty() {
            if !row.labels.get(BOUND).is_empty() {
                made.push(row);
            }
            continue;
        }
        let range = row.labels.get(VMRANGE).to_owned();
        let Some((start_text, end_text)) = range.split_once("...") else { continue };
        let (Some(start), Some(end)) = (number::parse(start_text), number::parse(end_text)) else { continue };
        row.labels.remove(BOUND);
        row.labels.remove(VMRANGE);
        let number = *numbers.entry(row.labels.clone()).or_insert(groups.len());
        if number == groups.len() {
            groups.push(Vec::new());
        }
        groups[number].push(Range { start, start_text: start_text.into(), end, end_text: end_text.into(), row });
    }
    groups.into_iter().for_each(|group| made.extend(accumulate(group)));
    made
}

/// One histogram's ranges as bounds. A bound of zero observations stands below each range that does not follow another one.
fn accumulate(mut ranges: Vec<Range>) -> Vec<Row> {
    ranges.sort_by(|a, b| a.end.total_cmp(&b.end));
    let with_bound = |row: &Row, bound: &Rc<str>, values: Vec<f64>| {
        let mut labels = row.labels.clone();
        labels.set(BOUND, bound.clone());
        Row::new(labels, values)
    };
    let mut made: Vec<(Rc<str>, Row)> = Vec::with_capacity(ranges.len() + 2);
    let mut by_bound: HashMap<Rc<str>, usize> = HashMap::new();
    let mut end_before = 0.0;
    let Some(last) = ranges.last() else { return Vec::new() };
    let inf =
        (!last.end.is_infinite()).then(|| with_bound(&last.row, &"+Inf".into(), vec![0.0; last.row.values.len()]));
    for range in ranges {
        let Range { start, start_text, end, end_text, row } = range;
        let starts_anew = start != end_before;
        end_before = end;
        if !row.values.iter().any(|value| *value > 0.0) {
            continue;
        }
        if starts_anew && !by_bound.contains_key(&start_text) {
            let zeros = vec![0.0; row.values.len()];
            by_bound.insert(start_text.clone(), made.len());
            made.push((start_text.clone(), with_bound(&row, &start_text, zeros)));
        }
        match by_bound.get(&end_text) {
            Some(&number) => {
                overlap::merge(&mut made[number].1.values, &row.values);
            }
            None => {
                by_bound.insert(end_text.clone(), made.len());
                made.push((end_text.clone(), with_bound(&row, &end_text, row.values.clone())));
            }
        }
    }
    let mut rows: Vec<Row> = made.into_iter().map(|(_, row)| row).chain(inf).collect();
    let points = rows.first().map_or(0, |row| row.values.len());
    for position in 0..points {
        let mut count = 0.0;
        for row in &mut rows {
            let value = &mut row.values[position];
            if *value > 0.0 {
                count += *value;
            }
            *value = count;
        }
    }
    rows
}

/// The values of a column at one instant: none less than the one before. What is missing or too large takes what follows it, and at
/// the end what comes before it.
pub fn repair(counts: &mut [f64]) {
    if counts.len() < 2 {
        return;
    }
    if let Some(last) = counts.iter().rposition(|count| !count.is_nan()) {
        let value = counts[last];
        counts[last + 1..].fill(value);
    }
    let mut next = counts[counts.len() - 1];
    for count in counts.iter_mut().rev().skip(1) {
        if count.is_nan() || *count > next {
            *count = next;
        } else {
            next = *count;
        }
    }
}
