//! Items that wait become parts: searchable and durable, or at least searchable while the storage takes nothing
//! (engine-behaviour §9).

use super::block::ItemsBlock;
use super::files::TableFiles;
use super::live_parts::LiveParts;
use super::merge::Source;
use super::merger::{Merger, READ_AHEAD};
use super::part::Part;
use super::raw_items::RawItems;
use crate::error::{Error, Result};
use crate::runtime::{Purpose, Signal};
use crate::time::{SECOND_MS, TimestampMs, back_off_ms};
use crate::trace::event::Event;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Bytes of items that make the flusher not wait for its ticker. The server lets 32 MiB a shard wait.
const MAX_RAW_BYTES: u64 = 8 << 20;
/// Above so many parts the flusher merges before it goes on.
const MAX_PARTS: usize = 512;
/// Parts that stay in memory are merged when there are so many.
const MAX_PARTS_IN_MEMORY: usize = 8;

/// Whether somebody flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Free,
    Taken,
}

/// Flushes that the storage has refused since the last one it took.
#[derive(Clone, Copy, Debug)]
struct Refusals {
    count: u32,
    /// When the last of these was.
    last: TimestampMs,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { count: 0, last: TimestampMs::MIN }
    }
}

/// Takes items in, and makes parts of them.
pub(super) struct Flusher {
    files: Rc<TableFiles>,
    parts: Rc<LiveParts>,
    merger: Rc<Merger>,
    raw_items: RefCell<RawItems>,
    /// Raised when the first items arrive, when too many have, and when some have to stay in memory.
    items_arrived: Signal,
    turn: Cell<Turn>,
    flush_ended: Signal,
    opened_at: TimestampMs,
    last_flush: Cell<TimestampMs>,
    /// Counts flushes as they take their items, and says which of these counts can be searched.
    flushes_begun: Cell<u64>,
    flushes_ended: Cell<u64>,
    refusals: Cell<Refusals>,
}

impl Flusher {
    pub(super) fn new(files: Rc<TableFiles>, parts: Rc<LiveParts>, merger: Rc<Merger>) -> Self {
        Self {
            opened_at: files.context.now(),
            files,
            parts,
            merger,
            raw_items: RefCell::default(),
            items_arrived: Signal::default(),
            turn: Cell::new(Turn::Free),
            flush_ended: Signal::default(),
            last_flush: Cell::new(TimestampMs::MIN),
            flushes_begun: Cell::new(0),
            flushes_ended: Cell::new(0),
            refusals: Cell::default(),
        }
    }

    /// Lets the job see that it is to end.
    pub(super) fn wake(&self) {
        self.items_arrived.raise();
    }

    /// Items that wait.
    pub(super) fn raw_items(&self) -> u64 {
        self.raw_items.borrow().items()
    }

    /// Bytes of items that wait.
    pub(super) fn raw_bytes(&self) -> u64 {
        self.raw_items.borrow().bytes()
    }

    /// Forgets the items that wait.
    pub(super) fn forget_items(&self) {
        drop(self.raw_items.borrow_mut().take());
    }

    /// The flush that items added now have to wait for; see [`Flusher::is_searchable`].
    pub(super) fn flush_number(&self) -> u64 {
        self.flushes_begun.get()
    }

    /// Whether items that were added while [`Flusher::flush_number`] had this value can be found.
    pub(super) fn is_searchable(&self, flush_number: u64) -> bool {
        self.flushes_ended.get() > flush_number
    }

