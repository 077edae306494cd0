//! Whether the browser gets on with what is under way, and whether another one has written meanwhile.

use super::deadline::Timer;
use super::flight::Epoch;
use super::state::{Shared, State, with_state};
use super::stored::{Stored, look};
use super::trouble::Trouble;
use crate::fs::Reply;
use crate::fs::overlay::Overlay;
use std::rc::Weak;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// How often it is looked whether the browser gets on with what is under way, and how many looks an operation outlives. A timer that
/// counts looks is not misled by a computer that was put to sleep, as a clock would be. It is longer than a busy disk takes.
const LOOK_MS: i32 = 10_000;
const MAX_LOOKS: usize = 3;

impl State {
    /// Looks from time to time whether the browser gets on, as long as something is under way. A transaction that another tab began
    /// before it was put to sleep holds up all that need the same stores.
    pub(super) fn watch(&mut self, me: &Weak<Shared>) {
        if self.watch.is_some() {
            return;
        }
        let (timer, passed) = Timer::start(LOOK_MS);
        self.watch = Some(timer);
        let me = me.clone();
        spawn_local(async move {
            let mut next = Some(passed);
            while let Some(passed) = next.take() {
                // It is never rejected.
                let _ = JsFuture::from(passed).await;
                with_state(&me, |state, me| {
                    state.give_up_what_stalls();
                    state.advance(me);
                    state.watch = None;
                    if state.pending.iter().any(|pending| !pending.waits()) {
                        let (timer, passed) = Timer::start(LOOK_MS);
                        state.watch = Some(timer);
                        next = Some(passed);
                    }
                });
            }
        });
    }

    fn give_up_what_stalls(&mut self) {
        let mut stalled = Vec::new();
        for pending in self.pending.iter_mut().filter(|pending| !pending.waits()) {
            pending.looks += 1;
            if pending.looks >= MAX_LOOKS {
                stalled.push(pending.op);
            }
        }
        for op in stalled {
            let Some(at) = self.pending.iter().position(|pending| pending.op == op) else { continue };
            self.pending[at].is_awaited = false;
            let Some(mut flight) = self.pending[at].flight.take() else {
                self.fail_operation(at, Trouble::Stalled);
                continue;
            };
            // Before the epoch is known a transaction can't come to its end, and so not behind our back either.
            let is_undone = flight.transaction.abort().is_ok() && flight.epoch.get() == Epoch::Unknown;
            self.conclude(at, &mut flight, Err(Trouble::Stalled), !is_undone);
        }
    }

    /// Looks for news in the background.
    pub(super) fn start_looking(&mut self, me: &Weak<Shared>, at: usize) {
        let Some(connection) = &self.connection else { return };
        self.pending[at].is_awaited = true;
        let (me, op) = (me.clone(), self.pending[at].op);
        let (name, db, seen) = (self.name.clone(), connection.db.clone(), self.standing);
        spawn_local(async move {
            let found = look(&name, &db, Some(seen)).await;
            with_state(&me, |state, me| {
                let Some(at) = state.pending.iter().position(|pending| pending.op == op) else { return };
                state.pending[at].is_awaited = false;
                match found {
                    Ok(found) => {
                        let has_moved = found.is_some();
                        if let Some(Stored { standing, directory }) = found {
                            state.standing = standing;
                            state.overlay = Some(Overlay::over(directory));
                        }
                        state.answers_again();
                        state.complete(at, Ok(Reply::Refreshed(has_moved)));
                    }
                    Err(trouble) => state.fail_operation(at, trouble),
                }
                state.advance(me);
            });
        });
    }
}
