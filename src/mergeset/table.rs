//! A mutable set of items over immutable parts: items arrive, are flushed into parts, and parts are merged.
//!
//! A new part is written below `tmp/` and made visible by one commit. A merge's commit also puts a transaction file that
//! lists the sources, so that they are removed either when their last reader has let go or when the table is opened again
//! (data-dir-layout §1.1).

use super::block::ItemsBlock;
use super::merge::{PartMerge, PrepareBlock, Source, Step};
use super::part::{Graveyard, Part, Remains, Retirement};
use super::policy::{self, MAX_PART_SIZE};
use super::raw_items::RawItems;
use super::search::TableSearch;
use super::writer::WrittenPart;
use super::{METADATA_FILE, PartFile};
use crate::collections::sort;
use crate::encoding::zstd::Effort;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Change, Entry, EntryKind, FilePath};
use crate::runtime::{Context, Lane, Signal, join_all};
use crate::time::{SECOND_MS, TimestampMs};
use crate::trace::event::Event;
use bytes::Bytes;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Bytes of items that make the flusher not wait for its ticker. The server lets 32 MiB a shard wait.
const MAX_RAW_BYTES: u64 = 8 << 20;
/// Above so many parts the flusher merges before it goes on.
const MAX_PARTS: usize = 512;
/// Bytes read at a time of each file of each source of a merge.
const READ_AHEAD: u64 = 128 << 10;
/// Bytes that are collected before they are appended to a file.
const WRITE_CHUNK: usize = 256 << 10;
/// After so long without a merge fewer parts are merged.
const FINAL_MERGE_DELAY_MS: i64 = 30 * SECOND_MS;
/// From so many items on compression takes its time.
const THOROUGH_ITEMS: u64 = 1 << 22;

/// The parts of one instant.
pub type PartList = Vec<Rc<Part>>;

/// How a table works.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// May rewrite blocks before they are written.
    pub prepare: PrepareBlock,
    /// The least number that new parts' names end with.
    pub first_suffix: u64,
}

/// One part as `inspect()` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartState {
    /// Its directory's name.
    pub name: String,
    /// Items in it.
    pub items: u64,
    /// Blocks in it.
    pub blocks: u64,
    /// Sum of its data files' sizes.
    pub bytes: u64,
    /// Whether it is being merged.
    pub is_merging: bool,
}

/// A table as `inspect()` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    /// Its directory's name: 16 hex digits.
    pub name: String,
    /// Its parts, in the order in which they were made.
    pub parts: Vec<PartState>,
    /// Items that wait for the next flush.
    pub pending_items: u64,
    /// Bytes of these items.
    pub pending_bytes: u64,
}

/// A table. Methods that wait take no `&mut`: what they change is changed in one go.
pub struct Table {
    context: Context,
    dir: FilePath,
    options: TableOptions,
    graveyard: Rc<Graveyard>,
    raw_items: RefCell<RawItems>,
    /// Raised when the first items arrive, and when too many have.
    items_arrived: Signal,
    /// Held by one flush at a time.
    is_flushing: Cell<bool>,
    flush_ended: Signal,
    parts: RefCell<Rc<PartList>>,
    parts_changed: Signal,
    next_suffix: Cell<u64>,
    opened_at: TimestampMs,
    last_flush: Cell<TimestampMs>,
    is_closed: Cell<bool>,
    running_merges: Cell<u64>,
    /// Counts flushes as they take their items, and says which of these counts is on disk.
    flushes_begun: Cell<u64>,
    flushes_durable: Cell<u64>,
}

