//! Reading the log that an earlier process has left, or that somebody else writes.

use super::record::{MAX_FILE_BYTES, read_names, read_rows};
use super::{NAMES, ROWS, file, generation_dir, root};
use crate::collections::sorted_map::SortedMap;
use crate::error::{Error, Result};
use crate::fs::{EntryKind, FilePath};
use crate::metric::name::MetricName;
use crate::metric::row::{Rows, SeriesIndex};
use crate::runtime::Context;
use crate::time::{MAX_TIMESTAMP_MS, PartitionName};

/// What a generation calls its series: name and metric id by number.
pub type LoggedNames = SortedMap<SeriesIndex, (MetricName, u64)>;

/// The files of the log, in order.
#[derive(Debug, Default)]
pub struct Replay {
    generations: Vec<Generation>,
}

#[derive(Debug, Default)]
struct Generation {
    number: u64,
    rows: Vec<(u64, u64)>,
    names: Vec<(u64, u64)>,
}

/// One record of rows.
#[derive(Debug)]
pub struct ReplayedRows {
    /// The rows; what they call their series is to be looked up in `names`.
    pub rows: Rows,
    pub(super) path: FilePath,
    pub(super) generation: u64,
    pub(super) bytes: u64,
}

/// Looks which files there are.
///
/// # Errors
/// `Corrupt` for names that no record has; what storage says.
pub async fn find(context: &Context) -> Result<Replay> {
    let mut replay = Replay::default();
    for entry in context.list(&root()).await? {
        let number = parse_hex(&entry.name).filter(|number| *number < u64::MAX);
        let number = number.ok_or_else(|| foreign(&root().join(&entry.name)))?;
        let mut generation = Generation { number, ..Generation::default() };
        for entry in context.list(&generation_dir(number)).await? {
            let is_foreign = || foreign(&generation_dir(number).join(&entry.name));
            let (name, kind) = entry.name.split_once('.').ok_or_else(is_foreign)?;
            let at = parse_hex(name).filter(|at| *at < u64::MAX).ok_or_else(is_foreign)?;
            let EntryKind::File { size_bytes } = entry.kind else { return Err(is_foreign()) };
            match kind {
                ROWS => generation.rows.push((at, size_bytes)),
                NAMES => generation.names.push((at, size_bytes)),
                _ => return Err(is_foreign()),
            }
        }
        replay.generations.push(generation);
    }
    Ok(replay)
}

impl Replay {
    /// Whether there is nothing to be read.
    pub fn is_empty(&self) -> bool {
        self.generations.iter().all(|generation| generation.rows.is_empty())
    }

    /// The first generation and number that no file has.
    pub fn next(&self) -> (u64, u64) {
        let numbers = self.generations.iter().flat_map(|generation| generation.rows.iter().chain(&generation.names));
        (
            self.generations.last().map_or(0, |last| last.number) + 1,
            numbers.map(|(number, _)| number + 1).max().unwrap_or(0),
        )
    }

    /// The generations, in order, and how many records each has.
    pub fn record_counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.generations.iter().map(|generation| (generation.number, generation.rows.len() as u64))
    }

    /// The bytes of all records.
    pub fn record_bytes(&self) -> u64 {
        self.generations.iter().flat_map(|generation| &generation.rows).map(|(_, bytes)| bytes).sum()
    }

    /// What a generation calls its series.
    ///
    /// # Errors
    /// `Corrupt` with the file that can't be understood; what storage says.
    pub async fn names(&self, context: &Context, generation: u64) -> Result<LoggedNames> {
        let mut names = LoggedNames::new();
        for &(number, bytes) in self.generation(generation).into_iter().flat_map(|generation| &generation.names) {
            let path = file(generation, number, NAMES);
            let content = read_file(context, &path, bytes).await?;
            for name in read_names(&content).map_err(|error| error.at(&path))? {
                let metric_name = MetricName::unmarshal(&name.marshaled).map_err(|error| error.at(&path))?;
                names.insert(name.number, (metric_name, name.metric_id));
            }
            context.spend(bytes).await;
        }
        Ok(names)
    }

    /// The numbers of a generation's records, in the order in which they were written.
    pub fn records(&self, generation: u64) -> impl Iterator<Item = u64> + '_ {
        self.generation(generation).into_iter().flat_map(|generation| &generation.rows).map(|(number, _)| *number)
    }

    /// One record of a generation, all of whose series are among `names`.
    ///
    /// # Errors
    /// As for the names.
    pub async fn read(
        &self,
        context: &Context,
        generation: u64,
        number: u64,
        names: &LoggedNames,
    ) -> Result<ReplayedRows> {
        let path = file(generation, number, ROWS);
        let found = self.generation(generation).and_then(|found| found.rows.iter().find(|(at, _)| *at == number));
        let bytes = found.map_or(0, |(_, bytes)| *bytes);
        let content = read_file(context, &path, bytes).await?;
        let rows = read_rows(&content).map_err(|error| error.at(&path))?;
        if let Some(series) = rows.series.iter().find(|series| !names.contains_key(*series)) {
            return Err(Error::corrupt(format!("{path}: no file of its generation names the series {series}")));
        }
        let months = rows.timestamps.iter().map(|timestamp| PartitionName::of(*timestamp));
        if rows.timestamps.iter().any(|timestamp| !(0..=MAX_TIMESTAMP_MS).contains(timestamp))
            || months.zip(rows.timestamps.first()).any(|(month, first)| !month.range().contains(*first))
        {
            return Err(Error::corrupt(format!("{path}: its rows are not of one month")));
        }
        context.spend(rows.len() as u64).await;
        Ok(ReplayedRows { rows, path, generation, bytes })
    }

    fn generation(&self, number: u64) -> Option<&Generation> {
        self.generations.iter().find(|generation| generation.number == number)
    }
}

async fn read_file(context: &Context, path: &FilePath, bytes: u64) -> Result<bytes::Bytes> {
    if bytes > MAX_FILE_BYTES {
        return Err(Error::corrupt(format!("{path}: {bytes} bytes are more than a record has")));
    }
    context.read(path, 0..bytes).await
}

fn parse_hex(text: &str) -> Option<u64> {
    let is_ours = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    is_ours.then(|| u64::from_str_radix(text, 16).ok())?
}

fn foreign(path: &FilePath) -> Error {
    Error::corrupt(format!("{path}: the log has no such file; move it away"))
}
