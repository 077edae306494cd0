//! Requests as JavaScript writes them: records whose `kind` names them, as www/src/port/requests.ts lists them.

use crate::archive::Layout;
use crate::engine::{BodyFormat, Command, Engine, Ticket};
use crate::error::{Error, Result};
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
    ForceMerge { partition_prefix: String },
    Tick { ms: f64 },
    Ingest { format: Format, timestamp: f64, extra_labels: Vec<String>, first_line: f64, body_number: u32 },
    Select { selector: String, start: f64, end: f64 },
    Labels { selector: Option<String>, start: f64, end: f64 },
    LabelNames { selector: Option<String>, start: f64, end: f64 },
    LabelValues { name: String, selector: Option<String>, start: f64, end: f64 },
    ExportOpen { selector: Option<String>, start: f64, end: f64 },
    ExportNext { cursor: u32 },
    ExportClose { cursor: u32 },
    SnapshotCreate,
    SnapshotList,
    SnapshotDelete { name: String },
    SnapshotDeleteAll,
    SnapshotFiles { name: String, layout: String },
    SnapshotRead { source: String, offset: f64, length: f64 },
    Origin,
    RestoreBegin,
    RestoreFeed,
    RestoreEnd,
    RestoreAbort,
    InspectPart { part: f64, from: f64, count: f64 },
    InspectBlock { part: f64, block: f64 },
    InspectIndexBlock { table: f64, part: f64, block: f64 },
    Http { method: String, uri: String, content_type: String },
}

/// How a body is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Format {
    Prometheus,
    Jsonl,
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
            Self::Ingest { format, timestamp, extra_labels, first_line, body_number } => Command::Ingest {
                format: match format {
                    Format::Prometheus => BodyFormat::Prometheus,
                    Format::Jsonl => BodyFormat::JsonLines,
                },
                body: body.into(),
                timestamp: timestamp as TimestampMs,
                extra_labels: pairs(extra_labels),
                first_line: first_line as u64,
                body_number,
            },
            Self::Select { selector, start, end } => Command::Select { selector, range: range(start, end) },
            Self::Labels { selector, start, end } => Command::Labels { selector, range: range(start, end) },
            Self::LabelNames { selector, start, end } => Command::LabelNames { selector, range: range(start, end) },
            Self::LabelValues { name, selector, start, end } => {
                Command::LabelValues { name, selector, range: range(start, end) }
            }
            Self::ExportOpen { selector, start, end } => Command::ExportOpen { selector, range: range(start, end) },
            Self::ExportNext { cursor } => Command::ExportNext { cursor },
            Self::ExportClose { cursor } => Command::ExportClose { cursor },
            Self::SnapshotCreate => Command::SnapshotCreate,
            Self::SnapshotList => Command::SnapshotList,
            Self::SnapshotDelete { name } => Command::SnapshotDelete { name },
            Self::SnapshotDeleteAll => Command::SnapshotDeleteAll,
            Self::SnapshotFiles { name, layout } => Command::SnapshotFiles { name, layout: Layout::parse(&layout)? },
            Self::SnapshotRead { source, offset, length } => {
                Command::SnapshotRead { source, offset: offset as u64, length: length as u64 }
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
            Self::Http { method, uri, content_type } => {
                Command::Http(HttpRequest { method, uri, content_type, body: body.into() })
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
