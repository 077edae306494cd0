//! Generations: the previous one is dropped and a new one begins once in a retention period (index-format §7).

use super::{CONVERTED_FILE, Index, generation_name, parse_generation};
use crate::error::Result;
use crate::fs::Change;
use crate::mergeset::Table;
use crate::runtime::Signal;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TimestampMs};
use crate::trace::event::Event;
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;

/// How long behind a multiple of the retention generations change.
const ROTATION_OFFSET_MS: i64 = 4 * HOUR_MS;

/// A rotation may come so much earlier than a whole retention after the one before, which may have been late by as much.
const LATENESS_MS: i64 = 10 * MINUTE_MS;

/// The retention, rounded up to whole days.
fn period_ms(retention_ms: i64) -> i64 {
    let days = retention_ms.max(1).saturating_add(DAY_MS - 1) / DAY_MS;
    days.saturating_mul(DAY_MS)
}

/// The next rotation: four hours behind the next multiple of the retention, which is rounded up to whole days.
pub fn next_rotation(now: TimestampMs, retention_ms: i64) -> TimestampMs {
    let period = period_ms(retention_ms);
    let periods = now.saturating_add(period - 1).div_euclid(period);
    periods.saturating_mul(period).saturating_add(ROTATION_OFFSET_MS)
}

/// As [`next_rotation`], but not before the generation that began at `current_began` has lasted a retention. A rotation drops
/// the series that were last written before the current generation began: after one that came late (the tab slept, storage
/// failed), or when the clock stands back, the samples of these series may be young still.
fn next_rotation_after(current_began: TimestampMs, now: TimestampMs, retention_ms: i64) -> TimestampMs {
    // A generation from the future was begun by a wrong clock.
    let began = current_began.min(now);
    let earliest = began.saturating_add(period_ms(retention_ms)).saturating_sub(LATENESS_MS + ROTATION_OFFSET_MS);
    next_rotation(now.max(earliest), retention_ms)
}

/// Where the rotation stands.
pub(super) struct Rotation {
    next_generation: Cell<u64>,
    /// A generation that is stored, but did not become current: its rotation failed behind the commit.
    unfinished: Cell<Option<u64>>,
    is_stopping: Cell<bool>,
    stop: Signal,
}

impl Rotation {
    pub(super) fn new(next_generation: u64) -> Self {
        Self {
            next_generation: Cell::new(next_generation),
            unfinished: Cell::default(),
            is_stopping: Cell::default(),
            stop: Signal::default(),
        }
    }

    /// The number of a new generation, which is greater than all before.
    fn next_generation(&self, now_nanos: u64) -> u64 {
        let generation = self.next_generation.get().max(now_nanos);
        self.next_generation.set(generation.saturating_add(1));
        generation
    }

    /// Lets the job end that rotates.
    pub(super) fn stop(&self) {
        self.is_stopping.set(true);
        self.stop.raise();
    }
}

impl Index {
    /// When the next generation begins.
    pub(super) fn next_rotation(&self) -> TimestampMs {
        // Generations are named by the nanoseconds at which they began, or at which the process did that began them.
        let began_nanos = parse_generation(self.current().dir().name()).unwrap_or(0);
        let began = i64::try_from(began_nanos / 1_000_000).unwrap_or(i64::MAX);
        next_rotation_after(began, self.context.now(), self.options.retention_ms)
    }

