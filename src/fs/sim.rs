//! Files in memory behind a disk that takes its time, fails and loses power, all as a seed says.
//!
//! An operation is carried out when it completes, after a delay that the seed chose, so that operations on different files
//! overtake each other. At a crash, what was under way is settled by the seed: an append may leave some of its bytes, a commit
//! has happened or has not, and of an unpublished file any end may be lost or garbled.
//!
//! Beyond what the duties of a file system allow, three things can be switched on: the last commits may be lost at a crash, as by
//! a disk that only says that it has written, what is read may be damaged, and it may be less than was asked for.

use super::memory::MemoryFileSystem;
use super::overlay::{Overlay, Step, StoredRange, gone};
use super::{Change, Completion, FileSystem, FileSystemStats, OpId, Reply, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::time::TimestampMs;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// The simulator. Clones are handles of the same disk, so that a test keeps one while the engine owns another.
#[derive(Clone, Debug)]
pub struct SimFileSystem {
    disk: Rc<RefCell<Disk>>,
    /// Which writer this handle belongs to; see [`SimFileSystem::next_writer`].
    writer: u64,
}

/// How often something went wrong on purpose, since the disk was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimFaults {
    /// Operations that failed because [`SimFileSystem::fail_at`] said so.
    pub failed: u64,
    /// Appends and commits for which there was no room.
    pub out_of_room: u64,
    /// Operations of a writer after another one had come.
    pub fenced: u64,
    /// Reads that were answered with a wrong bit.
    pub damaged: u64,
    /// Reads that were answered with fewer bytes than were asked for.
    pub cut_short: u64,
}

#[derive(Debug)]
struct Disk {
    seed: u64,
    random: Random,
    max_delay_ms: u64,
    now: TimestampMs,
    files: MemoryFileSystem,
    pending: Vec<Pending>,
    submitted: u64,
    fail_at: BTreeSet<u64>,
    fail_with: ErrorKind,
    crash_at: Option<u64>,
    quota_bytes: Option<u64>,
    damage_per_mille: u64,
    short_per_mille: u64,
    faults: SimFaults,
    /// The writer that may write; operations of earlier ones fail.
    writer: u64,
    completed: Vec<(u64, Completion)>,
    /// How many of the last commits a crash may take back.
    max_lost_commits: usize,
    /// The files before each of these commits, the oldest first.
    before_commits: VecDeque<MemoryFileSystem>,
}

#[derive(Debug)]
struct Pending {
    writer: u64,
    op: OpId,
    number: u64,
    request: Request,
    due: TimestampMs,
    /// Chosen by the seed: which of several that are due comes first.
    rank: u64,
}

impl SimFileSystem {
    /// An empty disk that completes everything in the order of submission and without delay, until told otherwise.
    pub fn new(seed: u64) -> Self {
        Self::over(seed, MemoryFileSystem::new())
    }

    /// A disk that holds these files.
    pub fn over(seed: u64, files: MemoryFileSystem) -> Self {
        let disk = Disk {
            seed,
            random: Random(seed),
            max_delay_ms: 0,
            now: TimestampMs::MIN,
            files,
            pending: Vec::new(),
            submitted: 0,
            fail_at: BTreeSet::new(),
            fail_with: ErrorKind::Storage,
            crash_at: None,
            quota_bytes: None,
            damage_per_mille: 0,
            short_per_mille: 0,
            faults: SimFaults::default(),
            writer: 0,
            completed: Vec::new(),
            max_lost_commits: 0,
            before_commits: VecDeque::new(),
        };
        Self { disk: Rc::new(RefCell::new(disk)), writer: 0 }
    }

    /// Lets each operation take 0 to `max_delay_ms` of the time that is handed to `poll`.
    #[must_use]
    pub fn with_delays(self, max_delay_ms: u64) -> Self {
        self.disk.borrow_mut().max_delay_ms = max_delay_ms;
        self
    }

