//! Exports: series after series, in pieces that take little memory however long a series is.

use super::selection::selected;
use crate::error::{Error, Result};
use crate::formats::export::ExportFormat;
use crate::fs::overlay::may_have_moved;
use crate::metric::filter::TagFilter;
use crate::metric::name::MetricName;
use crate::storage::Storage;
use crate::storage::search::{FoundSeries, MAX_SERIES, Reading, View};
use crate::time::{TimeRange, TimestampMs};

/// A chunk ends with the line that reaches this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// A line ends at about so many samples, and the series goes on in the next one: readers put lines of equal labels together, and none
/// has to hold all samples of a series as one text.
pub(super) const LINE_SAMPLES: u64 = 16_384;

/// An export that is being read.
pub(super) struct ExportCursor {
    format: ExportFormat,
    /// The series still to come with the times that are wanted of them, the next one last.
    series: Vec<(FoundSeries, TimeRange)>,
    range: TimeRange,
    /// A chunk ends with the line that reaches this size.
    chunk_bytes: usize,
    /// Each chunk is a body by itself.
    are_chunks_whole: bool,
    has_begun: bool,
    /// A line of JSON has no more samples.
    max_samples_per_line: usize,
    /// Of the next series: what there was when it was begun, and the times still to be read, the next ones last.
    begun: Option<(View, Vec<TimeRange>)>,
    /// Samples of all chunks.
    samples: u64,
}

/// Where an export goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The series.
    pub(super) name: MetricName,
    /// The first instant that is still wanted of it.
    pub(super) from: TimestampMs,
}

impl ExportCursor {
    /// An export of the series that match any of the selectors, each once; of all without one.
    pub(super) async fn open(
        storage: &Storage,
        format: ExportFormat,
        selectors: &[&str],
        range: TimeRange,
    ) -> Result<Self> {
        let filters = if selectors.is_empty() {
            vec![Vec::new()]
        } else {
            let lists = selectors.iter().map(|selector| selected(selector)).collect::<Result<Vec<_>>>()?;
            lists.into_iter().flatten().collect()
        };
        Self::of_filters(storage, format, &filters, range).await
    }

    /// An export of the series that pass all filters of one of the lists.
    pub(super) async fn of_filters(
        storage: &Storage,
        format: ExportFormat,
        filters: &[Vec<TagFilter>],
        range: TimeRange,
    ) -> Result<Self> {
        let mut series = storage.find_series(filters, range, MAX_SERIES).await?;
        storage.tell_labels_not_utf8(&series);
        series.reverse();
        let series = series.into_iter().map(|series| (series, range)).collect();
        Ok(Self::of(format, series, range))
    }

    fn of(format: ExportFormat, series: Vec<(FoundSeries, TimeRange)>, range: TimeRange) -> Self {
        Self {
            format,
            series,
            range,
            chunk_bytes: CHUNK_BYTES,
            are_chunks_whole: false,
            has_begun: false,
            max_samples_per_line: usize::MAX,
            begun: None,
            samples: 0,
        }
    }

    /// Ends lines of JSON sooner.
    pub(super) fn cut_lines(&mut self, max_samples: usize) {
        if self.format == ExportFormat::JsonLines {
            self.max_samples_per_line = max_samples;
        }
    }

    /// The same export in chunks of about so many bytes, each a body by itself.
    pub(super) fn in_bodies(mut self, chunk_bytes: usize) -> Self {
        (self.chunk_bytes, self.are_chunks_whole) = (chunk_bytes, true);
        self
    }

    /// Leaves out what comes before a place.
    pub(super) fn skip_to(&mut self, place: &Place) {
        let wanted = sorted_labels(&place.name);
        while self.series.last().is_some_and(|(found, _)| sorted_labels(&found.name) < wanted) {
            self.series.pop();
        }
        if let Some((found, range)) = self.series.last_mut()
            && sorted_labels(&found.name) == wanted
        {
            range.min = range.min.max(place.from);
        }
    }

    /// Keeps of each series only the times that `wanted` gives for its metric ids.
    pub(super) fn narrow(&mut self, wanted: impl Fn(u64) -> Option<TimeRange>) {
        let both = |a: TimeRange, b: TimeRange| TimeRange { min: a.min.min(b.min), max: a.max.max(b.max) };
        self.series.retain_mut(|(found, range)| {
            let of_series = found.tsids.iter().filter_map(|tsid| wanted(tsid.metric_id)).reduce(both);
            if let Some(wanted) = of_series {
                *range = wanted;
            }
            of_series.is_some()
        });
    }

    /// Where it goes on; none when all has been read.
    pub(super) fn place(&self) -> Option<Place> {
        let (found, range) = self.series.last()?;
        let next_piece = self.begun.as_ref().and_then(|(_, pieces)| pieces.last());
        Some(Place { name: (*found.name).clone(), from: next_piece.map_or(range.min, |piece| piece.min) })
    }

