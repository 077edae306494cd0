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
use crate::runtime::{Lane, Signal};
use crate::trace::event::{Event, MergeChoice, MergeId, MergeReason, PartClass};
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
        while !self.is_stopping.get() {
            let seen = self.changed.version();
            let result = match class {
                PartClass::Big => self.merge_big_parts(is_final).await,
                _ => self.merge_small_parts(MergeReason::Background, is_final).await,
            };
            let has_failed = match result {
                Ok(true) => {
                    sleep_ms = MIN_SLEEP_MS;
                    last_merge = self.context.now();
                    is_final = false;
                    continue;
                }
                Ok(false) => false,
                // It is in the trace. Whatever the reason is, trying again at once would not help.
                Err(_) => {
                    sleep_ms = MAX_SLEEP_MS;
                    true
                }
            };
            let delay = self.options.final_merge_delay_ms;
            if delay > 0 && self.context.now() - last_merge > delay {
                last_merge = self.context.now();
                is_final = true;
                continue;
            }
            let mut due = self.context.now() + sleep_ms;
            sleep_ms = (2 * sleep_ms).min(MAX_SLEEP_MS);
            // Attempts on an unchanged list would end as this one did, so they are left out; the timer goes on as if not.
            if !has_failed {
                if delay > 0 && !is_final {
                    self.context.changed_or_until(&self.changed, seen, last_merge + delay + 1).await;
                } else {
                    self.context.changed(&self.changed, seen).await;
                }
                while due < self.context.now() {
                    due += sleep_ms;
                    sleep_ms = (2 * sleep_ms).min(MAX_SLEEP_MS);
                }
            }
            if !self.is_stopping.get() {
                self.context.changed_or_until(&self.stop, self.stop.version(), due).await;
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
        let max_output_bytes = self.options.limits.max_output_bytes;
        let choice = policy::select(&sizes, max_output_bytes, is_final);
        self.note_look(class, free.len(), &choice);
        if choice.parts.is_empty() {
            return Ok(false);
        }
        let chosen = choice.parts.iter().map(|&i| free[i].clone()).collect();
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
        self.merge(self.lease_free(chosen), reason, explained).await?;
        Ok(true)
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
    /// When storage fails or a part is corrupt; the parts stay as they are.
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
    /// When storage fails or a part is corrupt. The parts stay as they are and are free again.
    pub(super) async fn merge(
        self: &Rc<Self>,
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
        let bytes_total = lease.parts.iter().map(|entry| entry.part().size_bytes()).sum();
        let rows_total = lease.parts.iter().map(|entry| entry.part().header().rows).sum();
        let output_class = self.options.limits.output_class(bytes_total);
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

        let suffix = self.next_suffix.replace(self.next_suffix.get() + 1);
        let class_dir = if output_class == PartClass::Big { &self.big_dir } else { &self.small_dir };
        let files = OutputFiles {
            dir: class_dir.clone(),
            tmp_dir: class_dir.join(&format!("tmp/{suffix:016X}")),
            transaction: class_dir.join(&format!("txn/{suffix:016X}")),
            suffix,
        };
        let error = match self.write_merged(&lease, reason, bytes_total, &files).await {
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
        let _ = self.context.commit(vec![Change::Remove { path: files.tmp_dir.clone() }]).await;
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
        if error.kind() != ErrorKind::Aborted {
            self.degraded(&error, "the parts stay as they are");
        }
        Err(error)
    }

    /// All of a merge up to the moment at which it is true on disk.
    async fn write_merged(
        &self,
        lease: &Lease,
        reason: MergeReason,
        bytes_total: u64,
        files: &OutputFiles,
    ) -> Result<(Option<Part>, Option<FilePath>, MergeCounts)> {
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
                    for (file, bytes) in merge.take_chunks(CHUNK_LEN) {
                        has_file[file as usize] = true;
                        self.context.append(&files.tmp_dir.join(file.name()), bytes).await?;
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
        let dst_dir = written.as_ref().map(|written| files.dir.join(&written.header.dir_name(files.suffix)));
        let sources: Vec<&FilePath> = lease.parts.iter().filter_map(|entry| entry.part().dir()).collect();
        let mut changes = Vec::new();
        if let (Some(written), Some(dst_dir)) = (&written, &dst_dir) {
            self.append_rest(files, written, has_file).await?;
            changes.push(Change::Publish { from: files.tmp_dir.clone(), to: dst_dir.clone() });
        } else {
            changes.push(Change::Remove { path: files.tmp_dir.clone() });
        }
        // In-memory sources vanish by themselves when the process ends. Those on disk are listed, so that a new start
        // removes them if this process does not live to do it.
        let transaction = (!sources.is_empty()).then(|| files.transaction.clone());
        if let Some(transaction) = &transaction {
            let text = transaction_text(&sources, &files.tmp_dir, dst_dir.as_ref());
            changes.push(Change::Put { file: transaction.clone(), bytes: Bytes::from(text) });
        }
        (self.options.ensure_index_durable)().await?;
        self.context.commit(changes).await?;
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
                appends.push(Box::pin(async move { self.context.append(&path, bytes.clone()).await }));
            }
        }
        let interval = Bytes::from(written.header.min_dedup_interval_text());
        let path = files.tmp_dir.join(MIN_DEDUP_INTERVAL_FILE);
        appends.push(Box::pin(async move { self.context.append(&path, interval).await }));
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

/// The text of a transaction file (data-dir-layout §1.1), with paths relative to the database.
pub fn transaction_text(old_parts: &[&FilePath], tmp: &FilePath, dst: Option<&FilePath>) -> String {
    let old: String = old_parts.iter().map(|path| format!("{path}\n")).collect();
    format!("{old}{tmp} -> {}\n", dst.map_or("", FilePath::as_str))
}
