//! Bodies on their way in and exports on their way out, piece by piece, and the requests that bring or want them whole.

use super::export::ExportCursor;
use super::selection::matched;
use super::{Answer, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::body::{Body, Format, Progress, Records, TOO_LONG};
use crate::formats::compression::Compression;
use crate::formats::csv::{CsvColumns, CsvFormat};
use crate::formats::export::ExportFormat;
use crate::formats::influx;
use crate::formats::native::Layout;
use crate::http::arguments::{Arguments, parse_time_ms};
use crate::http::transfer::{Export, Import, exported, imported, transfer_failed};
use crate::http::{HttpRequest, HttpResponse};
use crate::query::dialect::Dialect;
use crate::storage::Storage;
use crate::storage::text::{Piece, TextIngested};
use crate::time::{MAX_TIMESTAMP_MS, TimeRange, TimestampMs};

/// Reasons that are told of a whole body.
const MAX_REASONS: usize = 10;
/// Numbers of bodies that come in pieces have this bit, so that they differ from those that come whole.
const PIECEWISE: u32 = 1 << 31;
/// So many bytes are unpacked with a unit of work.
const UNPACKED_BYTES_PER_UNIT: u64 = 16;
/// Below it, the number of an argument is seconds.
const SECONDS_BELOW: f64 = 1e11;

/// A body that is being taken in.
pub(super) struct Ingest {
    body: Body,
    /// Records that could not be stored yet.
    pending: Option<Records>,
    /// Some of them were: they would be there twice if all were taken in once more.
    is_broken: bool,
    format: Format,
    timestamp: TimestampMs,
    extra_labels: Vec<(String, String)>,
    /// Tells its pieces from those of others.
    number: u32,
    ingested: TextIngested,
}

impl Ingest {
    fn new(
        number: u32,
        format: Format,
        compression: Compression,
        timestamp: TimestampMs,
        extra_labels: Vec<(String, String)>,
    ) -> Self {
        let body = Body::new(&format, compression);
        let number = number | PIECEWISE;
        Self {
            body,
            pending: None,
            is_broken: false,
            format,
            timestamp,
            extra_labels,
            number,
            ingested: TextIngested::default(),
        }
    }

    /// Takes in all whole records that have arrived.
    async fn run(&mut self, storage: &Storage) -> Result<()> {
        loop {
            let records = match self.pending.take() {
                Some(records) => records,
                None => match self.body.next()? {
                    Progress::Records(records) => records,
                    Progress::Unpacked(bytes) => {
                        storage.context().spend(bytes as u64 / UNPACKED_BYTES_PER_UNIT).await;
                        continue;
                    }
                    Progress::Over => return Ok(()),
                },
            };
            if records.is_too_long {
                let told = TextIngested {
                    rejected: 1,
                    errors: vec![(records.first_line, TOO_LONG.into())],
                    ..Default::default()
                };
                self.ingested.add(told, MAX_REASONS);
                continue;
            }
            let piece = Piece { text: &records.bytes, first_line: records.first_line, body: self.number };
            match storage.ingest(&self.format, piece, self.timestamp, &self.extra_labels).await {
                Ok(ingested) => self.ingested.add(ingested, MAX_REASONS),
                Err(halted) => {
                    self.is_broken = halted.taken_rows > 0;
                    self.pending = Some(records);
                    return Err(halted.error);
                }
            }
            storage.wait_for_room().await;
        }
    }
}

/// Begins a body; returns its number.
pub(super) fn ingest_open(
    shared: &Shared,
    format: Format,
    compression: Compression,
    timestamp: TimestampMs,
    extra_labels: Vec<(String, String)>,
) -> u32 {
    let id = shared.cursors.next_number();
    let ingest = Ingest::new(id, format, compression, timestamp, extra_labels);
    shared.cursors.begin_ingest(id, ingest);
    id
}

/// Whether the same may succeed the next time.
fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Quota | ErrorKind::Storage)
}

/// Takes in the next piece of a body.
pub(super) async fn ingest_piece(storage: &Storage, shared: &Shared, id: u32, bytes: Vec<u8>) -> Result<()> {
    let (mut ingest, place) = shared.cursors.take_ingest(id)?;
    ingest.body.feed(bytes);
    let result = ingest.run(storage).await;
    if !ingest.is_broken && result.as_ref().map_or_else(may_pass, |()| true) {
        place.put_back(ingest);
    }
    result
}

/// Takes in the rest of a body, and says what became of all of it.
pub(super) async fn ingest_end(storage: &Storage, shared: &Shared, id: u32) -> Result<TextIngested> {
    let (mut ingest, place) = shared.cursors.take_ingest(id)?;
    ingest.body.finish();
    match ingest.run(storage).await {
        Ok(()) => Ok(ingest.ingested),
        Err(error) => {
            if !ingest.is_broken && may_pass(&error) {
                place.put_back(ingest);
            }
            Err(error)
        }
    }
}

/// Begins an export; returns its number.
pub(super) async fn export_open(
    storage: &Storage,
    shared: &Shared,
    format: ExportFormat,
    selectors: &[&str],
    range: TimeRange,
) -> Result<u32> {
    Ok(keep_cursor(shared, ExportCursor::open(storage, format, selectors, range).await?))
}

/// Keeps an export for those who will ask for its pieces; returns its number.
pub(super) fn keep_cursor(shared: &Shared, cursor: ExportCursor) -> u32 {
    let id = shared.cursors.next_number();
    shared.cursors.begin_export(id, cursor);
    id
}

/// The next piece of an export; none at its end.
pub(super) async fn export_next(storage: &Storage, shared: &Shared, id: u32) -> Result<Option<Vec<u8>>> {
    let (mut cursor, place) = shared.cursors.take_export(id)?;
    let piece = cursor.next(storage).await;
    if !matches!(piece, Ok(None)) {
        place.put_back(cursor);
    }
    piece
}

