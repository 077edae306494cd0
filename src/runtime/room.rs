//! How much room the storage has left, as far as anybody has told. Nothing inside asks the browser: reports come in as time does.
//!
//! The last [`HEAD_ROOM_BYTES`] are kept for what makes room: commits that only link and remove, transaction files, and the index
//! items by which series are deleted. Whatever adds data is refused before it would eat into them.

use super::signal::Signal;
use crate::error::{Error, ErrorKind, Result};
use crate::time::{SECOND_MS, TimestampMs};
use std::cell::Cell;
use std::rc::Rc;

/// The head-room, unless a hundredth of the whole quota is less.
pub const HEAD_ROOM_BYTES: u64 = 2 << 20;

/// After so many bytes a new report is wanted, and after so long while there is writing at all.
const REPORT_BYTES: u64 = 4 << 20;
const REPORT_INTERVAL_MS: i64 = 30 * SECOND_MS;
/// As long as something was refused, or little is left, room that comes from elsewhere is looked for so often.
const SHORT_INTERVAL_MS: i64 = 5 * SECOND_MS;

/// The room that is left, and what was put off for want of it.
#[derive(Debug, Default)]
pub struct Room {
    /// Absent: nobody has told, or there is no end.
    left_bytes: Cell<Option<u64>>,
    head_room_bytes: Cell<u64>,
    /// What data might take by the last report.
    reported_spare_bytes: Cell<Option<u64>>,
    /// Promised to merges under way.
    reserved_bytes: Rc<Cell<u64>>,
    /// Handed to the storage since the start.
    written_bytes: Cell<u64>,
    /// What the above was when a report was last asked for, and when that was.
    asked: Cell<Option<(u64, TimestampMs)>>,
    /// Something was refused or put off since the last report, or that has told of little.
    is_short: Cell<bool>,
    /// Something was removed since the last report was asked for.
    has_removed: Cell<bool>,
    merges_put_off: Cell<u64>,
    grown: Signal,
}

impl Room {
    /// Takes a report of the storage: bytes that are left, of how many in all; `None` when it can't tell. What was written since
    /// [`Room::wants_report`] asked for it counts as not yet known to it.
    pub fn report(&self, left_bytes: Option<u64>, quota_bytes: u64) {
        let since =
            self.written_bytes.get() - self.asked.get().map_or(self.written_bytes.get(), |(written, _)| written);
        self.left_bytes.set(left_bytes.map(|left| left.saturating_sub(since)));
        self.head_room_bytes.set(HEAD_ROOM_BYTES.min(quota_bytes / 100));
        // Where little is left room is looked for as if something had been refused already: nobody must be refused in the name of a
        // report that is long out of date.
        self.is_short.set(self.spare_bytes() < REPORT_BYTES);
        // Compared with the report before, since an attempt that came to nothing has counted its bytes and removed them again.
        if self.reported_spare_bytes.replace(Some(self.spare_bytes())).is_some_and(|before| self.spare_bytes() > before)
        {
            self.grown.raise();
        }
    }

    /// Whether a new report is worth its price. When it is, it counts as asked for.
    pub fn wants_report(&self, now: TimestampMs) -> bool {
        let (written, asked_at) = self.asked.get().unwrap_or((0, now));
        let written = self.written_bytes.get() - written;
        // A clock that was set back counts as a long time.
        let is_past = |interval: i64| !(0..interval).contains(&(now - asked_at));
        let wants = self.asked.get().is_none()
            || written >= REPORT_BYTES
            || (written > 0 && is_past(REPORT_INTERVAL_MS))
            || (self.is_short.get() && (self.has_removed.get() || is_past(SHORT_INTERVAL_MS)));
        if wants {
            self.asked.set(Some((self.written_bytes.get(), now)));
            self.has_removed.set(false);
        }
        wants
    }

    /// Bytes that are left in all; absent when unknown.
    pub fn left_bytes(&self) -> Option<u64> {
        self.left_bytes.get()
    }

    /// Bytes of these that are kept for what makes room.
    pub fn head_room_bytes(&self) -> u64 {
        self.head_room_bytes.get()
    }

    /// Bytes that data may still take; without end when nobody has told.
    pub fn spare_bytes(&self) -> u64 {
        self.left_bytes.get().map_or(u64::MAX, |left| left.saturating_sub(self.head_room_bytes.get()))
    }

    /// Bytes that a further merge may take: other merges under way have theirs.
    pub fn spare_for_merges(&self) -> u64 {
        self.spare_bytes().saturating_sub(self.reserved_bytes.get())
    }

    /// Sets bytes aside for as long as the answer lives.
    pub fn reserve(&self, bytes: u64) -> Reservation {
        self.reserved_bytes.set(self.reserved_bytes.get().saturating_add(bytes));
        Reservation { reserved_bytes: self.reserved_bytes.clone(), bytes }
    }

    /// Raised when more is left than before.
    pub fn grown(&self) -> &Signal {
        &self.grown
    }

