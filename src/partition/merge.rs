//! One merge of parts from its lease to the commit that makes it true (engine-behaviour §4).

use super::live_parts::LiveParts;
use super::month::Month;
use super::parts::{Logged, PartEntry, PartLease, bytes_of};
use super::removal::Remover;
use super::state::{MergeCounters, MergeState};
use crate::collections::sorted_map::SortedMap;
use crate::encoding::zstd::Effort;
use crate::error::{ErrorKind, Result};
use crate::fs::{Change, FilePath};
use crate::merge::Leasable;
use crate::merge::transaction::Transaction;
use crate::part::merge::{MergeCounts, MergeOptions, PartMerge, Step};
use crate::part::writer::WrittenPart;
use crate::part::{MIN_DEDUP_INTERVAL_FILE, Part, PartFile};
use crate::runtime::Purpose;
use crate::trace::event::{Event, MergeChoice, MergeId, MergeReason, PartClass};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
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
/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 20_000;

/// Whose turn it is to begin merges of live parts. Flushes always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The background mergers'.
    Background,
    /// A merge of the whole month, which the background mergers wait for.
    Forced,
}

/// The merges of a partition: those under way, and what was merged so far.
pub(super) struct Merges {
    pub(super) month: Rc<Month>,
    pub(super) parts: Rc<LiveParts>,
    remover: Rc<Remover>,
    /// Suffix of the next part's name, which also names its temporary directory and its transaction file.
    next_suffix: Cell<u64>,
    running: RefCell<SortedMap<MergeId, MergeState>>,
    counters: Cell<MergeCounters>,
    turn: Cell<Turn>,
}

impl Merges {
    pub(super) fn new(month: Rc<Month>, parts: Rc<LiveParts>, remover: Rc<Remover>) -> Rc<Self> {
        Rc::new(Self {
            next_suffix: Cell::new(month.options.start_nanos),
            month,
            parts,
            remover,
            running: RefCell::new(SortedMap::new()),
            counters: Cell::default(),
            turn: Cell::new(Turn::Background),
        })
    }

    /// Keeps suffixes of new parts behind that of a part which is there.
    pub(super) fn start_behind(&self, suffix: u64) {
        self.next_suffix.set(self.next_suffix.get().max(suffix.saturating_add(1)));
    }

    /// Merges under way.
    pub(super) fn running(&self) -> Vec<MergeState> {
        self.running.borrow().values().cloned().collect()
    }

    /// Rows that a merge under way has read.
    pub(super) fn rows_done(&self, merge: MergeId) -> Option<u64> {
        self.running.borrow().get(&merge).map(|running| running.rows_done)
    }

    /// What was written so far.
    pub(super) fn counters(&self) -> MergeCounters {
        self.counters.get()
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut MergeCounters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }

    /// Waits until no merge is under way.
    pub(super) async fn wait_until_none(&self) {
        loop {
            let seen = self.parts.changed().version();
            if self.running.borrow().is_empty() {
                return;
            }
            self.month.context.changed(self.parts.changed(), seen).await;
        }
    }

    /// Whether background merges must not start: a merge of the whole month is under way.
    pub(super) fn is_forced(&self) -> bool {
        self.turn.get() == Turn::Forced
    }

    /// Keeps background merges from starting as long as the result lives. One merge of the whole month at a time.
    pub(super) async fn take_forced_turn(self: &Rc<Self>) -> Result<ForcedTurn> {
        loop {
            let seen = self.parts.changed().version();
            if self.month.is_stopping() {
                return Err(Month::closing());
            }
            if !self.is_forced() {
                self.turn.set(Turn::Forced);
                return Ok(ForcedTurn(self.clone()));
            }
            self.month.context.changed(self.parts.changed(), seen).await;
        }
    }

    /// Merges leased parts into one on disk, which takes their place. `None` when no row was left.
    ///
    /// # Errors
    /// `Quota` when the result might not fit; when storage fails or a part is corrupt. The parts stay as they are and are free
    /// again.
    pub(super) async fn run(
        &self,
        lease: PartLease,
        reason: MergeReason,
        choice: Option<MergeChoice>,
    ) -> Result<Option<Rc<PartEntry>>> {
        let bytes = bytes_of(lease.parts());
        let class = self.month.options.limits.output_class(bytes);
        let what = || format!("merging {} parts of {}", lease.parts().len(), self.month.place());
        self.month.context.room().check(bytes, &what())?;
        let _reservation = self.month.context.room().reserve(bytes);
        self.merge_into(class, lease, reason, choice).await
    }

    /// Merges leased in-memory parts into one of their kind.
    pub(super) async fn run_in_memory(&self, lease: PartLease) -> Result<Option<Rc<PartEntry>>> {
        self.merge_into(PartClass::InMemory, lease, MergeReason::Flush, None).await
    }

