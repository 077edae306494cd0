//! Which commands are under way, and what became of those that have ended.

use super::answer::Answer;
use super::command::Ticket;
use crate::error::Result;
use crate::runtime::{Context, MemoryBudget, MemoryShare, Signal, TaskId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// Answers that are given before others have their turn.
const ANSWERED_AT_ONCE: usize = 500;

/// The tickets that were given out.
pub(super) struct Tickets {
    next: Cell<u32>,
    /// Tickets without an answer, in the order in which they were given out.
    unanswered: RefCell<BTreeSet<Ticket>>,
    /// Those of appends that wait for the flush to catch up, which one job answers.
    waiting_for_room: RefCell<VecDeque<Ticket>>,
    /// With the memory they take until somebody takes them.
    answers: RefCell<HashMap<Ticket, (Result<Answer>, MemoryShare)>>,
    memory: MemoryBudget,
    /// Answered, and not told yet.
    completed: RefCell<Vec<Ticket>>,
    /// Commands that `Close` has to wait for.
    under_way: RefCell<HashSet<Ticket>>,
    changed: Signal,
    /// Jobs of commands that only read and are not answered yet.
    reads: RefCell<HashMap<Ticket, TaskId>>,
}

impl Tickets {
    pub(super) fn new(memory: MemoryBudget) -> Self {
        Self {
            next: Cell::new(1),
            unanswered: RefCell::default(),
            waiting_for_room: RefCell::default(),
            answers: RefCell::default(),
            memory,
            completed: RefCell::default(),
            under_way: RefCell::default(),
            changed: Signal::default(),
            reads: RefCell::default(),
        }
    }

    pub(super) fn give_out(&self) -> Ticket {
        let ticket = Ticket(self.next.get());
        self.next.set(ticket.0.wrapping_add(1).max(1));
        self.unanswered.borrow_mut().insert(ticket);
        ticket
    }

    pub(super) fn answer(&self, ticket: Ticket, result: Result<Answer>) {
        self.forget(ticket);
        let bytes = result.as_ref().map_or(0, Answer::memory_bytes);
        self.answers.borrow_mut().insert(ticket, (result, self.memory.share_of(bytes)));
        self.completed.borrow_mut().push(ticket);
    }

    /// A ticket for an append that waits until the flush has caught up, and whether it is the first of those who do.
    pub(super) fn give_out_for_room(&self) -> (Ticket, bool) {
        let ticket = self.give_out();
        let mut waiting = self.waiting_for_room.borrow_mut();
        waiting.push_back(ticket);
        (ticket, waiting.len() == 1)
    }

    /// The flush has caught up: answers some of them, and says how many.
    pub(super) fn answer_some_for_room(&self) -> usize {
        let some: Vec<Ticket> = {
            let mut waiting = self.waiting_for_room.borrow_mut();
            let count = waiting.len().min(ANSWERED_AT_ONCE);
            waiting.drain(..count).collect()
        };
        some.iter().for_each(|ticket| self.answer(*ticket, Ok(Answer::Done)));
        some.len()
    }

    /// It will have no answer.
    fn forget(&self, ticket: Ticket) {
        self.unanswered.borrow_mut().remove(&ticket);
    }

    /// All that have no answer; the caller gives them one.
    pub(super) fn take_unanswered(&self) -> BTreeSet<Ticket> {
        self.waiting_for_room.borrow_mut().clear();
        self.unanswered.take()
    }

    /// Takes the answer to a ticket, once, with the memory that it takes.
    pub(super) fn take(&self, ticket: Ticket) -> Option<(Result<Answer>, MemoryShare)> {
        self.answers.borrow_mut().remove(&ticket)
    }

    /// Takes the answer to a ticket that nobody is to be told of.
    pub(super) fn take_untold(&self, ticket: Ticket) -> Option<Result<Answer>> {
        let (answer, _) = self.take(ticket)?;
        self.completed.borrow_mut().retain(|completed| *completed != ticket);
        Some(answer)
    }

    /// Those that were answered since the last call.
    pub(super) fn take_completed(&self) -> Vec<Ticket> {
        self.completed.take()
    }

    // ---- commands under way ---------------------------------------------------------------------

    pub(super) fn under_way(&self) -> usize {
        self.under_way.borrow().len()
    }

    pub(super) fn command_began(&self, ticket: Ticket) {
        self.under_way.borrow_mut().insert(ticket);
    }

    pub(super) fn command_ended(&self, ticket: Ticket, result: Result<Answer>) {
        self.reads.borrow_mut().remove(&ticket);
        self.answer(ticket, result);
        self.no_longer_under_way(ticket);
    }

    fn no_longer_under_way(&self, ticket: Ticket) {
        self.under_way.borrow_mut().remove(&ticket);
        self.changed.raise();
    }

    /// A command that only reads may be given up.
    pub(super) fn note_read(&self, ticket: Ticket, job: TaskId) {
        self.reads.borrow_mut().insert(ticket, job);
    }

    /// Gives a read up, and returns its job; nothing for a command that changes something or has been answered.
    pub(super) fn give_up_read(&self, ticket: Ticket) -> Option<TaskId> {
        let job = self.reads.borrow_mut().remove(&ticket)?;
        self.forget(ticket);
        self.no_longer_under_way(ticket);
        Some(job)
    }

    /// Waits until no command is under way.
    pub(super) async fn wait_for_all(&self, context: &Context) {
        self.wait_until(context, || self.under_way.borrow().is_empty()).await;
    }

    /// Waits for the commands that are under way at this instant, but for the one that calls and for those that only read.
    pub(super) async fn wait_for_earlier_writers(&self, context: &Context) {
        let reads = self.reads.borrow().keys().copied().collect();
        let writers: HashSet<Ticket> = self.under_way.borrow().difference(&reads).copied().collect();
        // The one that calls stays among them.
        self.wait_until(context, || self.under_way.borrow().intersection(&writers).count() <= 1).await;
    }

    async fn wait_until(&self, context: &Context, is_over: impl Fn() -> bool) {
        loop {
            let seen = self.changed.version();
            if is_over() {
                return;
            }
            context.changed(&self.changed, seen).await;
        }
    }
}
