//! De-duplication: at most one sample an interval (part-format §9).

use crate::encoding::decimal;

/// Of the samples of an interval `((k-1)·D, k·D]` the last stays: of several at that instant the one with the largest value, and a stale marker
/// only where there is no other. So do servers from v1.134.0 on. Older rules hang on the order of samples at one instant, which is chance once
/// parts are merged; by this one a query gives the same before and after a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// The interval in ms; 0 and less switch de-duplication off.
    pub interval_ms: i64,
}

impl Dedup {
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
        let kept = keep_last(timestamps, values, self.interval_ms);
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

/// The last timestamp of the interval of `timestamp`. Timestamps from outside may be anything, hence wrapping.
fn round_up(timestamp: i64, interval: i64) -> i64 {
    let end = timestamp.wrapping_add(interval - 1);
    end.wrapping_sub(end % interval)
}

fn keep_last<V: Value>(timestamps: &mut [i64], values: &mut [V], interval: i64) -> usize {
    let mut kept = 0;
    let mut keep = |timestamps: &mut [i64], last: usize| {
        let timestamp = timestamps[last];
        let mut value = values[last];
        // Equal timestamps lie in one interval, so this never reads what was overwritten.
        for i in (kept..last).rev().take_while(|&i| timestamps[i] == timestamp) {
            value = larger_not_stale(values[i], value);
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
