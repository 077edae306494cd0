//! Which samples lie in the window of each instant.

use crate::query::series::grid::Grid;

/// The samples of each instant's window: those with `instant - window < timestamp <= instant`. Series with equal timestamps have equal
/// bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The first sample of the window.
    pub first: Vec<u32>,
    /// Behind the last sample of the window.
    pub end: Vec<u32>,
}

impl Bounds {
    /// The bounds of all instants. Timestamps are sorted.
    pub fn new(timestamps: &[i64], grid: &Grid, window_ms: i64) -> Self {
        let mut bounds = Self::default();
        bounds.fill(timestamps, grid, window_ms);
        bounds
    }

    /// As [`Bounds::new`], in the memory that is there. Both edges only move on, so the work grows with samples and instants.
    pub fn fill(&mut self, timestamps: &[i64], grid: &Grid, window_ms: i64) {
        self.first.clear();
        self.end.clear();
        self.first.reserve(grid.points);
        self.end.reserve(grid.points);
        let (mut first, mut end) = (0, 0);
        for instant in grid.instants() {
            let left = instant.saturating_sub(window_ms);
            while first < timestamps.len() && timestamps[first] <= left {
                first += 1;
            }
            end = end.max(first);
            while end < timestamps.len() && timestamps[end] <= instant {
                end += 1;
            }
            self.first.push(first as u32);
            self.end.push(end as u32);
        }
    }

    /// How many samples the window of an instant has.
    pub fn count(&self, position: usize) -> usize {
        (self.end[position] - self.first[position]) as usize
    }
}
