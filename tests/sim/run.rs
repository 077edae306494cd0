//! A seed from its first life to its last.

use crate::damage;
use crate::life::{Figures, Life, Opened, World, Zombie, all_faults, select_all};
use crate::model::Wrong;
use crate::plan::{Plan, Random};
use sandglass::error::ErrorKind;
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{FileSystem, MemoryFileSystem};
use sandglass::time::{DAY_MS, HOUR_MS, SECOND_MS};
use std::hash::{Hash, Hasher};

/// What a seed that went well leaves to be compared with another run of it.
pub struct Outcome {
    pub figures: Figures,
    /// Of the answers alone.
    pub answers: u64,
    /// Of everything that happened.
    pub history: u64,
    pub files: MemoryFileSystem,
}

/// Runs one plan.
///
/// # Errors
/// What is wrong, when something is.
pub fn run(plan: Plan, is_verbose: bool) -> Result<Outcome, Wrong> {
    let mut world = Box::new(World::new(plan, is_verbose));
    world.say(|| format!("{:?}", world.plan));
    let mut disk = SimFileSystem::new(world.plan.seed)
        .with_delays(world.plan.max_delay_ms)
        .with_relaxed_commits(world.plan.faults.relaxed_commits);
    let mut start_time = world.plan.start_time;
    for life in 0..world.plan.lives {
        world.figures.lives += 1;
        arm(&mut world, &disk);
        world.say(|| format!("---- life {life} begins at {start_time}"));
        let (next_world, next_disk, end_time) = live(world, disk, start_time, life)?;
        (world, disk) = (next_world, next_disk);
        start_time = next_start(&mut world, end_time);
        if world.random.chance(15) {
            disk = promote(&mut world, &disk);
        }
    }
    finish(world, disk, start_time)
}

/// Plans what goes wrong in the coming life.
fn arm(world: &mut World, disk: &SimFileSystem) {
    let faults = world.plan.faults;
    let random = &world.random;
    let from = disk.operations();
    if random.chance(faults.crash_percent) {
        let within = random.of(&[15, 60, 250, 1_000]);
        let number = from + random.below(within);
        disk.crash_at(number);
        world.say(|| format!("crash at operation {number}"));
    }
    let random = &world.random;
    disk.shorten_reads(if random.chance(faults.short_read_percent) { random.of(&[3, 30, 100]) } else { 0 });
    if random.chance(faults.failure_percent) {
        disk.fail_with(random.of(&[ErrorKind::Storage, ErrorKind::Quota, ErrorKind::NotFound]));
        let within = random.of(&[30, 150, 600]);
        for _ in 0..1 + random.below(4) {
            let number = from + random.below(within);
            for failing in number..=number + random.below(random.of(&[1, 1, 4, 30])) {
                disk.fail_at(failing);
            }
            if world.is_verbose {
                println!("failures from operation {number} on");
            }
        }
    }
}

/// When the next life begins: mostly soon, sometimes months later, and now and then the clock stands back.
fn next_start(world: &mut World, end_time: i64) -> i64 {
    let random = &world.random;
    let ms = match random.below(20) {
        0..14 => random.below(10 * SECOND_MS as u64) as i64,
        14..17 => random.below(3 * HOUR_MS as u64) as i64,
        17 => random.below(40) as i64 * DAY_MS,
        _ if world.plan.wild_clock => -(random.below(2 * DAY_MS as u64) as i64),
        _ => 0,
    };
    end_time + ms
}

