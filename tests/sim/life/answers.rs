//! Answers, compared with the model.

use super::Life;
use super::ask::{Ask, Export, Pending};
use super::figures::all_faults;
use super::world::Snapshot;
use crate::model::{Chosen, Tick, Wrong, labels, number};
use sandglass::engine::Answer;
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::FileSystem;
use sandglass::time::{SECOND_MS, TimeRange};
use std::collections::BTreeSet;
use std::hash::Hash;

/// So long after there is room again the engine may not know of it.
const REPORT_MS: i64 = 10 * SECOND_MS;

impl Life {
    /// A command that failed must have a reason.
    pub(super) fn failed(&mut self, what: &str, error: &Error, faults_before: u64, sent_at: i64) -> Result<(), Wrong> {
        self.world.say(|| format!("    failed: {} {error}", what.chars().take(80).collect::<String>()));
        if all_faults(&self.files) > faults_before || self.has_crashed() {
            return Ok(());
        }
        // The engine itself refuses what would not fit, as far as it knows.
        let was_short = self.last_short.is_some_and(|last_short| last_short >= sent_at - REPORT_MS);
        if error.kind() == ErrorKind::Quota && self.world.plan.tells_room && was_short {
            return Ok(());
        }
        Err(format!(
            "{} failed, although nothing was wrong: {:?} {error}",
            what.chars().take(200).collect::<String>(),
            error.kind()
        ))
    }

