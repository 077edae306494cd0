//! Merges for which the storage has no room are told of once, as long as they are wanted.

use crate::runtime::Context;
use crate::trace::event::Event;
use std::cell::RefCell;

/// The sources of the last merge that was put off for want of room.
#[derive(Debug)]
pub struct PutOff<K>(RefCell<Vec<K>>);

impl<K> Default for PutOff<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Clone + PartialEq> PutOff<K> {
    /// Takes down that a merge would not fit, or did not. `event` is made of its sources and of the bytes that are left, unless
    /// some of the sources were told of the last time.
    pub fn note(&self, context: &Context, sources: Vec<K>, event: impl FnOnce(Vec<K>, u64) -> Event) {
        if sources.is_empty() {
            return;
        }
        let room = context.room();
        room.falls_short();
        let last = self.0.replace(sources.clone());
        if sources.iter().any(|source| last.contains(source)) {
            return;
        }
        room.put_off_merge();
        context.emit(|| event(sources, room.left_bytes().map_or(0, |_| room.spare_for_merges())));
    }
}
