//! What a kernel sees of one window, and how wide MetricsQL makes it.

use super::bounds::Bounds;
use crate::query::quantile;
use crate::query::series::grid::Grid;

/// The samples of one window and what lies round them.
pub(super) struct Window<'a> {
    /// The values in it.
    pub values: &'a [f64],
    /// Their timestamps.
    pub timestamps: &'a [i64],
    /// The value before the window, if it is not too old; NaN when there is none.
    pub previous: f64,
    /// Its timestamp; without one the oldest that would not be too old.
    pub previous_ms: i64,
    /// The value before the window, however old; NaN when there is none.
    pub any_previous: f64,
    /// The value after the window; NaN when there is none.
    pub next: f64,
    /// The instant at which the window ends.
    pub instant_ms: i64,
    /// The window's width.
    pub width_ms: i64,
    /// The numbers the function was called with, at this instant.
    pub parameters: [f64; 2],
}

impl Window<'_> {
    /// The last value; there is one.
    pub fn last(&self) -> f64 {
        self.values[self.values.len() - 1]
    }

    /// The last timestamp; there is one.
    pub fn last_ms(&self) -> i64 {
        self.timestamps[self.timestamps.len() - 1]
    }

    /// The value to begin with and those behind it: the one before the window, else the first one in it. `None` without any.
    pub fn with_previous(&self) -> Option<(f64, &[f64])> {
        if !self.previous.is_nan() {
            return Some((self.previous, self.values));
        }
        self.values.split_first().map(|(first, rest)| (*first, rest))
    }
}

/// A number of milliseconds as seconds.
pub(super) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// The windows of a series.
pub(super) struct Windows<'a> {
    pub timestamps: &'a [i64],
    pub values: &'a [f64],
    pub bounds: &'a Bounds,
    pub grid: Grid,
    pub width_ms: i64,
    /// How much older than the window a previous value may be; none is looked at in PromQL.
    pub reach_ms: Option<i64>,
}

impl<'a> Windows<'a> {
    /// The last value of an instant's window; NaN without any.
    #[inline]
    pub fn last(&self, position: usize) -> f64 {
        let (first, end) = (self.bounds.first[position], self.bounds.end[position]);
        if first < end { self.values[end as usize - 1] } else { f64::NAN }
    }

    /// The window of an instant. Where it is inlined, what the kernel does not look at is not made; at the level "s" it would not be.
    #[inline(always)]
    pub fn at(&self, position: usize, parameters: [f64; 2]) -> Window<'a> {
        let (first, end) = (self.bounds.first[position] as usize, self.bounds.end[position] as usize);
        let instant_ms = self.grid.at(position);
        let mut window = Window {
            values: &self.values[first..end],
            timestamps: &self.timestamps[first..end],
            previous: f64::NAN,
            previous_ms: instant_ms,
            any_previous: f64::NAN,
            next: f64::NAN,
            instant_ms,
            width_ms: self.width_ms,
            parameters,
        };
        if let Some(reach_ms) = self.reach_ms {
            window.previous_ms = instant_ms.saturating_sub(self.width_ms).saturating_sub(reach_ms);
            if first > 0 {
                window.any_previous = self.values[first - 1];
                // The server looks for a previous value only while a sample follows it.
                if first < self.values.len() && self.timestamps[first - 1] > window.previous_ms {
                    window.previous = window.any_previous;
                    window.previous_ms = self.timestamps[first - 1];
                }
            }
            if end < self.values.len() {
                window.next = self.values[end];
            }
        }
        window
    }
}

/// How many gaps the server looks at to tell how often a series is scraped.
pub(super) const ESTIMATED_GAPS: usize = 20;

/// How often a series is scraped, as the server estimates it: the 0.6 quantile of the first gaps that were read.
pub(super) fn scrape_interval_ms(timestamps: &[i64], otherwise_ms: i64) -> i64 {
    let mut gaps = [0.0; ESTIMATED_GAPS];
    let count = timestamps.len().saturating_sub(1).min(ESTIMATED_GAPS);
    if count == 0 {
        return otherwise_ms;
    }
    for (gap, pair) in gaps.iter_mut().zip(timestamps.windows(2)) {
        *gap = pair[1].saturating_sub(pair[0]) as f64;
    }
    gaps[..count].sort_unstable_by(f64::total_cmp);
    interval_of_gaps_ms(&gaps[..count], otherwise_ms)
}

/// [`scrape_interval_ms`] of gaps that are sorted already.
pub(super) fn interval_of_gaps_ms(sorted: &[f64], otherwise_ms: i64) -> i64 {
    let interval_ms = quantile::of_sorted(0.6, sorted) as i64;
    if interval_ms > 0 { interval_ms } else { otherwise_ms }
}

/// How old a previous sample may be: the scrape interval and some more, the more the shorter it is, since jitter weighs more then.
pub(super) fn tolerated_gap_ms(interval_ms: i64) -> i64 {
    let more = match interval_ms {
        i64::MIN..=2_000 => interval_ms.saturating_mul(4),
        2_001..=4_000 => interval_ms * 2,
        4_001..=8_000 => interval_ms,
        8_001..=16_000 => interval_ms / 2,
        16_001..=32_000 => interval_ms / 4,
        _ => interval_ms / 8,
    };
    interval_ms.saturating_add(more)
}
