//! Bodies of text on their way in: lines to rows.

use super::Storage;
use crate::error::Result;
use crate::formats::{Refused, jsonl, prometheus};
use crate::metric::name::MetricName;
use crate::time::TimestampMs;
use std::collections::HashSet;

/// What became of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextIngested {
    /// Distinct series that got samples.
    pub series: u64,
    /// Samples accepted.
    pub samples: u64,
    /// Lines and samples that were not.
    pub rejected: u64,
    /// Line number and reason of the first few.
    pub errors: Vec<(u64, String)>,
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
    /// Ingests Prometheus text exposition: whole lines, of which `first_line` is the number of the first.
    ///
    /// # Errors
    /// What storage says. Malformed lines are no errors: they are counted, and the first few are told.
    pub async fn ingest_prometheus(
        &self,
        body: &[u8],
        timestamp: TimestampMs,
        extra_labels: &[Label],
        first_line: u64,
    ) -> Result<TextIngested> {
        let mut refused = Refused::default();
        let mut columns = Columns::default();
        self.adopt_extra_labels(extra_labels);
        prometheus::parse(body, first_line, &mut refused, &mut |sample| {
            let known = self.series.borrow().handle_of_text(sample.series);
            let handle = match known {
                Some(handle) => handle,
                None => {
                    let labels = prometheus::parse_series(sample.series)?;
                    let labels = labels.iter().map(|(key, value)| (&key[..], &value[..]));
                    let mut series = self.series.borrow_mut();
                    let handle = series.handle(with_extra_labels(labels, extra_labels))?;
                    series.remember_text(sample.series, handle);
                    handle
                }
            };
            columns.handles.push(handle);
            columns.timestamps.push(sample.timestamp.unwrap_or(timestamp));
            columns.values.push(sample.value);
            Ok(())
        });
        self.append_parsed(columns, refused).await
    }

    /// Ingests JSON lines as the server exports them.
    ///
    /// # Errors
    /// As [`Storage::ingest_prometheus`].
    pub async fn ingest_json_lines(
        &self,
        body: &[u8],
        extra_labels: &[Label],
        first_line: u64,
    ) -> Result<TextIngested> {
        let mut refused = Refused::default();
        let mut columns = Columns::default();
        jsonl::parse(body, first_line, &mut refused, &mut |line| {
            let labels = line.labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
            let handle = self.series.borrow_mut().handle(with_extra_labels(labels, extra_labels))?;
            columns.handles.extend(std::iter::repeat_n(handle, line.timestamps.len()));
            columns.timestamps.extend_from_slice(line.timestamps);
            columns.values.extend_from_slice(line.values);
            Ok(())
        });
        self.append_parsed(columns, refused).await
    }

    async fn append_parsed(&self, columns: Columns, refused: Refused) -> Result<TextIngested> {
        let Columns { handles, timestamps, values } = columns;
        self.context.spend(handles.len() as u64 * 4).await;
        let rejected_rows = self.append_columns(&handles, &timestamps, &values).await?;
        let series: HashSet<u32> = handles.iter().copied().collect();
        Ok(TextIngested {
            series: series.len() as u64,
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

/// A name of labels and of extra ones, which win.
fn with_extra_labels<'a>(labels: impl Iterator<Item = (&'a [u8], &'a [u8])>, extra_labels: &'a [Label]) -> MetricName {
    let is_replaced = |key: &[u8]| extra_labels.iter().any(|(extra, _)| extra.as_bytes() == key);
    let kept = labels.filter(|(key, _)| !is_replaced(key));
    MetricName::from_labels(kept.chain(extra_labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()))))
}
