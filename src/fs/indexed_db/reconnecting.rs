//! A connection that was lost is made anew, and it is found out what has become of what was under way.

use super::connect::connect;
use super::connection::Connection;
use super::deadline::sleep;
use super::state::{MAX_FAILURES, Shared, State, with_state};
use super::stored::{self, Standing};
use super::trouble::{Attempt, Trouble, fenced, removed, unknown_outcome};
use crate::error::{Error, ErrorKind};
use crate::fs::{OpId, Reply};
use std::rc::Weak;
use wasm_bindgen_futures::spawn_local;
use web_sys::IdbDatabase;

/// How long to wait before each further attempt at a new connection.
const PAUSES_MS: [i32; 5] = [0, 50, 250, 1_000, 4_000];

/// A connection whose end the file system is told of.
pub(super) fn connection(db: IdbDatabase, me: &Weak<Shared>) -> Connection {
    let (when_closed, when_in_the_way) = (me.clone(), me.clone());
    Connection::new(
        db,
        move || {
            with_state(&when_closed, |state, me| {
                state.lose_connection(me);
                state.advance(me);
            });
        },
        move || {
            with_state(&when_in_the_way, |state, me| {
                // One that was lost stands in nobody's way; the next one sees what has become of the database.
                if state.connection.is_none() {
                    return;
                }
                let reason = "the database is being deleted or upgraded by another tab";
                state.closed = Some(Error::new(ErrorKind::Closed, reason));
                state.advance(me);
            });
        },
    )
}

impl State {
    /// Makes a new connection in the background, and goes on or gives up all that waits.
    pub(super) fn reopen(&mut self, me: &Weak<Shared>) {
        if std::mem::replace(&mut self.is_reopening, true) {
            return;
        }
        self.trouble(Trouble::Lost.into());
        let (me, name) = (me.clone(), self.name.clone());
        spawn_local(async move {
            let mut connected = reconnect(&name).await;
            for pause_ms in PAUSES_MS {
                if connected.is_ok() || connected.as_ref().is_err_and(Trouble::is_absence) || me.strong_count() == 0 {
                    break;
                }
                sleep(pause_ms).await;
                connected = reconnect(&name).await;
            }
            with_state(&me, |state, me| {
                state.is_reopening = false;
                match connected {
                    Ok((db, standing)) => {
                        state.connection = Some(connection(db, me));
                        state.rounds_in_vain = 0;
                        state.resume(standing);
                        state.answers_again();
                    }
                    Err(trouble) => state.remain_unconnected(trouble.into()),
                }
                state.advance(me);
            });
        });
    }

    /// Gives up all that waits, but for a commit of which nobody knows what has become of it: what is known here may not be what is
    /// stored until that is found out. When it can't be found out for minutes, nothing can be done any more.
    fn remain_unconnected(&mut self, error: Error) {
        self.trouble(Error::new(error.kind(), format!("there is no new connection to IndexedDB: {}", error.message())));
        if error.kind() == ErrorKind::NotFound {
            self.closed = Some(removed());
            return;
        }
        self.rounds_in_vain += 1;
        let is_over = self.rounds_in_vain > MAX_FAILURES;
        if is_over && self.pending.iter().any(|pending| pending.in_doubt.is_some()) {
            self.closed = Some(unknown_outcome(&error));
            return;
        }
        while let Some(at) = self.pending.iter().position(|pending| pending.waits() && pending.in_doubt.is_none()) {
            self.complete(at, Err(error.clone()));
        }
    }

    /// Finds out what has become of the commit that was under way when the connection was lost.
    fn resume(&mut self, standing: Standing) {
        if standing.mark != self.standing.mark {
            // A new one has taken the place of what was opened here.
            self.closed = Some(removed());
            return;
        }
        if self.overlay.is_some() {
            return;
        }
        // Only who reads counts names.
        let standing = Standing { entries: self.standing.entries, ..standing };
        let doubtful =
            self.pending.iter_mut().enumerate().find_map(|(at, pending)| Some((at, pending.in_doubt.take()?)));
        let (at, plan) = doubtful.unzip();
        let expected = Standing { commits: self.standing.commits + 1, ..self.standing };
        match (at, plan) {
            (Some(at), Some(plan)) if standing == expected => {
                self.committed(&plan, true);
                self.complete(at, Ok(Reply::Done));
            }
            // It has not taken place, and is tried again, if not for too long.
            (Some(at), _) if standing == self.standing => {
                match self.pending[at].given_up.take() {
                    // Nobody counted: it may have removed what it was to remove, or not.
                    Some(error) if self.pending[at].is_uncounted => self.closed = Some(unknown_outcome(&error)),
                    Some(error) => self.complete(at, Err(error)),
                    None => {}
                }
            }
            _ if standing == self.standing => {}
            _ => self.closed = Some(fenced()),
        }
    }

    /// The browser has closed the connection: what was under way is tried again.
    pub(super) fn lose_connection(&mut self, me: &Weak<Shared>) {
        self.lost_connection = self.connection.take();
        let under_way: Vec<OpId> =
            self.pending.iter().filter(|pending| pending.flight.is_some()).map(|pending| pending.op).collect();
        for op in under_way {
            self.settle(me, op, false);
        }
    }
}

/// A new connection, and what has become of the database meanwhile.
async fn reconnect(name: &str) -> Attempt<(IdbDatabase, Standing)> {
    let db = connect(name, false).await?;
    match stored::standing(name, &db).await {
        Ok(standing) => Ok((db, standing)),
        Err(trouble) => {
            db.close();
            Err(trouble)
        }
    }
}
