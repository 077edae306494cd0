//! The log of Prometheus: what is in no block yet. It is read twice, since what was deleted stands behind the samples.

use super::{Omitted, READ_BYTES};
use crate::archive::plan::LeftOut;
use crate::archive::prometheus::index::{self, Tombstone};
use crate::archive::prometheus::log::{LogDirectory, LogSegment, LoggedSamples, Record, SegmentReader};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::storage::Storage;
use crate::time::TimestampMs;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Tombstones that are held in memory.
const MAX_TOMBSTONES: usize = 4 << 20;

/// A log that was staged.
pub(super) struct Log<'a> {
    storage: &'a Storage,
    staging: FilePath,
    /// Samples before it are in blocks.
    begin: TimestampMs,
    /// What is read, in this order, with lengths.
    segments: Vec<(LogSegment, u64)>,
    /// A segment that is missing: those behind it are not read.
    missing: Option<LogSegment>,
}

/// What the first reading has found.
#[derive(Default)]
struct Found {
    /// Handles by what the log calls the series.
    handles: HashMap<u64, u32>,
    /// Sorted.
    deleted: Vec<Tombstone>,
    /// Why the first series that was refused was.
    refused: Option<Error>,
    histograms: Omitted,
    with_histograms: HashSet<u64>,
    unknown_kinds: BTreeSet<u8>,
}

impl<'a> Log<'a> {
    /// The segments that a server would read: the last checkpoint, and what comes behind it.
    pub(super) fn new(
        storage: &'a Storage,
        staging: FilePath,
        begin: TimestampMs,
        segments: &SortedMap<LogSegment, u64>,
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
        let mut read: Vec<(LogSegment, u64)> = Vec::new();
        let mut missing = None;
        for (segment, size_bytes) in segments.iter().filter(|(segment, _)| is_read(segment)) {
            let next = read.iter().rev().map(|(before, _)| before).find(|before| before.directory == segment.directory);
            let expected = match (next, segment.directory, checkpoint) {
                (Some(before), ..) => before.number + 1,
                (None, LogDirectory::InOrder, Some(up_to)) => up_to + 1,
                (None, LogDirectory::Checkpoint(_), _) => 0,
                (None, ..) => segment.number,
            };
            if segment.number != expected {
                missing = Some(LogSegment { number: expected, ..*segment });
                break;
            }
            read.push((*segment, *size_bytes));
        }
        Self { storage, staging, begin, segments: read, missing }
    }

    /// Writes its samples of floats. Tells what was not taken over.
    ///
    /// # Errors
    /// `Limit` for more series or tombstones than can be held; what storage says.
    pub(super) async fn import(self, left_out: &mut Vec<LeftOut>) -> Result<()> {
        let mut found = Found::default();
        let mut reading = Reading::new(&self);
        while let Some((_, record)) = reading.next().await? {
            self.storage.context.spend(1 + record.len() as u64 / 64).await;
            if let Err(error) = found.take(self.storage, &record)? {
                reading.stop(error);
            }
        }
        let damage = reading.damage;
        index::sort_tombstones(&mut found.deleted);
        let mut rows = Rows::default();
        let mut reading = Reading::new(&self);
        while let Some((directory, record)) = reading.next().await? {
            self.storage.context.spend(1 + record.len() as u64 / 64).await;
            match Record::parse(&record) {
                Ok(Record::Samples(samples)) => rows.take(&found, self.begin, directory, &samples),
                Ok(_) => continue,
                Err(error) => reading.stop(error),
            }
            self.storage.append_columns(&rows.handles, &rows.timestamps, &rows.values).await?;
            self.storage.wait_for_room().await;
        }
        found.tell(left_out);
        let mut tell = |path: String, message: String| left_out.push(LeftOut { path, message });
        if rows.unnamed > 0 {
            tell("wal".into(), format!("{} samples are of series that the log does not name", rows.unnamed));
        }
        if let Some((segment, at, error)) = damage {
            let why = error.message();
            tell(segment.path(), format!("{why} (at byte {at}); what the log holds behind it is not taken over"));
        } else if let Some(segment) = self.missing {
            tell(segment.path(), "the segment is missing; what the log holds behind it is not taken over".into());
        }
        Ok(())
    }
}

/// Goes through the records of a log, as far as it is whole.
struct Reading<'a> {
    log: &'a Log<'a>,
    /// Which segment is read.
    at: usize,
    /// How many bytes of it were handed over.
    offset: u64,
    reader: SegmentReader,
    /// Where the log is damaged, and how.
    damage: Option<(LogSegment, u64, Error)>,
}

