//! The engine as JavaScript sees it: synchronous calls that translate arguments and results, and nothing else.
//!
//! Samples cross through staging columns in this module's memory, which JavaScript fills before it calls
//! [`EnginePort::append`] and its like: one copy, no allocation, no object. Series come back as typed arrays of their own.
//! Small records cross as JSON text, which both sides handle faster than objects that are put together property by
//! property, and whose keys may be called anything, `__proto__` too.
//!
//! No call takes a callback that runs in the middle of it, so nothing re-enters. A panic leaves its message and place in
//! [`last_panic`] and traps: the instance must be thrown away then.

use crate::engine::{Answer, Command, Config, Engine, SeriesData, SeriesHandle, Ticket};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FileSystem;
use crate::fs::indexed_db::IndexedDbFileSystem;
use crate::fs::memory::MemoryFileSystem;
use crate::fs::opfs::{OpfsFileSystem, Readers};
use crate::fs::opfs_reader::OpfsReader;
use crate::metric::date_numbers;
use crate::runtime::MemoryShare;
use crate::time::TimestampMs;
use js_sys::{Array, Float64Array, Function, Reflect, Uint8Array};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

mod answer;
mod archive;
mod json;
mod options;
mod query;
mod request;
mod stopwatch;
mod zones;

use options::{EngineOptions, Options};
use request::Request;

/// A reader has so long to read what a merge has just replaced.
const REMOVAL_DELAY_MS: u32 = 3_000;
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
    selected: HashMap<Ticket, (std::vec::IntoIter<SeriesData>, MemoryShare)>,
    last_error: Option<Error>,
    spent: u64,
    waits_for_storage: bool,
}

#[wasm_bindgen]
impl EnginePort {
    // ---- opening ------------------------------------------------------------------------------------------------------

