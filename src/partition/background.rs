//! Merges in the background: of in-memory and small parts, and of big ones (engine-behaviour §4).

use super::merge::Merges;
use super::options::MIN_PARTS_TO_MERGE_FINALLY;
use super::parts::{PartEntry, bytes_of};
use super::state::MergeLook;
use crate::error::{ErrorKind, Result};
use crate::merge::policy::{self, Choice, PartSize};
use crate::merge::{Leasable, PutOff};
use crate::time::{MINUTE_MS, TimestampMs, back_off_ms};
use crate::trace::event::{Event, MergeChoice, MergeReason, PartClass, PartId};
use std::cell::Cell;
use std::rc::Rc;

/// The waiting times between two looks for something to merge.
const MIN_SLEEP_MS: i64 = 10;
const MAX_SLEEP_MS: i64 = 10_000;
/// A merge for which the storage had no room in the end, though nobody had said so before, is not soon tried again.
const QUOTA_SLEEP_MS: i64 = 10 * MINUTE_MS;

/// Looks for parts of one class that are worth a merge.
pub(super) struct BackgroundMerger {
    merges: Rc<Merges>,
    /// `Small` stands for in-memory and small parts.
    class: PartClass,
    /// What it found when it looked last.
    last_look: Cell<Option<MergeLook>>,
    put_off: PutOff<PartId>,
}

impl BackgroundMerger {
    pub(super) fn new(merges: Rc<Merges>, class: PartClass) -> Rc<Self> {
        Rc::new(Self { merges, class, last_look: Cell::default(), put_off: PutOff::default() })
    }

    /// What it found when it looked last.
    pub(super) fn last_look(&self) -> Option<MergeLook> {
        self.last_look.get()
    }

    /// Looks for something to merge until stopped, ever more rarely while there is nothing, and not at all while the list of
    /// parts stays as it was.
    pub(super) async fn run(self: Rc<Self>) {
        let (month, changed) = (self.merges.month.clone(), self.merges.parts.changed());
        let mut sleep_ms = MIN_SLEEP_MS;
        let mut is_final = false;
        let mut last_merge = month.context.now();
        let mut failures = 0;
        let grown = month.context.room().grown().clone();
        while !month.is_stopping() {
            let (changed, grown) = ((changed, changed.version()), (&grown, grown.version()));
            let result = self.merge_best(MergeReason::Background, is_final).await;
            let now = month.context.now();
            match result {
                Ok(true) => {
                    (sleep_ms, failures) = (MIN_SLEEP_MS, 0);
                    last_merge = now;
                    is_final = false;
                    continue;
                }
                Ok(false) => failures = 0,
                // Whatever the reason is, trying again at once would not help.
                Err(error) => {
                    failures += 1;
                    let is_told = matches!(error.kind(), ErrorKind::Aborted | ErrorKind::Quota);
                    if failures == 1 && !is_told {
                        month.degraded(&error, "the parts stay as they are, and the merge is tried again");
                    }
                    let is_full = error.kind() == ErrorKind::Quota;
                    let retry_at = now + if is_full { QUOTA_SLEEP_MS } else { back_off_ms(MAX_SLEEP_MS, failures) };
                    if !month.is_stopping() {
                        month.context.first_of(&[month.stopped(), grown], retry_at).await;
                    }
                    continue;
                }
            }
            // The clock may have been set back.
            last_merge = last_merge.min(now);
            let delay = month.options.final_merge_delay_ms;
            if delay > 0 && now - last_merge > delay {
                last_merge = now;
                is_final = true;
                continue;
            }
            let mut due = now + sleep_ms;
            sleep_ms = (2 * sleep_ms).min(MAX_SLEEP_MS);
            // Attempts on an unchanged list would end as this one did, so they are left out; the timer goes on as if not.
            let next_final = if delay > 0 && !is_final { last_merge + delay + 1 } else { TimestampMs::MAX };
            month.context.first_of(&[changed, grown], next_final).await;
            let now = month.context.now();
            while due < now && sleep_ms < MAX_SLEEP_MS {
                due += sleep_ms;
                sleep_ms = (2 * sleep_ms).min(MAX_SLEEP_MS);
            }
            if due < now {
                due = now + (due - now).rem_euclid(sleep_ms);
            }
            if !month.is_stopping() {
                month.sleep_until(due.min(now + sleep_ms)).await;
            }
        }
    }

