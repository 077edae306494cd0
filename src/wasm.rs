//! The engine as JavaScript sees it: synchronous calls that translate arguments and results, and nothing else.
//!
//! Samples cross through staging columns in this module's memory, which JavaScript fills before it calls
//! [`EnginePort::append`] and its like: one copy, no allocation, no object. Series come back as typed arrays of their own.
//! Small records cross as JSON text, which both sides handle faster than objects that are put together property by
//! property, and whose keys may be called anything, `__proto__` too.
//!
//! No call takes a callback that runs in the middle of it, so nothing re-enters. A panic leaves its message and place in
//! [`last_panic`] and traps: the instance must be thrown away then.

use crate::engine::{
    Answer, AuthKeys, BodyFormat, Clock, Command, Config, Engine, ExportFormat, Labels, SeriesData, SeriesHandle,
    Ticket,
};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::compression::Compression;
use crate::fs::FileSystem;
use crate::fs::indexed_db::IndexedDbFileSystem;
use crate::fs::memory::MemoryFileSystem;
use crate::fs::opfs::OpfsFileSystem;
use crate::fs::opfs_reader::OpfsReader;
use crate::http::{HttpRequest, HttpResponse};
use crate::time::{self, TimeRange, TimestampMs, parse_duration_ms};
use js_sys::{Array, BigInt64Array, Float64Array, Function, JSON, Reflect, Uint8Array};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Length of the staging columns: what one call can add at most.
const STAGED_SAMPLES: usize = 32 * 1024;

thread_local! {
    /// What the panic that has ended this instance said, and where it came from.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics speak; called by the glue once for each instance.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without words");
        let place = info.location().map_or(String::new(), |at| format!(" ({}:{})", source_name(at.file()), at.line()));
        LAST_PANIC.with_borrow_mut(|last| *last = Some(format!("{message}{place}")));
    }));
}

/// The message and place of the panic that has ended this instance.
#[wasm_bindgen(js_name = lastPanic)]
pub fn last_panic() -> Option<String> {
    LAST_PANIC.with_borrow_mut(Option::take)
}

/// A source file without the folder in which the builder's machine keeps the crates.
fn source_name(file: &str) -> &str {
    let file = file.rsplit_once("/registry/src/").map_or(file, |(_, crates)| crates);
    file.split_once("/").filter(|(folder, _)| folder.contains("crates.io")).map_or(file, |(_, name)| name)
}

#[wasm_bindgen(typescript_custom_section)]
const ENGINE_OPTIONS: &str = r#"
/** How an engine is opened; the package's `open` has checked the types and filled in the defaults. */
export interface EngineOptions {
  /** A duration such as "30d", or milliseconds. */
  readonly retention: string;
  /** A duration such as "15s", or milliseconds; "0" for none. */
  readonly dedupInterval: string;
  readonly manualClock: boolean;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  readonly cacheBytes: number;
  readonly precisionBits: number;
  /** Memory the sizing formulas count with; 0 for the default. */
  readonly memoryBytes: number;
  /** For databases in memory: how many bytes their files may take; 0 for any number. */
  readonly quotaBytes: number;
  /** Keys that requests must carry; empty for none. */
  readonly snapshotAuthKey: string;
  readonly forceFlushAuthKey: string;
  readonly forceMergeAuthKey: string;
  /** Another tab writes the database: it is only read here. */
  readonly readOnly: boolean;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The interface `EngineOptions` above.
    #[wasm_bindgen(typescript_type = "EngineOptions")]
    pub type EngineOptions;
}

/// What the interface `EngineOptions` above says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    retention: String,
    dedup_interval: String,
    manual_clock: bool,
    start_time: f64,
    cache_bytes: f64,
    precision_bits: u8,
    memory_bytes: f64,
    quota_bytes: f64,
    snapshot_auth_key: String,
    force_flush_auth_key: String,
    force_merge_auth_key: String,
    read_only: bool,
}

