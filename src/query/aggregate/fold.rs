//! Aggregates that need no more than one accumulator a group: rows are taken in one by one.

use super::group::{self, Groups};
use crate::query::dialect::Dialect;
use crate::query::language::ast::Grouping;
use crate::query::series::labels::Labels;
use crate::query::series::row::{Presence, Row};
use crate::query::sum;

/// What is made of the values of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// All values added up.
    Sum,
    /// The mean.
    Avg,
    /// The least value; NaN only where there is nothing else.
    Min,
    /// The greatest value; NaN only where there is nothing else.
    Max,
    /// How many there are.
    Count,
    /// One.
    Group,
    /// The population's standard deviation.
    Stddev,
    /// The population's variance.
    Stdvar,
    /// The squares added up.
    Sum2,
    /// The root of the product.
    Geomean,
    /// The first row that has values, as it is.
    Any,
}

/// Accumulators by group.
pub struct Folder {
    fold: Fold,
    dialect: Dialect,
    grouping: Option<Grouping>,
    points: usize,
    groups: Groups,
    accumulators: Vec<Accumulator>,
}

struct Accumulator {
    labels: Labels,
    drop_name: bool,
    values: Vec<f64>,
    /// What the sums have lost, or the means beside the squares; empty for folds without.
    second: Vec<f64>,
    counts: Vec<u32>,
    /// Instants at which a sum has overflowed, so that the mean is kept in its place.
    overflowed: Option<Presence>,
    /// How many rows the group has.
    rows: u64,
}

impl Folder {
    /// No rows yet. Groups beyond `limit` are left out.
    pub fn new(fold: Fold, dialect: Dialect, grouping: Option<Grouping>, limit: Option<u64>, points: usize) -> Self {
        Self { fold, dialect, grouping, points, groups: Groups::new(limit), accumulators: Vec::new() }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.accumulators.len()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.accumulators.is_empty()
    }

    /// Bytes of memory that the groups take, roughly.
    pub fn memory_bytes(&self) -> u64 {
        let of_group = |group: &Accumulator| {
            let columns =
                size_of_val(&group.values[..]) + size_of_val(&group.second[..]) + size_of_val(&group.counts[..]);
            columns + size_of::<Accumulator>() + group.labels.memory_bytes()
        };
        // All groups have columns of the same length.
        self.accumulators.first().map_or(0, of_group) as u64 * self.accumulators.len() as u64
    }

    /// Takes in a row whose gaps are its NaNs. Values beyond the grid are not looked at.
    pub fn push(&mut self, labels: &Labels, values: &[f64]) {
        self.take(labels, false, values, None);
    }

    /// Takes in a row.
    pub fn push_row(&mut self, row: &Row) {
        self.take(&row.labels, row.drop_name, &row.values, row.present.as_ref());
    }

    fn take(&mut self, labels: &Labels, drop_name: bool, values: &[f64], present: Option<&Presence>) {
        // Groups exist only by rows with values, also under a limit.
        if present.is_none() && values.iter().all(|value| value.is_nan()) {
            return;
        }
        let key = group::key(labels, self.grouping.as_ref());
        let Some(number) = self.groups.number(&key) else { return };
        if number == self.accumulators.len() {
            let (key, drop_name) = match self.fold {
                Fold::Any => (labels.clone(), drop_name),
                // Who groups by the name wants to see it.
                _ => (key, false),
            };
            self.accumulators.push(Accumulator::new(self.fold, self.dialect, key, drop_name, self.points));
        } else if self.fold == Fold::Any {
            return;
        }
        let accumulator = &mut self.accumulators[number];
        accumulator.rows += 1;
        match (self.dialect, self.fold) {
            (Dialect::PromQl, Fold::Sum) => accumulator.sum_compensated(values, present),
            (Dialect::PromQl, Fold::Avg) => accumulator.mean_compensated(values, present),
            (_, fold) => accumulator.fold(fold, values, present),
        }
    }

    /// One row a group, in the order in which the groups were first seen.
    pub fn finish(self) -> Vec<Row> {
        let (fold, dialect) = (self.fold, self.dialect);
        self.accumulators.into_iter().map(|accumulator| accumulator.finish(fold, dialect)).collect()
    }
}

impl Accumulator {
    fn new(fold: Fold, dialect: Dialect, labels: Labels, drop_name: bool, points: usize) -> Self {
        let first = match fold {
            Fold::Min | Fold::Max | Fold::Any => f64::NAN,
            Fold::Geomean => 1.0,
            _ => 0.0,
        };
        let has_second = matches!(fold, Fold::Stddev | Fold::Stdvar)
            || (dialect == Dialect::PromQl && matches!(fold, Fold::Sum | Fold::Avg));
        Self {
            labels,
            drop_name,
            values: vec![first; points],
            second: if has_second { vec![0.0; points] } else { Vec::new() },
            counts: vec![0; points],
            overflowed: None,
            rows: 0,
        }
    }