    /// Lets a crash take back up to `max_lost` of the last commits, the last ones first. [`FileSystem`] promises more, so that
    /// what was promised since then may be lost; what is left must make sense all the same.
    #[must_use]
    pub fn with_relaxed_commits(self, max_lost: usize) -> Self {
        self.disk.borrow_mut().max_lost_commits = max_lost;
        self
    }

    /// A handle for another writer on the same disk. From now on all that earlier handles append or commit fails with `Locked`,
    /// what is under way included; they may go on reading.
    #[must_use]
    pub fn next_writer(&self) -> Self {
        let mut disk = self.disk.borrow_mut();
        disk.writer += 1;
        Self { disk: self.disk.clone(), writer: disk.writer }
    }

    /// Lets appends and commits fail with `Quota` when more than so many bytes would be stored. Commits that put nothing pass,
    /// so that room can be made.
    pub fn set_quota_bytes(&self, quota_bytes: Option<u64>) {
        self.disk.borrow_mut().quota_bytes = quota_bytes;
    }

    /// Lets so many of a thousand reads come back with one wrong bit. What is stored stays as it is.
    pub fn damage_reads(&self, per_mille: u64) {
        self.disk.borrow_mut().damage_per_mille = per_mille;
    }

    /// Lets so many of a thousand reads come back with fewer bytes than were asked for.
    pub fn shorten_reads(&self, per_mille: u64) {
        self.disk.borrow_mut().short_per_mille = per_mille;
    }

    /// The files as somebody sees them who reads beside the writer, until a crash.
    pub fn reader(&self) -> SimReader {
        let random = Random(self.disk.borrow().seed ^ self.disk.borrow().submitted.rotate_left(32) ^ 0x9e37_79b9);
        let mut reader = Reader {
            disk: self.disk.clone(),
            random,
            overlay: Overlay::default(),
            seen_commits: 0,
            seen: Vec::new(),
            pending: VecDeque::new(),
            stats: FileSystemStats::default(),
        };
        reader.look();
        SimReader(Rc::new(RefCell::new(reader)))
    }

    /// What went wrong so far.
    pub fn faults(&self) -> SimFaults {
        self.disk.borrow().faults
    }

    /// Lets operation `number`, counted from 0, fail without effect. May be called for several.
    pub fn fail_at(&self, number: u64) {
        self.disk.borrow_mut().fail_at.insert(number);
    }

    /// The kind of error that operations fail with; `Storage` unless told otherwise.
    pub fn fail_with(&self, kind: ErrorKind) {
        self.disk.borrow_mut().fail_with = kind;
    }

    /// Cuts the power while operation `number`, counted from 0, is handed over: neither it nor any later one completes, but it
    /// may have been carried out.
    pub fn crash_at(&self, number: u64) {
        self.disk.borrow_mut().crash_at = Some(number);
    }

    /// Operations submitted so far. A test that crashes at each number below the count of a good run has seen every crash.
    pub fn operations(&self) -> u64 {
        self.disk.borrow().submitted
    }

    /// Whether the power is gone.
    pub fn has_crashed(&self) -> bool {
        self.disk.borrow().has_crashed()
    }

    /// The instant at which the next operation that is under way completes; `None` when there is none or the power is gone.
    pub fn next_completion(&self) -> Option<TimestampMs> {
        let disk = self.disk.borrow();
        disk.pending.iter().filter(|_| !disk.has_crashed()).map(|pending| pending.due).min()
    }

    /// All files as they are now.
    pub fn contents(&self) -> MemoryFileSystem {
        self.disk.borrow().files.clone()
    }

    /// What a restart finds when the power is cut now, or was cut before. Does not change this disk: asked twice, it answers
    /// the same.
    pub fn after_crash(&self) -> MemoryFileSystem {
        self.disk.borrow().after_crash()
    }

    /// How many of the last commits [`SimFileSystem::after_crash`] takes back.
    pub fn lost_commits(&self) -> u64 {
        self.disk.borrow().lost_commits() as u64
    }

    /// The disk after a restart, with the same seed for its faults to come and no fault planned.
    pub fn restarted(&self) -> Self {
        let disk = self.disk.borrow();
        Self::over(disk.seed.wrapping_add(1), disk.after_crash())
            .with_delays(disk.max_delay_ms)
            .with_relaxed_commits(disk.max_lost_commits)
    }
}

