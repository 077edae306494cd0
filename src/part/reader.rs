//! A part as it is read: opened by its metaindex alone, streamed block by block for merges (part-format §6.1, §10).

use super::header::PartHeader;
use super::index_block::read_index_block;
use super::metaindex::{MetaindexRow, check_metaindex, read_metaindex};
use super::writer::WrittenPart;
use super::{MIN_DEDUP_INTERVAL_FILE, PartFile};
use crate::block::BlockHeader;
use crate::error::{Error, Result};
use crate::fs::{EntryKind, FilePath};
use crate::merge::ReadWindow;
use crate::merge::window::outside;
use crate::runtime::Context;
use bytes::Bytes;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

/// An open part. It never changes.
#[derive(Debug)]
pub struct Part {
    header: PartHeader,
    metaindex: Vec<MetaindexRow>,
    source: PartSource,
    /// Length of each file in bytes, by [`PartFile`].
    sizes: [u64; 4],
    cached: CachedFiles,
}

/// Where a part's bytes are.
#[derive(Clone, Debug)]
pub enum PartSource {
    /// In memory, by [`PartFile`].
    Memory([Bytes; 4]),
    /// In the files of a directory.
    Directory(FilePath),
}

impl Part {
    /// A part in memory. Nothing of it must have been taken out of its writer before.
    pub fn in_memory(written: WrittenPart) -> Self {
        let WrittenPart { header, metaindex, rest, sizes } = written;
        debug_assert!(rest.iter().zip(sizes).all(|(bytes, size)| bytes.len() as u64 == size), "the part is not whole");
        Self { header, metaindex, source: PartSource::Memory(rest), sizes, cached: CachedFiles::default() }
    }

    /// A part that was just published in `dir`, without reading it again.
    pub fn published(dir: FilePath, header: PartHeader, metaindex: Vec<MetaindexRow>, sizes: [u64; 4]) -> Self {
        Self { header, metaindex, source: PartSource::Directory(dir), sizes, cached: CachedFiles::default() }
    }

    /// Opens the part in `dir`, whose name describes it. `Ok(None)` when the directory holds no file at all.
    ///
    /// # Errors
    /// `Corrupt` when the name does not parse, a file is missing or the metaindex breaks a rule.
    pub async fn open(context: &Context, dir: &FilePath) -> Result<Option<Self>> {
        let header = PartHeader::parse_dir_name(dir.name()).map(|(header, _)| header);
        Self::open_as(context, dir, header).await
    }

    /// As [`Part::open`], of a part that is described elsewhere than in the directory's name.
    ///
    /// # Errors
    /// As [`Part::open`]'s; those of the description when the directory holds a file.
    pub async fn open_as(context: &Context, dir: &FilePath, header: Result<PartHeader>) -> Result<Option<Self>> {
        let entries = context.list(dir).await?;
        let size_of = |name: &str| {
            entries.iter().find_map(|entry| match entry.kind {
                EntryKind::File { size_bytes } if entry.name == name => Some(size_bytes),
                _ => None,
            })
        };
        if !entries.iter().any(|entry| matches!(entry.kind, EntryKind::File { .. })) {
            return Ok(None);
        }
        let at_dir = |error: Error| error.at(dir);
        let mut header = header.map_err(at_dir)?;
        let mut sizes = [0; 4];
        for (size, file) in sizes.iter_mut().zip(PartFile::ALL) {
            *size = size_of(file.name()).ok_or_else(|| Error::corrupt(format!("{dir}: {} is missing", file.name())))?;
        }
        if let Some(size) = size_of(MIN_DEDUP_INTERVAL_FILE) {
            let text = context.read(&dir.join(MIN_DEDUP_INTERVAL_FILE), 0..size.min(64)).await?;
            header.min_dedup_interval_ms = PartHeader::parse_min_dedup_interval(&text).map_err(at_dir)?;
        }
        let frame = context.read(&dir.join(PartFile::Metaindex.name()), 0..sizes[PartFile::Metaindex as usize]).await?;
        let index_size = sizes[PartFile::Index as usize];
        let metaindex = read_metaindex(&frame, index_size)
            .and_then(|rows| check_metaindex(&rows, &header, index_size).map(|()| rows))
            .map_err(|error| error.at(dir.join(PartFile::Metaindex.name())))?;
        Ok(Some(Self {
            header,
            metaindex,
            source: PartSource::Directory(dir.clone()),
            sizes,
            cached: CachedFiles::default(),
        }))
    }

    /// Counts and bounds.
    pub fn header(&self) -> &PartHeader {
        &self.header
    }

    /// One row for each index block.
    pub fn metaindex(&self) -> &[MetaindexRow] {
        &self.metaindex
    }

    /// Where the bytes are.
    pub fn source(&self) -> &PartSource {
        &self.source
    }

