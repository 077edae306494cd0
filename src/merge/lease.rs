//! Which parts a merge has to itself, and where a part stands from its first day to its last.

use super::retirement::Retirement;
use crate::runtime::Signal;
use crate::trace::event::MergeId;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::rc::Rc;

/// Where a part stands. It goes back and forth between the first two, and never back from the last.
#[derive(Debug, Default)]
enum Stage<T> {
    /// In its list, and in no merge.
    #[default]
    Free,
    /// In its list, and a merge will take its place.
    Leased(MergeId),
    /// No longer in its list.
    Retired {
        /// Keeps its files for those who still read it.
        _retirement: Rc<Retirement<T>>,
    },
}

/// What merges know of a part.
#[derive(Debug)]
pub struct Standing<T> {
    stage: RefCell<Stage<T>>,
    is_suspect: Cell<bool>,
}

impl<T> Default for Standing<T> {
    fn default() -> Self {
        Self { stage: RefCell::new(Stage::Free), is_suspect: Cell::new(false) }
    }
}

impl<T> Standing<T> {
    /// Whether it is in its list and in no merge.
    pub fn is_free(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Free)
    }

    /// The merge that reads it and will take its place.
    pub fn lease(&self) -> Option<MergeId> {
        match *self.stage.borrow() {
            Stage::Leased(merge) => Some(merge),
            Stage::Free | Stage::Retired { .. } => None,
        }
    }

    /// Whether it has left its list.
    pub fn is_retired(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Retired { .. })
    }

    /// Whether a merge could not read it or its neighbours, so that none tries again by itself.
    pub fn is_suspect(&self) -> bool {
        self.is_suspect.get()
    }

    /// Keeps merges from trying again.
    pub fn mark_suspect(&self) {
        self.is_suspect.set(true);
    }

    /// Takes the part out of service. Its files go when the last holder of any part of the same retirement has let go.
    pub fn retire(&self, retirement: &Rc<Retirement<T>>) {
        let before = self.stage.replace(Stage::Retired { _retirement: retirement.clone() });
        debug_assert!(!matches!(before, Stage::Retired { .. }), "a part was retired twice");
    }

    fn set_lease(&self, merge: MergeId) {
        debug_assert!(!self.is_retired(), "a retired part can't be leased");
        self.stage.replace(Stage::Leased(merge));
    }

    /// A part that the merge has replaced stays retired.
    fn give_back(&self) {
        if self.lease().is_some() {
            self.stage.replace(Stage::Free);
        }
    }
}

/// A part that merges may lease.
pub trait Leasable {
    /// What is to be known of it when its files are removed.
    type Retired: Debug;

    /// Where it stands.
    fn standing(&self) -> &Standing<Self::Retired>;
}

/// Parts that a merge has to itself. Dropping it gives back those that are still in the list.
#[derive(Debug)]
pub struct Lease<P: Leasable> {
    merge: MergeId,
    parts: Vec<Rc<P>>,
    released: Signal,
}

impl<P: Leasable> Lease<P> {
    /// Leases parts, all of them free. `released` is raised when they are given back.
    pub fn new(merge: MergeId, parts: Vec<Rc<P>>, released: Signal) -> Self {
        for part in &parts {
            debug_assert!(part.standing().is_free(), "a part is not free for merge {merge}");
            part.standing().set_lease(merge);
        }
        Self { merge, parts, released }
    }

    /// The merge that has the parts.
    pub fn merge(&self) -> MergeId {
        self.merge
    }

    /// The parts.
    pub fn parts(&self) -> &[Rc<P>] {
        &self.parts
    }

    /// Hands the first `count` parts over to a merge.
    pub fn split_off_first(&mut self, count: usize, merge: MergeId) -> Self {
        let parts: Vec<_> = self.parts.drain(..count.min(self.parts.len())).collect();
        for part in &parts {
            part.standing().set_lease(merge);
        }
        Self { merge, parts, released: self.released.clone() }
    }
}

impl<P: Leasable> Drop for Lease<P> {
    fn drop(&mut self) {
        self.parts.iter().for_each(|part| part.standing().give_back());
        if !self.parts.is_empty() {
            self.released.raise();
        }
    }
}
