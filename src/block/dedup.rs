//! De-duplication: at most one sample an interval (part-format §9).

use crate::encoding::decimal;

/// Which sample of an interval stays. It differs by the version of the server whose results are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DedupRule {
    /// The first of `[k·D, (k+1)·D)`: below v1.77.0, hence v1.72.0.
    #[default]
    KeepFirst,
    /// The last of `((k-1)·D, k·D]`: v1.77.0 and later.
    KeepLast,
    /// As [`DedupRule::KeepLast`], but the largest value among samples that share the kept timestamp, and a stale marker never
    /// wins over another value: v1.134.0 and later.
    KeepLastLargestNotStale,
}

/// A rule with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// Which sample stays.
    pub rule: DedupRule,
    /// The interval in ms; 0 and less switch de-duplication off.
    pub interval_ms: i64,
}

impl Dedup {
    /// The rule of a database. Only the latest does not hang on the order of samples at one instant, which is chance once parts are
    /// merged; so a query gives the same before and after a merge.
    pub fn of_database(interval_ms: i64) -> Self {
        Self { rule: DedupRule::KeepLastLargestNotStale, interval_ms }
    }

    /// De-duplicates the samples of a block, in place. Timestamps must be sorted and as many as the mantissas.
    pub fn mantissas(self, timestamps: &mut Vec<i64>, mantissas: &mut Vec<i64>) {
        self.samples(timestamps, mantissas);
    }

    /// De-duplicates the samples of a query's result, in place. Timestamps must be sorted and as many as the values.
    pub fn floats(self, timestamps: &mut Vec<i64>, values: &mut Vec<f64>) {
        self.samples(timestamps, values);
    }

    fn samples<V: Value>(self, timestamps: &mut Vec<i64>, values: &mut Vec<V>) {
        debug_assert_eq!(timestamps.len(), values.len());
        if self.interval_ms <= 0 || timestamps.len() < 2 {
            return;
        }
        let kept = match self.rule {
            DedupRule::KeepFirst => keep_first(timestamps, values, self.interval_ms),
            DedupRule::KeepLast => keep_last(timestamps, values, self.interval_ms, |_, last| last),
            DedupRule::KeepLastLargestNotStale => keep_last(timestamps, values, self.interval_ms, larger_not_stale),
        };
        timestamps.truncate(kept);
        values.truncate(kept);
    }
}

/// What de-duplication has to know of a value, be it a mantissa or a float.
trait Value: Copy + PartialOrd {
    fn is_stale(self) -> bool;
}

impl Value for i64 {
    fn is_stale(self) -> bool {
        self == decimal::STALE
    }
}

impl Value for f64 {
    fn is_stale(self) -> bool {
        decimal::is_stale_nan(self)
    }
}

fn larger_not_stale<V: Value>(earlier: V, later: V) -> V {
    if later.is_stale() || (!earlier.is_stale() && earlier > later) { earlier } else { later }
}

/// The first timestamp of the interval after the one of `timestamp`. Timestamps from outside may be anything, hence wrapping.
fn round_down_to_next(timestamp: i64, interval: i64) -> i64 {
    timestamp.wrapping_sub(timestamp % interval).wrapping_add(interval)
}

/// The last timestamp of the interval of `timestamp`.
fn round_up(timestamp: i64, interval: i64) -> i64 {
    let end = timestamp.wrapping_add(interval - 1);
    end.wrapping_sub(end % interval)
}

fn keep_first<V: Value>(timestamps: &mut [i64], values: &mut [V], interval: i64) -> usize {
    let mut kept = 1;
    let mut next = round_down_to_next(timestamps[0], interval);
    for i in 1..timestamps.len() {
        let timestamp = timestamps[i];
        if timestamp < next {
            continue;
        }
        timestamps[kept] = timestamp;
        values[kept] = values[i];
        kept += 1;
        next = next.wrapping_add(interval);
        if timestamp >= next {
            next = round_down_to_next(timestamp, interval);
        }
    }
    kept
}

/// `choose(earlier, later)` decides between samples of the kept timestamp, from the last one backwards.
fn keep_last<V: Value>(timestamps: &mut [i64], values: &mut [V], interval: i64, choose: impl Fn(V, V) -> V) -> usize {
    let mut kept = 0;
    let mut keep = |timestamps: &mut [i64], last: usize| {
        let timestamp = timestamps[last];
        let mut value = values[last];
        // Equal timestamps lie in one interval, so this never reads what was overwritten.
        for i in (kept..last).rev().take_while(|&i| timestamps[i] == timestamp) {
            value = choose(values[i], value);
        }
        timestamps[kept] = timestamp;
        values[kept] = value;
        kept += 1;
    };
    let mut next = round_up(timestamps[0], interval);
    for i in 1..timestamps.len() {
        let timestamp = timestamps[i];
        if timestamp <= next {
            continue;
        }
        keep(timestamps, i - 1);
        next = next.wrapping_add(interval);
        if next < timestamp {
            next = round_up(timestamp, interval);
        }
    }
    keep(timestamps, timestamps.len() - 1);
    kept
}
