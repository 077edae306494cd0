//! Rows that wait to become in-memory parts (engine-behaviour §2). They are not visible to queries yet.

use crate::metric::row::{Rows, SeriesIndex};
use crate::time::{SECOND_MS, TimestampMs};

/// How many rows a shard holds, when `allowed_bytes` of memory may be used by all that is cached or waits.
pub fn max_rows_per_shard(allowed_bytes: u64, shards: usize) -> usize {
    const ROW_SIZE: u64 = 48;
    let rows = allowed_bytes / shards.max(1) as u64 / 256 / ROW_SIZE;
    rows.clamp(10_000, 500_000) as usize
}

/// The shards of a partition.
#[derive(Debug)]
pub struct RawRows {
    shards: Vec<Shard>,
    max_rows_per_shard: usize,
    next_shard: usize,
    /// Emptied columns that keep their memory, for shards that were taken out.
    spare: Vec<Rows>,
}

#[derive(Debug, Default)]
struct Shard {
    rows: Rows,
    /// When it was last emptied because it was full, in whole seconds.
    last_overflow_s: i64,
}

/// What a call that adds rows did.
#[derive(Debug)]
pub struct Added {
    /// The shard the rows went to.
    pub shard: usize,
    /// Rows that wait in that shard now.
    pub pending_rows: usize,
    /// The rows of the shard and of the call, when they did not fit: to be converted at once.
    pub overflow: Option<Rows>,
}

impl RawRows {
    /// Empty shards.
    pub fn new(shards: usize, max_rows_per_shard: usize) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
            max_rows_per_shard: max_rows_per_shard.max(1),
            next_shard: 0,
            spare: Vec::new(),
        }
    }

    /// Rows a shard holds at most, and an in-memory part made of them.
    pub fn max_rows_per_shard(&self) -> usize {
        self.max_rows_per_shard
    }

    /// Rows in each shard.
    pub fn rows_per_shard(&self) -> impl Iterator<Item = usize> + '_ {
        self.shards.iter().map(|shard| shard.rows.len())
    }

    /// Rows in all shards.
    pub fn len(&self) -> usize {
        self.rows_per_shard().sum()
    }

    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.rows.is_empty())
    }

    /// Many samples of one series.
    pub fn add_run(
        &mut self,
        series: SeriesIndex,
        timestamps: &[TimestampMs],
        values: &[f64],
        now: TimestampMs,
    ) -> Added {
        debug_assert_eq!(timestamps.len(), values.len());
        self.add(timestamps.len(), now, |rows| rows.extend_from_run(series, timestamps, values))
    }

    /// One sample each of many series at one instant.
    pub fn add_scrape(
        &mut self,
        series: &[SeriesIndex],
        timestamp: TimestampMs,
        values: &[f64],
        now: TimestampMs,
    ) -> Added {
        debug_assert_eq!(series.len(), values.len());
        self.add(series.len(), now, |rows| rows.extend_from_scrape(series, timestamp, values))
    }

    /// Any rows, as columns of one length.
    pub fn add_columns(
        &mut self,
        series: &[SeriesIndex],
        timestamps: &[TimestampMs],
        values: &[f64],
        now: TimestampMs,
    ) -> Added {
        self.add(timestamps.len(), now, |rows| rows.extend_from_columns(series, timestamps, values))
    }

    fn add(&mut self, count: usize, now: TimestampMs, append: impl FnOnce(&mut Rows)) -> Added {
        let at = self.next_shard;
        self.next_shard = (at + 1) % self.shards.len();
        let shard = &mut self.shards[at];
        let fits = shard.rows.len() + count <= self.max_rows_per_shard;
        append(&mut shard.rows);
        let overflow = (!fits).then(|| {
            shard.last_overflow_s = now.div_euclid(SECOND_MS);
            std::mem::replace(&mut shard.rows, self.spare.pop().unwrap_or_default())
        });
        Added { shard: at, pending_rows: shard.rows.len(), overflow }
    }

    /// Takes the rows of all shards out, but of those that overflowed within the last second: they fill so quickly that
    /// they make parts of a good size by themselves. All of them when `now` is `None`.
    pub fn take(&mut self, now: Option<TimestampMs>) -> Rows {
        let mut taken = Rows::default();
        for shard in &mut self.shards {
            // Seconds since then; fewer than none when the clock was set back.
            let since = |now: TimestampMs| now.div_euclid(SECOND_MS) - shard.last_overflow_s;
            let is_due = now.is_none_or(|now| !(0..=1).contains(&since(now)));
            if !is_due || shard.rows.is_empty() {
                continue;
            }
            if taken.is_empty() {
                taken = std::mem::replace(&mut shard.rows, self.spare.pop().unwrap_or_default());
            } else {
                taken.append(&mut shard.rows);
            }
        }
        taken
    }

    /// Hands columns back whose rows have become a part.
    pub fn recycle(&mut self, mut rows: Rows) {
        if self.spare.len() < self.shards.len() && rows.timestamps.capacity() <= 2 * self.max_rows_per_shard {
            rows.series.clear();
            rows.timestamps.clear();
            rows.values.clear();
            self.spare.push(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_go_round_the_shards_and_overflow_takes_all() {
        let mut raw_rows = RawRows::new(2, 10);
        for call in 0..6 {
            let added = raw_rows.add_run(7, &[1, 2, 3], &[1.0, 2.0, 3.0], 5_000);
            assert_eq!((added.shard, added.pending_rows), (call % 2, 3 * (call / 2 + 1)));
            assert!(added.overflow.is_none());
        }
        let overflow = raw_rows.add_scrape(&[1, 2], 9, &[4.0, 5.0], 5_000).overflow.unwrap();
        assert_eq!(overflow.len(), 11);
        assert_eq!((overflow.series[10], overflow.timestamps[10], overflow.values[10]), (2, 9, 5.0));
        raw_rows.add_columns(&[1], &[1], &[1.0], 5_100);
        raw_rows.add_columns(&[1], &[1], &[1.0], 5_100);
        assert_eq!(raw_rows.take(Some(6_900)).len(), 10, "the shard that overflowed a second ago is left alone");
        assert_eq!(raw_rows.take(Some(7_000)).len(), 1);
        assert!(raw_rows.is_empty());
    }

    #[test]
    fn capacity_follows_memory() {
        assert_eq!(max_rows_per_shard(0, 1), 10_000);
        assert_eq!(max_rows_per_shard(1 << 30, 1), 87_381);
        assert_eq!(max_rows_per_shard(1 << 40, 1), 500_000);
    }
}
