//! Writes blocks of items, in order, as the four streams of a part (index-format §1).

use super::PartFile;
use super::block::ItemsBlock;
use super::block_header::{INDEX_BLOCK_TARGET_SIZE, MAX_ITEMS_BLOCK_SIZE};
use super::header::PartHeader;
use super::metaindex::{MAX_INDEX_BLOCK_SIZE, MetaindexRow, write_metaindex};
use crate::encoding::zstd::{self, Effort};
use crate::error::{Error, Result};
use crate::merge::OutputStream;
use bytes::Bytes;

/// Turns blocks into the bytes of a part. What has been written can be taken out at any time.
#[derive(Debug)]
pub struct PartWriter {
    effort: Effort,
    items: OutputStream,
    lens: OutputStream,
    index: OutputStream,
    /// Headers that wait for their index block to be full.
    headers: Vec<u8>,
    row: MetaindexRow,
    metaindex: Vec<MetaindexRow>,
    header: PartHeader,
}

/// A part that was written to its end.
#[derive(Debug)]
pub struct WrittenPart {
    /// Its counts and bounds.
    pub header: PartHeader,
    /// The rows of its metaindex.
    pub metaindex: Vec<MetaindexRow>,
    /// What was not taken out before, by [`PartFile`].
    pub rest: [Bytes; 4],
    /// Length of each file in bytes, by [`PartFile`].
    pub sizes: [u64; 4],
}

impl PartWriter {
    /// A writer of an empty part.
    pub fn new(effort: Effort) -> Self {
        Self {
            effort,
            items: OutputStream::default(),
            lens: OutputStream::default(),
            index: OutputStream::default(),
            headers: Vec::new(),
            row: MetaindexRow::default(),
            metaindex: Vec::new(),
            header: PartHeader { items: 0, blocks: 0, first_item: Vec::new(), last_item: Vec::new() },
        }
    }

    /// Writes a sorted block. An empty one is passed over.
    ///
    /// # Errors
    /// `Corrupt` when the block is not behind the one before it, which can only come from corrupt sources.
    pub fn write(&mut self, block: &ItemsBlock) -> Result<()> {
        let (Some(first), Some(last)) = (block.first(), block.last()) else { return Ok(()) };
        if self.header.blocks == 0 {
            self.header.first_item = first.to_vec();
        } else if first < &self.header.last_item[..] {
            return Err(Error::corrupt("the blocks of an index part are not in order"));
        }
        let (items_offset, lens_offset) = (self.items.len(), self.lens.len());
        let mut header = block.encode(self.effort, &mut self.items.pending, &mut self.lens.pending)?;
        debug_assert!(header.items_block_size <= MAX_ITEMS_BLOCK_SIZE, "a block of at most 64 KiB");
        header.items_block_offset = items_offset;
        header.lens_block_offset = lens_offset;
        self.header.items += block.len() as u64;
        self.header.blocks += 1;
        self.header.last_item.clear();
        self.header.last_item.extend_from_slice(last);
        if self.row.block_headers_count == 0 {
            self.row.first_item.clone_from(&header.first_item);
        }
        self.row.block_headers_count += 1;
        header.marshal(&mut self.headers);
        if self.headers.len() >= INDEX_BLOCK_TARGET_SIZE { self.end_index_block() } else { Ok(()) }
    }

    fn end_index_block(&mut self) -> Result<()> {
        let start = self.index.pending.len();
        self.row.index_block_offset = self.index.len();
        zstd::compress(&self.headers, self.effort, &mut self.index.pending)?;
        let size = self.index.pending.len() - start;
        // Two strings of 64 KiB that can't be compressed, behind a nearly full block: the format has no room for them.
        if size > MAX_INDEX_BLOCK_SIZE as usize {
            return Err(Error::invalid(format!(
                "an index block of {size} bytes is longer than the {MAX_INDEX_BLOCK_SIZE} that can be read"
            )));
        }
        self.row.index_block_size = size as u32;
        self.metaindex.push(std::mem::take(&mut self.row));
        self.headers.clear();
        Ok(())
    }

    /// Takes out what was written to those files of which at least `min_len` bytes wait.
    pub fn take_chunks(&mut self, min_len: usize) -> Vec<(PartFile, Bytes)> {
        let streams =
            [(PartFile::Items, &mut self.items), (PartFile::Lens, &mut self.lens), (PartFile::Index, &mut self.index)];
        OutputStream::take_chunks(streams, min_len)
    }

    /// Ends the part. `None` when no block was written: then there is no part.
    pub fn finish(mut self) -> Result<Option<WrittenPart>> {
        if self.header.blocks == 0 {
            return Ok(None);
        }
        if !self.headers.is_empty() {
            self.end_index_block()?;
        }
        let mut metaindex_frame = Vec::new();
        write_metaindex(&self.metaindex, self.effort, &mut metaindex_frame)?;
        let sizes = [self.items.len(), self.lens.len(), self.index.len(), metaindex_frame.len() as u64];
        Ok(Some(WrittenPart {
            header: self.header,
            metaindex: self.metaindex,
            rest: [self.items.take(), self.lens.take(), self.index.take(), Bytes::from(metaindex_frame)],
            sizes,
        }))
    }
}