impl Table {
    /// Opens the table in `dir`, and sets right what a process that ended at any moment has left behind. No job runs before
    /// [`Table::start_jobs`].
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when a directory is no readable part or a transaction file makes no sense.
    pub async fn open(
        context: &Context,
        dir: FilePath,
        options: TableOptions,
        graveyard: Rc<Graveyard>,
    ) -> Result<Rc<Self>> {
        replay_transactions(context, &dir).await?;
        let mut parts = PartList::new();
        let mut next_suffix = options.first_suffix;
        let mut entries = context.list(&dir).await?;
        entries.retain(|entry| entry.kind == EntryKind::Directory && !is_service_dir(&entry.name));
        let open = |entry: &Entry| {
            let dir = dir.join(&entry.name);
            async move { Part::open(context, &dir).await }
        };
        for part in join_all(entries.iter().map(open)).await {
            let Some(part) = part? else { continue };
            next_suffix = next_suffix.max(part.suffix().saturating_add(1));
            parts.push(Rc::new(part));
        }
        sort::sort_by_key(&mut parts, |part| part.suffix());
        Ok(Rc::new(Self {
            context: context.clone(),
            dir,
            options,
            graveyard,
            raw_items: RefCell::default(),
            items_arrived: Signal::default(),
            is_flushing: Cell::new(false),
            flush_ended: Signal::default(),
            parts: RefCell::new(Rc::new(parts)),
            parts_changed: Signal::default(),
            next_suffix: Cell::new(next_suffix),
            opened_at: context.now(),
            last_flush: Cell::new(TimestampMs::MIN),
            is_closed: Cell::new(false),
            running_merges: Cell::new(0),
            flushes_begun: Cell::new(0),
            flushes_durable: Cell::new(0),
        }))
    }

    /// Spawns the flusher and the merger.
    pub fn start_jobs(self: &Rc<Self>) {
        self.context.spawn(Lane::Flush, self.clone().run_flusher());
        self.context.spawn(Lane::SmallMerge, self.clone().run_merger());
    }

    /// Lets the jobs end. Items that wait are not flushed.
    pub fn close(&self) {
        self.is_closed.set(true);
        self.items_arrived.raise();
        self.parts_changed.raise();
    }

    /// Whether a merge is under way.
    pub fn is_merging(&self) -> bool {
        self.running_merges.get() > 0
    }

    /// Raised whenever the list of parts has changed or a merge has ended.
    pub fn parts_changed(&self) -> &Signal {
        &self.parts_changed
    }

    /// The table's directory.
    pub fn dir(&self) -> &FilePath {
        &self.dir
    }

    /// The parts of this instant; as long as they are held, they can be read.
    pub fn parts(&self) -> Rc<PartList> {
        self.parts.borrow().clone()
    }

    /// Items that wait for the next flush.
    pub fn pending_items(&self) -> u64 {
        self.raw_items.borrow().items()
    }

    /// Bytes of these items.
    pub fn pending_bytes(&self) -> u64 {
        self.raw_items.borrow().bytes()
    }

    /// The flush that items added now have to wait for; see [`Table::is_searchable`].
    pub fn flush_number(&self) -> u64 {
        self.flushes_begun.get()
    }

    /// Whether items that were added while [`Table::flush_number`] had this value can be found.
    pub fn is_searchable(&self, flush_number: u64) -> bool {
        self.flushes_durable.get() > flush_number
    }

    /// A search over the parts of this instant.
    pub fn search(&self) -> TableSearch {
        TableSearch::new(&self.context, &self.parts())
    }