    /// Hands `add_items` a function that adds items. They can be found after the next flush.
    ///
    /// # Errors
    /// `Invalid` when an item was longer than 64 KiB; it was left out.
    pub(super) fn add_items(&self, add_items: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<()> {
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
    pub(super) async fn flush(&self) -> Result<()> {
        let _turn = self.take_flush_turn().await;
        self.flush_waiting(true).await?.map_or(Ok(()), Err)
    }

    /// Makes all items that were added before searchable. They are durable as well unless the storage refuses to take them.
    ///
    /// # Errors
    /// When items can't be merged; they are kept and go with the next flush.
    pub(super) async fn make_searchable(&self) -> Result<()> {
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
    pub(super) async fn write_at_once(&self, add_items: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<()> {
        let mut items = RawItems::default();
        add_items(&mut |item| {
            // Only items of more than 64 KiB are left out, which nobody writes in a hurry.
            let _ = items.push(item);
        });
        let _turn = self.take_flush_turn().await;
        let mut blocks = items.take();
        blocks.iter_mut().for_each(ItemsBlock::sort);
        let Some(written) = self.files.merge_waiting(blocks.into_iter().map(Source::Block).collect()).await? else {
            return Ok(());
        };
        let part = self.files.store(&written, Purpose::Upkeep).await?;
        self.parts.replace(Some(Rc::new(part)), &[]);
        self.files.context.arrivals().note_all();
        Ok(())
    }

    /// Makes a part of the items that wait, and of parts that had to stay in memory. What the storage refuses to take stays in
    /// memory, too, and the refusal is the answer; so it does when the storage is not to be asked.
    async fn flush_waiting(&self, ask_storage: bool) -> Result<Option<Error>> {
        let blocks = self.raw_items.borrow_mut().take();
        self.last_flush.set(self.files.context.now());
        let mut in_memory = self.parts.in_memory();
        if !ask_storage && in_memory.len() < MAX_PARTS_IN_MEMORY {
            in_memory.clear();
        }
        if blocks.is_empty() && in_memory.is_empty() {
            return Ok(None);
        }
        self.flushes_begun.set(self.flushes_begun.get() + 1);
        let flush_number = self.flushes_begun.get();
        let mut taken = TakenItems { flusher: self, blocks };
        for at in 0..taken.blocks.len() {
            taken.blocks[at].sort();
            self.files.context.spend(taken.blocks[at].len() as u64 * 3).await;
        }
        let blocks = taken.blocks.iter().cloned().map(Source::Block);
        let parts = in_memory.iter().map(|part| Source::Part(part.clone(), READ_AHEAD));
        let Some(written) = self.files.merge_waiting(blocks.chain(parts).collect()).await? else { return Ok(None) };
        let (stored, refusal) = match ask_storage {
            true => match self.files.store(&written, Purpose::Data).await {
                Ok(part) => (Some(part), None),
                Err(error) => (None, Some(error)),
            },
            false => (None, None),
        };
        let has_new_items = !taken.blocks.is_empty();
        taken.blocks.clear();
        let is_stored = stored.is_some();
        let part = Rc::new(stored.unwrap_or_else(|| {
            let suffix = self.files.new_suffix();
            let dir = self.files.dir.join(&written.header.dir_name(suffix));
            Part::in_memory(&self.files.context, dir, suffix, written)
        }));
        self.parts.replace(Some(part.clone()), &in_memory);
        if has_new_items {
            // Series that nobody could find may have samples of any time.
            self.files.context.arrivals().note_all();
        }
        self.flushes_ended.set(flush_number);
        for owner in in_memory.iter().flat_map(|part| part.owners()) {
            self.files.context.block_cache().remove_owner(owner);
        }
        if is_stored {
            self.refusals.set(Refusals::default());
            self.files.context.trouble_is_over(&self.files.place());
            self.files.context.emit(|| Event::IndexFlushed {
                table: self.files.name().to_owned(),
                items: part.header().items,
                part: part.dir().name().to_owned(),
            });
        } else {
            // Whoever asked for this flush may have taken the items before the flusher saw them; it is the one who tries again.
            self.items_arrived.raise();
        }
        if let Some(error) = &refusal {
            let count = self.refusals.get().count.saturating_add(1);
            self.refusals.set(Refusals { count, last: self.files.context.now() });
            let consequence = "its last entries stay in memory, can be searched, and are tried again";
            self.files.context.trouble(&self.files.place(), error, consequence);
        }
        Ok(refusal)
    }

    /// Whether the storage is worth being asked again.
    fn is_retry_due(&self) -> bool {
        let Refusals { count, last } = self.refusals.get();
        // A clock that was set back counts as a long time.
        let since = self.files.context.now().saturating_sub(last);
        count == 0 || !(0..back_off_ms(SECOND_MS, count)).contains(&since)
    }

    /// One flush at a time.
    pub(super) async fn take_flush_turn(&self) -> FlushTurn<'_> {
        while self.turn.get() == Turn::Taken {
            let seen = self.flush_ended.version();
            self.files.context.changed(&self.flush_ended, seen).await;
        }
        self.turn.set(Turn::Taken);
        FlushTurn(self)
    }

    /// Every second, unless the last flush was less than two seconds ago (engine-behaviour §9). Sleeps while nothing waits. What
    /// the storage has refused is tried ever more rarely, and at once when there is more room.
    pub(super) async fn run(self: Rc<Self>) {
        let context = self.files.context.clone();
        let room_grown = context.room().grown().clone();
        let mut failures = 0;
        while !self.files.is_closed() {
            let arrived = (&self.items_arrived, self.items_arrived.version());
            let grown = (&room_grown, room_grown.version());
            let has_items = !self.raw_items.borrow().is_empty();
            if !has_items && self.parts.in_memory().is_empty() {
                context.changed(&self.items_arrived, arrived.1).await;
                continue;
            }
            let now = context.now();
            let has_many = || self.raw_bytes() >= MAX_RAW_BYTES;
            if failures > 0 {
                context.changed_or_until(&self.items_arrived, arrived.1, now + back_off_ms(SECOND_MS, failures)).await;
            } else if !has_items {
                context.first_of(&[arrived, grown], now + back_off_ms(SECOND_MS, self.refusals.get().count)).await;
            } else if !has_many() {
                let ticks = (now - self.opened_at).div_euclid(SECOND_MS) + 1;
                context.first_of(&[arrived, grown], self.opened_at + ticks * SECOND_MS).await;
            }
            if self.files.is_closed() {
                return;
            }
            let seconds = |instant: TimestampMs| instant.div_euclid(SECOND_MS);
            let since = seconds(context.now()).saturating_sub(seconds(self.last_flush.get()));
            // Fewer than no seconds have passed when the clock was set back.
            let is_early = (0..=1).contains(&since) && !has_many();
            let asks = self.is_retry_due() || room_grown.version() != grown.1;
            let has_items = !self.raw_items.borrow().is_empty() && !is_early;
            let has_refused = !self.parts.in_memory().is_empty() && asks;
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
                        context.degraded(
                            &error,
                            format!("{}: {error}; its last entries wait in memory", self.files.place()),
                        );
                    }
                }
            }
            while self.parts.list().len() > MAX_PARTS && matches!(self.merger.merge_best(true).await, Ok(true)) {}
        }
    }
}

/// The right to flush.
pub(super) struct FlushTurn<'a>(&'a Flusher);

impl Drop for FlushTurn<'_> {
    fn drop(&mut self) {
        self.0.turn.set(Turn::Free);
        self.0.flush_ended.raise();
    }
}

/// Items under way into a part. They go back if they don't arrive, even when the job is dropped.
struct TakenItems<'a> {
    flusher: &'a Flusher,
    blocks: Vec<ItemsBlock>,
}

impl Drop for TakenItems<'_> {
    fn drop(&mut self) {
        if !self.blocks.is_empty() {
            self.flusher.raw_items.borrow_mut().put_back(std::mem::take(&mut self.blocks));
        }
    }
}
