//! How often and how far values change from sample to sample.

use super::window::Window;

/// How many samples differ from the one before them; the first sample of a series differs.
pub(super) fn changes(window: &Window) -> f64 {
    let Some((from, values)) = window.with_previous() else { return f64::NAN };
    let begins = window.previous.is_nan();
    f64::from(begins) + pairs(from, values, |before, value| value != before)
}

/// How many samples of the window differ from the one before them in the window. Two NaNs don't differ.
pub(super) fn inner_changes(window: &Window) -> f64 {
    let differ = |before: f64, value: f64| value != before && !(value.is_nan() && before.is_nan());
    inner_pairs(window, differ)
}

/// How many samples are greater than the one before them.
pub(super) fn increases(window: &Window) -> f64 {
    let Some((from, values)) = window.with_previous() else { return f64::NAN };
    pairs(from, values, |before, value| value > before)
}

/// How many samples are less than the one before them.
pub(super) fn decreases(window: &Window) -> f64 {
    let Some((from, values)) = window.with_previous() else { return f64::NAN };
    pairs(from, values, |before, value| value < before)
}

/// How many samples of the window are less than the one before them in the window.
pub(super) fn inner_decreases(window: &Window) -> f64 {
    inner_pairs(window, |before, value| value < before)
}

/// The sum of all steps up.
pub(super) fn ascent(window: &Window) -> f64 {
    let Some((from, values)) = window.with_previous() else { return f64::NAN };
    steps(from, values, |before, value| value - before)
}

/// The sum of all steps down.
pub(super) fn descent(window: &Window) -> f64 {
    let Some((from, values)) = window.with_previous() else { return f64::NAN };
    steps(from, values, |before, value| before - value)
}

fn inner_pairs(window: &Window, counts: impl Fn(f64, f64) -> bool) -> f64 {
    let Some((first, rest)) = window.values.split_first() else { return f64::NAN };
    pairs(*first, rest, counts)
}

fn pairs(mut before: f64, values: &[f64], counts: impl Fn(f64, f64) -> bool) -> f64 {
    let mut count = 0_u32;
    for &value in values {
        count += u32::from(counts(before, value));
        before = value;
    }
    f64::from(count)
}

fn steps(mut before: f64, values: &[f64], step: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sum = 0.0;
    for &value in values {
        let far = step(before, value);
        if far > 0.0 {
            sum += far;
        }
        before = value;
    }
    sum
}
