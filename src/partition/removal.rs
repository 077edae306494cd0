//! Parts that have left the list: their files are removed when nobody reads them any more, and the directories of a month that
//! was dropped behind them.

use super::month::Month;
use super::parts::{PartEntry, RetiredPart};
use crate::error::{Error, Result};
use crate::fs::FilePath;
use crate::merge::{Leasable, RemovalQueue, Retired, Retirement};
use crate::time::{MINUTE_MS, back_off_ms};
use crate::trace::event::Event;
use std::cell::RefCell;
use std::rc::Rc;

const RETRY_DELAY_MS: i64 = 10_000;

/// What became of the month's directories.
enum Directories {
    /// Parts are read and written there. All retired parts hold this, so that they go before.
    InUse(Rc<Retirement<RetiredPart>>),
    /// The month was dropped. They go when nobody reads a part any more.
    Leaving,
    /// The storage did not remove them yet, for this reason.
    Refused(Error),
    /// They are gone.
    Gone,
}

/// Removes the files of retired parts.
pub(super) struct Remover {
    month: Rc<Month>,
    queue: Rc<RemovalQueue<RetiredPart>>,
    directories: RefCell<Directories>,
}

impl Remover {
    pub(super) fn new(month: Rc<Month>) -> Rc<Self> {
        let queue = Rc::new(RemovalQueue::default());
        let in_use = Retirement::new(Retired::default(), queue.clone());
        Rc::new(Self { month, queue, directories: RefCell::new(Directories::InUse(in_use)) })
    }

    /// Whether parts may still be written: the month was not dropped.
    pub(super) fn is_in_use(&self) -> bool {
        matches!(*self.directories.borrow(), Directories::InUse(_))
    }

    /// Whether the month was dropped and its directories are gone.
    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.directories.borrow(), Directories::Gone)
    }

    /// Takes parts out of service that have left the list, and the transaction file that lists them.
    pub(super) fn retire(&self, parts: &[Rc<PartEntry>], transaction: Option<FilePath>) {
        // A month that was dropped has no parts left.
        let Directories::InUse(directory) = &*self.directories.borrow() else { return };
        let dirs = parts.iter().filter_map(|entry| entry.part().dir().cloned());
        let retired = Retired {
            paths: dirs.chain(transaction).collect(),
            parts: parts
                .iter()
                .map(|entry| RetiredPart { id: entry.id(), cached: entry.part().cached().clone() })
                .collect(),
        };
        let retirement = Retirement::new(retired, self.queue.clone());
        retirement.goes_before(directory);
        for entry in parts {
            entry.standing().retire(&retirement);
        }
    }

    /// Lets the janitor see that it is to end.
    pub(super) fn wake(&self) {
        self.queue.arrived().raise();
    }

    /// Removes files of retired parts that nobody reads, until stopped.
    pub(super) async fn run_janitor(self: Rc<Self>) {
        let mut failures = 0;
        while !self.month.is_stopping() {
            let seen = self.queue.arrived().version();
            if self.queue.is_empty() {
                self.month.context.changed(self.queue.arrived(), seen).await;
                continue;
            }
            match self.remove_unread().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        self.month.degraded(&error, "files of merged parts stay until they can be removed");
                    }
                    let retry_at = self.month.context.now() + back_off_ms(RETRY_DELAY_MS, failures);
                    self.month.sleep_until(retry_at).await;
                }
            }
        }
    }

    /// Removes the files of retired parts that nobody reads any more.
    async fn remove_unread(&self) -> Result<()> {
        let unread = self.queue.take_all();
        for part in unread.iter().flat_map(|retired| &retired.parts) {
            part.cached.forget(&self.month.context);
        }
        let removed = self.queue.remove(&self.month.context, unread).await?;
        for part in removed.into_iter().flat_map(|retired| retired.parts) {
            self.month.context.emit(|| Event::PartRemoved { part: part.id, partition: self.month.label.clone() });
        }
        Ok(())
    }

    /// As above, and waits for what the janitor is removing.
    ///
    /// # Errors
    /// What the storage says.
    pub(super) async fn remove_all_unread(&self) -> Result<()> {
        loop {
            self.remove_unread().await?;
            if self.queue.is_settled(&self.month.context).await {
                return Ok(());
            }
        }
    }

    /// Takes the directories out of use: from now on no merge starts, so that nothing is written there any more. What removes
    /// them is to be run as a job; there is none when it was done before.
    pub(super) fn leave_directories(self: &Rc<Self>) -> Option<impl Future<Output = ()> + 'static> {
        if !self.is_in_use() {
            return None;
        }
        let Directories::InUse(directory) = self.directories.replace(Directories::Leaving) else { return None };
        directory.add_paths([self.month.small_dir.clone(), self.month.big_dir.clone()]);
        let is_held = Rc::downgrade(&directory);
        drop(directory);
        let remover = self.clone();
        Some(async move {
            loop {
                let seen = remover.queue.arrived().version();
                if let Err(error) = remover.remove_unread().await {
                    remover.month.degraded(&error, "files of a dropped month stay until the next try");
                    remover.set_directories(Directories::Refused(error));
                    remover.month.context.sleep_until(remover.month.context.now() + MINUTE_MS).await;
                    continue;
                }
                if is_held.strong_count() == 0 && remover.queue.is_empty() {
                    remover.set_directories(Directories::Gone);
                    return;
                }
                remover.set_directories(Directories::Leaving);
                remover.month.context.changed(remover.queue.arrived(), seen).await;
            }
        })
    }

    fn set_directories(&self, directories: Directories) {
        self.directories.replace(directories);
        self.queue.ended().raise();
    }

    /// Waits until the directories of a month that was dropped are gone.
    ///
    /// # Errors
    /// What the storage says when it does not remove them.
    pub(super) async fn wait_until_gone(&self) -> Result<()> {
        loop {
            let seen = self.queue.ended().version();
            match &*self.directories.borrow() {
                Directories::Gone => return Ok(()),
                Directories::Refused(error) => return Err(error.clone().at(self.month.place())),
                Directories::InUse(_) | Directories::Leaving => {}
            }
            self.month.context.changed(self.queue.ended(), seen).await;
        }
    }
}