impl Options {
    fn read(options: EngineOptions) -> Result<Self> {
        serde_wasm_bindgen::from_value(options.into())
            .map_err(|error| Error::invalid(format!("the engine's options cannot be read: {error}")))
    }

    fn config(self) -> Result<Config> {
        let config = Config {
            retention_ms: parse_duration_ms(&self.retention).map_err(|error| error.at("retention"))?,
            dedup_interval_ms: parse_duration_ms(&self.dedup_interval).map_err(|error| error.at("dedupInterval"))?,
            clock: if self.manual_clock { Clock::Manual } else { Clock::Real },
            cache_bytes: self.cache_bytes as u64,
            precision_bits: self.precision_bits,
            auth: AuthKeys {
                snapshot: self.snapshot_auth_key,
                force_flush: self.force_flush_auth_key,
                force_merge: self.force_merge_auth_key,
            },
            read_only: self.read_only,
            ..Config::new(self.start_time as TimestampMs)
        };
        let memory_bytes = self.memory_bytes as u64;
        Ok(if memory_bytes == 0 { config } else { Config { memory_bytes, ..config } })
    }
}

/// One engine. Calls that submit something return its ticket, whose answer is found with [`EnginePort::take`] once
/// [`EnginePort::completed`] has named it.
#[wasm_bindgen]
pub struct EnginePort {
    engine: Engine,
    /// The files of a database in memory.
    files: Option<Rc<RefCell<MemoryFileSystem>>>,
    opening: Ticket,
    /// Timestamps as JavaScript wrote them: numbers, or the bits of a `BigInt64Array`.
    staged_timestamps: Vec<f64>,
    staged_values: Vec<f64>,
    staged_series: Vec<u32>,
    timestamps: Vec<TimestampMs>,
    /// Answers to `select` that are being taken out in pieces.
    selected: HashMap<Ticket, std::vec::IntoIter<SeriesData>>,
    last_error: Option<Error>,
    spent: u64,
    waits_for_storage: bool,
}

#[wasm_bindgen]
impl EnginePort {
    // ---- opening ------------------------------------------------------------------------------------------------------

    /// Starts to open a database in memory.
    #[wasm_bindgen(js_name = openMemory)]
    pub fn open_memory(options: EngineOptions) -> std::result::Result<EnginePort, JsValue> {
        let options = Options::read(options).map_err(thrown)?;
        let quota = options.quota_bytes as u64;
        let files = if quota == 0 { MemoryFileSystem::new() } else { MemoryFileSystem::with_quota(quota) };
        Self::open_files(files, options).map_err(thrown)
    }

    /// Puts a file among those of this database in memory, for an engine that [`EnginePort::crash`] makes to find.
    #[wasm_bindgen(js_name = putFile)]
    pub fn put_file(&self, path: &str, bytes: Vec<u8>) -> std::result::Result<(), JsValue> {
        let files = self.files.as_ref().ok_or_else(|| {
            thrown(Error::new(ErrorKind::Unsupported, "files can be put into a database in memory alone"))
        })?;
        files.borrow_mut().put(path, bytes).map_err(thrown)
    }

    /// Starts to open what this engine, whose database is in memory, would leave behind if it ended right now without a word.
    /// This one is of no use from then on.
    pub fn crash(&self, options: EngineOptions) -> std::result::Result<EnginePort, JsValue> {
        let files = self.files.as_ref().map(|files| files.borrow().after_crash());
        let files = files.ok_or_else(|| {
            thrown(Error::new(
                ErrorKind::Unsupported,
                "only a database in memory can be made to crash; end the process",
            ))
        })?;
        Options::read(options).and_then(|options| Self::open_files(files, options)).map_err(thrown)
    }

