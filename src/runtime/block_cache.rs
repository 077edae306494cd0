//! Decoded index blocks and what was read of data files, kept within a budget of bytes. All kinds of blocks share one cache and one budget.
//!
//! Eviction is CLOCK: a block that was asked for since the hand last passed is spared once. A lookup then costs one hash and
//! one flag, where a list in order of use would be relinked each time. What is evicted depends on the calls alone.

use serde::Serialize;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The budget until [`BlockCache::set_budget_bytes`] is called.
pub const DEFAULT_BUDGET_BYTES: u64 = 32 << 20;

/// Bytes that an entry costs beside its block: key, slot and the share of the hash table.
const ENTRY_OVERHEAD_BYTES: u64 = 96;

/// Where a block comes from: a file, by the number that [`BlockCache::new_owner`] gave it, and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// The file, or any other thing whose blocks are told apart by offsets and forgotten together.
    pub owner: u64,
    /// Tells the owner's blocks apart.
    pub offset: u64,
}

/// What the cache holds and how well it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockCacheStats {
    /// The budget in bytes; 0 means that nothing is cached.
    pub budget_bytes: u64,
    /// Bytes held now, never more than the budget.
    pub bytes: u64,
    /// Blocks held now.
    pub blocks: u64,
    /// Lookups that found their block.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Blocks that had to make room.
    pub evictions: u64,
}

/// The cache. It hangs on the context; blocks that are in use stay alive with their users, however small the budget.
#[derive(Debug)]
pub struct BlockCache(RefCell<Clock>);

#[derive(Debug)]
struct Clock {
    places: HashMap<BlockKey, usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hand: usize,
    next_owner: u64,
    stats: BlockCacheStats,
}

#[derive(Debug)]
struct Slot {
    key: BlockKey,
    block: Rc<dyn Any>,
    cost_bytes: u64,
    used: bool,
}

impl Default for BlockCache {
    fn default() -> Self {
        Self::new(DEFAULT_BUDGET_BYTES)
    }
}

impl BlockCache {
    /// An empty cache. A budget of 0 caches nothing.
    pub fn new(budget_bytes: u64) -> Self {
        Self(RefCell::new(Clock {
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            next_owner: 0,
            stats: BlockCacheStats { budget_bytes, ..BlockCacheStats::default() },
        }))
    }

    /// A number that no other owner of blocks has.
    pub fn new_owner(&self) -> u64 {
        let mut clock = self.0.borrow_mut();
        clock.next_owner += 1;
        clock.next_owner
    }

    /// The block, when it is here and of this type.
    pub fn get<T: 'static>(&self, key: BlockKey) -> Option<Rc<T>> {
        let mut clock = self.0.borrow_mut();
        let clock = &mut *clock;
        let slot = clock.places.get(&key).and_then(|&at| clock.slots.get_mut(at)?.as_mut());
        let block = slot.and_then(|slot| {
            slot.used = true;
            slot.block.clone().downcast().ok()
        });
        match block {
            Some(_) => clock.stats.hits += 1,
            None => clock.stats.misses += 1,
        }
        block
    }

    /// Keeps a block of `size_bytes` in memory, as far as the budget allows; others make room.
    pub fn insert<T: 'static>(&self, key: BlockKey, block: Rc<T>, size_bytes: u64) {
        let mut clock = self.0.borrow_mut();
        clock.remove(key);
        let cost_bytes = size_bytes.saturating_add(ENTRY_OVERHEAD_BYTES);
        if cost_bytes > clock.stats.budget_bytes {
            return;
        }
        let room = clock.stats.budget_bytes - cost_bytes;
        clock.evict_down_to(room);
        let slot = Some(Slot { key, block, cost_bytes, used: false });
        let at = match clock.free.pop() {
            Some(at) => {
                clock.slots[at] = slot;
                at
            }
            None => {
                clock.slots.push(slot);
                clock.slots.len() - 1
            }
        };
        clock.places.insert(key, at);
        clock.stats.bytes += cost_bytes;
        clock.stats.blocks += 1;
    }

    /// Forgets all blocks of one owner, since its file is going.
    pub fn remove_owner(&self, owner: u64) {
        let mut clock = self.0.borrow_mut();
        for at in 0..clock.slots.len() {
            if clock.slots[at].as_ref().is_some_and(|slot| slot.key.owner == owner) {
                clock.clear_slot(at);
            }
        }
    }

    /// Forgets all blocks.
    pub fn clear(&self) {
        let budget_bytes = self.stats().budget_bytes;
        self.set_budget_bytes(0);
        self.set_budget_bytes(budget_bytes);
    }

    /// Changes the budget; blocks beyond it go at once.
    pub fn set_budget_bytes(&self, budget_bytes: u64) {
        let mut clock = self.0.borrow_mut();
        clock.stats.budget_bytes = budget_bytes;
        clock.evict_down_to(budget_bytes);
    }

    /// What the cache holds and how well it did.
    pub fn stats(&self) -> BlockCacheStats {
        self.0.borrow().stats
    }
}

