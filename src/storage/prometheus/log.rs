//! The log of Prometheus: what is in no block yet. It is read twice, since what was deleted stands behind the samples.

use super::{Omitted, READ_BYTES, check_wanted};
use crate::archive::inventory::LogFile;
use crate::archive::plan::LeftOut;
use crate::archive::prometheus::index::{self, Tombstone};
use crate::archive::prometheus::log::{LogDirectory, LogSegment, Record, SampleRows, SegmentReader};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::storage::Storage;
use crate::time::TimestampMs;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Tombstones that are held in memory, and names by which the log knows series.
const MAX_HELD: usize = 4 << 20;

/// Rows of a record after which others have their turn, and which go into the database together.
const ROWS_PER_TURN: usize = 8_192;

/// A log that was staged.
pub(super) struct Log<'a> {
    storage: &'a Storage,
    is_given_up: &'a Cell<bool>,
    staging: FilePath,
    /// Samples before it are in blocks.
    begin: TimestampMs,
    /// What is read, in this order.
    segments: Vec<(LogSegment, &'a LogFile)>,
}

impl<'a> Log<'a> {
    /// The segments that a server would read: the last checkpoint, what comes behind it, and what came out of order.
    pub(super) fn new(
        storage: &'a Storage,
        is_given_up: &'a Cell<bool>,
        staging: FilePath,
        begin: TimestampMs,
        segments: &'a SortedMap<LogSegment, LogFile>,
    ) -> Self {
        let checkpoint = segments.keys().filter_map(|segment| match segment.directory {
            LogDirectory::Checkpoint(up_to) => Some(up_to),
            _ => None,
        });
        let checkpoint = checkpoint.max();
        let is_read = |segment: &LogSegment| match segment.directory {
            LogDirectory::Checkpoint(up_to) => Some(up_to) == checkpoint,
            LogDirectory::InOrder => checkpoint.is_none_or(|up_to| segment.number > up_to),
            LogDirectory::OutOfOrder => true,
        };
        let segments = segments.iter().map(|(segment, file)| (*segment, file));
        Self {
            storage,
            is_given_up,
            staging,
            begin,
            segments: segments.filter(|(segment, _)| is_read(segment)).collect(),
        }
    }

    /// Writes its samples of floats. Tells what was not taken over.
    ///
    /// # Errors
    /// `Limit` for more series or tombstones than can be held; what storage says.
    pub(super) async fn import(self, left_out: &mut Vec<LeftOut>) -> Result<()> {
        let mut found = Found::default();
        let whole = self.find(&mut found, left_out).await?;
        let deleted = found.deletions();
        let mut rows = Rows::default();
        for (at, records) in whole.into_iter().enumerate() {
            let mut reading = Reading::new(&self, at);
            for _ in 0..records {
                let Some(record) = reading.next().await? else { break };
                self.storage.context.spend(1 + record.len() as u64 / 64).await;
                let Record::Samples(mut samples) = Record::parse(&record)? else { continue };
                while rows.take(&found, &deleted, self.begin, self.segments[at].0.directory, &mut samples)? {
                    self.storage.append_columns(&rows.handles, &rows.timestamps, &rows.values).await?;
                    self.storage.wait_for_room().await;
                    self.storage.context.spend(ROWS_PER_TURN as u64 / 16).await;
                    check_wanted(self.is_given_up)?;
                }
            }
        }
        found.tell(left_out);
        if rows.unnamed > 0 {
            let message = format!("{} samples are of series that the log does not name", rows.unnamed);
            left_out.push(LeftOut { path: "wal".into(), message });
        }
        Ok(())
    }

