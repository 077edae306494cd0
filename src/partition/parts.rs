//! The parts of a partition: an immutable list, leases of merges, and what happens to parts that are no longer in the list.

use crate::fs::FilePath;
use crate::part::Part;
use crate::runtime::Signal;
use crate::time::TimestampMs;
use crate::trace::event::{MergeId, PartClass, PartId};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use super::policy::PartSize;

/// Gives out ids of parts and merges; one for a whole database.
#[derive(Debug, Default)]
pub struct IdSource {
    parts: Cell<PartId>,
    merges: Cell<MergeId>,
}

impl IdSource {
    /// An id no part has had.
    pub fn next_part(&self) -> PartId {
        self.parts.replace(self.parts.get() + 1)
    }

    /// An id no merge has had.
    pub fn next_merge(&self) -> MergeId {
        self.merges.replace(self.merges.get() + 1)
    }
}

/// A part in a partition's list. Whoever holds it can read it, even after it was retired.
#[derive(Debug)]
pub struct PartEntry {
    id: PartId,
    class: PartClass,
    part: Part,
    /// When it was made; only the age of in-memory parts matters.
    created: TimestampMs,
    lease: Cell<Option<MergeId>>,
    /// A background merge could not read it or its neighbours, so none tries again.
    is_suspect: Cell<bool>,
    retirement: OnceCell<Rc<Retirement>>,
}

impl PartEntry {
    pub(super) fn new(id: PartId, class: PartClass, part: Part, created: TimestampMs) -> Rc<Self> {
        debug_assert_eq!(class == PartClass::InMemory, part.dir().is_none());
        Rc::new(Self {
            id,
            class,
            part,
            created,
            lease: Cell::new(None),
            is_suspect: Cell::new(false),
            retirement: OnceCell::new(),
        })
    }

    /// Its number.
    pub fn id(&self) -> PartId {
        self.id
    }

    /// Its class.
    pub fn class(&self) -> PartClass {
        self.class
    }

    /// Its content.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The name of its directory; empty for in-memory parts.
    pub fn name(&self) -> &str {
        self.part.dir().map_or("", FilePath::name)
    }

    /// When it was made or found.
    pub fn created(&self) -> TimestampMs {
        self.created
    }

    /// The merge that reads it and will take its place.
    pub fn lease(&self) -> Option<MergeId> {
        self.lease.get()
    }

    /// Whether it has left the list.
    pub fn is_retired(&self) -> bool {
        self.retirement.get().is_some()
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.get()
    }

    pub(super) fn mark_suspect(&self) {
        self.is_suspect.set(true);
    }

    /// Takes the part out of service. Its files go when the last holder of any part of the same retirement has let go.
    pub(super) fn retire(&self, retirement: &Rc<Retirement>) {
        let first = self.retirement.set(retirement.clone()).is_ok();
        debug_assert!(first, "part {} was retired twice", self.id);
    }

    /// What merge decisions are made on.
    pub fn size(&self) -> PartSize {
        PartSize { bytes: self.part.size_bytes(), min_timestamp: self.part.header().min_timestamp }
    }
}

/// The parts of one instant. It never changes; the partition replaces it.
#[derive(Clone, Debug, Default)]
pub struct PartList {
    /// In-memory and small parts, in the order in which they were made.
    pub small: Vec<Rc<PartEntry>>,
    /// Big parts.
    pub big: Vec<Rc<PartEntry>>,
}