    /// Refuses what does not fit.
    ///
    /// # Errors
    /// `Quota`, with what was needed, what is left, and what to do.
    pub fn check(&self, needed_bytes: u64, what: &str) -> Result<()> {
        let spare = self.spare_bytes();
        if needed_bytes <= spare {
            return Ok(());
        }
        self.is_short.set(true);
        let (left, head_room) = (self.left_bytes.get().unwrap_or(0), self.head_room_bytes.get());
        Err(Error::new(
            ErrorKind::Quota,
            format!(
                "{what} needs {needed_bytes} bytes, and the storage has {left} left, of which {head_room} are kept for deleting; \
                 delete snapshots, shorten the retention or free space elsewhere"
            ),
        ))
    }

    /// Counts a merge that was not begun since its result would not fit.
    pub fn put_off_merge(&self) {
        self.is_short.set(true);
        self.merges_put_off.set(self.merges_put_off.get() + 1);
    }

    /// Merges that were put off since the start.
    pub fn merges_put_off(&self) -> u64 {
        self.merges_put_off.get()
    }

    /// Bytes were handed to the storage.
    pub(super) fn written(&self, bytes: u64) {
        self.written_bytes.set(self.written_bytes.get() + bytes);
        self.left_bytes.set(self.left_bytes.get().map(|left| left.saturating_sub(bytes)));
    }

    /// Something was removed.
    pub(super) fn removed(&self) {
        self.has_removed.set(true);
    }

    /// Something could not be done for want of room: it is worth asking for more.
    pub fn falls_short(&self) {
        self.is_short.set(true);
    }
}

/// Room that a merge under way may take. Merges that begin later must do with the rest.
#[derive(Debug)]
pub struct Reservation {
    reserved_bytes: Rc<Cell<u64>>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.reserved_bytes.set(self.reserved_bytes.get().saturating_sub(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stops_at_the_head_room_and_goes_on_when_there_is_more() {
        let room = Room::default();
        assert!(room.wants_report(0) && !room.wants_report(0), "one report at the start");
        assert!(room.check(u64::MAX, "all").is_ok(), "nobody has told of an end");
        room.report(Some(5 << 20), 1 << 40);
        room.written(2 << 20);
        assert_eq!((room.spare_bytes(), room.head_room_bytes()), (1 << 20, HEAD_ROOM_BYTES));
        assert!(room.check(1 << 20, "a part").is_ok());
        let refused = room.check((1 << 20) + 1, "a part").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Quota);
        assert!(refused.message().contains("1048577") && refused.message().contains("3145728"), "{refused}");
        let seen = room.grown().version();
        room.report(Some(3 << 20), 1 << 40);
        assert_eq!(room.grown().version(), seen, "no more than before");
        room.report(Some(10 << 20), 1 << 20);
        assert_eq!((room.grown().version(), room.head_room_bytes()), (seen + 1, 10_485));
    }

    #[test]
    fn reports_are_asked_for_when_they_may_say_something_new() {
        let room = Room::default();
        assert!(room.wants_report(1_000));
        assert!(!room.wants_report(1_000_000), "nothing was written");
        room.written(1);
        assert!(!room.wants_report(30_999) && room.wants_report(31_000));
        room.written(REPORT_BYTES);
        assert!(room.wants_report(31_000));
        room.removed();
        assert!(!room.wants_report(31_000), "there is room enough");
        room.falls_short();
        assert!(room.wants_report(31_000) && !room.wants_report(35_999) && room.wants_report(36_000));
        assert!(room.wants_report(0), "the clock was set back");
    }

    #[test]
    fn where_little_is_left_more_is_looked_for_before_anything_is_refused() {
        // Found by the simulation: nothing had come for a while, and the next snapshot was refused though there was room again.
        let room = Room::default();
        assert!(room.wants_report(0));
        room.report(Some(HEAD_ROOM_BYTES + 100), 1 << 40);
        assert!(!room.wants_report(4_999) && room.wants_report(5_000));
        room.report(Some(1 << 30), 1 << 40);
        assert!(!room.wants_report(1_000_000), "there is room enough");
    }

    #[test]
    fn an_attempt_that_came_to_nothing_is_no_growth() {
        // Found by the simulation: what was written, refused and removed was tried again at once, without end.
        let room = Room::default();
        room.report(Some(HEAD_ROOM_BYTES + 1_000), 1 << 40);
        let seen = room.grown().version();
        room.written(900);
        assert!(room.check(200, "the rest").is_err());
        room.removed();
        assert!(room.wants_report(0));
        room.report(Some(HEAD_ROOM_BYTES + 1_000), 1 << 40);
        assert_eq!(room.grown().version(), seen);
        room.report(Some(HEAD_ROOM_BYTES + 2_000), 1 << 40);
        assert_eq!(room.grown().version(), seen + 1);
    }

    #[test]
    fn what_is_written_while_a_report_is_under_way_is_not_forgotten() {
        let room = Room::default();
        assert!(room.wants_report(0));
        room.written(100);
        room.report(Some(1_000), 0);
        assert_eq!(room.left_bytes(), Some(900));
    }
}
