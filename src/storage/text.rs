//! Bodies on their way in: records to rows.

use super::Storage;
use super::ingest::Halted;
use crate::error::Result;
use crate::formats::body::{self, Format};
use crate::formats::{Labels, Refused, RowSink, jsonl, prometheus};
use crate::metric::name::MetricName;
use crate::time::TimestampMs;
use std::rc::Rc;

/// What became of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextIngested {
    /// Series that got samples and had none in earlier pieces of the body.
    pub series: u64,
    /// Samples accepted.
    pub samples: u64,
    /// Records and samples that were not.
    pub rejected: u64,
    /// Line number and reason of the first few; 0 for what is said of no single line.
    pub errors: Vec<(u64, String)>,
}

/// The number of what is said of a body and not of a line.
const NO_LINE: u64 = 0;

/// Whole records of a body, which may come in several pieces.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Lines, of which the last one need not end with a line feed; of other formats what
    /// [`Body`](crate::formats::body::Body) cuts.
    pub text: &'a [u8],
    /// Number of the first line in the body, counted from 1.
    pub first_line: u64,
    /// Tells the pieces of one body from those of others; not 0.
    pub body: u32,
}

/// Rows of a body, to be appended when it is parsed.
#[derive(Default)]
struct Columns {
    handles: Vec<u32>,
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

type Label = (String, String);

impl TextIngested {
    /// Adds what became of the next piece; `limit` reasons are kept.
    pub fn add(&mut self, piece: Self, limit: usize) {
        self.series += piece.series;
        self.samples += piece.samples;
        self.rejected += piece.rejected;
        // Why samples were dropped is said of each piece.
        let is_said = self.errors.iter().any(|(line, _)| *line == NO_LINE);
        let new = piece.errors.into_iter().filter(|(line, _)| !is_said || *line != NO_LINE);
        self.errors.extend(new.take(limit.saturating_sub(self.errors.len())));
    }
}

impl Storage {
    /// Ingests records of any format.
    ///
    /// # Errors
    /// What storage says, and how many rows were taken before. Malformed records are no errors: they are counted, and the first few are told.
    pub async fn ingest(
        &self,
        format: &Format,
        piece: Piece<'_>,
        timestamp: TimestampMs,
        extra_labels: &[Label],
    ) -> std::result::Result<TextIngested, Halted> {
        match format {
            Format::Prometheus => self.ingest_prometheus(piece, timestamp, extra_labels).await,
            Format::JsonLines => self.ingest_json_lines(piece, extra_labels).await,
            format => {
                let mut refused = Refused::default();
                self.adopt_extra_labels(extra_labels);
                let mut sink = KeyedSink { storage: self, extra_labels, columns: Columns::default() };
                body::parse(format, piece.text, piece.first_line, timestamp, &mut refused, &mut sink);
                let columns = sink.columns;
                self.append_parsed(columns, refused, piece.body).await
            }
        }
    }

    /// Ingests Prometheus text exposition.
    ///
    /// # Errors
    /// What storage says. Malformed lines are no errors: they are counted, and the first few are told.
    async fn ingest_prometheus(
        &self,
        piece: Piece<'_>,
        timestamp: TimestampMs,
        extra_labels: &[Label],
    ) -> std::result::Result<TextIngested, Halted> {
        let mut refused = Refused::default();
        let columns = Columns::default();
        self.adopt_extra_labels(extra_labels);
        let mut sink = PrometheusSink { storage: self, timestamp, extra_labels, columns, expected: None };
        prometheus::parse(piece.text, piece.first_line, &mut refused, &mut sink);
        let columns = sink.columns;
        self.append_parsed(columns, refused, piece.body).await
    }

    /// Ingests JSON lines as the server exports them.
    ///
    /// # Errors
    /// As [`Storage::ingest_prometheus`].
    async fn ingest_json_lines(
        &self,
        piece: Piece<'_>,
        extra_labels: &[Label],
    ) -> std::result::Result<TextIngested, Halted> {
        let mut refused = Refused::default();
        let mut columns = Columns::default();
        jsonl::parse(piece.text, piece.first_line, &mut refused, &mut |line| {
            let labels = line.labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
            let name = self.with_extra_labels(labels, extra_labels);
            let handle = self.handle_in(&mut self.series.borrow_mut(), name)?;
            columns.handles.extend(std::iter::repeat_n(handle, line.timestamps.len()));
            columns.timestamps.extend_from_slice(line.timestamps);
            columns.values.extend_from_slice(line.values);
            Ok(())
        });
        self.append_parsed(columns, refused, piece.body).await
    }

