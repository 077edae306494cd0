//! Merges of parts: in the background, forced, and on the way to disk (engine-behaviour §4, §7).

use super::parts::{Lease, PartEntry};
use super::policy::{self, Choice, MAX_PARTS_TO_MERGE, PartSize};
use super::{MergeCounters, MergeLook, Partition, RunningMerge};
use crate::collections::sort;
use crate::encoding::zstd::Effort;
use crate::error::{ErrorKind, Result};
use crate::fs::{Change, FilePath};
use crate::part::merge::{MergeCounts, MergeOptions, PartMerge, Step};
use crate::part::writer::WrittenPart;
use crate::part::{MIN_DEDUP_INTERVAL_FILE, Part, PartFile};
use crate::runtime::{Lane, Purpose, Signal};
use crate::time::{MINUTE_MS, TimestampMs, back_off_ms};
use crate::trace::event::{Event, MergeChoice, MergeId, MergeReason, PartClass, PartId};
use crate::transaction::Transaction;
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// Bytes read at a time of each file of each source.
const READ_AHEAD: u64 = 128 << 10;
/// Output of a file is handed to storage once so many bytes of it wait.
const CHUNK_LEN: usize = 256 << 10;
/// Results of at least so many bytes are compressed thoroughly: they are merged again only rarely.
const THOROUGH_FROM_BYTES: u64 = 4 << 20;
/// The waiting times between two looks for something to merge.
const MIN_SLEEP_MS: i64 = 10;
const MAX_SLEEP_MS: i64 = 10_000;
/// A merge for which the storage had no room in the end, though nobody had said so before, is not soon tried again.
const QUOTA_SLEEP_MS: i64 = 10 * MINUTE_MS;
/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 20_000;

impl Partition {
    // ---- in the background -----------------------------------------------------------------------------------------

