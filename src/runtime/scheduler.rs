//! Polls jobs, one at a time, in ordered lanes with a floor share each. Which job runs next depends on inputs alone.

use super::context::Context;
use super::job::{Job, Lane, Units, Wait};
use super::task_id::TaskId;
use crate::fs::OpId;
use crate::time::TimestampMs;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::task::{Poll, Waker};

/// Work a job may do in one turn before others are looked at, and the least a pump can be cut into. At 10 to 100 ns a unit this is
/// 0.05 to 0.5 ms.
const TURN_UNITS: i64 = 5_000;

struct Task {
    lane: Lane,
    job: Job,
    waits: Vec<Wait>,
    /// Units left of a turn that a pump's end interrupted, so that budgets don't change the order of events.
    turn_units_left: i64,
}

/// What a pump leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pumped {
    /// Some job could go on at once: the budget ended first.
    pub has_work: bool,
    /// The earliest instant for which a job waits.
    pub next_due: Option<TimestampMs>,
    /// Some job waits for storage.
    pub waits_for_storage: bool,
    /// Work done in this pump.
    pub spent: Units,
}

/// One lane as `inspect()` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneState {
    /// The lane.
    pub lane: Lane,
    /// Jobs in it.
    pub jobs: u64,
    /// Jobs that could go on at once.
    pub ready: u64,
    /// Units spent in it since the start.
    pub units: Units,
}

/// The jobs and their order. A turn costs the same whether ten jobs wait or a hundred thousand: who waits is found by what has come.
pub struct Scheduler {
    context: Context,
    tasks: BTreeMap<TaskId, Task>,
    /// In each lane the jobs that can go on at once.
    ready: [BTreeSet<TaskId>; 5],
    /// The jobs that wait for an instant of the steady clock.
    deadlines: BTreeSet<(TimestampMs, TaskId)>,
    /// The jobs that wait for storage.
    operations: HashMap<OpId, TaskId>,
    /// Where the last turn in each lane went, for a round robin within the lane.
    last_turn: [TaskId; 5],
    /// Work each lane is owed, in hundredths of units.
    credit: [i64; 5],
    units: [Units; 5],
}

