//! A block of Prometheus: the chunks of its series, one series after the other.

use super::{Imported, READ_BYTES, check_wanted};
use crate::archive::inventory::BlockFiles;
use crate::archive::prometheus::chunk::{self, Encoding};
use crate::archive::prometheus::index::{self, ChunkPlace, IndexedSeries, SeriesReader, Symbols, Tombstone};
use crate::archive::prometheus::is_intact;
use crate::encoding::int::take_varuint;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::storage::Storage;
use bytes::Bytes;
use std::cell::Cell;

/// The longest table of texts that is held in memory.
const MAX_SYMBOLS_BYTES: u64 = 512 << 20;
/// Longer chunks are written by nobody.
const MAX_CHUNK_BYTES: u64 = 16 << 20;
/// The longest number in front of a chunk, and the byte of its encoding.
const CHUNK_HEADER_BYTES: u64 = 11;
/// Behind a chunk.
const CHECKSUM_BYTES: u64 = 4;

/// Samples that are gathered before they are appended: many places may name one chunk, so that a series has no bound.
const RUN_SAMPLES: usize = 16 << 10;

/// A block that was staged.
pub(super) struct Block<'a> {
    pub(super) storage: &'a Storage,
    pub(super) is_given_up: &'a Cell<bool>,
    pub(super) dir: FilePath,
    pub(super) files: &'a BlockFiles,
}

/// Some bytes of a segment.
#[derive(Default)]
struct Window {
    segment: u32,
    start: u64,
    bytes: Bytes,
}

impl Block<'_> {
    /// Writes its samples of floats.
    ///
    /// # Errors
    /// `Corrupt` for a block that is not whole; what storage says.
    pub(super) async fn import(&self) -> Result<Imported> {
        let size_bytes = self.files.index_bytes.ok_or_else(|| Error::corrupt("it has no index"))?;
        let index = self.dir.join("index");
        index::check_header(&self.storage.context.read(&index, 0..size_bytes.min(5)).await?)?;
        let table = self.storage.context.read(&index, index::table_of_contents(size_bytes)?).await?;
        let sections = index::sections(&table, size_bytes)?;
        if sections.symbols.end - sections.symbols.start > MAX_SYMBOLS_BYTES {
            return Err(Error::new(ErrorKind::Limit, "the texts of its labels take more than 512 MiB"));
        }
        let symbols = Symbols::read(self.storage.context.read(&index, sections.symbols).await?.to_vec())?;
        let deleted = match self.files.tombstones.is_empty() {
            true => Vec::new(),
            false => index::tombstones(&self.files.tombstones)?,
        };
        let mut reader = SeriesReader::new(sections.series.start);
        let mut imported = Imported::default();
        let mut window = Window::default();
        let mut at = sections.series.start;
        loop {
            while let Some(series) = reader.next()? {
                self.series(&symbols, &series, &deleted, &mut window, &mut imported).await?;
            }
            if at >= sections.series.end {
                reader.finish()?;
                return Ok(imported);
            }
            let end = (at + READ_BYTES).min(sections.series.end);
            reader.push(&self.storage.context.read(&index, at..end).await?);
            at = end;
        }
    }

    async fn series(
        &self,
        symbols: &Symbols,
        series: &IndexedSeries,
        deleted: &[Tombstone],
        window: &mut Window,
        imported: &mut Imported,
    ) -> Result<()> {
        let Imported { omitted, end } = imported;
        let deleted = index::tombstones_of(deleted, series.number);
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        let histograms_before = omitted.histograms;
        let mut handle = None;
        for (at, place) in series.chunks.iter().enumerate() {
            *end = place.max.saturating_add(1).max(*end);
            check_wanted(self.is_given_up)?;
            let data = self.chunk(place, window).await?;
            let before = timestamps.len();
            match Encoding::parse(*data.first().unwrap_or(&0))? {
                Encoding::Xor => chunk::decode(&data[1..], &mut timestamps, &mut values)?,
                Encoding::Histogram => omitted.histograms += u64::from(chunk::sample_count(&data[1..])?),
            }
            self.storage.context.spend(1 + (timestamps.len() - before) as u64).await;
            let is_last = at + 1 == series.chunks.len();
            if timestamps.len() < RUN_SAMPLES && !is_last {
                continue;
            }
            index::remove_deleted(deleted, &mut timestamps, &mut values);
            if timestamps.is_empty() {
                continue;
            }
            let handle = match handle {
                Some(known) => known,
                None => *handle.insert(self.handle(symbols, series)?),
            };
            self.storage.append_run(handle, &timestamps, &values).await?;
            self.storage.wait_for_room().await;
            timestamps.clear();
            values.clear();
        }
        omitted.series_with_histograms += u64::from(omitted.histograms > histograms_before);
        Ok(())
    }

    fn handle(&self, symbols: &Symbols, series: &IndexedSeries) -> Result<u32> {
        let mut labels = Vec::with_capacity(series.labels.len());
        for (name, value) in &series.labels {
            labels.push((symbols.get(*name)?, symbols.get(*value)?));
        }
        self.storage.series_handle(&labels)
    }

    /// A chunk: the byte of its encoding, and its data.
    async fn chunk(&self, place: &ChunkPlace, window: &mut Window) -> Result<Bytes> {
        let size_bytes = *self.files.segments.get(&place.segment).ok_or_else(|| {
            Error::corrupt(format!("the segment chunks/{:06} is missing", u64::from(place.segment) + 1))
        })?;
        let offset = u64::from(place.offset);
        let header = self.bytes(place.segment, offset..(offset + CHUNK_HEADER_BYTES).min(size_bytes), window).await?;
        let (length, rest) = take_varuint(&header).map_err(|_| Error::corrupt("a chunk begins behind its segment"))?;
        if length > MAX_CHUNK_BYTES {
            return Err(Error::corrupt(format!("a chunk of {length} bytes is longer than any")));
        }
        let begin = offset + (header.len() - rest.len()) as u64;
        // The byte of the encoding, the data, and a checksum of both.
        let end = begin + 1 + length + CHECKSUM_BYTES;
        if end > size_bytes {
            return Err(Error::corrupt("a chunk reaches behind its segment"));
        }
        let chunk = self.bytes(place.segment, begin..end, window).await?;
        let intact = chunk.split_last_chunk().filter(|(chunk, checksum)| is_intact(chunk, **checksum));
        let (data, _) = intact.ok_or_else(|| Error::corrupt("a chunk differs from its checksum"))?;
        Ok(chunk.slice(..data.len()))
    }

    /// Bytes of a segment. Series come in the order of their chunks, so that much is read at once.
    async fn bytes(&self, segment: u32, range: std::ops::Range<u64>, window: &mut Window) -> Result<Bytes> {
        if range.start > range.end {
            return Err(Error::corrupt("a chunk begins behind its segment"));
        }
        let is_within = |window: &Window| {
            window.segment == segment
                && window.start <= range.start
                && range.end <= window.start + window.bytes.len() as u64
        };
        if !is_within(window) {
            let size_bytes = self.files.segments.get(&segment).copied().unwrap_or(0);
            let end = (range.start.saturating_add(READ_BYTES)).max(range.end).min(size_bytes);
            let file = self.dir.join(&format!("chunks/{:06}", u64::from(segment) + 1));
            *window = Window {
                segment,
                start: range.start,
                bytes: self.storage.context.read(&file, range.start..end).await?,
            };
        }
        if !is_within(window) {
            return Err(Error::corrupt("a chunk begins behind its segment"));
        }
        let from = (range.start - window.start) as usize;
        Ok(window.bytes.slice(from..from + (range.end - range.start) as usize))
    }
}
