//! Work that one job at a time may do.

use super::context::Context;
use super::signal::Signal;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Lets one job at a time through, in the order in which they came. Only the next one is woken: thousands may wait.
#[derive(Debug, Default)]
pub struct Turnstile(Rc<Gate>);

#[derive(Debug, Default)]
struct Gate {
    is_taken: Cell<bool>,
    queue: RefCell<VecDeque<Rc<Turn>>>,
}

/// One of those who wait.
#[derive(Debug, Default)]
struct Turn {
    called: Signal,
    /// A job that was cancelled wants nothing any more.
    is_given_up: Cell<bool>,
}

impl Gate {
    /// Calls the next one in, who has the passage from then on.
    fn free(&self) {
        let next = || self.queue.borrow_mut().pop_front();
        match std::iter::from_fn(next).find(|turn| !turn.is_given_up.get()) {
            Some(turn) => turn.called.raise(),
            None => self.is_taken.set(false),
        }
    }
}

impl Turnstile {
    /// Waits for its turn and goes in.
    pub async fn enter(&self, context: &Context) -> Passage {
        if self.0.is_taken.replace(true) {
            let waiting = Waiting { gate: self.0.clone(), turn: Rc::default(), is_in: false };
            self.0.queue.borrow_mut().push_back(waiting.turn.clone());
            context.changed(&waiting.turn.called, 0).await;
            return waiting.passage();
        }
        Passage(self.0.clone())
    }
}

/// A job that waits, or that was called in and does not know it yet.
struct Waiting {
    gate: Rc<Gate>,
    turn: Rc<Turn>,
    is_in: bool,
}

impl Waiting {
    fn passage(mut self) -> Passage {
        self.is_in = true;
        Passage(self.gate.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        match (self.is_in, self.turn.called.version()) {
            (true, _) => {}
            (false, 0) => self.turn.is_given_up.set(true),
            // It was called and never went in.
            (false, _) => self.gate.free(),
        }
    }
}

/// The right to be inside; dropping it lets the next one in.
pub struct Passage(Rc<Gate>);

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemoryFileSystem;
    use crate::runtime::{Lane, Scheduler};

    #[test]
    fn they_go_in_by_turns_and_who_has_given_up_keeps_nobody() {
        let context = Context::new(Box::new(MemoryFileSystem::new()), 0);
        let mut scheduler = Scheduler::new(context.clone());
        let turnstile = Rc::new(Turnstile::default());
        let (log, open) = (Rc::<RefCell<Vec<usize>>>::default(), Signal::default());
        let jobs: Vec<_> = (0..5)
            .map(|number| {
                let (context, turnstile, log, open) = (context.clone(), turnstile.clone(), log.clone(), open.clone());
                context.clone().spawn(Lane::Query, async move {
                    let _passage = turnstile.enter(&context).await;
                    log.borrow_mut().push(number);
                    context.changed(&open, 0).await;
                })
            })
            .collect();
        scheduler.pump(0, u64::MAX);
        assert_eq!(*log.borrow(), [0]);
        // The second gives up while it waits; the first goes before the third has heard that it is its turn, and the third gives up then.
        context.cancel(jobs[1]);
        scheduler.pump(0, u64::MAX);
        context.cancel(jobs[0]);
        context.cancel(jobs[2]);
        scheduler.pump(0, u64::MAX);
        assert_eq!(*log.borrow(), [0, 3]);
        for _ in 0..5 {
            open.raise();
        }
        scheduler.pump(0, u64::MAX);
        assert_eq!(*log.borrow(), [0, 3, 4]);
        let (context, entered) = (context.clone(), log.clone());
        context.clone().spawn(Lane::Query, async move {
            let _passage = turnstile.enter(&context).await;
            entered.borrow_mut().push(9);
        });
        scheduler.pump(0, u64::MAX);
        assert_eq!(*log.borrow(), [0, 3, 4, 9]);
    }
}
