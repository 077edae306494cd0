//! A disk with little room, and room again.

use super::Life;
use super::figures::all_faults;
use crate::model::Wrong;
use sandglass::fs::FileSystem;
use sandglass::runtime::room::HEAD_ROOM_BYTES;
use sandglass::time::SECOND_MS;

/// What all of the origin may take, in a browser that tells.
const ORIGINS_BYTES: u64 = 1 << 40;
impl Life {
    /// What the edge does for an engine that wants to know how much room there is.
    pub(super) fn report_room(&mut self) {
        if self.quota_bytes.is_some() {
            self.last_short = Some(self.now);
        }
        if self.world.plan.tells_room && self.engine.wants_room(self.now) {
            let stored_bytes = self.files.stats().stored_bytes;
            let left = self.quota_bytes.map(|quota| quota.saturating_sub(stored_bytes));
            self.engine.set_room_bytes(left, left.map_or(0, |_| ORIGINS_BYTES));
        }
    }

    /// Leaves so many bytes from now on. Who is told of it has the head-room beside.
    pub fn limit(&mut self, room: u64) {
        let head_room = if self.world.plan.tells_room { HEAD_ROOM_BYTES } else { 0 };
        let left = room + head_room;
        self.quota_bytes = Some(self.files.stats().stored_bytes + left);
        self.files.set_quota_bytes(self.quota_bytes);
        self.last_short = Some(self.now);
        self.out_of_room_before = self.files.faults().out_of_room;
        if self.world.plan.tells_room {
            self.engine.set_room_bytes(Some(left), ORIGINS_BYTES);
        }
    }

    /// There is room again: all that waited becomes durable by itself, and whoever watches is told.
    pub fn unlimit(&mut self) -> Result<(), Wrong> {
        if self.quota_bytes.take().is_none() {
            return Ok(());
        }
        self.world.say(|| format!("{}: there is room again", self.now));
        self.files.set_quota_bytes(None);
        let refused = self.files.faults().out_of_room - self.out_of_room_before;
        if self.world.plan.tells_room && refused > 0 {
            return Err(format!("the disk refused {refused} operations that the engine knew not to fit"));
        }
        let (restored, was_degraded) = (self.restored, self.engine.inspect().storage.is_degraded);
        self.settle()?;
        let (mark, faults_before) = (self.world.model.tick(), all_faults(&self.files));
        let restored = restored + u64::from(was_degraded);
        // The next attempt may come a minute after the last one, and then again.
        for _ in 0..8 {
            self.advance(20 * SECOND_MS + 5 * self.world.plan.max_delay_ms as i64)?;
        }
        if self.has_crashed() || all_faults(&self.files) != faults_before {
            return Ok(());
        }
        let storage = self.engine.inspect().storage;
        if storage.is_degraded || storage.waiting_bytes > 0 {
            return Err(format!("there is room again, and not all is written: {storage:?}"));
        }
        if self.restored < restored {
            return Err("there is room again, and nobody was told".into());
        }
        let commits = self.files.stats().commits;
        self.world.model.visible(mark);
        self.world.model.durable(mark, commits);
        Ok(())
    }
}