/// One life, from opening to its end. Returns what the next one finds, and when.
fn live(
    world: Box<World>,
    disk: SimFileSystem,
    start_time: i64,
    number: u64,
) -> Result<(Box<World>, SimFileSystem, i64), Wrong> {
    let mut life = match Life::open(world, &disk, start_time)? {
        Opened::Open(life) => life,
        Opened::Crashed(mut world) => {
            world.figures.crashes_while_opening += 1;
            let disk = crash(&mut world, &disk);
            return Ok((world, disk, start_time));
        }
    };
    check_files_after_opening(&mut life)?;
    life.check_all(true)?;
    let steps = 1 + life.world.random.below(life.world.plan.steps);
    let quota_from = life.world.random.below(steps);
    let has_quota = number > 0 && life.world.random.chance(life.world.plan.faults.quota_percent);
    let mut zombie: Option<Zombie> = None;
    for step in 0..steps {
        if life.has_crashed() {
            break;
        }
        if has_quota && step == quota_from {
            let room = life.world.random.of(&[0, 200, 2_000, 20_000]);
            let room = life.world.random.below(room + 1);
            life.world.say(|| format!("{room} bytes are left"));
            life.limit(room);
        }
        if has_quota && life.world.random.chance(8) {
            life.unlimit()?;
        }
        life.step()?;
        if let Some(zombie) = &mut zombie {
            zombie.step(&life.world.random, life.now)?;
        } else if life.world.random.below(1_000) < life.world.plan.faults.zombie_percent && !life.has_crashed() {
            // Another writer opens the same files, and this one does not know.
            let (disk, now) = (life.files.clone(), life.now);
            let (mut world, old) = life.into_zombie();
            world.say(|| "another writer comes".into());
            world.figures.zombies += 1;
            world.model.crashed(disk.stats().commits, 0);
            zombie = Some(old);
            life = match Life::open(world, &disk, now)? {
                Opened::Open(life) => life,
                Opened::Crashed(mut world) => {
                    world.figures.crashes_while_opening += 1;
                    let disk = crash(&mut world, &disk);
                    return Ok((world, disk, now));
                }
            };
            check_files_after_opening(&mut life)?;
            life.check_all(true)?;
        }
    }
    end(life)
}

/// What an earlier life has left, however it ended, is cleared by the next opening, unless that has met with faults of its own.
fn check_files_after_opening(life: &mut Life) -> Result<(), Wrong> {
    if life.has_crashed() || all_faults(&life.files) > 0 {
        return Ok(());
    }
    life.check_files().map_err(|wrong| format!("after opening: {wrong}"))
}

fn end(mut life: Box<Life>) -> Result<(Box<World>, SimFileSystem, i64), Wrong> {
    let is_closing = life.world.random.chance(40) || life.world.plan.is_orderly;
    if !life.has_crashed() && is_closing && life.close()? {
        let (disk, now, faults) = (life.files.clone(), life.now, all_faults(&life.files));
        let mut world = life.end();
        world.say(|| "closed".into());
        let left = disk.contents();
        let is_leftover = |path: &&str| path.contains("/tmp/") || path.contains("/txn/");
        if let Some(path) = left.paths().find(is_leftover).filter(|_| faults == 0) {
            return Err(format!("{path} is left after an orderly end"));
        }
        world.figures.add_faults(&disk);
        world.model.closed();
        let seed = world.random.next();
        let disk = SimFileSystem::over(seed, left)
            .with_delays(world.plan.max_delay_ms)
            .with_relaxed_commits(world.plan.faults.relaxed_commits);
        return Ok((world, disk, now));
    }
    // Power cuts come at any moment, and so do ends of processes that nobody announced.
    let (disk, now) = (life.files.clone(), life.now);
    let mut world = life.end();
    let disk = crash(&mut world, &disk);
    Ok((world, disk, now))
}