impl PartList {
    /// All parts, small ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<PartEntry>> {
        self.small.iter().chain(&self.big)
    }

    /// Number of parts.
    pub fn len(&self) -> usize {
        self.small.len() + self.big.len()
    }

    /// Whether there are no parts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows in all parts.
    pub fn rows(&self) -> u64 {
        self.iter().map(|entry| entry.part.header().rows).sum()
    }

    pub(super) fn with(&self, entry: Rc<PartEntry>) -> Self {
        let mut list = self.clone();
        if entry.class == PartClass::Big {
            list.big.push(entry)
        } else {
            list.small.push(entry)
        }
        list
    }

    pub(super) fn without(&self, gone: &[Rc<PartEntry>]) -> Self {
        let stays = |entry: &&Rc<PartEntry>| !gone.iter().any(|gone| gone.id == entry.id);
        Self {
            small: self.small.iter().filter(stays).cloned().collect(),
            big: self.big.iter().filter(stays).cloned().collect(),
        }
    }

    pub(super) fn contains(&self, id: PartId) -> bool {
        self.iter().any(|entry| entry.id == id)
    }
}

/// Parts that a merge has to itself. Dropping it gives back those that are still in the list.
#[derive(Debug)]
pub struct Lease {
    pub(super) merge: MergeId,
    pub(super) parts: Vec<Rc<PartEntry>>,
    released: Signal,
}

impl Lease {
    /// Leases parts that nobody has leased.
    pub(super) fn new(merge: MergeId, parts: Vec<Rc<PartEntry>>, released: Signal) -> Self {
        for entry in &parts {
            debug_assert!(entry.lease.get().is_none() && !entry.is_retired(), "part {} is not free", entry.id);
            entry.lease.set(Some(merge));
        }
        Self { merge, parts, released }
    }
}

impl Lease {
    /// Hands the first `count` parts over to a merge.
    pub(super) fn take(&mut self, count: usize, merge: MergeId) -> Self {
        let parts: Vec<_> = self.parts.drain(..count.min(self.parts.len())).collect();
        for entry in &parts {
            entry.lease.set(Some(merge));
        }
        Self { merge, parts, released: self.released.clone() }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        for entry in &self.parts {
            if !entry.is_retired() {
                entry.lease.set(None);
            }
        }
        if !self.parts.is_empty() {
            self.released.raise();
        }
    }
}

/// What is to be removed once the last holder of some retired parts has let go.
#[derive(Debug)]
pub struct Retirement {
    remains: Remains,
    anchor: Rc<Anchor>,
}

/// Held by the partition and by all its retirements. The partition's directories can be removed when it is gone.
#[derive(Debug)]
pub struct Anchor {
    graveyard: Rc<Graveyard>,
    /// What is to be removed when nobody holds on any more; nothing unless the partition was dropped.
    paths: RefCell<Vec<FilePath>>,
}

impl Anchor {
    pub(super) fn new(graveyard: Rc<Graveyard>) -> Rc<Self> {
        Rc::new(Self { graveyard, paths: RefCell::default() })
    }

    /// Removes `paths` once nobody holds on.
    pub(super) fn weigh(&self, paths: Vec<FilePath>) {
        self.paths.replace(paths);
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        let paths = self.paths.take();
        if !paths.is_empty() {
            self.graveyard.put(Remains { parts: Vec::new(), paths });
        }
    }
}

/// Files of retired parts that nobody reads any more.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// The parts.
    pub parts: Vec<PartId>,
    /// Their directories, and the transaction file that lists them, if there is one, last.
    pub paths: Vec<FilePath>,
}

/// Where retirements end up; the janitor looks after it.
#[derive(Debug, Default)]
pub struct Graveyard {
    remains: RefCell<Vec<Remains>>,
    /// Raised when something arrives.
    pub arrived: Signal,
}

impl Graveyard {
    /// Takes all that has arrived.
    pub fn take(&self) -> Vec<Remains> {
        self.remains.take()
    }

    /// Lays something down.
    pub fn put(&self, remains: Remains) {
        self.remains.borrow_mut().push(remains);
        self.arrived.raise();
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.remains.borrow().is_empty()
    }
}

impl Retirement {
    pub(super) fn new(remains: Remains, anchor: Rc<Anchor>) -> Rc<Self> {
        Rc::new(Self { remains, anchor })
    }
}

impl Drop for Retirement {
    fn drop(&mut self) {
        self.anchor.graveyard.put(std::mem::take(&mut self.remains));
    }
}
