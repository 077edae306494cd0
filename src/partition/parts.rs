//! The parts of a partition as an immutable list.

use crate::fs::FilePath;
use crate::log::LogRecord;
use crate::merge::policy::PartSize;
use crate::merge::{Leasable, Lease, Standing};
use crate::part::{CachedFiles, Part};
use crate::time::TimestampMs;
use crate::trace::event::{MergeId, PartClass, PartId};
use std::cell::Cell;
use std::rc::Rc;

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
    /// Where else its rows are durable, as long as it is in memory.
    logged: Logged,
    standing: Standing<RetiredPart>,
}

/// What is to be known of a part when its files are removed.
#[derive(Debug)]
pub struct RetiredPart {
    pub(super) id: PartId,
    pub(super) cached: CachedFiles,
}

/// Which records of the log hold the rows of an in-memory part.
#[derive(Clone, Debug, Default)]
pub(super) struct Logged {
    pub(super) records: Vec<Rc<LogRecord>>,
    /// Some rows were never handed to the log.
    pub(super) has_others: bool,
}

impl Logged {
    /// Of rows that one record holds, or that none holds.
    pub(super) fn in_record(record: Option<Rc<LogRecord>>) -> Self {
        Self { has_others: record.is_none(), records: record.into_iter().collect() }
    }

    /// All of these together.
    pub(super) fn of(parts: &[Rc<PartEntry>]) -> Self {
        let in_memory = || parts.iter().filter(|entry| entry.class == PartClass::InMemory);
        Self {
            records: in_memory().flat_map(|entry| entry.logged.records.iter().cloned()).collect(),
            has_others: in_memory().any(|entry| entry.logged.has_others),
        }
    }
}

/// Parts that a merge has to itself.
pub(super) type PartLease = Lease<PartEntry>;

impl Leasable for PartEntry {
    type Retired = RetiredPart;

    fn standing(&self) -> &Standing<RetiredPart> {
        &self.standing
    }
}

impl PartEntry {
    pub(super) fn new(id: PartId, class: PartClass, part: Part, created: TimestampMs, logged: Logged) -> Rc<Self> {
        debug_assert_eq!(class == PartClass::InMemory, part.dir().is_none());
        Rc::new(Self { id, class, part, created, logged, standing: Standing::default() })
    }

    /// Whether rows of it are neither on disk nor in the log.
    pub fn is_at_stake(&self) -> bool {
        let is_logged = !self.logged.has_others && self.logged.records.iter().all(|record| record.is_kept());
        self.class == PartClass::InMemory && !is_logged
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

    /// Whether it has left the list.
    pub fn is_retired(&self) -> bool {
        self.standing.is_retired()
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

/// Sum of the parts' sizes: what a part merged from them takes at the most.
pub(super) fn bytes_of(parts: &[Rc<PartEntry>]) -> u64 {
    parts.iter().map(|entry| entry.part().size_bytes()).sum()
}