    /// Looks for something to merge until stopped, ever more rarely while there is nothing, and not at all while the list of
    /// parts stays as it was.
    pub(super) async fn run_merger(self: Rc<Self>, class: PartClass) {
        let mut sleep_ms = MIN_SLEEP_MS;
        let mut is_final = false;
        let mut last_merge = self.context.now();
        let mut failures = 0;
        let grown = self.context.room().grown().clone();
        while !self.is_stopping.get() {
            let (changed, grown) = ((&self.changed, self.changed.version()), (&grown, grown.version()));
            let result = match class {
                PartClass::Big => self.merge_big_parts(is_final).await,
                _ => self.merge_small_parts(MergeReason::Background, is_final).await,
            };
            let now = self.context.now();
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
                        self.degraded(&error, "the parts stay as they are, and the merge is tried again");
                    }
                    let is_full = error.kind() == ErrorKind::Quota;
                    let retry_at = now + if is_full { QUOTA_SLEEP_MS } else { back_off_ms(MAX_SLEEP_MS, failures) };
                    if !self.is_stopping.get() {
                        let stop = (&self.stop, self.stop.version());
                        self.context.first_of(&[stop, grown], retry_at).await;
                    }
                    continue;
                }
            }
            // The clock may have been set back.
            last_merge = last_merge.min(now);
            let delay = self.options.final_merge_delay_ms;
            if delay > 0 && now - last_merge > delay {
                last_merge = now;
                is_final = true;
                continue;
            }
            let mut due = now + sleep_ms;
            sleep_ms = (2 * sleep_ms).min(MAX_SLEEP_MS);
            // Attempts on an unchanged list would end as this one did, so they are left out; the timer goes on as if not.
            let next_final = if delay > 0 && !is_final { last_merge + delay + 1 } else { TimestampMs::MAX };
            self.context.first_of(&[changed, grown], next_final).await;
            let now = self.context.now();
            while due < now && sleep_ms < MAX_SLEEP_MS {
                due += sleep_ms;
                sleep_ms = (2 * sleep_ms).min(MAX_SLEEP_MS);
            }
            if due < now {
                due = now + (due - now).rem_euclid(sleep_ms);
            }
            if !self.is_stopping.get() {
                self.context.changed_or_until(&self.stop, self.stop.version(), due.min(now + sleep_ms)).await;
            }
        }
    }

    async fn merge_big_parts(self: &Rc<Self>, is_final: bool) -> Result<bool> {
        let parts = self.parts.borrow().big.clone();
        self.merge_best(&parts, PartClass::Big, MergeReason::Background, is_final).await
    }

    /// Merges the best choice among in-memory and small parts; whether there was one.
    pub(super) async fn merge_small_parts(self: &Rc<Self>, reason: MergeReason, is_final: bool) -> Result<bool> {
        let parts = self.parts.borrow().small.clone();
        self.merge_best(&parts, PartClass::Small, reason, is_final).await
    }

    async fn merge_best(
        self: &Rc<Self>,
        parts: &[Rc<PartEntry>],
        class: PartClass,
        reason: MergeReason,
        is_final: bool,
    ) -> Result<bool> {
        if self.is_forced.get() {
            return Ok(false);
        }
        let free: Vec<&Rc<PartEntry>> =
            parts.iter().filter(|entry| entry.lease().is_none() && !entry.is_suspect()).collect();
        let sizes: Vec<PartSize> = free.iter().map(|entry| entry.size()).collect();
        let (limit, spare) = (self.options.limits.max_output_bytes, self.context.room().spare_for_merges());
        let max_output_bytes = limit.min(spare);
        let choice = policy::select(&sizes, max_output_bytes, is_final);
        self.note_look(class, free.len(), &choice);
        let chosen = |indices: &[usize]| indices.iter().map(|&at| free[at].clone()).collect::<Vec<_>>();
        if choice.parts.is_empty() {
            // With more room there might be one.
            if sizes.iter().map(|size| size.bytes).sum::<u64>() > spare {
                let wanted = policy::select(&sizes, limit, is_final);
                self.put_off(&chosen(&wanted.parts));
            }
            return Ok(false);
        }
        let chosen = chosen(&choice.parts);
        let is_watched = self.context.with_trace(|trace| trace.is_enabled());
        let explained = is_watched.then(|| {
            // As the choice sees them.
            let mut by_size: Vec<usize> = (0..free.len()).collect();
            sort::sort_by_key(&mut by_size, |&i| (sizes[i].bytes, std::cmp::Reverse(sizes[i].min_timestamp)));
            MergeChoice {
                considered: by_size.iter().map(|&i| free[i].id()).collect(),
                considered_bytes: by_size.iter().map(|&i| sizes[i].bytes).collect(),
                gain: choice.gain,
                min_gain: choice.min_gain,
                max_output_bytes,
            }
        });
        let result = self.merge(self.lease_free(chosen.clone()), reason, explained).await;
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Quota) {
            self.put_off(&chosen);
        }
        result.map(|_| true)
    }

    /// Tells of a merge that would not fit, or did not; once, as long as it is wanted.
    fn put_off(&self, parts: &[Rc<PartEntry>]) {
        let Some(first) = parts.first() else { return };
        let room = self.context.room();
        room.falls_short();
        let sources: Vec<PartId> = parts.iter().map(|entry| entry.id()).collect();
        {
            let last = &mut self.put_off.borrow_mut()[usize::from(first.class() == PartClass::Big)];
            let is_known = sources.iter().any(|source| last.contains(source));
            last.clone_from(&sources);
            if is_known {
                return;
            }
        }
        room.put_off_merge();
        self.context.emit(|| Event::MergePutOff {
            partition: self.label.clone(),
            sources,
            needed_bytes: bytes_of(parts),
            room_bytes: room.left_bytes().map_or(0, |_| room.spare_for_merges()),
        });
    }

    /// Remembers what a merger saw, for those who want to know why nothing is merged.
    fn note_look(&self, class: PartClass, free_parts: usize, choice: &Choice) {
        let look = MergeLook {
            class,
            time: self.context.now(),
            free_parts: free_parts as u64,
            chosen_parts: choice.parts.len() as u64,
            gain: choice.gain,
            min_gain: choice.min_gain,
        };
        let mut looks = self.looks.get();
        looks[usize::from(class == PartClass::Big)] = Some(look);
        self.looks.set(looks);
        if choice.parts.is_empty() {
            self.count(|merged| merged.put_off += 1);
        }
    }

    fn count(&self, change: impl FnOnce(&mut MergeCounters)) {
        let mut merged = self.merged.get();
        change(&mut merged);
        self.merged.set(merged);
    }

    // ---- forced ----------------------------------------------------------------------------------------------------

    /// Waits for merges that are under way and then merges all parts of this instant into one.
    ///
    /// # Errors
    /// `Quota` when the result would not fit; when storage fails or a part is corrupt; the parts stay as they are.
    pub async fn force_merge(self: &Rc<Self>) -> Result<()> {
        self.merge_all(MergeReason::Forced).await
    }

    /// Whether some part was written with a smaller de-duplication interval than is wanted now (engine-behaviour §7).
    pub fn needs_final_deduplication(&self) -> bool {
        let wanted = self.options.dedup.map_or(0, |dedup| dedup.interval_ms);
        let list = self.parts.borrow();
        let smallest = list.iter().map(|entry| entry.part().header().min_dedup_interval_ms).min();
        smallest.is_some_and(|smallest| wanted > smallest)
    }

    /// Merges all parts into one, when they need it, so that the present de-duplication interval holds for all of them.
    pub async fn deduplicate_finally(self: &Rc<Self>) -> Result<()> {
        if self.needs_final_deduplication() { self.merge_all(MergeReason::Deduplication).await } else { Ok(()) }
    }

    async fn merge_all(self: &Rc<Self>, reason: MergeReason) -> Result<()> {
        let partition = self.clone();
        self.in_job(Lane::BigMerge, async move {
            let _floor = partition.take_floor().await?;
            partition.wait_for_merges().await;
            let mut parts: Vec<Rc<PartEntry>> = partition.parts.borrow().iter().cloned().collect();
            // Nothing is begun that could not be ended: what is merged in two rounds is there twice beside its sources.
            let rounds = if parts.len() > MAX_PARTS_TO_MERGE { 2 } else { 1 };
            let what = format!("merging the {} parts of {}", parts.len(), partition.place());
            if let Err(error) = partition.context.room().check(bytes_of(&parts).saturating_mul(rounds), &what) {
                if reason != MergeReason::Deduplication {
                    return Err(error);
                }
                partition.put_off(&parts);
                return Ok(());
            }
            // The first round rewrites even a single part.
            let mut is_first_round = true;
            while is_first_round || parts.len() > 1 {
                is_first_round = false;
                let mut waiting = partition.lease_free(std::mem::take(&mut parts));
                let is_last_round = waiting.parts.len() <= MAX_PARTS_TO_MERGE;
                while !waiting.parts.is_empty() {
                    if waiting.parts.len() == 1 && !is_last_round {
                        // Not worth writing alone; it joins the next round.
                        parts.append(&mut waiting.parts.clone());
                        break;
                    }
                    let lease = waiting.take(MAX_PARTS_TO_MERGE, partition.options.ids.next_merge());
                    parts.extend(partition.merge(lease, reason, None).await?);
                }
            }
            Ok(())
        })
        .await
    }

    /// Keeps background merges from starting as long as the result lives. One forced merge at a time.
    async fn take_floor(self: &Rc<Self>) -> Result<Floor> {
        loop {
            let seen = self.changed.version();
            if self.is_stopping.get() {
                return Err(Self::stopped());
            }
            if !self.is_forced.replace(true) {
                return Ok(Floor(self.clone()));
            }
            self.context.changed(&self.changed, seen).await;
        }
    }

    // ---- one merge -------------------------------------------------------------------------------------------------

    /// Leases those of `parts` that are free, for a merge that has a fresh id.
    pub(super) fn lease_free(&self, mut parts: Vec<Rc<PartEntry>>) -> Lease {
        parts.retain(|entry| entry.lease().is_none() && !entry.is_retired());
        Lease::new(self.options.ids.next_merge(), parts, self.changed.clone())
    }

    /// Merges leased parts into one on disk, which takes their place. `None` when no row was left.
    ///
    /// # Errors
    /// `Quota` when the result might not fit; when storage fails or a part is corrupt. The parts stay as they are and are free
    /// again.
    pub(super) async fn merge(
        self: &Rc<Self>,
        lease: Lease,
        reason: MergeReason,
        choice: Option<MergeChoice>,
    ) -> Result<Option<Rc<PartEntry>>> {
        let bytes = bytes_of(&lease.parts);
        let class = self.options.limits.output_class(bytes);
        let what = || format!("merging {} parts of {}", lease.parts.len(), self.place());
        self.context.room().check(bytes, &what())?;
        let _reservation = self.context.room().reserve(bytes);
        self.merge_into(class, lease, reason, choice).await
    }

    /// Merges leased in-memory parts into one of their kind.
    pub(super) async fn merge_in_memory(self: &Rc<Self>, lease: Lease) -> Result<Option<Rc<PartEntry>>> {
        let output = self.merge_into(PartClass::InMemory, lease, MergeReason::Flush, None).await?;
        self.merges_in_memory.set(self.merges_in_memory.get() + 1);
        Ok(output)
    }

    async fn merge_into(
        self: &Rc<Self>,
        output_class: PartClass,
        lease: Lease,
        reason: MergeReason,
        choice: Option<MergeChoice>,
    ) -> Result<Option<Rc<PartEntry>>> {
        if lease.parts.is_empty() {
            return Ok(None);
        }
        if self.anchor.borrow().is_none() {
            return Err(Self::stopped());
        }
        let merge = lease.merge;
        let bytes_total = bytes_of(&lease.parts);
        let rows_total = lease.parts.iter().map(|entry| entry.part().header().rows).sum();
        let sources: Vec<_> = lease.parts.iter().map(|entry| entry.id()).collect();
        self.context.emit(|| Event::MergeStarted {
            merge,
            partition: self.label.clone(),
            reason,
            sources: sources.clone(),
            rows: rows_total,
            bytes: bytes_total,
            output_class,
            choice,
        });
        let running = RunningMerge { reason, sources, output_class, rows_total, bytes_total, rows_done: 0 };
        self.running.borrow_mut().insert(merge, running);
        self.changed.raise();

        // A stored part may have the greatest of all suffixes.
        let suffix = self.next_suffix.replace(self.next_suffix.get().wrapping_add(1));
        let class_dir = if output_class == PartClass::Big { &self.big_dir } else { &self.small_dir };
        let files = OutputFiles {
            dir: class_dir.clone(),
            tmp_dir: class_dir.join(&format!("tmp/{suffix:016X}")),
            transaction: class_dir.join(&format!("txn/{suffix:016X}")),
            suffix,
        };
        let into = (output_class != PartClass::InMemory).then_some(&files);
        let error = match self.write_merged(&lease, reason, bytes_total, into).await {
            Ok((output, transaction, counts)) => {
                let bytes = output.as_ref().map_or(0, Part::size_bytes);
                self.count(|merged| {
                    let side = if reason == MergeReason::Flush { &mut merged.flushes } else { &mut merged.merges };
                    side.done += 1;
                    side.rows += counts.written;
                    side.bytes += bytes;
                });
                let output = output.map(|part| (output_class, part));
                return Ok(self.apply_merged(lease, output, transaction, counts));
            }
            Err(error) => error,
        };
        // What was written so far is of no use. When it can't be removed, the next start does it.
        if into.is_some() {
            let _ = self.context.commit(vec![Change::Remove { path: files.tmp_dir.clone() }]).await;
        }
        if error.kind() == ErrorKind::Corrupt {
            lease.parts.iter().for_each(|entry| entry.mark_suspect());
        }
        self.running.borrow_mut().remove(&merge);
        self.count(|merged| merged.aborted += 1);
        drop(lease);
        self.context.emit(|| Event::MergeAborted {
            merge,
            partition: self.label.clone(),
            message: error.message().to_owned(),
        });
        Err(error)
    }

    /// All of a merge up to the moment at which it is true on disk; without files it stays in memory.
    async fn write_merged(
        &self,
        lease: &Lease,
        reason: MergeReason,
        bytes_total: u64,
        files: Option<&OutputFiles>,
    ) -> Result<(Option<Part>, Option<FilePath>, MergeCounts)> {
        if files.is_some() {
            // Before anything is written in vain: the sources' series are all registered by now.
            (self.options.ensure_index_durable)().await?;
        }
        let is_thorough =
            matches!(reason, MergeReason::Forced | MergeReason::Deduplication) || bytes_total >= THOROUGH_FROM_BYTES;
        let options = MergeOptions {
            deleted: (self.options.deleted)(),
            retention_deadline: self.context.now().saturating_sub(self.options.retention_ms),
            dedup: self.options.dedup,
            effort: if is_thorough { Effort::Thorough } else { Effort::Fast },
            recompress: reason == MergeReason::Forced,
        };
        let may_stop = reason != MergeReason::Flush;
        let mut merge = PartMerge::new(lease.parts.iter().map(|entry| entry.part()), READ_AHEAD, options)?;
        let mut has_file = [false; 4];
        let mut reported = 0;
        loop {
            match merge.step()? {
                Step::Starving { input, file, range } => {
                    let start = range.start;
                    let bytes = lease.parts[input].part().read(&self.context, file, range).await?;
                    merge.feed(input, file, start, bytes);
                }
                Step::Progress { rows } => {
                    if let Some(files) = files {
                        for (file, bytes) in merge.take_chunks(CHUNK_LEN) {
                            has_file[file as usize] = true;
                            self.context.append(&files.tmp_dir.join(file.name()), bytes, Purpose::Data).await?;
                        }
                    }
                    // A block costs about as much as some twenty rows, however small it is.
                    self.context.spend(rows + 20).await;
                    if may_stop && (self.is_stopping.get() || self.context.is_shutting_down()) {
                        return Err(Self::stopped());
                    }
                    let done = merge.counts().read;
                    if done - reported >= PROGRESS_ROWS {
                        reported = done;
                        self.report_progress(lease.merge, done);
                    }
                }
                Step::Done => break,
            }
        }
        let (written, counts) = merge.finish()?;
        let Some(files) = files else { return Ok((written.map(Part::in_memory), None, counts)) };
        let dst_dir = written.as_ref().map(|written| files.dir.join(&written.header.dir_name(files.suffix)));
        if let Some(written) = &written {
            self.append_rest(files, written, has_file).await?;
        }
        // In-memory sources vanish by themselves when the process ends. Those on disk are listed, so that a new start
        // removes them if this process does not live to do it.
        let old_parts: Vec<FilePath> = lease.parts.iter().filter_map(|entry| entry.part().dir().cloned()).collect();
        let transaction = (!old_parts.is_empty()).then(|| files.transaction.clone());
        let announced = Transaction { old_parts, tmp: files.tmp_dir.clone(), dst: dst_dir.clone() };
        self.context.commit(announced.changes(&files.transaction)).await?;
        let part = written.zip(dst_dir).map(|(written, dst_dir)| {
            let WrittenPart { header, metaindex, sizes, .. } = written;
            Part::published(dst_dir, header, metaindex, sizes)
        });
        Ok((part, transaction, counts))
    }

    /// Writes what was not handed over yet, all files at once. Every file of a part exists, even if it is empty.
    async fn append_rest(&self, files: &OutputFiles, written: &WrittenPart, has_file: [bool; 4]) -> Result<()> {
        let mut appends: Vec<Pin<Box<dyn Future<Output = Result<()>> + '_>>> = Vec::new();
        for (file, bytes) in PartFile::ALL.into_iter().zip(&written.rest) {
            if !bytes.is_empty() || !has_file[file as usize] {
                let path = files.tmp_dir.join(file.name());
                appends.push(Box::pin(async move { self.context.append(&path, bytes.clone(), Purpose::Data).await }));
            }
        }
        let interval = Bytes::from(written.header.min_dedup_interval_text());
        let path = files.tmp_dir.join(MIN_DEDUP_INTERVAL_FILE);
        appends.push(Box::pin(async move { self.context.append(&path, interval, Purpose::Data).await }));
        // Each is polled until it is done; the first error counts.
        let mut outcome = Ok(());
        poll_fn(|context| {
            appends.retain_mut(|append| match append.as_mut().poll(context) {
                Poll::Ready(result) => {
                    if outcome.is_ok() {
                        outcome = result;
                    }
                    false
                }
                Poll::Pending => true,
            });
            if appends.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        outcome
    }

    fn report_progress(&self, merge: MergeId, rows_done: u64) {
        let mut running = self.running.borrow_mut();
        let Some(running) = running.get_mut(&merge) else { return };
        running.rows_done = rows_done;
        let rows_total = running.rows_total;
        self.context.emit(|| Event::MergeProgressed { merge, partition: self.label.clone(), rows_done, rows_total });
    }
}

/// Sum of the parts' sizes: what a part merged from them takes at the most.
fn bytes_of(parts: &[Rc<PartEntry>]) -> u64 {
    parts.iter().map(|entry| entry.part().size_bytes()).sum()
}

/// Where a merge writes.
struct OutputFiles {
    dir: FilePath,
    tmp_dir: FilePath,
    transaction: FilePath,
    suffix: u64,
}

/// As long as it lives, background merges don't start.
struct Floor(Rc<Partition>);

impl Drop for Floor {
    fn drop(&mut self) {
        self.0.is_forced.set(false);
        let changed: &Signal = &self.0.changed;
        changed.raise();
    }
}
