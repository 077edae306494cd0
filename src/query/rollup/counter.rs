//! What is done to a series as a whole before its windows are looked at, and how much a window has grown.

use super::window::{Window, seconds};

/// Puts in place of each value how far the next one is from it; the last one repeats.
pub(super) fn to_differences(values: &mut [f64]) {
    let mut difference = 0.0;
    for at in 1..values.len() {
        difference = values[at] - values[at - 1];
        values[at - 1] = difference;
    }
    if let Some(last) = values.last_mut() {
        *last = difference;
    }
}

/// Puts in place of each value the slope to the next one in units a second; the last one repeats.
pub(super) fn to_slopes(values: &mut [f64], timestamps: &[i64]) {
    let (Some(&first), Some(&first_ms)) = (values.first(), timestamps.first()) else { return };
    let (mut slope, mut previous, mut previous_ms) = (0.0, first, first_ms);
    for at in 1..values.len() {
        let (value, timestamp) = (values[at], timestamps[at]);
        if timestamp != previous_ms {
            slope = (value - previous) / seconds(timestamp - previous_ms);
            (previous, previous_ms) = (value, timestamp);
        }
        values[at - 1] = slope;
    }
    if let Some(last) = values.last_mut() {
        *last = slope;
    }
}

/// Puts in place of each value the seconds since the sample before it; the first one takes the second one's.
pub(super) fn to_intervals(values: &mut [f64], timestamps: &[i64]) {
    let mut previous = f64::NAN;
    for (value, &timestamp) in values.iter_mut().zip(timestamps) {
        let now = seconds(timestamp);
        *value = now - previous;
        previous = now;
    }
    if values.len() > 1 {
        values[0] = values[1];
    }
}

/// How much the value changed since before the window. A series that begins in the window began at 0, unless its first value is large
/// beside the first step it takes: such counters ran long before they were stored.
pub(super) fn difference(window: &Window) -> f64 {
    if !window.previous.is_nan() {
        return window.values.last().map_or(0.0, |last| last - window.previous);
    }
    let Some((&first, rest)) = window.values.split_first() else { return f64::NAN };
    if !window.any_previous.is_nan() {
        return window.last() - window.any_previous;
    }
    let step = match rest.first() {
        Some(second) => second - first,
        None if !window.next.is_nan() => window.next - first,
        None => 0.0,
    };
    if first.abs() < 10.0 * (step.abs() + 1.0) {
        return window.last();
    }
    rest.last().map_or(0.0, |last| last - first)
}

/// How much a counter has grown since the sample before the window, however old; a new one began at 0.
pub(super) fn pure_increase(window: &Window) -> f64 {
    match window.values.last() {
        Some(last) if window.any_previous.is_nan() => *last,
        Some(last) => last - window.any_previous,
        None if window.any_previous.is_nan() => f64::NAN,
        None => 0.0,
    }
}

/// The last value less the first one.
pub(super) fn inner_difference(window: &Window) -> f64 {
    match window.values {
        [first, .., last] => last - first,
        _ => f64::NAN,
    }
}

/// [`inner_difference`] a second of the window.
pub(super) fn inner_rate(window: &Window) -> f64 {
    if window.width_ms == 0 { f64::NAN } else { inner_difference(window) / seconds(window.width_ms) }
}

/// The last value less the one before it.
pub(super) fn last_difference(window: &Window) -> f64 {
    match window.values {
        [] if window.previous.is_nan() => f64::NAN,
        [] => 0.0,
        [last] if window.previous.is_nan() => *last,
        [last] => last - window.previous,
        [.., before, last] => last - before,
    }
}

/// The slope from the sample before the window to the last one, in units a second.
#[inline(always)]
pub(super) fn slope(window: &Window) -> f64 {
    let (from, from_ms) = match window.previous.is_nan() {
        false if window.values.is_empty() => return 0.0,
        false => (window.previous, window.previous_ms),
        true if window.values.len() < 2 => return f64::NAN,
        true => (window.values[0], window.timestamps[0]),
    };
    (window.last() - from) / seconds(window.last_ms() - from_ms)
}

/// The slope between the last two samples at different times.
pub(super) fn last_slope(window: &Window) -> f64 {
    if window.values.is_empty() || (window.values.len() == 1 && window.previous.is_nan()) {
        return f64::NAN;
    }
    let (last, last_ms) = (window.last(), window.last_ms());
    let (from, from_ms) = match window.timestamps.iter().rposition(|&timestamp| timestamp < last_ms) {
        Some(at) => (window.values[at], window.timestamps[at]),
        None if window.previous.is_nan() => return 0.0,
        None => (window.previous, window.previous_ms),
    };
    (last - from) / seconds(last_ms - from_ms)
}
