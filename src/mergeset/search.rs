//! Walks through the items of a table in order, beginning anywhere.

use super::block::ItemsBlock;
use super::block_header::BlockHeader;
use super::part::Part;
use super::table::PartList;
use crate::error::Result;
use crate::merge::heap;
use crate::runtime::Context;
use std::rc::Rc;

/// Work that is collected before it is accounted for.
const SPEND_STEP: u64 = 512;

/// A position in the merged items of some parts. Items that are in several parts come several times.
pub struct TableSearch {
    context: Context,
    cursors: Vec<Cursor>,
    /// Cursors that have an item, the least first.
    heap: Vec<usize>,
    work: u64,
}

/// A position in one part.
#[derive(Debug)]
struct Cursor {
    part: Rc<Part>,
    row: usize,
    headers: Option<(usize, Rc<Vec<BlockHeader>>)>,
    at_header: usize,
    block: Option<Rc<ItemsBlock>>,
    at: usize,
}

impl TableSearch {
    /// A search that stands nowhere yet.
    pub(super) fn new(context: &Context, parts: &Rc<PartList>) -> Self {
        let cursor =
            |part: &Rc<Part>| Cursor { part: part.clone(), row: 0, headers: None, at_header: 0, block: None, at: 0 };
        Self { context: context.clone(), cursors: parts.iter().map(cursor).collect(), heap: Vec::new(), work: 0 }
    }

    /// Moves to the first item that is not less than `key`.
    pub async fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.heap.clear();
        for at in 0..self.cursors.len() {
            let cursor = &mut self.cursors[at];
            if !cursor.seek_near(key) {
                cursor.seek_far(&self.context, key).await?;
            }
            if cursor.block.is_some() {
                self.heap.push(at);
            }
        }
        let cursors = &self.cursors;
        heap::build(&mut self.heap, &|a, b| cursors[a].item() < cursors[b].item());
        self.account(10 * self.cursors.len() as u64).await;
        Ok(())
    }

    /// The item at the position; `None` behind the last one.
    #[inline]
    pub fn item(&self) -> Option<&[u8]> {
        self.heap.first().map(|&at| self.cursors[at].item())
    }

    /// The item at the position, if it begins with `prefix`.
    #[inline]
    pub fn item_with(&self, prefix: &[u8]) -> Option<&[u8]> {
        self.item().filter(|item| item.starts_with(prefix))
    }

    /// Moves to the next item.
    pub async fn next(&mut self) -> Result<()> {
        let Some(&top) = self.heap.first() else { return Ok(()) };
        let cursor = &mut self.cursors[top];
        cursor.at += 1;
        if cursor.is_behind_block() {
            cursor.next_block(&self.context).await?;
        }
        let has_ended = cursor.block.is_none();
        let cursors = &self.cursors;
        let is_less = |a: usize, b: usize| cursors[a].item() < cursors[b].item();
        if has_ended {
            heap::pop(&mut self.heap, &is_less);
        } else if self.heap.len() > 1 {
            heap::fix_top(&mut self.heap, &is_less);
        }
        self.work += 1;
        if self.work >= SPEND_STEP {
            self.account(0).await;
        }
        Ok(())
    }

    async fn account(&mut self, work: u64) {
        self.work += work;
        if self.work >= SPEND_STEP {
            self.context.spend(std::mem::take(&mut self.work)).await;
        }
    }
}

impl Cursor {
    /// Only where there is a block, which is never left behind its end.
    fn item(&self) -> &[u8] {
        self.block.as_ref().map_or(&[], |block| block.item(self.at))
    }

    fn is_behind_block(&self) -> bool {
        self.block.as_ref().is_some_and(|block| self.at >= block.len())
    }

    /// Moves within the present block, if the key is in there.
    fn seek_near(&mut self, key: &[u8]) -> bool {
        let Some(block) = &self.block else { return false };
        // Items equal to the first one may lie in the block before.
        if block.first().is_none_or(|first| key <= first) || block.last().is_none_or(|last| key > last) {
            return false;
        }
        let from = if self.at < block.len() && block.item(self.at) <= key { self.at } else { 0 };
        // A run of items equal to the key may begin in front of the position.
        let from = if from > 0 && block.item(from) == key { 0 } else { from };
        self.at = block.lower_bound(from, key);
        true
    }

    async fn seek_far(&mut self, context: &Context, key: &[u8]) -> Result<()> {
        self.block = None;
        if self.part.header().last_item[..] < *key {
            return Ok(());
        }
        let rows = self.part.metaindex();
        self.row = rows.partition_point(|row| row.first_item[..] < *key).saturating_sub(1);
        let headers = self.headers(context).await?;
        self.at_header = headers.partition_point(|header| header.first_item[..] < *key).saturating_sub(1);
        self.load(context).await?;
        if let Some(block) = &self.block {
            self.at = block.lower_bound(0, key);
        }
        if self.is_behind_block() {
            self.next_block(context).await?;
            // Corrupt parts may have blocks out of order: whatever comes is not less than the key for a reader.
            while self.block.is_some() && self.item() < key {
                self.at += 1;
                if self.is_behind_block() {
                    self.next_block(context).await?;
                }
            }
        }
        Ok(())
    }

    async fn headers(&mut self, context: &Context) -> Result<Rc<Vec<BlockHeader>>> {
        match &self.headers {
            Some((row, headers)) if *row == self.row => Ok(headers.clone()),
            _ => {
                let headers = self.part.headers(context, self.row).await?;
                self.headers = Some((self.row, headers.clone()));
                Ok(headers)
            }
        }
    }

    /// Reads the block that the position is in.
    async fn load(&mut self, context: &Context) -> Result<()> {
        let headers = self.headers(context).await?;
        self.at = 0;
        self.block = match headers.get(self.at_header) {
            Some(header) => Some(self.part.items(context, self.row, self.at_header, header).await?),
            None => None,
        };
        Ok(())
    }

    async fn next_block(&mut self, context: &Context) -> Result<()> {
        self.block = None;
        let headers = self.headers(context).await?;
        if self.at_header + 1 < headers.len() {
            self.at_header += 1;
        } else if self.row + 1 < self.part.metaindex().len() {
            self.row += 1;
            self.at_header = 0;
        } else {
            return Ok(());
        }
        // Blocks and index blocks are never empty.
        self.load(context).await
    }
}

/// The greatest item of a part that is less than `key`.
///
/// The block behind it is read as well: its first item is checked against the others then, so that no false one hides a whole
/// block. New metric ids are given out by what is found here.
pub(super) async fn last_below(context: &Context, part: &Rc<Part>, key: &[u8]) -> Result<Option<Vec<u8>>> {
    let rows = part.metaindex();
    let (mut row, mut next) = (rows.partition_point(|row| row.first_item[..] < *key), 0);
    let mut below = None;
    if let Some(before) = row.checked_sub(1) {
        let headers = part.headers(context, before).await?;
        let at = headers.partition_point(|header| header.first_item[..] < *key);
        if let Some(at) = at.checked_sub(1) {
            let block = part.items(context, before, at, &headers[at]).await?;
            below = block.lower_bound(0, key).checked_sub(1).map(|at| block.item(at).to_vec());
        }
        if at < headers.len() {
            (row, next) = (before, at);
        }
    }
    if row < rows.len() {
        let headers = part.headers(context, row).await?;
        if let Some(header) = headers.get(next) {
            part.items(context, row, next, header).await?;
        }
    }
    Ok(below)
}
