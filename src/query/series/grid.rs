//! The instants of a query.

/// Evenly spaced instants; an instant query has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first instant, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Milliseconds between two instants; at least 1.
    pub step_ms: i64,
    /// How many instants there are; at least 1.
    pub points: usize,
}

impl Grid {
    /// The instant at a position.
    pub fn at(&self, position: usize) -> i64 {
        self.start_ms + self.step_ms * position as i64
    }

    /// The last instant.
    pub fn end_ms(&self) -> i64 {
        self.at(self.points - 1)
    }

    /// All instants in order.
    pub fn instants(&self) -> impl Iterator<Item = i64> + use<> {
        let grid = *self;
        (0..grid.points).map(move |position| grid.at(position))
    }
}
