//! Generations: the previous one is dropped and a new one begins once in a retention period (index-format §7).

use super::{CONVERTED_FILE, Index, generation_name};
use crate::error::Result;
use crate::fs::Change;
use crate::mergeset::Table;
use crate::time::{DAY_MS, HOUR_MS, SECOND_MS, TimestampMs};
use crate::trace::event::Event;
use bytes::Bytes;
use std::rc::Rc;

/// The next rotation: four hours behind the next multiple of the retention, which is rounded up to whole days.
pub fn next_rotation(now: TimestampMs, retention_ms: i64) -> TimestampMs {
    let days = retention_ms.max(1).saturating_add(DAY_MS - 1) / DAY_MS;
    let period = days.saturating_mul(DAY_MS);
    let periods = now.saturating_add(period - 1).div_euclid(period);
    periods.saturating_mul(period).saturating_add(4 * HOUR_MS)
}

impl Index {
    /// Begins a new generation: the current one becomes the previous one, which is removed when nobody reads it any more.
    ///
    /// Series are taken over into the new generation when they are next looked up by name, and days when they are next
    /// registered: whoever remembers TSIDs or days must forget them when [`Index::generation`] changes.
    pub async fn rotate(&self) -> Result<()> {
        // What waits belongs to the generation that was current; as the previous one it goes on flushing.
        self.current().flush().await?;
        let generation = self.next_generation.replace(self.next_generation.get() + 1);
        let dir = self.dir.join(&generation_name(generation));
        let converted = Change::Put { file: dir.join(CONVERTED_FILE), bytes: Bytes::from_static(b"ok") };
        self.context.commit(vec![converted]).await?;
        let table = Table::open(&self.context, dir, self.table_options(), self.graveyard.clone()).await?;
        if self.has_jobs.get() {
            table.start_jobs();
        }
        let (current, previous, dropped) = self.apply_rotation(table);
        dropped.retire().await;
        let name = |table: &Table| table.dir().name().to_owned();
        let (current, previous, dropped) = (name(&current), name(&previous), name(&dropped));
        self.context.emit(|| Event::IndexRotated { current, previous, dropped });
        Ok(())
    }

    fn apply_rotation(&self, table: Rc<Table>) -> (Rc<Table>, Rc<Table>, Rc<Table>) {
        let previous = self.current.replace(table.clone());
        let dropped = self.previous.replace(previous.clone());
        if previous.pending_items() == 0 {
            self.pending_names.borrow_mut().clear();
        }
        self.change_generation();
        (table, previous, dropped)
    }

    /// Rotates when it is due.
    pub(super) async fn run_rotation(self: Rc<Self>) {
        let context = self.context.clone();
        let mut due = next_rotation(context.now(), self.options.retention_ms);
        loop {
            let seen = self.stop.version();
            if self.is_stopping.get() {
                return;
            }
            if context.now() < due {
                context.changed_or_until(&self.stop, seen, due).await;
                continue;
            }
            match self.rotate().await {
                Ok(()) => due = next_rotation(context.now(), self.options.retention_ms),
                Err(error) => {
                    context
                        .emit(|| Event::Degraded { message: format!("a new index generation can't begin: {error}") });
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
        assert!(at(1_700_000_000_000, i64::MAX) > 1_700_000_000_000);
        assert!(at(i64::MAX, 0) > 0);
    }
}