    /// Begins a new generation: the current one becomes the previous one, which is removed when nobody reads it any more.
    ///
    /// Series are taken over into the new generation when they are next looked up by name, and days when they are next
    /// registered: whoever remembers TSIDs or days must forget them when [`Index::generation`] changes.
    pub async fn rotate(&self) -> Result<()> {
        // What waits belongs to the generation that was current; as the previous one it goes on flushing.
        self.current().make_searchable().await?;
        let now_nanos = u64::try_from(self.context.now()).unwrap_or(0).saturating_mul(1_000_000);
        let generation = self.rotation.next_generation(now_nanos);
        let dir = self.dir.join(&generation_name(generation));
        // A start takes the two newest generations for what they are and drops all others: one that never became current must
        // not push out one that holds series.
        let unfinished = self.rotation.unfinished.get().map(|unfinished| self.dir.join(&generation_name(unfinished)));
        let mut changes: Vec<Change> = unfinished.into_iter().map(|path| Change::Remove { path }).collect();
        changes.push(Change::Put { file: dir.join(CONVERTED_FILE), bytes: Bytes::from_static(b"ok") });
        self.context.commit(changes).await?;
        self.rotation.unfinished.set(Some(generation));
        let table = Table::open(&self.context, dir, self.table_options(), self.remover.clone()).await?;
        if self.has_jobs.get() {
            table.start_jobs();
        }
        let (current, previous, dropped) = self.apply_rotation(table);
        self.rotation.unfinished.set(None);
        dropped.retire().await;
        let name = |table: &Table| table.dir().name().to_owned();
        let (current, previous, dropped) = (name(&current), name(&previous), name(&dropped));
        self.context.emit(|| Event::IndexRotated { current, previous, dropped });
        Ok(())
    }

    fn apply_rotation(&self, table: Rc<Table>) -> (Rc<Table>, Rc<Table>, Rc<Table>) {
        let previous = self.current.replace(table.clone());
        let dropped = self.previous.replace(previous.clone());
        self.pending_names.borrow_mut().rotate(&previous);
        self.change_generation();
        (table, previous, dropped)
    }

    /// Rotates when it is due.
    pub(super) async fn run_rotation(self: Rc<Self>) {
        let context = self.context.clone();
        let next = || self.next_rotation();
        let mut due = next();
        let mut failures = 0;
        loop {
            let seen = self.rotation.stop.version();
            if self.rotation.is_stopping.get() {
                return;
            }
            if context.now() < due {
                context.changed_or_until(&self.rotation.stop, seen, due).await;
                // The clock may have been far ahead and be set back.
                due = due.min(next());
                continue;
            }
            match self.rotate().await {
                Ok(()) => {
                    failures = 0;
                    due = next();
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        context.degraded(&error, format!("a new index generation can't begin yet: {error}"));
                    }
                    due = context.now() + 60 * SECOND_MS;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_are_due_four_hours_after_a_multiple_of_the_retention() {
        let at = |now: i64, retention_ms: i64| next_rotation(now, retention_ms);
        assert_eq!(at(1, DAY_MS), DAY_MS + 4 * HOUR_MS);
        assert_eq!(at(DAY_MS, DAY_MS), DAY_MS + 4 * HOUR_MS);
        assert_eq!(at(DAY_MS + 1, DAY_MS), 2 * DAY_MS + 4 * HOUR_MS);
        assert_eq!(at(1, DAY_MS + 1), 2 * DAY_MS + 4 * HOUR_MS);
        // After a punctual one the next is punctual, after a late one it is left out.
        let after = |began: i64, now: i64| next_rotation_after(began, now, DAY_MS);
        let punctual = DAY_MS + 4 * HOUR_MS;
        assert_eq!(after(punctual, punctual), punctual + DAY_MS);
        assert_eq!(after(punctual + 9 * MINUTE_MS, punctual + 9 * MINUTE_MS), punctual + DAY_MS);
        assert_eq!(after(punctual + HOUR_MS, punctual + HOUR_MS), punctual + 2 * DAY_MS);
        assert_eq!(after(punctual, punctual - HOUR_MS), punctual + DAY_MS);
        assert_eq!(after(i64::MAX, DAY_MS), 2 * DAY_MS + 4 * HOUR_MS);
        assert_eq!(after(0, 9 * DAY_MS), 9 * DAY_MS + 4 * HOUR_MS);
        assert!(at(1_700_000_000_000, i64::MAX) > 1_700_000_000_000);
        assert!(at(i64::MAX, 0) > 0);
    }
}
