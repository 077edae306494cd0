//! A bounded queue of events between the engine and whoever watches it.

use super::event::{Event, StampedEvent};
use crate::time::TimestampMs;
use std::collections::VecDeque;

/// How many events wait at most; a full ring drops the oldest and counts it.
const CAPACITY: usize = 16 * 1024;

/// Events in the order in which they happened. While nobody watches, nothing is kept.
#[derive(Debug, Default)]
pub struct EventRing {
    enabled: bool,
    events: VecDeque<StampedEvent>,
    next_sequence: u64,
    dropped: u64,
}

impl EventRing {
    /// Whether somebody watches. Callers ask before they put an event together.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Turns watching on or off; what waits is forgotten when it is turned off.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
        if !enabled {
            self.events.clear();
        }
    }

    /// Adds one fact.
    pub fn push(&mut self, time: TimestampMs, event: Event) {
        if !self.enabled {
            return;
        }
        if self.events.len() == CAPACITY {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back(StampedEvent { sequence: self.next_sequence, time, event });
        self.next_sequence += 1;
    }

    /// Takes out all that wait, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = StampedEvent> + '_ {
        self.events.drain(..)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many events were dropped, since nobody took them out in time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