/// Takes in the body of a request.
pub(super) async fn respond_to_import(
    storage: &Storage,
    shared: &Shared,
    request: &HttpRequest,
    import: Import,
    labels: &[(String, String)],
    arguments: &Arguments,
) -> HttpResponse {
    let ingested = async {
        let format = format_of(import, arguments)?;
        let timestamp = match arguments.text("timestamp") {
            "" => storage.context().now(),
            given => given.parse().map_err(|_| {
                Error::invalid(format!("the argument timestamp is whole milliseconds, found {given:?}"))
            })?,
        };
        let mut extra_labels = labels.to_vec();
        let more = arguments.labels("extra_label").map_err(Error::invalid)?;
        extra_labels.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        let compression = Compression::of_header(&request.content_encoding)?;
        let mut ingest = Ingest::new(shared.cursors.next_number(), format, compression, timestamp, extra_labels);
        ingest.body.feed(request.body.to_vec());
        ingest.body.finish();
        ingest.run(storage).await?;
        Ok(ingest.ingested)
    };
    match ingested.await {
        Ok(ingested) => {
            let reason = ingested.errors.first().map_or("", |(_, reason)| reason);
            // Of messages, senders are told; of single lines they are not, as by the server.
            let is_told = matches!(import, Import::Native | Import::RemoteWrite) && !ingested.errors.is_empty();
            if is_told || import == Import::Otlp && ingested.samples == 0 && !ingested.errors.is_empty() {
                return transfer_failed(request, &Error::invalid(reason));
            }
            imported(import, request, ingested.rejected, reason)
        }
        Err(error) => transfer_failed(request, &error),
    }
}

fn format_of(import: Import, arguments: &Arguments) -> Result<Format> {
    Ok(match import {
        Import::Prometheus => Format::Prometheus,
        Import::JsonLines => Format::JsonLines,
        Import::Csv => Format::Csv(CsvFormat::parse(arguments.text("format"))?),
        Import::Native => Format::Native,
        Import::Influx => Format::Influx(influx::Options {
            precision: influx::Precision::of_argument(arguments.text("precision")),
            database: arguments.text("db").to_owned(),
        }),
        Import::RemoteWrite => Format::RemoteWrite,
        Import::Otlp => Format::Otlp,
    })
}

/// Answers with an export: its first piece, and the cursor that gives the rest.
pub(super) async fn respond_to_export(
    storage: &Storage,
    shared: &Shared,
    request: &HttpRequest,
    export: Export,
    arguments: &Arguments,
) -> Answer {
    let begun = async {
        let format = match export {
            Export::JsonLines => ExportFormat::JsonLines,
            Export::Prometheus => ExportFormat::Prometheus,
            Export::Csv => ExportFormat::Csv(CsvColumns::parse(arguments.text("format"))?),
            Export::Native => ExportFormat::Native(layout_of(arguments.text("layout"))?),
        };
        let filters = matched(arguments, Dialect::MetricsQl)?
            .ok_or_else(|| Error::invalid("missing `match[]` arg; such as match[]={__name__!=\"\"} for all series"))?;
        let now = storage.context().now();
        let range = TimeRange {
            min: instant_of("start", arguments.text("start"), now)?.unwrap_or(0),
            max: instant_of("end", arguments.text("end"), now)?.unwrap_or(now),
        };
        // The server takes what is no such number for none.
        let max_samples_per_line = arguments.text("max_rows_per_line").parse().ok().filter(|rows| *rows > 0);
        let max_samples_per_line = max_samples_per_line.unwrap_or(usize::MAX);
        let mut cursor = ExportCursor::of_filters(storage, format, &filters, range).await?;
        cursor.cut_lines(max_samples_per_line);
        let first = cursor.next(storage).await?;
        Ok((cursor, first))
    };
    match begun.await {
        Ok((_, None)) => Answer::Http(exported(export, Vec::new())),
        Ok((cursor, Some(first))) => {
            let id = keep_cursor(shared, cursor);
            Answer::HttpBegun(exported(export, first), id)
        }
        Err(error) => Answer::Http(transfer_failed(request, &error)),
    }
}

/// The format that a push asks for.
pub(super) fn push_format(protocol: &str) -> Result<ExportFormat> {
    match protocol {
        "remote_write" => Ok(ExportFormat::RemoteWrite),
        layout => Ok(ExportFormat::Native(layout_of(layout)?)),
    }
}

/// The layout of native blocks: that of this engine's server unless a later one is asked for.
fn layout_of(argument: &str) -> Result<Layout> {
    match argument {
        "" | "v1.72" => Ok(Layout::V1_72),
        "v1.82" | "v1.93" | "v1.150" => Ok(Layout::V1_82),
        other => Err(Error::invalid(format!("the argument layout is v1.72, v1.93 or v1.150, found {other:?}"))),
    }
}

/// The instant of an argument, as [`parse_time_ms`] reads it, or milliseconds when the number is large.
fn instant_of(name: &str, argument: &str, now_ms: TimestampMs) -> Result<Option<TimestampMs>> {
    if argument.is_empty() {
        return Ok(None);
    }
    let number = argument.parse::<f64>().ok().filter(|number| number.is_finite() && number.abs() >= SECONDS_BELOW);
    let instant = number.map(|milliseconds| milliseconds as i64).or_else(|| parse_time_ms(argument, now_ms));
    let instant = instant.ok_or_else(|| {
        Error::invalid(format!(
            "the argument {name} is an instant in seconds, as RFC 3339, or a time before now such as 1h, found {argument:?}"
        ))
    })?;
    Ok(Some(instant.clamp(0, MAX_TIMESTAMP_MS)))
}