impl Disk {
    fn has_crashed(&self) -> bool {
        self.crash_at.is_some_and(|number| self.submitted > number)
    }

    fn submit(&mut self, writer: u64, op: OpId, request: Request) {
        let number = self.submitted;
        self.submitted += 1;
        let (due, rank) = if self.max_delay_ms == 0 {
            (self.now, 0)
        } else {
            // A delay of more than 2^63 ms is for ever.
            let delay_ms = i64::try_from(self.random.below(self.max_delay_ms.saturating_add(1))).unwrap_or(i64::MAX);
            (self.now.saturating_add(delay_ms), self.random.next())
        };
        self.pending.push(Pending { writer, op, number, request, due, rank });
    }

    fn poll(&mut self, writer: u64, now: TimestampMs, done: &mut Vec<Completion>) {
        if self.now == TimestampMs::MIN {
            // Time begins at the first poll; what was submitted before counts from there.
            for pending in &mut self.pending {
                pending.due = pending.due.saturating_sub(TimestampMs::MIN).saturating_add(now);
            }
        }
        // A clock that is set back makes nothing take longer.
        let set_back = self.now.saturating_sub(now);
        if set_back > 0 && self.now != TimestampMs::MIN {
            for pending in &mut self.pending {
                pending.due = pending.due.saturating_sub(set_back);
            }
        }
        self.now = now;
        while let Some(at) = self.next_to_complete() {
            let Pending { writer, op, number, request, .. } = self.pending.remove(at);
            let result = match self.fault(writer, number, &request) {
                Some(error) => Err(error),
                None => self.carry_out(request),
            };
            self.completed.push((writer, Completion { op, result }));
        }
        let mut of_others = Vec::new();
        for (of, completion) in self.completed.drain(..) {
            if of == writer { done.push(completion) } else { of_others.push((of, completion)) }
        }
        self.completed = of_others;
    }

    /// Why an operation is not carried out, if it is not.
    fn fault(&mut self, writer: u64, number: u64, request: &Request) -> Option<Error> {
        if self.fail_at.contains(&number) {
            self.faults.failed += 1;
            return Some(Error::new(self.fail_with, format!("simulated failure of operation {number}")));
        }
        let added: u64 = match request {
            Request::List { .. } | Request::Read { .. } | Request::Refresh => return None,
            Request::Append { bytes, .. } => bytes.len() as u64,
            Request::Commit { changes } => changes.iter().map(put_bytes).sum(),
        };
        if writer != self.writer {
            self.faults.fenced += 1;
            return Some(Error::new(ErrorKind::Locked, "another writer has opened the database since"));
        }
        let quota_bytes = self.quota_bytes.filter(|_| added > 0)?;
        let stored_bytes = self.files.stats().stored_bytes;
        if stored_bytes + added <= quota_bytes {
            return None;
        }
        self.faults.out_of_room += 1;
        let message = format!("{added} bytes do not fit: {stored_bytes} of {quota_bytes} are taken");
        Some(Error::new(ErrorKind::Quota, message))
    }

    /// The first in the seed's order of all that are due and behind no earlier operation on the same file.
    fn next_to_complete(&self) -> Option<usize> {
        if self.has_crashed() {
            return None;
        }
        (0..self.pending.len())
            .filter(|&at| self.pending[at].due <= self.now)
            .filter(|&at| {
                !self.pending[..at].iter().any(|before| self.pending[at].request.must_follow(&before.request))
            })
            .min_by_key(|&at| (self.pending[at].due, self.pending[at].rank, self.pending[at].number))
    }

