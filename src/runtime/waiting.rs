//! Waiting for a turn, an instant or a signal.

use super::context::Context;
use super::job::{Units, Wait};
use super::signal::Signal;
use crate::time::TimestampMs;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

impl Context {
    /// Accounts for work done, roughly one unit a row handled once (10 to 50 ns), and lets others run when this job's turn
    /// is used up. Long work calls it at least every few thousand units, since no slice on the calling thread may last
    /// longer than 8 ms.
    pub fn spend(&self, units: Units) -> Spend<'_> {
        let left = self.0.notes.turn_units_left.get() - units as i64;
        self.0.notes.turn_units_left.set(left);
        Spend { context: self, is_turn_over: left <= 0 }
    }

    /// Waits until the clock has reached `deadline`; as long as that is from now, whatever becomes of the clock.
    pub fn sleep_until(&self, deadline: TimestampMs) -> Changed<'_> {
        self.first_of(&[], deadline)
    }

    /// Waits until `signal` has been raised since `seen` was read from it.
    pub fn changed<'a>(&'a self, signal: &'a Signal, seen: u64) -> Changed<'a> {
        self.first_of(&[(signal, seen)], TimestampMs::MAX)
    }

    /// Waits until `deadline` or until `signal` has been raised since `seen`, whichever comes first.
    pub fn changed_or_until<'a>(&'a self, signal: &'a Signal, seen: u64, deadline: TimestampMs) -> Changed<'a> {
        self.first_of(&[(signal, seen)], deadline)
    }

    /// Waits until `deadline`, or until one of the signals, three at the most, has been raised since its count was read; the end of
    /// time is no deadline.
    pub fn first_of<'a>(&'a self, signals: &[(&'a Signal, u64)], deadline: TimestampMs) -> Changed<'a> {
        let deadline = (deadline != TimestampMs::MAX).then(|| self.0.clock.steady(deadline));
        Changed { context: self, signals: std::array::from_fn(|at| signals.get(at).copied()), deadline }
    }
}

// The leaves of all jobs are types of their own, whose `poll` is never inlined: the compiler would repeat what an `async fn`
// does in every job that awaits it.

/// See [`Context::spend`].
#[must_use = "futures do nothing unless awaited"]
pub struct Spend<'a> {
    context: &'a Context,
    is_turn_over: bool,
}

impl Future for Spend<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.is_turn_over) { self.context.end_turn() } else { Poll::Ready(()) }
    }
}

impl Context {
    #[inline(never)]
    fn end_turn(&self) -> Poll<()> {
        self.0.notes.wait(Wait::Turn);
        Poll::Pending
    }
}

/// See [`Context::changed_or_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct Changed<'a> {
    context: &'a Context,
    signals: [Option<(&'a Signal, u64)>; 3],
    /// By the steady clock.
    deadline: Option<TimestampMs>,
}

impl Future for Changed<'_> {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        let signals = || self.signals.iter().flatten();
        let has_changed = signals().any(|(signal, seen)| signal.version() != *seen);
        if has_changed || self.deadline.is_some_and(|deadline| self.context.0.clock.has_reached(deadline)) {
            return Poll::Ready(());
        }
        let mut waits = self.context.0.notes.waits.borrow_mut();
        waits.extend(signals().map(|(signal, seen)| Wait::Signal((*signal).clone(), *seen)));
        waits.extend(self.deadline.map(Wait::Until));
        Poll::Pending
    }
}
