//! What the engine answers.

use crate::http::HttpResponse;
use crate::storage::text::TextIngested;
use bytes::Bytes;
use serde::Serialize;

/// The labels of a series as text, `__name__` among them, sorted by name. Bytes that are no UTF-8 appear as U+FFFD.
pub type Labels = Vec<(String, String)>;

/// Samples of one series, sorted by time; the columns have one length.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesData {
    /// Sorted by name.
    pub labels: Labels,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// One for each timestamp. A staleness marker is a NaN with the bits 0x7FF0000000000002.
    pub values: Vec<f64>,
}

/// What became of an ingested body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestResult {
    /// Distinct series in the body that got samples.
    pub series: u64,
    /// Samples accepted.
    pub samples: u64,
    /// Lines and samples that were not: malformed, NaN, outside of the retention.
    pub rejected: u64,
    /// The first few reasons.
    pub errors: Vec<IngestError>,
}

/// Why a line was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestError {
    /// Number of the line, counted from 1.
    pub line: Option<u64>,
    /// What was found and what was expected.
    pub message: String,
}

/// One file of a snapshot as a server wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotFile {
    /// Path below the server's `-storageDataPath`.
    pub path: String,
    /// Where its bytes lie in this database.
    pub source: String,
    /// Its length.
    pub size_bytes: u64,
}

impl From<TextIngested> for IngestResult {
    fn from(ingested: TextIngested) -> Self {
        let TextIngested { series, samples, rejected, errors } = ingested;
        let errors = errors.into_iter().map(|(line, message)| IngestError { line: Some(line), message }).collect();
        Self { series, samples, rejected, errors }
    }
}

/// The answer to one command.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// To `Ingest`.
    Ingested(IngestResult),
    /// To `Select`.
    Series(Vec<SeriesData>),
    /// To `Labels`.
    LabelSets(Vec<Labels>),
    /// To `LabelNames`, `LabelValues` and `SnapshotList`.
    Strings(Vec<String>),
    /// To `ExportOpen`.
    Cursor(u32),
    /// To `ExportNext`; `None` at the end.
    Chunk(Option<Vec<u8>>),
    /// To `SnapshotCreate`: the name.
    Snapshot(String),
    /// To `SnapshotFiles`.
    Files(Vec<SnapshotFile>),
    /// To `SnapshotRead`.
    Bytes(Bytes),
    /// To `DeleteSeries`.
    Count(u64),
    /// To `Http`.
    Http(HttpResponse),
}
