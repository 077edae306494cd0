//! Sums that lose nothing to rounding, after Neumaier.

/// A sum and what its roundings have left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    /// The sum as floats have it.
    pub sum: f64,
    /// What must be added to it.
    pub compensation: f64,
}

impl CompensatedSum {
    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        add(&mut self.sum, &mut self.compensation, value);
    }

    /// The sum with its compensation. An infinite sum has none.
    #[inline]
    pub fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.compensation }
    }
}

/// Adds a value to a sum and its compensation, which may lie in two columns.
#[inline]
pub fn add(sum: &mut f64, compensation: &mut f64, value: f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *compensation = 0.0;
    } else if sum.abs() >= value.abs() {
        *compensation += (*sum - total) + value;
    } else {
        *compensation += (value - total) + *sum;
    }
    *sum = total;
}
