//! The instants of a query.

/// Evenly spaced instants; an instant query has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first instant, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Milliseconds between two instants; 0 where one instant stands for all, else at least 1.
    pub step_ms: i64,
    /// How many instants there are; at least 1.
    pub points: usize,
    /// How far the range that was asked for goes on behind the last instant, in milliseconds. MetricsQL reads samples up to there.
    pub beyond_ms: i64,
}

impl Grid {
    /// Instants of a range that ends with the last one.
    pub const fn new(start_ms: i64, step_ms: i64, points: usize) -> Self {
        Self { start_ms, step_ms, points, beyond_ms: 0 }
    }

    /// The instant at a position.
    pub fn at(&self, position: usize) -> i64 {
        self.start_ms + self.step_ms * position as i64
    }

    /// The last instant.
    pub fn end_ms(&self) -> i64 {
        self.at(self.points - 1)
    }

    /// Where the range ends.
    pub fn range_end_ms(&self) -> i64 {
        self.end_ms().saturating_add(self.beyond_ms)
    }

    /// All instants in order.
    pub fn instants(&self) -> impl Iterator<Item = i64> + use<> {
        let grid = *self;
        (0..grid.points).map(move |position| grid.at(position))
    }
}
