//! Lines through the samples of a window, and smoothing.

use super::window::{Window, seconds};
use crate::query::sum::CompensatedSum;

/// Value at the window's end and slope of the line of least squares, as the server computes it.
fn line(window: &Window) -> (f64, f64) {
    let Some(&first) = window.values.first() else { return (f64::NAN, f64::NAN) };
    if window.values.iter().all(|&value| value == first) || window.values.len() == 1 {
        return (first, 0.0);
    }
    let (mut values, mut times, mut products, mut squares) = (0.0, 0.0, 0.0, 0.0);
    for (&value, &timestamp) in window.values.iter().zip(window.timestamps) {
        let time = seconds(timestamp - window.instant_ms);
        values += value;
        times += time;
        products += time * value;
        squares += time * time;
    }
    let count = window.values.len() as f64;
    let spread = squares - times * times / count;
    let slope = if spread.abs() >= 1e-6 { (products - times * values / count) / spread } else { 0.0 };
    (values / count - slope * times / count, slope)
}

/// The slope of the line of least squares.
pub(super) fn slope(window: &Window) -> f64 {
    line(window).1
}

/// The line's value so many seconds after the instant.
pub(super) fn prediction(window: &Window) -> f64 {
    let (value, slope) = line(window);
    if value.is_nan() { f64::NAN } else { value + slope * window.parameters[0] }
}

/// As [`line`], with compensated sums and with times from an origin, as Prometheus computes it.
fn compensated_line(window: &Window, origin_ms: i64) -> (f64, f64) {
    let first = window.values[0];
    if window.values.iter().all(|&value| value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (first, 0.0) };
    }
    let zero = CompensatedSum::default();
    let (mut values, mut times, mut products, mut squares) = (zero, zero, zero, zero);
    for (&value, &timestamp) in window.values.iter().zip(window.timestamps) {
        let time = seconds(timestamp - origin_ms);
        values.add(value);
        times.add(time);
        products.add(time * value);
        squares.add(time * time);
    }
    let (values, times) = (values.sum + values.compensation, times.sum + times.compensation);
    let (products, squares) = (products.sum + products.compensation, squares.sum + squares.compensation);
    let count = window.values.len() as f64;
    let slope = (products - times * values / count) / (squares - times * times / count);
    (values / count - slope * times / count, slope)
}

/// The slope of the compensated line.
pub(super) fn compensated_slope(window: &Window) -> f64 {
    if window.values.len() < 2 { f64::NAN } else { compensated_line(window, window.timestamps[0]).1 }
}

/// The compensated line's value so many seconds after the instant.
pub(super) fn compensated_prediction(window: &Window) -> f64 {
    if window.values.len() < 2 {
        return f64::NAN;
    }
    let (value, slope) = compensated_line(window, window.instant_ms);
    slope * window.parameters[0] + value
}

fn is_factor(number: f64) -> bool {
    number > 0.0 && number < 1.0
}

/// Double exponential smoothing that begins with the sample before the window.
pub(super) fn smoothed(window: &Window) -> f64 {
    if window.values.is_empty() {
        return window.previous;
    }
    let [level_factor, trend_factor] = window.parameters;
    if !is_factor(level_factor) || !is_factor(trend_factor) {
        return f64::NAN;
    }
    let Some((mut level, values)) = window.with_previous() else { return f64::NAN };
    let Some(first) = values.first() else { return level };
    let mut trend = first - level;
    for &value in values {
        let next = level_factor * value + (1.0 - level_factor) * (level + trend);
        trend = trend_factor * (next - level) + (1.0 - trend_factor) * trend;
        level = next;
    }
    level
}

/// Double exponential smoothing of the window's samples alone. Factors are checked when the call is made.
pub(super) fn inner_smoothed(window: &Window) -> f64 {
    let [first, second, ..] = window.values else { return f64::NAN };
    let [level_factor, trend_factor] = window.parameters;
    let (mut before, mut level, mut trend) = (0.0, *first, second - first);
    for (at, &value) in window.values.iter().enumerate().skip(1) {
        // The first trend is the first step itself.
        if at > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        before = level;
        level = level_factor * value + (1.0 - level_factor) * (level + trend);
    }
    level
}
