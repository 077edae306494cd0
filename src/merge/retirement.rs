//! Parts that have left their list can be read as long as somebody holds them. Then their files are removed.

use crate::error::Result;
use crate::fs::{Change, FilePath};
use crate::runtime::{Context, Signal};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// Parts that left their list at one moment, or a directory with all that is in it. Their files are removed together.
#[derive(Debug)]
pub struct Retired<T> {
    /// Directories, and the transaction file that lists them, if there is one, last.
    pub paths: Vec<FilePath>,
    /// What is to be known of each part when its files are removed.
    pub parts: Vec<T>,
}

impl<T> Default for Retired<T> {
    fn default() -> Self {
        Self { paths: Vec::new(), parts: Vec::new() }
    }
}

/// Held by retired parts. What they leave is queued for removal when the last holder of any of them has let go.
#[derive(Debug)]
pub struct Retirement<T> {
    retired: RefCell<Retired<T>>,
    queue: Rc<RemovalQueue<T>>,
    /// The directory that the parts lie in. It is queued after them.
    directory: OnceCell<Rc<Self>>,
}

impl<T> Retirement<T> {
    /// Queues `retired` when it is dropped.
    pub fn new(retired: Retired<T>, queue: Rc<RemovalQueue<T>>) -> Rc<Self> {
        Rc::new(Self { retired: RefCell::new(retired), queue, directory: OnceCell::new() })
    }

    /// Makes the removal of a directory wait for this one. Once.
    pub fn goes_before(&self, directory: &Rc<Self>) {
        let is_first = self.directory.set(directory.clone()).is_ok();
        debug_assert!(is_first, "a retirement goes before one directory");
    }

    /// Removes these paths as well.
    pub fn add_paths(&self, paths: impl IntoIterator<Item = FilePath>) {
        self.retired.borrow_mut().paths.extend(paths);
    }
}

impl<T> Drop for Retirement<T> {
    fn drop(&mut self) {
        let retired = self.retired.take();
        if !retired.paths.is_empty() || !retired.parts.is_empty() {
            self.queue.put(retired);
        }
    }
}

/// What nobody reads any more, until it is removed.
#[derive(Debug)]
pub struct RemovalQueue<T> {
    waiting: RefCell<Vec<Retired<T>>>,
    arrived: Signal,
    /// Removals that storage has not confirmed yet.
    under_way: Cell<usize>,
    ended: Signal,
}

impl<T> Default for RemovalQueue<T> {
    fn default() -> Self {
        Self {
            waiting: RefCell::default(),
            arrived: Signal::default(),
            under_way: Cell::new(0),
            ended: Signal::default(),
        }
    }
}

impl<T> RemovalQueue<T> {
    fn put(&self, retired: Retired<T>) {
        self.waiting.borrow_mut().push(retired);
        self.arrived.raise();
    }

    /// Whether nothing waits for removal.
    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Takes out all that waits.
    pub fn take_all(&self) -> Vec<Retired<T>> {
        self.waiting.take()
    }

    /// Takes out what has arrived last.
    pub fn take_last(&self) -> Option<Retired<T>> {
        self.waiting.borrow_mut().pop()
    }

    /// Raised when something arrives.
    pub fn arrived(&self) -> &Signal {
        &self.arrived
    }

    /// Raised when a removal has ended.
    pub fn ended(&self) -> &Signal {
        &self.ended
    }

    /// Removes the files of what was taken out, in one commit, and hands it back.
    ///
    /// # Errors
    /// What the storage says; all of it waits again then.
    pub async fn remove(&self, context: &Context, taken: Vec<Retired<T>>) -> Result<Vec<Retired<T>>> {
        let paths = taken.iter().flat_map(|retired| &retired.paths);
        let changes: Vec<_> = paths.map(|path| Change::Remove { path: path.clone() }).collect();
        self.under_way.set(self.under_way.get() + 1);
        let result = if changes.is_empty() { Ok(()) } else { context.commit(changes).await };
        self.under_way.set(self.under_way.get() - 1);
        self.ended.raise();
        match result {
            Ok(()) => Ok(taken),
            Err(error) => {
                taken.into_iter().for_each(|retired| self.put(retired));
                Err(error)
            }
        }
    }

    /// Waits for a removal that is under way to end; whether nothing waited and none was under way. Whoever opens the database
    /// next must not see files vanish that it has just listed.
    pub async fn is_settled(&self, context: &Context) -> bool {
        let seen = self.ended.version();
        if self.under_way.get() > 0 {
            context.changed(&self.ended, seen).await;
            return false;
        }
        self.is_empty()
    }
}
