//! Requests as JavaScript writes them: records whose `kind` names them, as www/src/port/requests.ts lists them.

use super::query;
use crate::archive::Layout;
use crate::engine::{BodyFormat, Command, Engine, ExportFormat, Ticket};
use crate::error::{Error, Result};
use crate::formats::compression::Compression;
use crate::http::HttpRequest;
use crate::time::{TimeRange, TimestampMs};
use serde::Deserialize;
use wasm_bindgen::JsValue;

/// A request without its body. Numbers are JavaScript's: casts cut off fractions and saturate, so that infinite bounds become the
/// ends of time, and a position that is too large is one that does not exist.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Request {
    Flush,
    Sync,
    ForceMerge {
        partition_prefix: String,
    },
    Tick {
        ms: f64,
    },
    IngestOpen {
        format: String,
        csv_format: String,
        content_encoding: String,
        timestamp: f64,
        extra_labels: Vec<String>,
    },
    IngestPiece {
        ingest: u32,
    },
    IngestEnd {
        ingest: u32,
    },
    IngestClose {
        ingest: u32,
    },
    Select {
        selector: String,
        start: f64,
        end: f64,
    },
    Labels {
        selector: Option<String>,
        start: f64,
        end: f64,
    },
    LabelNames {
        selector: Option<String>,
        start: f64,
        end: f64,
    },
    LabelValues {
        name: String,
        selector: Option<String>,
        start: f64,
        end: f64,
    },
    ExportOpen {
        selector: Option<String>,
        start: f64,
        end: f64,
    },
    ExportNext {
        cursor: u32,
    },
    ExportClose {
        cursor: u32,
    },
    PushOpen {
        protocol: String,
        selector: Option<String>,
        start: f64,
        end: f64,
        from: String,
    },
    PushNext {
        cursor: u32,
    },
    PushWindows {
        selector: Option<String>,
        start: f64,
        end: f64,
        window: f64,
    },
    PushWatch {
        watch: String,
        until: f64,
    },
    PushUnwatch {
        watch: String,
    },
    PushLate {
        watch: String,
        protocol: String,
        selector: Option<String>,
    },
    SnapshotCreate,
    SnapshotList,
    SnapshotDelete {
        name: String,
    },
    SnapshotDeleteAll,
    SnapshotFiles {
        name: String,
        layout: String,
    },
    Origin,
    RestoreBegin,
    RestoreFeed,
    RestoreEnd,
    RestoreAbort,
    SnapshotRead {
        source: String,
        offset: f64,
        length: f64,
    },
    DeleteSeries {
        selector: String,
    },
    Query(query::Asked),
    Latest {
        selector: String,
        within: f64,
    },
    Count {
        selector: Option<String>,
        start: f64,
        end: f64,
    },
    Envelope {
        selector: String,
        start: f64,
        end: f64,
        columns: f64,
    },
    InspectPart {
        part: f64,
        from: f64,
        count: f64,
    },
    InspectBlock {
        part: f64,
        block: f64,
    },
    InspectIndexBlock {
        table: f64,
        part: f64,
        block: f64,
    },
    Http {
        method: String,
        uri: String,
        content_type: String,
        content_encoding: String,
    },
}

impl Request {
    /// The request that JavaScript has written.
    pub(super) fn read(request: JsValue) -> Result<Self> {
        serde_wasm_bindgen::from_value(request)
            .map_err(|error| Error::invalid(format!("the engine cannot read a request: {error}")))
    }

