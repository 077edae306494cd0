//! A database that somebody else writes: what the writer has committed is read, and followed.
//!
//! Before a command, the reader looks whether there was a commit. If so, the storage is opened anew over the files as they are
//! then and takes the place of the one before, which lives on with the searches that have begun in it. Such a search may miss a
//! file that the writer has removed; it is carried out again from the start, in the storage of that instant.

use super::{Answer, Clock, Command, Engine, Phase, Shared, Ticket, execute};
use crate::error::{Error, Result};
use crate::fs::overlay::may_have_moved;
use crate::runtime::{Context, Lane, TaskId, Turnstile};
use crate::storage::{Storage, StorageOptions};
use crate::time::TimestampMs;
use std::cell::Cell;
use std::rc::Rc;

/// So long a reader is content with what it saw.
const PATIENCE_MS: i64 = 200;

/// A writer that commits all the time is not chased for ever. Opening takes as long as some of its commits, and each of them may
/// remove what is being opened.
const MAX_ATTEMPTS: usize = 60;

/// What a reader knows of its writer.
pub(super) struct Following {
    options: StorageOptions,
    /// Held by whoever looks; there is one at a time.
    looking: Turnstile,
    looked_at: Cell<Option<TimestampMs>>,
    /// There are newer files than those of the open storage.
    is_behind: Cell<bool>,
}

impl Following {
    pub fn new(options: StorageOptions) -> Self {
        Self { options, looking: Turnstile::default(), looked_at: Cell::new(None), is_behind: Cell::new(false) }
    }
}

/// Opens the storage. A reader tries again when the writer has committed meanwhile.
pub(super) async fn open(context: &Context, following: &Following) -> Result<Rc<Storage>> {
    for _ in 1..MAX_ATTEMPTS {
        match Storage::open(context, following.options.clone()).await {
            Err(_) if following.options.read_only && context.refresh().await? => {}
            result => return result,
        }
    }
    Storage::open(context, following.options.clone()).await
}

impl Shared {
    /// Whether it was looked for news so lately that it need not be done again. A manual clock tells nothing of that.
    fn has_just_looked(&self, now: TimestampMs) -> bool {
        let is_recent = |looked_at: TimestampMs| now < looked_at.saturating_add(PATIENCE_MS);
        self.config.clock == Clock::Real && self.following.looked_at.get().is_some_and(is_recent)
    }

    /// Opens what the writer has committed since the last look.
    async fn follow(&self, context: &Context, even_if_just_looked: bool) -> Result<()> {
        let following = &self.following;
        let _passage = following.looking.enter(context).await;
        if !even_if_just_looked && self.has_just_looked(context.now()) {
            return Ok(());
        }
        // The files may have moved on though nobody waits for the answer any more: a command that looks can be given up.
        let was_behind = following.is_behind.replace(true);
        following.is_behind.set(context.refresh().await? || was_behind);
        if following.is_behind.get() {
            let storage = open(context, following).await?;
            following.is_behind.set(false);
            let mut phase = self.phase.borrow_mut();
            if let Phase::Open(current) = &mut *phase {
                std::mem::replace(current, storage).leave();
                current.enter();
            }
        }
        following.looked_at.set(Some(context.now()));
        Ok(())
    }

    /// Carries out a command that changes nothing, and again when the writer has removed what it was reading.
    async fn read(self: Rc<Self>, mut storage: Rc<Storage>, command: Command) -> Result<Answer> {
        let context = storage.context().clone();
        self.follow(&context, false).await?;
        self.replace_by_newest(&mut storage);
        for _ in 1..MAX_ATTEMPTS {
            let result = execute::execute(storage.clone(), self.clone(), command.clone()).await;
            if !failure_of(&result).is_some_and(may_have_moved) {
                return result;
            }
            self.follow(&context, true).await?;
            if !self.replace_by_newest(&mut storage) {
                return result;
            }
        }
        execute::execute(storage, self.clone(), command).await
    }

    /// Takes the storage of this instant instead of `storage`; whether it is another one.
    fn replace_by_newest(&self, storage: &mut Rc<Storage>) -> bool {
        match &*self.phase.borrow() {
            Phase::Open(newest) if !Rc::ptr_eq(newest, storage) => {
                *storage = newest.clone();
                true
            }
            _ => false,
        }
    }
}

/// Why a command came to nothing, a request included, whose answer is a reply that says so.
fn failure_of(result: &Result<Answer>) -> Option<&Error> {
    match result {
        Ok(Answer::Http(response)) => response.failure.as_ref(),
        Ok(_) => None,
        Err(error) => Some(error),
    }
}

impl Engine {
    /// Submits a command to a database that is open for reading.
    pub(super) fn send_to_reader(&mut self, command: Command) -> (Ticket, TaskId) {
        self.spawn(move |storage, shared| async move {
            if command.changes_something() {
                return Err(shared.config.read_only_error());
            }
            shared.read(storage, command).await
        })
    }

    /// Lets a reader look for what the writer has committed, without anybody waiting for it.
    pub(super) fn look_for_news(&self) {
        let is_open = matches!(&*self.shared.phase.borrow(), Phase::Open(_));
        if !is_open || !self.shared.config.read_only || self.shared.has_just_looked(self.context.now()) {
            return;
        }
        let (context, shared) = (self.context.clone(), self.shared.clone());
        self.context.spawn(Lane::Query, async move {
            // Whoever reads next will be told.
            let _ = shared.follow(&context, false).await;
        });
    }
}