    /// The part's directory; `None` when it is in memory.
    pub fn dir(&self) -> Option<&FilePath> {
        match &self.source {
            PartSource::Memory(_) => None,
            PartSource::Directory(dir) => Some(dir),
        }
    }

    /// Length of one of the files.
    pub fn file_size(&self, file: PartFile) -> u64 {
        self.sizes[file as usize]
    }

    /// Sum of the four files' lengths: the size that merge decisions are made on.
    pub fn size_bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Bytes of one of the part's files.
    pub async fn read(&self, context: &Context, file: PartFile, range: Range<u64>) -> Result<Bytes> {
        match &self.source {
            PartSource::Memory(_) => self.read_in_memory(file, range),
            PartSource::Directory(dir) => context.read(&dir.join(file.name()), range).await,
        }
    }

    /// Bytes of a part in memory.
    pub(super) fn read_in_memory(&self, file: PartFile, range: Range<u64>) -> Result<Bytes> {
        let PartSource::Memory(files) = &self.source else {
            return Err(Error::internal("the part is not in memory"));
        };
        let bytes = &files[file as usize];
        let (start, end) = (range.start as usize, range.end as usize);
        if range.start > range.end || range.end > bytes.len() as u64 {
            return Err(outside(file.name(), &range, bytes.len() as u64));
        }
        Ok(bytes.slice(start..end))
    }

    /// What is cached of it.
    pub fn cached(&self) -> &CachedFiles {
        &self.cached
    }

    /// A stream over all blocks, reading `read_ahead` bytes at a time of each file.
    pub fn stream(&self, read_ahead: u64) -> Result<BlockStreamReader> {
        BlockStreamReader::new(self, read_ahead)
    }
}

/// What is cached of a part's files, for whoever has it dropped when the part itself is gone. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct CachedFiles {
    /// The numbers under which, by [`PartFile`]; drawn with the first.
    owners: Rc<Cell<Option<[u64; 4]>>>,
}

impl CachedFiles {
    /// The number under which what was read of a file is cached.
    pub(super) fn owner(&self, context: &Context, file: PartFile) -> u64 {
        let owners = self.owners.get().unwrap_or_else(|| PartFile::ALL.map(|_| context.block_cache().new_owner()));
        self.owners.set(Some(owners));
        owners[file as usize]
    }

    /// Drops all of it. To be called when nobody reads the part any more: it would be cached again.
    pub fn forget(&self, context: &Context) {
        for owner in self.owners.get().into_iter().flatten() {
            context.block_cache().remove_owner(owner);
        }
    }
}

/// A block as it lies in a part.
#[derive(Clone, Debug)]
pub struct EncodedBlock {
    /// Its header.
    pub header: BlockHeader,
    /// Encoded timestamps.
    pub timestamps: Bytes,
    /// Encoded mantissas.
    pub values: Bytes,
}

/// What a [`BlockStreamReader`] says when asked for the next block.
#[derive(Debug)]
pub enum Pull {
    /// The next block.
    Block(EncodedBlock),
    /// Bytes are missing: hand them over with [`BlockStreamReader::feed`] and ask again.
    Starving(PartFile, Range<u64>),
    /// There are no more blocks.
    End,
}

/// Reads the blocks of a part from the first to the last, and enforces all that a well-formed part fulfils. Free of waiting.
#[derive(Debug)]
pub struct BlockStreamReader {
    header: PartHeader,
    metaindex: std::vec::IntoIter<MetaindexRow>,
    sizes: [u64; 4],
    read_ahead: u64,
    windows: [ReadWindow; 3],
    /// Headers of the present index block.
    headers: std::vec::IntoIter<BlockHeader>,
    next_row: Option<MetaindexRow>,
    next_header: Option<BlockHeader>,
    index_offset: u64,
    timestamps_offset: u64,
    values_offset: u64,
    shared_timestamps: Bytes,
    shared_timestamps_offset: u64,
    rows_read: u64,
    blocks_read: u64,
    last: Option<BlockHeader>,
}

