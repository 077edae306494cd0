//! Rows that are found in the samples: histograms and counts of each value.

use super::call::{Label, RollupCall, Scratch};
use super::table::Kernel;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// Rows of one series, by the value of their label.
#[derive(Debug, Default)]
pub struct FoundRows(BTreeMap<Rc<str>, Vec<f64>>);

impl FoundRows {
    /// The rows with the label that each has.
    pub fn into_rows(self, call: &RollupCall) -> impl Iterator<Item = (Label, Vec<f64>)> {
        let name = call.label_name.clone();
        self.0.into_iter().map(move |(value, row)| (Label { name: name.clone(), value }, row))
    }
}

const DECIMAL_BUCKETS: usize = 18;
const BUCKETS: usize = 27 * DECIMAL_BUCKETS;

/// The range of a value as the server's histograms name it; `None` for values that they leave out.
fn bucket(value: f64) -> Option<usize> {
    if value.is_nan() || value < 0.0 {
        return None;
    }
    let place = (value.log10() + 9.0) * DECIMAL_BUCKETS as f64;
    if place < 0.0 {
        return Some(0);
    }
    if place >= BUCKETS as f64 {
        return Some(BUCKETS + 1);
    }
    // Ranges are closed above.
    let at = place as usize;
    Some(if place == at as f64 && at > 0 { at } else { at + 1 })
}

fn bucket_name(bucket: usize) -> String {
    let edge = |at: usize| short(1e-9 * 10_f64.powf(at as f64 / DECIMAL_BUCKETS as f64));
    match bucket {
        0 => format!("0...{}", edge(0)),
        bucket if bucket > BUCKETS => format!("{}...+Inf", edge(BUCKETS)),
        bucket => format!("{}...{}", edge(bucket - 1), edge(bucket)),
    }
}

fn with_exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn short(value: f64) -> String {
    with_exponent(&format!("{value:.3e}"))
}

/// A number as labels show it: an exponent below 1e-4 and from 1e21 on.
pub(super) fn printed(value: f64) -> String {
    let size = value.abs();
    match value {
        value if value.is_nan() => "NaN".into(),
        value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.into(),
        value if size != 0.0 && !(1e-4..1e21).contains(&size) => with_exponent(&format!("{value:e}")),
        value => value.to_string(),
    }
}

impl RollupCall {
    /// Adds what some instants of the prepared series have to the rows that are found; `points` is how many instants the grid has.
    pub fn find_rows(&self, points: usize, steps: Range<usize>, scratch: &Scratch, found: &mut FoundRows) {
        let is_histogram = matches!(self.rollup.entry.kernel, Kernel::Histogram);
        let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
        for position in steps {
            counts.clear();
            let window = scratch.bounds.first[position] as usize..scratch.bounds.end[position] as usize;
            for &value in &scratch.values[window] {
                let key = if is_histogram { bucket(value).map(|bucket| bucket as u64) } else { Some(value.to_bits()) };
                if let Some(key) = key {
                    *counts.entry(key).or_default() += 1.0;
                }
            }
            for (&key, &count) in &counts {
                let name = if is_histogram { bucket_name(key as usize) } else { printed(f64::from_bits(key)) };
                found.0.entry(name.into()).or_insert_with(|| vec![f64::NAN; points])[position] = count;
            }
        }
    }
}
