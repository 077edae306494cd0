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

    /// A row with a value at each instant, even where it is NaN.
    pub fn with_all(labels: Labels, values: Vec<f64>) -> Self {
        let present = values.iter().any(|value| value.is_nan()).then(|| Presence::all(values.len()));
        Self { labels, drop_name: false, values, present }
    }

    /// A row with values where bits say so. Bits that say no more than the values are not kept.
    pub fn with_presence(labels: Labels, mut values: Vec<f64>, present: Presence) -> Self {
        let mut has_nan = false;
        for (position, value) in values.iter_mut().enumerate() {
            if !present.get(position) {
                *value = f64::NAN;
            } else if value.is_nan() {
                has_nan = true;
            }
        }
        Self { labels, drop_name: false, values, present: has_nan.then_some(present) }
    }

    /// Takes the value at a position away.
    pub fn clear(&mut self, position: usize) {
        self.values[position] = f64::NAN;
        if let Some(present) = &mut self.present {
            present.set(position, false);
        }
    }

    /// Whether there is a value at a position.
    pub fn is_present(&self, position: usize) -> bool {
        match &self.present {
            Some(present) => present.get(position),
            None => !self.values[position].is_nan(),
        }
    }

    /// Bytes of memory that it takes, roughly.
    pub fn memory_bytes(&self) -> u64 {
        let bits = self.present.as_ref().map_or(0, |Presence(bits)| bits.len());
        (size_of::<Self>() + size_of_val(&self.values[..]) + bits + self.labels.memory_bytes()) as u64
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

    /// All of so many instants have a value.
    pub fn all(points: usize) -> Self {
        let mut bits = vec![0xff; points.div_ceil(8)];
        if let (Some(last), 1..) = (bits.last_mut(), points % 8) {
            *last = (1 << (points % 8)) - 1;
        }
        Self(bits)
    }

    /// Those instants at which values are not NaN.
    pub fn of(values: &[f64]) -> Self {
        let mut bits = Self::none(values.len());
        for (position, value) in values.iter().enumerate() {
            bits.set(position, !value.is_nan());
        }
        bits
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
