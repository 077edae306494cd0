//! What follows when the browser has done its part of an operation, or has given it up.

use super::flight::{Effect, Epoch, Flight};
use super::state::{Shared, State, with_state};
use super::trouble::{Attempt, fenced};
use crate::fs::{OpId, Reply, Request};
use std::rc::Weak;

pub(super) fn settles(me: &Weak<Shared>, op: OpId, success: bool) -> impl FnMut() + 'static {
    let me = me.clone();
    move || {
        with_state(&me, |state, me| {
            state.settle(me, op, success);
            state.advance(me);
        });
    }
}

impl State {
    /// The browser has done its part of an operation, or has given it up.
    pub(super) fn settle(&mut self, me: &Weak<Shared>, op: OpId, success: bool) {
        let Some(at) = self.pending.iter().position(|pending| pending.op == op) else { return };
        let Some(mut flight) = self.pending[at].flight.take() else { return };
        let outcome = if success { self.take_effect(me, at, &mut flight) } else { Err(flight.trouble()) };
        if flight.epoch.get() == Epoch::Others {
            self.closed = Some(fenced());
        }
        if outcome.is_ok() {
            self.answers_again();
        }
        let leaves_doubt = matches!(&outcome, Err(trouble) if trouble.is_loss());
        self.conclude(at, &mut flight, outcome, leaves_doubt);
        self.retired.push(flight);
    }

    /// Draws the consequences. `leaves_doubt`: what failed may have taken place all the same.
    pub(super) fn conclude(
        &mut self,
        at: usize,
        flight: &mut Flight,
        outcome: Attempt<Option<Reply>>,
        leaves_doubt: bool,
    ) {
        if let Effect::Commit(plan) = &mut flight.effect
            && leaves_doubt
        {
            self.pending[at].in_doubt = Some(std::mem::take(plan));
        }
        if outcome.is_err()
            && let (Request::Append { file, bytes }, Effect::Append { inode, created, .. }) =
                (&self.pending[at].request, &flight.effect)
        {
            let (file, len) = (file.clone(), bytes.len() as u64);
            self.take_back_append(&file, *inode, len, *created);
        }
        match (outcome, &flight.effect) {
            (Ok(Some(reply)), _) => self.complete(at, Ok(reply)),
            (Ok(None), _) => {}
            // It is tried again at once.
            (Err(trouble), Effect::Commit(plan))
                if trouble.is_want_of_room() && plan.only_removes() && !self.pending[at].is_uncounted =>
            {
                self.pending[at].is_uncounted = true;
            }
            (Err(trouble), _) => self.fail_operation(at, trouble),
        }
    }

    /// What an operation answers; nothing yet when bytes are still to be fetched.
    fn take_effect(&mut self, me: &Weak<Shared>, at: usize, flight: &mut Flight) -> Attempt<Option<Reply>> {
        match &mut flight.effect {
            Effect::Read { inode, range } => self.take_chunks(me, at, *inode, range, flight.request.as_ref()),
            Effect::Append { inode, grown, .. } => {
                if let Request::Append { bytes, .. } = &self.pending[at].request {
                    self.stats.written_bytes += bytes.len() as u64;
                }
                self.growing.insert(*inode, std::mem::take(grown));
                Ok(Some(Reply::Done))
            }
            Effect::Commit(plan) => {
                let plan = std::mem::take(plan);
                self.committed(&plan, !self.pending[at].is_uncounted);
                Ok(Some(Reply::Done))
            }
        }
    }
}
