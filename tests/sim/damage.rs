//! Flipped bits: in what is read, and in a file at rest.
//!
//! The formats have no checksums, so that a flipped bit in a value can't be told from a value. What is asked is that nothing
//! panics and nothing hangs, that errors say `corrupt`, and that what lies in other months is answered as before.

use crate::life::World;
use crate::model::{Chosen, Wrong};
use crate::plan::Random;
use sandglass::engine::{Answer, Clock, Command, Config, Engine, SeriesData};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{FileSystem, MemoryFileSystem};
use sandglass::time::{DAY_MS, PartitionName, TimeRange};

pub fn run(world: &mut World, files: &MemoryFileSystem, now: i64, random: &Random) -> Result<(), Wrong> {
    at_rest(world, files, now, random)?;
    in_flight(world, files, now, random)
}

fn config(world: &World, now: i64) -> Config {
    Config { clock: Clock::Manual, ..world.plan.config(now) }
}

fn ask(engine: &mut Engine, command: Command) -> Result<Answer, Error> {
    let ticket = engine.send(command);
    engine.run(ticket)
}

fn select(engine: &mut Engine, range: TimeRange) -> Result<Vec<SeriesData>, Error> {
    match ask(engine, Command::Select { selector: Chosen::All.selector(), range })? {
        Answer::Series(found) => Ok(found),
        other => Err(Error::invalid(format!("{other:?}"))),
    }
}

/// An error that damage may have.
fn expect_corrupt(error: &Error, what: &str) -> Result<(), Wrong> {
    match error.kind() {
        // A damaged number may announce more samples, or another file, than there is.
        ErrorKind::Corrupt | ErrorKind::Limit | ErrorKind::NotFound | ErrorKind::Unsupported => Ok(()),
        kind => Err(format!("{what} failed with {kind:?}: {error}")),
    }
}

/// One bit of one data file is wrong: the other months are answered as ever.
fn at_rest(world: &mut World, files: &MemoryFileSystem, now: i64, random: &Random) -> Result<(), Wrong> {
    let is_data = |path: &&str| path.starts_with("data/") && !path.contains("/snapshots/");
    let paths: Vec<String> = files.paths().filter(is_data).map(str::to_owned).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let path = &paths[random.below(paths.len() as u64) as usize];
    let Some(bytes) = files.file(path).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
    let mut damaged = bytes.to_vec();
    let (at, bit) = (random.below(damaged.len() as u64) as usize, random.below(8));
    damaged[at] ^= 1 << bit;
    let mut disk = files.clone();
    disk.put(path, damaged).map_err(|error| format!("{path}: {error}"))?;
    world.figures.damaged_files += 1;
    world.say(|| format!("bit {bit} of byte {at} of {path} is flipped"));
    let month =
        path.split('/').nth(2).and_then(PartitionName::parse).ok_or_else(|| format!("{path} is of no month"))?;
    let what = format!("with bit {bit} of byte {at} of {path} flipped, opening");
    let (mut engine, opened) = Engine::open(Box::new(disk), config(world, now)).map_err(|error| error.to_string())?;
    if let Err(error) = engine.run(opened) {
        return expect_corrupt(&error, &what);
    }
    let range = month.range();
    for others in [TimeRange { min: 0, max: range.min - 1 }, TimeRange { min: range.max + 1, max: now + 3 * DAY_MS }] {
        let found = select(&mut engine, others).map_err(|error| format!("{what} and reading other months: {error}"))?;
        let bounds = world.model.bounds(&Chosen::All, others, u64::MAX, world.model.visible_mark());
        world.model.compare(&found, &bounds).map_err(|wrong| format!("{what}, then in other months: {wrong}"))?;
    }
    if let Err(error) = select(&mut engine, range) {
        expect_corrupt(&error, &what)?;
    }
    if let Err(error) = ask(&mut engine, Command::ForceMerge { partition_prefix: String::new() }) {
        expect_corrupt(&error, "a forced merge")?;
    }
    if let Err(error) = ask(&mut engine, Command::Close) {
        expect_corrupt(&error, "close")?;
    }
    Ok(())
}

/// Some reads come back wrong, whatever they are for.
fn in_flight(world: &mut World, files: &MemoryFileSystem, now: i64, random: &Random) -> Result<(), Wrong> {
    let disk = SimFileSystem::over(random.next(), files.clone());
    disk.damage_reads(random.of(&[3, 30, 300]));
    let result = in_flight_life(world, &disk, now, random);
    world.figures.damaged_reads += disk.faults().damaged;
    result
}

fn in_flight_life(world: &World, disk: &SimFileSystem, now: i64, random: &Random) -> Result<(), Wrong> {
    let (mut engine, opened) =
        Engine::open(Box::new(disk.next_writer()), config(world, now)).map_err(|error| error.to_string())?;
    if let Err(error) = engine.run(opened) {
        return expect_corrupt(&error, "opening with damaged reads");
    }
    for _ in 0..12 {
        let command = match random.below(6) {
            0 | 1 => Command::Select { selector: Chosen::All.selector(), range: TimeRange::ALL },
            2 => Command::Labels { selector: None, range: TimeRange::ALL },
            3 => Command::ForceMerge { partition_prefix: String::new() },
            4 => Command::DeleteSeries { selector: Chosen::One(random.below(20)).selector() },
            _ => Command::Sync,
        };
        let what = format!("{command:?} with damaged reads");
        if let Err(error) = ask(&mut engine, command) {
            expect_corrupt(&error, &what)?;
        }
        let number = random.below(30).to_string();
        let series =
            engine.series(&[("__name__", "metric_9"), ("series", &number)]).map_err(|error| error.to_string())?;
        match engine.append(series, &[now], &[1.0]) {
            Ok(Some(ticket)) => {
                if let Err(error) = engine.run(ticket) {
                    expect_corrupt(&error, "an append with damaged reads")?;
                }
            }
            Ok(None) => {}
            Err(error) => expect_corrupt(&error, "an append with damaged reads")?,
        }
        let tick = engine.tick(random.below(9_000) as i64).map_err(|error| error.to_string())?;
        engine.run(tick).map_err(|error| format!("time stands still with damaged reads: {error}"))?;
    }
    if let Err(error) = ask(&mut engine, Command::Close) {
        expect_corrupt(&error, "close with damaged reads")?;
    }
    let _ = disk.stats();
    Ok(())
}