impl BlockStreamReader {
    fn new(part: &Part, read_ahead: u64) -> Result<Self> {
        let mut windows: [ReadWindow; 3] = Default::default();
        if let PartSource::Memory(files) = &part.source {
            for (window, bytes) in windows.iter_mut().zip(files) {
                *window = ReadWindow::new(0, bytes.clone());
            }
        }
        Ok(Self {
            header: part.header,
            metaindex: part.metaindex.clone().into_iter(),
            sizes: part.sizes,
            read_ahead,
            windows,
            headers: Vec::new().into_iter(),
            next_row: None,
            next_header: None,
            index_offset: 0,
            timestamps_offset: 0,
            values_offset: 0,
            shared_timestamps: Bytes::new(),
            shared_timestamps_offset: 0,
            rows_read: 0,
            blocks_read: 0,
            last: None,
        })
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
    /// `Corrupt` when the part breaks a rule of part-format §6.1 or §10.
    pub fn pull(&mut self) -> Result<Pull> {
        let header = match self.next_header {
            Some(header) => header,
            None => match self.next_header()? {
                Ok(header) => header,
                Err(pull) => return Ok(pull),
            },
        };
        // Both files are looked at before anything moves on, so that asking again after feeding starts over cleanly.
        let values_range =
            header.values_block_offset..header.values_block_offset.saturating_add(u64::from(header.values_block_size));
        let values = match self.bytes(PartFile::Values, values_range)? {
            Ok(bytes) => bytes,
            Err(pull) => return Ok(pull),
        };
        let is_shared = self.shares_timestamps(&header);
        let timestamps = if is_shared {
            self.shared_timestamps.clone()
        } else {
            let range =
                self.timestamps_offset..self.timestamps_offset.saturating_add(u64::from(header.timestamps_block_size));
            match self.bytes(PartFile::Timestamps, range)? {
                Ok(bytes) => bytes,
                Err(pull) => return Ok(pull),
            }
        };
        if !is_shared {
            self.shared_timestamps_offset = self.timestamps_offset;
            self.shared_timestamps = timestamps.clone();
            self.timestamps_offset += timestamps.len() as u64;
        }
        self.values_offset += values.len() as u64;
        self.next_header = None;
        Ok(Pull::Block(EncodedBlock { header, timestamps, values }))
    }

    fn shares_timestamps(&self, header: &BlockHeader) -> bool {
        !self.shared_timestamps.is_empty() && header.timestamps_block_offset == self.shared_timestamps_offset
    }

    /// The next header, checked against the part's header and the running offsets.
    fn next_header(&mut self) -> Result<std::result::Result<BlockHeader, Pull>> {
        let header = loop {
            if let Some(header) = self.headers.next() {
                break header;
            }
            let Some(row) = self.next_row.or_else(|| self.metaindex.next()) else { return Ok(Err(Pull::End)) };
            self.next_row = Some(row);
            if row.index_block_offset != self.index_offset {
                return Err(Error::corrupt(format!(
                    "an index block begins at {}, where {} is expected",
                    row.index_block_offset, self.index_offset
                )));
            }
            let end = self.index_offset.saturating_add(u64::from(row.index_block_size));
            let frame = match self.bytes(PartFile::Index, self.index_offset..end)? {
                Ok(frame) => frame,
                Err(pull) => return Ok(Err(pull)),
            };
            self.headers = read_index_block(&frame, &row)?.into_iter();
            self.index_offset = end;
            self.next_row = None;
        };
        self.check(&header)?;
        self.next_header = Some(header);
        Ok(Ok(header))
    }

    fn check(&mut self, header: &BlockHeader) -> Result<()> {
        self.blocks_read += 1;
        self.rows_read += u64::from(header.rows_count);
        if self.blocks_read > self.header.blocks || self.rows_read > self.header.rows {
            return Err(Error::corrupt(format!(
                "a part of {} rows in {} blocks holds more: {} rows in {} blocks so far",
                self.header.rows, self.header.blocks, self.rows_read, self.blocks_read
            )));
        }
        if header.min_timestamp < self.header.min_timestamp || header.max_timestamp > self.header.max_timestamp {
            return Err(Error::corrupt(format!(
                "a block from {} to {} lies outside of its part, which is from {} to {}",
                header.min_timestamp, header.max_timestamp, self.header.min_timestamp, self.header.max_timestamp
            )));
        }
        if let Some(last) = &self.last
            && last.tsid > header.tsid
        {
            return Err(Error::corrupt("the blocks of a part are not sorted by TSID"));
        }
        self.last = Some(*header);
        if header.values_block_offset != self.values_offset {
            return Err(Error::corrupt(format!(
                "a block's values begin at {}, where {} is expected",
                header.values_block_offset, self.values_offset
            )));
        }
        if self.shares_timestamps(header) {
            if header.timestamps_block_size as usize != self.shared_timestamps.len() {
                return Err(Error::corrupt(format!(
                    "a block shares {} bytes of timestamps, of which there are {}",
                    header.timestamps_block_size,
                    self.shared_timestamps.len()
                )));
            }
        } else if header.timestamps_block_offset != self.timestamps_offset {
            return Err(Error::corrupt(format!(
                "a block's timestamps begin at {}, where {} is expected",
                header.timestamps_block_offset, self.timestamps_offset
            )));
        }
        Ok(())
    }

    fn bytes(&self, file: PartFile, range: Range<u64>) -> Result<std::result::Result<Bytes, Pull>> {
        let found = self.windows[file as usize].get(range, self.read_ahead, file.name(), self.sizes[file as usize])?;
        Ok(found.map_err(|missing| Pull::Starving(file, missing)))
    }
}