    /// Merges the best choice among the parts; whether there was one.
    pub(super) async fn merge_best(&self, reason: MergeReason, is_final: bool) -> Result<bool> {
        let Merges { month, parts, .. } = &*self.merges;
        if self.merges.is_forced() {
            return Ok(false);
        }
        // Those of the other class are not kept from being removed meanwhile.
        let of_class = match self.class {
            PartClass::Big => parts.list().big.clone(),
            _ => parts.list().small.clone(),
        };
        // Rows that are in the log come to disk all together: that is what the log is for.
        let has_log = month.options.log_interval_ms().is_some();
        let is_ripe = |entry: &PartEntry| !has_log || entry.class() != PartClass::InMemory;
        let may_go = |entry: &&Rc<PartEntry>| entry.standing().is_free() && !entry.standing().is_suspect();
        let free: Vec<&Rc<PartEntry>> = of_class.iter().filter(|entry| may_go(entry) && is_ripe(entry)).collect();
        let sizes: Vec<PartSize> = free.iter().map(|entry| entry.size()).collect();
        let (limit, spare) = (month.options.limits.max_output_bytes, month.context.room().spare_for_merges());
        let max_output_bytes = limit.min(spare);
        let fewest_finally = is_final.then_some(MIN_PARTS_TO_MERGE_FINALLY);
        let choice = policy::select(&sizes, max_output_bytes, fewest_finally);
        self.note_look(free.len(), &choice);
        let chosen = |indices: &[usize]| indices.iter().map(|&at| free[at].clone()).collect::<Vec<_>>();
        if choice.parts.is_empty() {
            // With more room there might be one.
            if sizes.iter().map(|size| size.bytes).sum::<u64>() > spare {
                let wanted = policy::select(&sizes, limit, fewest_finally);
                self.put_off(&chosen(&wanted.parts));
            }
            return Ok(false);
        }
        let chosen = chosen(&choice.parts);
        let is_watched = month.context.with_trace(|trace| trace.is_enabled());
        let explained = is_watched.then(|| {
            // As the choice sees them.
            let by_size = policy::by_size(&sizes);
            MergeChoice {
                considered: by_size.iter().map(|&i| free[i].id()).collect(),
                considered_bytes: by_size.iter().map(|&i| sizes[i].bytes).collect(),
                gain: choice.gain,
                min_gain: choice.min_gain,
                max_output_bytes,
            }
        });
        let result = self.merges.run(parts.lease(chosen.clone()), reason, explained).await;
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Quota) {
            self.put_off(&chosen);
        }
        result.map(|_| true)
    }

    /// Tells of a merge that would not fit, or did not.
    pub(super) fn put_off(&self, parts: &[Rc<PartEntry>]) {
        let month = &self.merges.month;
        let sources = parts.iter().map(|entry| entry.id()).collect();
        self.put_off.note(&month.context, sources, |sources, room_bytes| Event::MergePutOff {
            partition: month.label.clone(),
            sources,
            needed_bytes: bytes_of(parts),
            room_bytes,
        });
    }

    /// Remembers what a merger saw, for those who want to know why nothing is merged.
    fn note_look(&self, free_parts: usize, choice: &Choice) {
        let look = MergeLook {
            class: self.class,
            time: self.merges.month.context.now(),
            free_parts: free_parts as u64,
            chosen_parts: choice.parts.len() as u64,
            gain: choice.gain,
            min_gain: choice.min_gain,
        };
        self.last_look.set(Some(look));
        if choice.parts.is_empty() {
            self.merges.count(|merged| merged.put_off += 1);
        }
    }
}
