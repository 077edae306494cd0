//! Rates as Prometheus computes them: from the samples of the window alone, extended to its edges.

use super::window::{Window, seconds};

/// The increase of a counter over the window.
pub(super) fn increase(window: &Window) -> f64 {
    extended(window, true, false)
}

/// The increase of a counter a second.
pub(super) fn rate(window: &Window) -> f64 {
    extended(window, true, true)
}

/// The difference of a gauge over the window.
pub(super) fn delta(window: &Window) -> f64 {
    extended(window, false, false)
}

fn extended(window: &Window, is_counter: bool, is_rate: bool) -> f64 {
    let [first, .., last] = window.values else { return f64::NAN };
    let mut grown = last - first;
    if is_counter {
        for pair in window.values.windows(2) {
            if pair[1] < pair[0] {
                grown += pair[0];
            }
        }
    }
    let first_ms = window.timestamps[0];
    let last_ms = window.last_ms();
    let mut to_start = seconds(first_ms - (window.instant_ms - window.width_ms));
    let mut to_end = seconds(window.instant_ms - last_ms);
    let sampled = seconds(last_ms - first_ms);
    let between = sampled / (window.values.len() - 1) as f64;
    // Samples that far from an edge say that the series begins or ends within the window.
    let limit = between * 1.1;
    if to_start >= limit {
        to_start = between / 2.0;
    }
    if is_counter && grown > 0.0 && *first >= 0.0 {
        // A counter is not extended to where it would have been negative.
        to_start = to_start.min(sampled * (first / grown));
    }
    if to_end >= limit {
        to_end = between / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if is_rate {
        factor /= seconds(window.width_ms);
    }
    grown * factor
}

/// The difference between the last two samples; of a counter that was reset, the last value.
fn between_last_two(window: &Window, is_counter: bool) -> Option<(f64, f64)> {
    let [.., before, last] = window.values else { return None };
    let [.., before_ms, last_ms] = window.timestamps else { return None };
    let grown = if is_counter && last < before { *last } else { last - before };
    (last_ms > before_ms).then(|| (grown, seconds(last_ms - before_ms)))
}

/// The increase a second between the last two samples.
pub(super) fn last_rate(window: &Window) -> f64 {
    between_last_two(window, true).map_or(f64::NAN, |(grown, seconds)| grown / seconds)
}

/// The difference between the last two samples.
pub(super) fn last_delta(window: &Window) -> f64 {
    between_last_two(window, false).map_or(f64::NAN, |(grown, _)| grown)
}
