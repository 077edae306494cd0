//! An open part: its description and metaindex in memory, its blocks read when they are wanted.

use super::block::ItemsBlock;
use super::block_header::{BlockHeader, read_index_block};
use super::header::PartHeader;
use super::metaindex::{MetaindexRow, check_metaindex, read_metaindex};
use super::writer::WrittenPart;
use super::{METADATA_FILE, PartFile};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{EntryKind, FilePath};
use crate::merge::{Leasable, Standing};
use crate::runtime::Context;
use crate::runtime::block_cache::BlockKey;
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// Two items of 64 KiB in hexadecimal digits, and some.
const MAX_METADATA_LEN: u64 = 1 << 20;

/// A part of an index table. It never changes; whoever holds it can read it, even after it was retired.
#[derive(Debug)]
pub struct Part {
    header: PartHeader,
    metaindex: Vec<MetaindexRow>,
    /// Where it lies, or would lie if the storage had taken it.
    dir: FilePath,
    /// The files of a part that the storage did not take yet.
    files: Option<[Bytes; 4]>,
    sizes: [u64; 4],
    suffix: u64,
    owners: CacheOwners,
    standing: Standing<CacheOwners>,
}

/// Owners of a part's index blocks and items blocks in the block cache.
pub(super) type CacheOwners = [u64; 2];

impl Leasable for Part {
    type Retired = CacheOwners;

    fn standing(&self) -> &Standing<CacheOwners> {
        &self.standing
    }
}

impl Part {
    /// A part that was just published in `dir`, without reading it again.
    pub(super) fn published(
        context: &Context,
        dir: FilePath,
        suffix: u64,
        header: PartHeader,
        metaindex: Vec<MetaindexRow>,
        sizes: [u64; 4],
    ) -> Self {
        Self {
            header,
            metaindex,
            dir,
            files: None,
            sizes,
            suffix,
            owners: [context.block_cache().new_owner(), context.block_cache().new_owner()],
            standing: Standing::default(),
        }
    }

    /// A part whose files are in memory; `dir` is where they would lie.
    pub(super) fn in_memory(context: &Context, dir: FilePath, suffix: u64, written: WrittenPart) -> Self {
        let WrittenPart { header, metaindex, rest, sizes } = written;
        Self { files: Some(rest), ..Self::published(context, dir, suffix, header, metaindex, sizes) }
    }

    /// Whether the storage did not take it yet.
    pub fn is_in_memory(&self) -> bool {
        self.files.is_some()
    }

    /// Opens the part in `dir`. `Ok(None)` when the directory holds no file at all.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when one is missing or breaks a rule.
    pub async fn open(context: &Context, dir: &FilePath) -> Result<Option<Self>> {
        let entries = context.list(dir).await?;
        if !entries.iter().any(|entry| matches!(entry.kind, EntryKind::File { .. })) {
            return Ok(None);
        }
        let size_of = |name: &str| {
            let size = entries.iter().find_map(|entry| match entry.kind {
                EntryKind::File { size_bytes } if entry.name == name => Some(size_bytes),
                _ => None,
            });
            size.ok_or_else(|| Error::corrupt("the file is missing").at(dir.join(name)))
        };
        let metadata_file = dir.join(METADATA_FILE);
        let metadata_len = size_of(METADATA_FILE)?;
        if metadata_len > MAX_METADATA_LEN {
            return Err(Error::corrupt(format!("{metadata_file}: {metadata_len} bytes are too long")));
        }
        let metadata = context.read(&metadata_file, 0..metadata_len).await?;
        let header = PartHeader::parse_metadata(&metadata).map_err(|error| error.at(dir))?;
        let suffix = header.check_dir_name(dir.name()).map_err(|error| error.at(dir))?;
        let mut sizes = [0; 4];
        for (size, file) in sizes.iter_mut().zip(PartFile::ALL) {
            *size = size_of(file.name())?;
        }
        let metaindex_file = dir.join(PartFile::Metaindex.name());
        let frame = context.read(&metaindex_file, 0..sizes[PartFile::Metaindex as usize]).await?;
        let index_size = sizes[PartFile::Index as usize];
        let metaindex = read_metaindex(&frame, index_size)
            .and_then(|rows| check_metaindex(&rows, &header, index_size).map(|()| rows));
        let metaindex = metaindex.map_err(|error| error.at(metaindex_file))?;
        Ok(Some(Self::published(context, dir.clone(), suffix, header, metaindex, sizes)))
    }

    /// Counts and bounds.
    pub fn header(&self) -> &PartHeader {
        &self.header
    }

    /// One row for each index block.
    pub fn metaindex(&self) -> &[MetaindexRow] {
        &self.metaindex
    }

    /// The part's directory.
    pub fn dir(&self) -> &FilePath {
        &self.dir
    }

    /// Length of one of the files.
    pub fn file_size(&self, file: PartFile) -> u64 {
        self.sizes[file as usize]
    }

    /// Sum of the four data files' lengths: the size that merge decisions are made on.
    pub fn size_bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// The number at the end of its name.
    pub(super) fn suffix(&self) -> u64 {
        self.suffix
    }