    async fn append_parsed(
        &self,
        columns: Columns,
        refused: Refused,
        body: u32,
    ) -> std::result::Result<TextIngested, Halted> {
        let Columns { handles, timestamps, values } = columns;
        self.context.spend(handles.len() as u64 * 4).await;
        let refused_rows = self.append_columns(&handles, &timestamps, &values).await?;
        let rejected_rows = refused_rows.rejected();
        let mut errors = refused.reasons;
        if rejected_rows > 0 && rejected_rows == handles.len() as u64 {
            errors.push((NO_LINE, self.tell_all_dropped(refused_rows, timestamps[0])));
        } else {
            errors.extend(refused_rows.refusals_in_words().map(|words| (NO_LINE, words)));
        }
        Ok(TextIngested {
            series: self.series.borrow_mut().count_in_body(&handles, body),
            samples: handles.len() as u64 - rejected_rows,
            rejected: refused.count + rejected_rows,
            errors,
        })
    }

    /// A name of labels and of extra ones, which win.
    fn with_extra_labels<'a>(
        &self,
        labels: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        extra_labels: &'a [Label],
    ) -> MetricName {
        let is_replaced = |key: &[u8]| extra_labels.iter().any(|(extra, _)| extra.as_bytes() == key);
        let kept = labels.filter(|(key, _)| !is_replaced(key));
        let extra = extra_labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let (name, cut) = MetricName::from_labels_within_limits(kept.chain(extra));
        self.note_labels_cut(&name, cut);
        name
    }

    /// A text stands for another series when other labels are added to it.
    fn adopt_extra_labels(&self, extra_labels: &[Label]) {
        let mut last = self.last_extra_labels.borrow_mut();
        if *last != extra_labels {
            last.clear();
            last.extend_from_slice(extra_labels);
            self.series.borrow_mut().forget_texts();
        }
    }
}

/// Turns samples of text into rows, and learns the texts of series on the way.
struct PrometheusSink<'a> {
    storage: &'a Storage,
    /// For samples without one.
    timestamp: TimestampMs,
    extra_labels: &'a [Label],
    columns: Columns,
    /// What followed the last series when it was met before.
    expected: Option<Rc<[u8]>>,
}

impl prometheus::SampleSink for PrometheusSink<'_> {
    fn take(&mut self, sample: prometheus::Sample<'_>) -> Result<()> {
        let mut series = self.storage.series.borrow_mut();
        let known = if sample.is_expected { series.expected_handle() } else { series.handle_of_text(sample.series) };
        let handle = match known {
            Some(handle) => handle,
            None => {
                let labels = prometheus::parse_series(sample.series)?;
                let labels = labels.iter().map(|(key, value)| (&key[..], &value[..]));
                let name = self.storage.with_extra_labels(labels, self.extra_labels);
                let handle = self.storage.handle_in(&mut series, name)?;
                series.remember_text(sample.series, handle);
                handle
            }
        };
        self.expected = series.expected_text();
        self.columns.handles.push(handle);
        self.columns.timestamps.push(sample.timestamp.unwrap_or(self.timestamp));
        self.columns.values.push(sample.value);
        Ok(())
    }

    fn expected(&self) -> Option<&[u8]> {
        self.expected.as_deref()
    }
}

/// Turns rows of the other formats into columns, and learns the bytes that stand for series on the way.
struct KeyedSink<'a> {
    storage: &'a Storage,
    extra_labels: &'a [Label],
    columns: Columns,
}

impl RowSink for KeyedSink<'_> {
    fn known(&mut self, key: &[u8]) -> Option<u32> {
        self.storage.series.borrow_mut().handle_of_text(key)
    }

    fn learn(&mut self, key: &[u8], labels: &Labels) -> Result<u32> {
        let mut series = self.storage.series.borrow_mut();
        let name = self.storage.with_extra_labels(labels.iter(), self.extra_labels);
        let handle = self.storage.handle_in(&mut series, name)?;
        series.remember_text(key, handle);
        Ok(handle)
    }

    fn sample(&mut self, series: u32, timestamp: i64, value: f64) {
        self.columns.handles.push(series);
        self.columns.timestamps.push(timestamp);
        self.columns.values.push(value);
    }

    fn samples(&mut self, series: u32, timestamps: &[i64], values: &[f64]) {
        self.columns.handles.extend(std::iter::repeat_n(series, timestamps.len()));
        self.columns.timestamps.extend_from_slice(timestamps);
        self.columns.values.extend_from_slice(values);
    }
}
