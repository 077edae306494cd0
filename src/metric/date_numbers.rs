//! Columns of timestamps as JavaScript has them: floats, or 64-bit integers in a column of floats.

use crate::time::TimestampMs;

/// The largest distance from the epoch that JavaScript's `Date` knows, in milliseconds.
const MAX_DATE_MS: f64 = 8.64e15;

/// Whether all of these numbers are timestamps as JavaScript has them.
pub fn are_dates(numbers: &[f64]) -> bool {
    // Without a way out of the loop, several are compared at once.
    numbers.iter().fold(true, |valid, number| valid & (number.abs() <= MAX_DATE_MS))
}

/// Appends timestamps that JavaScript wrote as numbers.
pub fn append_from_numbers(numbers: &[f64], timestamps: &mut Vec<TimestampMs>) {
    timestamps.extend(numbers.iter().map(|number| *number as TimestampMs));
}

/// Appends timestamps that JavaScript wrote as 64-bit integers into a column of floats.
pub fn append_from_bits(bits: &[f64], timestamps: &mut Vec<TimestampMs>) {
    timestamps.extend(bits.iter().map(|bits| bits.to_bits().cast_signed()));
}

/// Appends timestamps as numbers for JavaScript.
pub fn append_as_numbers(timestamps: &[TimestampMs], numbers: &mut Vec<f64>) {
    numbers.extend(timestamps.iter().map(|timestamp| *timestamp as f64));
}
