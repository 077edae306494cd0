//! Whether the values of a series hang on how often it is scraped. MetricsQL estimates that from the first samples of a range, so that a
//! range that moves on may be estimated otherwise: a query that is followed must know whether that makes a difference.

use super::bounds::Bounds;
use super::call::{READ_BEFORE_MS, RollupCall, Scratch};
use super::window::ESTIMATED_GAPS;
use crate::query::series::grid::Grid;

/// From the shortest to the longest gap that is tolerated between a window and the sample before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gaps {
    /// The shortest.
    pub least_ms: i64,
    /// The longest.
    pub greatest_ms: i64,
}

impl Gaps {
    /// The least range that holds both.
    pub fn and(self, other: Self) -> Self {
        Self { least_ms: self.least_ms.min(other.least_ms), greatest_ms: self.greatest_ms.max(other.greatest_ms) }
    }
}

impl RollupCall {
    /// The gaps that would be tolerated in the prepared series if the range began up to `later_ms` later, and the last of the timestamps
    /// that tell. `None` if there are too few.
    pub fn gaps_ahead(&self, grid: &Grid, later_ms: i64, scratch: &Scratch) -> Option<(Gaps, i64)> {
        let timestamps = &scratch.timestamps;
        let latest_start_ms = self.read_range(grid).0.saturating_add(later_ms);
        let latest = timestamps.partition_point(|timestamp| *timestamp < latest_start_ms);
        let last_ms = *timestamps.get(latest + ESTIMATED_GAPS)?;
        let gap = |at: usize| timestamps[at + 1].saturating_sub(timestamps[at]) as f64;
        let mut sorted: Vec<f64> = (0..ESTIMATED_GAPS).map(gap).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let first_ms = self.tolerated_gap_ms(&sorted, grid);
        let mut gaps = Gaps { least_ms: first_ms, greatest_ms: first_ms };
        for at in 1..=latest {
            let (gone, come) = (gap(at - 1), gap(at + ESTIMATED_GAPS - 1));
            if gone != come {
                sorted.remove(sorted.partition_point(|other| *other < gone));
                sorted.insert(sorted.partition_point(|other| *other < come), come);
                let gap_ms = self.tolerated_gap_ms(&sorted, grid);
                gaps = gaps.and(Gaps { least_ms: gap_ms, greatest_ms: gap_ms });
            }
        }
        Some((gaps, last_ms))
    }

    /// Whether the prepared series has the same values whichever of these gaps is tolerated, from wherever on its samples are read,
    /// and whatever comes behind them. It may say no where it is so.
    pub fn are_same_for(&self, gaps: Gaps, grid: &Grid, scratch: &Scratch) -> bool {
        let (base_ms, width_ms, gap_ms) = (self.base_width_ms(grid), scratch.width_ms, scratch.gap_ms);
        let is_known = gaps.least_ms == gap_ms && gaps.greatest_ms == gap_ms;
        let widens = self.rollup.entry.widens;
        if gaps.greatest_ms > READ_BEFORE_MS || width_ms + gap_ms > base_ms + READ_BEFORE_MS {
            return false;
        }
        let Bounds { first, end } = &scratch.bounds;
        let timestamps = &scratch.timestamps;
        // What was taken in is nearer than this, and what was left out is not.
        let (mut farthest_in, mut nearest_out) = (i64::MIN, i64::MAX);
        let mut note = |distance_ms: i64, limit_ms: i64| match distance_ms < limit_ms {
            true => farthest_in = farthest_in.max(distance_ms),
            false => nearest_out = nearest_out.min(distance_ms),
        };
        if self.rollup.name() == "default_rollup" {
            for (instant, &end) in grid.instants().zip(end) {
                if end > 0 {
                    note(instant - timestamps[end as usize - 1], width_ms);
                }
            }
            return is_known
                || (base_ms.max(gaps.least_ms) > farthest_in && base_ms.max(gaps.greatest_ms) <= nearest_out);
        }
        if widens && gaps.greatest_ms > base_ms && !is_known {
            return false;
        }
        let looks_further = matches!(self.rollup.name(), "increase" | "delta");
        for (instant, (&first, &end)) in grid.instants().zip(first.iter().zip(end)) {
            let mut has_previous = false;
            if first > 0 {
                let distance_ms = instant - width_ms - timestamps[first as usize - 1];
                // A previous sample counts when one follows, which may be still to come.
                if first as usize == timestamps.len() && distance_ms < gaps.greatest_ms.max(gap_ms) {
                    return false;
                }
                has_previous = distance_ms < gap_ms;
                note(distance_ms, gap_ms);
            }
            if looks_further && !has_previous && first < end {
                return false;
            }
        }
        is_known || (gaps.least_ms > farthest_in && gaps.greatest_ms <= nearest_out)
    }
}
