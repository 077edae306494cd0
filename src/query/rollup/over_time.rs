//! Values of a window that need nothing but a look at its samples and their times.

use super::stacks::{Extremes, Fold, Moments, Sum, fold};
use super::window::{Window, seconds};
use crate::encoding::decimal;
use crate::query::sum::CompensatedSum;

fn or_nan<F>(folded: Option<F>, value: impl Fn(F) -> f64) -> f64 {
    folded.map_or(f64::NAN, value)
}

pub(super) fn first(window: &Window) -> f64 {
    window.values.first().copied().unwrap_or(f64::NAN)
}

pub(super) fn last(window: &Window) -> f64 {
    window.values.last().copied().unwrap_or(f64::NAN)
}

pub(super) fn minimum(window: &Window) -> f64 {
    or_nan(fold::<Extremes>(window.values), |extremes| extremes.least)
}

pub(super) fn maximum(window: &Window) -> f64 {
    or_nan(fold::<Extremes>(window.values), |extremes| extremes.greatest)
}

pub(super) fn range(window: &Window) -> f64 {
    maximum(window) - minimum(window)
}

pub(super) fn average(window: &Window) -> f64 {
    or_nan(fold::<Sum>(window.values), |sum| sum.0 / window.values.len() as f64)
}

/// The mean of values whose sum overflows though they are finite; a compensated sum else.
pub(super) fn compensated_average(values: &[f64], sum: Option<CompensatedSum>) -> f64 {
    let Some(sum) = sum else { return f64::NAN };
    let count = values.len() as f64;
    if sum.sum.is_infinite() && values.iter().all(|value| value.is_finite()) {
        let scaled = values.iter().fold(CompensatedSum::of(0.0), |sum, value| sum.push(value / count));
        return scaled.total();
    }
    if sum.sum.is_infinite() { sum.sum } else { sum.sum / count + sum.compensation / count }
}

pub(super) fn count(window: &Window) -> f64 {
    if window.values.is_empty() { f64::NAN } else { window.values.len() as f64 }
}

pub(super) fn present(window: &Window) -> f64 {
    if window.values.is_empty() { f64::NAN } else { 1.0 }
}

pub(super) fn absent(window: &Window) -> f64 {
    if window.values.is_empty() { 1.0 } else { f64::NAN }
}

pub(super) fn stale_samples(window: &Window) -> f64 {
    counted(window, decimal::is_stale_nan)
}

pub(super) fn geometric_mean(window: &Window) -> f64 {
    if window.values.is_empty() {
        return window.previous;
    }
    window.values.iter().product::<f64>().powf(1.0 / window.values.len() as f64)
}

pub(super) fn rate_over_sum(window: &Window) -> f64 {
    match fold::<Sum>(window.values) {
        Some(sum) => sum.0 / seconds(window.width_ms),
        None if window.previous.is_nan() => f64::NAN,
        None => 0.0,
    }
}

fn counted(window: &Window, counts: impl Fn(f64) -> bool) -> f64 {
    if window.values.is_empty() {
        return f64::NAN;
    }
    window.values.iter().filter(|&&value| counts(value)).count() as f64
}

pub(super) fn count_equal(window: &Window) -> f64 {
    counted(window, |value| value == window.parameters[0])
}

pub(super) fn count_not_equal(window: &Window) -> f64 {
    counted(window, |value| value != window.parameters[0])
}

pub(super) fn count_greater(window: &Window) -> f64 {
    counted(window, |value| value > window.parameters[0])
}

pub(super) fn count_less_or_equal(window: &Window) -> f64 {
    counted(window, |value| value <= window.parameters[0])
}

pub(super) fn share_equal(window: &Window) -> f64 {
    count_equal(window) / window.values.len() as f64
}

pub(super) fn share_greater(window: &Window) -> f64 {
    count_greater(window) / window.values.len() as f64
}

pub(super) fn share_less_or_equal(window: &Window) -> f64 {
    count_less_or_equal(window) / window.values.len() as f64
}

fn summed(window: &Window, counts: impl Fn(f64) -> bool) -> f64 {
    if window.values.is_empty() {
        return f64::NAN;
    }
    window.values.iter().filter(|&&value| counts(value)).fold(0.0, |sum, value| sum + value)
}

pub(super) fn sum_equal(window: &Window) -> f64 {
    summed(window, |value| value == window.parameters[0])
}

pub(super) fn sum_greater(window: &Window) -> f64 {
    summed(window, |value| value > window.parameters[0])
}

pub(super) fn sum_less_or_equal(window: &Window) -> f64 {
    summed(window, |value| value <= window.parameters[0])
}

fn time_of(window: &Window, wins: impl Fn(f64, f64) -> bool) -> f64 {
    let Some(mut best) = window.values.first().copied() else { return f64::NAN };
    let mut time = window.timestamps[0];
    for (&value, &timestamp) in window.values.iter().zip(window.timestamps) {
        if wins(value, best) {
            (best, time) = (value, timestamp);
        }
    }
    seconds(time)
}

/// When the least value was, the last time of several.
pub(super) fn time_of_minimum(window: &Window) -> f64 {
    time_of(window, |value, best| value <= best || best.is_nan())
}

/// When the greatest value was, the last time of several.
pub(super) fn time_of_maximum(window: &Window) -> f64 {
    time_of(window, |value, best| value >= best || best.is_nan())
}