    /// The first reading: how many records each segment has that are whole. Behind damage and behind a segment that is missing nothing is
    /// read of the same log, as a server goes on without it, too.
    async fn find(&self, found: &mut Found, left_out: &mut Vec<LeftOut>) -> Result<Vec<u64>> {
        let mut whole = Vec::with_capacity(self.segments.len());
        let mut has_ended = false;
        for (at, (segment, file)) in self.segments.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| self.segments[before].0);
            let is_of_another = |before: LogSegment| {
                (before.directory == LogDirectory::OutOfOrder) != (segment.directory == LogDirectory::OutOfOrder)
            };
            has_ended &= !before.is_some_and(is_of_another);
            let mut records = 0;
            if !has_ended && follows(before, *segment) {
                let mut reading = Reading::new(self, at);
                let damage = loop {
                    let begins = reading.reader.position();
                    let taken = match reading.next().await {
                        Ok(None) => break None,
                        Ok(Some(record)) => {
                            self.storage.context.spend(1 + record.len() as u64 / 64).await;
                            found.take(self.storage, self.is_given_up, &record).await
                        }
                        Err(error) => Err(error),
                    };
                    match taken {
                        Ok(()) => records += 1,
                        Err(error) if error.kind() == ErrorKind::Corrupt => break Some((begins, error)),
                        Err(error) => return Err(error),
                    }
                };
                if let Some((begins, error)) = damage {
                    has_ended = true;
                    let why = error.message();
                    let message =
                        format!("{why} (from byte {begins} on); what the log holds from there on is not taken over");
                    left_out.push(LeftOut { path: file.path.clone(), message });
                }
            } else if !has_ended {
                has_ended = true;
                let message = "a segment before this one is missing; what the log holds from here on is not taken over";
                left_out.push(LeftOut { path: file.path.clone(), message: message.into() });
            }
            whole.push(records);
        }
        Ok(whole)
    }
}

/// Whether no segment is missing between two that are read one after the other.
fn follows(before: Option<LogSegment>, segment: LogSegment) -> bool {
    match (before, segment.directory) {
        (Some(before), directory) if before.directory == directory => segment.number == before.number + 1,
        (Some(LogSegment { directory: LogDirectory::Checkpoint(up_to), .. }), LogDirectory::InOrder) => {
            segment.number == up_to + 1
        }
        (_, LogDirectory::Checkpoint(_)) => segment.number == 0,
        _ => true,
    }
}

/// Goes through the records of a segment.
struct Reading<'a> {
    log: &'a Log<'a>,
    file: &'a LogFile,
    /// How many bytes were handed over.
    offset: u64,
    reader: SegmentReader,
}

impl<'a> Reading<'a> {
    fn new(log: &'a Log<'a>, at: usize) -> Self {
        Self { log, file: log.segments[at].1, offset: 0, reader: SegmentReader::default() }
    }

    /// The next record; nothing behind the last one.
    ///
    /// # Errors
    /// `Corrupt` for what is no record; what storage says.
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            check_wanted(self.log.is_given_up)?;
            if let Some(record) = self.reader.next()? {
                return Ok(Some(record));
            }
            if self.offset >= self.file.size_bytes {
                return self.reader.finish().map(|()| None);
            }
            let end = (self.offset + READ_BYTES).min(self.file.size_bytes);
            let file = self.log.staging.join(&self.file.path);
            self.reader.push(&self.log.storage.context.read(&file, self.offset..end).await?);
            self.offset = end;
        }
    }
}

/// What the first reading has found.
#[derive(Default)]
struct Found {
    /// Handles by what the log calls the series; none of one that was refused.
    handles: HashMap<u64, Option<u32>>,
    tombstones: Vec<Tombstone>,
    /// How many series were refused, and why the first one was.
    refused: Option<(u64, Error)>,
    histograms: Omitted,
    with_histograms: HashSet<u32>,
    unknown_kinds: BTreeSet<u8>,
}

impl Found {
    /// Takes down what a record says of series and of what was deleted. Samples are looked through for damage alone.
    ///
    /// # Errors
    /// `Corrupt` for a record that is damaged; `Limit` for more than can be held.
    async fn take(&mut self, storage: &Storage, is_given_up: &Cell<bool>, record: &[u8]) -> Result<()> {
        let mut record = Record::parse(record)?;
        let mut has_more = true;
        while has_more {
            for _ in 0..ROWS_PER_TURN {
                has_more = self.take_row(storage, &mut record)?;
                if !has_more {
                    break;
                }
            }
            if self.tombstones.len().max(self.handles.len()) > MAX_HELD {
                let message = format!("the log of Prometheus tells of more than {MAX_HELD} series or deletions");
                return Err(Error::new(ErrorKind::Limit, message));
            }
            if has_more {
                storage.context.spend(ROWS_PER_TURN as u64 / 16).await;
                check_wanted(is_given_up)?;
            }
        }
        Ok(())
    }