    /// Starts to open the database of this name in IndexedDB. `notify` is called, from the browser's event loop, when the
    /// storage has finished something and a pump is worth while; it must not call back at once.
    #[wasm_bindgen(js_name = openIndexedDb)]
    pub async fn open_indexed_db(
        name: String,
        notify: Function,
        options: EngineOptions,
    ) -> std::result::Result<EnginePort, JsValue> {
        let options = Options::read(options).map_err(thrown)?;
        Self::open(
            if options.read_only {
                Box::new(IndexedDbFileSystem::open_for_reading(&name, calls(notify)).await.map_err(thrown)?)
            } else {
                Box::new(IndexedDbFileSystem::open(&name, calls(notify)).await.map_err(thrown)?)
            },
            options,
        )
        .map_err(thrown)
    }

    /// Starts to open the database in this directory, below `sandglass/` of the origin private file system: in a dedicated worker,
    /// unless it is only to be read. `notify` as in [`EnginePort::open_indexed_db`].
    #[wasm_bindgen(js_name = openOpfs)]
    pub async fn open_opfs(
        directory: String,
        notify: Function,
        options: EngineOptions,
    ) -> std::result::Result<EnginePort, JsValue> {
        let options = Options::read(options).map_err(thrown)?;
        Self::open(
            if options.read_only {
                Box::new(OpfsReader::open(&directory, calls(notify)).await.map_err(thrown)?)
            } else {
                Box::new(OpfsFileSystem::open(&directory, calls(notify)).await.map_err(thrown)?)
            },
            options,
        )
        .map_err(thrown)
    }

    /// The ticket that is answered when the database is open.
    pub fn opening(&self) -> u32 {
        self.opening.0
    }

    // ---- ingestion ----------------------------------------------------------------------------------------------------

    /// The handle of a series; `labels` are names and values in turn.
    pub fn series(&mut self, labels: Vec<String>) -> std::result::Result<u32, JsValue> {
        let pairs: Vec<(&str, &str)> =
            labels.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        self.engine.series(&pairs).map(|handle| handle.0).map_err(thrown)
    }

    /// Length of the staging columns.
    #[wasm_bindgen(js_name = stagedSamples)]
    pub fn staged_samples() -> usize {
        STAGED_SAMPLES
    }

    /// Address of the staging column of timestamps, eight bytes each: numbers or 64-bit integers.
    #[wasm_bindgen(js_name = stagedTimestamps)]
    pub fn staged_timestamps(&self) -> usize {
        self.staged_timestamps.as_ptr().addr()
    }

    /// Address of the staging column of values, eight bytes each.
    #[wasm_bindgen(js_name = stagedValues)]
    pub fn staged_values(&self) -> usize {
        self.staged_values.as_ptr().addr()
    }

    /// Address of the staging column of series handles, four bytes each.
    #[wasm_bindgen(js_name = stagedSeries)]
    pub fn staged_series(&self) -> usize {
        self.staged_series.as_ptr().addr()
    }

    /// Adds the first `count` staged timestamps, which are numbers, and values to one series. 0: they are accepted; a
    /// positive number: they will be when this ticket is answered; negative: see [`EnginePort::last_error`].
    pub fn append(&mut self, series: u32, count: usize) -> f64 {
        let count = count.min(STAGED_SAMPLES);
        let staged = &self.staged_timestamps[..count];
        self.timestamps.clear();
        time::append_from_numbers(staged, &mut self.timestamps);
        if !time::are_dates(staged) {
            let bad = staged.iter().enumerate().find(|(_, timestamp)| !is_timestamp(**timestamp));
            let (index, timestamp) = bad.map_or((0, f64::NAN), |(index, timestamp)| (index, *timestamp));
            return self.fail(Error::invalid(format!(
                "timestamps[{index}] is {}; milliseconds since the epoch are expected, between -8.64e15 and 8.64e15",
                timestamp
            )));
        }
        self.append_converted(series, count)
    }