    fn carry_out(&mut self, request: Request) -> Result<Reply> {
        let committed = matches!(request, Request::Commit { .. });
        let before = (committed && self.max_lost_commits > 0).then(|| self.files.clone());
        let mut reply = self.files.carry_out(request)?;
        if let Some(before) = before {
            self.before_commits.push_back(before);
            if self.before_commits.len() > self.max_lost_commits {
                self.before_commits.pop_front();
            }
        }
        if let Reply::Bytes(bytes) = &mut reply
            && self.damage_per_mille > 0
            && !bytes.is_empty()
            && self.random.below(1_000) < self.damage_per_mille
        {
            let mut damaged = bytes.to_vec();
            let at = self.random.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << self.random.below(8);
            *bytes = damaged.into();
            self.faults.damaged += 1;
        }
        if let Reply::Bytes(bytes) = &mut reply
            && self.short_per_mille > 0
            && !bytes.is_empty()
            && self.random.below(1_000) < self.short_per_mille
        {
            bytes.truncate(self.random.below(bytes.len() as u64) as usize);
            self.faults.cut_short += 1;
        }
        Ok(reply)
    }

    fn lost_commits(&self) -> usize {
        let mut random = Random(self.seed ^ self.submitted.rotate_left(32) ^ 0x27d4_eb2f);
        // Mostly none, as with most disks.
        if random.below(2) == 0 { 0 } else { random.below(self.before_commits.len() as u64 + 1) as usize }
    }

    fn after_crash(&self) -> MemoryFileSystem {
        let mut random = Random(self.seed ^ self.submitted.rotate_left(32) ^ 0x5bd1_e995);
        let lost_commits = self.lost_commits();
        let mut files = match self.before_commits.len().checked_sub(lost_commits) {
            Some(at) if lost_commits > 0 => self.before_commits[at].clone(),
            _ => self.files.clone(),
        };
        // What was under way may have been done in part. That holds for the operation at
        // which the power went as well, but not for those submitted later.
        let seen = |number| self.crash_at.is_none_or(|crash_at| number <= crash_at);
        let mut undone: Vec<&Request> = Vec::new();
        // Behind a commit that is lost nothing has happened.
        let is_possible = |pending: &&Pending| {
            lost_commits == 0
                && seen(pending.number)
                && pending.writer == self.writer
                && !self.fail_at.contains(&pending.number)
        };
        for pending in self.pending.iter().filter(is_possible) {
            let blocked = undone.iter().any(|before| pending.request.must_follow(before));
            // Mostly done, so that long chains of operations are sometimes done to their end.
            let luck = random.below(8);
            if blocked || luck == 0 {
                undone.push(&pending.request);
                continue;
            }
            // An operation that would have failed leaves nothing behind in either case.
            match &pending.request {
                Request::Append { file, bytes } if luck == 1 => {
                    let kept = random.below(bytes.len() as u64 + 1) as usize;
                    let torn = Request::Append { file: file.clone(), bytes: bytes.slice(..kept) };
                    let _ = files.carry_out(torn);
                    undone.push(&pending.request);
                }
                Request::Append { .. } | Request::Commit { .. } => drop(files.carry_out(pending.request.clone())),
                _ => {}
            }
        }
        // Rebuilt from what survives, as an unpublished file never shrinks otherwise.
        for (file, len) in files.unpublished() {
            let Some(content) = files.file(file.as_str()) else { continue };
            let _ = files.carry_out(Request::Commit { changes: vec![Change::Remove { path: file.clone() }] });
            if random.below(4) == 0 {
                continue;
            }
            let kept = random.below(len + 1) as usize;
            let mut survivor = content[..kept].to_vec();
            if random.below(2) == 0 {
                // A torn sector: the length is there, the bytes are not.
                let garbled = (random.below(512) as usize).min(kept);
                survivor[kept - garbled..].fill_with(|| random.next() as u8);
            }
            let _ = files.carry_out(Request::Append { file, bytes: Bytes::from(survivor) });
        }
        files.forget_statistics();
        files
    }
}

impl FileSystem for SimFileSystem {
    fn submit(&mut self, op: OpId, request: Request) {
        self.disk.borrow_mut().submit(self.writer, op, request);
    }

    fn poll(&mut self, now: TimestampMs, done: &mut Vec<Completion>) {
        self.disk.borrow_mut().poll(self.writer, now, done);
    }

    fn stats(&self) -> FileSystemStats {
        self.disk.borrow().files.stats()
    }
}

