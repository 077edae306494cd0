//! Checks of the whole: all samples, and every file.

use super::Life;
use super::figures::all_faults;
use crate::model::{Chosen, Wrong};
use sandglass::engine::{Answer, Clock, Command};
use sandglass::fs::MemoryFileSystem;
use sandglass::time::TimeRange;
use std::collections::BTreeSet;

impl Life {
    /// Compares all there is with the model, and takes it as the truth from then on.
    pub fn check_all(&mut self, adopt: bool) -> Result<(), Wrong> {
        self.settle()?;
        if self.has_crashed() {
            return Ok(());
        }
        let faults_before = all_faults(&self.files);
        for _ in 0..30 {
            let found = self.select_everything()?;
            if self.has_crashed() {
                return Ok(());
            }
            let Some(found) = found else { continue };
            let bounds = self.world.model.everything();
            self.world.model.compare(&found, &bounds).map_err(|wrong| format!("after opening: {wrong}"))?;
            if adopt {
                self.world.model.adopt(&found)?;
            }
            return Ok(());
        }
        if all_faults(&self.files) == faults_before { Err("nothing can be read".into()) } else { Ok(()) }
    }

    pub(super) fn select_everything(&mut self) -> Result<Option<Vec<sandglass::engine::SeriesData>>, Wrong> {
        let faults_before = all_faults(&self.files);
        let what = "select of everything".to_owned();
        let ticket = self.engine.send(Command::Select { selector: Chosen::All.selector(), range: TimeRange::ALL });
        let (begin, operations) = (self.now, self.files.operations());
        loop {
            let (has_work, next) = self.pump()?;
            let until = self.patience_ends(begin, operations);
            match self.engine.take(ticket) {
                Some(Ok(Answer::Series(found))) => return Ok(Some(found)),
                Some(Ok(other)) => return Err(format!("{what} was answered with {other:?}")),
                Some(Err(error)) => {
                    self.failed(&what, &error, faults_before, begin)?;
                    return Ok(None);
                }
                None if self.has_crashed() => return Ok(None),
                None if has_work => {}
                None => match next.filter(|next| *next <= until) {
                    Some(next) if self.world.plan.clock == Clock::Real => self.set_now(next.max(self.now + 1)),
                    _ => return Err(format!("{what} hangs")),
                },
            }
        }
    }

    /// Every file belongs to a part, the index, a snapshot, or a merge that is under way.
    pub fn check_files(&mut self) -> Result<(), Wrong> {
        let state = self.engine.inspect();
        let disk = self.files.contents();
        let mut dirs: BTreeSet<String> = BTreeSet::new();
        let mut working: Vec<String> = Vec::new();
        for partition in &state.partitions {
            for part in partition.parts.iter().filter(|part| !part.name.is_empty()) {
                let class = if part.class == sandglass::trace::event::PartClass::Big { "big" } else { "small" };
                dirs.insert(format!("data/{class}/{}/{}", partition.name, part.name));
            }
            if !partition.merges.is_empty() {
                for class in ["big", "small"] {
                    working.push(format!("data/{class}/{}/tmp/", partition.name));
                }
            }
        }
        for table in state.index.iter().flat_map(|index| &index.tables) {
            let table = &table.table;
            dirs.extend(table.parts.iter().map(|part| format!("indexdb/{}/{}", table.name, part.name)));
            dirs.insert(format!("indexdb/{}", table.name));
            working.push(format!("indexdb/{}/tmp/", table.name));
        }
        for name in state_snapshots(&disk) {
            for root in ["data/small/snapshots", "data/big/snapshots", "indexdb/snapshots", "snapshots"] {
                working.push(format!("{root}/{name}/"));
            }
        }
        // A merge may have ended already: its sources lie there until its transaction file goes.
        for path in disk.paths().filter(|path| path.contains("/txn/")) {
            let text = disk.file(path).unwrap_or_default();
            working.extend(
                String::from_utf8_lossy(&text)
                    .lines()
                    .filter(|line| !line.contains(" -> "))
                    .map(|line| format!("{line}/")),
            );
            working.push(path.to_owned());
        }
        // A generation of the log is there as long as rows of it may be needed, and names in it as long as the generation.
        for generation in disk.paths().filter_map(|path| path.strip_prefix("log/")?.split_once('/')) {
            if generation.1.ends_with(".rows") || generation.1.ends_with(".names") {
                working.push(format!("log/{}/{}", generation.0, generation.1));
            }
        }
        for path in disk.paths() {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            let is_known = path == "metadata/minTimestampForCompositeIndex"
                || path == "metadata/sandglass_settings"
                || dirs.contains(dir)
                || working.iter().any(|prefix| path.starts_with(prefix));
            if !is_known {
                return Err(format!("{path} belongs to nothing; parts are {dirs:?}"));
            }
        }
        for dir in dirs.iter().filter(|dir| dir.starts_with("data/")) {
            let count = disk
                .paths()
                .filter(|path| path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/')))
                .count();
            if count != 5 {
                return Err(format!("the part {dir} has {count} files"));
            }
        }
        let live: BTreeSet<u64> = self.lifecycle.live_parts().collect();
        let listed: BTreeSet<u64> =
            state.partitions.iter().flat_map(|partition| partition.parts.iter().map(|part| part.id)).collect();
        if live != listed {
            return Err(format!("by the events the parts {live:?} are live, but {listed:?} are listed"));
        }
        let running: BTreeSet<u64> = self.lifecycle.running_merges().collect();
        let listed: BTreeSet<u64> =
            state.partitions.iter().flat_map(|partition| partition.merges.iter().map(|merge| merge.id)).collect();
        if running != listed {
            return Err(format!("by the events the merges {running:?} run, but {listed:?} are listed"));
        }
        Ok(())
    }
}

fn state_snapshots(disk: &MemoryFileSystem) -> BTreeSet<String> {
    disk.paths().filter_map(|path| Some(path.strip_prefix("snapshots/")?.split_once('/')?.0.to_owned())).collect()
}
