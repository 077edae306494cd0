//! What several tests need: a file system that outlives its engine, a small seeded generator, and short ways to drive an engine.

use sandglass::engine::{Answer, Clock, Command, Config, Engine, SeriesData};
use sandglass::error::Result;
use sandglass::executor::{Limits, Query, QueryResult, Stopwatch, Times};
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::fs::{Completion, FileSystem, FileSystemStats, OpId, Request};
use sandglass::http::{HttpRequest, HttpResponse};
use sandglass::query::dialect::Dialect;
use sandglass::time::{TimeRange, TimestampMs};
use sandglass::trace::lifecycle::Lifecycle;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// One file system for several engines, one after the other.
#[derive(Clone, Default)]
pub struct SharedFiles(pub Rc<RefCell<MemoryFileSystem>>);

impl FileSystem for SharedFiles {
    fn submit(&mut self, op: OpId, request: Request) {
        self.0.borrow_mut().submit(op, request);
    }
    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        self.0.borrow_mut().poll(now, done);
    }
    fn stats(&self) -> FileSystemStats {
        self.0.borrow().stats()
    }
}

/// Files whose answers come when the test lets them.
pub struct SlowFiles<F> {
    files: F,
    is_held: Rc<Cell<bool>>,
    done: Vec<Completion>,
}

impl<F> SlowFiles<F> {
    pub fn new(files: F, is_held: Rc<Cell<bool>>) -> Self {
        Self { files, is_held, done: Vec::new() }
    }
}

impl<F: FileSystem> FileSystem for SlowFiles<F> {
    fn submit(&mut self, op: OpId, request: Request) {
        self.files.submit(op, request);
    }
    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        self.files.poll(now, &mut self.done);
        if !self.is_held.get() {
            done.append(&mut self.done);
        }
    }
    fn stats(&self) -> FileSystemStats {
        self.files.stats()
    }
}

/// A stopwatch on which a millisecond passes whenever somebody looks.
pub struct Ticking(pub Rc<Cell<f64>>);

impl Stopwatch for Ticking {
    fn milliseconds(&self) -> f64 {
        self.0.set(self.0.get() + 1.0);
        self.0.get()
    }
}

/// SplitMix64: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// 2024-03-10T12:00:00Z, a Sunday in the midst of a month.
pub const START: TimestampMs = 1_710_072_000_000;

/// A manual clock from [`START`] on, and a retention that keeps all.
pub fn config() -> Config {
    Config { clock: Clock::Manual, retention_ms: sandglass::time::MAX_RETENTION_MS, ..Config::new(START) }
}

/// Opens a database and waits until it is open.
pub fn open(fs: impl FileSystem + 'static, config: Config) -> Result<Engine> {
    let (mut engine, opened) = Engine::open(Box::new(fs), config)?;
    engine.run(opened)?;
    Ok(engine)
}

/// As [`open`], with all events from the first on.
pub fn open_observed(fs: impl FileSystem + 'static, config: Config) -> Result<(Engine, Lifecycle)> {
    let (mut engine, opened) = Engine::open(Box::new(fs), config)?;
    engine.set_observed(true);
    engine.run(opened)?;
    let mut lifecycle = Lifecycle::default();
    watch(&mut engine, &mut lifecycle);
    Ok((engine, lifecycle))
}

/// Looks whether what has happened since the last time was legal.
pub fn watch(engine: &mut Engine, lifecycle: &mut Lifecycle) {
    for event in engine.events() {
        lifecycle.observe(&event.event).unwrap_or_else(|why| panic!("{why}: {event:?}"));
    }
}

/// A query with nothing but its text and its instants.
pub fn query_of(text: &str, dialect: Dialect, times: Times) -> Query {
    Query {
        text: text.into(),
        dialect,
        extra_filters: Vec::new(),
        times,
        lookback_ms: None,
        is_fresh: false,
        is_traced: false,
        is_followed: false,
        held: None,
        limits: Limits::default(),
    }
}

/// Short ways to say what tests say often.
pub trait EngineExt {
    fn ask(&mut self, command: Command) -> Result<Answer>;
    fn put(&mut self, labels: &[(&str, &str)], timestamps: &[i64], values: &[f64]) -> Result<()>;
    fn advance(&mut self, ms: i64) -> Result<()>;
    fn all(&mut self, selector: &str) -> Result<Vec<SeriesData>>;
    fn flush(&mut self) -> Result<()>;
    fn query(&mut self, query: Query) -> Result<QueryResult>;
}

impl EngineExt for Engine {
    fn ask(&mut self, command: Command) -> Result<Answer> {
        let ticket = self.send(command);
        self.run(ticket)
    }

    fn put(&mut self, labels: &[(&str, &str)], timestamps: &[i64], values: &[f64]) -> Result<()> {
        let series = self.series(labels)?;
        match self.append(series, timestamps, values)? {
            Some(ticket) => self.run(ticket).map(drop),
            None => Ok(()),
        }
    }

    fn advance(&mut self, ms: i64) -> Result<()> {
        let ticket = self.tick(ms)?;
        self.run(ticket).map(drop)
    }

    fn all(&mut self, selector: &str) -> Result<Vec<SeriesData>> {
        match self.ask(Command::Select { selector: selector.into(), range: TimeRange::ALL })? {
            Answer::Series(series) => Ok(series),
            other => panic!("select was answered with {other:?}"),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.ask(Command::Flush).map(drop)
    }

    fn query(&mut self, query: Query) -> Result<QueryResult> {
        match self.ask(Command::Query(query))? {
            Answer::Query(result) => Ok(*result),
            other => panic!("a query was answered with {other:?}"),
        }
    }
}

/// A request without a body.
pub fn get(uri: &str) -> Command {
    Command::Http(HttpRequest {
        method: "GET".into(),
        uri: uri.into(),
        content_type: String::new(),
        content_encoding: String::new(),
        body: bytes::Bytes::new(),
    })
}

/// The whole reply to it.
pub fn got(engine: &mut Engine, uri: &str) -> HttpResponse {
    let Command::Http(request) = get(uri) else { unreachable!() };
    answered(engine, request)
}

/// The whole reply to a request, whether it comes at once or in pieces.
pub fn answered(engine: &mut Engine, request: HttpRequest) -> HttpResponse {
    match engine.ask(Command::Http(request)).unwrap() {
        Answer::Http(response) => response,
        Answer::HttpBegun(mut response, cursor) => {
            while let Answer::Chunk(Some(piece)) = engine.ask(Command::ExportNext { cursor }).unwrap() {
                response.body.extend_from_slice(&piece);
            }
            response
        }
        other => panic!("{other:?}"),
    }
}
