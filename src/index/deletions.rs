//! Which series were deleted, and whether the storage knows.

use crate::collections::u64_set::U64Set;
use std::cell::RefCell;
use std::rc::Rc;

/// Deleted series, by metric id.
pub(super) struct Deletions {
    all: RefCell<Rc<U64Set>>,
    /// Those whose tombstones the storage has not taken yet.
    unconfirmed: RefCell<U64Set>,
}

impl Deletions {
    /// Those that the storage has.
    pub(super) fn new(stored: U64Set) -> Self {
        Self { all: RefCell::new(Rc::new(stored)), unconfirmed: RefCell::default() }
    }

    pub(super) fn all(&self) -> Rc<U64Set> {
        self.all.borrow().clone()
    }

    pub(super) fn contains(&self, metric_id: u64) -> bool {
        self.all.borrow().contains(metric_id)
    }

    pub(super) fn len(&self) -> u64 {
        self.all.borrow().len() as u64
    }

    pub(super) fn add(&self, metric_ids: &[u64]) {
        let mut all = U64Set::clone(&self.all.borrow());
        all.extend(metric_ids.iter().copied());
        self.all.replace(Rc::new(all));
        self.unconfirmed.borrow_mut().extend(metric_ids.iter().copied());
    }

    pub(super) fn unconfirmed(&self) -> Vec<u64> {
        self.unconfirmed.borrow().iter().collect()
    }

    /// The storage has the tombstones of these.
    pub(super) fn confirm(&self, metric_ids: Vec<u64>) {
        let mut still = U64Set::clone(&self.unconfirmed.borrow());
        still.subtract(&metric_ids.into_iter().collect());
        self.unconfirmed.replace(still);
    }
}
