//! The log of what is in no block yet: segments of pages, in which records lie in one fragment or several.

use crate::encoding::int::{take_bytes, take_u64, take_varint, take_varuint};
use crate::encoding::{snappy, zstd};
use crate::error::{Error, Result};
use crate::time::TimestampMs;

const PAGE_BYTES: u64 = 32 << 10;
/// In front of a fragment: its type, its length, a checksum.
const HEADER_BYTES: usize = 7;
/// The longest record that is taken.
const MAX_RECORD_BYTES: usize = 64 << 20;
/// Labels of a series that are taken: each is some bytes in the log and many in memory.
const MAX_LABELS: u64 = 10_000;
/// The schema of histograms whose bounds are listed.
const CUSTOM_BOUNDS: i64 = -53;

/// Which log a segment belongs to. In the order in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogDirectory {
    /// What is left of the segments up to this number.
    Checkpoint(u32),
    /// Samples as they came.
    InOrder,
    /// Samples that came behind later ones of their series.
    OutOfOrder,
}

/// A segment of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogSegment {
    /// Where it lies.
    pub directory: LogDirectory,
    /// Its number there.
    pub number: u32,
}

/// How the content of a record is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Snappy,
    Zstd,
}

/// Puts the records of one segment together, as its bytes come.
#[derive(Debug, Default)]
pub struct SegmentReader {
    bytes: Vec<u8>,
    /// Bytes of these that are done with.
    taken: usize,
    /// How many bytes of the segment lie before those that are not.
    position: u64,
    /// Bytes at the end of a page that hold nothing.
    padding: u64,
    /// The fragments of the record that has begun.
    begun: Option<Vec<u8>>,
}

impl SegmentReader {
    /// Takes the segment's next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The first byte that is not read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next record; nothing when more bytes must come first.
    ///
    /// # Errors
    /// `Corrupt` for what is no record, or one that is too long.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let skipped = self.padding.min((self.bytes.len() - self.taken) as u64);
            if self.bytes[self.taken..][..skipped as usize].iter().any(|byte| *byte != 0) {
                return Err(Error::corrupt("there is something at the end of a page where nothing should be"));
            }
            self.advance(skipped);
            self.padding -= skipped;
            let rest = &self.bytes[self.taken..];
            let Some(&kind) = rest.first() else { return Ok(None) };
            let left_in_page = PAGE_BYTES - self.position % PAGE_BYTES;
            if left_in_page < HEADER_BYTES as u64 || kind & 7 == 0 {
                self.padding = left_in_page;
                continue;
            }
            let Some((header, rest)) = rest.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
            let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
            if (HEADER_BYTES + length) as u64 > left_in_page {
                return Err(Error::corrupt("a fragment of a record reaches behind its page"));
            }
            let Some(fragment) = rest.get(..length) else { return Ok(None) };
            let packing = match kind & 0b1111_1000 {
                0 => Packing::Plain,
                8 => Packing::Snappy,
                16 => Packing::Zstd,
                _ => {
                    return Err(Error::corrupt(format!(
                        "a fragment of a record has the type {kind}, which is not known"
                    )));
                }
            };
            let mut record = match (kind & 7, self.begun.take()) {
                (1 | 2, None) => Vec::new(),
                (3 | 4, Some(begun)) => begun,
                _ => return Err(Error::corrupt("the fragments of a record are out of order")),
            };
            if record.len() + length > MAX_RECORD_BYTES {
                let most = MAX_RECORD_BYTES >> 20;
                return Err(Error::corrupt(format!("a record is longer than the {most} MiB that are taken")));
            }
            if !super::is_intact(fragment, [header[3], header[4], header[5], header[6]]) {
                return Err(Error::corrupt("a record differs from its checksum"));
            }
            record.extend_from_slice(fragment);
            self.advance((HEADER_BYTES + length) as u64);
            if matches!(kind & 7, 1 | 4) {
                return unpacked(record, packing).map(Some);
            }
            self.begun = Some(record);
        }
    }

    /// All bytes have come.
    ///
    /// # Errors
    /// `Corrupt` when the last record is cut off.
    pub fn finish(&self) -> Result<()> {
        match self.begun.is_none() && self.taken == self.bytes.len() {
            true => Ok(()),
            false => Err(Error::corrupt("the last record is cut off")),
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.taken += bytes as usize;
        self.position += bytes;
    }
}