    /// Hands it to the engine, with the body that came with it.
    pub(super) fn submit(self, engine: &mut Engine, body: Vec<u8>) -> Result<Ticket> {
        let command = match self {
            Self::Tick { ms } => return engine.tick(ms as i64),
            Self::Flush => Command::Flush,
            Self::Sync => Command::Sync,
            Self::ForceMerge { partition_prefix } => Command::ForceMerge { partition_prefix },
            Self::IngestOpen { format, csv_format, content_encoding, timestamp, extra_labels } => Command::IngestOpen {
                format: BodyFormat::named(&format, &csv_format)?,
                compression: Compression::of_header(&content_encoding)?,
                timestamp: timestamp as TimestampMs,
                extra_labels: pairs(extra_labels),
            },
            Self::IngestPiece { ingest } => Command::IngestPiece { ingest, bytes: body.into() },
            Self::IngestEnd { ingest } => Command::IngestEnd { ingest },
            Self::IngestClose { ingest } => Command::IngestClose { ingest },
            Self::Select { selector, start, end } => Command::Select { selector, range: range(start, end) },
            Self::Labels { selector, start, end } => Command::Labels { selector, range: range(start, end) },
            Self::LabelNames { selector, start, end } => Command::LabelNames { selector, range: range(start, end) },
            Self::LabelValues { name, selector, start, end } => {
                Command::LabelValues { name, selector, range: range(start, end) }
            }
            Self::ExportOpen { selector, start, end } => {
                Command::ExportOpen { format: ExportFormat::JsonLines, selector, range: range(start, end) }
            }
            Self::ExportNext { cursor } => Command::ExportNext { cursor },
            Self::ExportClose { cursor } => Command::ExportClose { cursor },
            Self::PushOpen { protocol, selector, start, end, from } => {
                Command::PushOpen { protocol, selector, range: range(start, end), from }
            }
            Self::PushNext { cursor } => Command::PushNext { cursor },
            Self::PushWindows { selector, start, end, window } => {
                Command::PushWindows { selector, range: range(start, end), window_ms: window as i64 }
            }
            Self::PushWatch { watch, until } => Command::PushWatch { watch, until: until as TimestampMs },
            Self::PushUnwatch { watch } => Command::PushUnwatch { watch },
            Self::PushLate { watch, protocol, selector } => Command::PushLate { watch, protocol, selector },
            Self::SnapshotCreate => Command::SnapshotCreate,
            Self::SnapshotList => Command::SnapshotList,
            Self::SnapshotDelete { name } => Command::SnapshotDelete { name },
            Self::SnapshotDeleteAll => Command::SnapshotDeleteAll,
            Self::SnapshotFiles { name, layout } => Command::SnapshotFiles { name, layout: Layout::parse(&layout)? },
            Self::SnapshotRead { source, offset, length } => {
                Command::SnapshotRead { source, offset: offset as u64, length: length as u64 }
            }
            Self::DeleteSeries { selector } => Command::DeleteSeries { selector },
            Self::Query(asked) => Command::Query(asked.query(engine.dialect())?),
            Self::Latest { selector, within } => Command::Latest { selector, within_ms: within as i64 },
            Self::Count { selector, start, end } => Command::Count { selector, range: range(start, end) },
            Self::Envelope { selector, start, end, columns } => {
                Command::Envelope { selector, start_ms: start as i64, end_ms: end as i64, columns: columns as usize }
            }
            Self::Origin => Command::Origin,
            Self::RestoreBegin => Command::RestoreBegin,
            Self::RestoreFeed => Command::RestoreFeed { bytes: body.into() },
            Self::RestoreEnd => Command::RestoreEnd,
            Self::RestoreAbort => Command::RestoreAbort,
            Self::InspectPart { part, from, count } => {
                Command::InspectPart { part: part as u64, from: from as u64, count: count as usize }
            }
            Self::InspectBlock { part, block } => Command::InspectBlock { part: part as u64, block: block as u64 },
            Self::InspectIndexBlock { table, part, block } => {
                Command::InspectIndexBlock { table: table as usize, part: part as usize, block: block as u64 }
            }
            Self::Http { method, uri, content_type, content_encoding } => {
                Command::Http(HttpRequest { method, uri, content_type, content_encoding, body: body.into() })
            }
        };
        Ok(engine.send(command))
    }
}

fn range(start: f64, end: f64) -> TimeRange {
    TimeRange { min: start as TimestampMs, max: end as TimestampMs }
}

/// Names and values in turn, as pairs.
fn pairs(flat: Vec<String>) -> Vec<(String, String)> {
    let mut texts = flat.into_iter();
    std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect()
}
