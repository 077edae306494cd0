//! Queries that are asked again and again over a range that moves on: what the asker holds already is not evaluated anew, as far as it
//! can't have changed.

use super::{Query, QueryData, QueryResult, QueryStats, Times};
use crate::query::language::ast::Expression;
use crate::query::plan::{Reach, is_restless, reach};
use crate::query::rollup::{Gaps, RollupCall, Scratch};
use crate::query::series::grid::Grid;
use crate::runtime::Mark;
use crate::storage::Storage;
use std::cell::Cell;

/// What stands beside an answer for who asks again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The moment of which the answer is.
    pub mark: Mark,
    /// How long it makes no difference how often series are thought to be scraped; `None` if that is not known.
    pub steady: Option<Steady>,
}

/// While it holds, an evaluation of new instants alone gives what one of the whole range would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    /// For ranges that begin up to here, in milliseconds.
    pub until_ms: i64,
    /// As long as no sample comes that is not later than this, in milliseconds.
    pub samples_until_ms: i64,
    /// Between a window and the sample before it.
    pub gaps: Gaps,
}

/// The answer to the same query that somebody holds, at instants with the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// [`QueryResult::standing`].
    pub standing: Standing,
    /// Its first instant, in milliseconds.
    pub start_ms: i64,
    /// How many instants it has.
    pub points: usize,
}

/// What is to be evaluated of a query.
pub(super) struct Share {
    /// So many instants, from the first one on, have in the answer that is held the values they have now.
    pub kept_points: usize,
    /// Looks whether the values hang on how often series are scraped, where they may.
    pub watch: Option<GapWatch>,
}

/// What is to be evaluated of a query for these instants.
pub(super) fn share_of(storage: &Storage, query: &Query, expression: &Expression, grid: Grid) -> Share {
    let whole = Share { kept_points: 0, watch: None };
    if !query.is_followed || !matches!(query.times, Times::Range { .. }) {
        return whole;
    }
    let changed_from_ms =
        query.held.map_or(i64::MIN, |held| storage.context().arrivals().least_since(held.standing.mark));
    if let Some(held) = query.held
        && (held.start_ms, held.points) == (grid.start_ms, grid.points)
        && changed_from_ms == i64::MAX
        && !is_restless(expression)
    {
        return Share { kept_points: grid.points, watch: None };
    }
    let Some(reach) = reach(expression, query.dialect, grid.step_ms, query.lookback_ms) else { return whole };
    let first_watch = Share { watch: reach.needs_steady_gaps.then(|| GapWatch::first(&grid)), ..whole };
    let Some(held) = query.held else { return first_watch };
    let kept_points = kept_points(storage, held, reach, changed_from_ms, grid);
    match held.standing.steady {
        _ if kept_points == 0 => first_watch,
        _ if !reach.needs_steady_gaps => Share { kept_points, watch: None },
        Some(steady) if grid.start_ms <= steady.until_ms && changed_from_ms > steady.samples_until_ms => {
            Share { kept_points, watch: Some(GapWatch::again(steady)) }
        }
        _ => first_watch,
    }
}

fn kept_points(storage: &Storage, held: Held, reach: Reach, changed_from_ms: i64, grid: Grid) -> usize {
    let Some(moved_ms) = grid.start_ms.checked_sub(held.start_ms) else { return 0 };
    if moved_ms < 0 || moved_ms % grid.step_ms != 0 {
        return 0;
    }
    // What the retention takes away goes without a word.
    if grid.start_ms.saturating_sub(reach.back_ms) < storage.oldest_ms() {
        return 0;
    }
    // Near the end of what was read a sample stands that a later one of its interval of de-duplication pushes out, though both were there.
    let unsure_points = storage.dedup_interval_ms().saturating_add(grid.step_ms - 1) / grid.step_ms;
    let held_points = held.points.saturating_sub((moved_ms / grid.step_ms).saturating_add(unsure_points) as usize);
    // A sample that comes may push others of its interval of de-duplication out.
    let before_ms = reach.ahead_ms.saturating_add(storage.dedup_interval_ms());
    let behind_start_ms = changed_from_ms.saturating_sub(before_ms).saturating_sub(grid.start_ms).max(0);
    let unchanged = behind_start_ms / grid.step_ms + i64::from(behind_start_ms % grid.step_ms > 0);
    held_points.min(grid.points).min(usize::try_from(unchanged).unwrap_or(usize::MAX))
}

/// The answer to somebody who holds all of it.
pub(super) fn nothing_new(grid: Grid, standing: Standing) -> QueryResult {
    QueryResult {
        data: QueryData::Rows { grid, rows: Vec::new() },
        warnings: Vec::new(),
        infos: Vec::new(),
        stats: QueryStats::default(),
        trace: None,
        standing,
        kept_points: grid.points,
    }
}

/// Looks at each series that is rolled.
pub(super) struct GapWatch {
    /// What an evaluation of the whole has found; `None` in such a one.
    known: Option<Steady>,
    start_ms: i64,
    /// How much later ranges may begin for which this evaluation is to serve.
    later_ms: i64,
    found: Cell<Option<Steady>>,
    is_steady: Cell<bool>,
}

impl GapWatch {
    /// For an evaluation of a whole range; it serves until the range has moved on by half.
    fn first(grid: &Grid) -> Self {
        let later_ms = grid.end_ms().saturating_sub(grid.start_ms) / 2;
        Self { known: None, start_ms: grid.start_ms, later_ms, found: Cell::new(None), is_steady: Cell::new(true) }
    }

    /// For an evaluation of new instants.
    fn again(known: Steady) -> Self {
        Self { known: Some(known), start_ms: 0, later_ms: 0, found: Cell::new(None), is_steady: Cell::new(true) }
    }

    /// A series has been prepared.
    pub(super) fn see(&self, call: &RollupCall, grid: &Grid, scratch: &Scratch) {
        if !self.is_steady.get() {
            return;
        }
        let gaps = match self.known {
            Some(known) => Some(known.gaps),
            None => call.gaps_ahead(grid, self.later_ms, scratch).map(|(gaps, samples_until_ms)| {
                let found = self.found.get().unwrap_or(Steady {
                    until_ms: self.start_ms.saturating_add(self.later_ms),
                    samples_until_ms,
                    gaps,
                });
                let samples_until_ms = found.samples_until_ms.max(samples_until_ms);
                self.found.set(Some(Steady { samples_until_ms, gaps: found.gaps.and(gaps), ..found }));
                gaps
            }),
        };
        self.is_steady.set(gaps.is_some_and(|gaps| call.are_same_for(gaps, grid, scratch)));
    }

    /// So many series were found, and so many had samples. Nobody knows how often one without samples will be scraped.
    pub(super) fn see_all(&self, found: usize, rolled: usize) {
        if self.known.is_none() && rolled < found {
            self.is_steady.set(false);
        }
    }

    /// Whether what was found shows that nothing hangs on the gaps.
    pub(super) fn is_steady(&self) -> bool {
        self.is_steady.get()
    }

    /// What may be relied on the next time.
    pub(super) fn steady(&self) -> Option<Steady> {
        self.known.or(self.found.get()).filter(|_| self.is_steady.get())
    }
}