impl<'a> Reading<'a> {
    fn new(log: &'a Log<'a>) -> Self {
        Self { log, at: 0, offset: 0, reader: SegmentReader::default(), damage: None }
    }

    /// The next record, and of which directory it is. Nothing behind the last one, or behind damage, as a server goes on without it, too.
    async fn next(&mut self) -> Result<Option<(LogDirectory, Vec<u8>)>> {
        while let (Some((segment, size_bytes)), None) = (self.log.segments.get(self.at), &self.damage) {
            match self.reader.next() {
                Ok(Some(record)) => return Ok(Some((segment.directory, record))),
                Ok(None) if self.offset < *size_bytes => {
                    let end = (self.offset + READ_BYTES).min(*size_bytes);
                    let file = self.log.staging.join(&segment.path());
                    self.reader.push(&self.log.storage.context.read(&file, self.offset..end).await?);
                    self.offset = end;
                }
                Ok(None) => match self.reader.finish() {
                    Ok(()) => {
                        self.reader = SegmentReader::default();
                        (self.at, self.offset) = (self.at + 1, 0);
                    }
                    Err(error) => self.stop(error),
                },
                Err(error) => self.stop(error),
            }
        }
        Ok(None)
    }

    /// Goes no further, since what was read last is damaged.
    fn stop(&mut self, error: Error) {
        let segment = self.log.segments[self.at.min(self.log.segments.len() - 1)].0;
        self.damage.get_or_insert((segment, self.reader.position(), error));
    }
}

impl Found {
    /// Takes down what a record says of series and of what was deleted. The inner error says that the record is damaged.
    ///
    /// # Errors
    /// `Limit` for more than can be held.
    fn take(&mut self, storage: &Storage, record: &[u8]) -> Result<Result<()>> {
        match Record::parse(record) {
            Ok(Record::Series(mut rows)) => loop {
                match rows.next() {
                    Ok(Some((reference, labels))) => self.take_series(storage, reference, &labels)?,
                    Ok(None) => return Ok(Ok(())),
                    Err(error) => return Ok(Err(error)),
                }
            },
            Ok(Record::Tombstones(found)) => {
                if self.deleted.len() + found.len() > MAX_TOMBSTONES {
                    let message = format!("the log of Prometheus tells of more than {MAX_TOMBSTONES} deletions");
                    return Err(Error::new(ErrorKind::Limit, message));
                }
                self.deleted.extend(found);
            }
            Ok(Record::Histograms(references)) => {
                self.histograms.histograms += references.len() as u64;
                self.with_histograms.extend(references);
            }
            Ok(Record::Unknown(kind)) => _ = self.unknown_kinds.insert(kind),
            Ok(Record::Samples(_) | Record::Other) => {}
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }

    fn take_series(&mut self, storage: &Storage, reference: u64, labels: &[(&str, &str)]) -> Result<()> {
        match storage.series_handle(labels) {
            Ok(handle) => _ = self.handles.insert(reference, handle),
            Err(error) if error.kind() == ErrorKind::Invalid => _ = self.refused.get_or_insert(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn tell(mut self, left_out: &mut Vec<LeftOut>) {
        self.histograms.series_with_histograms = self.with_histograms.len() as u64;
        self.histograms.tell("wal", left_out);
        let mut tell = |message| left_out.push(LeftOut { path: "wal".into(), message });
        if let Some(error) = self.refused {
            tell(format!("a series is not taken over: {}", error.message()));
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
    /// Takes those of a record that a server would take when it starts: of each series what is later than what came before, unless
    /// it stands among those that came out of order.
    fn take(&mut self, found: &Found, begin: TimestampMs, directory: LogDirectory, samples: &LoggedSamples) {
        self.handles.clear();
        self.timestamps.clear();
        self.values.clear();
        let is_in_order = directory != LogDirectory::OutOfOrder;
        for (row, reference) in samples.references.iter().enumerate() {
            let (timestamp, value) = (samples.timestamps[row], samples.values[row]);
            let Some(handle) = found.handles.get(reference) else {
                self.unnamed += 1;
                continue;
            };
            if is_in_order {
                let last = self.last.entry(*handle).or_insert(TimestampMs::MIN);
                if timestamp < begin || timestamp <= *last {
                    continue;
                }
                *last = timestamp;
            }
            if index::is_deleted(index::tombstones_of(&found.deleted, *reference), timestamp) {
                continue;
            }
            self.handles.push(*handle);
            self.timestamps.push(timestamp);
            self.values.push(value);
        }
    }
}