pub(super) fn time_of_first(window: &Window) -> f64 {
    window.timestamps.first().map_or(f64::NAN, |&timestamp| seconds(timestamp))
}

pub(super) fn time_of_last(window: &Window) -> f64 {
    window.timestamps.last().map_or(f64::NAN, |&timestamp| seconds(timestamp))
}

/// When the last sample was; NaN if it says that the series has ended.
pub(super) fn time_of_living(window: &Window) -> f64 {
    if decimal::is_stale_nan(last(window)) { f64::NAN } else { time_of_last(window) }
}

/// When the value became what it is; NaN if that was before the window.
pub(super) fn time_of_last_change(window: &Window) -> f64 {
    let Some(last) = window.values.last() else { return f64::NAN };
    match window.values.iter().rposition(|value| value != last) {
        Some(at) => seconds(window.timestamps[at + 1]),
        None if window.previous == *last => f64::NAN,
        None => seconds(window.timestamps[0]),
    }
}

/// The time from the first sample, or the one before the window, to the last one, with the number of gaps in between.
fn life(window: &Window) -> Option<(f64, usize)> {
    let last_ms = *window.timestamps.last()?;
    if !window.previous.is_nan() {
        return Some((seconds(last_ms - window.previous_ms), window.timestamps.len()));
    }
    let gaps = window.timestamps.len() - 1;
    (gaps > 0).then(|| (seconds(last_ms - window.timestamps[0]), gaps))
}

pub(super) fn lifetime(window: &Window) -> f64 {
    or_nan(life(window), |(seconds, _)| seconds)
}

pub(super) fn scrape_interval(window: &Window) -> f64 {
    or_nan(life(window), |(seconds, gaps)| seconds / gaps as f64)
}

pub(super) fn lag(window: &Window) -> f64 {
    match window.timestamps.last() {
        Some(&last_ms) => seconds(window.instant_ms - last_ms),
        None if window.previous.is_nan() => f64::NAN,
        None => seconds(window.instant_ms - window.previous_ms),
    }
}

/// The sum of all gaps that are not longer than the parameter says, in seconds.
pub(super) fn duration(window: &Window) -> f64 {
    if window.timestamps.is_empty() {
        return f64::NAN;
    }
    let longest_ms = (window.parameters[0] * 1000.0) as i64;
    let gaps = window.timestamps.windows(2).map(|pair| pair[1] - pair[0]);
    seconds(gaps.filter(|&gap| gap <= longest_ms).sum())
}

/// The area below the values up to the instant, each value holding until the next one.
pub(super) fn integral(window: &Window) -> f64 {
    let Some((mut value, rest)) = window.with_previous() else { return f64::NAN };
    let skipped = window.values.len() - rest.len();
    let mut from_ms = if skipped == 0 { window.instant_ms - window.width_ms } else { window.timestamps[0] };
    let mut area = 0.0;
    for (&next, &timestamp) in rest.iter().zip(&window.timestamps[skipped..]) {
        area += value * seconds(timestamp - from_ms);
        (value, from_ms) = (next, timestamp);
    }
    area + value * seconds(window.instant_ms - from_ms)
}

/// How many standard deviations the last value is from the mean; NaN when the last sample is older than a scrape.
pub(super) fn z_score(window: &Window) -> f64 {
    let (interval, lag) = (scrape_interval(window), lag(window));
    if interval.is_nan() || lag.is_nan() || lag > interval {
        return f64::NAN;
    }
    let apart = last(window) - average(window);
    if apart == 0.0 {
        return 0.0;
    }
    apart / or_nan(fold::<Moments>(window.values), |moments| (moments.squares / moments.count).sqrt())
}

/// Mean and the distance of Hoeffding's bound from it.
fn hoeffding(window: &Window) -> (f64, f64) {
    let (mean, apart) = (average(window), range(window));
    let phi = window.parameters[0];
    if window.values.len() < 2 || apart <= 0.0 || phi <= 0.0 {
        return (mean, 0.0);
    }
    if phi >= 1.0 {
        return (mean, f64::INFINITY);
    }
    (mean, apart * ((1.0 / (1.0 - phi)).ln() / (2.0 * window.values.len() as f64)).sqrt())
}

pub(super) fn hoeffding_lower(window: &Window) -> f64 {
    let (mean, bound) = hoeffding(window);
    mean - bound
}

pub(super) fn hoeffding_upper(window: &Window) -> f64 {
    let (mean, bound) = hoeffding(window);
    mean + bound
}

/// The values of a candle: the one before the window if it is young enough, and those before the instant.
fn candle<'a>(window: &'a Window) -> impl DoubleEndedIterator<Item = f64> + 'a {
    let is_young = window.previous_ms + window.width_ms >= window.instant_ms;
    let before = (is_young && !window.previous.is_nan()).then_some(window.previous);
    let end = window.timestamps.partition_point(|&timestamp| timestamp < window.instant_ms);
    before.into_iter().chain(window.values[..end].iter().copied())
}

pub(super) fn open(window: &Window) -> f64 {
    candle(window).next().unwrap_or(f64::NAN)
}

pub(super) fn close(window: &Window) -> f64 {
    candle(window).next_back().unwrap_or(f64::NAN)
}

pub(super) fn low(window: &Window) -> f64 {
    candle(window).fold(f64::NAN, f64::min)
}

pub(super) fn high(window: &Window) -> f64 {
    candle(window).fold(f64::NAN, f64::max)
}
