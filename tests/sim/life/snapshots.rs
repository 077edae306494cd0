//! Snapshots: listed, downloaded, opened elsewhere, deleted.

use super::Life;
use super::ask::Ask;
use super::figures::all_faults;
use super::select_all;
use crate::model::Wrong;
use sandglass::engine::{Clock, Command};
use sandglass::fs::MemoryFileSystem;

impl Life {
    pub(super) fn delete_snapshot(&mut self) -> Result<(), Wrong> {
        if self.world.snapshots.is_empty() {
            return Ok(());
        }
        let at = self.world.random.below(self.world.snapshots.len() as u64) as usize;
        if self.world.snapshots[at].is_uncertain {
            return Ok(());
        }
        self.world.snapshots[at].is_uncertain = true;
        let name = self.world.snapshots[at].name.clone();
        self.send(Command::SnapshotDelete { name: name.clone() }, Ask::SnapshotDelete { name });
        Ok(())
    }

    pub(super) fn delete_all_snapshots(&mut self) -> Result<(), Wrong> {
        // One that is being made may be met or not.
        self.settle()?;
        let names = self.world.snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
        self.world.snapshots.iter_mut().for_each(|snapshot| snapshot.is_uncertain = true);
        self.send(Command::SnapshotDeleteAll, Ask::SnapshotDeleteAll { names });
        Ok(())
    }

    /// Downloads a snapshot and opens it elsewhere.
    pub fn check_snapshot(&mut self) -> Result<(), Wrong> {
        self.settle()?;
        if self.world.snapshots.is_empty() || self.has_crashed() {
            return Ok(());
        }
        let at = self.world.random.below(self.world.snapshots.len() as u64) as usize;
        let snapshot = self.world.snapshots[at].clone();
        if snapshot.is_uncertain {
            return Ok(());
        }
        let faults_before = all_faults(&self.files);
        let name = snapshot.name.clone();
        self.downloads.insert(name.clone(), MemoryFileSystem::new());
        self.send(
            Command::SnapshotFiles { name: name.clone(), layout: Default::default() },
            Ask::SnapshotFiles { name: name.clone() },
        );
        self.settle()?;
        if self.has_crashed() {
            return Ok(());
        }
        let files =
            self.world.snapshots.iter().find(|snapshot| snapshot.name == name).and_then(|found| found.files.clone());
        for file in files.unwrap_or_default() {
            let ask = Ask::SnapshotRead { name: name.clone(), path: file.path.clone() };
            self.send(Command::SnapshotRead { source: file.source, offset: 0, length: file.size_bytes }, ask);
        }
        self.settle()?;
        let Some(download) = self.downloads.remove(&name) else { return Ok(()) };
        if self.has_crashed() || all_faults(&self.files) > faults_before {
            return Ok(());
        }
        self.world.figures.snapshots_opened += 1;
        let config = sandglass::engine::Config {
            retention_ms: sandglass::time::MAX_RETENTION_MS,
            dedup_interval_ms: self.world.plan.dedup_interval_ms,
            clock: Clock::Manual,
            ..sandglass::engine::Config::new(self.world.model.latest)
        };
        let found = select_all(Box::new(download), config).map_err(|error| format!("snapshot {name}: {error}"))?;
        self.world.model.compare(&found, &snapshot.bounds).map_err(|wrong| format!("snapshot {name}: {wrong}"))
    }

    pub(super) fn check_snapshot_names(&self, names: &[String], there: &[String]) -> Result<(), Wrong> {
        for snapshot in self.world.snapshots.iter().filter(|snapshot| !snapshot.is_uncertain) {
            // `there` were known when it was asked for: one that was made meanwhile may be missing.
            if !names.contains(&snapshot.name) && there.contains(&snapshot.name) {
                return Err(format!("the snapshot {} is lost; there are {names:?}", snapshot.name));
            }
        }
        let is_known = |name: &String| self.world.snapshots.iter().any(|snapshot| snapshot.name == *name);
        let is_under_way = self.pending.values().any(|pending| matches!(pending.ask, Ask::Snapshot { .. }));
        match names.iter().find(|name| !is_known(name)) {
            Some(name) if !self.world.may_have_unknown_snapshots && !is_under_way => {
                Err(format!("nobody asked for the snapshot {name}"))
            }
            _ => Ok(()),
        }
    }
}