fn unpacked(record: Vec<u8>, packing: Packing) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let unpacked = match packing {
        Packing::Plain => return Ok(record),
        Packing::Snappy => snappy::decompress(&record, MAX_RECORD_BYTES, &mut content),
        Packing::Zstd => zstd::decompress(&record, MAX_RECORD_BYTES, &mut content),
    };
    // One that is too long is one that can't be read, and those before it can.
    unpacked.map(|()| content).map_err(|error| Error::corrupt(error.message()))
}

/// What a record says. Its rows are read one after the other: a record can hold millions.
#[derive(Clone, Debug, PartialEq)]
pub enum Record<'a> {
    /// Series that have appeared.
    Series(SeriesRows<'a>),
    /// Samples of floats.
    Samples(SampleRows<'a>),
    /// What was deleted.
    Tombstones(TombstoneRows<'a>),
    /// Native histograms.
    Histograms(HistogramRows<'a>),
    /// What has no bearing on samples: exemplars, descriptions, what is in chunks already.
    Other,
    /// A kind of record that is not known.
    Unknown(u8),
}

impl<'a> Record<'a> {
    /// Reads the content of a record.
    ///
    /// # Errors
    /// `Corrupt` when it ends before its time.
    pub fn parse(record: &'a [u8]) -> Result<Self> {
        let Some((&kind, rest)) = record.split_first() else { return Ok(Self::Other) };
        match kind {
            1 => Ok(Self::Series(SeriesRows { rest })),
            2 => Rows::begin(kind, rest).map(SampleRows).map(Self::Samples),
            3 => Ok(Self::Tombstones(TombstoneRows { rest })),
            4..=6 => Ok(Self::Other),
            7..=10 => Rows::begin(kind, rest).map(HistogramRows).map(Self::Histograms),
            other => Ok(Self::Unknown(other)),
        }
    }
}

fn cut_off(kind: u8) -> Error {
    Error::corrupt(format!("a record of the kind {kind} ends before its time"))
}

/// The series of a record, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesRows<'a> {
    rest: &'a [u8],
}

impl<'a> SeriesRows<'a> {
    /// What the other records call the next series, and its labels; nothing behind the last one.
    ///
    /// # Errors
    /// `Corrupt` when the record ends before its time, or a label is no UTF-8.
    pub fn next(&mut self) -> Result<Option<(u64, Vec<(&'a str, &'a str)>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (reference, rest) = take_u64(self.rest)?;
        let (count, mut rest) = take_varuint(rest)?;
        let mut labels = Vec::new();
        if count > MAX_LABELS {
            return Err(Error::corrupt(format!(
                "a series has {count} labels, more than the {MAX_LABELS} that are taken"
            )));
        }
        for _ in 0..count {
            let (name, value);
            (name, rest) = take_text(rest)?;
            (value, rest) = take_text(rest)?;
            labels.push((name, value));
        }
        self.rest = rest;
        Ok(Some((reference, labels)))
    }
}

fn take_text(src: &[u8]) -> Result<(&str, &[u8])> {
    let (text, rest) = take_bytes(src)?;
    let text = str::from_utf8(text).map_err(|_| Error::corrupt("a label of a series is no UTF-8"))?;
    Ok((text, rest))
}

/// The samples of a record, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRows<'a>(Rows<'a>);

impl SampleRows<'_> {
    /// The series of the next sample, its timestamp and value; nothing behind the last one.
    ///
    /// # Errors
    /// `Corrupt` when the record ends before its time.
    pub fn next(&mut self) -> Result<Option<(u64, TimestampMs, f64)>> {
        let Some((reference, timestamp)) = self.0.next()? else { return Ok(None) };
        let bits = self.0.take(take_u64)?;
        Ok(Some((reference, timestamp, f64::from_bits(bits))))
    }
}

/// The deletions of a record, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct TombstoneRows<'a> {
    rest: &'a [u8],
}

