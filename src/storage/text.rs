//! Bodies of text on their way in: lines to rows.

use super::Storage;
use crate::error::Result;
use crate::formats::{Refused, jsonl, prometheus};
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
    /// Lines and samples that were not.
    pub rejected: u64,
    /// Line number and reason of the first few.
    pub errors: Vec<(u64, String)>,
}

/// Whole lines of a body, which may come in several pieces.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The lines; the last one need not end with a line feed.
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

impl Storage {
    /// Ingests Prometheus text exposition.
    ///
    /// # Errors
    /// What storage says. Malformed lines are no errors: they are counted, and the first few are told.
    pub async fn ingest_prometheus(
        &self,
        piece: Piece<'_>,
        timestamp: TimestampMs,
        extra_labels: &[Label],
    ) -> Result<TextIngested> {
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
    pub async fn ingest_json_lines(&self, piece: Piece<'_>, extra_labels: &[Label]) -> Result<TextIngested> {
        let mut refused = Refused::default();
        let mut columns = Columns::default();
        jsonl::parse(piece.text, piece.first_line, &mut refused, &mut |line| {
            let labels = line.labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
            let handle = self.series.borrow_mut().handle(with_extra_labels(labels, extra_labels))?;
            columns.handles.extend(std::iter::repeat_n(handle, line.timestamps.len()));
            columns.timestamps.extend_from_slice(line.timestamps);
            columns.values.extend_from_slice(line.values);
            Ok(())
        });
        self.append_parsed(columns, refused, piece.body).await
    }

    async fn append_parsed(&self, columns: Columns, refused: Refused, body: u32) -> Result<TextIngested> {
        let Columns { handles, timestamps, values } = columns;
        self.context.spend(handles.len() as u64 * 4).await;
        let rejected_rows = self.append_columns(&handles, &timestamps, &values).await?;
        Ok(TextIngested {
            series: self.series.borrow_mut().count_in_body(&handles, body),
            samples: handles.len() as u64 - rejected_rows,
            rejected: refused.count + rejected_rows,
            errors: refused.reasons,
        })
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
        let handle = match series.handle_of_text(sample.series) {
            Some(handle) => handle,
            None => {
                let labels = prometheus::parse_series(sample.series)?;
                let labels = labels.iter().map(|(key, value)| (&key[..], &value[..]));
                let handle = series.handle(with_extra_labels(labels, self.extra_labels))?;
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

/// A name of labels and of extra ones, which win.
fn with_extra_labels<'a>(labels: impl Iterator<Item = (&'a [u8], &'a [u8])>, extra_labels: &'a [Label]) -> MetricName {
    let is_replaced = |key: &[u8]| extra_labels.iter().any(|(extra, _)| extra.as_bytes() == key);
    let kept = labels.filter(|(key, _)| !is_replaced(key));
    MetricName::from_labels(kept.chain(extra_labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()))))
}
