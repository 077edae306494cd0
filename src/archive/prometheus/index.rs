//! The index of a block: a table of texts, and the series with the places of their chunks.

use crate::encoding::int::{take_varuint, unzigzag};
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use std::ops::Range;

const MAGIC: [u8; 4] = [0xba, 0xaa, 0xd7, 0x00];
const TOC_BYTES: u64 = 6 * 8 + 4;
/// Magic number and version.
const HEADER_BYTES: u64 = 5;

/// Where the sections of an index are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sections {
    /// The texts.
    pub symbols: Range<u64>,
    /// The series.
    pub series: Range<u64>,
}

/// Which bytes at the end of an index tell where its sections are.
///
/// # Errors
/// `Corrupt` for one that is too short.
pub fn table_of_contents(size_bytes: u64) -> Result<Range<u64>> {
    match size_bytes.checked_sub(TOC_BYTES) {
        Some(start) if start >= HEADER_BYTES => Ok(start..size_bytes),
        _ => Err(Error::corrupt("the index is too short")),
    }
}

/// Checks the first bytes of an index.
///
/// # Errors
/// `Corrupt` for what is none; `Unsupported` for versions that are not known.
pub fn check_header(first: &[u8]) -> Result<()> {
    match first {
        [a, b, c, d, version, ..] if [*a, *b, *c, *d] == MAGIC => match version {
            2 | 3 => Ok(()),
            other => Err(Error::new(ErrorKind::Unsupported, format!("the index has the version {other}; 2 is read"))),
        },
        _ => Err(Error::corrupt("this is no index of a Prometheus block")),
    }
}

/// Reads what [`table_of_contents`] asked for.
///
/// # Errors
/// `Corrupt` when sections lie outside of the index.
pub fn sections(table: &[u8], size_bytes: u64) -> Result<Sections> {
    let (numbers, _) = table.as_chunks::<8>();
    let offsets: Vec<u64> = numbers.iter().take(6).map(|bytes| u64::from_be_bytes(*bytes)).collect();
    let &[symbols, series, ..] = &offsets[..] else { return Err(Error::corrupt("the index is too short")) };
    let end = size_bytes.saturating_sub(TOC_BYTES);
    // Sections end where the next one begins; one that is absent has the offset 0.
    let next = |start: u64| offsets.iter().copied().filter(|offset| *offset > start).min().unwrap_or(end).min(end);
    if symbols < HEADER_BYTES || series < HEADER_BYTES || symbols >= end || series > end {
        return Err(Error::corrupt("the index tells of sections that lie outside of it"));
    }
    Ok(Sections { symbols: symbols..next(symbols), series: series..next(series) })
}

/// The texts of an index, as places in the bytes of their section.
#[derive(Debug, Default)]
pub struct Symbols {
    bytes: Vec<u8>,
    ends: Vec<(u32, u32)>,
}

impl Symbols {
    /// Reads their section.
    ///
    /// # Errors
    /// `Corrupt` when it ends before the last text.
    pub fn read(section: Vec<u8>) -> Result<Self> {
        let short = || Error::corrupt("the table of texts ends before the last one");
        let count = section.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes));
        let count = count.ok_or_else(short)?;
        let mut rest = &section[8..];
        let mut ends = Vec::new();
        for _ in 0..count {
            let (length, behind) = take_varuint(rest).map_err(|_| short())?;
            let start = section.len() - behind.len();
            rest = usize::try_from(length).ok().and_then(|length| behind.get(length..)).ok_or_else(short)?;
            let place = |at: usize| {
                u32::try_from(at).map_err(|_| Error::new(ErrorKind::Limit, "the texts take more than 4 GB"))
            };
            ends.push((place(start)?, place(section.len() - rest.len())?));
        }
        Ok(Self { bytes: section, ends })
    }

    /// A text by its number.
    pub fn get(&self, number: u64) -> Result<&str> {
        let place = usize::try_from(number).ok().and_then(|number| self.ends.get(number));
        let text = place.and_then(|(start, end)| self.bytes.get(*start as usize..*end as usize));
        let text = text.ok_or_else(|| Error::corrupt("a series has a label that the index lacks"))?;
        str::from_utf8(text).map_err(|_| Error::corrupt("a label of a series is no UTF-8"))
    }
}

