//! Removes the files of index parts and tables that nobody reads any more.

use super::part::CacheOwners;
use crate::error::Result;
use crate::merge::RemovalQueue;
use crate::runtime::Context;
use crate::time::MINUTE_MS;
use std::cell::Cell;
use std::rc::Rc;

/// Whether the janitor goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    Closed,
}

/// The files of retired parts, until they are removed. Shared by all tables of an index.
#[derive(Debug, Default)]
pub struct Remover {
    queue: Rc<RemovalQueue<CacheOwners>>,
    stage: Cell<Stage>,
}

impl Remover {
    pub(super) fn queue(&self) -> &Rc<RemovalQueue<CacheOwners>> {
        &self.queue
    }

    /// Removes the files of retired parts that nobody reads any more.
    async fn remove_unread(&self, context: &Context) -> Result<()> {
        while let Some(retired) = self.queue.take_last() {
            for owner in retired.parts.iter().flatten() {
                context.block_cache().remove_owner(*owner);
            }
            self.queue.remove(context, vec![retired]).await?;
        }
        Ok(())
    }

    /// Removes the files of retired parts that nobody reads any more, and waits for what the janitor is removing.
    ///
    /// # Errors
    /// What the storage says; what could not be removed is tried again.
    pub async fn remove_all_unread(&self, context: &Context) -> Result<()> {
        loop {
            self.remove_unread(context).await?;
            if self.queue.is_settled(context).await {
                return Ok(());
            }
        }
    }

    /// Lets [`Remover::run_janitor`] end.
    pub fn close(&self) {
        self.stage.set(Stage::Closed);
        self.queue.arrived().raise();
    }

    /// Removes what arrives, until closed.
    pub async fn run_janitor(self: Rc<Self>, context: Context) {
        while self.stage.get() == Stage::Open {
            let seen = self.queue.arrived().version();
            if self.remove_unread(&context).await.is_err() {
                // The files do no harm, and the transaction file removes them when the database is opened again.
                context.sleep_until(context.now() + MINUTE_MS).await;
            } else if self.queue.is_empty() {
                context.changed(self.queue.arrived(), seen).await;
            }
        }
    }
}