    async fn merge_into(
        &self,
        output_class: PartClass,
        lease: PartLease,
        reason: MergeReason,
        choice: Option<MergeChoice>,
    ) -> Result<Option<Rc<PartEntry>>> {
        if lease.parts().is_empty() {
            return Ok(None);
        }
        if !self.remover.is_in_use() {
            return Err(Month::closing());
        }
        let merge = lease.merge();
        let bytes_total = bytes_of(lease.parts());
        let rows_total = lease.parts().iter().map(|entry| entry.part().header().rows).sum();
        let sources: Vec<_> = lease.parts().iter().map(|entry| entry.id()).collect();
        self.month.context.emit(|| Event::MergeStarted {
            merge,
            partition: self.month.label.clone(),
            reason,
            sources: sources.clone(),
            rows: rows_total,
            bytes: bytes_total,
            output_class,
            choice,
        });
        let running = MergeState { id: merge, reason, sources, output_class, rows_done: 0, rows_total, bytes_total };
        self.running.borrow_mut().insert(merge, running);
        self.parts.changed().raise();

        // A stored part may have the greatest of all suffixes.
        let suffix = self.next_suffix.replace(self.next_suffix.get().wrapping_add(1));
        let class_dir = if output_class == PartClass::Big { &self.month.big_dir } else { &self.month.small_dir };
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
                let output = self.parts.replace(lease, output, transaction, counts);
                self.running.borrow_mut().remove(&merge);
                return Ok(output);
            }
            Err(error) => error,
        };
        // What was written so far is of no use. When it can't be removed, the next start does it.
        if into.is_some() {
            let _ = self.month.context.commit(vec![Change::Remove { path: files.tmp_dir.clone() }]).await;
        }
        if error.kind() == ErrorKind::Corrupt {
            lease.parts().iter().for_each(|entry| entry.standing().mark_suspect());
        }
        self.running.borrow_mut().remove(&merge);
        self.count(|merged| merged.aborted += 1);
        drop(lease);
        self.month.context.emit(|| Event::MergeAborted {
            merge,
            partition: self.month.label.clone(),
            message: error.message().to_owned(),
        });
        Err(error)
    }

    /// All of a merge up to the moment at which it is true on disk; without files it stays in memory.
    async fn write_merged(
        &self,
        lease: &PartLease,
        reason: MergeReason,
        bytes_total: u64,
        files: Option<&OutputFiles>,
    ) -> Result<(Option<Part>, Option<FilePath>, MergeCounts)> {
        if files.is_some() {
            // Before anything is written in vain: the sources' series are all registered by now.
            (self.month.options.ensure_index_durable)().await?;
        }
        let is_thorough =
            matches!(reason, MergeReason::Forced | MergeReason::Deduplication) || bytes_total >= THOROUGH_FROM_BYTES;
        let options = MergeOptions {
            deleted: (self.month.options.deleted)(),
            retention_deadline: self.month.retention_deadline(),
            dedup: self.month.options.dedup,
            effort: if is_thorough { Effort::Thorough } else { Effort::Fast },
            recompress: reason == MergeReason::Forced,
        };
        let may_stop = reason != MergeReason::Flush;
        let mut merge = PartMerge::new(lease.parts().iter().map(|entry| entry.part()), READ_AHEAD, options)?;
        let mut has_file = [false; 4];
        let mut reported = 0;
        loop {
            match merge.step()? {
                Step::Starving { input, file, range } => {
                    let start = range.start;
                    let bytes = lease.parts()[input].part().read(&self.month.context, file, range).await?;
                    merge.feed(input, file, start, bytes);
                }
                Step::Progress { rows } => {
                    if let Some(files) = files {
                        for (file, bytes) in merge.take_chunks(CHUNK_LEN) {
                            has_file[file as usize] = true;
                            self.month.context.append(&files.tmp_dir.join(file.name()), bytes, Purpose::Data).await?;
                        }
                    }
                    // A block costs about as much as some twenty rows, however small it is.
                    self.month.context.spend(rows + 20).await;
                    if may_stop && (self.month.is_stopping() || self.month.context.is_shutting_down()) {
                        return Err(Month::closing());
                    }
                    let done = merge.counts().read;
                    if done - reported >= PROGRESS_ROWS {
                        reported = done;
                        self.report_progress(lease.merge(), done);
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
        let old_parts: Vec<FilePath> = lease.parts().iter().filter_map(|entry| entry.part().dir().cloned()).collect();
        let transaction = (!old_parts.is_empty()).then(|| files.transaction.clone());
        let announced = Transaction { old_parts, tmp: files.tmp_dir.clone(), dst: dst_dir.clone() };
        let mut changes = announced.changes(&files.transaction);
        let log = self.month.options.log.as_ref();
        let forgetting = log.map(|log| (log, log.forget(Logged::of(lease.parts()).records)));
        changes.extend(forgetting.iter().flat_map(|(_, forgetting)| forgetting.changes()));
        let result = self.month.context.commit(changes).await;
        if let Some((log, forgetting)) = forgetting {
            if result.is_ok() { log.forgotten(forgetting) } else { log.remembered(forgetting) }
        }
        result?;
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
                appends.push(Box::pin(
                    async move { self.month.context.append(&path, bytes.clone(), Purpose::Data).await },
                ));
            }
        }
        let interval = Bytes::from(written.header.min_dedup_interval_text());
        let path = files.tmp_dir.join(MIN_DEDUP_INTERVAL_FILE);
        appends.push(Box::pin(async move { self.month.context.append(&path, interval, Purpose::Data).await }));
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
        self.month.context.emit(|| Event::MergeProgressed {
            merge,
            partition: self.month.label.clone(),
            rows_done,
            rows_total,
        });
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
pub(super) struct ForcedTurn(Rc<Merges>);

impl Drop for ForcedTurn {
    fn drop(&mut self) {
        self.0.turn.set(Turn::Background);
        self.0.parts.changed().raise();
    }
}