    /// As [`EnginePort::append`], with timestamps that were staged as 64-bit integers.
    #[wasm_bindgen(js_name = appendBigInt)]
    pub fn append_big_int(&mut self, series: u32, count: usize) -> f64 {
        let count = count.min(STAGED_SAMPLES);
        self.timestamps.clear();
        time::append_from_bits(&self.staged_timestamps[..count], &mut self.timestamps);
        self.append_converted(series, count)
    }

    /// Adds the first `count` staged values to as many staged series, all at one instant. Answers as [`EnginePort::append`].
    #[wasm_bindgen(js_name = appendRow)]
    pub fn append_row(&mut self, count: usize, timestamp: f64) -> f64 {
        if !is_timestamp(timestamp) {
            return self.fail(Error::invalid(format!(
                "the timestamp is {}; milliseconds since the epoch are expected, between -8.64e15 and 8.64e15",
                timestamp
            )));
        }
        let count = count.min(STAGED_SAMPLES);
        let (series, values) = (&self.staged_series[..count], &self.staged_values[..count]);
        let appended = self.engine.append_row(series, timestamp as TimestampMs, values);
        self.appended(appended)
    }

    /// Throws the reason why the last of the three calls above answered a negative number.
    #[wasm_bindgen(js_name = lastError)]
    pub fn last_error(&mut self) -> std::result::Result<(), JsValue> {
        self.last_error.take().map_or(Ok(()), |error| Err(thrown(error)))
    }

    /// Submits whole lines of a body. `extra_labels` are names and values in turn.
    pub fn ingest(
        &mut self,
        format: &str,
        body: Vec<u8>,
        timestamp: f64,
        extra_labels: Vec<String>,
        first_line: f64,
        body_number: u32,
    ) -> std::result::Result<u32, JsValue> {
        let format = BodyFormat::named(format, "").map_err(thrown)?;
        Ok(self.send(Command::Ingest {
            format,
            body: body.into(),
            timestamp: timestamp as TimestampMs,
            extra_labels: pairs(extra_labels),
            first_line: first_line as u64,
            body_number,
        }))
    }

    /// Submits [`Command::IngestOpen`]. `csv_format` says what the columns of CSV are, `content_encoding` is as in a header.
    #[wasm_bindgen(js_name = ingestOpen)]
    pub fn ingest_open(
        &mut self,
        format: &str,
        csv_format: &str,
        content_encoding: &str,
        timestamp: f64,
        extra_labels: Vec<String>,
    ) -> std::result::Result<u32, JsValue> {
        let format = BodyFormat::named(format, csv_format).map_err(thrown)?;
        let compression = Compression::of_header(content_encoding).map_err(thrown)?;
        let (timestamp, extra_labels) = (timestamp as TimestampMs, pairs(extra_labels));
        Ok(self.send(Command::IngestOpen { format, compression, timestamp, extra_labels }))
    }

    /// Submits [`Command::IngestPiece`].
    #[wasm_bindgen(js_name = ingestPiece)]
    pub fn ingest_piece(&mut self, ingest: u32, bytes: Vec<u8>) -> u32 {
        self.send(Command::IngestPiece { ingest, bytes: bytes.into() })
    }

    /// Submits [`Command::IngestEnd`].
    #[wasm_bindgen(js_name = ingestEnd)]
    pub fn ingest_end(&mut self, ingest: u32) -> u32 {
        self.send(Command::IngestEnd { ingest })
    }

    /// Submits [`Command::IngestClose`].
    #[wasm_bindgen(js_name = ingestClose)]
    pub fn ingest_close(&mut self, ingest: u32) -> u32 {
        self.send(Command::IngestClose { ingest })
    }

    // ---- time and durability ------------------------------------------------------------------------------------------

    /// Manual clock: moves time on.
    pub fn tick(&mut self, ms: f64) -> std::result::Result<u32, JsValue> {
        self.engine.tick(ms as i64).map(|ticket| ticket.0).map_err(thrown)
    }