    /// Hands `add_items` a function that adds items. They can be found after the next flush.
    ///
    /// # Errors
    /// `Invalid` when an item was longer than 64 KiB; it was left out.
    pub fn add_items(&self, add_items: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<()> {
        let mut raw_items = self.raw_items.borrow_mut();
        let (was_empty, bytes_before) = (raw_items.is_empty(), raw_items.bytes());
        let mut too_long = 0;
        add_items(&mut |item| {
            if !raw_items.push(item) {
                too_long = item.len();
            }
        });
        if (was_empty && !raw_items.is_empty()) || (bytes_before < MAX_RAW_BYTES && raw_items.bytes() >= MAX_RAW_BYTES)
        {
            self.items_arrived.raise();
        }
        if too_long > 0 {
            return Err(Error::invalid(format!("an index item of {too_long} bytes is longer than the 65536 that fit")));
        }
        Ok(())
    }

    /// Makes all items that were added before searchable and durable.
    ///
    /// # Errors
    /// What the storage says; the items are kept and go with the next flush.
    pub async fn flush(&self) -> Result<()> {
        let _turn = self.take_flush_turn().await;
        let blocks = self.raw_items.borrow_mut().take();
        self.last_flush.set(self.context.now());
        if blocks.is_empty() {
            return Ok(());
        }
        self.flushes_begun.set(self.flushes_begun.get() + 1);
        let flush_number = self.flushes_begun.get();
        let mut taken = TakenItems { table: self, blocks };
        for at in 0..taken.blocks.len() {
            taken.blocks[at].sort();
            self.context.spend(taken.blocks[at].len() as u64 * 3).await;
        }
        let sources = taken.blocks.iter().cloned().map(Source::Block);
        let merge = PartMerge::new(sources, self.options.prepare, Effort::Fast);
        let suffix = self.new_suffix();
        let Some(written) = self.write_part(suffix, merge, false).await? else { return Ok(()) };
        let to = written.dir().clone();
        self.commit_part(suffix, vec![Change::Publish { from: self.tmp_dir(suffix), to }]).await?;
        taken.blocks.clear();
        let (part, items) = (written.dir().name().to_owned(), written.header().items);
        self.apply(Some(written), &[]);
        self.flushes_durable.set(flush_number);
        self.context.emit(|| Event::IndexFlushed { table: self.dir.name().to_owned(), items, part });
        Ok(())
    }

    /// Links all files of the table's parts into a directory of the same name below `snapshot_dir`. The parts must be held
    /// until the changes are committed.
    pub fn snapshot_changes(&self, snapshot_dir: &FilePath) -> (Vec<Change>, Rc<PartList>) {
        let to = snapshot_dir.join(self.dir.name());
        let parts = self.parts();
        let link = |part: &Rc<Part>| Change::Link { from: part.dir().clone(), to: to.join(part.dir().name()) };
        (parts.iter().map(link).collect(), parts)
    }

    /// Takes the whole table out of service: its directory goes when nobody reads its parts any more.
    pub async fn retire(&self) {
        self.close();
        let _turn = self.take_flush_turn().await;
        let parts = self.parts();
        let remains = Remains { paths: vec![self.dir.clone()], owners: owners(&parts) };
        let retirement = Retirement::new(remains, self.graveyard.clone());
        for part in parts.iter() {
            part.retire(&retirement);
        }
        self.parts.replace(Rc::default());
    }

    /// The greatest item that is less than `key`.
    pub async fn last_below(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut best: Option<Vec<u8>> = None;
        for part in self.parts().iter() {
            let item = super::search::last_below(&self.context, part, key).await?;
            best = best.max(item);
        }
        Ok(best)
    }

    /// The table for `inspect()`.
    pub fn state(&self) -> TableState {
        let part_state = |part: &Rc<Part>| PartState {
            name: part.dir().name().to_owned(),
            items: part.header().items,
            blocks: part.header().blocks,
            bytes: part.size_bytes(),
            is_merging: part.is_leased.get(),
        };
        TableState {
            name: self.dir.name().to_owned(),
            parts: self.parts().iter().map(part_state).collect(),
            pending_items: self.pending_items(),
            pending_bytes: self.pending_bytes(),
        }
    }

    // ---- the only place where the list of parts changes ------------------------------------------------------------

    /// A new part takes the place of its sources, if they are all still there.
    fn apply(&self, new_part: Option<Part>, gone: &[Rc<Part>]) {
        let parts = self.parts();
        let stays = |part: &&Rc<Part>| !gone.iter().any(|gone| Rc::ptr_eq(gone, part));
        let mut list: PartList = parts.iter().filter(stays).cloned().collect();
        debug_assert!(
            self.is_closed.get() || list.len() + gone.len() == parts.len(),
            "a merge's sources left the list"
        );
        list.extend(new_part.map(Rc::new));
        self.parts.replace(Rc::new(list));
        self.parts_changed.raise();
    }

    // ---- writing ---------------------------------------------------------------------------------------------------

    fn new_suffix(&self) -> u64 {
        self.next_suffix.replace(self.next_suffix.get().wrapping_add(1))
    }

    fn tmp_dir(&self, suffix: u64) -> FilePath {
        self.dir.join(&format!("tmp/{suffix:016X}"))
    }

    async fn take_flush_turn(&self) -> FlushTurn<'_> {
        while self.is_flushing.get() {
            let seen = self.flush_ended.version();
            self.context.changed(&self.flush_ended, seen).await;
        }
        self.is_flushing.set(true);
        FlushTurn(self)
    }

    /// Runs a merge to its end and writes its result below `tmp/`; the part is what it will be once it is published. `None`
    /// when there were no items, or when the table is closing and the merge may be given up.
    async fn write_part(&self, suffix: u64, merge: PartMerge, may_give_up: bool) -> Result<Option<Part>> {
        let result = self.write_files(suffix, merge, may_give_up).await;
        if !matches!(result, Ok(Some(_))) {
            self.remove_tmp(suffix).await;
        }
        result
    }

