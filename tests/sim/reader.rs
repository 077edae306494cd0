//! Somebody who reads beside the writer: what is seen is what a recovery of some committed state would show, never one from before
//! what was seen last.
//!
//! The reader gets its files from [`SimReader`], which has no way to change what is stored.

use crate::life::select_all;
use crate::model::{Chosen, Point, Wrong};
use sandglass::engine::{Answer, Clock, Command, Config, Engine, Labels, SeriesData, Ticket};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::sim::SimReader;
use sandglass::fs::{FileSystem, MemoryFileSystem, MemoryReader};
use sandglass::time::TimeRange;
use sandglass::trace::lifecycle::Lifecycle;
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Jobs that a reader may have when it waits for nothing: the count of its series, and a look for news.
const MAX_IDLE_JOBS: u64 = 4;
/// With so many commits since a command was sent, the writer may have been too quick for the reader.
const CHASED_COMMITS: u64 = 50;

pub struct Reader {
    engine: Engine,
    files: SimReader,
    config: Config,
    /// Committed states from the one that was seen last on, each with the number of commits that led to it.
    states: VecDeque<(u64, MemoryFileSystem)>,
    lifecycle: Lifecycle,
    asked: Option<Asked>,
    pub samples_checked: u64,
}

struct Asked {
    ticket: Ticket,
    what: Question,
    /// Commits when it was sent.
    commits: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Open,
    Select,
    Close,
}

/// Labels and points. A merge changes the order of samples with the same timestamp, which is promised to nobody, and a recovery begins
/// to merge at once.
fn points(data: &SeriesData) -> (&Labels, Vec<Point>) {
    // Staleness markers are no numbers, and these are never equal.
    let mut points: Vec<Point> =
        data.timestamps.iter().zip(&data.values).map(|(at, value)| (*at, value.to_bits())).collect();
    points.sort_unstable();
    (&data.labels, points)
}

/// What is not too old at an instant: time goes on between a search and its answer.
fn since(oldest: i64, series: &[SeriesData]) -> Vec<SeriesData> {
    let young = |data: &SeriesData| {
        let kept = data.timestamps.iter().zip(&data.values).filter(|(at, _)| **at >= oldest);
        let (timestamps, values) = kept.unzip();
        SeriesData { labels: data.labels.clone(), timestamps, values }
    };
    series.iter().map(young).filter(|data| !data.timestamps.is_empty()).collect()
}

fn is_same(one: &[SeriesData], other: &[SeriesData]) -> bool {
    one.iter().map(points).eq(other.iter().map(points))
}

impl Reader {
    /// Begins to open the files.
    pub fn open(files: SimReader, config: Config, commits: u64) -> Result<Self, Wrong> {
        let config = Config { read_only: true, ..config };
        let (mut engine, ticket) =
            Engine::open(Box::new(files.clone()), config.clone()).map_err(|error| format!("reader: {error}"))?;
        engine.set_observed(true);
        let asked = Some(Asked { ticket, what: Question::Open, commits });
        let (states, lifecycle) = (VecDeque::new(), Lifecycle::default());
        Ok(Self { engine, files, config, states, lifecycle, asked, samples_checked: 0 })
    }

    pub fn is_idle(&self) -> bool {
        self.asked.is_none()
    }

    pub fn select(&mut self, commits: u64) {
        let ticket = self.engine.send(Command::Select { selector: Chosen::All.selector(), range: TimeRange::ALL });
        self.asked = Some(Asked { ticket, what: Question::Select, commits });
    }

    pub fn close(&mut self, commits: u64) {
        let ticket = self.engine.send(Command::Close);
        self.asked = Some(Asked { ticket, what: Question::Close, commits });
    }

    /// One pump. Whether it can go on at once, and else when; `None` in place of all when it has closed.
    pub fn pump(&mut self, now: i64, budget: u64, commits: u64) -> Result<Option<(bool, Option<i64>)>, Wrong> {
        let pumped = self.engine.pump(now, budget);
        self.states.extend(self.files.take_seen());
        for event in self.engine.events() {
            self.lifecycle.observe(&event.event).map_err(|why| format!("reader: illegal event: {why}: {event:?}"))?;
        }
        let next = [pumped.next_due, self.files.next_completion()].into_iter().flatten().min();
        if let Some(asked) = &self.asked {
            match self.engine.take(asked.ticket) {
                Some(answer) => {
                    let Asked { what, commits: commits_before, .. } = *asked;
                    self.asked = None;
                    if self.answered(what, answer, now, commits_before, commits)? {
                        return Ok(None);
                    }
                }
                None if !pumped.has_work && next.is_none() => {
                    return Err(format!("reader: {:?} hangs: nothing can go on", asked.what));
                }
                None => {}
            }
        }
        Ok(Some((pumped.has_work, next)))
    }

