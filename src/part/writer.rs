//! Writes blocks, in order, as the four streams of a part (part-format §6).

use super::PartFile;
use super::header::PartHeader;
use super::index_block::INDEX_BLOCK_TARGET_SIZE;
use super::metaindex::{MetaindexRow, write_metaindex};
use crate::block::encode::TimestampsMemo;
use crate::block::{Block, BlockHeader};
use crate::encoding::zstd::{self, Effort};
use crate::error::{Error, Result};
use crate::merge::OutputStream;
use bytes::Bytes;

/// Turns blocks into the bytes of a part. What has been written can be taken out at any time, so that a part that is larger
/// than memory passes through.
#[derive(Debug)]
pub struct BlockStreamWriter {
    effort: Effort,
    timestamps: OutputStream,
    values: OutputStream,
    index: OutputStream,
    timestamps_memo: TimestampsMemo,
    /// The timestamps that were written last, and where: an equal block that follows refers to them.
    shared_timestamps: Vec<u8>,
    shared_timestamps_offset: u64,
    /// Headers that wait for their index block to be full.
    headers: Vec<u8>,
    row: MetaindexRow,
    metaindex: Vec<MetaindexRow>,
    last: Option<BlockHeader>,
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

impl BlockStreamWriter {
    /// A writer of an empty part. `effort` is for whatever is compressed here.
    pub fn new(effort: Effort) -> Self {
        Self {
            effort,
            timestamps: OutputStream::default(),
            values: OutputStream::default(),
            index: OutputStream::default(),
            timestamps_memo: TimestampsMemo::default(),
            shared_timestamps: Vec::new(),
            shared_timestamps_offset: 0,
            headers: Vec::new(),
            row: MetaindexRow::default(),
            metaindex: Vec::new(),
            last: None,
            header: PartHeader {
                rows: 0,
                blocks: 0,
                min_timestamp: i64::MAX,
                max_timestamp: i64::MIN,
                min_dedup_interval_ms: 0,
            },
        }
    }

    /// Encodes the block unless it is, and writes it as [`BlockStreamWriter::write`] does.
    pub fn encode_and_write(&mut self, block: &mut Block) -> Result<()> {
        block.encode_after(self.effort, &mut self.timestamps_memo)?;
        self.write(block)
    }

    /// Compresses a block anew that was read and not touched, as far as it gets smaller by it.
    pub fn recompress(&mut self, block: &mut Block) -> Result<()> {
        block.recompress(self.effort, &mut self.timestamps_memo)
    }

    /// Writes an encoded block, whose offsets are set. Blocks come sorted by TSID, and by time within a series.
    ///
    /// # Errors
    /// `Corrupt` when the block is not behind the one before it, which can only come from corrupt sources.
    pub fn write(&mut self, block: &mut Block) -> Result<()> {
        debug_assert!(block.is_encoded() && !block.is_empty(), "only encoded blocks with samples can be written");
        if let Some(last) = &self.last
            && last.tsid > block.header().tsid
        {
            return Err(Error::corrupt("blocks are not sorted by TSID"));
        }
        let (timestamps_offset, is_shared) = self.place_timestamps(block.data().0);
        let values_offset = self.values.len();
        let header = block.header_mut();
        header.timestamps_block_offset = timestamps_offset;
        header.values_block_offset = values_offset;
        let header = *header;
        let (timestamps_data, values_data) = block.data();
        if !is_shared {
            self.timestamps.pending.extend_from_slice(timestamps_data);
        }
        self.values.pending.extend_from_slice(values_data);
        self.last = Some(header);
        self.header.rows += u64::from(header.rows_count);
        self.header.blocks += 1;
        self.header.min_timestamp = self.header.min_timestamp.min(header.min_timestamp);
        self.header.max_timestamp = self.header.max_timestamp.max(header.max_timestamp);
        self.add_to_index(&header)
    }

    /// Where the block's timestamps lie, and whether they are there already (part-format §6.1): only a block that directly
    /// follows the ones it shares with may share, and never without any bytes.
    fn place_timestamps(&mut self, data: &[u8]) -> (u64, bool) {
        if !data.is_empty() && data == self.shared_timestamps {
            return (self.shared_timestamps_offset, true);
        }
        self.shared_timestamps.clear();
        self.shared_timestamps.extend_from_slice(data);
        self.shared_timestamps_offset = self.timestamps.len();
        (self.shared_timestamps_offset, false)
    }

    fn add_to_index(&mut self, header: &BlockHeader) -> Result<()> {
        let row = &mut self.row;
        if row.block_headers_count == 0 {
            row.tsid = header.tsid;
            row.min_timestamp = header.min_timestamp;
            row.max_timestamp = header.max_timestamp;
        }
        row.block_headers_count += 1;
        row.min_timestamp = row.min_timestamp.min(header.min_timestamp);
        row.max_timestamp = row.max_timestamp.max(header.max_timestamp);
        header.marshal(&mut self.headers);
        if self.headers.len() >= INDEX_BLOCK_TARGET_SIZE { self.end_index_block() } else { Ok(()) }
    }

    fn end_index_block(&mut self) -> Result<()> {
        let start = self.index.pending.len();
        self.row.index_block_offset = self.index.len();
        zstd::compress(&self.headers, self.effort, &mut self.index.pending)?;
        // 64 KiB that can't be compressed grow by a few bytes.
        self.row.index_block_size = (self.index.pending.len() - start) as u32;
        self.metaindex.push(std::mem::take(&mut self.row));
        self.headers.clear();
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.header.rows
    }

    /// Bytes that wait to be taken out.
    pub fn pending_len(&self) -> usize {
        self.timestamps.pending.len() + self.values.pending.len() + self.index.pending.len()
    }

    /// Takes out what was written to those files of which at least `min_len` bytes wait.
    pub fn take_chunks(&mut self, min_len: usize) -> Vec<(PartFile, Bytes)> {
        let streams = [
            (PartFile::Timestamps, &mut self.timestamps),
            (PartFile::Values, &mut self.values),
            (PartFile::Index, &mut self.index),
        ];
        OutputStream::take_chunks(streams, min_len)
    }

    /// Ends the part. `None` when no block was written: then there is no part.
    pub fn finish(mut self, min_dedup_interval_ms: i64) -> Result<Option<WrittenPart>> {
        if self.header.blocks == 0 {
            return Ok(None);
        }
        if !self.headers.is_empty() {
            self.end_index_block()?;
        }
        let mut metaindex_frame = Vec::new();
        write_metaindex(&self.metaindex, self.effort, &mut metaindex_frame)?;
        let sizes = [self.timestamps.len(), self.values.len(), self.index.len(), metaindex_frame.len() as u64];
        Ok(Some(WrittenPart {
            header: PartHeader { min_dedup_interval_ms, ..self.header },
            metaindex: self.metaindex,
            rest: [self.timestamps.take(), self.values.take(), self.index.take(), Bytes::from(metaindex_frame)],
            sizes,
        }))
    }
}
