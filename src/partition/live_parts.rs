//! The list of parts, and the three changes of it: [`LiveParts::add`], [`LiveParts::replace`] and [`LiveParts::retire`], all of
//! them synchronous. Disk comes first, then memory, then the event.

use super::month::Month;
use super::parts::{Logged, PartEntry, PartLease, PartList};
use super::removal::Remover;
use crate::fs::FilePath;
use crate::merge::Leasable;
use crate::part::Part;
use crate::part::merge::MergeCounts;
use crate::runtime::Signal;
use crate::trace::event::{Event, MergeId, PartClass, PartId};
use std::cell::RefCell;
use std::rc::Rc;

/// The parts that can be searched.
pub(super) struct LiveParts {
    month: Rc<Month>,
    remover: Rc<Remover>,
    list: RefCell<Rc<PartList>>,
    changed: Signal,
}

impl LiveParts {
    pub(super) fn new(month: Rc<Month>, remover: Rc<Remover>) -> Rc<Self> {
        Rc::new(Self { month, remover, list: RefCell::default(), changed: Signal::default() })
    }

    /// The parts of this instant. Holding the list keeps them readable.
    pub(super) fn list(&self) -> Rc<PartList> {
        self.list.borrow().clone()
    }

    /// Raised whenever the list or a lease has changed, and by others who change what is to be done with the parts.
    pub(super) fn changed(&self) -> &Signal {
        &self.changed
    }

    pub(super) fn contains(&self, id: PartId) -> bool {
        self.list.borrow().contains(id)
    }

    pub(super) fn in_memory(&self) -> Vec<Rc<PartEntry>> {
        let list = self.list.borrow();
        list.small.iter().filter(|entry| entry.class() == PartClass::InMemory).cloned().collect()
    }

    /// In-memory parts that are in no merge.
    pub(super) fn free_in_memory(&self, filter: impl Fn(&PartEntry) -> bool) -> Vec<Rc<PartEntry>> {
        let mut parts = self.in_memory();
        parts.retain(|entry| entry.standing().is_free() && filter(entry));
        parts
    }

    /// Leases those of `parts` that are free, for a merge that has a fresh id.
    pub(super) fn lease(&self, mut parts: Vec<Rc<PartEntry>>) -> PartLease {
        parts.retain(|entry| entry.standing().is_free());
        PartLease::new(self.month.options.ids.next_merge(), parts, self.changed.clone())
    }

    fn new_entry(&self, class: PartClass, part: Part, logged: Logged) -> Rc<PartEntry> {
        PartEntry::new(self.month.options.ids.next_part(), class, part, self.month.context.now(), logged)
    }

    /// A part joins the list. Whoever watches is told with [`LiveParts::emit_created`].
    pub(super) fn add(&self, class: PartClass, part: Part, logged: Logged) -> Rc<PartEntry> {
        let entry = self.new_entry(class, part, logged);
        assert!(!self.contains(entry.id()), "part {} exists already", entry.id());
        let list = self.list.borrow().with(entry.clone());
        self.set(list);
        entry
    }

    /// A merge's output takes its sources' place. The disk has it so already.
    pub(super) fn replace(
        &self,
        lease: PartLease,
        output: Option<(PartClass, Part)>,
        transaction: Option<FilePath>,
        counts: MergeCounts,
    ) -> Option<Rc<PartEntry>> {
        let merge = lease.merge();
        for source in lease.parts() {
            assert!(self.contains(source.id()), "part {} left the list under its lease", source.id());
            assert_eq!(source.standing().lease(), Some(merge), "part {} is leased by another merge", source.id());
        }
        let output = output.map(|(class, part)| {
            let logged = if class == PartClass::InMemory { Logged::of(lease.parts()) } else { Logged::default() };
            self.new_entry(class, part, logged)
        });
        let mut list = self.list.borrow().without(lease.parts());
        if let Some(output) = &output {
            list = list.with(output.clone());
        }
        self.set(list);
        self.remover.retire(lease.parts(), transaction);
        if let Some(output) = &output {
            self.emit_created(output, Some(merge));
        }
        self.emit_retired(lease.parts());
        self.month.context.emit(|| Event::MergeFinished {
            merge,
            partition: self.month.label.clone(),
            output: output.as_ref().map(|output| output.id()),
            rows_merged: counts.written,
            rows_deleted: counts.deleted,
            rows_deduplicated: counts.deduplicated,
        });
        output
    }

    /// Parts leave the list and nothing takes their place.
    pub(super) fn retire(&self, gone: &[Rc<PartEntry>]) {
        if gone.is_empty() {
            return;
        }
        for entry in gone {
            assert!(self.contains(entry.id()), "part {} is not in the list", entry.id());
            assert_eq!(entry.standing().lease(), None, "part {} is in a merge", entry.id());
        }
        let list = self.list.borrow().without(gone);
        self.set(list);
        self.month.context.arrivals().note_all();
        if let Some(log) = &self.month.options.log {
            log.abandon(&Logged::of(gone).records);
        }
        self.remover.retire(gone, None);
        self.emit_retired(gone);
    }

    fn set(&self, list: PartList) {
        self.list.replace(Rc::new(list));
        self.changed.raise();
    }

    pub(super) fn emit_created(&self, entry: &PartEntry, merge: Option<MergeId>) {
        self.month.context.emit(|| {
            let header = entry.part().header();
            Event::PartCreated {
                part: entry.id(),
                partition: self.month.label.clone(),
                class: entry.class(),
                name: entry.name().to_owned(),
                rows: header.rows,
                blocks: header.blocks,
                bytes: entry.part().size_bytes(),
                min_timestamp: header.min_timestamp,
                max_timestamp: header.max_timestamp,
                merge,
            }
        });
    }

    fn emit_retired(&self, gone: &[Rc<PartEntry>]) {
        for entry in gone {
            self.month.context.emit(|| Event::PartRetired { part: entry.id(), partition: self.month.label.clone() });
        }
    }
}
