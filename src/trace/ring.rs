//! A bounded queue of events between the engine and whoever watches it.

use super::event::{Event, StampedEvent};
use crate::time::TimestampMs;
use std::collections::VecDeque;

/// How many events wait at most; a full ring drops the oldest and counts it.
const CAPACITY: usize = 16 * 1024;

/// How many announcements wait at most, and as many hints: each is made once, so that there are no more kinds than that.
const MAX_ANNOUNCEMENTS: usize = 16;

/// Events in the order in which they happened. While nobody watches, nothing is kept.
#[derive(Debug, Default)]
pub struct EventRing {
    enabled: bool,
    events: VecDeque<StampedEvent>,
    next_sequence: u64,
    dropped: u64,
    /// Announcements that came while nobody watched.
    unheard: Vec<(TimestampMs, Event)>,
    /// What announcements say, for those who do not watch.
    hints: VecDeque<String>,
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
            return;
        }
        for (time, event) in std::mem::take(&mut self.unheard) {
            self.push(time, event);
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

    /// Adds a fact that the people behind the program should learn of: it waits for the first who watches, and its words for
    /// whoever asks for hints.
    pub fn announce(&mut self, time: TimestampMs, event: Event) {
        if self.hints.len() < MAX_ANNOUNCEMENTS {
            self.hints.extend(event.message().map(str::to_owned));
        }
        if self.enabled {
            self.push(time, event);
        } else if self.unheard.len() < MAX_ANNOUNCEMENTS {
            self.unheard.push((time, event));
        }
    }

    /// The words of the oldest announcement, once.
    pub fn take_hint(&mut self) -> Option<String> {
        self.hints.pop_front()
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