    async fn write_files(&self, suffix: u64, mut merge: PartMerge, may_give_up: bool) -> Result<Option<Part>> {
        let tmp = self.tmp_dir(suffix);
        loop {
            match merge.step()? {
                Step::Starving { input, file, range } => {
                    let Some(part) = merge.input_part(input) else {
                        return Err(Error::invalid("a merge wants bytes of a block that is in memory"));
                    };
                    let bytes = part.read(&self.context, file, range.clone()).await?;
                    merge.feed(input, file, range.start, bytes);
                }
                Step::Progress { items } => {
                    if may_give_up && (self.context.is_shutting_down() || self.is_closed.get()) {
                        return Ok(None);
                    }
                    for (file, bytes) in merge.take_chunks(WRITE_CHUNK) {
                        self.context.append(&tmp.join(file.name()), bytes).await?;
                    }
                    // Decoding, comparing, encoding.
                    self.context.spend(items * 5).await;
                }
                Step::Done => break,
            }
        }
        let Some(WrittenPart { header, metaindex, rest, sizes }) = merge.finish()? else { return Ok(None) };
        let metadata = Bytes::from(header.metadata_json());
        let files = PartFile::ALL.into_iter().map(PartFile::name).zip(rest).chain([(METADATA_FILE, metadata)]);
        for (file, bytes) in files {
            // Of no bytes, too: the file has to be there.
            self.context.append(&tmp.join(file), bytes).await?;
        }
        let dir = self.dir.join(&header.dir_name(suffix));
        Ok(Some(Part::published(&self.context, dir, suffix, header, metaindex, sizes)))
    }

    async fn commit_part(&self, suffix: u64, changes: Vec<Change>) -> Result<()> {
        let result = self.context.commit(changes).await;
        if result.is_err() {
            self.remove_tmp(suffix).await;
        }
        result
    }

    /// What can't be removed now is removed when the table is opened.
    async fn remove_tmp(&self, suffix: u64) {
        let _ = self.context.commit(vec![Change::Remove { path: self.tmp_dir(suffix) }]).await;
    }

    // ---- merging ---------------------------------------------------------------------------------------------------

    /// Merges the best choice of parts; `false` when there is nothing worth it.
    async fn merge_once(&self, is_final: bool) -> Result<bool> {
        let parts = self.parts();
        let is_free = |part: &Rc<Part>| !part.is_leased.get() && !part.is_suspect.get();
        let sizes: Vec<Option<u64>> = parts.iter().map(|part| is_free(part).then(|| part.size_bytes())).collect();
        let choice = policy::select(&sizes, MAX_PART_SIZE, is_final);
        if choice.is_empty() {
            return Ok(false);
        }
        let lease = Lease::new(self, choice.into_iter().map(|at| parts[at].clone()).collect());
        drop(parts);
        let result = self.merge(&lease).await;
        if let Err(error) = &result
            && error.kind() == ErrorKind::Corrupt
        {
            lease.parts.iter().for_each(|part| part.is_suspect.set(true));
        }
        result.map(|()| true)
    }

    async fn merge(&self, lease: &Lease<'_>) -> Result<()> {
        let items: u64 = lease.parts.iter().map(|part| part.header().items).sum();
        let effort = if items >= THOROUGH_ITEMS { Effort::Thorough } else { Effort::Fast };
        let sources = lease.parts.iter().map(|part| Source::Part(part.clone(), READ_AHEAD));
        let merge = PartMerge::new(sources, self.options.prepare, effort);
        let suffix = self.new_suffix();
        let Some(part) = self.write_part(suffix, merge, true).await? else {
            return Err(Error::new(ErrorKind::Aborted, "the table is closing"));
        };
        let transaction = self.dir.join(&format!("txn/{suffix:016X}"));
        let (tmp, dst) = (self.tmp_dir(suffix), part.dir().clone());
        let mut text: String = lease.parts.iter().map(|source| format!("{}\n", source.dir().as_str())).collect();
        text.push_str(&format!("{} -> {}\n", tmp.as_str(), dst.as_str()));
        let changes = vec![
            Change::Publish { from: tmp, to: dst },
            Change::Put { file: transaction.clone(), bytes: Bytes::from(text) },
        ];
        self.commit_part(suffix, changes).await?;
        let mut paths: Vec<FilePath> = lease.parts.iter().map(|source| source.dir().clone()).collect();
        paths.push(transaction);
        let remains = Remains { paths, owners: owners(&lease.parts) };
        let retirement = Retirement::new(remains, self.graveyard.clone());
        lease.parts.iter().for_each(|source| source.retire(&retirement));
        let (name, items) = (part.dir().name().to_owned(), part.header().items);
        self.apply(Some(part), &lease.parts);
        self.context.emit(|| Event::IndexMerged {
            table: self.dir.name().to_owned(),
            sources: lease.parts.iter().map(|source| source.dir().name().to_owned()).collect(),
            part: name,
            items,
        });
        Ok(())
    }