    pub(super) fn owners(&self) -> CacheOwners {
        self.owners
    }

    /// Bytes of one of the files.
    pub async fn read(&self, context: &Context, file: PartFile, range: Range<u64>) -> Result<Bytes> {
        let Some(files) = &self.files else { return context.read(&self.dir.join(file.name()), range).await };
        let bytes = &files[file as usize];
        if range.start > range.end || range.end > bytes.len() as u64 {
            let name = self.dir.join(file.name());
            return Err(Error::corrupt(format!("{name}: {range:?} was asked for of {} bytes in memory", bytes.len())));
        }
        // In range, so that both ends fit.
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    /// The headers of the index block that the metaindex row `row` describes.
    pub(super) async fn headers(&self, context: &Context, row: usize) -> Result<Rc<Vec<BlockHeader>>> {
        let key = BlockKey { owner: self.owners[0], offset: row as u64 };
        if let Some(headers) = context.block_cache().get(key) {
            return Ok(headers);
        }
        let at = |error: Error| error.at(self.dir.join(PartFile::Index.name()));
        let row = self.metaindex.get(row).ok_or_else(|| at(Error::corrupt("there is no such index block")))?;
        let range = row.index_block_offset..row.index_block_offset + u64::from(row.index_block_size);
        let frame = self.read(context, PartFile::Index, range).await?;
        let headers = Rc::new(read_index_block(&frame, row.block_headers_count, self.block_file_sizes()).map_err(at)?);
        if headers.first().is_none_or(|header| header.first_item != row.first_item) {
            return Err(at(Error::corrupt("an index block begins with another item than the metaindex says")));
        }
        let items: u64 = headers.iter().map(|header| u64::from(header.items_count)).sum();
        if items > self.header.items {
            let stated = self.header.items;
            return Err(at(Error::corrupt(format!("a part of {stated} items holds more: {items} in one index block"))));
        }
        let size = headers.iter().map(BlockHeader::memory_bytes).sum::<usize>();
        context.block_cache().insert(key, headers.clone(), size as u64);
        Ok(headers)
    }

    /// The items of a block, which has the place `at` in the index block `row`.
    pub(super) async fn items(
        &self,
        context: &Context,
        row: usize,
        at: usize,
        header: &BlockHeader,
    ) -> Result<Rc<ItemsBlock>> {
        let key = BlockKey { owner: self.owners[1], offset: (row as u64) << 32 | at as u64 };
        if let Some(items) = context.block_cache().get(key) {
            return Ok(items);
        }
        let range = |offset: u64, size: u32| offset..offset + u64::from(size);
        let items_range = range(header.items_block_offset, header.items_block_size);
        let lens_range = range(header.lens_block_offset, header.lens_block_size);
        // Of a part in the storage both are under way at once.
        let start = |file: PartFile, range: &Range<u64>| {
            let has_to_be_read = self.files.is_none() && !range.is_empty();
            has_to_be_read.then(|| context.read(&self.dir.join(file.name()), range.clone()))
        };
        let (items_read, lens_read) = (start(PartFile::Items, &items_range), start(PartFile::Lens, &lens_range));
        let items = match items_read {
            Some(read) => read.await?,
            None if items_range.is_empty() => Bytes::new(),
            None => self.read(context, PartFile::Items, items_range).await?,
        };
        let lens = match lens_read {
            Some(read) => read.await?,
            None if lens_range.is_empty() => Bytes::new(),
            None => self.read(context, PartFile::Lens, lens_range).await?,
        };
        let block = ItemsBlock::decode(header, &items, &lens);
        let at = |error: Error| error.at(self.dir.join(PartFile::Items.name()));
        let block = Rc::new(block.map_err(at)?);
        if block.last().is_some_and(|last| *last > self.header.last_item[..]) {
            return Err(at(Error::corrupt("a block goes on behind the last item of its part")));
        }
        context.spend(block.len() as u64 * 2).await;
        context.block_cache().insert(key, block.clone(), block.memory_bytes() as u64);
        Ok(block)
    }

    /// The block at position `at`, counted from 0 in the part's order: its header and its items. For people to look at.
    ///
    /// # Errors
    /// `NotFound` behind the last block, `Corrupt` where it can't be read; what storage says.
    pub async fn block(&self, context: &Context, at: u64) -> Result<(BlockHeader, Rc<ItemsBlock>)> {
        let mut before = 0;
        for (row, described) in self.metaindex.iter().enumerate() {
            let here = at - before;
            if here < u64::from(described.block_headers_count) {
                let headers = self.headers(context, row).await?;
                // The index block was checked to hold as many headers as its row says.
                let Some(header) = headers.get(here as usize) else { break };
                return Ok((header.clone(), self.items(context, row, here as usize, header).await?));
            }
            before += u64::from(described.block_headers_count);
        }
        Err(Error::new(ErrorKind::NotFound, format!("there is no block {at}; {} has {before}", self.dir)))
    }

    pub(super) fn block_file_sizes(&self) -> [u64; 2] {
        [self.sizes[PartFile::Items as usize], self.sizes[PartFile::Lens as usize]]
    }
}