    fn fold(&mut self, fold: Fold, values: &[f64], present: Option<&Presence>) {
        let count = values.len().min(self.counts.len());
        match present {
            None => self.counts[..count].iter_mut().zip(values).for_each(|(n, v)| *n += u32::from(!v.is_nan())),
            Some(bits) => {
                for (position, n) in self.counts[..count].iter_mut().enumerate() {
                    *n += u32::from(bits.get(position));
                }
            }
        }
        // Without a branch a value, so that several are folded at once. A real NaN must reach sums and the like, a gap must not.
        let is_there = |position: usize, value: f64| match present {
            None => !value.is_nan(),
            Some(bits) => bits.get(position),
        };
        let pairs = self.values[..count].iter_mut().zip(values);
        match fold {
            Fold::Sum | Fold::Avg if present.is_none() => {
                pairs.for_each(|(sum, &v)| *sum += if v.is_nan() { 0.0 } else { v });
            }
            Fold::Sum | Fold::Avg => {
                pairs.enumerate().for_each(|(at, (sum, &v))| *sum += if is_there(at, v) { v } else { 0.0 })
            }
            Fold::Sum2 => {
                pairs.enumerate().for_each(|(at, (sum, &v))| *sum += if is_there(at, v) { v * v } else { 0.0 })
            }
            Fold::Geomean => {
                pairs.enumerate().for_each(|(at, (product, &v))| *product *= if is_there(at, v) { v } else { 1.0 })
            }
            Fold::Min => pairs.for_each(|(least, &v)| *least = if v < *least || least.is_nan() { v } else { *least }),
            Fold::Max => pairs.for_each(|(most, &v)| *most = if v > *most || most.is_nan() { v } else { *most }),
            Fold::Any => pairs.for_each(|(kept, &v)| *kept = v),
            Fold::Count | Fold::Group => {}
            Fold::Stddev | Fold::Stdvar => {
                for (position, (squares, &value)) in pairs.enumerate() {
                    if is_there(position, value) {
                        let mean = &mut self.second[position];
                        let before = value - *mean;
                        *mean += before / f64::from(self.counts[position]);
                        *squares += before * (value - *mean);
                    }
                }
            }
        }
    }

    fn sum_compensated(&mut self, values: &[f64], present: Option<&Presence>) {
        for (position, &value) in values.iter().enumerate().take(self.counts.len()) {
            if present.map_or(!value.is_nan(), |bits| bits.get(position)) {
                self.counts[position] += 1;
                sum::add(&mut self.values[position], &mut self.second[position], value);
            }
        }
    }

    /// Sums while they are finite; from the first that is not, the mean itself is moved towards each value.
    fn mean_compensated(&mut self, values: &[f64], present: Option<&Presence>) {
        for (position, &value) in values.iter().enumerate().take(self.counts.len()) {
            if !present.map_or(!value.is_nan(), |bits| bits.get(position)) {
                continue;
            }
            self.counts[position] += 1;
            let count = f64::from(self.counts[position]);
            let (kept, compensation) = (&mut self.values[position], &mut self.second[position]);
            if !self.overflowed.as_ref().is_some_and(|bits| bits.get(position)) {
                let (mut total, mut lost) = (*kept, *compensation);
                sum::add(&mut total, &mut lost, value);
                if !total.is_infinite() || count == 1.0 {
                    (*kept, *compensation) = (total, lost);
                    continue;
                }
                *kept /= count - 1.0;
                *compensation /= count - 1.0;
                self.overflowed.get_or_insert_with(|| Presence::none(self.counts.len())).set(position, true);
            }
            let share = (count - 1.0) / count;
            let mut mean = share * *kept;
            *compensation *= share;
            sum::add(&mut mean, compensation, value / count);
            *kept = mean;
        }
    }

    fn finish(mut self, fold: Fold, dialect: Dialect) -> Row {
        if fold == Fold::Any {
            return Row { labels: self.labels, drop_name: self.drop_name, values: self.values, present: None };
        }
        let mut has_real_nan = false;
        for (position, value) in self.values.iter_mut().enumerate() {
            let count = self.counts[position];
            if count == 0 {
                *value = f64::NAN;
                continue;
            }
            let count = f64::from(count);
            let second = self.second.get(position).copied().unwrap_or(0.0);
            let second_of_sum = if value.is_infinite() { 0.0 } else { second };
            *value = match fold {
                Fold::Sum => *value + second_of_sum,
                Fold::Avg if self.overflowed.as_ref().is_some_and(|bits| bits.get(position)) => *value + second_of_sum,
                Fold::Avg => *value / count + second_of_sum / count,
                Fold::Count => count,
                Fold::Group => 1.0,
                // As the server has it, also of a value that is infinite.
                Fold::Stddev | Fold::Stdvar if dialect == Dialect::MetricsQl && self.rows == 1 => 0.0,
                Fold::Stddev => (*value / count).sqrt(),
                Fold::Stdvar => *value / count,
                Fold::Geomean => value.powf(1.0 / count),
                Fold::Min | Fold::Max | Fold::Sum2 | Fold::Any => *value,
            };
            has_real_nan |= value.is_nan();
        }
        let present = (dialect == Dialect::PromQl && has_real_nan).then(|| {
            let mut bits = Presence::none(self.counts.len());
            self.counts.iter().enumerate().for_each(|(position, &count)| bits.set(position, count > 0));
            bits
        });
        Row { labels: self.labels, drop_name: self.drop_name, values: self.values, present }
    }
}
