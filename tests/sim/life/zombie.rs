//! A writer that goes on after another one has come.

use crate::model::{Wrong, labels};
use crate::plan::Random;
use sandglass::engine::{Command, Engine};
use std::collections::BTreeSet;

/// An engine that does not know yet that another one has taken its place.
pub struct Zombie {
    pub(super) engine: Engine,
    pub(super) has_accepted: bool,
    /// Tickets that would promise durability of samples that were accepted too late.
    pub(super) is_promising: BTreeSet<u32>,
}

impl Zombie {
    pub fn step(&mut self, random: &Random, now: i64) -> Result<(), Wrong> {
        self.engine.pump(now, 1 + random.below(20_000));
        let number = 900_000 + random.below(5);
        let labels = labels(number);
        let text: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        match random.below(6) {
            0..3 => {
                if let Ok(series) = self.engine.series(&text) {
                    self.has_accepted |= matches!(self.engine.append(series, &[now], &[1.0]), Ok(None));
                }
            }
            3 => drop(self.engine.send(Command::ForceMerge { partition_prefix: String::new() })),
            4 => drop(self.engine.send(Command::SnapshotCreate)),
            _ => {
                let ticket = self.engine.send(Command::Sync);
                if self.has_accepted {
                    self.is_promising.insert(ticket.0);
                }
            }
        }
        self.engine.pump(now, 1 + random.below(20_000));
        for ticket in self.engine.completed() {
            let answer = self.engine.take(ticket);
            if self.is_promising.contains(&ticket.0) && matches!(answer, Some(Ok(_))) {
                return Err("a writer that was fenced off says that its samples are durable".into());
            }
        }
        Ok(())
    }
}