    /// The engine's time.
    pub fn now(&self) -> f64 {
        self.engine.now() as f64
    }

    /// Submits [`Command::Flush`].
    pub fn flush(&mut self) -> u32 {
        self.send(Command::Flush)
    }

    /// Submits [`Command::Sync`].
    pub fn sync(&mut self) -> u32 {
        self.send(Command::Sync)
    }

    /// Submits [`Command::ForceMerge`].
    #[wasm_bindgen(js_name = forceMerge)]
    pub fn force_merge(&mut self, partition_prefix: String) -> u32 {
        self.send(Command::ForceMerge { partition_prefix })
    }

    /// Submits [`Command::Close`].
    pub fn close(&mut self) -> u32 {
        self.send(Command::Close)
    }

    // ---- reading ------------------------------------------------------------------------------------------------------
    // Bounds are whole milliseconds; infinite ones become the ends of time.

    /// Submits [`Command::Select`]. The answer is the number of series; [`EnginePort::take_series`] hands them out.
    pub fn select(&mut self, selector: String, start: f64, end: f64) -> u32 {
        self.send(Command::Select { selector, range: range(start, end) })
    }

    /// Submits [`Command::Labels`].
    pub fn labels(&mut self, selector: Option<String>, start: f64, end: f64) -> u32 {
        self.send(Command::Labels { selector, range: range(start, end) })
    }

    /// Submits [`Command::LabelNames`].
    #[wasm_bindgen(js_name = labelNames)]
    pub fn label_names(&mut self, selector: Option<String>, start: f64, end: f64) -> u32 {
        self.send(Command::LabelNames { selector, range: range(start, end) })
    }

    /// Submits [`Command::LabelValues`].
    #[wasm_bindgen(js_name = labelValues)]
    pub fn label_values(&mut self, name: String, selector: Option<String>, start: f64, end: f64) -> u32 {
        self.send(Command::LabelValues { name, selector, range: range(start, end) })
    }

    /// Submits [`Command::ExportOpen`].
    #[wasm_bindgen(js_name = exportOpen)]
    pub fn export_open(&mut self, selector: Option<String>, start: f64, end: f64) -> u32 {
        self.send(Command::ExportOpen { format: ExportFormat::JsonLines, selector, range: range(start, end) })
    }

    /// Submits [`Command::ExportNext`].
    #[wasm_bindgen(js_name = exportNext)]
    pub fn export_next(&mut self, cursor: u32) -> u32 {
        self.send(Command::ExportNext { cursor })
    }

    /// Submits [`Command::ExportClose`].
    #[wasm_bindgen(js_name = exportClose)]
    pub fn export_close(&mut self, cursor: u32) -> u32 {
        self.send(Command::ExportClose { cursor })
    }

    // ---- snapshots ----------------------------------------------------------------------------------------------------

    /// Submits [`Command::SnapshotCreate`].
    #[wasm_bindgen(js_name = snapshotCreate)]
    pub fn snapshot_create(&mut self) -> u32 {
        self.send(Command::SnapshotCreate)
    }

    /// Submits [`Command::SnapshotList`].
    #[wasm_bindgen(js_name = snapshotList)]
    pub fn snapshot_list(&mut self) -> u32 {
        self.send(Command::SnapshotList)
    }

    /// Submits [`Command::SnapshotDelete`].
    #[wasm_bindgen(js_name = snapshotDelete)]
    pub fn snapshot_delete(&mut self, name: String) -> u32 {
        self.send(Command::SnapshotDelete { name })
    }

    /// Submits [`Command::SnapshotDeleteAll`].
    #[wasm_bindgen(js_name = snapshotDeleteAll)]
    pub fn snapshot_delete_all(&mut self) -> u32 {
        self.send(Command::SnapshotDeleteAll)
    }

    /// Submits [`Command::SnapshotFiles`].
    #[wasm_bindgen(js_name = snapshotFiles)]
    pub fn snapshot_files(&mut self, name: String) -> u32 {
        self.send(Command::SnapshotFiles { name })
    }