/// A simulated disk, opened for reading beside its writer. Its operations take their time, so that the writer commits in between.
/// Clones are handles of the same reader.
#[derive(Clone, Debug)]
pub struct SimReader(Rc<RefCell<Reader>>);

#[derive(Debug)]
struct Reader {
    disk: Rc<RefCell<Disk>>,
    random: Random,
    overlay: Overlay,
    seen_commits: u64,
    /// What was committed at each look that nobody has asked for yet, and after how many commits.
    seen: Vec<(u64, MemoryFileSystem)>,
    /// In the order in which they take effect, each with the instant at which it completes.
    pending: VecDeque<(TimestampMs, OpId, Request)>,
    stats: FileSystemStats,
}

impl SimReader {
    /// The states it has opened since it was asked last, the oldest first, each with the number of commits that led to it.
    pub fn take_seen(&self) -> Vec<(u64, MemoryFileSystem)> {
        std::mem::take(&mut self.0.borrow_mut().seen)
    }

    /// The instant at which its next operation completes; `None` when there is none or the power is gone.
    pub fn next_completion(&self) -> Option<TimestampMs> {
        let reader = self.0.borrow();
        let has_crashed = reader.disk.borrow().has_crashed();
        reader.pending.front().filter(|_| !has_crashed).map(|(due, ..)| *due)
    }
}

impl Reader {
    fn look(&mut self) {
        let disk = self.disk.borrow();
        self.seen_commits = disk.files.commits();
        self.overlay = Overlay::over(disk.files.directory().clone());
        self.seen.push((self.seen_commits, disk.files.clone()));
    }

    fn carry_out(&mut self, request: Request) -> Result<Reply> {
        if let Request::Refresh = request {
            let has_moved = self.disk.borrow().files.commits() != self.seen_commits;
            if has_moved {
                self.look();
            }
            return Ok(Reply::Refreshed(has_moved));
        }
        match self.overlay.carry_out(request)? {
            Step::Stored(StoredRange { inode, file, range }) => {
                let bytes = self.disk.borrow().files.content(inode, &range).ok_or_else(|| gone(&file))?;
                self.stats.read_bytes += bytes.len() as u64;
                Ok(Reply::Bytes(bytes))
            }
            Step::Done(reply) => Ok(reply),
        }
    }
}

impl FileSystem for SimReader {
    fn submit(&mut self, op: OpId, request: Request) {
        let mut reader = self.0.borrow_mut();
        let (now, max_delay_ms) = (reader.disk.borrow().now, reader.disk.borrow().max_delay_ms);
        // As on the disk, but in their order: what overtakes what is the writer's test.
        let delay_ms = i64::try_from(reader.random.below(max_delay_ms.saturating_add(1))).unwrap_or(i64::MAX);
        let earliest = reader.pending.back().map_or(TimestampMs::MIN, |(due, ..)| *due);
        // Several at once are under way side by side.
        reader.pending.push_back((now.saturating_add(delay_ms).max(earliest), op, request));
    }

    /// Time is the disk's, which the writer's clock moves.
    fn poll(&mut self, _: TimestampMs, done: &mut Vec<Completion>) {
        let mut reader = self.0.borrow_mut();
        let (now, has_crashed) = (reader.disk.borrow().now, reader.disk.borrow().has_crashed());
        while reader.pending.front().is_some_and(|(due, ..)| *due <= now && !has_crashed) {
            let Some((_, op, request)) = reader.pending.pop_front() else { return };
            reader.stats.operations += 1;
            let result = reader.carry_out(request);
            done.push(Completion { op, result });
        }
    }

    fn stats(&self) -> FileSystemStats {
        let reader = self.0.borrow();
        let mut stats = reader.stats;
        reader.overlay.count(&mut stats);
        stats
    }
}

/// The bytes that a change writes.
fn put_bytes(change: &Change) -> u64 {
    match change {
        Change::Put { bytes, .. } | Change::PutBriefly { bytes, .. } => bytes.len() as u64,
        _ => 0,
    }
}

/// SplitMix64: small, and good enough to choose faults.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end` - 1.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}