/// The longest series that is taken: that of a million chunks, where a month of samples each second has 22,000.
const MAX_SERIES_BYTES: u64 = 8 << 20;

/// Where a chunk lies, and the time that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    /// The first timestamp.
    pub min: TimestampMs,
    /// The last one.
    pub max: TimestampMs,
    /// Which segment, counted from 0.
    pub segment: u32,
    /// Where it begins there.
    pub offset: u32,
}

/// A series of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexedSeries {
    /// What tombstones call it.
    pub number: u64,
    /// Names and values of its labels, as numbers of texts.
    pub labels: Vec<(u64, u64)>,
    /// Its chunks, in order of time.
    pub chunks: Vec<ChunkPlace>,
}

/// Takes series out of their section as its bytes come.
#[derive(Debug)]
pub struct SeriesReader {
    /// Where `waiting` begins in the index.
    offset: u64,
    waiting: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
}

impl SeriesReader {
    /// Begins where the section does.
    pub fn new(offset: u64) -> Self {
        Self { offset, waiting: Vec::new(), taken: 0 }
    }

    /// Takes the next bytes of the section.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.drain(..self.taken);
        self.offset += self.taken as u64;
        self.taken = 0;
        self.waiting.extend_from_slice(bytes);
    }

    /// The next series; nothing when more bytes have to come, or at the end.
    ///
    /// # Errors
    /// `Corrupt` for what is no series.
    pub fn next(&mut self) -> Result<Option<IndexedSeries>> {
        // Each begins at a multiple of 16, behind zeros.
        let at = self.offset + self.taken as u64;
        let start = at.next_multiple_of(16);
        let padding = (start - at) as usize;
        let Some(entry) = self.waiting.get(self.taken + padding..) else { return Ok(None) };
        let Ok((length, rest)) = take_varuint(entry) else { return Ok(None) };
        if length > MAX_SERIES_BYTES {
            return Err(Error::corrupt(format!(
                "a series of the index is {length} bytes long, more than the {MAX_SERIES_BYTES} that are taken"
            )));
        }
        let Some((body, rest)) = rest.split_at_checked(length as usize) else { return Ok(None) };
        let Some((checksum, behind)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        if !super::is_intact(body, *checksum) {
            return Err(Error::corrupt("a series of the index differs from its checksum"));
        }
        let taken = self.waiting.len() - behind.len();
        let series = read_series(start / 16, body)?;
        self.taken = taken;
        Ok(Some(series))
    }

    /// All bytes of the section have come, and all series were taken.
    ///
    /// # Errors
    /// `Corrupt` when there is something left.
    pub fn finish(&self) -> Result<()> {
        let is_padding = self.waiting[self.taken..].iter().all(|byte| *byte == 0);
        if is_padding { Ok(()) } else { Err(Error::corrupt("the last series of the index does not end")) }
    }
}

fn read_series(number: u64, mut body: &[u8]) -> Result<IndexedSeries> {
    let corrupt = || Error::corrupt("a series of the index ends before its last chunk");
    let body = &mut body;
    let mut take = || -> Result<u64> {
        let (value, rest) = take_varuint(body).map_err(|_| corrupt())?;
        *body = rest;
        Ok(value)
    };
    let mut series = IndexedSeries { number, ..IndexedSeries::default() };
    for _ in 0..take()? {
        series.labels.push((take()?, take()?));
    }
    let (mut last, mut reference) = (0i64, 0i64);
    let count = take()?;
    for chunk in 0..count {
        let begins = take()?;
        let min = if chunk == 0 { unzigzag(begins) } else { last.wrapping_add(begins as i64) };
        let max = min.wrapping_add(take()? as i64);
        let place = take()?;
        reference = if chunk == 0 { place as i64 } else { reference.wrapping_add(unzigzag(place)) };
        last = max;
        let (segment, offset) = ((reference as u64 >> 32) as u32, reference as u32);
        series.chunks.push(ChunkPlace { min, max, segment, offset });
    }
    Ok(series)
}

/// What was deleted: a series, and the time from and to which.
pub type Tombstone = (u64, TimestampMs, TimestampMs);

