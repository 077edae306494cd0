//! Samples of one series, and how those of several parts are put in order.
//!
//! They lie here and not beside the search in `part` that fills them, since Cargo optimises by package: the rooms of the kernel are
//! compiled for speed, and `part` is none of them.

use crate::time::TimestampMs;
use std::ops::Range;

/// Samples of one series as two columns of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Timestamps in milliseconds.
    pub timestamps: Vec<TimestampMs>,
    /// A value for each.
    pub values: Vec<f64>,
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Puts the samples from `start` on in order of time; those of one instant keep their order.
    ///
    /// Parts come sorted, so that there is nothing to do, or there are a few sorted stretches, which are merged by moving long
    /// pieces. Where they are interleaved sample by sample, samples are sorted one by one.
    pub fn sort_from(&mut self, start: usize) {
        let timestamps = &self.timestamps[start..];
        let mut stretches: Vec<Range<usize>> = Vec::new();
        let mut begin = 0;
        for at in 1..timestamps.len() {
            if timestamps[at] < timestamps[at - 1] {
                stretches.push(begin..at);
                begin = at;
            }
        }
        if stretches.is_empty() {
            return;
        }
        stretches.push(begin..timestamps.len());
        if let Some(pieces) = merged(timestamps, &mut stretches) {
            self.timestamps = rearranged(&self.timestamps, start, &pieces);
            self.values = rearranged(&self.values, start, &pieces);
            return;
        }
        let (timestamps, values) = (&mut self.timestamps[start..], &mut self.values[start..]);
        let mut rows: Vec<(TimestampMs, f64)> = timestamps.iter().copied().zip(values.iter().copied()).collect();
        rows.sort_by_key(|row| row.0);
        for ((timestamp, value), row) in timestamps.iter_mut().zip(values).zip(rows) {
            (*timestamp, *value) = row;
        }
    }
}

/// The pieces of sorted stretches in the order of time, those of an earlier stretch first where times are equal; `None` when the
/// pieces would be so short that moving them does not pay. What was taken is cut off the stretches.
fn merged(timestamps: &[TimestampMs], stretches: &mut Vec<Range<usize>>) -> Option<Vec<Range<usize>>> {
    const LEAST_PIECE_LEN: usize = 16;
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut looked_at = 0;
    loop {
        // Each piece costs a look at all stretches, which may be as many as samples.
        looked_at += stretches.len();
        if looked_at > timestamps.len() + 1024 {
            return None;
        }
        // The stretch with the earliest next sample, and the one that follows.
        let (mut first, mut second): (Option<usize>, Option<usize>) = (None, None);
        for (at, stretch) in stretches.iter().enumerate() {
            let is_before = |other: Option<usize>| {
                other.is_none_or(|other| timestamps[stretch.start] < timestamps[stretches[other].start])
            };
            if is_before(first) {
                second = first;
                first = Some(at);
            } else if is_before(second) {
                second = Some(at);
            }
        }
        let Some(first) = first else { return Some(pieces) };
        let stretch = stretches[first].clone();
        let own = &timestamps[stretch.clone()];
        let taken = match second {
            None => own.len(),
            // At equal times the earlier stretch goes on.
            Some(second) if first < second => own.partition_point(|time| *time <= timestamps[stretches[second].start]),
            Some(second) => own.partition_point(|time| *time < timestamps[stretches[second].start]),
        };
        pieces.push(stretch.start..stretch.start + taken);
        if pieces.len() * LEAST_PIECE_LEN > timestamps.len() + 16 * LEAST_PIECE_LEN {
            return None;
        }
        stretches[first].start += taken;
        if stretches[first].is_empty() {
            stretches.remove(first);
        }
    }
}

/// A column with its pieces from `start` on in the given order.
fn rearranged<T: Copy>(column: &[T], start: usize, pieces: &[Range<usize>]) -> Vec<T> {
    let (before, behind) = column.split_at(start);
    let mut result = Vec::with_capacity(column.len());
    result.extend_from_slice(before);
    for piece in pieces {
        result.extend_from_slice(&behind[piece.clone()]);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_put_in_order_and_equal_times_keep_theirs() {
        for (given, wanted) in [
            (vec![1, 2, 2, 3], vec![0, 1, 2, 3]),
            (vec![5, 6, 1, 2, 3, 4], vec![2, 3, 4, 5, 0, 1]),
            (vec![5, 9, 6, 7, 1], vec![4, 0, 2, 3, 1]),
            (vec![3, 1, 3, 1], vec![1, 3, 0, 2]),
            (vec![2, 3, 1, 2], vec![2, 0, 3, 1]),
        ] {
            // Two samples in front that are none of its business.
            let mut samples = Samples { timestamps: vec![9, 8], values: vec![-1.0, -2.0] };
            samples.timestamps.extend(&given);
            samples.values.extend((0..given.len()).map(|at| at as f64));
            samples.sort_from(2);
            let found: Vec<usize> = samples.values[2..].iter().map(|value| *value as usize).collect();
            assert_eq!(found, wanted, "{given:?}");
            assert!(samples.timestamps[2..].is_sorted() && samples.timestamps[..2] == [9, 8]);
        }
    }

    #[test]
    fn any_stretches_come_out_as_a_stable_sort_has_them() {
        let mut state = 7_u64;
        let mut random = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..500 {
            let mut given: Vec<TimestampMs> = Vec::new();
            for _ in 0..=random(6) {
                let (mut at, step) = (random(300) as i64, random(4) as i64);
                for _ in 0..random(200) {
                    given.push(at);
                    at += step * i64::from(random(10) < 8);
                }
            }
            let mut samples =
                Samples { timestamps: given.clone(), values: (0..given.len()).map(|at| at as f64).collect() };
            samples.sort_from(0);
            let mut wanted: Vec<(TimestampMs, usize)> = given.iter().copied().zip(0..).collect();
            wanted.sort_by_key(|row| row.0);
            let found: Vec<_> =
                samples.timestamps.iter().copied().zip(samples.values.iter().map(|at| *at as usize)).collect();
            assert_eq!(found, wanted);
        }
    }
}
