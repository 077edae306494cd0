//! A file system, a clock and a scheduler, to run jobs to their end.

use std::cell::RefCell;
use std::rc::Rc;

use sandglass::error::Result;
use sandglass::fs::{FilePath, FileSystem};
use sandglass::runtime::{Context, Lane, Scheduler};

/// Runs jobs over a file system; time passes only when nothing else can happen.
pub struct Machine {
    pub context: Context,
    pub scheduler: Scheduler,
    pub now: i64,
    /// Units of work in one pump.
    pub budget: u64,
}

impl Machine {
    pub fn new(fs: impl FileSystem + 'static, now: i64) -> Self {
        let context = Context::new(Box::new(fs), now);
        Self { scheduler: Scheduler::new(context.clone()), context, now, budget: u64::MAX }
    }

    /// Runs `work` until it is done; others run beside it. Time moves when all wait for it.
    pub fn run<T: 'static>(&mut self, work: impl Future<Output = T> + 'static) -> T {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.context.spawn(Lane::Query, async move {
            let value = work.await;
            slot.replace(Some(value));
        });
        for _ in 0..10_000_000 {
            let pumped = self.scheduler.pump(self.now, self.budget);
            if let Some(value) = result.take() {
                return value;
            }
            if !pumped.has_work && !self.scheduler.has_work() {
                if pumped.waits_for_storage {
                    self.now += 1;
                } else {
                    self.now = pumped.next_due.expect("all jobs wait for ever").max(self.now + 1);
                }
            }
        }
        panic!("the job does not end");
    }

    /// Lets `ms` pass and runs all that falls due, in order.
    pub fn tick(&mut self, ms: i64) {
        let end = self.now + ms;
        loop {
            let pumped = self.scheduler.pump(self.now, self.budget);
            if pumped.has_work || self.scheduler.has_work() {
                continue;
            }
            let due = pumped.next_due.filter(|due| *due <= end);
            match due {
                _ if pumped.waits_for_storage && self.now < end => self.now += 1,
                Some(due) => self.now = due.max(self.now + 1).min(end),
                None if self.now < end => self.now = end,
                None => return,
            }
        }
    }

    /// Whether a job's files are all there is below `dir`.
    pub fn names(&mut self, dir: &str) -> Result<Vec<String>> {
        let (context, dir) = (self.context.clone(), FilePath::new(dir)?);
        let entries = self.run(async move { context.list(&dir).await })?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }
}