    /// Starts to open a database in memory, on these files: pairs of a path below the data directory and its content.
    #[wasm_bindgen(js_name = openMemory)]
    pub fn open_memory(options: EngineOptions, files: Option<Array>) -> std::result::Result<EnginePort, JsValue> {
        let options = Options::read(options).map_err(thrown)?;
        let quota = options.quota_bytes as u64;
        let mut stored = if quota == 0 { MemoryFileSystem::new() } else { MemoryFileSystem::with_quota(quota) };
        for file in files.iter().flat_map(Array::iter) {
            let (path, content) = (Reflect::get_u32(&file, 0)?, Reflect::get_u32(&file, 1)?);
            let path = path.as_string().ok_or_else(|| thrown(Error::invalid("a file's path must be a string")))?;
            let content = content.dyn_into::<Uint8Array>().map_err(|_| {
                thrown(Error::invalid(format!("the content of the file {path:?} must be a Uint8Array")))
            })?;
            stored.put(&path, content.to_vec()).map_err(thrown)?;
        }
        Self::open_files(stored, options).map_err(thrown)
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
    /// unless it is only to be read. Readers hold the lock of the name `readers_lock`. `notify` as in [`EnginePort::open_indexed_db`].
    #[wasm_bindgen(js_name = openOpfs)]
    pub async fn open_opfs(
        directory: String,
        readers_lock: String,
        notify: Function,
        options: EngineOptions,
    ) -> std::result::Result<EnginePort, JsValue> {
        let options = Options::read(options).map_err(thrown)?;
        Self::open(
            if options.read_only {
                Box::new(OpfsReader::open(&directory, calls(notify)).await.map_err(thrown)?)
            } else {
                let readers = Readers { lock: readers_lock, delay_ms: REMOVAL_DELAY_MS };
                let opened = OpfsFileSystem::open(&directory, Some(readers), calls(notify)).await;
                Box::new(opened.map_err(thrown)?)
            },
            options,
        )
        .map_err(thrown)
    }

    /// Starts to open a snapshot where it lies, for reading: in a tar, which is a file without a path, or in the files of a folder,
    /// pairs of a path and a length. `read` is asked for the position of a file among these, an offset and a length, and promises the
    /// bytes. `notify` as in [`EnginePort::open_indexed_db`].
    #[wasm_bindgen(js_name = openArchive)]
    pub async fn open_archive(
        files: Array,
        read: Function,
        notify: Function,
        options: EngineOptions,
    ) -> std::result::Result<EnginePort, JsValue> {
        let config = Options::read(options).and_then(Options::config).map_err(thrown)?;
        // Generations are numbered by nanoseconds.
        let generation = (config.start_time as u64).saturating_mul(1_000_000);
        let (files, origin) = archive::open(&files, read, calls(notify), generation).await.map_err(thrown)?;
        let config = Config { read_only: true, origin: Some(origin), ..config };
        Self::open_with(Box::new(files), config).map_err(thrown)
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
        date_numbers::append_from_numbers(staged, &mut self.timestamps);
        if !date_numbers::are_dates(staged) {
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
        date_numbers::append_from_bits(&self.staged_timestamps[..count], &mut self.timestamps);
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

    // ---- time and durability ------------------------------------------------------------------------------------------

    /// The engine's time.
    pub fn now(&self) -> f64 {
        self.engine.now() as f64
    }

    /// Submits [`Command::Close`].
    pub fn close(&mut self) -> u32 {
        self.engine.send(Command::Close).0
    }

    /// The page goes away: what the storage is asked for from now on comes to its end without another turn of the event loop. Answers whether
    /// there is a log, which takes all rows in one turn.
    pub fn leave(&mut self) -> bool {
        self.engine.leave()
    }

    /// What can't be added without another turn of the event loop goes to the log; the last call before this engine is thrown away.
    #[wasm_bindgen(js_name = logWaitingRows)]
    pub fn log_waiting_rows(&self) {
        self.engine.log_waiting_rows();
    }

    /// Why this engine does nothing any more, as an error with its `code`; nothing while it goes on.
    pub fn stopped(&self) -> Option<js_sys::Error> {
        self.engine.stopped().map(|error| error_of(&error))
    }

    // ---- requests -----------------------------------------------------------------------------------------------------

    /// Submits one of the requests that www/src/port/requests.ts lists; `body` goes with those that carry one.
    pub fn submit(&mut self, request: JsValue, body: Option<Vec<u8>>) -> std::result::Result<u32, JsValue> {
        let request = Request::read(request).map_err(thrown)?;
        request.submit(&mut self.engine, body.unwrap_or_default()).map(|ticket| ticket.0).map_err(thrown)
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
        match self.engine.take_held(ticket) {
            None => Ok(JsValue::UNDEFINED),
            Some((Ok(Answer::Series(series)), memory)) => {
                let count = series.len();
                self.selected.insert(ticket, (series.into_iter(), memory));
                Ok(JsValue::from(count))
            }
            Some((answer, _)) => answer.and_then(answer::into_js).map_err(thrown),
        }
    }

    /// The next series of an answer to `select`, about `samples` samples of them: their label sets as JSON text, then for
    /// each its timestamps and its values. Nothing when all are taken; with 0 samples they are dropped.
    #[wasm_bindgen(js_name = takeSeries)]
    pub fn take_series(&mut self, ticket: u32, samples: usize) -> std::result::Result<Option<Array>, JsValue> {
        let ticket = Ticket(ticket);
        let Some((rest, _)) = self.selected.get_mut(&ticket) else { return Ok(None) };
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
            date_numbers::append_as_numbers(&series.timestamps, &mut scratch);
            columns.push(&Float64Array::from(&scratch[..]));
            columns.push(&Float64Array::from(&series.values[..]));
            labels.push(series.labels);
        }
        if labels.is_empty() {
            self.selected.remove(&ticket);
            return Ok(None);
        }
        columns.set(0, answer::text_of_labels(labels.iter()).map_err(thrown)?.into());
        Ok(Some(columns))
    }

    // ---- seeing inside ------------------------------------------------------------------------------------------------

    /// The engine's state.
    pub fn inspect(&self) -> std::result::Result<JsValue, JsValue> {
        json::json(&self.engine.inspect()).map_err(thrown)
    }

    /// What should be said to the people behind the page, once each; nothing when there is nothing more.
    pub fn hint(&mut self) -> Option<String> {
        self.engine.hint()
    }

    /// Turns the trace on or off.
    #[wasm_bindgen(js_name = setObserved)]
    pub fn set_observed(&mut self, observed: bool) {
        self.engine.set_observed(observed);
    }

    /// The events since the last call, as an array.
    pub fn events(&mut self) -> std::result::Result<JsValue, JsValue> {
        json::json(&self.engine.events()).map_err(thrown)
    }
}

impl EnginePort {
    fn open_files(files: MemoryFileSystem, options: Options) -> Result<Self> {
        let files = Rc::new(RefCell::new(files));
        Ok(Self { files: Some(files.clone()), ..Self::open(Box::new(files), options)? })
    }

    fn open(file_system: Box<dyn FileSystem>, options: Options) -> Result<Self> {
        Self::open_with(file_system, options.config()?)
    }

    fn open_with(file_system: Box<dyn FileSystem>, config: Config) -> Result<Self> {
        let (mut engine, opening) = Engine::open(file_system, config)?;
        engine.set_time_zones(Rc::new(zones::BrowserZones::default()));
        engine.set_stopwatch(Rc::new(stopwatch::PerformanceClock));
        engine.set_epoch((js_sys::Math::random() * f64::from(u32::MAX)) as u32);
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

fn calls(notify: Function) -> impl Fn() + 'static {
    move || {
        // A callback that throws has nobody to tell it to.
        let _ = notify.call0(&JsValue::UNDEFINED);
    }
}

fn is_timestamp(timestamp: f64) -> bool {
    date_numbers::are_dates(&[timestamp])
}

/// An error as JavaScript throws it.
fn thrown(error: Error) -> JsValue {
    error_of(&error).into()
}

/// An error with its `code`.
fn error_of(error: &Error) -> js_sys::Error {
    let value = js_sys::Error::new(error.message());
    // A new object takes any property.
    let _ = Reflect::set(&value, &"code".into(), &error.kind().code().into());
    value
}
