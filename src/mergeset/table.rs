//! A mutable set of items over immutable parts: items arrive, are flushed into parts, and parts are merged.
//!
//! A new part is written below `tmp/` and made visible by one commit. A merge's commit also puts a transaction file that
//! lists the sources, so that they are removed either when their last reader has let go or when the table is opened again
//! (data-dir-layout §1.1).
//!
//! When the storage does not take a part made of new items, it stays in memory, where it can be searched, and is tried again
//! together with what has come since.

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
use crate::merge::transaction::{Home, Transaction, is_service_dir};
use crate::runtime::{Context, Lane, Purpose, Reservation, Signal, join_all};
use crate::time::{MINUTE_MS, SECOND_MS, TimestampMs, back_off_ms};
use crate::trace::event::Event;
use bytes::Bytes;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

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

/// Parts that stay in memory are merged when there are so many.
const MAX_PARTS_IN_MEMORY: usize = 8;
/// A merge for which the storage had no room in the end, though nobody had said so before, is not soon tried again.
const QUOTA_SLEEP_MS: i64 = 10 * MINUTE_MS;

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
    /// Its directory's name; empty while it is in memory alone.
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
    /// Items that are not in the storage yet.
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
    /// Raised when the first items arrive, when too many have, and when some have to stay in memory.
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
    /// Of merged parts that somebody may still read.
    retirements: RefCell<Vec<Weak<Retirement>>>,
    /// Counts flushes as they take their items, and says which of these counts can be searched.
    flushes_begun: Cell<u64>,
    flushes_ended: Cell<u64>,
    /// Flushes that the storage has refused since the last one it took, and when the last of these was.
    refusals: Cell<u32>,
    last_refusal: Cell<TimestampMs>,
    /// Names of the parts of the last merge that was put off for want of room.
    put_off: RefCell<Vec<String>>,
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
        Home { dirs: std::slice::from_ref(&dir), may_lose_all: false }.recover(context).await?;
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
            retirements: RefCell::default(),
            flushes_begun: Cell::new(0),
            flushes_ended: Cell::new(0),
            refusals: Cell::new(0),
            last_refusal: Cell::new(TimestampMs::MIN),
            put_off: RefCell::default(),
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

    /// Items that are not in the storage yet.
    pub fn pending_items(&self) -> u64 {
        self.raw_items.borrow().items() + self.parts_in_memory().iter().map(|part| part.header().items).sum::<u64>()
    }

    /// Bytes of these items.
    pub fn pending_bytes(&self) -> u64 {
        self.raw_bytes() + self.parts_in_memory().iter().map(|part| part.size_bytes()).sum::<u64>()
    }

    fn raw_bytes(&self) -> u64 {
        self.raw_items.borrow().bytes()
    }

    fn parts_in_memory(&self) -> PartList {
        self.parts.borrow().iter().filter(|part| part.is_in_memory()).cloned().collect()
    }

    /// The flush that items added now have to wait for; see [`Table::is_searchable`].
    pub fn flush_number(&self) -> u64 {
        self.flushes_begun.get()
    }

    /// Whether items that were added while [`Table::flush_number`] had this value can be found.
    pub fn is_searchable(&self, flush_number: u64) -> bool {
        self.flushes_ended.get() > flush_number
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
    /// What the storage says; the items stay in memory, can be searched, and go with the next flush.
    pub async fn flush(&self) -> Result<()> {
        let _turn = self.take_flush_turn().await;
        self.flush_waiting(true).await?.map_or(Ok(()), Err)
    }

    /// Makes all items that were added before searchable. They are durable as well unless the storage refuses to take them.
    ///
    /// # Errors
    /// When items can't be merged; they are kept and go with the next flush.
    pub async fn make_searchable(&self) -> Result<()> {
        let _turn = self.take_flush_turn().await;
        if self.raw_items.borrow().is_empty() {
            return Ok(());
        }
        self.flush_waiting(self.is_retry_due()).await.map(drop)
    }

    /// Writes items into a part of their own, into the head-room if need be.
    ///
    /// # Errors
    /// What the storage says; nothing was added then.
    pub async fn write_at_once(&self, add_items: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<()> {
        let mut items = RawItems::default();
        add_items(&mut |item| {
            // Only items of more than 64 KiB are left out, which nobody writes in a hurry.
            let _ = items.push(item);
        });
        let _turn = self.take_flush_turn().await;
        let mut blocks = items.take();
        blocks.iter_mut().for_each(ItemsBlock::sort);
        let Some(written) = self.merge_waiting(blocks.into_iter().map(Source::Block).collect()).await? else {
            return Ok(());
        };
        let part = self.store(&written, Purpose::Upkeep).await?;
        self.apply(Some(Rc::new(part)), &[]);
        Ok(())
    }

    /// Makes a part of the items that wait, and of parts that had to stay in memory. What the storage refuses to take stays in
    /// memory, too, and the refusal is the answer; so it does when the storage is not to be asked.
    async fn flush_waiting(&self, ask_storage: bool) -> Result<Option<Error>> {
        let blocks = self.raw_items.borrow_mut().take();
        self.last_flush.set(self.context.now());
        let mut in_memory = self.parts_in_memory();
        if !ask_storage && in_memory.len() < MAX_PARTS_IN_MEMORY {
            in_memory.clear();
        }
        if blocks.is_empty() && in_memory.is_empty() {
            return Ok(None);
        }
        self.flushes_begun.set(self.flushes_begun.get() + 1);
        let flush_number = self.flushes_begun.get();
        let mut taken = TakenItems { table: self, blocks };
        for at in 0..taken.blocks.len() {
            taken.blocks[at].sort();
            self.context.spend(taken.blocks[at].len() as u64 * 3).await;
        }
        let blocks = taken.blocks.iter().cloned().map(Source::Block);
        let parts = in_memory.iter().map(|part| Source::Part(part.clone(), READ_AHEAD));
        let Some(written) = self.merge_waiting(blocks.chain(parts).collect()).await? else { return Ok(None) };
        let (stored, refusal) = match ask_storage {
            true => match self.store(&written, Purpose::Data).await {
                Ok(part) => (Some(part), None),
                Err(error) => (None, Some(error)),
            },
            false => (None, None),
        };
        taken.blocks.clear();
        let is_stored = stored.is_some();
        let part = Rc::new(stored.unwrap_or_else(|| {
            let suffix = self.new_suffix();
            let dir = self.dir.join(&written.header.dir_name(suffix));
            Part::in_memory(&self.context, dir, suffix, written)
        }));
        self.apply(Some(part.clone()), &in_memory);
        self.flushes_ended.set(flush_number);
        for owner in owners(&in_memory) {
            self.context.block_cache().remove_owner(owner);
        }
        if is_stored {
            self.refusals.set(0);
            self.context.trouble_is_over(&self.place());
            self.context.emit(|| Event::IndexFlushed {
                table: self.dir.name().to_owned(),
                items: part.header().items,
                part: part.dir().name().to_owned(),
            });
        } else {
            // Whoever asked for this flush may have taken the items before the flusher saw them; it is the one who tries again.
            self.items_arrived.raise();
        }
        if let Some(error) = &refusal {
            self.refusals.set(self.refusals.get().saturating_add(1));
            self.last_refusal.set(self.context.now());
            let consequence = "its last entries stay in memory, can be searched, and are tried again";
            self.context.trouble(&self.place(), error, consequence);
        }
        Ok(refusal)
    }

    /// Whether the storage is worth being asked again.
    fn is_retry_due(&self) -> bool {
        let refusals = self.refusals.get();
        // A clock that was set back counts as a long time.
        let since = self.context.now().saturating_sub(self.last_refusal.get());
        refusals == 0 || !(0..back_off_ms(SECOND_MS, refusals)).contains(&since)
    }

    /// What its troubles are reported under.
    fn place(&self) -> String {
        format!("index {}", self.dir.name())
    }

    /// Links all files of the table's parts into a directory of the same name below `snapshot_dir`. The parts must be held
    /// until the changes are committed.
    pub fn snapshot_changes(&self, snapshot_dir: &FilePath) -> (Vec<Change>, Rc<PartList>) {
        let to = snapshot_dir.join(self.dir.name());
        let parts = self.parts();
        let link = |part: &Rc<Part>| Change::Link { from: part.dir().clone(), to: to.join(part.dir().name()) };
        // What is in memory has come since the flush before the snapshot.
        (parts.iter().filter(|part| !part.is_in_memory()).map(link).collect(), parts)
    }

    /// Takes the whole table out of service: its directory goes when nobody reads its parts any more, nor those that were
    /// merged before. Merges that are under way give up first. Items that wait are forgotten.
    pub async fn retire(&self) {
        self.close();
        let _turn = self.take_flush_turn().await;
        loop {
            let seen = self.parts_changed.version();
            if !self.is_merging() {
                break;
            }
            self.context.changed(&self.parts_changed, seen).await;
        }
        let parts = self.parts();
        let remains = Remains { paths: vec![self.dir.clone()], owners: owners(&parts) };
        let retirement = Retirement::new(remains, self.graveyard.clone());
        for part in parts.iter() {
            part.retire(&retirement);
        }
        for earlier in self.retirements.take().iter().filter_map(Weak::upgrade) {
            earlier.hold_back(&retirement);
        }
        self.parts.replace(Rc::default());
        drop(self.raw_items.borrow_mut().take());
        self.context.trouble_is_over(&self.place());
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
            name: if part.is_in_memory() { String::new() } else { part.dir().name().to_owned() },
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
    fn apply(&self, new_part: Option<Rc<Part>>, gone: &[Rc<Part>]) {
        let parts = self.parts();
        let stays = |part: &&Rc<Part>| !gone.iter().any(|gone| Rc::ptr_eq(gone, part));
        let mut list: PartList = parts.iter().filter(stays).cloned().collect();
        debug_assert!(
            self.is_closed.get() || list.len() + gone.len() == parts.len(),
            "a merge's sources left the list"
        );
        list.extend(new_part);
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

    /// Runs a merge of parts to its end and writes its result below `tmp/`; the part is what it will be once it is published.
    /// `None` when there were no items, or when the table is closing.
    async fn write_part(&self, suffix: u64, merge: PartMerge) -> Result<Option<Part>> {
        let result = self.write_merged(suffix, merge).await;
        if !matches!(result, Ok(Some(_))) {
            self.remove_tmp(suffix).await;
        }
        result
    }

    async fn write_merged(&self, suffix: u64, mut merge: PartMerge) -> Result<Option<Part>> {
        let tmp = self.tmp_dir(suffix);
        while self.step(&mut merge).await? {
            if self.context.is_shutting_down() || self.is_closed.get() {
                return Ok(None);
            }
            for (file, bytes) in merge.take_chunks(WRITE_CHUNK) {
                self.context.append(&tmp.join(file.name()), bytes, Purpose::Data).await?;
            }
        }
        let Some(written) = merge.finish()? else { return Ok(None) };
        self.append_rest(suffix, &written, Purpose::Data).await.map(Some)
    }

    /// Merges what waits in memory. `None` when there is nothing.
    async fn merge_waiting(&self, sources: Vec<Source>) -> Result<Option<WrittenPart>> {
        let mut merge = PartMerge::new(sources, self.options.prepare, Effort::Fast);
        while self.step(&mut merge).await? {}
        merge.finish()
    }

    /// Passes a block of items on; false at the end.
    async fn step(&self, merge: &mut PartMerge) -> Result<bool> {
        loop {
            match merge.step()? {
                Step::Starving { input, file, range } => {
                    let Some(part) = merge.input_part(input) else {
                        return Err(Error::internal("a merge wants bytes of a block that is in memory"));
                    };
                    let bytes = part.read(&self.context, file, range.clone()).await?;
                    merge.feed(input, file, range.start, bytes);
                }
                Step::Progress { items } => {
                    // Decoding, comparing, encoding.
                    self.context.spend(items * 5).await;
                    return Ok(true);
                }
                Step::Done => return Ok(false),
            }
        }
    }

    /// Writes and publishes a part that is in memory as a whole.
    async fn store(&self, written: &WrittenPart, purpose: Purpose) -> Result<Part> {
        if purpose == Purpose::Data {
            let what = format!("{}: writing {} entries", self.place(), written.header.items);
            self.context.room().check(written.sizes.iter().sum(), &what)?;
        }
        let suffix = self.new_suffix();
        let part = match self.append_rest(suffix, written, purpose).await {
            Ok(part) => part,
            Err(error) => {
                self.remove_tmp(suffix).await;
                return Err(error);
            }
        };
        self.commit_part(suffix, vec![Change::Publish { from: self.tmp_dir(suffix), to: part.dir().clone() }]).await?;
        Ok(part)
    }

    /// Appends what was not taken out of a merge's result before, and describes the part.
    async fn append_rest(&self, suffix: u64, written: &WrittenPart, purpose: Purpose) -> Result<Part> {
        let WrittenPart { header, metaindex, rest, sizes } = written;
        let tmp = self.tmp_dir(suffix);
        let metadata = Bytes::from(header.metadata_json());
        let files = PartFile::ALL.into_iter().map(PartFile::name).zip(rest).chain([(METADATA_FILE, &metadata)]);
        for (file, bytes) in files {
            let mut rest = bytes.clone();
            // Of no bytes, too: the file has to be there.
            loop {
                let chunk = rest.split_to(rest.len().min(2 * WRITE_CHUNK));
                self.context.append(&tmp.join(file), chunk, purpose).await?;
                if rest.is_empty() {
                    break;
                }
            }
        }
        let dir = self.dir.join(&header.dir_name(suffix));
        Ok(Part::published(&self.context, dir, suffix, header.clone(), metaindex.clone(), *sizes))
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
        let is_free = |part: &Rc<Part>| !part.is_leased.get() && !part.is_suspect.get() && !part.is_in_memory();
        let sizes: Vec<Option<u64>> = parts.iter().map(|part| is_free(part).then(|| part.size_bytes())).collect();
        let spare = self.context.room().spare_for_merges();
        let choice = policy::select(&sizes, MAX_PART_SIZE.min(spare), is_final);
        if choice.is_empty() {
            // With more room there might be one.
            if sizes.iter().flatten().sum::<u64>() > spare {
                let wanted = policy::select(&sizes, MAX_PART_SIZE, is_final);
                self.put_off(&wanted.into_iter().map(|at| parts[at].clone()).collect::<PartList>());
            }
            return Ok(false);
        }
        let lease = Lease::new(self, choice.into_iter().map(|at| parts[at].clone()).collect());
        drop(parts);
        let result = self.merge(&lease).await;
        match result.as_ref().err().map(Error::kind) {
            Some(ErrorKind::Corrupt) => lease.parts.iter().for_each(|part| part.is_suspect.set(true)),
            Some(ErrorKind::Quota) => self.put_off(&lease.parts),
            _ => {}
        }
        result.map(|()| true)
    }

    /// Tells of a merge that would not fit, or did not; once, as long as it is wanted.
    fn put_off(&self, parts: &[Rc<Part>]) {
        if parts.is_empty() {
            return;
        }
        let room = self.context.room();
        room.falls_short();
        let sources: Vec<String> = parts.iter().map(|part| part.dir().name().to_owned()).collect();
        let last = self.put_off.replace(sources.clone());
        if sources.iter().any(|source| last.contains(source)) {
            return;
        }
        room.put_off_merge();
        self.context.emit(|| Event::IndexMergePutOff {
            table: self.dir.name().to_owned(),
            sources,
            needed_bytes: bytes_of(parts),
            room_bytes: room.left_bytes().map_or(0, |_| room.spare_for_merges()),
        });
    }

    async fn merge(&self, lease: &Lease<'_>) -> Result<()> {
        let _reservation = Reservation::new(&self.context, bytes_of(&lease.parts));
        let items: u64 = lease.parts.iter().map(|part| part.header().items).sum();
        let effort = if items >= THOROUGH_ITEMS { Effort::Thorough } else { Effort::Fast };
        let sources = lease.parts.iter().map(|part| Source::Part(part.clone(), READ_AHEAD));
        let merge = PartMerge::new(sources, self.options.prepare, effort);
        let suffix = self.new_suffix();
        let Some(part) = self.write_part(suffix, merge).await? else {
            return Err(Error::new(ErrorKind::Aborted, "the table is closing"));
        };
        let transaction = self.dir.join(&format!("txn/{suffix:016X}"));
        let old_parts: Vec<FilePath> = lease.parts.iter().map(|source| source.dir().clone()).collect();
        let announced = Transaction { old_parts, tmp: self.tmp_dir(suffix), dst: Some(part.dir().clone()) };
        self.commit_part(suffix, announced.changes(&transaction)).await?;
        let mut paths = announced.old_parts;
        paths.push(transaction);
        let remains = Remains { paths, owners: owners(&lease.parts) };
        let retirement = Retirement::new(remains, self.graveyard.clone());
        lease.parts.iter().for_each(|source| source.retire(&retirement));
        self.retirements.borrow_mut().retain(|earlier| earlier.strong_count() > 0);
        self.retirements.borrow_mut().push(Rc::downgrade(&retirement));
        let (name, items) = (part.dir().name().to_owned(), part.header().items);
        self.apply(Some(Rc::new(part)), &lease.parts);
        self.context.emit(|| Event::IndexMerged {
            table: self.dir.name().to_owned(),
            sources: lease.parts.iter().map(|source| source.dir().name().to_owned()).collect(),
            part: name,
            items,
        });
        Ok(())
    }

    // ---- jobs ------------------------------------------------------------------------------------------------------

    /// Every second, unless the last flush was less than two seconds ago (engine-behaviour §9). Sleeps while nothing waits. What
    /// the storage has refused is tried ever more rarely, and at once when there is more room.
    async fn run_flusher(self: Rc<Self>) {
        let context = self.context.clone();
        let room_grown = context.room().grown().clone();
        let mut failures = 0;
        while !self.is_closed.get() {
            let arrived = (&self.items_arrived, self.items_arrived.version());
            let grown = (&room_grown, room_grown.version());
            let has_items = !self.raw_items.borrow().is_empty();
            if !has_items && self.parts_in_memory().is_empty() {
                context.changed(&self.items_arrived, arrived.1).await;
                continue;
            }
            let now = context.now();
            let has_many = || self.raw_bytes() >= MAX_RAW_BYTES;
            if failures > 0 {
                context.changed_or_until(&self.items_arrived, arrived.1, now + back_off_ms(SECOND_MS, failures)).await;
            } else if !has_items {
                context.first_of(&[arrived, grown], now + back_off_ms(SECOND_MS, self.refusals.get())).await;
            } else if !has_many() {
                let ticks = (now - self.opened_at).div_euclid(SECOND_MS) + 1;
                context.first_of(&[arrived, grown], self.opened_at + ticks * SECOND_MS).await;
            }
            if self.is_closed.get() {
                return;
            }
            let seconds = |instant: TimestampMs| instant.div_euclid(SECOND_MS);
            let since = seconds(context.now()).saturating_sub(seconds(self.last_flush.get()));
            // Fewer than no seconds have passed when the clock was set back.
            let is_early = (0..=1).contains(&since) && !has_many();
            let asks = self.is_retry_due() || room_grown.version() != grown.1;
            let has_items = !self.raw_items.borrow().is_empty() && !is_early;
            let has_refused = !self.parts_in_memory().is_empty() && asks;
            if !has_items && !has_refused {
                continue;
            }
            let result = {
                let _turn = self.take_flush_turn().await;
                self.flush_waiting(asks).await
            };
            match result {
                Ok(_) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        context.degraded(&error, format!("{}: {error}; its last entries wait in memory", self.place()));
                    }
                }
            }
            while self.parts().len() > MAX_PARTS && matches!(self.merge_once(true).await, Ok(true)) {}
        }
    }

    /// Merges when the list of parts has changed, and once more, with less to gain, when it has not for a while.
    async fn run_merger(self: Rc<Self>) {
        let context = self.context.clone();
        let room_grown = context.room().grown().clone();
        let mut last_merge = context.now();
        let mut is_final = false;
        let mut failures = 0;
        while !self.is_closed.get() && !context.is_shutting_down() {
            let changed = (&self.parts_changed, self.parts_changed.version());
            let grown = (&room_grown, room_grown.version());
            let result = self.merge_once(is_final).await;
            // The clock may have been set back.
            last_merge = last_merge.min(context.now());
            match result {
                Ok(true) => {
                    (last_merge, is_final, failures) = (context.now(), false, 0);
                    continue;
                }
                // Nothing to do until something changes, or until it is time to be content with less.
                Ok(false) if is_final || self.parts().len() < 2 => {
                    context.first_of(&[changed, grown], TimestampMs::MAX).await;
                    is_final = false;
                }
                Ok(false) => {
                    let deadline = last_merge + FINAL_MERGE_DELAY_MS;
                    context.first_of(&[changed, grown], deadline).await;
                    is_final = context.now() >= deadline;
                    if is_final {
                        last_merge = context.now();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Aborted => return,
                Err(error) => {
                    failures += 1;
                    let is_full = error.kind() == ErrorKind::Quota;
                    if failures == 1 && !is_full {
                        context.degraded(&error, format!("{}: {error}; its parts stay as they are", self.place()));
                    }
                    let delay = if is_full { QUOTA_SLEEP_MS } else { back_off_ms(SECOND_MS, failures) };
                    context.first_of(&[grown], context.now() + delay).await;
                }
            }
        }
    }
}

/// Sum of the parts' sizes: what a part merged from them takes at the most.
fn bytes_of(parts: &[Rc<Part>]) -> u64 {
    parts.iter().map(|part| part.size_bytes()).sum()
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