impl TombstoneRows<'_> {
    /// Of which series something was deleted, from a timestamp to another, both included; nothing behind the last one.
    ///
    /// # Errors
    /// `Corrupt` when the record ends before its time.
    pub fn next(&mut self) -> Result<Option<(u64, TimestampMs, TimestampMs)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let found = || {
            let (reference, rest) = take_u64(self.rest)?;
            let (min, rest) = take_varint(rest)?;
            let (max, rest) = take_varint(rest)?;
            Ok(((reference, min, max), rest))
        };
        let (found, rest) = found().map_err(|_: Error| cut_off(3))?;
        self.rest = rest;
        Ok(Some(found))
    }
}

/// The native histograms of a record, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramRows<'a>(Rows<'a>);

impl HistogramRows<'_> {
    /// The series of the next one; nothing behind the last one.
    ///
    /// # Errors
    /// `Corrupt` when the record ends before its time.
    pub fn next(&mut self) -> Result<Option<u64>> {
        let Some((reference, _)) = self.0.next()? else { return Ok(None) };
        let is_of_floats = matches!(self.0.kind, 8 | 10);
        self.0.take(|rest| behind_histogram(rest, is_of_floats).map(|rest| ((), rest)))?;
        Ok(Some(reference))
    }
}

/// What lies behind a histogram, of which only that it is there is of interest.
fn behind_histogram(rest: &[u8], is_of_floats: bool) -> Result<&[u8]> {
    // The number of samples, in all or near to zero.
    let count = |rest| match is_of_floats {
        true => take_u64(rest).map(|(_, rest)| rest),
        false => take_varuint(rest).map(|(_, rest)| rest),
    };
    let (_reset_hint, rest) = rest.split_first().ok_or_else(|| Error::corrupt("too short"))?;
    let (schema, rest) = take_varint(rest)?;
    let (_zero_threshold, rest) = take_u64(rest)?;
    let (_sum, mut rest) = take_u64(count(count(rest)?)?)?;
    for _ in ["positive", "negative"] {
        let (spans, behind) = take_varuint(rest)?;
        rest = behind;
        for _ in 0..spans {
            rest = take_varuint(take_varint(rest)?.1)?.1;
        }
    }
    for _ in ["positive", "negative"] {
        let (buckets, behind) = take_varuint(rest)?;
        rest = behind;
        for _ in 0..buckets {
            rest = if is_of_floats { take_u64(rest)?.1 } else { take_varint(rest)?.1 };
        }
    }
    if schema == CUSTOM_BOUNDS {
        let (bounds, behind) = take_varuint(rest)?;
        rest = behind;
        for _ in 0..bounds {
            rest = take_u64(rest)?.1;
        }
    }
    Ok(rest)
}

/// Rows that each begin with a series and an instant, as differences from those at the front.
#[derive(Clone, Debug, PartialEq)]
struct Rows<'a> {
    /// Of the record.
    kind: u8,
    reference: u64,
    timestamp: TimestampMs,
    rest: &'a [u8],
}

impl<'a> Rows<'a> {
    fn begin(kind: u8, rest: &'a [u8]) -> Result<Self> {
        let mut rows = Self { kind, reference: 0, timestamp: 0, rest };
        if !rest.is_empty() {
            rows.reference = rows.take(take_u64)?;
            rows.timestamp = rows.take(take_u64)? as i64;
        }
        Ok(rows)
    }