/// Reads a file of tombstones, as [`sort_tombstones`] leaves them.
///
/// # Errors
/// `Corrupt` for what is none.
pub fn tombstones(file: &[u8]) -> Result<Vec<Tombstone>> {
    let corrupt = || Error::corrupt("the tombstones can't be read");
    let [0x01, 0x30, 0xba, 0x30, 1, rest @ ..] = file else { return Err(corrupt()) };
    let mut rest = rest.get(..rest.len().saturating_sub(4)).ok_or_else(corrupt)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let (value, behind) = take_varuint(rest).map_err(|_| corrupt())?;
            (*number, rest) = (value, behind);
        }
        found.push((numbers[0], unzigzag(numbers[1]), unzigzag(numbers[2])));
    }
    sort_tombstones(&mut found);
    Ok(found)
}

/// Sorts tombstones, and has each of a series reach as far as any before it, so that the last one that begins in time tells
/// whether a sample is deleted.
pub fn sort_tombstones(tombstones: &mut [Tombstone]) {
    tombstones.sort();
    for at in 1..tombstones.len() {
        let (number, _, reach) = tombstones[at - 1];
        if tombstones[at].0 == number {
            tombstones[at].2 = tombstones[at].2.max(reach);
        }
    }
}

/// Of sorted tombstones those of one series.
pub fn tombstones_of(sorted: &[Tombstone], number: u64) -> &[Tombstone] {
    let first = sorted.partition_point(|(other, ..)| *other < number);
    &sorted[first..first + sorted[first..].partition_point(|(other, ..)| *other <= number)]
}

/// Whether the tombstones of a series, sorted, say that its sample at `time` is deleted.
pub fn is_deleted(deleted: &[Tombstone], time: TimestampMs) -> bool {
    let begun = deleted.partition_point(|(_, min, _)| *min <= time);
    deleted[..begun].last().is_some_and(|(.., max)| *max >= time)
}

/// Takes the samples out that the tombstones of their series, sorted, say are deleted.
pub fn remove_deleted(deleted: &[Tombstone], timestamps: &mut Vec<TimestampMs>, values: &mut Vec<f64>) {
    if deleted.is_empty() {
        return;
    }
    let mut kept = 0;
    for at in 0..timestamps.len() {
        let time = timestamps[at];
        if !is_deleted(deleted, time) {
            (timestamps[kept], values[kept]) = (time, values[at]);
            kept += 1;
        }
    }
    timestamps.truncate(kept);
    values.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::int::{put_varuint, zigzag};

    fn file(tombstones: &[Tombstone]) -> Vec<u8> {
        let mut file = vec![0x01, 0x30, 0xba, 0x30, 1];
        for &(number, min, max) in tombstones {
            [number, zigzag(min), zigzag(max)].into_iter().for_each(|number| put_varuint(&mut file, number));
        }
        file.extend([0; 4]);
        file
    }

    #[test]
    fn tombstones_may_overlap_and_come_in_any_order() {
        let deleted = tombstones(&file(&[(2, 1, 99), (1, 10, 20), (1, 5, 30), (1, 40, 39), (1, -4, -2)])).unwrap();
        let of_first = &deleted[..deleted.partition_point(|(number, ..)| *number == 1)];
        let mut timestamps: Vec<i64> = (-5..45).collect();
        let mut values: Vec<f64> = timestamps.iter().map(|time| *time as f64).collect();
        remove_deleted(of_first, &mut timestamps, &mut values);
        let expected: Vec<i64> = [-5, -1, 0, 1, 2, 3, 4].into_iter().chain(31..45).collect();
        assert_eq!(timestamps, expected);
        assert!(timestamps.iter().zip(&values).all(|(time, value)| *time as f64 == *value));
    }

    #[test]
    fn a_million_tombstones_are_gone_through_once() {
        let many: Vec<Tombstone> = (0..1_000_000).map(|at| (1, at * 2, at * 2)).collect();
        let deleted = tombstones(&file(&many)).unwrap();
        // A search for each sample, where a walk would take hours.
        let mut timestamps: Vec<i64> = (1..100_001).collect();
        let mut values = vec![1.0; timestamps.len()];
        remove_deleted(&deleted, &mut timestamps, &mut values);
        assert_eq!((timestamps.len(), values.len()), (50_000, 50_000));
    }
}
