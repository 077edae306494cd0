//! Rows that are found in the samples: histograms and counts of each value.

use super::call::{Label, RollupCall, Scratch};
use super::table::Kernel;
use crate::error::{Error, ErrorKind, Result};
use crate::query::number::printed;
use crate::query::vmrange;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

/// Rows of one series, each of a range of values or of one value.
#[derive(Debug, Default)]
pub struct FoundRows {
    /// The place of each row, by what its values have in common.
    places: HashMap<Key, u32, RandomState>,
    /// Empty for those that no window has a value of.
    rows: Vec<Vec<f64>>,
    /// How many are not empty.
    begun: usize,
    /// The places of the rows of the samples that are looked at.
    of_samples: Vec<u32>,
}

/// What the values of a row have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// They are in one range of a histogram.
    Range(usize),
    /// They are equal, with these bits.
    Value(u64),
}

/// The place of samples that are in no row.
const NOWHERE: u32 = u32::MAX;

impl Key {
    fn of(value: f64, is_histogram: bool) -> Option<Self> {
        if is_histogram {
            return vmrange::range_of(value).map(Self::Range);
        }
        // All NaNs are called the same.
        Some(Self::Value(if value.is_nan() { f64::NAN } else { value }.to_bits()))
    }

    fn name(self) -> String {
        match self {
            Self::Range(range) => vmrange::name(range),
            Self::Value(bits) => printed(f64::from_bits(bits)),
        }
    }
}

impl FoundRows {
    /// The rows with the label that each has, in the order of its values.
    pub fn into_rows(mut self, call: &RollupCall) -> impl Iterator<Item = (Label, Vec<f64>)> {
        let rows = self.places.iter().map(|(key, &place)| (*key, std::mem::take(&mut self.rows[place as usize])));
        let rows = rows.filter(|(_, row)| !row.is_empty()).map(|(key, row)| (Rc::from(key.name()), row));
        let rows: BTreeMap<Rc<str>, Vec<f64>> = rows.collect();
        let name = call.label_name.clone();
        rows.into_iter().map(move |(value, row)| (Label { name: name.clone(), value }, row))
    }

    fn place(&mut self, key: Key) -> u32 {
        *self.places.entry(key).or_insert_with(|| {
            self.rows.push(Vec::new());
            self.rows.len() as u32 - 1
        })
    }
}

impl RollupCall {
    /// Adds what some instants of the prepared series have to the rows that are found; `points` is how many instants the grid has.
    ///
    /// # Errors
    /// `Limit` for rows of more than `max_values` values.
    pub fn find_rows(
        &self,
        points: usize,
        steps: Range<usize>,
        scratch: &Scratch,
        max_values: usize,
        found: &mut FoundRows,
    ) -> Result<()> {
        let is_histogram = matches!(self.rollup.entry.kernel, Kernel::Histogram);
        let (firsts, ends) = (&scratch.bounds.first[steps.clone()], &scratch.bounds.end[steps.clone()]);
        // Windows overlap, so the row of a sample is looked up once and not for each of them.
        let from = firsts.first().map_or(0, |&first| first as usize);
        let until = ends.last().map_or(from, |&end| end as usize);
        found.of_samples.clear();
        for &value in &scratch.values[from..until] {
            let place = Key::of(value, is_histogram).map_or(NOWHERE, |key| found.place(key));
            found.of_samples.push(place);
        }
        for ((position, &first), &end) in steps.zip(firsts).zip(ends) {
            for &place in &found.of_samples[first as usize - from..end as usize - from] {
                let Some(row) = found.rows.get_mut(place as usize) else { continue };
                if row.is_empty() {
                    found.begun += 1;
                    if found.begun.saturating_mul(points) > max_values {
                        return Err(self.too_many_rows(found.begun, points, max_values));
                    }
                    row.resize(points, f64::NAN);
                }
                let count = &mut row[position];
                *count = if count.is_nan() { 1.0 } else { *count + 1.0 };
            }
        }
        Ok(())
    }

    #[cold]
    fn too_many_rows(&self, rows: usize, points: usize, max_values: usize) -> Error {
        let name = self.rollup.name();
        let message = format!(
            "{name} finds {rows} rows or more in one series, which at {points} instants are more than the {max_values} values that are held at \
             once; round the values first, or take a longer step"
        );
        Error::new(ErrorKind::Limit, message)
    }
}
