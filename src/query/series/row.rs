//! One series over a grid.

use super::labels::{Labels, NAME};

/// One value an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its labels, with the name even where it is to be dropped.
    pub labels: Labels,
    /// Whether the name goes at the end. Operators that read `__name__` in between still see it in PromQL.
    pub drop_name: bool,
    /// One for each instant of the grid; NaN where there is none.
    pub values: Vec<f64>,
    /// Which instants have a value, for rows that also hold a real NaN; PromQL alone has such rows.
    pub present: Option<Presence>,
}

impl Row {
    /// A row whose gaps are its NaNs.
    pub fn new(labels: Labels, values: Vec<f64>) -> Self {
        Self { labels, drop_name: false, values, present: None }
    }

    /// Whether there is a value at a position.
    pub fn is_present(&self, position: usize) -> bool {
        match &self.present {
            Some(present) => present.get(position),
            None => !self.values[position].is_nan(),
        }
    }

    /// Whether there is a value anywhere.
    pub fn has_values(&self) -> bool {
        (0..self.values.len()).any(|position| self.is_present(position))
    }

    /// The labels as they are shown.
    pub fn shown_labels(&self) -> Labels {
        let mut labels = self.labels.clone();
        if self.drop_name {
            labels.remove(NAME);
        }
        labels
    }
}

/// One bit an instant, the least significant first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence(Vec<u8>);

impl Presence {
    /// No instant of so many has a value.
    pub fn none(points: usize) -> Self {
        Self(vec![0; points.div_ceil(8)])
    }

    /// Whether an instant has a value.
    pub fn get(&self, position: usize) -> bool {
        self.0[position / 8] & (1 << (position % 8)) != 0
    }

    /// Says that an instant has a value, or none.
    pub fn set(&mut self, position: usize, is_present: bool) {
        let bit = 1 << (position % 8);
        if is_present {
            self.0[position / 8] |= bit;
        } else {
            self.0[position / 8] &= !bit;
        }
    }

    /// The bits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