    /// Submits [`Command::SnapshotRead`].
    #[wasm_bindgen(js_name = snapshotRead)]
    pub fn snapshot_read(&mut self, source: String, offset: f64, length: f64) -> u32 {
        self.send(Command::SnapshotRead { source, offset: offset as u64, length: length as u64 })
    }

    // ---- HTTP ---------------------------------------------------------------------------------------------------------

    /// Submits [`Command::Http`].
    pub fn http(
        &mut self,
        method: String,
        uri: String,
        content_type: String,
        body: Vec<u8>,
        content_encoding: Option<String>,
    ) -> u32 {
        let content_encoding = content_encoding.unwrap_or_default();
        self.send(Command::Http(HttpRequest { method, uri, content_type, content_encoding, body: body.into() }))
    }

    /// Gives up a call that only reads; the others go on. Tells whether the ticket will not be answered any more. What a
    /// `select` has answered already is dropped.
    pub fn cancel(&mut self, ticket: u32) -> bool {
        let ticket = Ticket(ticket);
        self.selected.remove(&ticket);
        self.engine.cancel(ticket)
    }

    // ---- driving ------------------------------------------------------------------------------------------------------

    /// Lets the engine work. Returns 0 when it could go on at once, else the instant at which it wants to be pumped again,
    /// which is infinity when only a call or the storage can give it something to do.
    pub fn pump(&mut self, wall_now: f64, budget: f64) -> f64 {
        let pumped = self.engine.pump(wall_now as TimestampMs, budget as u64);
        self.spent = pumped.spent;
        self.waits_for_storage = pumped.waits_for_storage;
        match pumped.next_due {
            _ if pumped.has_work => 0.0,
            Some(due) => due as f64,
            None => f64::INFINITY,
        }
    }

    /// Units of work that the last pump did.
    pub fn spent(&self) -> f64 {
        self.spent as f64
    }

    /// Whether something waited for the storage at the end of the last pump.
    #[wasm_bindgen(js_name = waitsForStorage)]
    pub fn waits_for_storage(&self) -> bool {
        self.waits_for_storage
    }

    /// Tells how many bytes the storage has left, of how many in all; nothing when it can't tell.
    #[wasm_bindgen(js_name = setRoomBytes)]
    pub fn set_room_bytes(&mut self, left_bytes: Option<f64>, quota_bytes: f64) {
        self.engine.set_room_bytes(left_bytes.map(|left| left as u64), quota_bytes as u64);
    }

    /// Whether a new report of the room is worth asking for; it counts as asked for then.
    #[wasm_bindgen(js_name = wantsRoom)]
    pub fn wants_room(&mut self, wall_now: f64) -> bool {
        self.engine.wants_room(wall_now as TimestampMs)
    }

    /// Tickets that were answered since the last call.
    pub fn completed(&mut self) -> Vec<u32> {
        self.engine.completed().into_iter().map(|ticket| ticket.0).collect()
    }

    /// The answer to a ticket, once; throws when it is an error. `undefined` for `Done`.
    pub fn take(&mut self, ticket: u32) -> std::result::Result<JsValue, JsValue> {
        let ticket = Ticket(ticket);
        match self.engine.take(ticket) {
            None => Ok(JsValue::UNDEFINED),
            Some(Ok(Answer::Series(series))) => {
                let count = series.len();
                self.selected.insert(ticket, series.into_iter());
                Ok(JsValue::from(count))
            }
            Some(answer) => answer.and_then(into_js).map_err(thrown),
        }
    }

