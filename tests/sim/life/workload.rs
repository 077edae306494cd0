//! What the random numbers let users do.

use super::Life;
use super::ask::{Ask, Pending};
use super::figures::all_faults;
use crate::model::{Chosen, Wrong};
use sandglass::engine::{Command, Ticket};
use sandglass::fs::FileSystem;
use sandglass::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TimeRange};

impl Life {
    pub fn step(&mut self) -> Result<(), Wrong> {
        if self.world.random.chance(12) {
            self.step_reader()?;
        }
        match self.world.random.below(200) {
            0..50 => self.append_run()?,
            50..70 => self.append_row()?,
            70..84 => self.ingest()?,
            84..90 => self.append_refused()?,
            90..102 => {
                let mark = self.world.model.tick();
                self.send(Command::Flush, Ask::Flush { mark });
            }
            102..112 => {
                let mark = self.world.model.tick();
                self.send(Command::Sync, Ask::Sync { mark });
            }
            112..118 => {
                let partition_prefix = self.world.random.of(&["", "", "2024", "2024_03", "2023"]).to_owned();
                self.send(Command::ForceMerge { partition_prefix }, Ask::Merge);
            }
            118..126 => {
                let (mark, began) = (self.world.model.tick(), self.world.model.tick());
                self.send(Command::SnapshotCreate, Ask::Snapshot { mark, began });
            }
            126..130 => self.delete_snapshot()?,
            130..132 => {
                let there = self.world.snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
                self.send(Command::SnapshotList, Ask::SnapshotList { there });
            }
            132..136 => self.check_snapshot()?,
            136..142 => self.delete_series(),
            142..160 => self.select()?,
            160..168 => self.ask_labels(),
            168..178 => self.export(),
            178 => self.delete_all_snapshots()?,
            179..181 => self.cancel(),
            181..192 => {
                let ms = self.world.random.of(&[1, 300, 1_100, 2_500, 6_000, 12_000, 70_000]);
                self.advance(ms)?;
            }
            192..194 => self.rest()?,
            194 => {
                let minutes = 1 + self.world.random.below(12);
                self.hide(minutes)?;
            }
            _ => {
                let wild: &[i64] = &[MINUTE_MS, HOUR_MS, DAY_MS, 9 * DAY_MS, 40 * DAY_MS];
                let tame: &[i64] = &[MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS];
                let choices = if self.world.plan.wild_clock { wild } else { tame };
                let ms = self.world.random.of(choices);
                self.jump(ms)?;
            }
        }
        if self.world.plan.merge_often {
            self.send(Command::ForceMerge { partition_prefix: String::new() }, Ask::Merge);
        }
        if self.world.random.chance(self.world.plan.settle_percent) {
            self.settle()?;
        }
        // With nothing going wrong every pump runs out of work, so that its size must not matter.
        while self.pump()?.0 && self.world.plan.is_orderly {}
        Ok(())
    }

    pub(super) fn delete_series(&mut self) {
        let mut chosen = self.choose();
        if !self.world.random.chance(10) {
            let random = self.world.random.next();
            chosen = Chosen::One(self.world.model.some_series(random).unwrap_or(0));
        }
        let began = self.world.model.delete_begins(&chosen);
        self.send(Command::DeleteSeries { selector: chosen.selector() }, Ask::Delete { began });
    }

    pub(super) fn select(&mut self) -> Result<(), Wrong> {
        if self.world.random.chance(50) || self.world.plan.settle_percent == 100 {
            let mark = self.world.model.tick();
            self.send(Command::Flush, Ask::Flush { mark });
            self.settle()?;
        }
        let (chosen, range) = (self.choose(), self.choose_range());
        self.start_select(chosen, range);
        Ok(())
    }

    pub(super) fn start_select(&mut self, chosen: Chosen, range: TimeRange) {
        let (began, visible) = (self.world.model.tick(), self.world.model.visible_mark());
        self.send(
            Command::Select { selector: chosen.selector(), range },
            Ask::Select { chosen, range, began, visible },
        );
    }

    pub(super) fn ask_labels(&mut self) {
        let chosen = self.choose();
        let (began, visible) = (self.world.model.tick(), self.world.model.visible_mark());
        let (selector, range) = (Some(chosen.selector()), TimeRange::ALL);
        match self.world.random.below(3) {
            0 => self.send(Command::Labels { selector, range }, Ask::Labels { chosen, began, visible }),
            1 => {
                let name = "series".to_owned();
                self.send(Command::LabelValues { name, selector, range }, Ask::LabelValues { chosen, began, visible });
            }
            _ => self.send(Command::LabelNames { selector, range }, Ask::LabelNames),
        }
    }

    /// Gives up what only reads and is under way.
    pub(super) fn cancel(&mut self) {
        let tickets: Vec<u32> = self.pending.keys().copied().collect();
        for ticket in tickets {
            if !self.engine.cancel(Ticket(ticket)) {
                continue;
            }
            let given_up = self.pending.remove(&ticket);
            self.world.say(|| format!("{}: given up: {:?}", self.now, given_up.as_ref().map(|pending| &pending.what)));
            // What was being read is gone with whoever read it.
            if let Some(Pending { ask: Ask::ExportNext { cursor }, .. }) = given_up {
                self.exports.remove(&cursor);
            }
        }
    }

    /// Left alone for a while, all becomes durable by itself.
    pub(super) fn rest(&mut self) -> Result<(), Wrong> {
        self.settle()?;
        let (mark, faults_before) = (self.world.model.tick(), all_faults(&self.files));
        self.advance(20 * SECOND_MS + 4 * self.world.plan.max_delay_ms as i64 * 10)?;
        // After a failure the next attempt may come later than that.
        let is_well = !self.engine.inspect().storage.is_degraded;
        if !self.has_crashed() && all_faults(&self.files) == faults_before && is_well {
            let commits = self.files.stats().commits;
            self.world.model.visible(mark);
            self.world.model.durable(mark, commits);
        }
        Ok(())
    }

    pub(super) fn choose_series(&mut self) -> u64 {
        let random = self.world.random.next();
        if self.world.random.chance(12) {
            self.world.next_series += 1;
            return self.world.next_series;
        }
        if self.world.random.chance(50)
            && let Some(series) = self.world.model.some_series(random)
        {
            return series;
        }
        random % self.world.plan.series.max(1)
    }

    pub(super) fn choose(&mut self) -> Chosen {
        let random = self.world.random.next();
        let known = self.world.model.some_series(random >> 8).unwrap_or(0);
        match random % 6 {
            0 | 1 => Chosen::All,
            2 => Chosen::One(known),
            3 => Chosen::group(random >> 8),
            4 => Chosen::Digit((random >> 8) % 10),
            _ => Chosen::AllBut(known),
        }
    }

    pub(super) fn choose_range(&mut self) -> TimeRange {
        let (now, random) = (self.now, &self.world.random);
        match random.below(6) {
            0..3 => TimeRange::ALL,
            3 => TimeRange { min: now - HOUR_MS, max: now },
            4 => {
                let min = (now / DAY_MS - random.below(5) as i64) * DAY_MS;
                TimeRange { min, max: min + DAY_MS - 1 }
            }
            _ => {
                let min = now - random.below(60 * DAY_MS as u64) as i64;
                TimeRange { min, max: min + random.below(60 * DAY_MS as u64) as i64 }
            }
        }
    }
}
