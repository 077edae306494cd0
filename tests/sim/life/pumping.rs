//! Pumps, the commands that are sent, and the events and answers that come.

use super::Life;
use super::ask::{Ask, Pending};
use super::figures::all_faults;
use crate::model::Wrong;
use crate::plan::Budget;
use crate::reader::Reader;
use sandglass::engine::{Clock, Command, Ticket};
use sandglass::fs::FileSystem;
use sandglass::trace::event::Event;
use std::hash::Hash;

impl Life {
    pub fn has_crashed(&self) -> bool {
        self.files.has_crashed()
    }

    pub(super) fn expect(&mut self, ticket: Ticket, ask: Ask, what: String) {
        let faults_before = all_faults(&self.files);
        self.expect_since(ticket, ask, what, faults_before);
    }

    /// As [`Life::expect`], of a command that may have met with faults already.
    pub(super) fn expect_since(&mut self, ticket: Ticket, ask: Ask, what: String, faults_before: u64) {
        self.world.figures.commands += 1;
        self.pending.insert(ticket.0, Pending { ask, what, faults_before, sent_at: self.now });
    }

    pub(super) fn send(&mut self, command: Command, ask: Ask) {
        let what = format!("{command:?}");
        self.world.say(|| format!("{}: {}", self.now, what.chars().take(300).collect::<String>()));
        let ticket = self.engine.send(command);
        self.expect(ticket, ask, what);
    }

    /// One pump; true when there is more to do at this instant.
    pub fn pump(&mut self) -> Result<(bool, Option<i64>), Wrong> {
        let budget = match self.world.plan.budget {
            Budget::Unlimited => u64::MAX,
            Budget::Fixed(units) => units,
            Budget::UpTo(units) => 1 + self.world.random.below(units),
        };
        self.report_room();
        let pumped = self.engine.pump(self.now, budget);
        self.collect()?;
        let (mut has_work, mut next) = (pumped.has_work, pumped.next_due);
        if let Some(mut reader) = self.reader.take().filter(|_| !self.has_crashed())
            && let Some((reader_has_work, reader_next)) = reader.pump(self.now, budget, self.files.stats().commits)?
        {
            has_work |= reader_has_work;
            next = [next, reader_next].into_iter().flatten().min();
            self.reader = Some(reader);
        }
        let next = if has_work { None } else { [next, self.files.next_completion()].into_iter().flatten().min() };
        Ok((has_work, next))
    }

    /// Opens, asks or closes somebody who reads beside the writer.
    pub(super) fn step_reader(&mut self) -> Result<(), Wrong> {
        if !self.world.plan.has_readers || self.has_crashed() {
            return Ok(());
        }
        let commits = self.files.stats().commits;
        let is_leaving = self.world.random.chance(10);
        match &mut self.reader {
            Some(reader) if !reader.is_idle() => {}
            Some(reader) => {
                self.world.figures.reader_answers += 1;
                if is_leaving { reader.close(commits) } else { reader.select(commits) }
            }
            None => {
                let clock = self.world.random.of(&[Clock::Manual, Clock::Real]);
                self.world.say(|| format!("{}: a reader comes, clock {clock:?}", self.now));
                let config = sandglass::engine::Config { clock, ..self.world.plan.config(self.now) };
                self.reader = Some(Reader::open(self.files.reader(), config, commits)?);
                self.world.figures.readers += 1;
            }
        }
        Ok(())
    }

    pub(super) fn collect(&mut self) -> Result<(), Wrong> {
        for event in self.engine.events() {
            self.world.figures.events += 1;
            format!("{event:?}").hash(&mut self.world.history);
            if let Event::Degraded { message, .. } = &event.event {
                self.world.say(|| format!("    degraded: {message}"));
            }
            self.restored += u64::from(matches!(event.event, Event::Restored { .. }));
            self.lifecycle.observe(&event.event).map_err(|why| format!("illegal event: {why}: {event:?}"))?;
        }
        for ticket in self.engine.completed() {
            let Some(pending) = self.pending.remove(&ticket.0) else { continue };
            let answer =
                self.engine.take(ticket).ok_or_else(|| format!("{} was answered without an answer", pending.what))?;
            self.answered(pending, answer)?;
        }
        Ok(())
    }
}