    /// How many samples all chunks so far have.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// The next chunk; none at the end. After an error it can go on, when what could not be read can be read at the second attempt.
    pub(super) async fn next(&mut self, storage: &Storage) -> Result<Option<Vec<u8>>> {
        let mut chunk = Vec::new();
        if !std::mem::replace(&mut self.has_begun, true) || self.are_chunks_whole {
            self.format.begin(self.range, &mut chunk);
        }
        let (begun_len, samples) = (chunk.len(), self.samples);
        while chunk.len() < self.chunk_bytes {
            match self.put_piece(storage, &mut chunk).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if chunk.len() == begun_len => {
                    self.has_begun &= begun_len == 0 || self.are_chunks_whole;
                    return Err(error);
                }
                Err(_) => break,
            }
        }
        if self.are_chunks_whole {
            if self.samples == samples {
                return Ok(None);
            }
            self.format.finish(&mut chunk);
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Appends the next piece of a series to `chunk`, or nothing where the next piece of time is empty; `false` at the end of all series.
    /// After an error it can be tried again. What there was when the series was begun may be gone by now, as a reader's files are when their
    /// writer has merged them: then the rest is read of what there is at present.
    async fn put_piece(&mut self, storage: &Storage, chunk: &mut Vec<u8>) -> Result<bool> {
        let was_begun = self.begun.is_some();
        match self.put_begun_piece(storage, chunk).await {
            Err(error) if was_begun && may_have_moved(&error) => self.put_begun_piece(storage, chunk).await,
            result => result,
        }
    }

    /// The same at the first attempt. After an error the series is to be begun anew, behind what was written of it.
    async fn put_begun_piece(&mut self, storage: &Storage, chunk: &mut Vec<u8>) -> Result<bool> {
        if self.begun.is_none() {
            let Some((found, range)) = self.series.last() else { return Ok(false) };
            let view = storage.view(*range);
            let mut pieces = storage.pieces(&view, found, *range, LINE_SAMPLES).await?;
            pieces.reverse();
            self.begun = Some((view, pieces));
        }
        let (chunk_len, samples) = (chunk.len(), self.samples);
        let written = self.write_piece(storage, chunk).await;
        if written.is_err() {
            chunk.truncate(chunk_len);
            self.samples = samples;
            self.begin_anew();
        }
        written.map(|()| true)
    }

    /// Appends the next piece of the series that was begun.
    async fn write_piece(&mut self, storage: &Storage, chunk: &mut Vec<u8>) -> Result<()> {
        let (Some((found, _)), Some((view, pieces))) = (self.series.last(), &mut self.begun) else { return Ok(()) };
        if let Some(piece) = pieces.last() {
            let mut reading = Reading::in_passing(u64::MAX);
            for samples in storage.read_in(view, &[found], *piece, &mut reading).await? {
                if !samples.is_empty() {
                    let (timestamps, values) = (&samples.timestamps, &samples.values);
                    let length = self.max_samples_per_line;
                    for (timestamps, values) in timestamps.chunks(length).zip(values.chunks(length)) {
                        self.format.write(&found.name, timestamps, values, chunk)?;
                    }
                    self.samples += samples.len() as u64;
                    storage.context().spend(2 * samples.len() as u64).await;
                }
                storage.note_read(1, &reading, samples.len() as u64);
            }
            pieces.pop();
        }
        if pieces.is_empty() {
            self.begun = None;
            self.series.pop();
        }
        Ok(())
    }

    /// Lets go of what there was when the series was begun; what is still to be read of it stays.
    fn begin_anew(&mut self) {
        if let Some((_, pieces)) = self.begun.take()
            && let (Some(piece), Some((_, range))) = (pieces.last(), self.series.last_mut())
        {
            range.min = piece.min;
        }
    }
}

/// Labels in the order in which series are sorted.
fn sorted_labels(name: &MetricName) -> Vec<(&[u8], &[u8])> {
    let mut labels: Vec<_> = name.labels().collect();
    labels.sort();
    labels
}

impl std::fmt::Display for Place {
    /// The name as hex digits, and the instant.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut name = Vec::new();
        self.name.marshal(&mut name);
        name.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ".{}", self.from)
    }
}

impl std::str::FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = || {
            let (hex, from) = text.split_once('.')?;
            let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
            // A sign would pass as a digit.
            let byte = |pair: &[u8; 2]| {
                let digits = std::str::from_utf8(pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit))?;
                u8::from_str_radix(digits, 16).ok()
            };
            let name: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
            Some(Self { name: MetricName::unmarshal(&name).ok()?, from: from.parse().ok()? })
        };
        parsed().ok_or_else(|| {
            Error::invalid("the place of a checkpoint can't be read; push without it, or with a whole one")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_written() {
        let place = Place { name: MetricName::from_labels([("__name__", "m\u{1}"), ("ü", "")]), from: -7 };
        assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        for wrong in ["", ".", "6d", "6d.x", "6.1", "zz.1", "+1.1", "6d01.99999999999999999999"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong:?}");
        }
    }
}
