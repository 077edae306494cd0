//! What the jobs of a partition share: which month it is, where it lies, and whether they go on.

use super::options::PartitionOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::FilePath;
use crate::runtime::{Context, Lane, Signal};
use crate::time::{PartitionName, TimestampMs};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How far the jobs of a partition are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// They were not started.
    Opened,
    /// They run.
    Working,
    /// They end as soon as they can.
    Stopping,
}

/// One month, as all know it who look after it.
pub(super) struct Month {
    pub(super) context: Context,
    pub(super) options: Rc<PartitionOptions>,
    pub(super) name: PartitionName,
    /// `YYYY_MM`.
    pub(super) label: String,
    pub(super) small_dir: FilePath,
    pub(super) big_dir: FilePath,
    opened_at: TimestampMs,
    stage: Cell<Stage>,
    stopped: Signal,
}

impl Month {
    pub(super) fn new(context: &Context, options: Rc<PartitionOptions>, name: PartitionName) -> Rc<Self> {
        let [small_dir, big_dir] = dirs_of(name);
        Rc::new(Self {
            context: context.clone(),
            options,
            name,
            label: name.to_string(),
            small_dir,
            big_dir,
            opened_at: context.now(),
            stage: Cell::new(Stage::Opened),
            stopped: Signal::default(),
        })
    }

    /// Whether the jobs are to be started, which is so once.
    pub(super) fn begin_work(&self) -> bool {
        let begins = self.stage.get() == Stage::Opened;
        if begins {
            self.stage.set(Stage::Working);
        }
        begins
    }

    /// Tells all jobs to end.
    pub(super) fn stop(&self) {
        self.stage.set(Stage::Stopping);
        self.stopped.raise();
    }

    pub(super) fn is_working(&self) -> bool {
        self.stage.get() == Stage::Working
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stage.get() == Stage::Stopping
    }

    /// For waits that end when the jobs are told to end.
    pub(super) fn stopped(&self) -> (&Signal, u64) {
        (&self.stopped, self.stopped.version())
    }

    /// Waits until `deadline`, or until the jobs are told to end.
    pub(super) async fn sleep_until(&self, deadline: TimestampMs) {
        self.context.first_of(&[self.stopped()], deadline).await;
    }

    /// The first instant from now on that is a multiple of `interval_ms` behind the one at which the partition was opened.
    pub(super) fn next_tick(&self, interval_ms: i64) -> TimestampMs {
        next_tick(self.opened_at, interval_ms, self.context.now())
    }

    /// Before this samples are too old.
    pub(super) fn retention_deadline(&self) -> TimestampMs {
        self.context.now().saturating_sub(self.options.retention_ms)
    }

    /// The first instant at which a sample of `timestamp` is too old.
    pub(super) fn expiry(&self, timestamp: TimestampMs) -> TimestampMs {
        timestamp.saturating_add(self.options.retention_ms).saturating_add(1)
    }

    /// Tells of a fault that was contained.
    pub(super) fn degraded(&self, error: &Error, consequence: &str) {
        self.context.degraded(error, format!("{}: {error}; {consequence}", self.place()));
    }

    /// What its troubles are reported under.
    pub(super) fn place(&self) -> String {
        format!("partition {}", self.label)
    }

    /// Why a merge gives up when the jobs are told to end.
    pub(super) fn closing() -> Error {
        Error::new(ErrorKind::Aborted, "the partition is being closed")
    }

    /// Runs `work` in a job of its own and waits for its result: a merge that has begun to commit must not be dropped with the
    /// request that asked for it.
    pub(super) async fn in_job<T: 'static>(
        &self,
        lane: Lane,
        work: impl Future<Output = Result<T>> + 'static,
    ) -> Result<T> {
        let result = Rc::new(RefCell::new(None));
        let done = Signal::default();
        let seen = done.version();
        self.context.spawn(lane, {
            let (result, done) = (result.clone(), done.clone());
            async move {
                result.replace(Some(work.await));
                done.raise();
            }
        });
        self.context.changed(&done, seen).await;
        let result = result.take();
        result.unwrap_or_else(|| Err(Error::new(ErrorKind::Aborted, "the job ended without a result")))
    }
}

/// `data/small/YYYY_MM` and `data/big/YYYY_MM`.
pub(super) fn dirs_of(name: PartitionName) -> [FilePath; 2] {
    ["small", "big"].map(|class| FilePath::root().join(&format!("data/{class}/{name}")))
}

/// The first multiple of `interval` after `from` that lies behind `now`.
fn next_tick(from: TimestampMs, interval: i64, now: TimestampMs) -> TimestampMs {
    from + (now.saturating_sub(from).div_euclid(interval) + 1) * interval
}
