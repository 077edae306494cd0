//! One engine between its opening and its end: commands go in, time passes, answers are compared with the model.

mod answers;
mod appending;
mod ask;
mod checks;
mod exports;
mod figures;
mod pumping;
mod room;
mod snapshots;
mod time;
mod workload;
mod world;
mod zombie;

pub use figures::{Figures, all_faults};
pub use world::World;
pub use zombie::Zombie;

use crate::model::{Chosen, Wrong};
use crate::reader::Reader;
use ask::{Ask, Export, Pending};
use sandglass::engine::{Answer, Command, Engine, SeriesHandle, Ticket};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{FileSystem, MemoryFileSystem};
use sandglass::time::{SECOND_MS, TimeRange};
use sandglass::trace::lifecycle::Lifecycle;
use std::collections::{BTreeMap, BTreeSet};

const STALE: u64 = 0x7FF0_0000_0000_0002;

pub struct Life {
    pub world: Box<World>,
    pub engine: Engine,
    pub files: SimFileSystem,
    pub now: i64,
    handles: BTreeMap<u64, SeriesHandle>,
    pending: BTreeMap<u32, Pending>,
    lifecycle: Lifecycle,
    exports: BTreeMap<u32, Export>,
    downloads: BTreeMap<String, MemoryFileSystem>,
    open_failure: Option<Error>,
    reader: Option<Reader>,
    /// How many bytes the disk takes, if there is an end.
    quota_bytes: Option<u64>,
    /// When there last was one.
    last_short: Option<i64>,
    /// How often the disk had refused something for want of room when it was limited.
    out_of_room_before: u64,
    /// How often it was told that the storage writes again.
    restored: u64,
}

/// What came of an attempt to open.
pub enum Opened {
    Open(Box<Life>),
    /// The power went.
    Crashed(Box<World>),
}

impl Life {
    fn begin(mut world: Box<World>, files: &SimFileSystem, now: i64) -> Result<(Self, Ticket), Wrong> {
        let config = world.plan.config(now);
        world.model.latest = world.model.latest.max(now);
        let (mut engine, opened) =
            Engine::open(Box::new(files.clone()), config).map_err(|error| format!("the config is refused: {error}"))?;
        engine.set_observed(true);
        let life = Self {
            world,
            engine,
            files: files.clone(),
            now,
            handles: BTreeMap::new(),
            pending: BTreeMap::new(),
            lifecycle: Lifecycle::default(),
            exports: BTreeMap::new(),
            downloads: BTreeMap::new(),
            open_failure: None,
            reader: None,
            quota_bytes: None,
            last_short: None,
            out_of_room_before: 0,
            restored: 0,
        };
        Ok((life, opened))
    }

    /// Opens the database, trying again after faults.
    pub fn open(mut world: Box<World>, files: &SimFileSystem, start_time: i64) -> Result<Opened, Wrong> {
        let mut now = start_time;
        for attempt in 0..300 {
            let handle = files.next_writer();
            if attempt > 10 {
                // With every tenth read it might never come to an end.
                handle.shorten_reads(0);
            }
            let faults_before = all_faults(&handle);
            let (mut life, ticket) = Self::begin(world, &handle, now)?;
            life.expect(ticket, Ask::Open, "open".into());
            life.settle()?;
            if handle.has_crashed() {
                return Ok(Opened::Crashed(life.world));
            }
            match life.open_failure.take() {
                None => return Ok(Opened::Open(Box::new(life))),
                Some(error) if all_faults(&handle) > faults_before => {
                    if error.kind() == ErrorKind::Quota {
                        handle.set_quota_bytes(None);
                    }
                    now = life.now + SECOND_MS;
                    world = life.world;
                }
                Some(error) => return Err(format!("the database can't be opened: {error}")),
            }
        }
        Err("the database can't be opened, although no fault is left".into())
    }

    /// Asks for an orderly end and waits for it. Whether it came.
    pub fn close(&mut self) -> Result<bool, Wrong> {
        let mark = self.world.model.tick();
        let promises_before = self.world.model.promise_count();
        self.send(Command::Close, Ask::Close { mark });
        self.settle()?;
        Ok(!self.has_crashed() && self.world.model.promise_count() > promises_before)
    }

    /// Nothing more is heard of this engine; the world goes on without it.
    pub fn end(mut self) -> Box<World> {
        let is_snapshot = |pending: &Pending| {
            matches!(pending.ask, Ask::Snapshot { .. } | Ask::SnapshotDelete { .. } | Ask::SnapshotDeleteAll { .. })
        };
        if self.pending.values().any(is_snapshot) {
            self.world.may_have_unknown_snapshots = true;
        }
        self.world.model.life_ends();
        self.world
    }

    /// The engine goes on after another writer has come.
    pub fn into_zombie(self) -> (Box<World>, Zombie) {
        let zombie = Zombie { engine: self.engine, has_accepted: false, is_promising: BTreeSet::new() };
        let mut world = self.world;
        let is_snapshot = |pending: &Pending| {
            matches!(pending.ask, Ask::Snapshot { .. } | Ask::SnapshotDelete { .. } | Ask::SnapshotDeleteAll { .. })
        };
        if self.pending.values().any(is_snapshot) {
            world.may_have_unknown_snapshots = true;
        }
        world.model.life_ends();
        (world, zombie)
    }
}

/// All samples of a database that nothing happens to.
pub fn select_all(
    files: Box<dyn FileSystem>,
    config: sandglass::engine::Config,
) -> Result<Vec<sandglass::engine::SeriesData>, Error> {
    let (mut engine, opened) = Engine::open(files, config)?;
    engine.run(opened)?;
    let ticket = engine.send(Command::Select { selector: Chosen::All.selector(), range: TimeRange::ALL });
    match engine.run(ticket)? {
        Answer::Series(series) => Ok(series),
        other => Err(Error::invalid(format!("{other:?}"))),
    }
}