    /// The next series of an answer to `select`, about `samples` samples of them: their label sets in one array, then for
    /// each its timestamps and its values. Nothing when all are taken; with 0 samples they are dropped.
    #[wasm_bindgen(js_name = takeSeries)]
    pub fn take_series(&mut self, ticket: u32, samples: usize) -> std::result::Result<Option<Array>, JsValue> {
        let ticket = Ticket(ticket);
        let Some(rest) = self.selected.get_mut(&ticket) else { return Ok(None) };
        let mut labels = Vec::new();
        let columns = Array::new();
        columns.push(&JsValue::UNDEFINED);
        let mut taken = 0;
        let mut scratch = Vec::new();
        while taken < samples {
            let Some(series) = rest.next() else { break };
            // A series costs something even when it is short.
            taken += series.timestamps.len() + 64;
            scratch.clear();
            time::append_as_numbers(&series.timestamps, &mut scratch);
            columns.push(&Float64Array::from(&scratch[..]));
            columns.push(&Float64Array::from(&series.values[..]));
            labels.push(series.labels);
        }
        if labels.is_empty() {
            self.selected.remove(&ticket);
            return Ok(None);
        }
        columns.set(0, json(&LabelSets(&labels)).map_err(thrown)?);
        Ok(Some(columns))
    }

    // ---- seeing inside ------------------------------------------------------------------------------------------------

    /// The engine's state.
    pub fn inspect(&self) -> std::result::Result<JsValue, JsValue> {
        json(&self.engine.inspect()).map_err(thrown)
    }

    /// Submits [`Command::InspectPart`].
    #[wasm_bindgen(js_name = inspectPart)]
    pub fn inspect_part(&mut self, part: f64, from: f64, count: f64) -> u32 {
        self.send(Command::InspectPart { part: part as u64, from: from as u64, count: count as usize })
    }

    /// Submits [`Command::InspectBlock`]. The answer is an array: the record, the header's bytes, timestamps, mantissas and
    /// values as columns, and for timestamps and mantissas the varints and what is stored.
    #[wasm_bindgen(js_name = inspectBlock)]
    pub fn inspect_block(&mut self, part: f64, block: f64) -> u32 {
        self.send(Command::InspectBlock { part: part as u64, block: block as u64 })
    }

    /// Submits [`Command::InspectIndexBlock`].
    #[wasm_bindgen(js_name = inspectIndexBlock)]
    pub fn inspect_index_block(&mut self, table: f64, part: f64, block: f64) -> u32 {
        self.send(Command::InspectIndexBlock { table: table as usize, part: part as usize, block: block as u64 })
    }

    /// Turns the trace on or off.
    #[wasm_bindgen(js_name = setObserved)]
    pub fn set_observed(&mut self, observed: bool) {
        self.engine.set_observed(observed);
    }

    /// The events since the last call, as an array.
    pub fn events(&mut self) -> std::result::Result<JsValue, JsValue> {
        json(&self.engine.events()).map_err(thrown)
    }
}

impl EnginePort {
    fn open_files(files: MemoryFileSystem, options: Options) -> Result<Self> {
        let files = Rc::new(RefCell::new(files));
        Ok(Self { files: Some(files.clone()), ..Self::open(Box::new(files), options)? })
    }

    fn open(file_system: Box<dyn FileSystem>, options: Options) -> Result<Self> {
        let (engine, opening) = Engine::open(file_system, options.config()?)?;
        Ok(Self {
            engine,
            files: None,
            opening,
            staged_timestamps: vec![0.0; STAGED_SAMPLES],
            staged_values: vec![0.0; STAGED_SAMPLES],
            staged_series: vec![0; STAGED_SAMPLES],
            timestamps: Vec::with_capacity(STAGED_SAMPLES),
            selected: HashMap::new(),
            last_error: None,
            spent: 0,
            waits_for_storage: false,
        })
    }

    fn send(&mut self, command: Command) -> u32 {
        self.engine.send(command).0
    }

    fn append_converted(&mut self, series: u32, count: usize) -> f64 {
        let appended = self.engine.append(SeriesHandle(series), &self.timestamps, &self.staged_values[..count]);
        self.appended(appended)
    }