    /// The next row of a record; whether there is one.
    fn take_row(&mut self, storage: &Storage, record: &mut Record<'_>) -> Result<bool> {
        match record {
            Record::Series(rows) => {
                let Some((reference, labels)) = rows.next()? else { return Ok(false) };
                self.take_series(storage, reference, &labels)?;
            }
            Record::Tombstones(rows) => {
                let Some(tombstone) = rows.next()? else { return Ok(false) };
                self.tombstones.push(tombstone);
            }
            Record::Histograms(rows) => {
                let Some(reference) = rows.next()? else { return Ok(false) };
                self.histograms.histograms += 1;
                self.with_histograms.extend(self.handles.get(&reference).copied().flatten());
            }
            Record::Samples(rows) => return Ok(rows.next()?.is_some()),
            Record::Unknown(kind) => {
                self.unknown_kinds.insert(*kind);
                return Ok(false);
            }
            Record::Other => return Ok(false),
        }
        Ok(true)
    }

    fn take_series(&mut self, storage: &Storage, reference: u64, labels: &[(&str, &str)]) -> Result<()> {
        let handle = match storage.series_handle(labels) {
            Ok(handle) => Some(handle),
            Err(error) if error.kind() == ErrorKind::Invalid => {
                self.refused.get_or_insert((0, error)).0 += 1;
                None
            }
            Err(error) => return Err(error),
        };
        self.handles.insert(reference, handle);
        Ok(())
    }

    /// What was deleted, by handle: a series that went and came back has two names in the log. Newer versions write a deletion of all
    /// time for a series that went, which deletes no sample.
    fn deletions(&mut self) -> Vec<Tombstone> {
        let all_time = |&(_, min, max): &Tombstone| min == TimestampMs::MIN && max == TimestampMs::MAX;
        let by_handle = |(reference, min, max): Tombstone| {
            let handle = self.handles.get(&reference).copied().flatten()?;
            Some((u64::from(handle), min, max))
        };
        let tombstones = std::mem::take(&mut self.tombstones);
        let mut deleted: Vec<Tombstone> =
            tombstones.into_iter().filter(|tombstone| !all_time(tombstone)).filter_map(by_handle).collect();
        index::sort_tombstones(&mut deleted);
        deleted
    }

    fn tell(mut self, left_out: &mut Vec<LeftOut>) {
        self.histograms.series_with_histograms = self.with_histograms.len() as u64;
        self.histograms.tell("wal", left_out);
        let mut tell = |message| left_out.push(LeftOut { path: "wal".into(), message });
        if let Some((series, error)) = self.refused {
            tell(format!("{series} series are not taken over, such as one of which was said: {}", error.message()));
        }
        if !self.unknown_kinds.is_empty() {
            tell(format!("records of the kinds {:?} are not known, and not taken over", self.unknown_kinds));
        }
    }
}

/// Samples on their way from the log into the database.
#[derive(Default)]
struct Rows {
    /// The last sample in order of each series.
    last: HashMap<u32, TimestampMs>,
    /// Samples of series that the log does not name.
    unnamed: u64,
    handles: Vec<u32>,
    timestamps: Vec<TimestampMs>,
    values: Vec<f64>,
}

impl Rows {
    /// Takes some of a record's that a server would take when it starts: of each series what is later than what came before, unless
    /// it stands among those that came out of order. Whether there may be more of them.
    ///
    /// # Errors
    /// `Corrupt` when the record ends before its time.
    fn take(
        &mut self,
        found: &Found,
        deleted: &[Tombstone],
        begin: TimestampMs,
        directory: LogDirectory,
        samples: &mut SampleRows<'_>,
    ) -> Result<bool> {
        self.handles.clear();
        self.timestamps.clear();
        self.values.clear();
        let is_in_order = directory != LogDirectory::OutOfOrder;
        for _ in 0..ROWS_PER_TURN {
            let Some((reference, timestamp, value)) = samples.next()? else { return Ok(!self.handles.is_empty()) };
            if is_in_order && timestamp < begin {
                continue;
            }
            let handle = match found.handles.get(&reference) {
                Some(Some(handle)) => *handle,
                Some(None) => continue,
                None => {
                    self.unnamed += 1;
                    continue;
                }
            };
            if is_in_order {
                let last = self.last.entry(handle).or_insert(TimestampMs::MIN);
                if timestamp <= *last {
                    continue;
                }
                *last = timestamp;
            }
            if index::is_deleted(index::tombstones_of(deleted, u64::from(handle)), timestamp) {
                continue;
            }
            self.handles.push(handle);
            self.timestamps.push(timestamp);
            self.values.push(value);
        }
        Ok(true)
    }
}