    fn next(&mut self) -> Result<Option<(u64, TimestampMs)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (reference, timestamp) = (self.take(take_varint)?, self.take(take_varint)?);
        Ok(Some((self.reference.wrapping_add_signed(reference), self.timestamp.wrapping_add(timestamp))))
    }

    fn take<T>(&mut self, read: impl FnOnce(&'a [u8]) -> Result<(T, &'a [u8])>) -> Result<T> {
        let (found, rest) = read(self.rest).map_err(|_| cut_off(self.kind))?;
        self.rest = rest;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::int::{put_bytes, put_u64, put_varint, put_varuint};

    /// A segment as servers write it: fragments that fill pages, zeros where no header fits.
    fn segment(records: &[Vec<u8>], flags: u8) -> Vec<u8> {
        let page = PAGE_BYTES as usize;
        let mut out = Vec::new();
        for record in records {
            let mut rest = &record[..];
            let mut is_first = true;
            loop {
                let left = page - out.len() % page;
                if left < HEADER_BYTES {
                    out.resize(out.len() + left, 0);
                    continue;
                }
                let (fragment, behind) = rest.split_at(rest.len().min(left - HEADER_BYTES));
                let kind = match (is_first, behind.is_empty()) {
                    (true, true) => 1,
                    (true, false) => 2,
                    (false, false) => 3,
                    (false, true) => 4,
                };
                out.push(kind | flags);
                out.extend((fragment.len() as u16).to_be_bytes());
                out.extend(super::super::CHECKSUM.checksum(fragment).to_be_bytes());
                out.extend_from_slice(fragment);
                (rest, is_first) = (behind, false);
                if rest.is_empty() {
                    break;
                }
            }
        }
        out
    }

    fn read(segment: &[u8], piece: usize) -> Result<Vec<Vec<u8>>> {
        let mut reader = SegmentReader::default();
        let mut records = Vec::new();
        for bytes in segment.chunks(piece) {
            reader.push(bytes);
            while let Some(record) = reader.next()? {
                records.push(record);
            }
        }
        reader.finish().map(|()| records)
    }

    fn logged() -> Vec<u8> {
        let mut record = vec![2];
        put_u64(&mut record, 9);
        put_u64(&mut record, 1000);
        for (reference, timestamp, value) in [(0, 0, 1.5f64), (-2, 15, f64::NAN), (3, -7, 0.0)] {
            put_varint(&mut record, reference);
            put_varint(&mut record, timestamp);
            put_u64(&mut record, value.to_bits());
        }
        record
    }

    #[test]
    fn records_come_back_whatever_pages_and_pieces_cut_them() {
        let lengths = [0, 1, 32_754, 7, 32_755, 100_000, 3, 65_536, 32_761, 1];
        let records: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![length as u8; length]).collect();
        let plain = segment(&records, 0);
        let snappy: Vec<Vec<u8>> = records.iter().map(|record| snappy::compress(record)).collect();
        for piece in [1, 7, 1000, plain.len()] {
            assert!(read(&plain, piece).unwrap() == records, "{piece}");
            assert!(read(&segment(&snappy, 8), piece).unwrap() == records, "{piece}");
        }
        let mut padded = plain.clone();
        padded.resize(padded.len().next_multiple_of(PAGE_BYTES as usize), 0);
        assert!(read(&padded, 1000).unwrap() == records);
        *padded.last_mut().unwrap() = 1;
        assert!(read(&padded, 1000).is_err());
    }

    #[test]
    fn a_segment_that_is_cut_off_says_so_after_what_is_whole() {
        let records = vec![vec![1; 100], vec![2; 40_000]];
        let segment = segment(&records, 0);
        for length in 108..segment.len() {
            let mut reader = SegmentReader::default();
            reader.push(&segment[..length]);
            assert_eq!(reader.next().unwrap().as_ref(), Some(&records[0]));
            assert_eq!(reader.next().unwrap(), None);
            assert!(reader.finish().is_err(), "{length}");
        }
    }

    #[test]
    fn samples_are_differences_from_the_first() {
        let record = logged();
        let Record::Samples(mut rows) = Record::parse(&record).unwrap() else { panic!() };
        assert_eq!(rows.next().unwrap(), Some((9, 1000, 1.5)));
        let (reference, timestamp, value) = rows.next().unwrap().unwrap();
        assert!(reference == 7 && timestamp == 1015 && value.is_nan());
        assert_eq!(rows.next().unwrap(), Some((12, 993, 0.0)));
        assert_eq!(rows.next().unwrap(), None);
    }

    #[test]
    fn histograms_of_all_kinds_are_counted() {
        for kind in 7..=10u8 {
            let is_of_floats = matches!(kind, 8 | 10);
            for schema in [3, CUSTOM_BOUNDS] {
                let mut record = vec![kind];
                put_u64(&mut record, 5);
                put_u64(&mut record, 0);
                for row in 0..3 {
                    put_varint(&mut record, row);
                    put_varint(&mut record, 15);
                    record.push(0);
                    put_varint(&mut record, schema);
                    put_u64(&mut record, 0);
                    for _ in 0..2 {
                        if is_of_floats { put_u64(&mut record, 0) } else { put_varuint(&mut record, 300) }
                    }
                    put_u64(&mut record, 0);
                    put_varuint(&mut record, 1);
                    put_varint(&mut record, -70);
                    put_varuint(&mut record, 200);
                    put_varuint(&mut record, 0);
                    put_varuint(&mut record, 2);
                    for _ in 0..2 {
                        if is_of_floats { put_u64(&mut record, 0) } else { put_varint(&mut record, -70) }
                    }
                    put_varuint(&mut record, 0);
                    if schema == CUSTOM_BOUNDS {
                        put_varuint(&mut record, 1);
                        put_u64(&mut record, 0);
                    }
                }
                let Record::Histograms(mut rows) = Record::parse(&record).unwrap() else { panic!() };
                for expected in [Some(5), Some(6), Some(7), None] {
                    assert_eq!(rows.next().unwrap(), expected, "{kind} {schema}");
                }
            }
        }
    }

    #[test]
    fn damaged_records_are_errors_or_other_records() {
        let mut series = vec![1];
        put_u64(&mut series, 7);
        put_varuint(&mut series, 2);
        for text in ["__name__", "up", "job", "x"] {
            put_bytes(&mut series, text.as_bytes());
        }
        let mut deleted = vec![3];
        put_u64(&mut deleted, 7);
        put_varint(&mut deleted, -5);
        put_varint(&mut deleted, 5);
        let Record::Series(mut rows) = Record::parse(&series).unwrap() else { panic!() };
        assert_eq!(rows.next().unwrap(), Some((7, vec![("__name__", "up"), ("job", "x")])));
        assert_eq!(rows.next().unwrap(), None);
        let Record::Tombstones(mut rows) = Record::parse(&deleted).unwrap() else { panic!() };
        assert_eq!(rows.next().unwrap(), Some((7, -5, 5)));
        assert_eq!(rows.next().unwrap(), None);
        let mut labels = vec![1];
        put_u64(&mut labels, 7);
        put_varuint(&mut labels, MAX_LABELS + 1);
        labels.resize(labels.len() + 2 * MAX_LABELS as usize + 2, 0);
        let Record::Series(mut rows) = Record::parse(&labels).unwrap() else { panic!() };
        assert!(rows.next().is_err());
        for record in [series, deleted, logged()] {
            for bit in 0..record.len() * 8 {
                let mut damaged = record.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                for record in [&damaged[..], &damaged[..bit / 8]] {
                    match Record::parse(record) {
                        Ok(Record::Series(mut rows)) => while let Ok(Some(_)) = rows.next() {},
                        Ok(Record::Samples(mut rows)) => while let Ok(Some(_)) = rows.next() {},
                        Ok(Record::Tombstones(mut rows)) => while let Ok(Some(_)) = rows.next() {},
                        Ok(Record::Histograms(mut rows)) => while let Ok(Some(_)) = rows.next() {},
                        Ok(Record::Other | Record::Unknown(_)) | Err(_) => {}
                    }
                }
                let _ = read(&segment(&[damaged], (bit % 32) as u8), 13);
            }
        }
    }
}