/// What the next life finds after a power cut.
fn crash(world: &mut World, disk: &SimFileSystem) -> SimFileSystem {
    let lost = disk.lost_commits();
    let left = disk.stats().commits - lost;
    world.say(|| format!("power cut at operation {}, {lost} commits lost", disk.operations()));
    world.figures.crashes += 1;
    world.figures.lost_commits += lost;
    world.figures.add_faults(disk);
    world.model.crashed(left, lost);
    if lost > 0 {
        world.may_have_unknown_snapshots = true;
        world.snapshots.retain(|snapshot| snapshot.commits <= left);
    }
    // A deletion that was under way has happened or has not.
    world.may_have_unknown_snapshots |= world.snapshots.iter().any(|snapshot| snapshot.is_uncertain);
    world.snapshots.retain(|snapshot| !snapshot.is_uncertain);
    for snapshot in &mut world.snapshots {
        snapshot.commits = 0;
    }
    disk.restarted()
}

/// Now and then small parts lie among the big ones, as in a database that was written with less memory.
fn promote(world: &mut World, disk: &SimFileSystem) -> SimFileSystem {
    let before = disk.contents();
    let mut after = MemoryFileSystem::new();
    let is_chosen = |path: &str| {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        (world.plan.seed, path.rsplit_once('/').map(|(dir, _)| dir)).hash(&mut hasher);
        hasher.finish().is_multiple_of(2)
    };
    // Parts that a transaction file names stay where it says they are.
    let has_transactions = before.paths().any(|path| path.contains("/txn/"));
    for path in before.paths() {
        let is_part = path.starts_with("data/small/2") && !path.contains("/tmp/") && !path.contains("/txn/");
        let target = if is_part && !has_transactions && is_chosen(path) {
            path.replacen("data/small", "data/big", 1)
        } else {
            path.to_owned()
        };
        if let Some(bytes) = before.file(path) {
            // Fresh paths in a fresh file system: nothing is in the way.
            after.put(&target, bytes).unwrap_or_default();
        }
    }
    world.say(|| "some small parts become big ones".into());
    SimFileSystem::over(world.random.next(), after)
        .with_delays(world.plan.max_delay_ms)
        .with_relaxed_commits(world.plan.faults.relaxed_commits)
}

/// Opens once more without faults, compares all, closes, and looks for files that belong to nothing.
fn finish(world: Box<World>, disk: SimFileSystem, start_time: i64) -> Result<Outcome, Wrong> {
    world.say(|| "---- the last life, without faults".into());
    let relaxed = world.plan.faults.relaxed_commits;
    let disk = if relaxed > 0 { SimFileSystem::over(world.random.next(), disk.contents()) } else { disk };
    let Opened::Open(mut life) = Life::open(world, &disk, start_time)? else {
        return Err("a crash out of nothing".into());
    };
    life.check_files().map_err(|wrong| format!("after opening: {wrong}"))?;
    life.check_all(true)?;
    life.check_snapshot()?;
    let random = &life.world.random;
    let damage_random = Random::new(random.next());
    let is_damaged = random.chance(25);
    if !life.close()? {
        return Err("the last life can't be closed".into());
    }
    let (disk, now) = (life.files.clone(), life.now);
    let mut world = life.end();
    world.model.closed();
    let files = disk.contents();
    if let Some(path) = files.paths().find(|path| path.contains("/tmp/") || path.contains("/txn/")) {
        return Err(format!("{path} is left after an orderly end"));
    }
    // From the files alone, as anybody else would read them.
    let config = sandglass::engine::Config { clock: sandglass::engine::Clock::Manual, ..world.plan.config(now) };
    let found = select_all(Box::new(files.clone()), config).map_err(|error| format!("at the end: {error}"))?;
    let bounds = world.model.everything();
    world.model.compare(&found, &bounds).map_err(|wrong| format!("at the end: {wrong}"))?;
    if is_damaged && world.plan.lives > 1 {
        damage::run(&mut world, &files, now, &damage_random)?;
    }
    world.figures.add_faults(&disk);
    world.figures.seeds += 1;
    world.figures.samples_checked += world.model.samples_checked;
    for path in files.paths() {
        (path, files.file(path)).hash(&mut world.history);
    }
    let (answers, history) = (world.answers.finish(), world.history.finish());
    Ok(Outcome { figures: world.figures, answers, history, files })
}
