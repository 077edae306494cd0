//! Bodies on their way in and exports on their way out, by their numbers.

use super::export::ExportCursor;
use super::transfer::Ingest;
use crate::error::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// What is taken out while it is used, so that no borrow lasts over an await, and put back.
pub(super) struct Cursors {
    next: Cell<u32>,
    exports: RefCell<HashMap<u32, ExportCursor>>,
    ingests: RefCell<HashMap<u32, Ingest>>,
}

impl Default for Cursors {
    fn default() -> Self {
        Self { next: Cell::new(1), exports: RefCell::default(), ingests: RefCell::default() }
    }
}

impl Cursors {
    /// Numbers are given out from here on.
    pub(super) fn count_from(&self, first: u32) {
        self.next.set(first);
    }

    pub(super) fn next_number(&self) -> u32 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    pub(super) fn take_ingest(&self, number: u32) -> Result<Ingest> {
        self.ingests.borrow_mut().remove(&number).ok_or_else(|| {
            Error::invalid(format!(
                "there is no body {number} on its way in; it has ended, or its last piece is not answered yet"
            ))
        })
    }

    pub(super) fn put_ingest(&self, number: u32, ingest: Ingest) {
        self.ingests.borrow_mut().insert(number, ingest);
    }

    pub(super) fn end_ingest(&self, number: u32) {
        self.ingests.borrow_mut().remove(&number);
    }

    pub(super) fn take_export(&self, number: u32) -> Result<ExportCursor> {
        self.exports.borrow_mut().remove(&number).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no export {number}; it has ended or was closed"))
        })
    }

    pub(super) fn put_export(&self, number: u32, export: ExportCursor) {
        self.exports.borrow_mut().insert(number, export);
    }

    pub(super) fn end_export(&self, number: u32) {
        self.exports.borrow_mut().remove(&number);
    }

    pub(super) fn end_exports(&self) {
        self.exports.borrow_mut().clear();
    }

    pub(super) fn end_ingests(&self) {
        self.ingests.borrow_mut().clear();
    }
}
