//! How time passes: in order, in jumps, and once a minute.

use super::Life;
use super::ask::Ask;
use crate::model::Wrong;
use sandglass::engine::Clock;
use sandglass::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// How long a command may take in simulated time, beside what the disk takes for its operations: longer than all retries together.
const PATIENCE_MS: i64 = 15 * MINUTE_MS;

impl Life {
    /// Until when an answer must have come that was asked for at `begin`, when the disk had seen so many operations. An export without
    /// a cache reads thousands of times, on a disk that takes seconds for each; whoever only waits has no part in that.
    pub(super) fn patience_ends(&self, begin: i64, operations_before: u64) -> i64 {
        let disk_ms = (self.files.operations() - operations_before) * self.world.plan.max_delay_ms;
        begin + PATIENCE_MS + disk_ms as i64
    }

    /// Pumps until every command is answered; time passes only when nothing else can happen.
    pub fn settle(&mut self) -> Result<(), Wrong> {
        let (begin, operations) = (self.now, self.files.operations());
        loop {
            let (has_work, next) = self.pump()?;
            let until = self.patience_ends(begin, operations);
            if self.has_crashed() || self.pending.is_empty() {
                return Ok(());
            }
            if has_work {
                continue;
            }
            match next.filter(|next| *next <= until) {
                Some(next) if self.world.plan.clock == Clock::Real => self.set_now(next.max(self.now + 1)),
                _ => {
                    let waiting: Vec<&str> =
                        self.pending.values().map(|pending| &pending.what[..pending.what.len().min(200)]).collect();
                    return Err(format!("{waiting:?} hang: nothing can go on; {:?}", self.engine.inspect().scheduler));
                }
            }
        }
    }

    pub(super) fn set_now(&mut self, now: i64) {
        self.now = now;
        self.world.model.latest = self.world.model.latest.max(now);
    }

    /// Lets time pass, with all that falls due in order.
    pub fn advance(&mut self, ms: i64) -> Result<(), Wrong> {
        let target = self.now + ms;
        if self.world.plan.clock == Clock::Manual {
            self.settle()?;
            if self.has_crashed() {
                return Ok(());
            }
            self.set_now(target);
            let ticket = self.engine.tick(ms).map_err(|error| format!("tick: {error}"))?;
            self.expect(ticket, Ask::Done, format!("tick by {ms} ms"));
            return self.settle();
        }
        while !self.has_crashed() {
            let (has_work, next) = self.pump()?;
            if has_work {
                continue;
            }
            if self.now >= target {
                break;
            }
            self.set_now(next.map_or(target, |next| next.max(self.now + 1)).min(target));
        }
        Ok(())
    }

    /// A tab that slept: time has passed, and nothing fell due meanwhile.
    pub(super) fn jump(&mut self, ms: i64) -> Result<(), Wrong> {
        if self.world.plan.clock == Clock::Manual {
            return self.advance(ms.min(2 * HOUR_MS));
        }
        self.set_now(self.now + ms);
        // A real clock may stand back as well; the engine's never does.
        let budget = 1 + self.world.random.below(1_000);
        let back = self.world.random.below(2) as i64 * self.world.random.below(DAY_MS as u64) as i64;
        self.engine.pump(self.now, budget);
        self.engine.pump(self.now - back, budget);
        self.collect()?;
        self.pump().map(drop)
    }

    /// A hidden tab: the storage is heard of as ever, but timers come once a minute.
    pub(super) fn hide(&mut self, minutes: u64) -> Result<(), Wrong> {
        if self.world.plan.clock == Clock::Manual {
            return self.advance(minutes as i64 * MINUTE_MS);
        }
        for _ in 0..minutes {
            let wake = self.now + MINUTE_MS;
            while !self.has_crashed() {
                if self.pump()?.0 {
                    continue;
                }
                match self.files.next_completion().filter(|next| *next < wake) {
                    Some(next) => self.set_now(next.max(self.now + 1)),
                    None => break,
                }
            }
            self.set_now(wake);
        }
        while !self.has_crashed() && self.pump()?.0 {}
        Ok(())
    }
}