    fn appended(&mut self, appended: Result<Option<Ticket>>) -> f64 {
        match appended {
            Ok(ticket) => ticket.map_or(0.0, |ticket| f64::from(ticket.0)),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) -> f64 {
        self.last_error = Some(error);
        -1.0
    }
}

/// Names and values in turn.
fn pairs(texts: Vec<String>) -> Vec<(String, String)> {
    let mut texts = texts.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        pairs.push((name, value));
    }
    pairs
}

fn calls(notify: Function) -> impl Fn() + 'static {
    move || {
        // A callback that throws has nobody to tell it to.
        let _ = notify.call0(&JsValue::UNDEFINED);
    }
}

fn is_timestamp(timestamp: f64) -> bool {
    time::are_dates(&[timestamp])
}

/// Casts from floats saturate, so that infinities become the ends of time.
fn range(start: f64, end: f64) -> TimeRange {
    TimeRange { min: start as TimestampMs, max: end as TimestampMs }
}

/// An error as JavaScript throws it, with its `code`.
fn thrown(error: Error) -> JsValue {
    let value = js_sys::Error::new(error.message());
    // A new object takes any property.
    let _ = Reflect::set(&value, &"code".into(), &error.kind().code().into());
    value.into()
}

fn into_js(answer: Answer) -> Result<JsValue> {
    Ok(match answer {
        Answer::Done => JsValue::UNDEFINED,
        Answer::Ingested(result) => json(&result)?,
        Answer::Series(series) => JsValue::from(series.len()),
        Answer::LabelSets(sets) => json(&LabelSets(&sets))?,
        Answer::Strings(strings) => json(&strings)?,
        Answer::Cursor(cursor) => cursor.into(),
        Answer::Chunk(chunk) => chunk.map_or(JsValue::NULL, |bytes| Uint8Array::from(&bytes[..]).into()),
        Answer::Snapshot(name) => name.into(),
        Answer::Files(files) => json(&files)?,
        Answer::Bytes(bytes) => Uint8Array::from(&bytes[..]).into(),
        Answer::Count(count) => JsValue::from(count as f64),
        Answer::Part(part) => json(&part)?,
        Answer::IndexBlock(block) => json(&block)?,
        Answer::Block(block, record) => {
            let mut header = Vec::new();
            block.header.marshal(&mut header);
            let bytes = |bytes: &[u8]| JsValue::from(Uint8Array::from(bytes));
            let pieces = [
                json(&record)?,
                bytes(&header),
                BigInt64Array::from(&block.timestamps.integers[..]).into(),
                BigInt64Array::from(&block.mantissas.integers[..]).into(),
                Float64Array::from(&block.values[..]).into(),
                bytes(&block.timestamps.varints),
                bytes(&block.timestamps.stored),
                bytes(&block.mantissas.varints),
                bytes(&block.mantissas.stored),
            ];
            Array::from_iter(pieces).into()
        }
        Answer::Http(HttpResponse { status, content_type, body }) => {
            let parts = Array::of3(&status.into(), &content_type.into(), &Uint8Array::from(&body[..]));
            parts.into()
        }
    })
}

/// A record as the object it stands for. 64-bit integers become numbers.
fn json(record: &impl Serialize) -> Result<JsValue> {
    let fail = |what: String| Error::invalid(format!("a record cannot be written as JSON: {what}"));
    let text = serde_json::to_string(record).map_err(|error| fail(error.to_string()))?;
    JSON::parse(&text).map_err(|error| fail(format!("{error:?}")))
}

/// Label sets as an array of objects.
struct LabelSets<'a>(&'a [Labels]);

impl Serialize for LabelSets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut sets = serializer.serialize_seq(Some(self.0.len()))?;
        for labels in self.0 {
            sets.serialize_element(&LabelSet(labels))?;
        }
        sets.end()
    }
}

struct LabelSet<'a>(&'a Labels);

impl Serialize for LabelSet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
