//! Sums, extremes and moments of windows that move: each sample is taken up twice, however much the windows overlap, and nothing is
//! ever subtracted, so that infinite and huge values leave no trace once they are out.

use super::bounds::Bounds;
use crate::query::sum::CompensatedSum;
use std::ops::Range;

/// Something that parts of a window can be folded into and that parts can be joined by.
pub(super) trait Fold: Copy {
    /// Of one value.
    fn of(value: f64) -> Self;
    /// This, then the other.
    fn join(self, other: Self) -> Self;
    /// This, then one value.
    fn push(self, value: f64) -> Self {
        self.join(Self::of(value))
    }
}

/// A plain sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum(pub f64);

impl Fold for Sum {
    fn of(value: f64) -> Self {
        Self(value)
    }
    fn join(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// A sum of squares.
#[derive(Clone, Copy, Debug)]
pub(super) struct SquareSum(pub f64);

impl Fold for SquareSum {
    fn of(value: f64) -> Self {
        Self(value * value)
    }
    fn join(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Fold for CompensatedSum {
    fn of(value: f64) -> Self {
        Self { sum: value, compensation: 0.0 }
    }
    fn join(self, other: Self) -> Self {
        let mut joined = Self { sum: self.sum, compensation: self.compensation + other.compensation };
        joined.add(other.sum);
        joined
    }
}

/// The least and the greatest value. A NaN gives way to any number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extremes {
    pub least: f64,
    pub greatest: f64,
}

impl Fold for Extremes {
    fn of(value: f64) -> Self {
        Self { least: value, greatest: value }
    }
    fn join(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), greatest: self.greatest.max(other.greatest) }
    }
}

/// Count, mean and the sum of squared distances from it; two are joined after Chan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub count: f64,
    pub mean: f64,
    pub squares: f64,
}

impl Fold for Moments {
    // Of an infinity there is no distance, and NaN says so.
    #[allow(clippy::eq_op)]
    fn of(value: f64) -> Self {
        // The distance of a value that is not finite from itself is NaN, and so is its variance.
        Self { count: 1.0, mean: value, squares: value - value }
    }
    fn join(self, other: Self) -> Self {
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        let mean = self.mean + apart * other.count / count;
        let squares = self.squares + other.squares + apart * apart * (self.count * other.count / count);
        Self { count, mean, squares }
    }
}

/// From this many samples in a window on, two stacks are faster than a loop over each window.
const LONG_WINDOW: usize = 24;

/// Folds the windows of some instants; `emit` gets each instant's place in `steps`, its samples, and their fold if there are any.
pub(super) fn fold_windows<F: Fold>(
    values: &[f64],
    bounds: &Bounds,
    steps: Range<usize>,
    suffixes: &mut Vec<F>,
    mut emit: impl FnMut(usize, Range<usize>, Option<F>),
) {
    let covered: usize = steps.clone().map(|position| bounds.count(position)).fold(0, usize::saturating_add);
    let span = steps
        .clone()
        .last()
        .map_or(0, |last| (bounds.end[last] - bounds.first[steps.start].min(bounds.end[last])) as usize);
    let are_long = covered >= LONG_WINDOW * steps.len() && covered >= 2 * span;
    if !are_long {
        for (at, position) in steps.enumerate() {
            let window = bounds.first[position] as usize..bounds.end[position] as usize;
            let folded = fold(&values[window.clone()]);
            emit(at, window, folded);
        }
        return;
    }
    // `suffixes[i]` is the fold of all from `base + i` up to `middle`; `behind` that of all from `middle` up to `end`.
    let (mut base, mut middle, mut end) = (0, 0, 0);
    let mut behind: Option<F> = None;
    for (at, position) in steps.enumerate() {
        let window = bounds.first[position] as usize..bounds.end[position] as usize;
        if window.start >= middle {
            (base, middle, end) = (window.start, window.end, window.end);
            behind = None;
            suffixes.clear();
            let mut suffix: Option<F> = None;
            for &value in values[window.clone()].iter().rev() {
                let joined = suffix.map_or_else(|| F::of(value), |suffix| F::of(value).join(suffix));
                suffixes.push(joined);
                suffix = Some(joined);
            }
            suffixes.reverse();
        }
        for &value in &values[end..window.end] {
            behind = Some(behind.map_or_else(|| F::of(value), |behind| behind.push(value)));
        }
        end = end.max(window.end);
        let before = (window.start < middle).then(|| suffixes[window.start - base]);
        let folded = match (before, behind) {
            (Some(before), Some(behind)) => Some(before.join(behind)),
            (one, other) => one.or(other),
        };
        emit(at, window, folded);
    }
}

/// The fold of some values; `None` without any.
pub(super) fn fold<F: Fold>(values: &[f64]) -> Option<F> {
    let (&first, rest) = values.split_first()?;
    Some(rest.iter().fold(F::of(first), |folded, &value| folded.push(value)))
}
