//! Items that wait for the next flush. Not searchable yet.

use super::block::{ItemsBlock, MAX_BLOCK_LEN};

/// Unsorted blocks of items.
#[derive(Debug, Default)]
pub struct RawItems {
    full: Vec<ItemsBlock>,
    filling: ItemsBlock,
    items: u64,
    bytes: u64,
}

impl RawItems {
    /// Adds an item; `false` when it is too long to be stored at all.
    #[must_use]
    pub fn push(&mut self, item: &[u8]) -> bool {
        if item.len() > MAX_BLOCK_LEN {
            return false;
        }
        if !self.filling.push(item) {
            self.full.push(std::mem::take(&mut self.filling));
            // An empty block has room for every item that is not too long.
            let _ = self.filling.push(item);
        }
        self.items += 1;
        self.bytes += item.len() as u64;
        true
    }

    /// Number of items.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Bytes of all items.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Takes all blocks out.
    pub fn take(&mut self) -> Vec<ItemsBlock> {
        let mut blocks = std::mem::take(&mut self.full);
        let filling = std::mem::take(&mut self.filling);
        if !filling.is_empty() {
            blocks.push(filling);
        }
        (self.items, self.bytes) = (0, 0);
        blocks
    }

    /// Puts blocks back that could not be written.
    pub fn put_back(&mut self, mut blocks: Vec<ItemsBlock>) {
        for block in &blocks {
            self.items += block.len() as u64;
            self.bytes += block.items_len() as u64;
        }
        blocks.append(&mut self.full);
        self.full = blocks;
    }
}
