//! The list of a table's parts, and where those go that leave it.

use super::files::TableFiles;
use super::part::{CacheOwners, Part};
use super::removal::Remover;
use crate::fs::FilePath;
use crate::merge::{Leasable, Retired, Retirement};
use crate::runtime::Signal;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// The parts of one instant.
pub type PartList = Vec<Rc<Part>>;

/// The parts that can be searched.
pub(super) struct LiveParts {
    files: Rc<TableFiles>,
    remover: Rc<Remover>,
    list: RefCell<Rc<PartList>>,
    changed: Signal,
    /// Of merged parts that somebody may still read.
    retirements: RefCell<Vec<Weak<Retirement<CacheOwners>>>>,
}

impl LiveParts {
    pub(super) fn new(files: Rc<TableFiles>, remover: Rc<Remover>, parts: PartList) -> Self {
        Self {
            files,
            remover,
            list: RefCell::new(Rc::new(parts)),
            changed: Signal::default(),
            retirements: RefCell::default(),
        }
    }

    /// The parts of this instant; as long as they are held, they can be read.
    pub(super) fn list(&self) -> Rc<PartList> {
        self.list.borrow().clone()
    }

    /// Raised whenever the list has changed.
    pub(super) fn changed(&self) -> &Signal {
        &self.changed
    }

    /// Parts that the storage did not take yet.
    pub(super) fn in_memory(&self) -> PartList {
        self.list.borrow().iter().filter(|part| part.is_in_memory()).cloned().collect()
    }

    /// A new part takes the place of its sources, if they are all still there.
    pub(super) fn replace(&self, new_part: Option<Rc<Part>>, gone: &[Rc<Part>]) {
        let parts = self.list();
        let stays = |part: &&Rc<Part>| !gone.iter().any(|gone| Rc::ptr_eq(gone, part));
        let mut list: PartList = parts.iter().filter(stays).cloned().collect();
        debug_assert!(
            self.files.is_closed() || list.len() + gone.len() == parts.len(),
            "a merge's sources left the list"
        );
        list.extend(new_part);
        self.list.replace(Rc::new(list));
        self.changed.raise();
    }

    /// Lets the files of merged parts go when nobody reads them any more, and the transaction file that lists them.
    pub(super) fn retire(&self, parts: &[Rc<Part>], paths: Vec<FilePath>) {
        let retirement = self.new_retirement(parts, paths);
        let mut retirements = self.retirements.borrow_mut();
        retirements.retain(|earlier| earlier.strong_count() > 0);
        retirements.push(Rc::downgrade(&retirement));
    }

    /// Empties the list. The table's directory goes when nobody reads its parts any more, nor those that were merged before.
    pub(super) fn retire_all(&self) {
        let retirement = self.new_retirement(&self.list(), vec![self.files.dir.clone()]);
        for earlier in self.retirements.take().iter().filter_map(Weak::upgrade) {
            earlier.goes_before(&retirement);
        }
        self.list.replace(Rc::default());
    }

    fn new_retirement(&self, parts: &[Rc<Part>], paths: Vec<FilePath>) -> Rc<Retirement<CacheOwners>> {
        let retired = Retired { paths, parts: parts.iter().map(|part| part.owners()).collect() };
        let retirement = Retirement::new(retired, self.remover.queue().clone());
        parts.iter().for_each(|part| part.standing().retire(&retirement));
        retirement
    }
}
