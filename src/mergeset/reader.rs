//! Reads the blocks of a part from the first to the last, for merges (index-format §1.4). Free of waiting.

use super::PartFile;
use super::block::ItemsBlock;
use super::block_header::{BlockHeader, read_index_block};
use super::part::Part;
use crate::error::{Error, Result};
use crate::merge::ReadWindow;
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// What a [`PartStream`] says when asked for the next block.
#[derive(Debug)]
pub enum Pull {
    /// The next block.
    Block(ItemsBlock),
    /// Bytes are missing: hand them over with [`PartStream::feed`] and ask again.
    Starving(PartFile, Range<u64>),
    /// There are no more blocks.
    End,
}

/// The blocks of a part in order, and all checks that a well-formed part passes.
#[derive(Debug)]
pub struct PartStream {
    part: Rc<Part>,
    read_ahead: u64,
    windows: [ReadWindow; 3],
    next_row: usize,
    /// Headers of the present index block.
    headers: std::vec::IntoIter<BlockHeader>,
    next_header: Option<BlockHeader>,
    items_offset: u64,
    lens_offset: u64,
    index_offset: u64,
    items_read: u64,
    blocks_read: u64,
    last_item: Vec<u8>,
}

impl PartStream {
    /// A stream over all blocks, reading `read_ahead` bytes at a time of each file.
    pub fn new(part: Rc<Part>, read_ahead: u64) -> Self {
        Self {
            part,
            read_ahead,
            windows: Default::default(),
            next_row: 0,
            headers: Vec::new().into_iter(),
            next_header: None,
            items_offset: 0,
            lens_offset: 0,
            index_offset: 0,
            items_read: 0,
            blocks_read: 0,
            last_item: Vec::new(),
        }
    }

    /// The part that is read.
    pub fn part(&self) -> &Rc<Part> {
        &self.part
    }

    /// Hands over bytes that begin at `start` of a file.
    pub fn feed(&mut self, file: PartFile, start: u64, bytes: Bytes) {
        if let Some(window) = self.windows.get_mut(file as usize) {
            *window = ReadWindow::new(start, bytes);
        }
    }

    /// The next block, or what is needed for it.
    ///
    /// # Errors
    /// `Corrupt`, naming the part, when it breaks a rule.
    pub fn pull(&mut self) -> Result<Pull> {
        self.pull_block().map_err(|error| error.at(self.part.dir()))
    }

    fn pull_block(&mut self) -> Result<Pull> {
        let header = match self.next_header.take() {
            Some(header) => header,
            None => match self.read_header()? {
                Ok(header) => header,
                Err(pull) => return Ok(pull),
            },
        };
        let range = |offset: u64, size: u32| offset..offset.saturating_add(u64::from(size));
        let items = self.bytes(PartFile::Items, range(self.items_offset, header.items_block_size))?;
        let lens = self.bytes(PartFile::Lens, range(self.lens_offset, header.lens_block_size))?;
        let (items, lens) = match (items, lens) {
            (Ok(items), Ok(lens)) => (items, lens),
            (Err(pull), _) | (_, Err(pull)) => {
                self.next_header = Some(header);
                return Ok(pull);
            }
        };
        let block = ItemsBlock::decode(&header, &items, &lens)?;
        self.items_offset += items.len() as u64;
        self.lens_offset += lens.len() as u64;
        self.check(&header, &block)?;
        Ok(Pull::Block(block))
    }

    fn read_header(&mut self) -> Result<std::result::Result<BlockHeader, Pull>> {
        loop {
            if let Some(header) = self.headers.next() {
                return Ok(Ok(header));
            }
            let Some(row) = self.part.metaindex().get(self.next_row) else { return self.end().map(Err) };
            if row.index_block_offset != self.index_offset {
                return Err(Error::corrupt(format!(
                    "an index block begins at {}, where {} is expected",
                    row.index_block_offset, self.index_offset
                )));
            }
            let end = self.index_offset.saturating_add(u64::from(row.index_block_size));
            let count = row.block_headers_count;
            let frame = match self.bytes(PartFile::Index, self.index_offset..end)? {
                Ok(frame) => frame,
                Err(pull) => return Ok(Err(pull)),
            };
            self.headers = read_index_block(&frame, count, self.part.block_file_sizes())?.into_iter();
            self.index_offset = end;
            self.next_row += 1;
        }
    }

    fn check(&mut self, header: &BlockHeader, block: &ItemsBlock) -> Result<()> {
        let described = self.part.header();
        self.blocks_read += 1;
        self.items_read += block.len() as u64;
        if self.blocks_read > described.blocks || self.items_read > described.items {
            return Err(Error::corrupt(format!(
                "a part of {} items in {} blocks holds more: {} in {} so far",
                described.items, described.blocks, self.items_read, self.blocks_read
            )));
        }
        let expected = if self.blocks_read == 1 { &described.first_item } else { &self.last_item };
        let is_in_order = match self.blocks_read {
            1 => header.first_item == *expected,
            _ => header.first_item >= *expected,
        };
        if !is_in_order {
            return Err(Error::corrupt(
                "a block begins before the one in front of it ends, or not with the first item",
            ));
        }
        self.last_item.clear();
        self.last_item.extend_from_slice(block.last().unwrap_or_default());
        Ok(())
    }

    fn end(&self) -> Result<Pull> {
        let described = self.part.header();
        if self.blocks_read != described.blocks
            || self.items_read != described.items
            || self.last_item != described.last_item
        {
            return Err(Error::corrupt(format!(
                "a part of {} items in {} blocks ends with {} in {}, or not with its last item",
                described.items, described.blocks, self.items_read, self.blocks_read
            )));
        }
        Ok(Pull::End)
    }

    fn bytes(&self, file: PartFile, range: Range<u64>) -> Result<std::result::Result<Bytes, Pull>> {
        let size = self.part.file_size(file);
        let found = self.windows[file as usize].get(range, self.read_ahead, file.name(), size)?;
        Ok(found.map_err(|missing| Pull::Starving(file, missing)))
    }
}