    pub(super) fn answered(&mut self, pending: Pending, answer: Result<Answer, Error>) -> Result<(), Wrong> {
        let Pending { ask, what, faults_before, sent_at } = pending;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                format!("{what} {error}").hash(&mut self.world.history);
                let is_deletion =
                    matches!(ask, Ask::Delete { .. } | Ask::SnapshotDelete { .. } | Ask::SnapshotDeleteAll { .. })
                        && all_faults(&self.files) == faults_before;
                match ask {
                    Ask::Open => {
                        self.world.say(|| format!("    open failed: {error}"));
                        self.open_failure = Some(error);
                        return Ok(());
                    }
                    Ask::Delete { began } => self.world.model.delete_ends(began, false),
                    Ask::Snapshot { .. } => self.world.may_have_unknown_snapshots = true,
                    Ask::ExportNext { cursor } => drop(self.exports.remove(&cursor)),
                    _ => {}
                }
                if is_deletion && self.world.plan.tells_room && error.kind() == ErrorKind::Quota {
                    return Err(format!("{what} was refused, though the head-room is kept for it: {error}"));
                }
                return self.failed(&what, &error, faults_before, sent_at);
            }
        };
        let commits = self.files.stats().commits;
        let wrong = |why: Wrong| format!("{}: {why}", what.chars().take(200).collect::<String>());
        match (ask, answer) {
            (Ask::Open | Ask::Merge | Ask::Done, Answer::Done) => {}
            (Ask::Append { offers }, Answer::Done) => self.world.model.accepted(&offers),
            (Ask::Ingest { offers, bad_lines }, Answer::Ingested(result)) => {
                self.world.model.accepted(&offers);
                // Rows may have become too old while they waited.
                let all = offers.len() as u64 + bad_lines;
                if result.samples > offers.len() as u64
                    || result.samples + result.rejected != all
                    || result.rejected < bad_lines
                {
                    return Err(wrong(format!("{bad_lines} bad lines, {} samples, answered {result:?}", offers.len())));
                }
                self.remember_answer(&(result.samples, result.rejected, result.series));
            }
            (Ask::Flush { mark }, Answer::Done) => self.world.model.visible(mark),
            (Ask::Sync { mark } | Ask::Close { mark }, Answer::Done) => {
                self.world.model.visible(mark);
                self.world.model.durable(mark, commits);
            }
            (Ask::Snapshot { mark, began }, Answer::Snapshot(name)) => {
                self.world.model.visible(mark);
                self.world.model.durable(mark, commits);
                let bounds = self.world.model.bounds(&Chosen::All, TimeRange::ALL, began, mark);
                let snapshot = Snapshot { name, bounds, commits, is_uncertain: false, files: None };
                self.world.snapshots.push(snapshot);
            }
            (Ask::SnapshotDelete { name }, Answer::Done) => {
                // A list under way may have been taken before.
                let is_listing = self.pending.values().any(|pending| matches!(pending.ask, Ask::SnapshotList { .. }));
                self.world.may_have_unknown_snapshots |= is_listing;
                self.world.snapshots.retain(|snapshot| snapshot.name != name);
            }
            (Ask::SnapshotDeleteAll { names }, Answer::Done) => {
                let is_listing = self.pending.values().any(|pending| matches!(pending.ask, Ask::SnapshotList { .. }));
                self.world.may_have_unknown_snapshots |= is_listing;
                self.world.snapshots.retain(|snapshot| !names.contains(&snapshot.name));
            }
            (Ask::SnapshotList { there }, Answer::Strings(names)) => {
                self.check_snapshot_names(&names, &there).map_err(wrong)?;
            }
            (Ask::SnapshotFiles { name }, Answer::Files(files)) => {
                if let Some(snapshot) = self.world.snapshots.iter_mut().find(|snapshot| snapshot.name == name) {
                    if snapshot.files.as_ref().is_some_and(|before| *before != files) {
                        return Err(wrong("the snapshot has other files than before".into()));
                    }
                    snapshot.files = Some(files);
                }
            }
            (Ask::SnapshotRead { name, path }, Answer::Bytes(bytes)) => {
                if let Some(download) = self.downloads.get_mut(&name) {
                    download.put(&path, bytes).map_err(|error| wrong(error.to_string()))?;
                }
            }
            (Ask::Delete { began }, Answer::Count(count)) => {
                self.world.model.delete_ends(began, true);
                count.hash(&mut self.world.history);
            }
            (Ask::Select { chosen, range, began, visible }, Answer::Series(found)) => {
                let bounds = self.world.model.bounds(&chosen, range, began, visible);
                self.world.model.compare(&found, &bounds).map_err(wrong)?;
                for data in &found {
                    let mut points: Vec<(i64, u64)> =
                        data.timestamps.iter().zip(&data.values).map(|(t, v)| (*t, v.to_bits())).collect();
                    points.sort_unstable();
                    self.remember_answer(&(&data.labels, points));
                }
            }
            (Ask::Labels { chosen, began, visible }, Answer::LabelSets(sets)) => {
                let numbers = sets.iter().map(number).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
                self.check_series(&chosen, began, visible, &numbers).map_err(wrong)?;
            }
            (Ask::LabelValues { chosen, began, visible }, Answer::Strings(values)) => {
                let numbers: Option<Vec<u64>> = values.iter().map(|value| value.parse().ok()).collect();
                let numbers = numbers.ok_or_else(|| wrong(format!("{values:?} are no series")))?;
                self.check_series(&chosen, began, visible, &numbers).map_err(wrong)?;
            }
            (Ask::LabelNames, Answer::Strings(names)) => {
                let known: BTreeSet<String> = (0..3).flat_map(labels).map(|(key, _)| key).collect();
                if let Some(name) = names.iter().find(|name| !known.contains(*name)) {
                    return Err(wrong(format!("nobody put in a label {name:?}")));
                }
            }
            (Ask::ExportOpen { chosen, range, began, visible }, Answer::Cursor(cursor)) => {
                self.exports
                    .insert(cursor, Export { chosen, range, began, visible, text: Vec::new(), is_waiting: false });
            }
            (Ask::ExportNext { cursor }, Answer::Chunk(chunk)) => self.exported(cursor, chunk).map_err(wrong)?,
            (_, answer) => return Err(wrong(format!("was answered with {answer:?}"))),
        }
        what.hash(&mut self.world.history);
        Ok(())
    }

    pub(super) fn remember_answer(&mut self, answer: &impl Hash) {
        answer.hash(&mut self.world.answers);
        answer.hash(&mut self.world.history);
    }

    pub(super) fn check_series(
        &mut self,
        chosen: &Chosen,
        began: Tick,
        visible: Tick,
        found: &[u64],
    ) -> Result<(), Wrong> {
        let (must, may) = self.world.model.series_bounds(chosen, began, visible);
        let found_set: BTreeSet<u64> = found.iter().copied().collect();
        if found_set.len() != found.len() {
            return Err(format!("some series came twice: {found:?}"));
        }
        if let Some(missing) = must.difference(&found_set).next() {
            return Err(format!("series {missing} is missing"));
        }
        match found_set.difference(&may).next() {
            Some(extra) if !self.world.model.may_be_known(*extra, began) => {
                Err(format!("series {extra} was deleted, or never there"))
            }
            _ => Ok(()),
        }
    }
}