impl Scheduler {
    /// A scheduler over the context in which its jobs run.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            tasks: BTreeMap::new(),
            ready: Default::default(),
            deadlines: BTreeSet::new(),
            operations: HashMap::new(),
            last_turn: [TaskId(u64::MAX); 5],
            credit: [0; 5],
            units: [0; 5],
        }
    }

    /// Polls jobs until none can go on or `budget` units are spent, whichever is first. `now` holds for the whole pump. A jump
    /// ahead lets all that fell due run, once; a step back delays nothing by more than the time to the next pump.
    pub fn pump(&mut self, now: TimestampMs, budget: Units) -> Pumped {
        self.context.0.clock.set(now);
        self.context.collect_completions();
        self.admit();
        self.wake_all();
        let mut total_spent: Units = 0;
        let has_work = loop {
            let Some(id) = self.next_ready() else { break false };
            if total_spent >= budget {
                break true;
            }
            total_spent += self.turn(id).max(1) as Units;
            self.admit();
            self.context.collect_completions();
            self.wake();
        };
        Pumped { has_work, next_due: self.next_due(), waits_for_storage: self.waits_for_storage(), spent: total_spent }
    }

    /// Drops all jobs where they are.
    pub fn clear(&mut self) {
        self.admit();
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        ids.into_iter().for_each(|id| self.resume(id));
        self.tasks = BTreeMap::new();
    }

    /// The earliest instant for which a job waits.
    pub fn next_due(&self) -> Option<TimestampMs> {
        self.deadlines.first().map(|(deadline, _)| self.context.0.clock.due(*deadline))
    }

    /// Whether a job could go on at once.
    pub fn has_work(&mut self) -> bool {
        self.context.collect_completions();
        self.admit();
        self.wake_all();
        self.next_ready().is_some()
    }

    /// The lanes as they stand.
    pub fn lanes(&self) -> Vec<LaneState> {
        Lane::ALL
            .iter()
            .map(|&lane| {
                let of_lane = || self.tasks.values().filter(move |task| task.lane == lane);
                LaneState {
                    lane,
                    jobs: of_lane().count() as u64,
                    ready: of_lane().filter(|task| self.is_ready(task)).count() as u64,
                    units: self.units[lane as usize],
                }
            })
            .collect()
    }

    fn waits_for_storage(&self) -> bool {
        !self.operations.is_empty()
    }

    /// Takes in spawned jobs and drops cancelled ones.
    fn admit(&mut self) {
        for (id, lane, job) in self.context.0.notes.spawned.take() {
            self.tasks.insert(id, Task { lane, job, waits: Vec::new(), turn_units_left: TURN_UNITS });
            self.suspend(id, vec![Wait::Turn]);
        }
        for id in self.context.0.notes.cancelled.take() {
            self.resume(id);
            self.tasks.remove(&id);
        }
    }

    /// Notes what a job waits for.
    fn suspend(&mut self, id: TaskId, waits: Vec<Wait>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        for wait in &waits {
            match wait {
                Wait::Op(op) => drop(self.operations.insert(*op, id)),
                Wait::Until(deadline) => drop(self.deadlines.insert((*deadline, id))),
                Wait::Signal(signal, _) => signal.wake_at_change(id, &self.context.0.notes.woken),
                Wait::Turn => {}
            }
        }
        task.waits = waits;
        self.make_ready(id);
    }

    /// A job waits for nothing any more.
    fn resume(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        self.ready[task.lane as usize].remove(&id);
        for wait in task.waits.drain(..) {
            match wait {
                Wait::Op(op) => drop(self.operations.remove(&op)),
                Wait::Until(deadline) => drop(self.deadlines.remove(&(deadline, id))),
                Wait::Signal(signal, _) => signal.forget(id),
                Wait::Turn => {}
            }
        }
    }

    /// Looks at the jobs for which something has come since the last look.
    fn wake(&mut self) {
        for op in self.context.0.mailbox.take_arrived() {
            if let Some(&id) = self.operations.get(&op) {
                self.make_ready(id);
            }
        }
        for id in self.context.0.notes.woken.take() {
            self.make_ready(id);
        }
    }

    /// Looks at these, and at the jobs whose deadline has come: the clock may have moved.
    fn wake_all(&mut self) {
        self.wake();
        let has_come = |(deadline, _): &&(TimestampMs, TaskId)| self.context.0.clock.has_reached(*deadline);
        let due: Vec<TaskId> = self.deadlines.iter().take_while(has_come).map(|(_, id)| *id).collect();
        due.into_iter().for_each(|id| self.make_ready(id));
    }

    fn make_ready(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get(&id)
            && self.is_ready(task)
        {
            self.ready[task.lane as usize].insert(id);
        }
    }

    fn is_ready(&self, task: &Task) -> bool {
        task.waits.iter().any(|wait| self.context.is_satisfied(wait))
    }

    /// The most urgent lane's next job, unless a lower lane is owed a turn.
    fn next_ready(&self) -> Option<TaskId> {
        // The first ready job behind the one that had the last turn, else the first of all.
        let ready: [Option<TaskId>; 5] = std::array::from_fn(|lane| {
            let ready = &self.ready[lane];
            let behind = ready.range((Bound::Excluded(self.last_turn[lane]), Bound::Unbounded)).next();
            behind.or_else(|| ready.first()).copied()
        });
        let owed = (0..5)
            .filter(|&lane| ready[lane].is_some())
            .max_by_key(|&lane| (self.credit[lane], std::cmp::Reverse(lane)));
        match owed {
            Some(lane) if self.credit[lane] >= TURN_UNITS * 100 => ready[lane],
            _ => ready.into_iter().flatten().next(),
        }
    }

    /// Polls one job once; returns the units it spent.
    fn turn(&mut self, id: TaskId) -> i64 {
        self.resume(id);
        let Some(task) = self.tasks.get_mut(&id) else { return 0 };
        let notes = &self.context.0.notes;
        if task.turn_units_left <= 0 {
            task.turn_units_left = TURN_UNITS;
        }
        notes.turn_units_left.set(task.turn_units_left);
        debug_assert!(notes.waits.borrow().is_empty(), "a leaf future was polled outside of a job");
        let outcome = task.job.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
        let spent = task.turn_units_left - notes.turn_units_left.get();
        task.turn_units_left -= spent;
        let lane = task.lane as usize;
        match outcome {
            Poll::Ready(()) => {
                notes.waits.borrow_mut().clear();
                self.tasks.remove(&id);
            }
            Poll::Pending => {
                let waits = notes.waits.take();
                debug_assert!(!waits.is_empty(), "a job waits for nothing and would sleep for ever");
                self.suspend(id, waits);
            }
        }
        self.last_turn[lane] = id;
        self.units[lane] += spent.max(0) as u64;
        for (of_lane, credit) in self.credit.iter_mut().enumerate() {
            let share = Lane::ALL[of_lane].floor_percent() * spent;
            // A lane can't save up more than a few turns while it has nothing to do.
            *credit = (*credit + share).min(2 * TURN_UNITS * 100);
        }
        self.credit[lane] = (self.credit[lane] - spent * 100).max(-2 * TURN_UNITS * 100);
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Completion, FileSystem, FileSystemStats, OpId, Request};
    use crate::runtime::Signal;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A file system nobody asks anything of.
    struct NoFiles;

    impl FileSystem for NoFiles {
        fn submit(&mut self, _: OpId, _: Request) {}
        fn poll(&mut self, _: TimestampMs, _: &mut Vec<Completion>) {}
        fn stats(&self) -> FileSystemStats {
            FileSystemStats::default()
        }
    }

    fn scheduler() -> (Context, Scheduler, Rc<RefCell<Vec<&'static str>>>) {
        let context = Context::new(Box::new(NoFiles), 0);
        (context.clone(), Scheduler::new(context), Rc::default())
    }

    #[test]
    fn lanes_run_in_order_and_sleepers_when_due() {
        let (context, mut scheduler, log) = scheduler();
        for (lane, name, due) in
            [(Lane::Janitor, "janitor", 0), (Lane::Query, "query", 0), (Lane::Flush, "flush", 1000)]
        {
            let (context, log) = (context.clone(), log.clone());
            context.clone().spawn(lane, async move {
                context.sleep_until(due).await;
                log.borrow_mut().push(name);
            });
        }
        let pumped = scheduler.pump(0, 1_000_000);
        assert_eq!(*log.borrow(), ["query", "janitor"]);
        assert_eq!((pumped.has_work, pumped.next_due), (false, Some(1000)));
        scheduler.pump(1000, 1_000_000);
        assert_eq!(*log.borrow(), ["query", "janitor", "flush"]);
        assert_eq!(scheduler.next_due(), None);
    }

    #[test]
    fn a_busy_lane_leaves_the_others_their_floor() {
        let (context, mut scheduler, log) = scheduler();
        for (lane, name) in [(Lane::Query, "q"), (Lane::BigMerge, "m")] {
            let (context, log) = (context.clone(), log.clone());
            context.clone().spawn(lane, async move {
                loop {
                    context.spend(TURN_UNITS as u64).await;
                    log.borrow_mut().push(name);
                }
            });
        }
        scheduler.pump(0, 200 * TURN_UNITS as u64);
        let merges = log.borrow().iter().filter(|name| **name == "m").count();
        assert!((15..=25).contains(&merges), "{merges} of 200 turns went to merges, which are promised a tenth");
    }

    #[test]
    fn the_budget_changes_nothing_but_the_slices() {
        let run = |budget: Units| {
            let (context, mut scheduler, log) = scheduler();
            let signal = Signal::default();
            for (lane, name, cost) in
                [(Lane::Flush, "a", 700), (Lane::Flush, "b", 9_000), (Lane::SmallMerge, "c", 3_000)]
            {
                let (context, log, signal) = (context.clone(), log.clone(), signal.clone());
                context.clone().spawn(lane, async move {
                    for _ in 0..50 {
                        context.spend(cost).await;
                        log.borrow_mut().push(name);
                    }
                    signal.raise();
                });
            }
            while scheduler.pump(0, budget).has_work {}
            assert_eq!(signal.version(), 3);
            log.take()
        };
        let whole = run(u64::MAX);
        for budget in [1, 1_000, 50_000] {
            assert_eq!(run(budget), whole, "budget {budget}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_moves_no_deadline_away() {
        let (context, mut scheduler, log) = scheduler();
        context.spawn(Lane::Flush, {
            let (context, log) = (context.clone(), log.clone());
            async move {
                loop {
                    context.sleep_until(context.now() + 5_000).await;
                    log.borrow_mut().push("tick");
                }
            }
        });
        let hours = 3 * 3_600_000;
        assert_eq!(scheduler.pump(hours, 100).next_due, Some(hours + 5_000));
        scheduler.pump(hours + 4_000, 100);
        // Four of five seconds have passed when the clock is set back by three hours.
        assert_eq!(scheduler.pump(0, 100).next_due, Some(1_000));
        assert_eq!(context.now(), 0);
        assert_eq!(scheduler.pump(1_000, 100).next_due, Some(6_000));
        assert_eq!(*log.borrow(), ["tick"]);
        // A sleep of forty days is one late tick and no more.
        let days = 40 * 86_400_000;
        assert_eq!(scheduler.pump(days, 100).next_due, Some(days + 5_000));
        assert_eq!(*log.borrow(), ["tick", "tick"]);
    }

    #[test]
    fn who_waits_is_looked_at_only_when_something_has_come_for_it() {
        let (context, mut scheduler, log) = scheduler();
        let (crowd, one) = (Signal::default(), Signal::default());
        let looks = Rc::new(std::cell::Cell::new(0));
        for _ in 0..1_000 {
            let (context, crowd, looks) = (context.clone(), crowd.clone(), looks.clone());
            context.clone().spawn(Lane::Query, async move {
                loop {
                    let seen = crowd.version();
                    context.changed_or_until(&crowd, seen, 1_000).await;
                    looks.set(looks.get() + 1);
                    context.sleep_until(2_000).await;
                }
            });
        }
        for step in ["first", "second"] {
            let (context, one, log) = (context.clone(), one.clone(), log.clone());
            context.clone().spawn(Lane::Flush, async move {
                context.changed(&one, 0).await;
                log.borrow_mut().push(step);
            });
        }
        assert!(!scheduler.pump(0, u64::MAX).has_work);
        assert_eq!((looks.get(), scheduler.deadlines.len()), (0, 1_000));
        one.raise();
        scheduler.pump(0, u64::MAX);
        assert_eq!((looks.get(), log.take()), (0, vec!["first", "second"]));
        // Whichever comes first: those that it woke are not woken by the other any more.
        crowd.raise();
        scheduler.pump(0, u64::MAX);
        assert_eq!(looks.get(), 1_000);
        crowd.raise();
        scheduler.pump(1_500, u64::MAX);
        assert_eq!((looks.get(), scheduler.next_due()), (1_000, Some(2_000)));
        assert_eq!(scheduler.ready, <[BTreeSet<TaskId>; 5]>::default());
    }

    #[test]
    fn a_cancelled_job_is_gone() {
        let (context, mut scheduler, log) = scheduler();
        let id = context.spawn(Lane::Query, {
            let (context, log) = (context.clone(), log.clone());
            async move {
                context.sleep_until(5).await;
                log.borrow_mut().push("ran");
            }
        });
        scheduler.pump(0, 100);
        context.cancel(id);
        scheduler.pump(10, 100);
        assert!(log.borrow().is_empty());
        assert_eq!(scheduler.lanes().iter().map(|lane| lane.jobs).sum::<u64>(), 0);
    }
}