    /// Judges an answer. Whether it was the last one.
    fn answered(
        &mut self,
        what: Question,
        answer: Result<Answer, Error>,
        now: i64,
        commits_before: u64,
        commits: u64,
    ) -> Result<bool, Wrong> {
        match (what, answer) {
            (Question::Open, Ok(Answer::Done)) => {}
            (Question::Close, Ok(Answer::Done)) => return Ok(true),
            (Question::Select, Ok(Answer::Series(found))) => self.seen(&found, now, commits_before)?,
            (what, Err(error)) => {
                let is_possible = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt);
                if !is_possible || commits < commits_before + CHASED_COMMITS {
                    return Err(format!(
                        "reader: {what:?} failed behind {} commits: {:?} {error}",
                        commits - commits_before,
                        error.kind()
                    ));
                }
                return Ok(what == Question::Open);
            }
            (what, Ok(answer)) => return Err(format!("reader: {what:?} was answered with {answer:?}")),
        }
        let state = self.engine.inspect();
        let jobs: u64 = state.scheduler.lanes.iter().map(|lane| lane.jobs).sum();
        if jobs > MAX_IDLE_JOBS {
            return Err(format!("reader: {jobs} jobs are left: {:?}", state.scheduler));
        }
        if state.memory.cache_bytes > state.memory.cache_limit_bytes {
            return Err(format!("reader: its caches take more than they may: {:?}", state.memory));
        }
        let live: BTreeSet<u64> = self.lifecycle.live_parts().collect();
        let listed: BTreeSet<u64> =
            state.partitions.iter().flat_map(|partition| partition.parts.iter().map(|part| part.id)).collect();
        if live != listed {
            return Err(format!("reader: by the events the parts {live:?} are live, but {listed:?} are listed"));
        }
        Ok(false)
    }

    /// What was found must be all that some state held, which is not older than the one before.
    fn seen(&mut self, found: &[SeriesData], now: i64, commits_before: u64) -> Result<(), Wrong> {
        self.samples_checked += found.iter().map(|data| data.timestamps.len() as u64).sum::<u64>();
        // With a clock that is moved by hand each command looks for news.
        let is_manual = self.config.clock == Clock::Manual;
        let required = if is_manual { commits_before } else { 0 };
        let start_time = if is_manual { self.config.start_time } else { now };
        // Of samples with the same timestamp de-duplication keeps one, and which one may change with each merge. A recovery begins to
        // merge at once, a reader never does.
        let read_only = self.config.dedup_interval_ms > 0;
        let config = Config { read_only, clock: Clock::Manual, start_time, ..self.config.clone() };
        let newest = self.states.back().map_or(0, |(commits, _)| *commits);
        let required = required.min(newest);
        if newest < commits_before && is_manual {
            return Err(format!(
                "reader: it has seen {newest} commits, and there were {commits_before} when it was asked"
            ));
        }
        let oldest = start_time.saturating_sub(config.retention_ms);
        let mut differing = Vec::new();
        for at in 0..self.states.len() {
            let (commits, files) = &self.states[at];
            if *commits < required {
                continue;
            }
            let recovered: Box<dyn FileSystem> = if config.read_only {
                Box::new(MemoryReader::open(Rc::new(RefCell::new(files.clone()))))
            } else {
                Box::new(files.clone())
            };
            let expected = select_all(recovered, config.clone())
                .map_err(|error| format!("reader: what was stored after {commits} commits can't be read: {error}"))?;
            if is_same(&since(oldest, found), &since(oldest, &expected)) {
                self.states.drain(..at);
                return Ok(());
            }
            let samples = |series: &[SeriesData]| series.iter().map(|data| data.timestamps.len()).sum::<usize>();
            differing.push((*commits, samples(&expected), samples(found)));
        }
        Err(format!("reader: what was found was never stored; (commits, samples there, samples found): {differing:?}"))
    }
}