    // ---- jobs ------------------------------------------------------------------------------------------------------

    /// Every second, unless the last flush was less than two seconds ago (engine-behaviour §9). Sleeps while nothing waits.
    async fn run_flusher(self: Rc<Self>) {
        let context = self.context.clone();
        let mut failures = 0;
        while !self.is_closed.get() {
            let seen = self.items_arrived.version();
            if self.raw_items.borrow().is_empty() {
                context.changed(&self.items_arrived, seen).await;
                continue;
            }
            if self.pending_bytes() < MAX_RAW_BYTES || failures > 0 {
                let ticks = (context.now() - self.opened_at).div_euclid(SECOND_MS) + 1;
                let next_tick = self.opened_at + ticks * SECOND_MS;
                let retry = context.now() + retry_delay_ms(failures);
                context.changed_or_until(&self.items_arrived, seen, if failures > 0 { retry } else { next_tick }).await;
                let seconds = |instant: TimestampMs| instant.div_euclid(SECOND_MS);
                let since = seconds(context.now()).saturating_sub(seconds(self.last_flush.get()));
                if self.is_closed.get() || (since <= 1 && self.pending_bytes() < MAX_RAW_BYTES) {
                    continue;
                }
            }
            match self.flush().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    let message = format!("index items wait in memory, since they can't be written: {error}");
                    context.emit(|| Event::Degraded { message });
                }
            }
            while self.parts().len() > MAX_PARTS && matches!(self.merge_once(true).await, Ok(true)) {}
        }
    }

    /// Merges when the list of parts has changed, and once more, with less to gain, when it has not for a while.
    async fn run_merger(self: Rc<Self>) {
        let context = self.context.clone();
        let mut last_merge = context.now();
        let mut is_final = false;
        let mut failures = 0;
        while !self.is_closed.get() && !context.is_shutting_down() {
            let seen = self.parts_changed.version();
            match self.merge_once(is_final).await {
                Ok(true) => {
                    (last_merge, is_final, failures) = (context.now(), false, 0);
                    continue;
                }
                // Nothing to do until something changes, or until it is time to be content with less.
                Ok(false) if is_final || self.parts().len() < 2 => {
                    context.changed(&self.parts_changed, seen).await;
                    is_final = false;
                }
                Ok(false) => {
                    let deadline = last_merge + FINAL_MERGE_DELAY_MS;
                    context.changed_or_until(&self.parts_changed, seen, deadline).await;
                    is_final = context.now() >= deadline;
                    if is_final {
                        last_merge = context.now();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Aborted => return,
                Err(error) => {
                    failures += 1;
                    context
                        .emit(|| Event::Degraded { message: format!("parts of the index can't be merged: {error}") });
                    context.sleep_until(context.now() + retry_delay_ms(failures)).await;
                }
            }
        }
    }
}

/// One second, doubled with each failure up to about a minute.
fn retry_delay_ms(failures: u32) -> i64 {
    SECOND_MS << failures.min(6)
}

fn owners(parts: &[Rc<Part>]) -> Vec<u64> {
    parts.iter().flat_map(|part| part.owners()).collect()
}

/// The right to flush.
struct FlushTurn<'a>(&'a Table);

impl Drop for FlushTurn<'_> {
    fn drop(&mut self) {
        self.0.is_flushing.set(false);
        self.0.flush_ended.raise();
    }
}

/// Items under way into a part. They go back if they don't arrive, even when the job is dropped.
struct TakenItems<'a> {
    table: &'a Table,
    blocks: Vec<ItemsBlock>,
}

impl Drop for TakenItems<'_> {
    fn drop(&mut self) {
        if !self.blocks.is_empty() {
            self.table.raw_items.borrow_mut().put_back(std::mem::take(&mut self.blocks));
        }
    }
}