impl Clock {
    /// Two rounds of the hand at most: the first takes all flags away.
    fn evict_down_to(&mut self, bytes: u64) {
        while self.stats.bytes > bytes {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let at = self.hand;
            self.hand += 1;
            match &mut self.slots[at] {
                Some(slot) if slot.used => slot.used = false,
                Some(_) => {
                    self.clear_slot(at);
                    self.stats.evictions += 1;
                }
                None => {}
            }
        }
    }

    fn remove(&mut self, key: BlockKey) {
        if let Some(&at) = self.places.get(&key) {
            self.clear_slot(at);
        }
    }

    fn clear_slot(&mut self, at: usize) {
        if let Some(slot) = self.slots[at].take() {
            self.places.remove(&slot.key);
            self.free.push(at);
            self.stats.bytes -= slot.cost_bytes;
            self.stats.blocks -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(owner: u64, offset: u64) -> BlockKey {
        BlockKey { owner, offset }
    }

    #[test]
    fn blocks_in_use_outlive_those_that_are_not() {
        let cache = BlockCache::new(4 * (100 + ENTRY_OVERHEAD_BYTES));
        for offset in 0..4 {
            cache.insert(key(1, offset), Rc::new(offset), 100);
        }
        assert_eq!(cache.get::<u64>(key(1, 0)).as_deref(), Some(&0));
        cache.insert(key(1, 4), Rc::new(4_u64), 100);
        cache.insert(key(1, 5), Rc::new(5_u64), 100);
        let kept: Vec<bool> = (0..6).map(|offset| cache.get::<u64>(key(1, offset)).is_some()).collect();
        assert_eq!(kept, [true, false, false, true, true, true]);
        let stats = cache.stats();
        assert_eq!((stats.blocks, stats.hits, stats.misses, stats.evictions), (4, 5, 2, 2));
        assert_eq!(stats.bytes, stats.budget_bytes);
    }

    #[test]
    fn the_budget_holds_whatever_is_inserted() {
        let cache = BlockCache::new(10_000);
        for at in 0..1_000_u64 {
            cache.insert(key(at % 7, at % 61), Rc::new(at), (at * 37) % 3_000);
            cache.get::<u64>(key(at % 5, at % 31));
            assert!(cache.stats().bytes <= 10_000);
        }
        cache.insert(key(9, 9), Rc::new(0_u64), u64::MAX);
        assert!(cache.get::<u64>(key(9, 9)).is_none());
        cache.set_budget_bytes(0);
        assert_eq!((cache.stats().bytes, cache.stats().blocks), (0, 0));
        cache.insert(key(9, 9), Rc::new(0_u64), 0);
        assert!(cache.get::<u64>(key(9, 9)).is_none());
    }

    #[test]
    fn owners_and_types_are_told_apart() {
        let cache = BlockCache::default();
        let (first, second) = (cache.new_owner(), cache.new_owner());
        assert_ne!(first, second);
        cache.insert(key(first, 0), Rc::new("text".to_string()), 4);
        cache.insert(key(second, 0), Rc::new(7_u64), 8);
        assert!(cache.get::<u64>(key(first, 0)).is_none());
        let in_use = cache.get::<String>(key(first, 0)).unwrap();
        cache.remove_owner(first);
        assert!(cache.get::<String>(key(first, 0)).is_none());
        assert_eq!(*in_use, "text");
        assert_eq!(cache.get::<u64>(key(second, 0)).as_deref(), Some(&7));
        assert_eq!(cache.stats().blocks, 1);
    }
}