/// Parts that a merge has to itself.
struct Lease<'a> {
    table: &'a Table,
    parts: Vec<Rc<Part>>,
}

impl<'a> Lease<'a> {
    fn new(table: &'a Table, parts: Vec<Rc<Part>>) -> Self {
        table.running_merges.set(table.running_merges.get() + 1);
        parts.iter().for_each(|part| part.is_leased.set(true));
        Self { table, parts }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.table.running_merges.set(self.table.running_merges.get() - 1);
        for part in &self.parts {
            if part.retirement.get().is_none() {
                part.is_leased.set(false);
            }
        }
        if self.table.is_closed.get() {
            self.table.parts_changed.raise();
        }
    }
}

// ---- opening -------------------------------------------------------------------------------------------------------

fn is_service_dir(name: &str) -> bool {
    name == "tmp" || name == "txn"
}

/// Finishes what transaction files announce, and removes what was being written.
async fn replay_transactions(context: &Context, dir: &FilePath) -> Result<()> {
    let (tmp_dir, txn_dir) = (dir.join("tmp"), dir.join("txn"));
    for entry in context.list(&txn_dir).await? {
        let EntryKind::File { size_bytes } = entry.kind else { continue };
        let is_unfinished = entry
            .name
            .rsplit_once(".tmp.")
            .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        if is_unfinished {
            continue;
        }
        let file = txn_dir.join(&entry.name);
        let text = context.read(&file, 0..size_bytes).await?;
        let transaction = Transaction::parse(&text, dir).map_err(|error| error.at(&file))?;
        let mut changes: Vec<Change> = transaction.old_parts.into_iter().map(|path| Change::Remove { path }).collect();
        // Our own commits publish and write this file at once; only another writer leaves the part to be moved.
        let (tmp, dst) = (transaction.tmp, transaction.dst);
        if !context.list(&tmp).await?.is_empty() && context.list(&dst).await?.is_empty() {
            changes.push(Change::Publish { from: tmp, to: dst });
        }
        changes.push(Change::Remove { path: file });
        context.commit(changes).await?;
    }
    let mut leftovers = Vec::new();
    for path in [tmp_dir, txn_dir] {
        if !context.list(&path).await?.is_empty() {
            leftovers.push(Change::Remove { path });
        }
    }
    if leftovers.is_empty() { Ok(()) } else { context.commit(leftovers).await }
}

/// What a transaction file says.
#[derive(Debug, PartialEq, Eq)]
struct Transaction {
    old_parts: Vec<FilePath>,
    tmp: FilePath,
    dst: FilePath,
}

impl Transaction {
    /// Reads a transaction file of the table in `dir`. A server writes absolute paths, of which the end counts.
    fn parse(text: &[u8], dir: &FilePath) -> Result<Self> {
        let fail = |why: &str| Error::corrupt(format!("this is no transaction file: {why}"));
        let text = str::from_utf8(text).map_err(|_| fail("it is no text"))?;
        let text = text.strip_suffix('\n').ok_or_else(|| fail("its last line has no end"))?;
        let (old_parts, renaming) = match text.rsplit_once('\n') {
            Some((old_parts, renaming)) => (old_parts.split('\n').collect(), renaming),
            None => (Vec::new(), text),
        };
        // The last `depth` names of a path, which must lie in a directory of the table's name.
        let inside = |path: &str, depth: usize| {
            let mut names: Vec<&str> = path.rsplit('/').take(depth + 1).collect();
            if names.len() != depth + 1 || names.pop() != Some(dir.name()) {
                return Err(fail(&format!("{path:?} is not in the table's directory")));
            }
            names.reverse();
            FilePath::new(&format!("{}/{}", dir.as_str(), names.join("/")))
        };
        let (tmp, dst) = renaming.split_once(" -> ").ok_or_else(|| fail("its last line is not \"from -> to\""))?;
        let old_parts: Result<Vec<FilePath>> = old_parts.into_iter().map(|path| inside(path, 1)).collect();
        let transaction = Self { old_parts: old_parts?, tmp: inside(tmp, 2)?, dst: inside(dst, 1)? };
        let touches_service = |path: &FilePath| is_service_dir(path.name());
        if transaction.old_parts.iter().any(touches_service)
            || touches_service(&transaction.dst)
            || transaction.tmp.parent().name() != "tmp"
        {
            return Err(fail("it names something that is no part"));
        }
        Ok(transaction)
    }
}
